package keys

import (
	"errors"
	"testing"
	"time"
)

// A keyring file tells without a passphrase under what it is sealed, and whether
// it was cut off; opened, how old its keys are.
func TestAKeyringIsDescribed(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	k, err := New(now)
	if err != nil {
		t.Fatal(err)
	}
	if k, err = k.WithNewKEK(now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	little := Argon2{Time: 1, Memory: 64, Threads: 1}
	file, err := k.Seal(PassphraseWith([]byte("secret"), little))
	if err != nil {
		t.Fatal(err)
	}
	d, err := Describe(file)
	if err != nil || d.Root != "passphrase" || d.Work != little || !d.Work.Weak() {
		t.Errorf("got %+v, %v, want a passphrase with little work", d, err)
	}
	if Passphrase([]byte("secret")).params().Weak() {
		t.Error("the usual work: got weak")
	}
	for _, n := range []int{0, 50, len(file) - 1, len(file) - keyRecord*7} {
		if _, err := Describe(file[:n]); !errors.Is(err, ErrFormat) {
			t.Errorf("cut to %d bytes: got %v, want ErrFormat", n, err)
		}
	}
	ages := k.Ages()
	if len(ages) != 9 || ages[1].Use != "KEK" || ages[1].Epoch != 2 || !ages[1].Since.Equal(now.Add(time.Hour)) || !ages[1].Until.IsZero() {
		t.Errorf("ages: got %+v", ages)
	}
}
