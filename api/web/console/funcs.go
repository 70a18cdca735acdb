package console

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// funcs are what the templates of the console can do beside those of all pages.
func funcs() template.FuncMap {
	return template.FuncMap{
		"inc":     func(n int) int { return n + 1 },
		"short":   short,
		"lines":   lines,
		"percent": func(share float64) int { return int(math.Round(100 * share)) },
		"text":    func(t privacy.Text, lang string) string { return t.In(lang) },
	}
}

// short is the beginning and the end of an ID.
func short(id any) string {
	s := fmt.Sprint(id)
	kind, rest, ok := strings.Cut(s, "_")
	if !ok || len(rest) < 12 {
		return s
	}
	return kind + "_…" + rest[len(rest)-6:]
}

// lines writes sorted numbers with runs of them as one: 3–5, 8.
func lines(numbers []int) string {
	var parts []string
	for i := 0; i < len(numbers); {
		end := i
		for end+1 < len(numbers) && numbers[end+1] == numbers[end]+1 {
			end++
		}
		part := strconv.Itoa(numbers[i])
		if end > i {
			part += "–" + strconv.Itoa(numbers[end])
		}
		parts, i = append(parts, part), end+1
	}
	return strings.Join(parts, ", ")
}
