package console

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/sayso-vault/sayso/vault"
)

func registerRoutes() []route {
	return []route{
		{pattern: "GET /console/register", do: showRegister},
		{pattern: "GET /console/register/text", do: showText},
		{pattern: "POST /console/register/text", do: saveText},
		{pattern: "GET /console/register/review", do: review},
		{pattern: "POST /console/register/apply", do: applyWork},
		{pattern: "POST /console/register/discard", do: discardWork},
		{pattern: "POST /console/register/again", do: workAgain},
	}
}

// registerPage is what is in force, what waits and what lies on the desk.
type registerPage struct {
	InForce *vault.RegisterView // nil: none was applied yet
	Text    string
	Unsaved int
}

func showRegister(v *visit) error {
	view, err := v.inForce()
	if err != nil {
		return err
	}
	w, err := v.work()
	if err != nil {
		return err
	}
	p := registerPage{InForce: view}
	if view != nil {
		p.Text = string(view.YAML)
	}
	if w != nil {
		p.Unsaved = len(w.Edits)
	}
	return v.render(http.StatusOK, "register.html", p)
}

// textPage is the register's whole text, to be edited as such.
type textPage struct {
	Text  string
	First bool // none was applied yet
	Wrong *wrong
}

func showText(v *visit) error {
	_, w, err := v.register()
	if err != nil {
		return err
	}
	if w == nil {
		return v.render(http.StatusOK, "text.html", textPage{First: true})
	}
	return v.render(http.StatusOK, "text.html", textPage{Text: w.Text})
}

func saveText(v *visit) error {
	text := v.r.PostFormValue("text")
	bad, err := v.change(edit{Kind: "text", Text: text})
	if err != nil {
		return err
	}
	if !bad.Empty() {
		return v.render(http.StatusUnprocessableEntity, "text.html", textPage{Text: text, Wrong: bad})
	}
	return v.toReview()
}

// reviewPage tells what the work on the desk would do, before it does it.
type reviewPage struct {
	Changes  []changeView
	Warnings []string
	Pending  bool // would wait for another officer
	Widens   int  // lines that can let more out
	Replaces uint64
	Conflict *vault.RevisionConflict
	Theirs   []changeView
	Yours    []changeView
	Base     uint64
	Back     string // to the matrix, where the last edit was
	Wrong    *wrong // with what is in force meanwhile, it is no register any more
	Mark     string // of the desk that is shown: what is laid there later is not applied with it
	Moved    bool   // something was, since the page was shown that this answers
}

// review asks the vault what applying would do: the words and the direction are
// the vault's.
func review(v *visit) error {
	w, err := v.work()
	if err != nil {
		return err
	}
	if w == nil {
		return v.render(http.StatusOK, "review.html", reviewPage{})
	}
	p, err := v.reviewOf(w)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if p.Conflict != nil {
		status = http.StatusConflict
	}
	return v.render(status, "review.html", p)
}

func (v *visit) reviewOf(w *work) (*reviewPage, error) {
	p := &reviewPage{Base: w.Base, Mark: w.mark, Back: w.place()}
	applied, err := v.vault.ApplyRegister(v.ctx, v.by, "register.yaml", []byte(w.Text), &w.Base, true)
	var problems *vault.RegisterProblems
	switch {
	case errors.As(err, &p.Conflict):
		p.Theirs, p.Yours = v.explain(p.Conflict.Theirs, nil, nil), v.explain(p.Conflict.Yours, nil, nil)
		return p, nil
	case errors.As(err, &problems):
		p.Wrong = wrongIn("", problems)
		return p, nil
	case err != nil:
		return nil, err
	}
	view, err := v.vault.Register(v.ctx, v.by)
	var refused *vault.Error
	if err != nil && (!errors.As(err, &refused) || refused.Code != vault.CodeNotFound) {
		return nil, err
	}
	var before []byte
	if view != nil {
		before = view.YAML
	}
	p.Changes, p.Warnings, p.Pending = v.explain(applied.Changes, before, []byte(w.Text)), applied.Warnings, applied.Status == vault.StatusPending
	for _, c := range p.Changes {
		if c.Widens {
			p.Widens++
		}
	}
	if p.Pending && view != nil && view.Pending != nil && view.Pending.Revision != applied.Revision {
		p.Replaces = view.Pending.Revision
	}
	return p, nil
}

// appliedPage is shown once: with the secrets of new channels.
type appliedPage struct {
	Applied *vault.Applied
	Shown   []shownSecret
}

// applyWork applies the work, on the condition that it is what the officer was
// shown, and the register in force still the one that it was made from.
func applyWork(v *visit) error {
	w, err := v.work()
	if err != nil {
		return err
	}
	if w == nil {
		return v.redirect("/console/register")
	}
	if v.r.PostFormValue("mark") != w.mark {
		p, err := v.reviewOf(w)
		if err != nil {
			return err
		}
		p.Moved = true
		return v.render(http.StatusConflict, "review.html", p)
	}
	applied, err := v.vault.ApplyRegister(v.ctx, v.by, "register.yaml", []byte(w.Text), &w.Base, false)
	var conflict *vault.RevisionConflict
	var problems *vault.RegisterProblems
	if errors.As(err, &conflict) || errors.As(err, &problems) {
		return review(v)
	}
	if err != nil {
		return err
	}
	if err := v.clear(w); err != nil && !laidMeanwhile(err) { // what was laid meanwhile stays
		return err
	}
	if len(applied.Channels) > 0 {
		p := appliedPage{Applied: applied}
		for _, c := range applied.Channels {
			p.Shown = append(p.Shown, shownSecret{Name: string(c.ID), ClientID: c.ClientID, Secret: c.ClientSecret})
		}
		return v.render(http.StatusOK, "applied.html", p)
	}
	number := strconv.FormatUint(applied.Revision, 10)
	switch applied.Status {
	case vault.StatusPending:
		return v.done("/console/approvals", "proposed", "revision", number)
	case vault.StatusUnchanged:
		return v.done("/console/register", "unchanged")
	}
	return v.done(w.place(), "applied", "revision", number)
}

func discardWork(v *visit) error {
	w, err := v.work()
	if err != nil {
		return err
	}
	to := "/console/matrix"
	if w != nil {
		if err := v.clear(w); err != nil {
			return err
		}
		to = w.place()
	}
	return v.done(to, "discarded")
}

// workAgain makes the officer's edits again, on top of what is in force now.
func workAgain(v *visit) error {
	w, err := v.work()
	if err != nil {
		return err
	}
	if w == nil {
		return v.redirect("/console/register")
	}
	lost, err := v.again(w)
	if err != nil {
		return err
	}
	if lost > 0 {
		return v.done("/console/register/review", "again_lost", "n", strconv.Itoa(lost))
	}
	return v.done("/console/register/review", "again")
}
