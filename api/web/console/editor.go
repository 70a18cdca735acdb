package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/sayso-vault/sayso/vault"
)

// turner is a method of the vault that brings a rule set on its way.
type turner func(ruleVault, context.Context, vault.Caller, string) (*vault.Policy, error)

// editorPage is where rules are written.
type editorPage struct {
	From     string // the rule set that was taken for a start
	Note     string
	Modules  []edited
	Problems []vault.PolicyProblem
	Checked  *vault.PolicyTest // nil: there are problems, or nothing to check yet
	Laid     bool              // the texts were just laid out
	Problem  string            // key of a message
}

// edited is one module in the editor.
type edited struct {
	Name, Text string
	Problems   []vault.PolicyProblem
}

// Rows is the height of the field without the editor.
func (e edited) Rows() int { return min(max(strings.Count(e.Text, "\n")+3, 10), 40) }

// fresh rules begin with a sentence that says what they can do.
const freshRules = `package sayso.rules

# What register and consent do not cover, no rule releases: a rule withholds or
# masks more.
#
# withhold contains {"field": "address", "reason": "Addresses are not shown at night"} if {
# 	input.channel.kind == "call_centre"
# }
`

const freshTests = `package sayso.rules_test

import data.sayso.rules
`

func newRules(v *visit) error {
	p := editorPage{From: v.r.URL.Query().Get("from")}
	if p.From == "" {
		inForce, err := v.rulesInForce()
		if err != nil {
			return err
		}
		p.From = inForce
	}
	set, err := v.vault.PolicyByID(v.ctx, v.by, p.From)
	if err != nil {
		return err
	}
	p.From = set.ID
	for _, m := range modulesOf(set.Modules) {
		p.Modules = append(p.Modules, edited{Name: m.Name, Text: m.Text})
	}
	if len(p.Modules) == 0 {
		p.Modules = []edited{{Name: "rules.rego", Text: freshRules}}
	}
	return v.edit(http.StatusOK, p)
}

// edit shows the editor, with what is wrong with the rules in it and what their
// tests say.
func (v *visit) edit(status int, p editorPage) error {
	modules, err := p.texts()
	if err != nil {
		p.Problem = "editor.names"
		return v.render(http.StatusUnprocessableEntity, "editor.html", p)
	}
	var problems *vault.PolicyProblems
	p.Checked, err = v.vault.CheckPolicy(v.ctx, v.by, modules)
	if errors.As(err, &problems) {
		p.Problems = problems.Problems
		for i := range p.Modules {
			for _, wrong := range p.Problems {
				if wrong.Module == p.Modules[i].Name {
					p.Modules[i].Problems = append(p.Modules[i].Problems, wrong)
				}
			}
		}
	} else if err != nil {
		return err
	}
	return v.render(status, "editor.html", p)
}

// errNames: modules need names, each its own.
var errNames = errors.New("the modules' names are missing or not their own")

func (p *editorPage) texts() (map[string]string, error) {
	texts := map[string]string{}
	for _, m := range p.Modules {
		if _, twice := texts[m.Name]; twice || m.Name == "" {
			return nil, errNames
		}
		texts[m.Name] = m.Text
	}
	return texts, nil
}

// edited reads the editor's form.
func (v *visit) edited() (p editorPage, err error) {
	if err := v.r.ParseForm(); err != nil {
		return p, err
	}
	p.From, p.Note = v.value("from"), v.value("note")
	names, texts := v.r.PostForm["name"], v.r.PostForm["text"]
	if len(names) != len(texts) || len(names) > 64 {
		return p, errNotFound
	}
	for i, name := range names {
		p.Modules = append(p.Modules, edited{Name: strings.TrimSpace(name), Text: strings.ReplaceAll(texts[i], "\r\n", "\n")})
	}
	return p, nil
}

// writeRules does what a button of the editor says: keep a draft, check, lay out,
// or another module.
func writeRules(v *visit) error {
	p, err := v.edited()
	if err != nil {
		return err
	}
	modules, err := p.texts()
	do, number, _ := strings.Cut(v.value("do"), " ")
	switch do {
	case "rules", "tests":
		p.Modules = append(p.Modules, p.another(do))
		return v.edit(http.StatusOK, p)
	case "remove":
		if i, err := strconv.Atoi(number); err == nil && i >= 0 && i < len(p.Modules) && len(p.Modules) > 1 {
			p.Modules = slices.Delete(p.Modules, i, i+1)
		}
		return v.edit(http.StatusOK, p)
	}
	if err != nil || do == "check" {
		return v.edit(http.StatusOK, p)
	}
	var problems *vault.PolicyProblems
	if do == "format" {
		laid, err := v.vault.FormatPolicy(v.ctx, v.by, modules)
		if errors.As(err, &problems) {
			return v.edit(http.StatusOK, p)
		}
		if err != nil {
			return err
		}
		for i := range p.Modules {
			p.Modules[i].Text = laid[p.Modules[i].Name]
		}
		p.Laid = true
		return v.edit(http.StatusOK, p)
	}
	draft, err := v.vault.DraftPolicy(v.ctx, v.by, modules, p.Note)
	if errors.As(err, &problems) {
		return v.edit(http.StatusUnprocessableEntity, p)
	}
	if err != nil {
		return err
	}
	return v.done("/console/rules/"+url.PathEscape(draft.ID), "rules_kept")
}

// another is a module to begin, with a name that is free.
func (p *editorPage) another(kind string) edited {
	stem, end, text := "rules", ".rego", freshRules
	if kind == "tests" {
		end, text = "_test.rego", freshTests
	}
	name := stem + end
	for n := 2; slices.ContainsFunc(p.Modules, func(m edited) bool { return m.Name == name }); n++ {
		name = fmt.Sprintf("%s%d%s", stem, n, end)
	}
	return edited{Name: name, Text: text}
}

// checkRules tells the editor what is wrong, while somebody writes. A module goes
// by its place, since its name may be being written, too.
func checkRules(v *visit) error {
	p, err := v.edited()
	if err != nil {
		return err
	}
	type problem struct {
		Module  string `json:"module"`
		Line    int    `json:"line"`
		Column  int    `json:"column"`
		Message string `json:"message"`
	}
	answer := struct {
		Problems []problem `json:"problems"`
	}{[]problem{}}
	modules, err := p.texts()
	if err == nil {
		_, err = v.vault.CheckPolicy(v.ctx, v.by, modules)
	}
	var problems *vault.PolicyProblems
	switch {
	case errors.Is(err, errNames):
	case errors.As(err, &problems):
		for _, wrong := range problems.Problems {
			at := slices.IndexFunc(p.Modules, func(m edited) bool { return m.Name == wrong.Module })
			answer.Problems = append(answer.Problems, problem{Module: "m" + strconv.Itoa(max(at, 0)), Line: wrong.Line, Column: wrong.Column, Message: wrong.Message})
		}
	case err != nil:
		return err
	}
	return v.json(answer)
}

// showResults is what the editor shows beside the text while somebody writes.
func showResults(v *visit) error {
	p, err := v.edited()
	if err != nil {
		return err
	}
	return v.edit(http.StatusOK, p)
}

func (v *visit) json(answer any) error {
	body, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "application/json")
	_, err = v.w.Write(body)
	return err
}

// completions are the paths of the input, and what rules are made of, for the
// editor to offer.
func completions(v *visit) error {
	paths, err := v.vault.InputDocument(v.ctx, v.by)
	if err != nil {
		return err
	}
	type completion struct {
		Label  string `json:"label"`
		Type   string `json:"type"`
		Detail string `json:"detail,omitempty"`
		Info   string `json:"info,omitempty"`
		Apply  string `json:"apply,omitempty"`
	}
	all := []completion{
		{Label: "withhold", Type: "keyword", Apply: "withhold contains {\"field\": \"\", \"reason\": \"\"} if {\n\t\n}"},
		{Label: "mask", Type: "keyword", Apply: "mask contains {\"field\": \"\", \"mask\": \"\"} if {\n\t\n}"},
	}
	seen := map[string]bool{}
	for _, p := range paths {
		all = append(all, completion{Label: p.Path, Type: "property", Detail: p.Type, Info: strings.Join(p.Values, ", ")})
		for _, value := range p.Values {
			if !seen[value] {
				seen[value] = true
				all = append(all, completion{Label: value, Type: "constant", Detail: p.Path})
			}
		}
	}
	return v.json(all)
}
