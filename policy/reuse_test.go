package policy

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// conditions are what rules are made of: some for each path of the input that
// officers can look at.
var conditions = map[string][]string{
	"channel.id":                 {`input.channel.id == "web"`, `startswith(input.channel.id, "s")`},
	"channel.kind":               {`input.channel.kind == "sms"`, `input.channel.kind in {"web", "store"}`},
	"purpose.id":                 {`input.purpose.id == "order-fulfilment"`, `endswith(input.purpose.id, "marketing")`},
	"purpose.dpv":                {`input.purpose.dpv == "dpv:DirectMarketing"`},
	"purpose.basis":              {`input.purpose.basis == "consent"`, `input.purpose.basis in {"contract", "opt_out"}`},
	"subject.jurisdiction":       {`input.subject.jurisdiction == "DE"`, `input.subject.jurisdiction != "unknown"`},
	"subject.age_band":           {`input.subject.age_band == "16_17"`, `input.subject.age_band in {"16_17", "18_24"}`},
	"subject.standing":           {`input.subject.standing == "active"`},
	"consents":                   {`input.consents["sms-marketing"] == "given"`, `input.consents[input.purpose.id] == "given"`, `count([p | some p, s in input.consents; s == "given"]) > 1`},
	"objected":                   {`input.objected["tax"]`, `input.objected[input.purpose.id]`, `count([p | some p, o in input.objected; o]) > 0`},
	"fields":                     {`"email" in input.fields`, `count(input.fields) > 1`},
	"context":                    {`input.context.step == "offer"`, `input.context.step != "support"`},
	"touches.contacts.day":       {`input.touches.contacts.day > 1`},
	"touches.contacts.week":      {`input.touches.contacts.week > 2`},
	"touches.contacts.month":     {`input.touches.contacts.month == 3`},
	"touches.by_purpose.*.day":   {`input.touches.by_purpose["tax"].day > 1`},
	"touches.by_purpose.*.week":  {`input.touches.by_purpose[input.purpose.id].week > 2`},
	"touches.by_purpose.*.month": {`input.touches.by_purpose["tax"].month == 3`},
	"touches.ordered":            {`"tv" in input.touches.ordered`},
	"touches.answered":           {`"survey" in input.touches.answered`},
	"touches.offered":            {`count(input.touches.offered) > 1`},
	"touches.events":             {`"fault" in input.touches.events`, `count([e | some e in input.touches.events; startswith(e, "f")]) > 0`},
	"now":                        {`endswith(input.now, "0Z")`, `time.clock(time.parse_rfc3339_ns(input.now))[0] < 6`},
}

// madeUp makes up a rule set, and says what it looks at.
func madeUp(r *rand.Rand, paths []string) (text string, looked []string) {
	pick := func(list []string) string { return list[r.IntN(len(list))] }
	condition := func() string {
		path := pick(paths)
		looked = append(looked, path)
		c := pick(conditions[path])
		if r.IntN(3) == 0 {
			c = "not " + c
		}
		return c
	}
	var b strings.Builder
	for n := range 1 + r.IntN(3) {
		body := condition()
		for range r.IntN(3) {
			body += "\n\t" + condition()
		}
		if r.IntN(3) == 0 { // by a rule of their own
			fmt.Fprintf(&b, "helps_%d if {\n\t%s\n}\n", n, body)
			body = fmt.Sprintf("helps_%d", n)
		}
		field := pick([]string{"given_name", "email"})
		if field == "email" && r.IntN(2) == 0 {
			fmt.Fprintf(&b, "mask contains {\"field\": %q, \"mask\": \"partial\"} if {\n\t%s\n}\n", field, body)
		} else {
			fmt.Fprintf(&b, "withhold contains {\"field\": %q, \"reason\": \"because %d\"} if {\n\t%s\n}\n", field, n, body)
		}
	}
	return b.String(), looked
}

// A decision that is reused is the one that would be made: 10,000 times, over
// generated rules and inputs, both ways give the same. Every path of the input
// is looked at by some rules and left alone by others, and every part of an
// input differs between some: one that is added to Input and not varied here
// fails the test.
func TestAReusedDecisionIsTheFreshOne(t *testing.T) {
	r := rand.New(rand.NewPCG(20, 26))
	paths := slices.Sorted(maps.Keys(conditions))
	revisions := []*Revision{compile(t, "")}
	looking := map[string]int{}
	for _, path := range paths { // alone, and among others
		for _, c := range conditions[path] {
			revisions = append(revisions, compile(t, fmt.Sprintf("withhold contains {\"field\": \"email\", \"reason\": \"because\"} if {\n\t%s\n}\n", c)))
			looking[path]++
		}
	}
	for range 40 {
		text, looked := madeUp(r, paths)
		revisions = append(revisions, compile(t, text))
		for _, path := range looked {
			if !revisions[len(revisions)-1].LooksAt(strings.Replace(path, "*", "tax", 1)) { // of all purposes these look at one
				t.Fatalf("these rules are not known to look at %s:\n%s", path, text)
			}
			looking[path]++
		}
	}
	for _, path := range leaves("", reflect.TypeFor[Input]()) {
		part, _, _ := strings.Cut(path, ".")
		if part != "guard" && looking[path] < 2 {
			t.Errorf("hardly any rules look at %s", path)
		}
	}

	seen, cases, reused := map[string]map[string]bool{}, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		for range 100 {
			in := drawVaried(t)
			saw(seen, "", reflect.ValueOf(*in))
			cases++
			r := revisions[rapid.IntRange(0, len(revisions)-1).Draw(t, "rules")]
			if _, ok := r.Seen(in); ok {
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
	for _, path := range leaves("", reflect.TypeFor[Input]()) {
		if len(seen[path]) < 2 {
			t.Errorf("the generator never varied %s", path)
		}
	}
	if cases < 10_000 || reused < 1000 {
		t.Errorf("%d cases were compared, %d of them reused", cases, reused)
	}
}

// leaves are the paths of the input, as rules name them.
func leaves(path string, of reflect.Type) (all []string) {
	switch of.Kind() {
	case reflect.Struct:
		for f := range of.Fields() {
			all = append(all, leaves(strings.TrimPrefix(path+"."+f.Tag.Get("json"), "."), f.Type)...)
		}
		return all
	case reflect.Map:
		if of.Elem().Kind() == reflect.Struct {
			return leaves(path+".*", of.Elem())
		}
	}
	return []string{path}
}

// saw notes the value of each of them.
func saw(seen map[string]map[string]bool, path string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for f, value := range v.Fields() {
			saw(seen, strings.TrimPrefix(path+"."+f.Tag.Get("json"), "."), value)
		}
		return
	case reflect.Map:
		if v.Type().Elem().Kind() == reflect.Struct {
			for _, value := range v.Seq2() {
				saw(seen, path+".*", value)
			}
			return
		}
	}
	if seen[path] == nil {
		seen[path] = map[string]bool{}
	}
	seen[path][fmt.Sprint(v)] = true
}

// drawVaried draws an input that differs from an ordinary one in few paths, so
// that equal ones and nearly equal ones come up often.
func drawVaried(t *rapid.T) *Input {
	in := reads("given_name", "email")
	in.Context = map[string]any{"step": "support"}
	facts := func(change func(*Facts)) func() {
		return func() {
			f := in.Guard.Fields["email"]
			change(&f)
			in.Guard.Fields["email"] = f
		}
	}
	vary := []func(){
		func() { in.Channel = Channel{ID: "sms", Kind: "sms"} },
		func() { in.Channel.Kind = "sms" },
		func() { in.Purpose = Purpose{ID: "sms-marketing", DPV: "dpv:DirectMarketing", Basis: privacy.Consent} },
		func() { in.Purpose.Basis = privacy.OptOut },
		func() { in.Purpose.DPV = "dpv:DirectMarketing" },
		func() { in.Subject.Jurisdiction = "unknown" },
		func() { in.Subject.AgeBand = "16_17" },
		func() { in.Subject.Standing = StandingRestricted },
		func() { in.Consents["sms-marketing"] = privacy.StatusGiven },
		func() { in.Consents["tax"] = privacy.StatusGiven },
		func() { in.Consents["order-fulfilment"] = privacy.StatusGiven },
		func() { in.Objected["sms-marketing"] = true },
		func() { in.Objected["tax"] = true },
		func() { in.Objected["order-fulfilment"] = true },
		func() { in.Fields = in.Fields[:1] },
		func() { in.Fields = []privacy.FieldName{"email", "given_name"} },
		func() { in.Context["step"] = "offer" },
		func() { in.Now = "2026-03-01T12:00:05Z" },
		func() { in.Now = "2026-03-01T03:00:00Z" },
		func() { in.Guard.Granted = false },
		func() { in.Touches.Contacts.Day = 2 },
		func() { in.Touches.Contacts.Week = 3 },
		func() { in.Touches.Contacts.Month = 3 },
		func() { in.Touches.ByPurpose["tax"] = Counts{Day: 2} },
		func() { in.Touches.ByPurpose[in.Purpose.ID] = Counts{Week: 3} },
		func() { in.Touches.ByPurpose["tax"] = Counts{Month: 3} },
		func() { in.Touches.Ordered = []string{"tv"} },
		func() { in.Touches.Answered = []string{"survey"} },
		func() { in.Touches.Offered = []string{"tv", "phone"} },
		func() { in.Touches.Events = []string{"fault"} },
		func() { in.Guard.Ground = false },
		func() { in.Guard.OptOut = true },
		facts(func(f *Facts) { f.Declared = false }),
		facts(func(f *Facts) { f.InPurpose = false }),
		facts(func(f *Facts) { f.Covered = true }),
		facts(func(f *Facts) { f.Special = true }),
		facts(func(f *Facts) { f.Explicit = true }),
		facts(func(f *Facts) { f.Stale = true }),
		facts(func(f *Facts) { f.Inferred = true }),
		facts(func(f *Facts) { f.Contested = true }),
		facts(func(f *Facts) { f.As = "withhold" }),
		facts(func(f *Facts) { f.As = "partial" }),
	}
	for range rapid.IntRange(0, 3).Draw(t, "differences") {
		vary[rapid.IntRange(0, len(vary)-1).Draw(t, "path")]()
	}
	return in
}
