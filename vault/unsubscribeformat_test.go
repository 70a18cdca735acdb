package vault

import (
	"bytes"
	"testing"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// What is read as a token is written as the same bytes, and has one length.
func FuzzUnsubscribe(f *testing.F) {
	whole := unsubscribe{subject: privacy.SubjectID{1, 2, 3}, channel: "mail", purpose: "news"}.pack()
	f.Add(whole)
	f.Add(append(bytes.Clone(whole), 0))
	f.Add(bytes.Repeat([]byte{0xff}, unsubscribeLen))
	f.Fuzz(func(t *testing.T, b []byte) {
		u, err := parseUnsubscribe(b)
		if err != nil {
			return
		}
		if got := u.pack(); !bytes.Equal(got, b) || len(got) != unsubscribeLen {
			t.Errorf("%x is read as %+v and written as %x", b, u, got)
		}
	})
}
