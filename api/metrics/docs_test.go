package metrics_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// Every metric of ours stands in the docs' table, and nothing else does.
func TestTheDocsListEveryMetric(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	var told, shown []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(sayso_[a-z_]+)`").FindAllStringSubmatch(string(text), -1) {
		told = append(told, m[1])
	}
	s := open(t)
	her := s.capture("web", anahita)
	s.post("/v1/reads", "sms", `{"subject":"`+her+`","purpose":"sms-marketing"}`)
	s.send("GET", "/v1/subjects/"+her+"/consents?purpose=sms-marketing", "sms", "", "")
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (sayso_[a-z_]+) `).FindAllStringSubmatch(s.send("GET", "/metrics", "", "", ""), -1) {
		shown = append(shown, m[1])
	}
	slices.Sort(told)
	slices.Sort(shown)
	for _, name := range shown {
		if !slices.Contains(told, name) {
			t.Errorf("%s is shown, and not in the docs", name)
		}
	}
	for _, name := range told {
		if !slices.Contains(shown, name) {
			t.Errorf("%s is in the docs, and not shown", name)
		}
	}
}
