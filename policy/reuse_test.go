package policy

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// lookAt is a rule for each path of the input that officers can look at.
var lookAt = map[string]string{
	"channel.id":           `input.channel.id == "web"`,
	"channel.kind":         `input.channel.kind == "sms"`,
	"purpose.id":           `input.purpose.id == "order-fulfilment"`,
	"purpose.dpv":          `input.purpose.dpv == "dpv:DirectMarketing"`,
	"purpose.basis":        `input.purpose.basis == "consent"`,
	"subject.jurisdiction": `input.subject.jurisdiction == "DE"`,
	"subject.age_band":     `input.subject.age_band == "16_17"`,
	"subject.standing":     `input.subject.standing == "active"`,
	"consents":             `input.consents["sms-marketing"] == "given"`,
	"objected":             `input.objected["sms-marketing"]`,
	"fields":               `"email" in input.fields`,
	"context":              `input.context.step == "offer"`,
	"now":                  `endswith(input.now, "0Z")`,
}

// A decision that is reused is the one that would be made: over rules that look
// at every path, and inputs that differ in each, both ways give the same.
func TestAReusedDecisionIsTheFreshOne(t *testing.T) {
	var revisions []*Revision
	for _, path := range slices.Sorted(maps.Keys(lookAt)) {
		r := compile(t, fmt.Sprintf("withhold contains {\"field\": \"given_name\", \"reason\": \"because\"} if {\n\t%s\n}\nmask contains {\"field\": \"email\", \"mask\": \"partial\"} if {\n\tnot %s\n}\n", lookAt[path], lookAt[path]))
		if !r.LooksAt(path) {
			t.Fatalf("the rule over %s is not known to look at it", path)
		}
		revisions = append(revisions, r)
	}
	revisions = append(revisions, compile(t, ""))
	differ := map[string]map[string]bool{}
	saw := func(path string, value any) {
		if differ[path] == nil {
			differ[path] = map[string]bool{}
		}
		differ[path][fmt.Sprint(value)] = true
	}
	reused := 0
	rapid.Check(t, func(t *rapid.T) {
		for range 100 {
			in := drawVaried(t)
			saw("channel", in.Channel)
			saw("purpose", in.Purpose)
			saw("subject", in.Subject)
			saw("consents", in.Consents)
			saw("objected", in.Objected)
			saw("fields", in.Fields)
			saw("context", in.Context)
			saw("now", in.Now)
			saw("guard", in.Guard)
			r := revisions[rapid.IntRange(0, len(revisions)-1).Draw(t, "rules")]
			if _, ok, _ := r.Seen(in); ok {
				reused++
			}
			got, err := r.Decide(t.Context(), in)
			want, wantErr := r.decide(t.Context(), in)
			if (err == nil) != (wantErr == nil) || !reflect.DeepEqual(got, want) {
				t.Fatalf("for %+v\ngot  %+v, %v\nwant %+v, %v", in, got, err, want, wantErr)
			}
			if len(got.Outcomes) > 0 {
				got.Outcomes[0] = Outcome{} // a caller's change stays the caller's
			}
		}
	})
	for path, values := range differ {
		if len(values) < 2 {
			t.Errorf("the generator never varied %s", path)
		}
	}
	if reused < 1000 {
		t.Errorf("only %d decisions were reused, so little was compared", reused)
	}
}

// drawVaried draws an input that differs from an ordinary one in few paths, so
// that equal ones and nearly equal ones come up often.
func drawVaried(t *rapid.T) *Input {
	in := reads("given_name", "email")
	in.Context = map[string]any{"step": "support"}
	facts := func(change func(*Facts)) {
		f := in.Guard.Fields["email"]
		change(&f)
		in.Guard.Fields["email"] = f
	}
	vary := []func(){
		func() { in.Channel = Channel{ID: "sms", Kind: "sms"} },
		func() { in.Channel.Kind = "sms" },
		func() { in.Purpose = Purpose{ID: "sms-marketing", DPV: "dpv:DirectMarketing", Basis: privacy.Consent} },
		func() { in.Purpose.Basis = privacy.OptOut },
		func() { in.Subject.Jurisdiction = "unknown" },
		func() { in.Subject.AgeBand = "16_17" },
		func() { in.Subject.Standing = StandingRestricted },
		func() { in.Consents["sms-marketing"] = privacy.StatusGiven },
		func() { in.Objected["sms-marketing"] = true },
		func() { in.Fields = in.Fields[:1] },
		func() { in.Context["step"] = "offer" },
		func() { in.Now = "2026-03-01T12:00:05Z" },
		func() { in.Guard.Ground = false },
		func() { in.Guard.OptOut = true },
		func() { facts(func(f *Facts) { f.Covered = true }) },
		func() { facts(func(f *Facts) { f.InPurpose = false }) },
		func() { facts(func(f *Facts) { f.Stale = true }) },
		func() { facts(func(f *Facts) { f.As = "withhold" }) },
	}
	for range rapid.IntRange(0, 2).Draw(t, "differences") {
		vary[rapid.IntRange(0, len(vary)-1).Draw(t, "path")]()
	}
	return in
}
