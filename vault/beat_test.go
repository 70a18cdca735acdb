package vault_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// However long the steps took, a quiet answer leaves on the next beat.
func TestAQuietAnswerLeavesOnABeat(t *testing.T) {
	for took, want := range map[time.Duration]time.Duration{
		100 * time.Microsecond: time.Millisecond, 999 * time.Microsecond: time.Millisecond,
		1200 * time.Microsecond: 2 * time.Millisecond, 7900 * time.Microsecond: 8 * time.Millisecond,
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			time.Sleep(took)
			vault.OnTheBeat(began)
			if got := time.Since(began); got != want {
				t.Errorf("after %v of work: left after %v, want %v", took, got, want)
			}
		})
	}
}

// Denials of silent purposes are quiet, whoever they are about; what releases
// something, or may say who is unknown, is not kept waiting.
func TestWhatIsQuiet(t *testing.T) {
	v := vaulttest.New(t, nil)
	ana := v.As("web").Capture(anahita)
	yes := v.As("web").Capture(told("given_name", "Ben", "phone_number", "+49 30 7654321"))
	v.As("store").For("sms-marketing").Consent(yes, privacy.StatusGiven)
	nobody := vaulttest.ID(privacy.NewSubjectID())
	for _, c := range []struct {
		story   string
		channel privacy.ChannelID
		purpose privacy.PurposeID
		who     vaulttest.Person
		want    bool
	}{
		{"never asked", "sms", "sms-marketing", ana, true},
		{"unknown by ID", "sms", "sms-marketing", nobody, true},
		{"unknown by number", "sms", "sms-marketing", vaulttest.By("phone_number", "+49 30 1112223"), true},
		{"consented", "sms", "sms-marketing", yes, false},
		{"a contract", "web", "order-fulfilment", ana, false},
		{"unknown for a contract", "web", "order-fulfilment", nobody, false},
	} {
		quiet, err := v.Quiet(t.Context(), v.As(c.channel).Caller, vault.ReadRequest{Subject: c.who, Purpose: c.purpose})
		if err != nil || quiet != c.want {
			t.Errorf("%s: quiet %v, %v, want %v", c.story, quiet, err, c.want)
		}
	}
}
