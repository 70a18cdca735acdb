package webtest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	// action is what a template does among its HTML.
	action = regexp.MustCompile(`\{\{.*?\}\}`)
	// quotedText is a text in quotes, in an action or in code.
	quotedText = regexp.MustCompile("\"((?:[^\"\\\\\n]|\\\\.)*)\"")
	// wordsOf is a family of messages, of which a template says one or another.
	wordsOf = regexp.MustCompile(`words "([^"]+)"`)
)

// Messages fails the test of a family of pages, in whose folder it runs, if its
// catalogues hold a message that neither its templates nor its code name: as it is,
// or by its beginning, as in "status." + status and "nav.%s".
func Messages(t testing.TB) {
	t.Helper()
	named, begun := map[string]bool{}, []string{}
	for _, pattern := range []string{"*.go", "templates/*.html"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			said := string(text)
			if strings.HasSuffix(file, ".html") {
				said = strings.Join(action.FindAllString(said, -1), "\n")
			}
			for _, one := range wordsOf.FindAllStringSubmatch(said, -1) {
				begun = append(begun, one[1]+".")
			}
			for _, one := range quotedText.FindAllStringSubmatch(said, -1) {
				named[one[1]] = true
				if at := strings.Index(one[1], "%s"); at > 0 {
					begun = append(begun, one[1][:at])
				}
				if strings.HasSuffix(one[1], ".") || strings.HasSuffix(one[1], "_") {
					begun = append(begun, one[1])
				}
			}
		}
	}
	catalogues, err := filepath.Glob("messages/*.json")
	if err != nil || len(catalogues) == 0 {
		t.Fatalf("there are no catalogues here: %v", err)
	}
	for _, file := range catalogues {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var messages map[string]any
		if err := json.Unmarshal(text, &messages); err != nil {
			t.Fatal(err)
		}
		for key := range messages {
			begins := func(with string) bool { return strings.HasPrefix(key, with) && with != key }
			said := strings.TrimPrefix(key, "flash.")
			if !named[key] && !named[said] && !slices.ContainsFunc(begun, begins) && !slices.ContainsFunc(begun, func(with string) bool { return said != key && strings.HasPrefix(said, with) }) {
				t.Errorf("%s: nobody says %q", file, key)
			}
		}
	}
}
