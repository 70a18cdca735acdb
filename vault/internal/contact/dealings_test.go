package contact_test

import (
	"bytes"
	"errors"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/contact"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// Of all who would ask her for her address one asks, for as long as the lease
// lasts; who asks may go on.
func TestOneAsks(t *testing.T) {
	var d contact.Dealings
	address := []privacy.FieldName{"address"}
	lease := func(ch privacy.ChannelID, fields []privacy.FieldName, after time.Duration) (bool, bool) {
		return d.Lease(ch, fields, noon.Add(after), noon.Add(after+2*time.Minute))
	}
	if fresh, ok := lease("web", address, 0); !fresh || !ok {
		t.Errorf("the first: got %v, %v, want a new lease", fresh, ok)
	}
	if _, ok := lease("store", []privacy.FieldName{"birthdate", "address"}, time.Minute); ok {
		t.Error("another asks for the same")
	}
	if got := d.Asked("birthdate", noon); got != "" {
		t.Errorf("half a lease was taken, by %s", got)
	}
	if fresh, ok := lease("web", address, time.Minute); fresh || !ok {
		t.Errorf("the holder: got %v, %v, want the lease it has", fresh, ok)
	}
	if _, ok := lease("store", address, 3*time.Minute-time.Microsecond); ok {
		t.Error("it was prolonged, and another has it a microsecond before it ends")
	}
	if fresh, ok := lease("store", address, 3*time.Minute); !fresh || !ok {
		t.Errorf("after its end: got %v, %v, want a new lease", fresh, ok)
	}
	if fresh, ok := lease("store", append(address, "birthdate"), 4*time.Minute); !fresh || !ok {
		t.Errorf("one more field: got %v, %v, want a new lease", fresh, ok)
	}
	if !d.Answered(address) || d.Asked("address", noon.Add(4*time.Minute)) != "" {
		t.Error("she answered, and somebody still asks")
	}
	if d.Asked("birthdate", noon.Add(4*time.Minute)) != "store" {
		t.Error("nobody asks for what she did not answer")
	}
}

// She would not tell her birthday for a treat, so nobody asks for half a year.
func TestARefusalIsRemembered(t *testing.T) {
	var d contact.Dealings
	again := privacy.Period{Days: 180}
	d.Lease("web", []privacy.FieldName{"birthdate"}, noon, noon.Add(time.Minute))
	d.Refuse("treat", []privacy.FieldName{"birthdate"}, noon)
	if d.Asked("birthdate", noon) != "" {
		t.Error("she said no, and somebody still asks")
	}
	for _, c := range []struct {
		purpose privacy.PurposeID
		after   time.Duration
		want    bool
	}{{"treat", 0, true}, {"treat", 180*day - 1, true}, {"treat", 180 * day, false}, {"insurance", 0, false}} {
		if got := d.Refused(c.purpose, "birthdate", again, noon.Add(c.after)); got != c.want {
			t.Errorf("%s after %v: got refused %v, want %v", c.purpose, c.after, got, c.want)
		}
	}
	if !d.Answered([]privacy.FieldName{"birthdate"}) || d.Refused("treat", "birthdate", again, noon) {
		t.Error("she told it after all, and it counts as refused")
	}
}

func whole() *contact.Dealings {
	d := &contact.Dealings{Version: 7, Due: noon.Add(time.Hour)}
	d.Add(contact.Touch{Kind: contact.Offer, Topic: "tv", Medium: "sms", Purpose: "offers", Ref: "o-1", Channel: "sms", At: noon.Add(time.Microsecond), Recorded: noon.Add(time.Hour), Expires: noon.Add(day)}, false)
	d.Add(contact.Touch{Kind: contact.Order, Topic: "tv", Channel: "web", At: noon}, true)
	d.Lease("web", []privacy.FieldName{"address"}, noon, noon.Add(time.Minute))
	d.Refuse("treat", []privacy.FieldName{"birthdate"}, noon)
	return d
}

// On disk for years: the vector pins it.
func TestDealingsStandOnDiskAsTheyAlwaysDid(t *testing.T) {
	want, err := os.ReadFile("testdata/dealings.v1")
	if err != nil {
		t.Fatal(err)
	}
	if got := whole().Encode(); !bytes.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if back, err := contact.Decode(want); err != nil || !reflect.DeepEqual(back, whole()) {
		t.Errorf("read back: got %+v, %v, want %+v", back, err, whole())
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(whole().Encode())
	f.Add((&contact.Dealings{}).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := contact.Decode(b)
		if err != nil {
			if !errors.Is(err, contact.ErrFormat) {
				t.Fatalf("got %v, want ErrFormat", err)
			}
			return
		}
		if again := d.Encode(); !bytes.Equal(again, b) {
			t.Fatalf("got %q, want the same bytes %q", again, b)
		}
	})
}
