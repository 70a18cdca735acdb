package vault

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// What is written by hand is what encoding/json writes of the shape, so that
// whoever reads records by the shape reads what was meant.
func TestAnAccessRecordIsWrittenAsItsShape(t *testing.T) {
	word := rapid.OneOf(rapid.StringMatching(`[a-z][a-z0-9_-]{0,9}`), rapid.SampledFrom([]string{"", `"`, `\`, "<b>&amp;", "é", "\u2028", "\x00\x1f\x7f", "\xff"}))
	field := rapid.Custom(func(t *rapid.T) privacy.FieldName { return privacy.FieldName(word.Draw(t, "field")) })
	purposes := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) privacy.PurposeID { return privacy.PurposeID(word.Draw(t, "purpose")) }), 0, 3)
	rapid.Check(t, func(t *rapid.T) {
		r := accessRecord{
			Format: 1, At: time.UnixMicro(rapid.Int64Range(0, 1<<52).Draw(t, "at")).UTC(),
			Decision: privacy.DecisionID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "decision")),
			Channel:  privacy.ChannelID(word.Draw(t, "channel")), Officer: word.Draw(t, "officer"), Granted: purposes.Draw(t, "granted"),
			Purpose: privacy.PurposeID(word.Draw(t, "purpose")), Reason: word.Draw(t, "reason"), Policy: word.Draw(t, "policy"),
			Register: rapid.Uint64().Draw(t, "register"), Standing: rapid.Uint64Range(0, 3).Draw(t, "standing"),
			Asked: rapid.SliceOfN(field, 0, 4).Draw(t, "asked"), Peek: rapid.Bool().Draw(t, "peek"), Refused: word.Draw(t, "refused"),
		}
		if rapid.Bool().Draw(t, "with context") {
			r.Context = map[string]any{word.Draw(t, "key"): word.Draw(t, "value"), "n": rapid.Float64().Draw(t, "number"), "b": true}
		}
		res := &ReadResult{}
		shape := r
		for range rapid.IntRange(0, 20).Draw(t, "outcomes") {
			switch name := field.Draw(t, "of"); rapid.IntRange(0, 3).Draw(t, "kind") {
			case 0:
				res.Fields = append(res.Fields, FieldValue{Field: name})
				shape.Released = append(shape.Released, name)
			case 1:
				mask := privacy.Mask(word.Draw(t, "mask"))
				res.Masked = append(res.Masked, MaskedValue{Field: name, Mask: mask})
				if shape.Masked == nil {
					shape.Masked = map[privacy.FieldName]privacy.Mask{}
				}
				shape.Masked[name] = mask
			case 2:
				code := privacy.Code(word.Draw(t, "code"))
				res.Withheld = append(res.Withheld, Withheld{Field: name, Code: code, Detail: "not in the record"})
				if shape.Withheld == nil {
					shape.Withheld = map[privacy.FieldName]privacy.Code{}
				}
				shape.Withheld[name] = code
			default:
				res.Missing = append(res.Missing, Missing{Field: name, Why: WhyAbsent})
				shape.Missing = append(shape.Missing, name)
			}
		}
		want, err := json.Marshal(shape)
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.append(nil, res)
		if err != nil || string(got) != string(want) {
			t.Fatalf("got  %s, %v\nwant %s", got, err, want)
		}
	})
}
