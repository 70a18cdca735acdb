package vault

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// What captures and acts write by hand is what encoding/json writes of their
// shapes, by which it is read.
func TestARecordIsWrittenAsItsShape(t *testing.T) {
	word := rapid.OneOf(rapid.StringMatching(`[a-z][a-z0-9_-]{0,9}`), rapid.SampledFrom([]string{"", `"`, `\`, "<b>&amp;", "é", "\u2028", "\x00\x1f\x7f", "\xff"}))
	fields := rapid.SliceOfN(rapid.Map(word, func(s string) privacy.FieldName { return privacy.FieldName(s) }), 0, 3)
	purposes := rapid.SliceOfN(rapid.Map(word, func(s string) privacy.PurposeID { return privacy.PurposeID(s) }), 0, 3)
	moment := rapid.Map(rapid.Int64Range(0, 1<<52), func(n int64) time.Time { return time.UnixMicro(n).UTC() })
	maybe := rapid.OneOf(moment, rapid.Just(time.Time{}))
	id := rapid.Map(rapid.SliceOfN(rapid.Byte(), 16, 16), func(b []byte) privacy.ID { return privacy.ID(b) })
	digest := rapid.Custom(func(t *rapid.T) rowDigest {
		return rowDigest{Version: rapid.Uint64().Draw(t, "version"), Hash: rapid.SliceOfN(rapid.Byte(), 0, 32).Draw(t, "hash")}
	})
	terms := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) termRecord {
		return termRecord{Purpose: privacy.PurposeID(word.Draw(t, "purpose")), Ref: word.Draw(t, "ref"), Since: moment.Draw(t, "since"), Until: maybe.Draw(t, "until")}
	}), 0, 3)
	same := func(t *rapid.T, r written) {
		t.Helper()
		want, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := r.append(nil); err != nil || string(got) != string(want) {
			t.Fatalf("got  %s, %v\nwant %s", got, err, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		same(t, captureRecord{Format: 1, At: moment.Draw(t, "at"), Channel: privacy.ChannelID(word.Draw(t, "channel")), Register: rapid.Uint64Range(0, 2).Draw(t, "register"),
			Accepted: fields.Draw(t, "accepted"), Unchanged: fields.Draw(t, "unchanged"), Superseded: fields.Draw(t, "superseded"), Verified: fields.Draw(t, "verified"),
			Grounds: purposes.Draw(t, "grounds"), Terms: terms.Draw(t, "terms"), Moved: privacy.FieldName(word.Draw(t, "moved")), Over: fields.Draw(t, "over"), Standing: digest.Draw(t, "standing"),
			By: rapid.Ptr(rapid.Custom(func(t *rapid.T) privacy.Actor {
				return privacy.Actor{Role: privacy.Role(word.Draw(t, "role")), Ref: word.Draw(t, "ref")}
			}), true).Draw(t, "by")})
		r := consentRecord{Format: 1, ID: privacy.ConsentID(id.Draw(t, "id")), Subject: privacy.SubjectID(id.Draw(t, "subject")), Pseudonym: word.Draw(t, "pseudonym"),
			Purpose: privacy.PurposeID(word.Draw(t, "purpose")), Status: privacy.ConsentStatus(word.Draw(t, "status")), Effective: rapid.Bool().Draw(t, "effective"),
			At: moment.Draw(t, "at"), Recorded: moment.Draw(t, "recorded"), Register: rapid.Uint64().Draw(t, "revision"), Notice: word.Draw(t, "notice"),
			NoticeHash: rapid.SliceOfN(rapid.Byte(), 0, 32).Draw(t, "hash"), Fields: fields.Draw(t, "fields"), Until: maybe.Draw(t, "until"), Method: word.Draw(t, "method"),
			Channel: privacy.ChannelID(word.Draw(t, "channel")), Jurisdiction: word.Draw(t, "jurisdiction"), Language: word.Draw(t, "language"),
			By: privacy.Actor{Role: privacy.Role(word.Draw(t, "role")), Ref: word.Draw(t, "ref")}, Controller: word.Draw(t, "controller")}
		if rapid.Bool().Draw(t, "nulls") {
			r.Fields, r.NoticeHash = nil, nil
		}
		for _, f := range fields.Draw(t, "recipients") {
			r.Recipients = append(r.Recipients, string(f))
		}
		if rapid.Bool().Draw(t, "with evidence") {
			r.Evidence = map[string]any{word.Draw(t, "key"): word.Draw(t, "value"), "n": rapid.Float64().Draw(t, "number")}
		}
		same(t, r)
		same(t, consentEntry{r, digest.Draw(t, "after")})
	})
}
