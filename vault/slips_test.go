package vault_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// Who slips on a name is told the one that was probably meant – if the channel
// may know it. What the register has beside is for nobody to find out by asking.
func TestASlipIsToldWhatWasMeant(t *testing.T) {
	v := vaulttest.New(t, nil)
	ana := v.As("web").Capture(anahita)
	read := func(channel privacy.ChannelID, purpose privacy.PurposeID, who vaulttest.Person) error {
		return v.As(channel).For(purpose).Read(who, "given_name").Err
	}
	capture := func(channel privacy.ChannelID, values map[string]any) error {
		_, err := v.Capture(t.Context(), v.As(channel).Caller, vaulttest.CaptureRequest(t, values))
		return err
	}
	for _, c := range []struct {
		slip   string
		err    error
		meant  string // "": nothing may be told
		hidden string // what a channel must not learn of
	}{
		{"a purpose", read("web", "order-fulfilmet", ana), "did you mean order-fulfilment?", ""},
		{"a purpose of others", read("web", "sms-marketin", ana), "", "sms-marketing"},
		{"a field", capture("web", map[string]any{"emial": "ana@example.org"}), "did you mean email?", ""},
		{"a field of others", capture("store", map[string]any{"birthdat": "1987-05-04"}), "", "birthdate"},
		{"an identifier", read("web", "order-fulfilment", vaulttest.By("emial", "ana@example.org")), "did you mean email?", ""},
		{"an identifier of others", read("sms", "sms-marketing", vaulttest.By("emial", "ana@example.org")), "", "email"},
	} {
		said := refusedWith(t, c.err, codeOf(c.err))
		text := said.Detail
		for _, f := range said.Fields {
			text += "\n" + f.Detail
		}
		if c.meant != "" && !strings.Contains(text, c.meant) {
			t.Errorf("%s: got %q, want %q", c.slip, text, c.meant)
		}
		if c.hidden != "" && (strings.Contains(text, c.hidden) || strings.Contains(text, "did you mean")) {
			t.Errorf("%s: got %q, want nothing of %s", c.slip, text, c.hidden)
		}
		if strings.Contains(fmt.Sprint(said), "example.org") {
			t.Errorf("%s: a value comes back: %v", c.slip, said)
		}
	}
}

func codeOf(err error) string {
	if refused, ok := err.(*vault.Error); ok {
		return refused.Code
	}
	return "a refusal"
}
