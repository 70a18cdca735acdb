package vault

import (
	"encoding/binary"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// oneRow is a bucket with one row.
type oneRow struct {
	store.Reader
	row []byte
}

func (r oneRow) Get(store.Bucket, []byte) ([]byte, error) { return r.row, nil }

func anyID(t *rapid.T, name string) (id privacy.ID) {
	copy(id[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, name))
	return id
}

// A session and what an erasure leaves are read as they were written; so is whom a
// request tells.
func TestRecordsOfPeoplesActsAreReadAsTheyWereWritten(t *testing.T) {
	moment := rapid.Map(rapid.Int64Range(1, 1<<52), func(n int64) time.Time { return time.UnixMicro(n).UTC() })
	word := rapid.StringMatching(`[a-z"\\<é]{0,9}`)
	actor := rapid.Ptr(rapid.Custom(func(t *rapid.T) privacy.Actor {
		return privacy.Actor{Role: privacy.ByGuardian, Ref: word.Draw(t, "ref")}
	}), true)
	rapid.Check(t, func(t *rapid.T) {
		s := ownSession{Format: sessionFormat, ID: privacy.SessionID(anyID(t, "session")), Code: rapid.Bool().Draw(t, "code"), Subject: privacy.SubjectID(anyID(t, "subject")),
			Channel: privacy.ChannelID(word.Draw(t, "channel")), Secret: word.Draw(t, "secret"), Assurance: AssuranceChannel, How: word.Draw(t, "how"),
			For: actor.Draw(t, "for"), Opened: moment.Draw(t, "opened"), Expires: moment.Draw(t, "expires")}
		if rapid.Bool().Draw(t, "of nobody") {
			s.Subject, s.Ref = privacy.Nobody, &sessionRef{Field: privacy.FieldName(word.Draw(t, "field")), Value: []byte(word.Draw(t, "value") + "x")}
		}
		same(t, s, new(ownSession))
		note := neverNote{Format: 1, Day: rapid.Uint32().Draw(t, "day")}
		for range rapid.IntRange(0, 3).Draw(t, "names") {
			name := anyID(t, "name")
			note.Names = append(note.Names, name[:])
		}
		same(t, note, new(neverNote))
		same(t, told{Channel: privacy.ChannelID(word.Draw(t, "told")), Type: privacy.EventSubjectErased, Event: rapid.Uint64().Draw(t, "event"),
			At: moment.Draw(t, "at"), Acked: moment.Draw(t, "acked"), Later: moment.Draw(t, "later")}, new(told))
	})
}

func same[T any](t *rapid.T, want T, got *T) {
	t.Helper()
	b, err := json.Marshal(want)
	if err == nil {
		err = json.Unmarshal(b, got)
	}
	if err != nil || !reflect.DeepEqual(*got, want) {
		t.Fatalf("%s was read as %+v, %v, want %+v", b, *got, err, want)
	}
}

// A row of whom never to contact has a format and a day, and nothing else is read as one.
func FuzzNeverRow(f *testing.F) {
	f.Add(binary.BigEndian.AppendUint32([]byte{neverFormat}, 20_000))
	f.Add([]byte{})
	f.Add([]byte{2, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, row []byte) {
		day, is, err := neverAsked(oneRow{row: row}, []byte("name"))
		switch {
		case row == nil:
			if is || err != nil {
				t.Errorf("no row: %v, %v", is, err)
			}
		case err == nil:
			if again := binary.BigEndian.AppendUint32([]byte{neverFormat}, day); !is || string(again) != string(row) {
				t.Errorf("%x was read, and is written as %x", row, again)
			}
		}
	})
}
