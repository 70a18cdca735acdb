package vault

import (
	"context"
	"fmt"
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// retention says what is past its end and not removed yet.
func (e *examiner) retention(ctx context.Context) error {
	var people, touched, values, past, all uint64
	err := e.v.eachOverdue(ctx, micro(e.v.cfg.Now()), func(_ privacy.SubjectID, o overdue) {
		people++
		e.o.Progress("limits", people, people)
		if !o.any() {
			return
		}
		touched++
		values, past = values+uint64(len(o.values)), past+uint64(len(o.past))
		if o.all {
			all++
		}
	})
	if err != nil {
		return err
	}
	if touched == 0 {
		e.Add(Finding{Check: "retention", Level: Fine, What: "nothing is past its end"})
		return nil
	}
	f := Finding{Check: "retention", Level: Fine,
		What:  fmt.Sprintf("past their end: %d values and %d past values of %d of %d people; of %d of them nothing will be left", values, past, touched, people, all),
		Means: "It is not read any more. It is removed while the vault is served."}
	if touched*mostTouched > people {
		f.Level = Warning
		f.Means = "It is not read any more. So many people are not touched before an officer said so: a limit of the register can be mistyped, or the clock wrong."
		f.Do = "Look at the limits of the register and at the clock. Then approve the request of kind retention (GET /v1/requests, POST /v1/requests/{id}/approve), which is made while the vault is served."
	}
	e.Add(f)
	return nil
}

// requests says which requests wait, and for what.
func (e *examiner) requests(ctx context.Context) error {
	open, err := e.v.openRequests(ctx)
	if err != nil {
		return err
	}
	now := e.v.cfg.Now()
	var running, blocked, late []string
	for _, q := range open {
		switch {
		case q.Kind == RequestErasure && q.Status == RequestBlocked:
			blocked = append(blocked, q.ID.String())
		case q.Kind == RequestErasure:
			running = append(running, q.ID.String())
		}
		if now.After(q.Due) {
			late = append(late, fmt.Sprintf("%s (due %s)", q.ID, q.Due.Format(time.DateOnly)))
		}
	}
	f := Finding{Check: "requests", Level: Fine, What: fmt.Sprintf("erasures that run: %d; blocked by holds: %d", len(running), len(blocked))}
	switch {
	case len(late) > 0:
		f.Level, f.About = Warning, late[:min(shownPeople, len(late))]
		f.What += fmt.Sprintf("; past the month of Art. 12(3) GDPR: %d requests", len(late))
		f.Means = "These people were to have an answer by then."
		f.Do = "See with GET /v1/requests what is in the way: a hold is released with `sayso subject hold --release`."
	case len(running) > 0 && !e.open:
		f.Means = "They go on when the vault is served; nothing is released of these people meanwhile."
	}
	e.Add(f)
	return nil
}
