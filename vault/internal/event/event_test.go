package event_test

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/event"
	"github.com/sayso-vault/sayso/vault/privacy"
)

var moment = time.Date(2026, 3, 1, 9, 30, 0, 123000, time.UTC)

var examples = []event.Event{
	{Type: privacy.EventConsentWithdrawn, Time: moment, Purpose: "sms-marketing", Before: 3},
	{Type: privacy.EventProfileUpdated, Time: moment, Fields: []privacy.FieldName{"email", "address"}, Before: 300},
	{Type: privacy.EventProfileUpdated, Time: moment, Fields: []privacy.FieldName{"email"}, Before: 3, Had: []event.Had{{Channel: "sms", Fields: []privacy.FieldName{"email"}}, {Channel: "store"}}, Only: true},
	{Type: privacy.EventSubjectErased, Time: moment, Subject: privacy.SubjectID{1}, To: []privacy.ChannelID{"sms", "store"}},
}

// What is kept of an event is what happened.
func TestAnEventIsKeptAsItHappened(t *testing.T) {
	for _, e := range examples {
		got, err := event.Decode(e.Encode())
		if err != nil || !reflect.DeepEqual(*got, e) {
			t.Errorf("got %+v, %v, want %+v", got, err, e)
		}
		for n := range e.Encode() {
			if _, err := event.Decode(e.Encode()[:n]); err == nil {
				t.Errorf("%s: the first %d bytes were read as an event", e.Type, n)
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, e := range examples {
		f.Add(e.Encode())
	}
	f.Add(binary.AppendUvarint([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 1<<62))
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := event.Decode(b); err == nil && !bytes.Equal(e.Encode(), b) {
			t.Errorf("%x was read and written again as %x", b, e.Encode())
		}
	})
}

func ids(t *testing.T, log string) *event.IDs {
	t.Helper()
	i, err := event.NewIDs([32]byte{7}, func(ch privacy.ChannelID) (sum [32]byte) {
		copy(sum[:], log+string(ch))
		return sum
	})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// The sender's IDs lead back to its own events and to nobody else's, and a mark
// shows nothing of what lies behind it.
func TestIDsTellNobodyHowMuchTheyWereNotTold(t *testing.T) {
	i := ids(t, "a-")
	id := i.ID("sms", 41)
	if n, ok := i.Number("sms", id); !ok || n != 41 {
		t.Errorf("got %d, %v", n, ok)
	}
	if id != i.ID("sms", 41) || id == i.ID("sms", 42) || id == i.ID("store", 41) {
		t.Error("an ID is not of one event and one channel")
	}
	if _, ok := i.Number("store", id); ok {
		t.Error("the store can use the sender's ID")
	}
	if _, ok := ids(t, "b-").Number("sms", id); ok {
		t.Error("an ID of before the numbers began anew leads somewhere")
	}
	marks := map[string]bool{}
	for range 64 {
		mark := i.Mark("sms", 41)
		if n, ok := i.Number("sms", mark); !ok || n != 41 || mark == id {
			t.Fatalf("mark %s: got %d, %v", mark, n, ok)
		}
		marks[mark] = true
	}
	if len(marks) < 60 {
		t.Errorf("64 marks of one place are %d texts", len(marks))
	}
	for _, wrong := range []string{"", "evt_", id[:len(id)-1], id + "0", "sub_" + id[4:]} {
		if _, ok := i.Number("sms", wrong); ok || event.LooksLikeID(wrong) {
			t.Errorf("%q is taken for an ID", wrong)
		}
	}
}

// An event is tried for three days, at first soon and then ever later.
func TestTriesGoOnForDays(t *testing.T) {
	var all, last time.Duration
	for n := 1; n <= 9; n++ {
		d := event.Again(n)
		if d < last {
			t.Errorf("try %d comes after %v, the one before after %v", n, d, last)
		}
		last = d
		all += d
	}
	if all < 60*time.Hour || all > 90*time.Hour || event.Again(1) > 6*time.Second || event.Probe(100) > 6*time.Minute {
		t.Errorf("nine tries take %v, the first %v", all, event.Again(1))
	}
}
