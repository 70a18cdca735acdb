package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/sayso-vault/sayso/vault"
)

// work is what an officer changes of the register and has not applied: it lies on
// their desk in the vault, and nothing of it is in force. The edits are kept
// beside the text, so that they can be made again on top of what somebody else
// changed meanwhile.
type work struct {
	Format int    `json:"v"`
	Base   uint64 `json:"base"` // the revision it was made from
	Text   string `json:"text"`
	Edits  []edit `json:"edits"`

	mark string // of the desk when it was read; "" if nothing lay there
}

// edit is one change of a register.
type edit struct {
	Kind string `json:"kind"` // cell, item, remove or text
	// Of a cell.
	Purpose string `json:"purpose,omitempty"`
	Channel string `json:"channel,omitempty"`
	Field   string `json:"field,omitempty"`
	As      string `json:"as,omitempty"`
	// Of an item of a list: its name, "" of a new one, and what its form held.
	List   string              `json:"list,omitempty"`
	Name   string              `json:"name,omitempty"`
	Values map[string][]string `json:"values,omitempty"`
	// Of the whole text.
	Text string `json:"text,omitempty"`
}

// apply makes the change, and returns where in the text an item stands then.
func (e *edit) apply(d *document) (place string, err error) {
	switch e.Kind {
	case "cell":
		view := d.view()
		if p := view.Purpose(e.Purpose); p == nil || view.Channel(e.Channel) == nil || view.Field(e.Field) == nil {
			return "", errMoved
		}
		d.setCell(e.Purpose, e.Channel, e.Field, e.As)
		return "matrix", nil
	case "item":
		return e.applyItem(d)
	case "remove":
		return e.List, d.remove(e.List, e.Name)
	case "text":
		whole, err := parseDocument([]byte(e.Text))
		if err != nil {
			return "", err
		}
		*d = *whole
		return "", nil
	}
	return "", fmt.Errorf("an edit of kind %q is not known", e.Kind)
}

// applyItem changes an item of a list as its form says.
func (e *edit) applyItem(d *document) (string, error) {
	n, i := d.item(e.List, e.Name)
	if e.Name == "" {
		n, i = d.add(e.List)
	}
	if n == nil {
		return "", errMoved
	}
	for _, in := range inputsOf(e.List) {
		in.write(n, e.Values)
	}
	return fmt.Sprintf("%s[%d]", e.List, i), nil
}

// work returns the officer's, or nil if nothing lies on their desk.
func (v *visit) work() (*work, error) {
	raw, mark, err := v.vault.Desk(v.ctx, v.by)
	if err != nil || raw == nil {
		return nil, err
	}
	w := &work{mark: mark}
	if err := json.Unmarshal(raw, w); err != nil {
		return nil, fmt.Errorf("reading what lies on the desk: %w", err)
	}
	return w, nil
}

// place is where in the matrix the last edit was, if it was there.
func (w *work) place() string {
	if len(w.Edits) == 0 || w.Edits[len(w.Edits)-1].Kind != "cell" {
		return "/console/matrix"
	}
	e := w.Edits[len(w.Edits)-1]
	return "/console/matrix?" + whereCell(e.Purpose, e.Channel, e.Field)
}

func (v *visit) keep(w *work) error {
	raw, err := json.Marshal(w)
	if err != nil {
		return err
	}
	return v.vault.PutDesk(v.ctx, v.by, raw, w.mark)
}

// clear clears the desk of the work.
func (v *visit) clear(w *work) error { return v.vault.PutDesk(v.ctx, v.by, nil, w.mark) }

// laidMeanwhile reports whether something else was laid on the desk since it was
// read, from another page of the officer's.
func laidMeanwhile(err error) bool {
	var refused *vault.Error
	return errors.As(err, &refused) && refused.Code == vault.CodeWrongState
}

// register returns the register as the officer works at it, or as it is in force:
// its text and the revision that it was made from. Before any was applied it is
// nil.
func (v *visit) register() (*document, *work, error) {
	w, err := v.work()
	if err != nil {
		return nil, nil, err
	}
	if w == nil {
		view, err := v.inForce()
		if err != nil || view == nil {
			return nil, nil, err
		}
		w = &work{Format: 1, Base: view.Revision, Text: string(view.YAML)}
	}
	d, err := parseDocument([]byte(w.Text))
	return d, w, err
}

// inForce is the register in force, nil if there is none.
func (v *visit) inForce() (*vault.RegisterView, error) {
	view, err := v.vault.Register(v.ctx, v.by)
	var refused *vault.Error
	if errors.As(err, &refused) && refused.Code == vault.CodeNotFound {
		return nil, nil
	}
	if err != nil || view.Revision == 0 {
		return nil, err
	}
	return view, nil
}

// wrong is what is wrong with an edit: at inputs of its form, and elsewhere.
type wrong struct {
	At        map[string]string
	Elsewhere []vault.RegisterProblem
}

// Empty reports whether nothing is wrong.
func (w *wrong) Empty() bool { return w == nil || len(w.At) == 0 && len(w.Elsewhere) == 0 }

// change lays an edit on the officer's desk, if the register stays one with it. It
// returns what is wrong if not, and nothing is changed then. Edits from several
// pages at once are laid one on top of the other.
func (v *visit) change(e edit) (bad *wrong, err error) {
	for range 100 {
		if bad, err = v.lay(e); !laidMeanwhile(err) {
			break
		}
	}
	return bad, err
}

func (v *visit) lay(e edit) (*wrong, error) {
	d, w, err := v.register()
	if err != nil {
		return nil, err
	}
	if d == nil {
		if e.Kind != "text" {
			return nil, errMoved
		}
		w = &work{Format: 1}
	}
	place, text := "", []byte(e.Text)
	if e.Kind != "text" { // which stays as it was written, and the vault says what is wrong with it
		if place, err = e.apply(d); err == nil {
			text, err = d.text()
		}
		if err != nil {
			return nil, err
		}
	}
	applied, err := v.vault.ApplyRegister(v.ctx, v.by, "register.yaml", text, nil, true)
	var problems *vault.RegisterProblems
	if errors.As(err, &problems) {
		return wrongIn(place, problems), nil
	}
	if err != nil {
		return nil, err
	}
	if applied.Status == vault.StatusUnchanged { // back to what is in force
		return nil, v.clear(w)
	}
	w.Text, w.Edits = string(text), append(w.Edits, e)
	return nil, v.keep(w)
}

// toReview is where every edit leads: to what it would do, before it does it.
func (v *visit) toReview() error {
	w, err := v.work()
	if err != nil {
		return err
	}
	if w == nil {
		return v.done("/console/register", "unchanged")
	}
	return v.redirect("/console/register/review")
}

// again makes the edits on top of the register in force, and tells which could
// not be made.
func (v *visit) again(w *work) (lost int, err error) {
	view, err := v.inForce()
	if err != nil || view == nil {
		return 0, errors.Join(err, errNotFound)
	}
	d, err := parseDocument(view.YAML)
	if err != nil {
		return 0, err
	}
	next := &work{Format: 1, Base: view.Revision, mark: w.mark}
	for _, e := range w.Edits {
		if _, err := e.apply(d); err != nil {
			lost++
			continue
		}
		next.Edits = append(next.Edits, e)
	}
	text, err := d.text()
	if err != nil {
		return 0, err
	}
	if next.Text = string(text); len(next.Edits) == 0 {
		return lost, v.clear(next)
	}
	return lost, v.keep(next)
}

// status is that of an answer to a form that something is wrong with, or of the
// page when nothing is.
func (w *wrong) status() int {
	if w.Empty() {
		return http.StatusOK
	}
	return http.StatusUnprocessableEntity
}
