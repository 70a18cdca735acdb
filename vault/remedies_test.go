package vault_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// scene is what is in force, written so that it can be changed as a remedy says.
type scene struct {
	fields map[privacy.PurposeID][]privacy.FieldName
	cells  []vault.Move // purpose, channel, field; the mask is in Detail
	rules  []string     // one a line, from line 3 on; "" was taken away
}

var sceneFields = []privacy.FieldName{"given_name", "email", "phone_number", "birthdate", "diet"}

// scenePurposes in the order of the register, with what it says of them.
var scenePurposes = []struct {
	id   privacy.PurposeID
	text string
}{
	{"order", "basis: contract"},
	{"tax", "basis: legal_obligation"},
	{"fraud", "basis: legitimate_interests"},
	{"ads", `basis: opt_out, jurisdictions: [US], consent: {notice: {version: "1", text: x}}`},
	{"marketing", `basis: consent, recipients: [Texter Ltd], consent: {notice: {version: "1", text: x, purposes: [sms]}}`},
	{"sms", `basis: consent, recipients: [Texter Ltd], broader: marketing, consent: {valid_for: P1Y, notice: {version: "1", text: x}}`},
	{"tasting", `basis: consent, consent: {explicit: true, notice: {version: "1", text: x}}`},
}

func (s *scene) register() string {
	var b strings.Builder
	b.WriteString(`controller: {name: Northgate, contact: privacy@northgate.example, country: DE}
fields:
  - {name: given_name, type: string, category: "pd:GivenName"}
  - {name: email, type: email, identifier: unique, category: "pd:EmailAddress", max_age: P1Y}
  - {name: phone_number, type: phone, category: "pd:TelephoneNumber", max_age: P2Y}
  - {name: birthdate, type: date, category: "pd:BirthDate"}
  - {name: country, type: country, category: "pd:Country"}
  - {name: diet, type: string, category: "pd:Health", special: true}
purposes:
`)
	for _, p := range scenePurposes {
		fmt.Fprintf(&b, "  - {id: %s, title: x, fields: [%s], %s}\n", p.id, joined(s.fields[p.id]), p.text)
	}
	b.WriteString(`channels:
  - {id: web, kind: web, purposes: [order, tax, fraud, ads, marketing, sms, tasting], captures: [given_name, email, phone_number, birthdate, country, diet], obtains: [ads, marketing, sms, tasting]}
  - {id: sender, kind: sms, purposes: [sms, marketing], recipient: Texter Ltd}
`)
	if len(s.cells) > 0 {
		b.WriteString("matrix:\n")
	}
	for _, c := range s.cells {
		fmt.Fprintf(&b, "  - {purpose: %s, channel: %s, field: %s, as: %s}\n", c.Purpose, c.Channel, c.Field, c.Detail)
	}
	return b.String()
}

func joined(names []privacy.FieldName) string {
	all := make([]string, len(names))
	for i, n := range names {
		all[i] = string(n)
	}
	return strings.Join(all, ", ")
}

func (s *scene) modules() map[string]string {
	return map[string]string{"rules.rego": "package sayso.rules\n\n" + strings.Join(s.rules, "\n") + "\n\nnever if input.channel.id == \"nobody\"\n"}
}

// sceneRules are what can be in the way; some only where something else was
// remedied.
var sceneRules = []string{
	`withhold contains {"field": "email", "reason": "x"} if input.channel.id == "web"`,
	`withhold contains {"field": "email", "reason": "y"} if input.purpose.id in {"order", "sms"}`,
	`withhold contains {"field": "phone_number", "reason": "no texts"} if input.consents.sms == "given"`,
	`withhold contains {"field": "phone_number", "reason": "no yes"} if input.consents.marketing != "given"`,
	`mask contains {"field": "given_name", "mask": "last4"} if true`,
	`mask contains {"field": "given_name", "mask": "partial"} if input.channel.id == "web"`,
	`withhold contains {"field": f, "reason": "objected"} if { some f in input.fields; input.objected.fraud }`,
	`mask contains {"field": "birthdate", "mask": "over_18"} if true`,
}

func newScene(r *rand.Rand) *scene {
	s := &scene{fields: map[privacy.PurposeID][]privacy.FieldName{}}
	for _, p := range scenePurposes {
		for _, f := range sceneFields {
			if (f != "diet" || p.id == "tasting") && r.IntN(3) > 0 {
				s.fields[p.id] = append(s.fields[p.id], f)
			}
		}
		if len(s.fields[p.id]) == 0 {
			s.fields[p.id] = []privacy.FieldName{"email"}
		}
	}
	for range 1 + r.IntN(3) {
		p := oneOf[privacy.PurposeID](r, "order", "sms", "tax")
		f := oneOf(r, s.fields[p]...)
		as := map[privacy.FieldName][]string{"given_name": {"withhold", "initial"}, "birthdate": {"withhold", "over_16"}}[f]
		cell := vault.Move{Purpose: p, Channel: "web", Field: f, Detail: "withhold"}
		if len(as) > 0 {
			cell.Detail = oneOf(r, as...)
		}
		if !slices.ContainsFunc(s.cells, func(c vault.Move) bool { return c.Purpose == p && c.Field == f }) {
			s.cells = append(s.cells, cell)
		}
	}
	for _, i := range r.Perm(len(sceneRules))[:r.IntN(4)] {
		s.rules = append(s.rules, sceneRules[i])
	}
	return s
}

// with is the scene after the moves that officers make.
func (s *scene) with(moves []vault.Move) *scene {
	c := &scene{fields: map[privacy.PurposeID][]privacy.FieldName{}, cells: slices.Clone(s.cells), rules: slices.Clone(s.rules)}
	for p, fields := range s.fields {
		c.fields[p] = slices.Clone(fields)
	}
	for _, m := range moves {
		switch m.Move {
		case vault.MoveMap:
			c.fields[m.Purpose] = append(c.fields[m.Purpose], m.Field)
		case vault.MoveMatrix:
			c.cells = slices.DeleteFunc(c.cells, func(x vault.Move) bool { return x.Purpose == m.Purpose && x.Channel == m.Channel && x.Field == m.Field })
		case vault.MoveRule:
			var line int
			_, _ = fmt.Sscanf(m.Rule, "rules.rego:%d", &line)
			c.rules[line-3] = ""
		}
	}
	return c
}

// stage is a vault in which a scene is played by people who are all alike: each is
// a life in which one set of moves can be made.
type stage struct {
	*vaulttest.Vault
	t    *testing.T
	mail int

	register, rules string // in force
}

// set puts a scene in force, as far as it is not.
func (v *stage) set(s *scene) {
	if text := s.register(); text != v.register {
		v.Apply(text)
		v.register = text
	}
	if text := s.modules()["rules.rego"]; text != v.rules {
		id := draft(v.t, v.Vault, s.modules())
		if _, err := v.ActivatePolicy(context.Background(), v.Officer, id); err != nil {
			v.t.Fatal(err)
		}
		v.rules = text
	}
}

// somebody is one of those who are alike, or, if nobody is known, an address that
// nobody has.
type somebody struct {
	who  vaulttest.Person
	mail string
}

func (v *stage) cast(life []func(somebody), known bool) somebody {
	v.mail++
	one := somebody{mail: fmt.Sprintf("m%d@example.org", v.mail)}
	one.who = vaulttest.By("email", one.mail)
	if !known {
		return one
	}
	v.capture(one, map[string]any{"given_name": "Mina", "phone_number": "+4930901820", "birthdate": "1990-04-01", "diet": "no nuts", "country": "DE"})
	for _, act := range life {
		act(one)
	}
	return one
}

// capture captures values, and begins no ground by it.
func (v *stage) capture(one somebody, values map[string]any) {
	values["email"] = one.mail
	req := vaulttest.CaptureRequest(v.t, values)
	req.Purposes = []privacy.PurposeID{}
	if _, err := v.Capture(context.Background(), v.As("web").Caller, req); err != nil {
		v.t.Fatal(err)
	}
}

// does lets somebody, or a channel for them, make a move.
func (v *stage) does(one somebody, m vault.Move) {
	switch m.Move {
	case vault.MoveConsent:
		_, err := v.RecordConsent(context.Background(), v.As("web").Caller, vault.ConsentRequest{Subject: one.who, Purpose: m.Purpose, Status: privacy.StatusGiven, Method: "web_form", NoticeVersion: m.Notice})
		if err != nil {
			v.t.Fatalf("%+v: %v", m, err)
		}
	case vault.MoveGround:
		v.As("web").For(m.Purpose).Ground(one.who, "begun")
	case vault.MoveFresher:
		values := map[string]any{}
		if m.Field == "phone_number" {
			values["phone_number"] = "+4930901820"
		}
		v.capture(one, values)
	}
}

// shows reports whether a field is not withheld.
func (v *stage) shows(one somebody, channel privacy.ChannelID, purpose privacy.PurposeID, f privacy.FieldName) bool {
	o := v.As(channel).For(purpose).Read(one.who, sceneFields...)
	told, there := toldOf(o)[f]
	return there && told.Action != "withhold"
}

// Over 500 generated denials, every set of every move that is stated is tried by
// itself, with rules compiled anew: the remedies are those that turn the denial
// and have no more moves than any other, all of them, and no part of one does.
func TestRemediesTurnADenialAndNothingLessDoes(t *testing.T) {
	start := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	denials, sets := 0, 0
	sizes := map[int]int{}
	for seed := uint64(1); denials < 500; seed++ {
		r := rand.New(rand.NewPCG(seed, 31))
		s := newScene(r)
		ask := oneOf(r, asks...)
		tried, err := vault.Try(s.register(), s.modules(), someStanding(r, start), ask.channel, ask.purpose, sceneFields, start.AddDate(0, 0, 300*r.IntN(3)))
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for i := range s.rules {
			lines = append(lines, fmt.Sprintf("rules.rego:%d", 3+i))
		}
		withheld, told, err := tried.Remedies(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range withheld {
			denials++
			got := map[string]bool{}
			for _, remedy := range told {
				if remedy.Field == f {
					got[movesNamed(remedy.Moves)] = true
				}
			}
			want, size, n := smallest(t, tried, f, tried.Stated(f, lines))
			sets += n
			sizes[size]++
			if !maps.Equal(got, want) {
				t.Fatalf("seed %d: %s for %s in %s: got %v, want %v\n%s\n%s", seed, f, ask.purpose, ask.channel, got, want, s.register(), s.modules()["rules.rego"])
			}
		}
	}
	t.Logf("%d denials, %d sets of moves tried; denials by how many moves turn them: %v", denials, sets, sizes)
	if sizes[1] == 0 || sizes[2] == 0 || sizes[3] == 0 {
		t.Errorf("denials by how many moves turn them: got %v, want some of one, of two and of three", sizes)
	}
}

// smallest tries all sets, the small ones first, and returns the first that turn a
// field: those of one size. Nothing smaller does, so no part of one does.
func smallest(t *testing.T, tried *vault.Tried, f privacy.FieldName, moves []vault.Move) (found map[string]bool, size, n int) {
	t.Helper()
	found = map[string]bool{}
	for size = 1; size <= len(moves) && len(found) == 0; size++ {
		for set := range 1 << len(moves) {
			var chosen []vault.Move
			for i, m := range moves {
				if set&(1<<i) != 0 {
					chosen = append(chosen, m)
				}
			}
			if len(chosen) != size {
				continue
			}
			n++
			turns, err := tried.Turns(t.Context(), f, chosen)
			if err != nil {
				t.Fatal(err)
			}
			if turns {
				found[movesNamed(chosen)] = true
			}
		}
	}
	if len(found) == 0 {
		return found, 0, n // nothing that is stated turns it
	}
	return found, size - 1, n
}

// movesNamed is a set of moves as one text.
func movesNamed(moves []vault.Move) string {
	var all []string
	for _, m := range moves {
		all = append(all, fmt.Sprintf("%s %s%s", m.Move, m.Purpose, m.Rule))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// someStanding is somebody to whom something happened, or nobody.
func someStanding(r *rand.Rand, start time.Time) *consent.Standing {
	if r.IntN(8) == 0 {
		return nil
	}
	s := &consent.Standing{Jurisdiction: oneOf(r, "", "US", "DE"), AgeBand: "25_34"}
	for _, f := range []privacy.FieldName{"birthdate", "diet", "email", "given_name", "phone_number"} {
		s.Values = append(s.Values, consent.Value{Field: f, Observed: start, Origin: privacy.Declared})
	}
	if r.IntN(6) == 0 {
		s.Restricted = start
	}
	for range r.IntN(6) {
		at := s.ActTime(time.Time{}, start)
		switch p := oneOf[privacy.PurposeID](r, "order", "tax", "fraud", "ads", "marketing", "sms", "tasting"); r.IntN(4) {
		case 0:
			s.BeginGround(p, "", at)
		case 1:
			s.Record(consent.Act{Purpose: p, Status: oneOf(r, privacy.StatusWithdrawn, privacy.StatusRefused, privacy.StatusObjected), At: at, Recorded: start})
		default:
			shown := &register.Purpose{ID: p, Fields: pickSome(r, sceneFields, 1+r.IntN(5)), Recipients: pickSome(r, []string{"Texter Ltd"}, r.IntN(2)),
				Consent: &register.ConsentTerms{Explicit: p == "tasting", Notice: register.Notice{Version: "1"}}}
			if p == "marketing" {
				shown.Consent.Notice.Purposes = []privacy.PurposeID{"sms"}
			}
			if p == "sms" {
				shown.Consent.ValidFor = privacy.Period{Years: 1}
			}
			s.Record(consent.Act{Purpose: p, Status: privacy.StatusGiven, At: at, Recorded: start, Shown: shown})
		}
	}
	return s
}

// What is told to turn a denial turns it when it is really done – acts of people
// and channels, registers, rules – and any part of it does not.
func TestARemedyThatIsDoneTurnsTheDenial(t *testing.T) {
	want := 250
	if testing.Short() {
		want = 40
	}
	denials, done := 0, 0
	kinds := map[vault.MoveKind]int{}
	for seed := uint64(1); denials < want; seed++ {
		r := rand.New(rand.NewPCG(seed, 21))
		v := &stage{Vault: vaulttest.New(t, &vaulttest.Options{Now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC), DecisionDeadline: time.Minute}), t: t}
		s := newScene(r)
		v.set(s)
		life := someLife(v, r)
		known := r.IntN(6) > 0
		var alike []somebody
		for range 9 {
			alike = append(alike, v.cast(life, known))
		}
		v.Tick(time.Duration(r.IntN(3)) * 300 * 24 * time.Hour)
		var told []asked
		for _, ask := range pickSome(r, asks, 4) {
			view := v.decided(alike[0], ask.channel, ask.purpose)
			for _, o := range view.Reasons {
				if o.Action == "withhold" {
					denials++
				}
			}
			for _, remedy := range view.Remedies {
				ask.remedy = remedy
				told = append(told, ask)
			}
		}
		alike = alike[1:]
		for _, ask := range pickSome(r, told, 4) {
			parts := partsOf(ask.remedy.Moves)
			if len(parts) > len(alike) {
				continue
			}
			done++
			for i, part := range parts {
				v.set(s.with(part))
				for _, m := range part {
					v.does(alike[i], m)
				}
				if got, want := v.shows(alike[i], ask.channel, ask.purpose, ask.remedy.Field), i == 0; got != want {
					t.Fatalf("seed %d: %s for %s in %s: after %+v it is shown: %v, want %v (the remedy is %+v)\n%s\n%s", seed, ask.remedy.Field, ask.purpose, ask.channel, part, got, want, ask.remedy.Moves, s.register(), s.modules()["rules.rego"])
				}
			}
			for _, m := range ask.remedy.Moves {
				kinds[m.Move]++
			}
			alike = alike[len(parts):]
			v.set(s)
		}
		v.Stop()
	}
	t.Logf("%d denials, %d remedies done: %v", denials, done, kinds)
	for _, kind := range []vault.MoveKind{vault.MoveConsent, vault.MoveGround, vault.MoveFresher, vault.MoveMap, vault.MoveMatrix, vault.MoveRule} {
		if kinds[kind] == 0 {
			t.Errorf("no remedy was a %s: the test says nothing of it", kind)
		}
	}
}

// asked is a question that was asked, and a remedy that was told.
type asked struct {
	channel privacy.ChannelID
	purpose privacy.PurposeID
	remedy  vault.Remedy
}

var asks = []asked{{channel: "web", purpose: "order"}, {channel: "web", purpose: "tax"}, {channel: "web", purpose: "fraud"}, {channel: "web", purpose: "ads"},
	{channel: "web", purpose: "sms"}, {channel: "sender", purpose: "sms"}, {channel: "web", purpose: "tasting"}}

// partsOf returns a set, and all parts of it: of large ones those that lack one.
func partsOf(moves []vault.Move) [][]vault.Move {
	parts := [][]vault.Move{moves}
	for set := range 1<<len(moves) - 1 {
		var part []vault.Move
		for i, m := range moves {
			if set&(1<<i) != 0 {
				part = append(part, m)
			}
		}
		if len(moves) <= 2 && len(part) > 0 || len(part) == len(moves)-1 {
			parts = append(parts, part)
		}
	}
	return parts
}

func pickSome[T any](r *rand.Rand, from []T, n int) (some []T) {
	for _, i := range r.Perm(len(from)) {
		if len(some) < n {
			some = append(some, from[i])
		}
	}
	return some
}

// someLife is what happened to each of those who are alike.
func someLife(v *stage, r *rand.Rand) (life []func(somebody)) {
	for range r.IntN(5) {
		purpose := oneOf[privacy.PurposeID](r, "order", "tax", "fraud")
		status := oneOf(r, "begun", "begun", "ended")
		said := oneOf(r, privacy.StatusGiven, privacy.StatusGiven, privacy.StatusWithdrawn, privacy.StatusRefused)
		about := oneOf[privacy.PurposeID](r, "ads", "marketing", "sms", "tasting")
		switch r.IntN(3) {
		case 0:
			life = append(life, func(one somebody) { v.As("web").For(purpose).Ground(one.who, status) })
		default:
			life = append(life, func(one somebody) { v.As("web").For(about).Consent(one.who, said) })
		}
	}
	return life
}

// decided reads everything of somebody and returns the decision as officers see it.
func (v *stage) decided(one somebody, channel privacy.ChannelID, purpose privacy.PurposeID) *vault.DecisionView {
	o := v.As(channel).For(purpose).Read(one.who, sceneFields...)
	var denied *vault.DeniedError
	var id privacy.DecisionID
	switch {
	case o.Err == nil:
		id = o.Result.Decision
	case errors.As(o.Err, &denied):
		id = denied.Decision
	default: // somebody unknown, whom a basis that is not silent asks for
		id = v.lastDecision()
	}
	view, err := v.Decision(context.Background(), v.Officer, id)
	if err != nil {
		v.t.Fatal(err)
	}
	return view
}

func (v *stage) lastDecision() (id privacy.DecisionID) {
	_, err := v.ExportDecisions(context.Background(), v.Officer, vault.ExportRequest{}, func(lines []vault.DecisionLine) error {
		for _, l := range lines {
			if l.Kind == vault.LineRead {
				id = *l.Decision
			}
		}
		return nil
	})
	if err != nil {
		v.t.Fatal(err)
	}
	return id
}
