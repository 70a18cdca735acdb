package api

import (
	"bytes"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/sayso-vault/sayso/api/wire"
)

// Whatever is accepted means the same when it is sent again, and nothing that
// is sent brings the server down.
func FuzzDecode(f *testing.F) {
	for _, body := range goodBodies {
		f.Add([]byte(body))
	}
	f.Add([]byte(`{"subject":{"email":"a"},"purpose":"p","fields":["a"],"context":{"a":[1,null]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var first, second wire.ReadRequest
		if decode(body, &first) != nil {
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
