package replay

import (
	"cmp"
	"slices"

	"github.com/sayso-vault/sayso/policy"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// Decision is one that was made, with what the other rules make of it.
type Decision struct {
	ID      privacy.DecisionID
	Channel privacy.ChannelID
	Purpose privacy.PurposeID
	// Before and After are the outcomes of the same fields in the same order.
	// After is nil if the other rules give no decision: that denies the whole
	// read.
	Before, After []policy.Outcome
	// Nothing reports whether there was no value of a field: whatever is decided
	// about it exposes nobody.
	Nothing func(privacy.FieldName) bool
}

// Report is what a replay comes to.
type Report struct {
	Decisions     int   `json:"decisions"`      // decided again
	Changed       int   `json:"changed"`        // of these, those in which a field changes
	People        int   `json:"people"`         // whom a changed decision is about
	Gaining       int   `json:"gaining"`        // of these, those of whom somebody would see more
	Losing        int   `json:"losing"`         // and those of whom somebody would see less
	Failed        int   `json:"failed"`         // in which the other rules give no decision
	NotReplayable int   `json:"not_replayable"` // of people erased since, or whose facts are not on record
	By            []Row `json:"by"`             // the changes, by what they change
}

// Row is one kind of change.
type Row struct {
	Channel   privacy.ChannelID    `json:"channel"`
	Purpose   privacy.PurposeID    `json:"purpose"`
	Field     privacy.FieldName    `json:"field"`
	From      policy.Action        `json:"from"`
	To        policy.Action        `json:"to"`
	FromMask  privacy.Mask         `json:"from_mask,omitempty"`
	ToMask    privacy.Mask         `json:"to_mask,omitempty"`
	Decisions int                  `json:"decisions"`
	People    int                  `json:"people"`
	Examples  []privacy.DecisionID `json:"examples"` // a few of the decisions
}

// examples is how many decisions a row names.
const examples = 3

// Tally counts decisions, the people they are about, and what changes in them.
// Its zero value is ready. It is not safe for concurrent use.
type Tally struct {
	report Report
	rows   map[key]*row

	person        int // how many there were
	known         bool
	touched       bool // the person is among People
	gained, losed bool
}

type key struct {
	channel          privacy.ChannelID
	purpose          privacy.PurposeID
	field            privacy.FieldName
	from, to         policy.Action
	fromMask, toMask privacy.Mask
}

type row struct {
	decisions, people, last int // last: the person counted last
	examples                []privacy.DecisionID
}

// Person begins the decisions about the next person. Each person comes once. One
// who is not known – a reference that nobody was found by – counts in decisions
// and not in people.
func (t *Tally) Person(known bool) {
	t.person++
	t.known, t.touched, t.gained, t.losed = known, false, false, false
}

// Lost counts decisions that could not be decided again.
func (t *Tally) Lost(n int) { t.report.NotReplayable += n }

// Add counts one decision about the person.
func (t *Tally) Add(d Decision) {
	t.report.Decisions++
	if d.After == nil {
		t.report.Failed++
	}
	changed := false
	for i, from := range d.Before {
		if d.Nothing != nil && d.Nothing(from.Field) {
			continue
		}
		to := policy.Outcome{Field: from.Field, Action: policy.Withhold}
		if d.After != nil {
			to = d.After[i]
		}
		if from.Action == to.Action && from.Mask == to.Mask {
			continue
		}
		changed = true
		t.row(key{d.Channel, d.Purpose, from.Field, from.Action, to.Action, from.Mask, to.Mask}, d.ID)
		t.exposes(from, to)
	}
	if !changed {
		return
	}
	t.report.Changed++
	if t.known && !t.touched {
		t.touched = true
		t.report.People++
	}
}

func (t *Tally) row(k key, id privacy.DecisionID) {
	if t.rows == nil {
		t.rows = map[key]*row{}
	}
	r := t.rows[k]
	if r == nil {
		r = &row{}
		t.rows[k] = r
	}
	r.decisions++
	if t.known && r.last != t.person {
		r.last = t.person
		r.people++
	}
	if len(r.examples) < examples {
		r.examples = append(r.examples, id)
	}
}

// exposes counts the person among those of whom more or less is seen. Of two
// masks neither of which shows less, it is both.
func (t *Tally) exposes(from, to policy.Outcome) {
	if !t.known {
		return
	}
	if !t.gained && !noMore(to, from) {
		t.gained = true
		t.report.Gaining++
	}
	if !t.losed && !noMore(from, to) {
		t.losed = true
		t.report.Losing++
	}
}

// noMore reports whether one outcome shows no more than another.
func noMore(a, b policy.Outcome) bool {
	switch {
	case a.Action == policy.Withhold || b.Action == policy.Release:
		return true
	case a.Action == policy.Release || b.Action == policy.Withhold:
		return false
	}
	m, ok := privacy.Stricter(a.Mask, b.Mask)
	return ok && m == a.Mask
}

// Merge adds what another tally counted, of other people.
func (t *Tally) Merge(other *Tally) {
	a, b := &t.report, &other.report
	a.Decisions += b.Decisions
	a.Changed += b.Changed
	a.People += b.People
	a.Gaining += b.Gaining
	a.Losing += b.Losing
	a.Failed += b.Failed
	a.NotReplayable += b.NotReplayable
	for k, theirs := range other.rows {
		if t.rows == nil {
			t.rows = map[key]*row{}
		}
		mine := t.rows[k]
		if mine == nil {
			mine = &row{}
			t.rows[k] = mine
		}
		mine.decisions += theirs.decisions
		mine.people += theirs.people
		mine.examples = append(mine.examples, theirs.examples...)
	}
}

// Report returns the counts, what changes for most people first.
func (t *Tally) Report() Report {
	report := t.report
	report.By = make([]Row, 0, len(t.rows))
	for k, r := range t.rows {
		slices.SortFunc(r.examples, func(a, b privacy.DecisionID) int { return slices.Compare(a[:], b[:]) })
		r.examples = r.examples[:min(len(r.examples), examples)]
		report.By = append(report.By, Row{Channel: k.channel, Purpose: k.purpose, Field: k.field, From: k.from, To: k.to, FromMask: k.fromMask, ToMask: k.toMask,
			Decisions: r.decisions, People: r.people, Examples: r.examples})
	}
	slices.SortFunc(report.By, func(a, b Row) int {
		return cmp.Or(cmp.Compare(b.People, a.People), cmp.Compare(b.Decisions, a.Decisions), cmp.Compare(a.Channel, b.Channel),
			cmp.Compare(a.Purpose, b.Purpose), cmp.Compare(a.Field, b.Field), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To),
			cmp.Compare(a.FromMask, b.FromMask), cmp.Compare(a.ToMask, b.ToMask))
	})
	return report
}
