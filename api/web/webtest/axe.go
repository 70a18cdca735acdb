package webtest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/chromedp/chromedp"
)

// rules are what WCAG 2.2 asks at the levels A and AA.
const rules = `{runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], resultTypes: ["violations"]}`

// Accessible fails the test if axe finds anything on the page as it is now.
func (tab *Tab) Accessible() {
	tab.t.Helper()
	if tab.options.NoScript {
		tab.t.Fatal("axe needs JavaScript: look at the same page with it")
	}
	axe, err := os.ReadFile(filepath.Join(Package(tab.t, "axe-core"), "axe.min.js"))
	if err != nil {
		tab.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	script := string(axe) + "\n;axe.run(document, " + rules + ").then(r => JSON.stringify(r.violations))"
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](script, chromedp.EvalAwaitPromise))
	if err != nil {
		tab.t.Fatalf("running axe: %v", err)
	}
	var violations []struct {
		ID, Help string
		Nodes    []struct {
			HTML           string
			FailureSummary string
		}
	}
	if err := json.Unmarshal([]byte(text), &violations); err != nil {
		tab.t.Fatalf("reading axe's answer: %v", err)
	}
	for _, v := range violations {
		var where []string
		for _, n := range v.Nodes {
			where = append(where, fmt.Sprintf("%s\n    %s", n.HTML, strings.ReplaceAll(n.FailureSummary, "\n", "\n    ")))
		}
		tab.t.Errorf("axe: %s (%s)\n  %s", v.Help, v.ID, strings.Join(where, "\n  "))
	}
}
