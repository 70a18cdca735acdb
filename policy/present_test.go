package policy

import (
	"strings"
	"testing"
)

// What is compared must be there: each text stands below "package sayso.rules"
// from line 3 on, and was once accepted and released where it is undefined.
func TestComparisonsOverWhatMayBeAbsentAreRefused(t *testing.T) {
	const always = `withhold contains {"field": "email", "reason": "x"} if `
	for name, c := range map[string]struct {
		text string
		line int
		want string
	}{
		"a part of a text":            {always + `split(input.subject.jurisdiction, "-")[1] != "CA"`, 3, "may find nothing"},
		"a part, named first":         {always + "{\n\tstate := split(input.subject.jurisdiction, \"-\")[1]\n\tstate != \"CA\"\n}", 5, "may find nothing"},
		"a part, named twice":         {always + "{\n\tparts := split(input.subject.jurisdiction, \"-\")\n\tstate := parts[1]\n\tstate != \"CA\"\n}", 6, "may find nothing"},
		"a part by pattern":           {always + "{\n\t[_, state] := split(input.subject.jurisdiction, \"-\")\n\tstate != \"CA\"\n}", 5, "fits the pattern"},
		"a part in a call":            {always + `lower(split(input.subject.jurisdiction, "-")[1]) != "ca"`, 3, "may find nothing"},
		"a part in a list":            {always + `[split(input.subject.jurisdiction, "-")[1]] != ["CA"]`, 3, "may find nothing"},
		"a part of an output":         {always + "{\n\tsplit(input.subject.jurisdiction, \"-\", parts)\n\tparts[1] != \"CA\"\n}", 5, "may find nothing"},
		"a part that starts with":     {always + `startswith(split(input.subject.jurisdiction, "-")[1], "C")`, 3, "may find nothing"},
		"a part in a set":             {always + `split(input.subject.jurisdiction, "-")[1] in {"CA"}`, 3, "may find nothing"},
		"a part of every":             {always + "{\n\tevery x in [split(input.now, \"-\")[9]] { x != \"a\" }\n}", 4, "every goes"},
		"the fourth of a clock":       {always + `time.clock(time.parse_rfc3339_ns(input.now))[3] < 6`, 3, "may find nothing"},
		"a pattern of four":           {always + "{\n\t[h, _, _, _] := time.clock(time.parse_rfc3339_ns(input.now))\n\th < 6\n}", 5, "fits the pattern"},
		"a local table":               {always + "{\n\ttable := {\"DE\": \"yes\"}\n\ttable[input.subject.jurisdiction] != \"yes\"\n}", 5, "object.get"},
		"a table":                     {"table := {\"DE\": \"yes\"}\n" + always + `table[input.subject.jurisdiction] != "yes"`, 4, "object.get"},
		"a table written out":         {always + `{"DE": "yes"}[input.subject.jurisdiction] != "yes"`, 3, "object.get"},
		"a table by its full name":    {"table := {\"DE\": \"yes\"}\n" + always + `data.sayso.rules.table[input.subject.jurisdiction] != "yes"`, 4, "object.get"},
		"a table by variable":         {"table := {\"DE\": \"yes\"}\n" + always + "{\n\tj := input.subject.jurisdiction\n\ttable[j] != \"yes\"\n}", 6, "object.get"},
		"a table by unification":      {"table := {\"DE\": \"yes\"}\n" + always + "{\n\tj = input.subject.jurisdiction\n\ttable[j] != \"yes\"\n}", 6, "object.get"},
		"a table by an output":        {"table := {\"de\": \"yes\"}\n" + always + "{\n\tlower(input.subject.jurisdiction, j)\n\ttable[j] != \"yes\"\n}", 6, "object.get"},
		"a table by another's keys":   {"a := {\"DE\": \"yes\"}\nb := {\"US\": \"yes\"}\n" + always + "{\n\tsome k, v in a\n\tb[k] != v\n}", 7, "object.get"},
		"two tables by one key":       {"a := {\"DE\": \"yes\"}\nb := {\"US\": \"yes\"}\n" + always + "{\n\tsome k\n\ta[k] == \"yes\"\n\tb[k] != \"yes\"\n}", 8, "object.get"},
		"a table of asked fields":     {"table := {\"email\": \"low\"}\n" + always + "{\n\tsome f in input.fields\n\ttable[f] != \"low\"\n}", 6, "object.get"},
		"a table inside a function":   {"table := {\"DE\": \"yes\"}\nf(j) if table[j] != \"yes\"\n" + always + `f(input.subject.jurisdiction)`, 4, "object.get"},
		"a table inside a list":       {"table := {\"DE\": \"yes\"}\n" + always + `count([1 | table[input.subject.jurisdiction] != "yes"]) == 1`, 4, "object.get"},
		"a table without its key":     {"table := {\"DE\": {\"a\": 1}, \"US\": {\"b\": 1}}\n" + always + "{\n\tsome row in table\n\trow.a != 1\n}", 6, "object.get"},
		"a list beyond its end":       {"list := [1, 2]\n" + always + `list[2] != 1`, 4, "object.get"},
		"a partial function":          {"f(x) := \"us\" if startswith(x, \"US\")\n" + always + `f(input.subject.jurisdiction) != "us"`, 4, "default f"},
		"a function of one value":     {"f(\"US\") := \"us\"\n" + always + `f(input.subject.jurisdiction) != "us"`, 4, "default f"},
		"a function of equal ones":    {"f(x, x) := 1\n" + always + `f(input.now, input.channel.id) != 1`, 4, "default f"},
		"a function of a list":        {"f([_, x]) := x\n" + always + `f(split(input.subject.jurisdiction, "-")) != "CA"`, 4, "default f"},
		"a function with a look-up":   {"table := {\"DE\": \"yes\"}\nf(x) := table[x]\n" + always + `f(input.subject.jurisdiction) != "yes"`, 5, "default f"},
		"a function, named first":     {"f(x) := \"us\" if startswith(x, \"US\")\n" + always + "{\n\tz := f(input.subject.jurisdiction)\n\tz != \"us\"\n}", 6, "default f"},
		"a function handed nothing":   {"other(x) if x != \"us\"\nzone := \"us\" if input.now == \"x\"\n" + always + `other(zone)`, 5, "default zone"},
		"a rule":                      {"zone := \"us\" if startswith(input.subject.jurisdiction, \"US\")\n" + always + `zone != "us"`, 4, "default zone"},
		"a rule by its full name":     {"zone := \"us\" if startswith(input.subject.jurisdiction, \"US\")\n" + always + `data.sayso.rules.zone != "us"`, 4, "default zone"},
		"a rule with half an else":    {"zone := \"us\" if input.now == \"x\"\nelse := \"eu\" if input.now == \"y\"\n" + always + `zone != "us"`, 5, "default zone"},
		"a rule of such a rule":       {"a := \"us\" if input.now == \"x\"\nzone := a\n" + always + `zone != "us"`, 5, "default zone"},
		"a rule of a look-up":         {"state := split(input.subject.jurisdiction, \"-\")[1]\n" + always + `state != "CA"`, 4, "default state"},
		"a rule of a pattern":         {"state := s if [_, s] := split(input.subject.jurisdiction, \"-\")\n" + always + `state != "CA"`, 4, "default state"},
		"a rule of some":              {"one := x if some x in split(input.now, \"x\")\n" + always + `one != "CA"`, 4, "default one"},
		"a rule of an empty every":    {"one := 1 if { every x in [1] { x == 2 } }\n" + always + `one != 1`, 4, "default one"},
		"a rule that is not":          {"one := 1 if not input.context.urgent\n" + always + `one != 1`, 4, "default one"},
		"a flag that is false":        {"eu if input.subject.jurisdiction == \"DE\"\n" + always + `eu == false`, 4, "default eu"},
		"a rule unified":              {"zone := \"us\" if input.now == \"x\"\n" + always + `zone = "eu"`, 4, "default zone"},
		"a condition with a name":     {"zone := \"us\" if input.now == \"x\"\n" + always + "{\n\tother := zone != \"us\"\n\tother\n}", 5, "default zone"},
		"a condition as another's":    {"zone := \"us\" if input.now == \"x\"\nother := zone != \"us\"\n" + always + `other`, 4, "default zone"},
		"a local of the same name":    {"x := 1 if input.now == \"x\"\n" + always + "{\n\ty := x + 1\n\ty > 1\n}", 6, "default x"},
		"itself":                      {"a := b\nb := a\n" + always + `a != 1`, 5, ""},
		"a name for either":           {always + "{\n\tx := {\"a\": 1}\n\tx[input.now] > 1\n}", 5, "object.get"},
		"a part placed in a list":     {always + "{\n\t[state] := [split(input.subject.jurisdiction, \"-\")[1]]\n\tstate != \"CA\"\n}", 5, "may find nothing"},
		"a part among others":         {always + "{\n\tsome state in [split(input.subject.jurisdiction, \"-\")[1]]\n\tstate != \"CA\"\n}", 4, "may find nothing"},
		"a pattern in a pattern":      {always + "{\n\t[[a]] := [split(input.subject.jurisdiction, \"-\")]\n\ta != \"CA\"\n}", 5, "fits the pattern"},
		"a part of a row":             {always + "{\n\tsome [a, _] in [[[1], [2]]]\n\ta[1] != 1\n}", 5, "may find nothing"},
		"a function's output":         {"f(x) := \"us\" if startswith(x, \"US\")\n" + always + "{\n\tf(input.subject.jurisdiction, z)\n\tz != \"us\"\n}", 6, "default f"},
		"a rule and a local":          {"zone := \"us\" if input.now == \"x\"\n" + always + "{\n\tcount([zone | zone := 1]) == 1\n\tzone != \"us\"\n}", 6, "default zone"},
		"a number that is to be read": {always + `to_number(split(input.subject.age_band, "_")[0]) < 18`, 3, "to_number"},
	} {
		t.Run(name, func(t *testing.T) {
			all := refused(t, map[string]string{"rules.rego": "package sayso.rules\n\n" + c.text + "\n"})
			found := false
			for _, p := range all {
				found = found || p.Line == c.line && strings.Contains(p.Message, c.want)
			}
			if !found {
				t.Errorf("got %v, want line %d saying %q", all, c.line, c.want)
			}
		})
	}
}

// What officers write every day stays allowed.
func TestComparisonsOverWhatIsThereAreAccepted(t *testing.T) {
	const always = `withhold contains {"field": "email", "reason": "x"} if `
	for name, text := range map[string]string{
		"a clock":                     always + `time.clock(time.parse_rfc3339_ns(input.now))[0] < 6`,
		"a clock, named":              always + "{\n\tclock := time.clock(time.parse_rfc3339_ns(input.now))\n\tclock[0] < 6\n}",
		"a clock by pattern":          always + "{\n\t[hour, minute, _] := time.clock(time.parse_rfc3339_ns(input.now))\n\thour * 60 + minute < 6\n}",
		"a rule of a clock":           "hour := h if [h, _, _] := time.clock(time.parse_rfc3339_ns(input.now))\n" + always + `hour < 6`,
		"a rule of steps":             "hour := h if {\n\tns := time.parse_rfc3339_ns(input.now)\n\th := time.clock(ns)[0]\n}\n" + always + `hour < 6`,
		"a path by another name":      "band := input.subject.age_band\n" + always + `band != "65_plus"`,
		"a function of any operand":   "country(j) := substring(j, 0, 2)\n" + always + `country(input.subject.jurisdiction) != "US"`,
		"a function with a default":   "default f(_) := \"other\"\nf(x) := \"us\" if startswith(x, \"US\")\n" + always + `f(input.subject.jurisdiction) != "us"`,
		"a function with else":        "f(x) := \"us\" if startswith(x, \"US\")\nelse := \"other\"\n" + always + `f(input.subject.jurisdiction) != "us"`,
		"a rule with a default":       "default zone := \"other\"\nzone := \"us\" if startswith(input.subject.jurisdiction, \"US\")\n" + always + `zone != "us"`,
		"a rule with else":            "zone := \"us\" if startswith(input.subject.jurisdiction, \"US\")\nelse := \"other\"\n" + always + `zone != "us"`,
		"a constant":                  "limit := 18\n" + always + `input.context.age < limit`,
		"a constant part":             "limits := {\"age\": 18, \"bands\": [\"a\", \"b\"]}\n" + always + `input.context.age < limits.age` + "\n" + always + `limits.bands[1] != "b"`,
		"a table with another answer": "table := {\"DE\": \"yes\"}\n" + always + `object.get(table, input.subject.jurisdiction, "no") != "yes"`,
		"a table gone through":        "masks := {\"email\": \"partial\"}\n" + always + "{\n\tsome f, m in masks\n\tmasks[f] == m\n\tm != \"year\"\n}",
		"a table by its keys":         "masks := {\"email\": \"partial\"}\n" + always + "{\n\tsome f in object.keys(masks)\n\tmasks[f] != \"year\"\n}",
		"a table by any key":          "masks := {\"email\": \"partial\"}\n" + always + "{\n\tsome f\n\tmasks[f] != \"year\"\n}",
		"any of a table":              "masks := {\"email\": \"partial\"}\n" + always + `masks[_] != "year"`,
		"rows":                        "rows := [{\"id\": \"web\", \"from\": 1}, {\"id\": \"sms\", \"from\": 2}]\n" + always + "{\n\tsome row in rows\n\trow.id == input.channel.id\n\trow.from < 2\n}",
		"every row":                   always + "{\n\tevery row in [{\"from\": 1}] { row.from < 2 }\n}",
		"keys that are listed":        "table := {\"a\": 1, \"b\": 2}\n" + always + "{\n\tsome k in [\"a\", \"b\"]\n\ttable[k] > 1\n}",
		"a mask for some fields":      "masks := {\"email\": \"partial\"}\nmask contains {\"field\": f, \"mask\": m} if {\n\tsome f in input.fields\n\tm := masks[f]\n}",
		"a plain condition":           "minor if input.subject.age_band in {\"16_17\"}\nold(x) if x > 65\n" + always + "{\n\tnot minor\n\told(input.context.age)\n}",
		"a plain look-up":             "closed := {\"DE\": true}\n" + always + `closed[input.subject.jurisdiction]`,
		"a plain look-up of a list":   "closed := {\"DE\": [\"email\"]}\n" + always + "{\n\tsome f in closed[input.subject.jurisdiction]\n\tf != \"address\"\n}",
		"a member of a set":           "closed := {\"DE\", \"AT\"}\n" + always + `not input.subject.jurisdiction in closed`,
		"a part gone through":         always + "{\n\tsome part in split(input.subject.jurisdiction, \"-\")\n\tpart != \"US\"\n}",
		"what is counted":             always + `count([p | some p, s in input.consents; s == "given"]) < 2`,
		"a consent by purpose":        always + `input.consents[input.purpose.id] != "given"`,
		"two names for one":           always + "{\n\tx = input.now\n\ty = x\n\ty != \"\"\n}",
	} {
		t.Run(name, func(t *testing.T) { compile(t, text) })
	}
}
