package page

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

// A catalogue holds a family's messages in one language, of one file or of several,
// <part>.<language>.json. They are JSON:
//
//	{"greeting": "Good day, {name}",
//	 "reads": {"one": "{n} read", "other": "{n} reads"}}
//
// The forms of a message that counts are CLDR's plural categories, and n is the
// count.
type catalogue struct {
	tag      language.Tag
	messages map[string]message
}

type message struct {
	text  string
	forms map[string]string // by plural category, for messages that count
}

func (m *message) UnmarshalJSON(data []byte) error {
	if data[0] == '"' {
		return json.Unmarshal(data, &m.text)
	}
	if err := json.Unmarshal(data, &m.forms); err != nil {
		return err
	}
	if m.forms["other"] == "" {
		return fmt.Errorf("a message that counts needs the form %q", "other")
	}
	return nil
}

// readCatalogues reads files <language>.json and <part>.<language>.json. No two of a
// language say the same message.
func readCatalogues(files fs.FS) (map[string]catalogue, error) {
	names, err := fs.Glob(files, "*.json")
	if err != nil {
		return nil, err
	}
	all := map[string]catalogue{}
	for _, name := range names {
		lang := strings.TrimSuffix(path.Base(name), ".json")
		lang = lang[strings.LastIndexByte(lang, '.')+1:]
		tag, err := language.Parse(lang)
		if err != nil {
			return nil, fmt.Errorf("%s is not named for a language: %w", name, err)
		}
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		c := catalogue{tag: tag}
		if err := json.Unmarshal(data, &c.messages); err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		for key := range all[lang].messages {
			if _, twice := c.messages[key]; twice {
				return nil, fmt.Errorf("message %q is in two files of %q", key, lang)
			}
		}
		all[lang] = all[lang].with(c)
	}
	return all, nil
}

// with returns c with the messages of more, which win.
func (c catalogue) with(more catalogue) catalogue {
	both := map[string]message{}
	maps.Copy(both, c.messages)
	maps.Copy(both, more.messages)
	return catalogue{tag: more.tag, messages: both}
}

// say is the message called key with its {names} replaced by what pairs gives
// them, name after name with its value.
func (c catalogue) say(key string, pairs ...any) (string, error) {
	m, ok := c.messages[key]
	if !ok {
		return "", fmt.Errorf("there is no message %q in %v", key, c.tag)
	}
	if len(pairs)%2 != 0 {
		return "", fmt.Errorf("message %q was given a name without a value", key)
	}
	text := m.text
	var replace []string
	for pair := range slices.Chunk(pairs, 2) {
		name, value := fmt.Sprint(pair[0]), pair[1]
		if name == "n" && m.forms != nil {
			text = m.forms[c.form(value)]
			if text == "" {
				text = m.forms["other"]
			}
		}
		replace = append(replace, "{"+name+"}", fmt.Sprint(value))
	}
	if m.forms != nil && text == "" {
		return "", fmt.Errorf("message %q counts, and was given no n", key)
	}
	return strings.NewReplacer(replace...).Replace(text), nil
}

// words is the message "family.name", or the name itself where there is none: for
// names that come from elsewhere.
func (c catalogue) words(family string, name any) string {
	text, err := c.say(family + "." + fmt.Sprint(name))
	if err != nil {
		return fmt.Sprint(name)
	}
	return text
}

// form is the plural category of count in this language.
func (c catalogue) form(count any) string {
	var n int
	if _, err := fmt.Sscan(fmt.Sprint(count), &n); err != nil {
		return "other"
	}
	switch plural.Cardinal.MatchPlural(c.tag, abs(n), 0, 0, 0, 0) {
	case plural.Zero:
		return "zero"
	case plural.One:
		return "one"
	case plural.Two:
		return "two"
	case plural.Few:
		return "few"
	case plural.Many:
		return "many"
	}
	return "other"
}

func abs(n int) int { return max(n, -n) }

// compareCatalogues tells which message is not in every language, or not with
// the same {names}.
func compareCatalogues(all map[string]catalogue) error {
	langs := slices.Sorted(maps.Keys(all))
	for _, a := range langs {
		for _, b := range langs {
			for key, m := range all[a].messages {
				other, ok := all[b].messages[key]
				if !ok {
					return fmt.Errorf("message %q is there in %q and not in %q", key, a, b)
				}
				if x, y := m.names(), other.names(); !slices.Equal(x, y) {
					return fmt.Errorf("message %q names %v in %q and %v in %q", key, x, a, y, b)
				}
			}
		}
	}
	return nil
}

// names are the {names} in m, sorted.
func (m message) names() []string {
	texts := []string{m.text}
	if m.forms != nil {
		texts = []string{m.forms["other"]}
	}
	var names []string
	for _, text := range texts {
		for {
			_, rest, ok := strings.Cut(text, "{")
			if !ok {
				break
			}
			name, after, ok := strings.Cut(rest, "}")
			if !ok {
				break
			}
			names, text = append(names, name), after
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
