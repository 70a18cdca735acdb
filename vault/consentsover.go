package vault

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// ConsentsOverTime says how say-so to each purpose went: who gave and took it, and
// of how many people it stood.
type ConsentsOverTime struct {
	Reported
	Step     string              `json:"step" enum:"day,month"`
	Purposes []ConsentsToPurpose `json:"purposes"`
}

// ConsentsToPurpose is one purpose's.
type ConsentsToPurpose struct {
	Purpose privacy.PurposeID `json:"purpose"`
	Points  []ConsentPoint    `json:"points"`
}

// ConsentPoint is one day or month.
type ConsentPoint struct {
	Begins    time.Time `json:"begins" doc:"the day or month, UTC"`
	Given     int       `json:"given" doc:"acts of that day or month, as are the next four"`
	Refused   int       `json:"refused"`
	Withdrawn int       `json:"withdrawn"`
	Objected  int       `json:"objected"`
	OptedOut  int       `json:"opted_out"`
	Standing  int       `json:"standing" doc:"people whose consent stood at its end; what was given and has not expired"`
}

// stepDays is the longest time that is told by days.
const stepDays = 92

// ConsentsOverTime tells officers how consent went in a time. People who were
// erased since are in none of it.
func (v *Vault) ConsentsOverTime(ctx context.Context, by Caller, req ReportRequest) (*ConsentsOverTime, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	if err := req.check(); err != nil {
		return nil, err
	}
	now, _, _ := v.clock.now()
	c := &consentsOver{v: v, now: now, days: map[consentDay]*ConsentPoint{}}
	if c.until = req.To; c.until.IsZero() || c.until.After(now) {
		c.until = now.Add(time.Microsecond)
	}
	// What stood when the time began was given before.
	walk := &peopleWalk{v: v, by: by, span: ExportRequest{To: req.To}, kinds: []log.Kind{log.Consent}, workers: 1, progress: req.Progress,
		nobody: func(context.Context, entry) error { return nil }, person: c.person}
	if err := walk.run(ctx); err != nil {
		return nil, v.refusal(err)
	}
	out := &ConsentsOverTime{Reported: req.reported(), Purposes: []ConsentsToPurpose{}}
	out.Lost = c.lost
	c.fold(out, req.From)
	return out, nil
}

type consentDay struct {
	purpose privacy.PurposeID
	day     time.Time
}

// consentsOver is such a report on its way: days on which anything happened, whose
// Standing is by how many more consents stood at their end.
type consentsOver struct {
	v          *Vault
	now, until time.Time
	days       map[consentDay]*ConsentPoint
	lost       int
}

func (c *consentsOver) day(p privacy.PurposeID, at time.Time) *ConsentPoint {
	k := consentDay{p, at.UTC().Truncate(24 * time.Hour)}
	d := c.days[k]
	if d == nil {
		d = &ConsentPoint{Begins: k.day}
		c.days[k] = d
	}
	return d
}

// person counts what one person said, purpose by purpose.
func (c *consentsOver) person(ctx context.Context, _ int, of []ref, rest func() error) error {
	said, deks := map[privacy.PurposeID][]ConsentLine{}, map[privacy.SubjectID]*keys.DEK{}
	for _, x := range of {
		e, err := c.v.follower.Entry(ctx, x.index)
		if err != nil {
			return err
		}
		opening, lost, err := c.v.openEntry(ctx, e, deks)
		if err != nil {
			return fmt.Errorf("opening log entry %d: %w", x.index, err)
		}
		if lost != "" {
			c.lost++
		} else {
			var r consentRecord
			if err := json.Unmarshal(opening.Record, &r); err != nil {
				return fmt.Errorf("reading log entry %d: %w", x.index, errIntegrity)
			}
			if r.Purpose == "" { // finished from the ledger, which does not say to what
				c.lost++
			} else {
				said[r.Purpose] = append(said[r.Purpose], ConsentLine{Status: r.Status, At: &r.At, Until: &r.Until, Effective: &r.Effective})
			}
		}
		if err := rest(); err != nil {
			return err
		}
	}
	for purpose, acts := range said {
		slices.SortStableFunc(acts, func(a, b ConsentLine) int { return a.At.Compare(*b.At) })
		c.acts(purpose, acts)
	}
	return nil
}

// acts counts what one person said to one purpose, in the order of when.
func (c *consentsOver) acts(purpose privacy.PurposeID, acts []ConsentLine) {
	stands, until := false, time.Time{}
	expire := func(now time.Time) {
		if stands && !until.IsZero() && !until.After(now) {
			stands = false
			c.day(purpose, until).Standing--
		}
	}
	for _, a := range acts {
		if !a.At.Before(c.until) {
			break
		}
		expire(*a.At)
		d := c.day(purpose, *a.At)
		switch a.Status {
		case privacy.StatusGiven:
			d.Given++
			if !*a.Effective {
				continue
			}
			if !stands {
				d.Standing++
			}
			stands, until = true, *a.Until
			continue
		case privacy.StatusRefused:
			d.Refused++
		case privacy.StatusWithdrawn:
			d.Withdrawn++
		case privacy.StatusObjected:
			d.Objected++
		case privacy.StatusOptedOut:
			d.OptedOut++
		}
		if stands {
			stands = false
			d.Standing--
		}
	}
	expire(c.until)
}

// fold makes days or months of what was counted, without a gap between them.
func (c *consentsOver) fold(out *ConsentsOverTime, from time.Time) {
	days := slices.SortedFunc(maps.Keys(c.days), func(a, b consentDay) int { return a.day.Compare(b.day) })
	if from.IsZero() && len(days) > 0 {
		from = days[0].day
	}
	if out.Step = "day"; c.until.Sub(from) > stepDays*24*time.Hour {
		out.Step = "month"
	}
	begins := func(t time.Time) time.Time {
		t = t.UTC().Truncate(24 * time.Hour)
		if out.Step == "month" {
			t = time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
		}
		return t
	}
	after := func(t time.Time) time.Time {
		if out.Step == "month" {
			return t.AddDate(0, 1, 0)
		}
		return t.AddDate(0, 0, 1)
	}
	before, points := map[privacy.PurposeID]int{}, map[privacy.PurposeID]map[time.Time]*ConsentPoint{}
	for _, k := range days {
		if points[k.purpose] == nil {
			points[k.purpose] = map[time.Time]*ConsentPoint{}
		}
		d := c.days[k]
		if k.day.Before(begins(from)) {
			before[k.purpose] += d.Standing
			continue
		}
		p := points[k.purpose][begins(k.day)]
		if p == nil {
			p = &ConsentPoint{}
			points[k.purpose][begins(k.day)] = p
		}
		p.Given, p.Refused, p.Withdrawn, p.Objected, p.OptedOut = p.Given+d.Given, p.Refused+d.Refused, p.Withdrawn+d.Withdrawn, p.Objected+d.Objected, p.OptedOut+d.OptedOut
		p.Standing += d.Standing
	}
	for _, purpose := range slices.Sorted(maps.Keys(points)) {
		all, stands := ConsentsToPurpose{Purpose: purpose, Points: []ConsentPoint{}}, before[purpose]
		for t := begins(from); t.Before(c.until); t = after(t) {
			point := ConsentPoint{}
			if p := points[purpose][t]; p != nil {
				point = *p
			}
			stands += point.Standing
			point.Begins, point.Standing = t, stands
			all.Points = append(all.Points, point)
		}
		out.Purposes = append(out.Purposes, all)
	}
}
