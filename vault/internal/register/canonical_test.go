package register_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func TestARegisterReadsBackFromItsCanonicalForm(t *testing.T) {
	r := parse(t, northgate)
	back := parse(t, string(r.Canonical()))
	if !reflect.DeepEqual(r, back) {
		t.Errorf("got  %+v\nwant %+v", back, r)
	}
	if !bytes.Equal(r.Canonical(), back.Canonical()) {
		t.Errorf("the canonical form changes when it is read back:\n%s\n%s", r.Canonical(), back.Canonical())
	}
	respelled := strings.NewReplacer("[given_name]", "[\n    given_name,\n  ]", "P1Y", `"P1Y"`, "matrix:", "# the store sees less\nmatrix:").Replace(northgate)
	if got := parse(t, respelled).Canonical(); !bytes.Equal(got, r.Canonical()) {
		t.Errorf("another spelling of the same register: got\n%s\nwant\n%s", got, r.Canonical())
	}
}

// Clients that write JSON escape what is not ASCII, emoji in two halves.
func TestARegisterInJSONIsTheSameRegister(t *testing.T) {
	text := edit(t, "Early access to sales", `"Sales \\ud83d\\ude00 früh 😀"`)
	var tree any
	if err := yaml.Unmarshal([]byte(text), &tree); err != nil {
		t.Fatal(err)
	}
	plain, err := json.MarshalIndent(tree, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	var ascii strings.Builder
	for _, r := range string(plain) {
		switch {
		case r > 0xffff:
			fmt.Fprintf(&ascii, `\u%04x\u%04x`, 0xd800+(r-0x10000)>>10, 0xdc00+(r-0x10000)&0x3ff)
		case r > 0x7f:
			fmt.Fprintf(&ascii, `\u%04x`, r)
		default:
			ascii.WriteRune(r)
		}
	}
	want := parse(t, text).Canonical()
	if !bytes.Contains(want, []byte(`Sales \\ud83d\\ude00 früh 😀`)) {
		t.Fatalf("the text is not as given: %s", want)
	}
	for name, text := range map[string]string{"plain": string(plain), "escaped": ascii.String()} {
		if got := parse(t, text).Canonical(); !bytes.Equal(got, want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}
}

// Receipts carry this hash for years, and strangers recompute it: SHA-256 of
// {"benefit":"Early access to sales","fields":["given_name","phone_number"],
// "notice":{"text":"We text you offers.","version":"2026-03"},
// "recipients":["Texter Ltd"],"title":{"de":"Angebote per SMS","en":"Offers by
// text message"}} without the line breaks.
const smsNoticeHash = "44b731512d10ae02310566da588aa8bdd168c7e00e93b22ce7718f411d953437"

func TestTheNoticeHashIsOfWhatWasShown(t *testing.T) {
	hash := func(text string) string {
		p, _ := parse(t, text).Purpose("sms-marketing")
		h := register.NoticeHash(p)
		return hex.EncodeToString(h[:])
	}
	if got := hash(northgate); got != smsNoticeHash {
		t.Errorf("got %s, want %s", got, smsNoticeHash)
	}
	for _, shown := range [][2]string{
		{"Angebote per SMS", "Angebote"},
		{"Early access", "Access"},
		{"fields: [given_name, phone_number]", "fields: [given_name, phone_number, email]"},
		{"recipients: [Texter Ltd]", "recipients: [Texter Ltd, Other Ltd]"},
		{"We text you", "We send you"},
		{`"2026-03"`, `"2026-04"`},
	} {
		if hash(edit(t, shown[0], shown[1])) == smsNoticeHash {
			t.Errorf("%s → %s is shown, and the hash stays", shown[0], shown[1])
		}
	}
	if hash(edit(t, "kind: sms", "kind: text", "P10Y", "P9Y")) != smsNoticeHash {
		t.Error("what is not shown changes the hash")
	}
}

// leaves changes one value of a register after the other, each in a fresh one.
func leaves(t *testing.T, story func(path string, changed *register.Register)) {
	t.Helper()
	for n := 0; ; n++ {
		r, left, where := parse(t, northgate), n, ""
		var walk func(path string, v reflect.Value)
		change := func(path string, f func()) {
			if left == 0 {
				f()
				where = path
			}
			left--
		}
		walk = func(path string, v reflect.Value) {
			switch v.Kind() {
			case reflect.String:
				change(path, func() { v.SetString(v.String() + "x") })
			case reflect.Int, reflect.Int64:
				change(path, func() { v.SetInt(v.Int() + 1e9) })
			case reflect.Bool:
				change(path, func() { v.SetBool(!v.Bool()) })
			case reflect.Map:
				change(path, func() { v.Set(reflect.ValueOf(privacy.Text{"fr": "autre"})) })
			case reflect.Pointer:
				if v.IsNil() {
					change(path, func() {
						v.Set(reflect.New(v.Type().Elem()))
						switch at := v.Interface().(type) {
						case *register.ConsentTerms:
							at.Explicit = true
						case *register.Contact:
							at.Exempt = true
						}
					})
				} else {
					walk(path, v.Elem())
				}
			case reflect.Slice:
				change(path+"+", func() {
					more := reflect.New(v.Type().Elem()).Elem()
					if more.Kind() == reflect.String {
						more.SetString("more")
					}
					v.Set(reflect.Append(v, more))
				})
				if v.Len() > 1 {
					change(path+"~", func() { reflect.Swapper(v.Interface())(0, 1) })
				}
				for i := range v.Len() {
					walk(fmt.Sprintf("%s[%d]", path, i), v.Index(i))
				}
			case reflect.Struct:
				for i := range v.NumField() {
					if f := v.Type().Field(i); f.IsExported() && f.Name != "Revision" {
						walk(path+"."+f.Name, v.Field(i))
					}
				}
			default:
				t.Fatalf("%s is of kind %s, which this test does not know", path, v.Kind())
			}
		}
		walk("", reflect.ValueOf(r).Elem())
		if where == "" {
			if n < 100 {
				t.Fatalf("only %d values were changed", n)
			}
			return
		}
		story(where, r)
	}
}

// A change that does not show could be applied without anybody knowing.
func TestNoChangeOfARegisterGoesUnseen(t *testing.T) {
	was := parse(t, northgate)
	leaves(t, func(path string, changed *register.Register) {
		if bytes.Equal(changed.Canonical(), was.Canonical()) {
			t.Errorf("%s changed, and Canonical does not", path)
		}
		if len(register.Diff(was, changed)) == 0 {
			t.Errorf("%s changed, and Diff is empty", path)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(northgate))
	f.Add(parseSeed(northgate))
	f.Add([]byte("controller: {name: &a N}\nfields: *a\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, _, err := register.Parse("register.yaml", text)
		if err != nil {
			return
		}
		back, _, err := register.Parse("register.json", r.Canonical())
		if err != nil {
			t.Fatalf("the canonical form of a register is refused: %v\n%s", err, r.Canonical())
		}
		if !bytes.Equal(back.Canonical(), r.Canonical()) || len(register.Diff(r, back)) > 0 {
			t.Fatalf("got\n%s\nwant\n%s", back.Canonical(), r.Canonical())
		}
	})
}

func parseSeed(text string) []byte {
	r, _, _ := register.Parse("seed", []byte(text))
	return r.Canonical()
}
