package page

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"
)

// Flash is what the page after a redirect says of what was done: a message of the
// family, with its {names} and what they stand for. It lies in a cookie of its own,
// so it never holds a secret or a person's value.
type Flash struct {
	// Key is of the message, "flash.KEY".
	Key   string   `json:"k"`
	Pairs []string `json:"p,omitempty"`
	// At says what on the page it is about. Default: the page.
	At string `json:"a,omitempty"`
}

// flashCookie is kept so long at most; who comes later has seen what was done.
const (
	flashCookie = "flash"
	flashAge    = time.Minute
)

// PutFlash leaves words for the page that comes next.
func (s *Site) PutFlash(w http.ResponseWriter, jar Jar, f Flash) {
	text, err := json.Marshal(f)
	if err != nil {
		return // texts always marshal
	}
	jar.Put(w, flashCookie, base64.RawURLEncoding.EncodeToString(text), flashAge)
}

// TakeFlash is the text that was left and what it is about. It is shown once; "" if
// there is none, or one that was made up.
func (s *Site) TakeFlash(w http.ResponseWriter, r *http.Request, jar Jar) (text, at string) {
	sent := jar.Value(r, flashCookie)
	if sent == "" {
		return "", ""
	}
	jar.Forget(w, flashCookie)
	raw, err := base64.RawURLEncoding.DecodeString(sent)
	var f Flash
	if err != nil || json.Unmarshal(raw, &f) != nil {
		return "", ""
	}
	var pairs []any
	for _, p := range f.Pairs {
		pairs = append(pairs, p)
	}
	if text, err = s.Say(w, r, "flash."+f.Key, pairs...); err != nil {
		return "", ""
	}
	return text, f.At
}
