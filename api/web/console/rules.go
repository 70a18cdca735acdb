package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sayso-vault/sayso/policy"
	"github.com/sayso-vault/sayso/vault"
)

func ruleRoutes() []route {
	return []route{
		{pattern: "GET /console/rules", do: listRules},
		{pattern: "GET /console/rules/new", do: newRules},
		{pattern: "POST /console/rules", do: writeRules},
		{pattern: "POST /console/rules/check", do: checkRules},
		{pattern: "POST /console/rules/results", do: showResults},
		{pattern: "GET /console/rules/completions", do: completions},
		{pattern: "GET /console/rules/{id}", do: showRules},
		{pattern: "POST /console/rules/{id}/test", do: testRules},
		{pattern: "POST /console/rules/{id}/submit", do: turnRules(ruleVault.SubmitPolicy)},
		{pattern: "POST /console/rules/{id}/activate", do: turnRules(ruleVault.ActivatePolicy)},
		{pattern: "POST /console/rules/{id}/rollback", do: turnRules(ruleVault.RollbackPolicy)},
		{pattern: "POST /console/rules/{id}/approve", do: turnRules(ruleVault.ApprovePolicy)},
		{pattern: "POST /console/rules/{id}/reject", do: rejectRules},
	}
}

// rulesPage lists all rule sets.
type rulesPage struct {
	Active *vault.Policy
	Others []vault.Policy
}

func listRules(v *visit) error {
	all, err := v.vault.Policies(v.ctx, v.by)
	if err != nil {
		return err
	}
	var p rulesPage
	for i := range all {
		if all[i].Status == vault.StatusActive {
			p.Active = &all[i]
		} else {
			p.Others = append(p.Others, all[i])
		}
	}
	return v.render(http.StatusOK, "rules.html", p)
}

// setPage is one rule set with its life, and what can be done with it.
type setPage struct {
	Set     *vault.Policy
	Stages  []stage
	Modules []module
	InForce string // what is, so that nobody acts on what was
	Effects []policy.Effect
	Widens  int
	Test    *vault.PolicyTest
	Own     bool // this officer asked for approval
	Alone   bool // no other officer could approve
	Can     can
	Today   string
}

// can is what may be done with a rule set in its state.
type can struct{ Edit, Test, Replay, Submit, Activate, Approve, Reject, Rollback bool }

// stage is a part of a change's life.
type stage struct {
	Key  string // of a message
	Done bool
	Here bool
}

// module is one text of a rule set.
type module struct {
	Name, Text string
	Test       bool
	Lines      int
}

func showRules(v *visit) error { return v.showSet(http.StatusOK, v.r.PathValue("id"), nil) }

func (v *visit) showSet(status int, id string, test *vault.PolicyTest) error {
	p, err := v.set(id)
	if err != nil {
		return err
	}
	p.Test = test
	return v.render(status, "set.html", p)
}

func (v *visit) set(id string) (*setPage, error) {
	set, err := v.vault.PolicyByID(v.ctx, v.by, id)
	if err != nil {
		return nil, err
	}
	inForce, err := v.rulesInForce()
	if err != nil {
		return nil, err
	}
	officers, err := v.vault.Officers(v.ctx, v.by)
	if err != nil {
		return nil, err
	}
	p := &setPage{Set: set, Modules: modulesOf(set.Modules), InForce: inForce, Today: v.now().UTC().Format(time.DateOnly), Stages: stagesOf(set)}
	p.Alone = len(officers) < 2
	p.Own = set.Change != nil && set.Change.By == v.by.Client.Officer
	if set.Status != vault.StatusActive && set.Status != vault.StatusRejected {
		if p.Effects, err = v.vault.PolicyEffects(v.ctx, v.by, set.ID); err != nil {
			return nil, err
		}
	}
	for _, e := range p.Effects {
		if e.Widens {
			p.Widens++
		}
	}
	waits := set.Change != nil && !set.Change.Stale
	draft := slices.Contains([]string{vault.PolicyDraft, vault.PolicyTested, vault.PolicyReplayed, vault.PolicySubmitted}, set.Status) || set.Change != nil && set.Change.Stale && !set.Change.Rollback
	p.Can = can{
		Edit: true, Test: set.ID != vault.Guardrails, Replay: set.Status != vault.StatusRejected && set.Status != vault.StatusActive,
		Submit: draft && !p.Alone && !waits, Activate: draft && (!waits || !set.Change.Needed),
		Approve: waits && !p.Own, Reject: set.Change != nil || draft,
		Rollback: set.Status == vault.PolicySuperseded,
	}
	return p, nil
}

// rulesInForce is the ID of the rule set that is.
func (v *visit) rulesInForce() (string, error) {
	all, err := v.vault.Policies(v.ctx, v.by)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(all, func(p vault.Policy) bool { return p.Status == vault.StatusActive })
	if i < 0 {
		return "", errNotFound
	}
	return all[i].ID, nil
}

func modulesOf(texts map[string]string) []module {
	var all []module
	for name, text := range texts {
		all = append(all, module{Name: name, Text: text, Test: strings.HasSuffix(name, "_test.rego"), Lines: strings.Count(text, "\n") + 1})
	}
	slices.SortFunc(all, func(a, b module) int {
		if a.Test != b.Test {
			if b.Test {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	return all
}

// stagesOf says which parts of its life a rule set has behind it.
func stagesOf(set *vault.Policy) []stage {
	did := func(act string) bool {
		return slices.ContainsFunc(set.Steps, func(s vault.PolicyStep) bool { return s.Act == act && (act != "tested" || s.Passed) })
	}
	active := set.Status == vault.StatusActive || set.Status == vault.PolicySuperseded
	all := []stage{{Key: "draft", Done: true}, {Key: "checked", Done: true}, {Key: "tested", Done: did("tested")}, {Key: "replayed", Done: did("replayed")},
		{Key: "submitted", Done: did("submitted")}, {Key: "approved", Done: did("approved")}, {Key: "active", Done: active}}
	if set.Status == vault.StatusRejected {
		all[len(all)-1] = stage{Key: "rejected", Done: true}
	}
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Done {
			all[i].Here = true
			break
		}
	}
	return all
}

func testRules(v *visit) error {
	id := v.r.PathValue("id")
	test, err := v.vault.TestPolicy(v.ctx, v.by, id)
	if err != nil {
		return err
	}
	return v.showSet(http.StatusOK, id, test)
}

// turnRules makes a form's act of a method that brings a rule set on its way. Where
// other rules came into force since the page was shown, both are shown first.
func turnRules(turn turner) func(*visit) error {
	return func(v *visit) error {
		id := v.r.PathValue("id")
		inForce, err := v.rulesInForce()
		if err != nil {
			return err
		}
		if seen := v.value("in_force"); seen != inForce {
			return v.conflict(id, seen, inForce)
		}
		out, err := turn(v.vault, v.ctx, v.by, id)
		if err != nil {
			return err
		}
		key := "rules_" + out.Status
		if !slices.Contains([]string{"rules_active", "rules_pending", "rules_submitted"}, key) {
			key = "rules_done"
		}
		return v.done("/console/rules/"+url.PathEscape(id), key)
	}
}

func rejectRules(v *visit) error {
	id := v.r.PathValue("id")
	reason := v.value("reason")
	if reason == "" {
		return &vault.Error{Code: vault.CodeInvalidRequest, Detail: "a change is rejected with words", Fields: []vault.FieldError{{Field: "reason", Code: "required", Detail: "say why"}}}
	}
	if _, err := v.vault.RejectPolicy(v.ctx, v.by, id, reason); err != nil {
		return err
	}
	return v.done("/console/rules/"+url.PathEscape(id), "rules_rejected")
}

// conflictPage shows both sides of a change that was decided on what is over: what
// is in force now, and what would be.
type conflictPage struct {
	Set           *setPage
	Seen, InForce string
	Act           string
	Diffs         []moduleDiff
}

func (v *visit) conflict(id, seen, inForce string) error {
	p, err := v.set(id)
	if err != nil {
		return err
	}
	now, err := v.vault.PolicyByID(v.ctx, v.by, inForce)
	if err != nil {
		return err
	}
	parts := strings.Split(v.r.URL.Path, "/")
	return v.render(http.StatusConflict, "conflict.html", conflictPage{Set: p, Seen: seen, InForce: inForce, Act: parts[len(parts)-1], Diffs: diffModules(now.Modules, p.Set.Modules)})
}
