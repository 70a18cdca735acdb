package vault

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// DecisionQuery says which decisions an officer looks for. What is left zero
// leaves all.
type DecisionQuery struct {
	Channel privacy.ChannelID
	Purpose privacy.PurposeID
	Code    string // a field was withheld by it, or the question refused
	Subject *privacy.SubjectID
	// From and To bound when it was recorded: From is in it, To is not.
	From, To time.Time
	// After goes on behind an answer: its Next.
	After string
	// Limit is how many decisions are wanted, at least 1; at most 200 come.
	Limit int
}

// DecisionsFound is what was found of them, the latest first.
type DecisionsFound struct {
	Decisions []DecisionLine `json:"decisions"`
	// Next is where to go on, "" if there is no more. It is there though fewer were
	// found than wanted when looking took as long as one answer may.
	Next string     `json:"next,omitempty" doc:"where to go on; there may be more though fewer were found than wanted"`
	Back *time.Time `json:"back,omitempty" doc:"how far back was looked"`
}

const (
	searchWindow = 512         // entries read at once
	searchTime   = time.Second // of one answer
	mostFound    = 200         // decisions in one answer
)

// Decisions finds decisions by what an officer remembers of them: it goes back
// through the log, and opens what may fit. Of each it tells what an export tells,
// and no value.
func (v *Vault) Decisions(ctx context.Context, by Caller, q DecisionQuery) (*DecisionsFound, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	if q.Limit < 1 {
		return nil, invalid("limit", "invalid_value", "expected 1 to %d", mostFound)
	}
	q.Limit = min(q.Limit, mostFound)
	if !q.From.IsZero() && !q.To.IsZero() && !q.From.Before(q.To) {
		return nil, invalid("to", "invalid_value", "expected a time after from")
	}
	s := &search{v: v, q: q, declared: map[uint64]map[privacy.FieldName]bool{}, found: &DecisionsFound{Decisions: []DecisionLine{}}}
	until := v.cfg.Store.Size()
	if q.After != "" {
		before, err := strconv.ParseUint(q.After, 10, 64)
		if err != nil {
			return nil, invalid("after", "invalid_value", "is not what an answer said")
		}
		until = min(until, before)
	}
	for began := time.Now(); until > 0; {
		if time.Since(began) > searchTime {
			s.found.Next = strconv.FormatUint(until, 10)
			break
		}
		full, err := s.window(ctx, until-min(until, searchWindow), &until)
		if err != nil {
			return nil, v.refusal(err)
		}
		if full {
			s.found.Next = strconv.FormatUint(until, 10)
			break
		}
	}
	return s.found, nil
}

// search is a search on its way.
type search struct {
	v        *Vault
	q        DecisionQuery
	declared map[uint64]map[privacy.FieldName]bool
	found    *DecisionsFound
}

// window looks at the entries [from, until), the latest first, and moves until to
// where to go on. It reports whether enough were found.
func (s *search) window(ctx context.Context, from uint64, until *uint64) (full bool, err error) {
	var entries []entry
	span := ExportRequest{From: s.q.From, To: s.q.To}
	for next := from; next < *until; {
		page, after, err := s.v.exportPage(ctx, span, next, *until, []log.Kind{log.Access})
		if err != nil {
			return false, err
		}
		entries, next = append(entries, page...), after
	}
	deks := map[privacy.SubjectID]*keys.DEK{}
	for _, e := range slices.Backward(entries) {
		if s.q.Subject != nil && e.Subject != *s.q.Subject {
			continue
		}
		l, err := s.line(ctx, e, deks)
		if err != nil {
			return false, fmt.Errorf("reading log entry %d: %w", e.index, err)
		}
		back := madeAt(e.ID)
		s.found.Back = &back
		if l == nil {
			continue
		}
		s.found.Decisions = append(s.found.Decisions, *l)
		if len(s.found.Decisions) == s.q.Limit {
			*until = e.index
			return e.index > 0, nil
		}
	}
	*until = from
	return false, nil
}

// line is a decision that fits, nil for another. What was erased with its person
// fits nothing.
func (s *search) line(ctx context.Context, e entry, deks map[privacy.SubjectID]*keys.DEK) (*DecisionLine, error) {
	opening, lost, err := s.v.openEntry(ctx, e.Entry, deks)
	if err != nil || lost != "" {
		return nil, err
	}
	l, err := decisionLine(e, opening)
	if err != nil || !s.fits(l) {
		return nil, err
	}
	if len(l.Withheld) > 0 {
		if s.declared[l.Register] == nil {
			if s.declared[l.Register], err = s.v.declared(ctx, l.Register); err != nil {
				return nil, err
			}
		}
		l.Withheld = shownNames(l.Withheld, s.declared[l.Register])
	}
	return l, nil
}

func (s *search) fits(l *DecisionLine) bool {
	switch {
	case s.q.Channel != "" && l.Channel != s.q.Channel, s.q.Purpose != "" && l.Purpose != s.q.Purpose:
		return false
	case s.q.Code == "" || l.Code == s.q.Code:
		return true
	}
	for _, code := range l.Withheld {
		if string(code) == s.q.Code {
			return true
		}
	}
	return false
}
