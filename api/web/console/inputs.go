package console

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// inputKind is how a value is asked for.
type inputKind string

const (
	asText   inputKind = "text"
	asPeriod inputKind = "period" // ISO 8601
	asNumber inputKind = "number"
	asFlag   inputKind = "flag"
	asWords  inputKind = "words"  // a text by language
	asArea   inputKind = "area"   // a long one
	asChoice inputKind = "choice" // one of options
	asMany   inputKind = "many"   // some of options
	asLines  inputKind = "lines"  // texts, one a line
)

// input is one value of an item of the register: its path there is its name in the
// form, so that what the register finds wrong is shown where it was typed.
type input struct {
	Path  string
	Kind  inputKind
	Need  bool
	Fixed bool   // once the item is there
	From  string // of choices: fields, purposes; else the options are Options
	// Options are what can be chosen, by the register's names.
	Options []string
	// Group begins a part of the form with a heading, "group.GROUP".
	Group string
}

// languages are those that texts for people are asked for in; what is there in
// others stays.
var languages = [...]string{"en", "de"}

// inputsOf are the inputs of the items of a list.
func inputsOf(list string) []input {
	switch list {
	case "fields":
		return []input{
			{Path: "name", Kind: asText, Need: true, Fixed: true},
			{Path: "title", Kind: asWords},
			{Path: "type", Kind: asChoice, Need: true, Options: names(privacy.Types)},
			{Path: "identifier", Kind: asChoice, Options: []string{"unique", "shared"}},
			{Path: "category", Kind: asText},
			{Path: "special", Kind: asFlag},
			{Path: "mask", Kind: asChoice, Options: names(privacy.Masks())},
			{Path: "retention", Kind: asPeriod, Group: "time"},
			{Path: "max_age", Kind: asPeriod},
			{Path: "ttl", Kind: asPeriod},
		}
	case "purposes":
		return []input{
			{Path: "id", Kind: asText, Need: true, Fixed: true},
			{Path: "title", Kind: asWords, Need: true},
			{Path: "benefit", Kind: asWords},
			{Path: "basis", Kind: asChoice, Need: true, Options: names(privacy.LegalBases)},
			{Path: "dpv", Kind: asText},
			{Path: "fields", Kind: asMany, Need: true, From: "fields", Group: "data"},
			{Path: "recipients", Kind: asLines},
			{Path: "retention", Kind: asPeriod},
			{Path: "broader", Kind: asChoice, From: "purposes"},
			{Path: "jurisdictions", Kind: asLines},
			{Path: "profiling", Kind: asFlag},
			{Path: "consent.notice.version", Kind: asText, Group: "notice"},
			{Path: "consent.notice.text", Kind: asArea},
			{Path: "consent.notice.purposes", Kind: asMany, From: "purposes"},
			{Path: "consent.valid_for", Kind: asPeriod},
			{Path: "consent.explicit", Kind: asFlag},
		}
	case "channels":
		return []input{
			{Path: "id", Kind: asText, Need: true, Fixed: true},
			{Path: "title", Kind: asWords},
			{Path: "kind", Kind: asText, Need: true},
			{Path: "purposes", Kind: asMany, From: "purposes", Group: "may"},
			{Path: "captures", Kind: asMany, From: "fields"},
			{Path: "obtains", Kind: asMany, From: "purposes"},
			{Path: "recipient", Kind: asText},
			{Path: "sessions.step_up", Kind: asChoice, Options: []string{"verified", "none"}},
			{Path: "bulk.audiences", Kind: asFlag},
			{Path: "limits.requests_per_minute", Kind: asNumber, Group: "limits"},
			{Path: "limits.people_per_day", Kind: asNumber},
			{Path: "limits.empty_answers_per_day", Kind: asNumber},
			{Path: "limits.captures_per_person_per_day", Kind: asNumber},
		}
	}
	return nil
}

func names[T ~string](all []T) []string {
	out := make([]string, len(all))
	for i, one := range all {
		out[i] = string(one)
	}
	return out
}

// inLanguages reports whether it is asked for in each language.
func (in *input) inLanguages() bool { return in.Kind == asWords || in.Kind == asArea }

// read is what the form holds of an item.
func (in *input) read(item *yaml.Node) map[string][]string {
	n := at(item, in.Path)
	switch {
	case in.inLanguages():
		said, all := words(n), map[string][]string{}
		for lang, t := range said {
			if lang == "" {
				lang = "en"
			}
			all[in.Path+"."+lang] = []string{t}
		}
		return all
	case in.Path == "sessions.step_up": // which true stands for, too
		return map[string][]string{in.Path: {stepUp(member(item, "sessions"))}}
	case in.Kind == asMany:
		return map[string][]string{in.Path: texts(n)}
	case in.Kind == asLines:
		return map[string][]string{in.Path: {strings.Join(texts(n), "\n")}}
	}
	return map[string][]string{in.Path: {text(n)}}
}

// write puts what the form holds into an item. What the form does not speak of
// stays as it is.
func (in *input) write(item *yaml.Node, values map[string][]string) {
	first := func(name string) (string, bool) {
		all, is := values[name]
		if len(all) == 0 {
			return "", is
		}
		return strings.TrimSpace(strings.ReplaceAll(all[0], "\r\n", "\n")), is
	}
	if in.inLanguages() {
		in.writeWords(item, first)
		return
	}
	value, is := first(in.Path)
	if !is {
		return
	}
	switch {
	case in.Kind == asMany:
		some := slices.DeleteFunc(slices.Clone(values[in.Path]), func(s string) bool { return s == "" })
		in.put(item, listOf(some), len(some) == 0)
	case in.Kind == asLines:
		var some []string
		for line := range strings.SplitSeq(value, "\n") {
			if line = strings.TrimSpace(line); line != "" {
				some = append(some, line)
			}
		}
		in.put(item, listOf(some), len(some) == 0)
	case in.Kind == asFlag:
		in.put(item, boolean(true), value != "true")
	case in.Kind == asNumber:
		in.put(item, number(value), value == "")
	default:
		in.put(item, scalar(value), value == "")
	}
}

func (in *input) put(item, value *yaml.Node, empty bool) {
	if empty {
		value = nil
	}
	if in.Path == "sessions.step_up" {
		put(item, "sessions", nil) // true or false
	}
	set(item, in.Path, value)
}

// writeWords puts a text for people: as it is if it is in one language only, and
// what is there in languages that the form does not ask for stays.
func (in *input) writeWords(item *yaml.Node, value func(string) (string, bool)) {
	said, spoken := words(at(item, in.Path)), false
	_, bare := said[""]
	if bare {
		said["en"] = said[""]
		delete(said, "")
	}
	for _, lang := range languages {
		if t, is := value(in.Path + "." + lang); is {
			said[lang], spoken = t, true
		}
	}
	if !spoken {
		return
	}
	maps.DeleteFunc(said, func(_, t string) bool { return t == "" })
	old := at(item, in.Path)
	switch {
	case len(said) == 0:
		set(item, in.Path, nil)
	case len(said) == 1 && said["en"] != "" && (old == nil || bare):
		set(item, in.Path, scalar(said["en"]))
	default:
		n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		if in.Kind == asWords {
			n.Style = yaml.FlowStyle
		}
		for _, lang := range slices.Sorted(maps.Keys(said)) {
			put(n, lang, scalar(said[lang]))
		}
		set(item, in.Path, n)
	}
}

var position = regexp.MustCompile(`\[\d+\]`)

// wrongIn sorts what is wrong with a register: what lies at a place in the text
// goes to the inputs there.
func wrongIn(place string, problems *vault.RegisterProblems) *wrong {
	w := &wrong{At: map[string]string{}}
	for _, p := range problems.Problems {
		path, here := strings.CutPrefix(p.Key, place)
		if !here || place == "" || path != "" && path[0] != '.' && path[0] != '[' {
			w.Elsewhere = append(w.Elsewhere, p)
			continue
		}
		path = position.ReplaceAllString(strings.TrimPrefix(path, "."), "")
		list, _, _ := strings.Cut(place, "[")
		if i := slices.IndexFunc(inputsOf(list), func(in input) bool { return path == in.Path || strings.HasPrefix(path, in.Path+".") }); i >= 0 {
			path = inputsOf(list)[i].Path
		} else {
			w.Elsewhere = append(w.Elsewhere, p)
			continue
		}
		if w.At[path] != "" {
			w.At[path] += "; "
		}
		w.At[path] += p.Detail
	}
	return w
}
