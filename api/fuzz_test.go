package api

import (
	"bytes"
	"reflect"
	"slices"
	"testing"

	"github.com/go-json-experiment/json"
	"pgregory.net/rapid"

	"github.com/sayso-vault/sayso/api/wire"
)

// Whatever is accepted means the same when it is sent again, and nothing that
// is sent brings the server down.
func FuzzDecode(f *testing.F) {
	for _, body := range goodBodies {
		f.Add([]byte(body))
	}
	f.Add([]byte(`{"subject":{"email":"a"},"purpose":"p","fields":["a"],"context":{"a":[1,null]}}`))
	for _, body := range plainBodies {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var first, second, plain wire.ReadRequest
		err := decode(body, &first)
		if plainRead(body, &plain) && (err != nil || !reflect.DeepEqual(first, plain)) {
			t.Errorf("%q was read as %+v, but is %+v, %v", body, plain, first, err)
		}
		if err != nil {
			return
		}
		once, err := json.Marshal(&first, json.Deterministic(true))
		if err != nil {
			t.Fatalf("accepted, but cannot be sent: %v", err)
		}
		if err := decode(once, &second); err != nil {
			t.Fatalf("%s: %v", once, err)
		}
		if twice, err := json.Marshal(&second, json.Deterministic(true)); err != nil || !bytes.Equal(once, twice) {
			t.Errorf("%s became %s, %v", once, twice, err)
		}
	})
}

// plainBodies are those that need no decoder.
var plainBodies = []string{
	goodBodies["POST /v1/reads"],
	`{"purpose":"delivery","subject":"` + ana.String() + `","fields":["given_name"]}`,
	"{ \"subject\" :\t{\"email\": \"ana@example.org\"} ,\r\n \"purpose\": \"delivery\", \"fields\": [\"email\" , \"given_name\"], \"context\": {\"step\": \"offer\", \"agreed\": true, \"late\":false}}\n",
	`{"subject":"` + ana.String() + `","purpose":"delivery","context":{}}`,
	`{"subject":{"id":" ~"},"purpose":" "}`,
}

// Bodies as clients send them need no decoder, and what is taken without one is
// what the decoder gives; anything out of the ordinary is left to it.
func TestPlainBodiesNeedNoDecoder(t *testing.T) {
	for _, body := range plainBodies {
		var got, want wire.ReadRequest
		if err := decode([]byte(body), &want); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		if !plainRead([]byte(body), &got) || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", body, got, want)
		}
	}
	who := ana.String()
	for _, body := range []string{
		``, `{`, `{}`, `[]`, `{"subject":"` + who + `"}`, `{"purpose":"delivery"}`,
		`{"subject":"` + who + `","purpose":"delivery",}`, `{,"subject":"` + who + `","purpose":"delivery"}`,
		`{"subject":"` + who + `","purpose":"delivery"}}`, `{"subject":"` + who + `","purpose":"delivery"`, `{"subject":"` + who + `" "purpose":"delivery"}`,
		`{"subject":"` + who + `","purpose":"delivery","purpose":"delivery"}`, `{"subject":"` + who + `","subject":"` + who + `","purpose":"delivery"}`,
		`{"subject":"` + who + `","purpose":"delivery","more":"x"}`, `{"subject":"` + who + `","purpose":"deliver\u0079"}`,
		`{"subject":"` + who + `","purpose":"Zustellung für"}`, `{"subject":"` + who + `","purpose":""}`, `{"subject":null,"purpose":"delivery"}`,
		`{"subject":"sub_00000000000000000000000000","purpose":"delivery"}`, `{"subject":"sub_x","purpose":"delivery"}`,
		`{"subject":{},"purpose":"delivery"}`, `{"subject":{"a":"b","c":"d"},"purpose":"delivery"}`, `{"subject":{"a":1},"purpose":"delivery"}`,
		"{\"subject\":\"{\n\"email\":\"a\"},\"purpose\":\"delivery\"}",
		`{"subject":"` + who + `","purpose":"delivery","fields":[]}`, `{"subject":"` + who + `","purpose":"delivery","fields":["a","a"]}`,
		`{"subject":"` + who + `","purpose":"delivery","fields":[""]}`, `{"subject":"` + who + `","purpose":"delivery","fields":["a",]}`,
		`{"subject":"` + who + `","purpose":"delivery","context":{"a":1}}`, `{"subject":"` + who + `","purpose":"delivery","context":{"a":"b","a":"c"}}`,
		`{"subject":"` + who + `","purpose":"delivery","context":{"a":truefalse}}`, `{"subject":"` + who + `","purpose":"delivery","context":{"a":null}}`,
	} {
		if got := (wire.ReadRequest{}); plainRead([]byte(body), &got) {
			t.Errorf("%s was taken as %+v", body, got)
		}
	}
}

// However a body is bent, what is taken without the decoder is what the decoder
// gives.
func TestBentBodiesMeanTheSame(t *testing.T) {
	taken := 0
	rapid.Check(t, func(t *rapid.T) {
		for range 100 {
			body := []byte(rapid.SampledFrom(plainBodies).Draw(t, "body"))
			for range rapid.IntRange(0, 2).Draw(t, "bends") {
				at := rapid.IntRange(0, len(body)-1).Draw(t, "at")
				to := []byte(rapid.SampledFrom([]string{"", "{", "}", "[", "]", `"`, ":", ",", " ", "\n", "\x00", `\`, "é", "\xff", "a", "null", "true", "1"}).Draw(t, "to"))
				body = slices.Concat(body[:at], to, body[at+rapid.IntRange(0, 1).Draw(t, "less"):])
			}
			var got, want wire.ReadRequest
			err := decode(body, &want)
			if !plainRead(body, &got) {
				continue
			}
			taken++
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("%q was read as %+v, but is %+v, %v", body, got, want, err)
			}
		}
	})
	if taken < 1000 {
		t.Errorf("only %d bodies were taken, so little was compared", taken)
	}
}
