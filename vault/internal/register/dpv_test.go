package register

import (
	"encoding/csv"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// vocabulary is where the tables of DPV 2.1 lie, if they are at hand: beside
// the project, not in it.
const vocabulary = "../../../../shared/data/dpv"

// table reads one of them, and from it the terms that are classes, with whether
// each is a special category.
func table(t *testing.T, name string) map[string]bool {
	t.Helper()
	f, err := os.Open(filepath.Join(vocabulary, name))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("skipped: the tables of DPV 2.1 are not in %s", vocabulary)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := func(title string) int { return slices.Index(rows[0], title) }
	all := map[string]bool{}
	for _, row := range rows[1:] {
		if row[column("type")] == "class" {
			special := slices.Contains(strings.Split(row[column("dpvtype")], ";"), dpvNamespace+"SpecialCategoryPersonalData")
			all[compact(row[column("iri")])] = special
		}
	}
	return all
}

func TestTheTermsKnownHereAreTermsOfDPV(t *testing.T) {
	data, purposes := table(t, "personal-data-extension.csv"), table(t, "purposes.csv")
	for term := range table(t, "personal_data.csv") {
		data[term] = term == "dpv:SpecialCategoryPersonalData"
	}
	for _, term := range categories() {
		if special, ok := data[term]; !ok || special {
			t.Errorf("category %s: known %v, special %v, want a known one that is not special", term, ok, special)
		}
	}
	for _, term := range specialCategories() {
		if special, ok := data[term]; !ok || !special {
			t.Errorf("category %s: known %v, special %v, want a known one that is special", term, ok, special)
		}
	}
	for term, special := range data {
		if special && !slices.Contains(specialCategories(), term) {
			t.Errorf("%s is a special category and not known here as one", term)
		}
	}
	for _, term := range purposeTerms() {
		if _, ok := purposes[term]; !ok {
			t.Errorf("purpose %s is no term of DPV", term)
		}
	}
}
