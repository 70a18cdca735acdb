package policy

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// InputPath is one path of the input that rules may look at.
type InputPath struct {
	Path string // as it is written: input.channel.id
	Type string // string, number, boolean or strings
	// Values are those it can have, if they are few. Default: any.
	Values []string
}

// Document lists every path of the input that rules compiled against a schema may
// look at, in the order of the documentation.
func Document(s Schema) []InputPath {
	var all []InputPath
	add := func(kind string, values []string, format string, args ...any) {
		all = append(all, InputPath{Path: fmt.Sprintf(format, args...), Type: kind, Values: values})
	}
	channels, purposes, fields := plainTexts(s.Channels), plainTexts(s.Purposes), make([]string, len(s.Fields))
	for i, f := range s.Fields {
		fields[i] = string(f.Name)
	}
	add("string", channels, "input.channel.id")
	add("string", nil, "input.channel.kind")
	add("string", purposes, "input.purpose.id")
	add("string", nil, "input.purpose.dpv")
	add("string", plainTexts([]privacy.LegalBasis{privacy.Consent, privacy.Contract, privacy.LegalObligation, privacy.VitalInterests, privacy.PublicTask, privacy.LegitimateInterests, privacy.OptOut}), "input.purpose.basis")
	add("string", nil, "input.subject.jurisdiction")
	add("string", []string{"under_13", "13_15", "16_17", "18_24", "25_34", "35_44", "45_54", "55_64", "65_plus", "unknown"}, "input.subject.age_band")
	add("string", []string{string(StandingActive), string(StandingRestricted), string(StandingErasing), string(StandingUnknown)}, "input.subject.standing")
	for _, p := range s.Purposes {
		add("string", []string{"none", "given", "refused", "withdrawn", "objected", "opted_out", "expired"}, "input.consents%s", key(string(p)))
	}
	for _, p := range s.Purposes {
		add("boolean", nil, "input.objected%s", key(string(p)))
	}
	add("strings", fields, "input.fields")
	for _, span := range []string{"day", "week", "month"} {
		add("number", nil, "input.touches.contacts.%s", span)
	}
	for _, p := range s.Purposes {
		for _, span := range []string{"day", "week", "month"} {
			add("number", nil, "input.touches.by_purpose%s.%s", key(string(p)), span)
		}
	}
	for _, list := range []string{"ordered", "answered", "offered", "events"} {
		add("strings", nil, "input.touches.%s", list)
	}
	for _, c := range s.Context {
		add(c.Type, slices.Clone(c.Enum), "input.context%s", key(c.Name))
	}
	add("string", nil, "input.now")
	return all
}

// key is a key of an object as rego writes it.
func key(name string) string {
	for i, r := range name {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return "[" + strconv.Quote(name) + "]"
		}
	}
	return "." + name
}

func plainTexts[T ~string](all []T) []string {
	out := make([]string, len(all))
	for i, t := range all {
		out[i] = string(t)
	}
	return out
}
