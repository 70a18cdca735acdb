package privacy

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// show is a value of a field as people write it, a line each. What is masked may
// not be of the field's type, and is shown as it is.
func (v *visit) show(field privacy.FieldName, raw []byte) []string {
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		return nil
	}
	if text, ok := value.(string); ok {
		switch v.titles.fields[field].Type {
		case privacy.TypePhone:
			return []string{telephone(text)}
		case privacy.TypeCountry:
			return []string{v.country(text)}
		case privacy.TypeLanguage:
			return []string{v.language(text)}
		}
	}
	return v.lines(value)
}

func (v *visit) lines(value any) []string {
	switch value := value.(type) {
	case string:
		if at, err := time.Parse(time.DateOnly, value); err == nil {
			return []string{v.day(at)}
		}
		return strings.Split(strings.ReplaceAll(value, "\r\n", "\n"), "\n")
	case bool:
		if value {
			return []string{v.say("yes")}
		}
		return []string{v.say("no")}
	case float64:
		return []string{v.number(value)}
	case []any:
		var all []string
		for _, one := range value {
			all = append(all, v.lines(one)...)
		}
		return all
	case map[string]any:
		return v.members(value)
	}
	return nil
}

// day is a date as it is written.
func (v *visit) day(at time.Time) string {
	return v.say("date", "day", at.Day(), "month", v.say("month."+at.Format("1")), "year", at.Year())
}

// number is a number as it is written, with the language's own sign before the
// decimals and nothing between thousands: it may be one that is not counted with.
func (v *visit) number(n float64) string {
	text, err := json.Marshal(n)
	if err != nil {
		return ""
	}
	return strings.Replace(string(text), ".", v.say("decimal"), 1)
}

// addressMembers are what an address is made of.
var addressMembers = []string{"formatted", "street_address", "postal_code", "locality", "region", "country"}

// members are the lines of an object: an address as on a letter, others with their
// names.
func (v *visit) members(object map[string]any) []string {
	names := slices.Sorted(maps.Keys(object))
	other := func(name string) bool { return !slices.Contains(addressMembers, name) }
	if len(names) > 0 && !slices.ContainsFunc(names, other) {
		return v.letter(object)
	}
	var all []string
	for _, name := range names {
		all = append(all, plain(name)+": "+strings.Join(v.lines(object[name]), ", "))
	}
	return all
}

// letter is an address as it stands on one.
func (v *visit) letter(address map[string]any) []string {
	text := func(name string) string {
		s, _ := address[name].(string)
		return s
	}
	all := strings.Split(text("street_address"), "\n")
	all = append(all, strings.TrimSpace(text("postal_code")+" "+text("locality")), text("region"), v.country(text("country")))
	if all = slices.DeleteFunc(all, func(line string) bool { return line == "" }); len(all) == 0 {
		all = strings.Split(text("formatted"), "\n")
	}
	return all
}

// telephone is a number with gaps between its parts, as it is dialled.
func telephone(number string) string {
	n, err := phonenumbers.Parse(number, "")
	if err != nil {
		return number // masked
	}
	return phonenumbers.Format(n, phonenumbers.INTERNATIONAL)
}

// country is what a country is called, or its code.
func (v *visit) country(code string) string {
	region, err := language.ParseRegion(code)
	if err != nil {
		return code
	}
	if name := display.Regions(language.Make(v.lang)).Name(region); name != "" {
		return name
	}
	return code
}

// language is what a language is called, or its tag.
func (v *visit) language(tag string) string {
	parsed, err := language.Parse(tag)
	if err != nil {
		return tag
	}
	if name := display.Tags(language.Make(v.lang)).Name(parsed); name != "" {
		return name
	}
	return tag
}
