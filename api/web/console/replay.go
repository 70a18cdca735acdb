package console

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/sayso-vault/sayso/api/web/page"
	"github.com/sayso-vault/sayso/policy/replay"
	"github.com/sayso-vault/sayso/vault"
)

func replayRoutes() []route {
	return []route{
		{pattern: "POST /console/replays", do: beginReplay},
		{pattern: "GET /console/replays/{job}", do: showReplay},
		{pattern: "POST /console/replays/{job}/stop", do: stopReplay},
	}
}

// replayOf is what is replayed: a rule set, a register that waits, or the register
// that is on an officer's desk.
type replayOf struct {
	Policy   string
	Revision uint64
	Desk     bool
	text     string // of the register on the desk
	Back     string // the page it was begun at
	From, To time.Time
}

// beginReplay begins to run rules, or a register, over what really happened.
func beginReplay(v *visit) error {
	of, err := v.replayOf()
	if err != nil {
		return err
	}
	by, req := v.by, vault.ReplayRequest{From: of.From, To: of.To}
	b, err := v.jobs.begin(by.Client.Officer, "replay", "", of, func(ctx context.Context, progress func(done, of uint64)) (any, error) {
		if of.Policy != "" {
			out, err := v.vault.ReplayPolicy(ctx, by, of.Policy, req, progress)
			if err != nil {
				return nil, err
			}
			return &out.Report, nil
		}
		replays := func() (*vault.RegisterReplay, error) {
			if of.Desk {
				return v.vault.ReplayRegister(ctx, by, "register.yaml", []byte(of.text), req, progress)
			}
			return v.vault.ReplayPendingRegister(ctx, by, of.Revision, req, progress)
		}
		out, err := replays()
		if err != nil {
			return nil, err
		}
		return &out.Report, nil
	})
	if err != nil {
		return err
	}
	b.wait(v.ctx)
	return v.redirect("/console/replays/" + b.ID)
}

func (v *visit) replayOf() (of replayOf, err error) {
	of.Policy, of.Desk = v.value("policy"), v.value("desk") != ""
	switch {
	case of.Desk:
		_, w, err := v.register()
		if err != nil {
			return of, err
		}
		if w == nil {
			return of, errNotFound
		}
		of.text, of.Back = w.Text, "/console/register/review"
	case of.Policy != "":
		if _, err := v.vault.PolicyByID(v.ctx, v.by, of.Policy); err != nil {
			return of, err
		}
		of.Back = "/console/rules/" + url.PathEscape(of.Policy)
	default:
		if of.Revision, err = strconv.ParseUint(v.value("revision"), 10, 64); err != nil {
			return of, errNotFound
		}
		of.Back = "/console/approvals"
	}
	of.From, of.To, err = v.span(v.value("from"), v.value("to"))
	return of, err
}

// span reads two days of a form: the time from the beginning of the first to the
// end of the last. Empty is no bound.
func (v *visit) span(first, last string) (from, to time.Time, err error) {
	wrong := func(field string) error {
		return &vault.Error{Code: vault.CodeInvalidRequest, Detail: "a day was expected", Fields: []vault.FieldError{{Field: field, Code: "invalid_value", Detail: "expected a day such as 2026-03-01"}}}
	}
	if first != "" {
		if from, err = time.Parse(time.DateOnly, first); err != nil {
			return from, to, wrong("from")
		}
	}
	if last != "" {
		if to, err = time.Parse(time.DateOnly, last); err != nil {
			return from, to, wrong("to")
		}
		to = to.AddDate(0, 0, 1)
	}
	return from, to, nil
}

// replayPage is how far a replay is, or what it came to.
type replayPage struct {
	Of       replayOf
	Last     time.Time // the last day of the time, if it has an end
	Began    time.Time
	Officer  string
	Progress *progress // nil: it is over
	Stopped  bool
	Problem  *problem
	Report   *replay.Report
	People   page.Bars
}

func showReplay(v *visit) error {
	b, err := v.job()
	if err != nil {
		return err
	}
	of, ok := b.about.(replayOf)
	if !ok {
		return errNotFound
	}
	if v.polled(b) {
		return nil
	}
	p := replayPage{Of: of, Began: b.Began, Officer: b.Officer}
	if !of.To.IsZero() {
		p.Last = of.To.AddDate(0, 0, -1)
	}
	if !b.over() {
		p.Progress = v.progress(b)
		return v.render(http.StatusOK, "replay.html", p)
	}
	p.Report, _ = b.result.(*replay.Report)
	if b.stopped() {
		p.Stopped = true
	} else if b.err != nil {
		wrong := problemOf(b.err)
		if wrong.Status >= http.StatusInternalServerError {
			v.logger.ErrorContext(v.ctx, "a replay ended", "err", b.err)
		}
		p.Problem = &wrong
	}
	if p.Report != nil {
		p.People = page.Bars{Title: v.say("replay.chart"), Label: v.say("replay.change"), Count: v.say("replay.people")}
		for _, row := range p.Report.By[:min(len(p.Report.By), 12)] {
			label := string(row.Channel) + " · " + string(row.Field) + " → " + v.say("outcome."+string(row.To))
			p.People.Bars = append(p.People.Bars, page.Bar{Label: label, Count: row.People})
		}
	}
	return v.render(http.StatusOK, "replay.html", p)
}

func stopReplay(v *visit) error {
	b, err := v.job()
	if err != nil {
		return err
	}
	if err := v.mine(b); err != nil {
		return err
	}
	b.stop()
	b.wait(v.ctx)
	return v.redirect("/console/replays/" + b.ID)
}
