package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func decisionRoutes() []route {
	return []route{
		{pattern: "GET /console/decisions", do: findDecisions},
		{pattern: "GET /console/decisions/{id}", do: showDecision},
	}
}

// decisionsPage is the search, and what it found.
type decisionsPage struct {
	Asked    asked
	Channels []string
	Purposes []string
	Codes    []string
	Found    []foundDecision
	Next     string // the query that goes on, "" if there is no more
	Back     *time.Time
	Any      bool // something was asked for
	Problem  bool // of the subject
}

// asked is what the form holds.
type asked struct{ Channel, Purpose, Code, Subject, From, To string }

// foundDecision is a line of what was found.
type foundDecision struct {
	vault.DecisionLine
	Codes []string // of what was withheld, each once
}

// knownCodes are the reasons that decisions can be searched by.
var knownCodes = []string{"no_consent", "field_not_in_purpose", "no_ground", "restricted", "objected", "policy", "stale",
	vault.CodePurposeNotGranted, vault.CodeUnknownPurpose, vault.CodeUnavailable}

func findDecisions(v *visit) error {
	query := v.r.URL.Query()
	p := decisionsPage{Asked: asked{query.Get("channel"), query.Get("purpose"), query.Get("code"), strings.TrimSpace(query.Get("subject")), query.Get("from"), query.Get("to")}, Codes: knownCodes}
	p.Any = p.Asked != asked{}
	if id := p.Asked.Subject; strings.HasPrefix(id, "dec_") { // whoever has the ID needs no search
		return v.redirect("/console/decisions/" + url.PathEscape(id))
	}
	activities, err := v.vault.ProcessingActivities(v.ctx, v.by)
	if err == nil {
		for _, a := range activities.Activities {
			p.Purposes = append(p.Purposes, string(a.Purpose))
		}
	}
	channels, err := v.vault.Channels(v.ctx, v.by)
	if err != nil {
		return err
	}
	for _, c := range channels {
		p.Channels = append(p.Channels, string(c.ID))
	}
	q := vault.DecisionQuery{Channel: privacy.ChannelID(p.Asked.Channel), Purpose: privacy.PurposeID(p.Asked.Purpose), Code: p.Asked.Code, After: query.Get("after"), Limit: 25}
	if q.From, q.To, err = v.span(p.Asked.From, p.Asked.To); err != nil {
		return err
	}
	if p.Asked.Subject != "" {
		id, err := privacy.ParseSubjectID(p.Asked.Subject)
		if err != nil {
			p.Problem = true
			return v.render(http.StatusUnprocessableEntity, "decisions.html", p)
		}
		q.Subject = &id
	}
	found, err := v.vault.Decisions(v.ctx, v.by, q)
	if err != nil {
		return err
	}
	for _, d := range found.Decisions {
		f := foundDecision{DecisionLine: d}
		for _, code := range d.Withheld {
			f.Codes = append(f.Codes, string(code))
		}
		if d.Code != "" {
			f.Codes = append(f.Codes, d.Code)
		}
		slices.Sort(f.Codes)
		f.Codes = slices.Compact(f.Codes)
		p.Found = append(p.Found, f)
	}
	if found.Next != "" {
		query.Set("after", found.Next)
		p.Next, p.Back = query.Encode(), found.Back
	}
	return v.render(http.StatusOK, "decisions.html", p)
}

// decisionPage is one decision with why.
type decisionPage struct {
	*vault.DecisionView
	Released, Masked, Withheld int
	Fields                     []explained
	Remedies                   []remedy
	Outcome                    string // allowed, denied or refused
}

// explained is a field with the chain of facts.
type explained struct {
	vault.FieldExplained
	Missing bool // it was allowed, and there was no value
	Failed  *vault.Fact
}

// remedy is one smallest set of moves, and the fields it turns.
type remedy struct {
	Fields []string
	Moves  []vault.Move
}

func showDecision(v *visit) error {
	id, err := privacy.ParseDecisionID(v.r.PathValue("id"))
	if err != nil {
		return errNotFound
	}
	view, err := v.vault.Decision(v.ctx, v.by, id)
	if err != nil {
		return err
	}
	p := decisionPage{DecisionView: view, Outcome: "denied"}
	for _, f := range view.Fields {
		e := explained{FieldExplained: f, Missing: slices.Contains(view.Missing, f.Field)}
		for i := range f.Chain {
			if !f.Chain[i].Holds && e.Failed == nil {
				e.Failed = &f.Chain[i]
			}
		}
		switch string(f.Action) {
		case "release":
			p.Released++
		case "mask":
			p.Masked++
		default:
			p.Withheld++
		}
		p.Fields = append(p.Fields, e)
	}
	switch {
	case view.Refused != "":
		p.Outcome = "refused"
	case p.Released+p.Masked > 0:
		p.Outcome = "allowed"
	}
	for _, r := range view.Remedies {
		p.Remedies = append(p.Remedies, remedy{Fields: []string{string(r.Field)}, Moves: r.Moves})
	}
	p.Remedies = together(p.Remedies)
	return v.render(http.StatusOK, "decision.html", p)
}

// together says once what turns several fields.
func together(all []remedy) []remedy {
	var out []remedy
	for _, r := range all {
		i := slices.IndexFunc(out, func(o remedy) bool {
			return slices.EqualFunc(o.Moves, r.Moves, func(a, b vault.Move) bool { return a.Detail == b.Detail && a.Move == b.Move })
		})
		if i >= 0 {
			out[i].Fields = append(out[i].Fields, r.Fields...)
			continue
		}
		out = append(out, r)
	}
	slices.SortStableFunc(out, func(a, b remedy) int { return cmp.Compare(len(a.Moves), len(b.Moves)) })
	return out
}
