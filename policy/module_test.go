package policy

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// refused compiles rules and returns the problems, which there must be.
func refused(t *testing.T, modules map[string]string) []Problem {
	t.Helper()
	_, err := Compile(t.Context(), shop, modules)
	var p *ProblemsError
	if !errors.As(err, &p) || len(p.Problems) == 0 {
		t.Fatalf("got %v, want problems, for %q", err, modules)
	}
	for _, p := range p.Problems {
		if p.Line < 1 || p.Column < 1 || p.Message == "" {
			t.Errorf("a problem without its place: %+v", p)
		}
	}
	return p.Problems
}

// What officers may not say: each text stands below "package sayso.rules" from
// line 3 on, and the first problem names the line and the words wanted.
func TestModulesThatAreRefused(t *testing.T) {
	const always = `withhold contains {"field": "email", "reason": "x"} if `
	for name, c := range map[string]struct {
		text string
		line int
		want string
	}{
		// Widening and other rules.
		"release":                {"release contains {\"field\": \"email\", \"reason\": \"x\"} if true", 3, "release"},
		"allow":                  {"allow := true", 3, "only withhold and mask"},
		"deny":                   {"deny if input.channel.id == \"web\"", 3, "only withhold and mask"},
		"another set":            {"x := 1\n\nhidden contains \"email\" if true", 5, "add only to withhold and mask"},
		"withhold is a value":    {`withhold := {"email"}`, 3, "withhold contains"},
		"withhold is a function": {`withhold(x) := x`, 3, "withhold contains"},
		"withhold is an object":  {`withhold["email"] := "x"`, 3, "one part"},
		"withhold is deeper":     {`withhold.more contains {"field": "email", "reason": "x"} if true`, 3, "one part"},
		"withhold has a default": {`default withhold := {"x"}`, 3, "withhold contains"},
		"mask is a value":        {`mask := {"email": "partial"}`, 3, "mask contains"},
		"a deeper helper":        {`a.b.c := 1`, 3, "one part"},
		"a rule named lt":        {`lt(a, b) := true`, 3, "built-in"},
		"a rule named count":     {`count(x) := 0`, 3, "built-in"},
		"a rule named time":      {`time := 3`, 3, "built-in"},
		"a rule named sayso":     {`sayso := {"lt": 1}`, 3, "built-in"},
		"a rule named input":     {`input := {"channel": {"id": "web"}}`, 3, "input"},
		"a rule named data":      {`data := 1`, 3, "data"},
		"an argument input":      {`f(input) := input.channel`, 3, "input"},
		"a variable input":       {always + `{ some input in ["a"]; input == "a" }`, 3, "input"},

		// Outcomes that are malformed or could be undefined.
		"no reason":                {`withhold contains {"field": "email"} if true`, 3, `"reason"`},
		"msk for mask":             {`mask contains {"field": "email", "msk": "partial"} if true`, 3, `"mask"`},
		"one key too many":         {`mask contains {"field": "email", "mask": "partial", "x": 1} if true`, 3, `"mask"`},
		"a mask withheld":          {`withhold contains {"field": "email", "mask": "partial"} if true`, 3, `"reason"`},
		"a text":                   {`withhold contains "email" if true`, 3, "expected the object"},
		"a variable outcome":       {"withhold contains e if {\n\te := {\"field\": \"email\"}\n}", 3, "expected the object"},
		"an outcome comprehended":  {`withhold contains {k: "x" | some k in ["field", "reason"]} if true`, 3, "expected the object"},
		"a variable key":           {"withhold contains {k: \"email\", \"reason\": \"x\"} if {\n\tsome k in [\"field\"]\n}", 3, `"field"`},
		"an empty reason":          {`withhold contains {"field": "email", "reason": ""} if true`, 3, "a reason is a text"},
		"a reason that is null":    {`withhold contains {"field": "email", "reason": null} if true`, 3, "a reason is a text"},
		"a reason that is 1":       {`withhold contains {"field": "email", "reason": 1} if true`, 3, "a reason is a text"},
		"a long reason":            {`withhold contains {"field": "email", "reason": "` + strings.Repeat("x", 501) + `"} if true`, 3, "at most"},
		"an undeclared field":      {`withhold contains {"field": "e-mail", "reason": "x"} if true`, 3, `"e-mail" is not declared`},
		"a field that is null":     {`withhold contains {"field": null, "reason": "x"} if true`, 3, "named by a text"},
		"an unknown mask":          {`mask contains {"field": "email", "mask": "blur"} if true`, 3, "is not known"},
		"a mask that does not fit": {`mask contains {"field": "birthdate", "mask": "last4"} if true`, 3, "does not fit"},
		"a look-up as reason":      {"words := {\"store\": \"x\"}\nwithhold contains {\"field\": \"email\", \"reason\": words[input.channel.id]} if true", 4, "could be undefined"},
		"a rule as reason":         {"word := \"x\" if input.channel.id == \"store\"\nwithhold contains {\"field\": \"email\", \"reason\": word} if true", 4, "could be undefined"},
		"data as reason":           {"word := \"x\" if input.channel.id == \"store\"\nwithhold contains {\"field\": \"email\", \"reason\": data.sayso.rules.word} if true", 4, "could be undefined"},
		"a call as mask":           {"f(\"x\") := \"partial\"\nmask contains {\"field\": \"email\", \"mask\": f(input.channel.id)} if true", 4, "could be undefined"},
		"a format of a look-up":    {"w := {\"a\": \"b\"}\nwithhold contains {\"field\": \"email\", \"reason\": sprintf(\"%s\", [w[input.channel.id]])} if true", 4, "could be undefined"},

		// Paths that the input lacks or that nothing could check.
		"an undeclared context key":  {always + `input.context.undeclared == "x"`, 3, "the input has no context.undeclared"},
		"a misspelt path":            {always + `input.subject.juristiction == "DE"`, 3, "the input has no subject.juristiction"},
		"a misspelt part":            {always + `input.chanel.id == "web"`, 3, "the input has no chanel"},
		"an undeclared purpose":      {always + `input.consents["sms"] == "given"`, 3, "the input has no consents.sms"},
		"a negated misspelling":      {always + `not input.chanel.id == "web"`, 3, "the input has no chanel"},
		"touches":                    {always + `input.touches.contact == 1`, 3, "the input has no touches.contact"},
		"a look-up in touches":       {always + `input.touches.by_purpose[input.channel.id].day == 1`, 3, "a look-up that finds nothing"},
		"a count as text":            {always + `input.touches.contacts.day == "1"`, 3, ""},
		"touches compared":           {always + `input.touches.contacts == {"day": 1}`, 3, "this holds several"},
		"below a leaf":               {always + `input.now.hour == 1`, 3, "now has no parts"},
		"the guard":                  {always + `input.guard.granted`, 3, "the input has no guard"},
		"the guard, quoted":          {always + `input["guard"].granted`, 3, "the input has no guard"},
		"the guard, by variable":     {always + "{\n\tsome k in [\"guard\"]\n\tinput[k].granted\n}", 5, "name the key"},
		"the guard, by wildcard":     {always + `input[_].granted`, 3, "name the key"},
		"the whole input":            {always + `object.get(input, "guard", {}) != {}`, 3, "input"},
		"the input renamed":          {always + "{\n\ti := input\n\ti.guard.granted\n}", 4, "input"},
		"the input walked":           {always + "{\n\tsome k, v in input\n\tk == \"guard\"\n}", 4, "input"},
		"a part renamed":             {always + "{\n\tc := input.context\n\tc.step == \"offer\"\n}", 4, "this holds several"},
		"a part handed on":           {"f(c) if c == 1\n" + always + `f(input.context)`, 4, "this holds several"},
		"a part compared":            {always + `input.subject == {"jurisdiction": "DE"}`, 3, "this holds several"},
		"a key by variable":          {always + "{\n\tk := \"stpe\"\n\tinput.context[k] == \"offer\"\n}", 5, "a look-up that finds nothing"},
		"a consent by variable":      {always + "{\n\tp := \"sms\"\n\tinput.consents[p] == \"given\"\n}", 5, "a look-up that finds nothing"},
		"the second field":           {always + `input.fields[1] == "email"`, 3, "which place"},
		"a path inside a function":   {"f(s) if s.age_band == \"x\"\n" + always + `f("y")`, 3, "before the call"},
		"other data":                 {always + `data.users.x == 1`, 3, "no data but their own rules"},
		"the guardrails' data":       {always + `data.sayso.guardrails.release == set()`, 3, "no data but their own rules"},
		"all rules' data":            {always + `data.sayso.rules == 1`, 3, "no data but their own rules"},
		"rules' data, by variable":   {always + "{\n\tsome k\n\tdata.sayso.rules[k] == 1\n}", 5, "no data but their own rules"},
		"data itself":                {always + `data == 1`, 3, "data"},
		"itself":                     {"withhold contains {\"field\": \"email\", \"reason\": \"x\"} if not data.sayso.rules.withhold", 3, "recursive"},
		"with":                       {always + `input.channel.id == "web" with input.channel.id as "web"`, 3, "with"},
		"with on a helper":           {"h if input.channel.id == \"web\"\n" + always + "{\n\th with input as {}\n}", 5, "with"},
		"with in a comprehension":    {always + "{\n\tcount([1 | input.now == \"x\" with input.now as \"x\"]) > 0\n}", 4, "with"},
		"import of input":            {"import input.guard as g\n", 3, "only rego.v1"},
		"import of data":             {"import data.sayso.guardrails\n", 3, "only rego.v1"},
		"a rule under another's eye": {"x if {\n\tevery f in input.fields { input.chanel.id == f }\n}", 4, "the input has no chanel"},

		// Types.
		"a text below a number":    {always + `"adult" < 18`, 3, "compares"},
		"an age band below 18":     {always + `input.subject.age_band < 18`, 3, "compares"},
		"a helper below 18":        {"band := input.subject.age_band\n" + always + `band < 18`, 4, "compares"},
		"now above a number":       {always + `input.now > 1700000000`, 3, "compares"},
		"a band in a function":     {"young(x) if x < 18\n" + always + `young(input.subject.age_band)`, 4, "young"},
		"a band equal, hidden":     {"is(x) if x == 18\n" + always + `is(input.subject.age_band)`, 4, "is"},
		"null starts with":         {always + `startswith(null, "x")`, 3, "startswith"},
		"a number starts with":     {always + `startswith(input.context.age, "x")`, 3, "startswith"},
		"a number equal to a text": {always + `input.context.age == "18"`, 3, "match"},
		"a flag equal to a text":   {always + `input.context.urgent == "true"`, 3, "match"},

		"a list of lists":          {always + "{\n\ta := [1, 1]\n\tb := [a, a]\n\tcount(b) > 1\n}", 5, "written out"},
		"a list of lists, unified": {always + "{\n\ta := [1, 1]\n\tb = [a, a]\n\tcount(b) > 1\n}", 5, "use :="},
		"lists comprehended":       {always + "{\n\ta := [1, 1]\n\tb := [a | some _ in [1, 2]]\n\tcount(b) > 1\n}", 5, "written out"},
		"a list of rules":          {"a := [1, 1]\nb := [a, a]\n" + always + "count(b) > 1", 4, "written out"},

		// Built-ins off the list.
		"http.send":          {always + `http.send({"method": "get", "url": "http://127.0.0.1/"}).raw_body == "x"`, 3, "http.send"},
		"net.lookup_ip_addr": {always + `count(net.lookup_ip_addr("x")) > 0`, 3, "net.lookup_ip_addr"},
		"opa.runtime":        {always + `opa.runtime().env.HOME == "x"`, 3, "opa.runtime"},
		"time.now_ns":        {always + `time.now_ns() > 3`, 3, "time.now_ns"},
		"rand.intn":          {always + `rand.intn("x", 2) == 1`, 3, "rand.intn"},
		"uuid.rfc4122":       {always + `uuid.rfc4122("x") == "x"`, 3, "uuid.rfc4122"},
		"bits.lsh":           {always + `bits.lsh(1, 20000000000) > 1`, 3, "bits.lsh"},
		"numbers.range":      {always + `count(numbers.range(1, 10000000000)) > 1`, 3, "numbers.range"},
		"replace":            {always + `replace("aa", "a", "aaaa") == "x"`, 3, "replace"},
		"array.concat":       {always + `array.concat([1], [2]) == []`, 3, "array.concat"},
		"json.marshal":       {always + `json.marshal([1]) == ""`, 3, "json.marshal"},
		"regex.match":        {always + `regex.match("(a{1000}){1000}", "a")`, 3, "regex.match"},
		"walk":               {always + "{\n\twalk([1], [p, v])\n\tv == 1\n}", 4, "walk"},
		"in a pattern":       {always + "{\n\t[sprintf(\"%1000000000d\", [1])] := [\"x\"]\n}", 4, ""},
		"in an argument":     {"f([sprintf(\"%9d\", [1])]) := 1\n" + always + `f(["x"]) == 1`, 3, ""},
		"in a some":          {always + "{\n\tsome [sprintf(\"%9d\", [1])] in [[\"x\"]]\n}", 4, ""},
		"print":              {always + `print("x")`, 3, "print"},
		"trace":              {always + `trace("x")`, 3, "trace"},
		"rego.metadata":      {always + `rego.metadata.rule().title == "x"`, 3, "rego.metadata"},
		"a template string":  {always + `$"{input.channel.id}" == "web"`, 3, "template strings"},
		"a huge number":      {always + `1e1000000000 > 1`, 3, "number too big"},
		"an exponent":        {always + `1e18 > 1`, 3, "write numbers out"},
		"a long number":      {always + strings.Repeat("9", 21) + ` > 1`, 3, "write numbers out"},
		"a guarded name":     {always + `sayso.lt(1, 2)`, 3, "sayso.lt"},
		"hidden in a domain": {always + "{\n\tsome x in [y | y := http.send({})]\n\tx == 1\n}", 4, "http.send"},

		// What a compiler would take for ever with.
		"lists inside lists":      {always + "count(" + strings.Repeat("[x | x := 1; count(", 40) + "[1]" + strings.Repeat(") > 0]", 40) + ") > 0", 3, "inside each other"},
		"sets inside sets":        {always + "count(" + strings.Repeat("{x | x := 1; count(", 5) + "[1]" + strings.Repeat(") > 0}", 5) + ") > 0", 3, "at most 4 comprehensions"},
		"objects inside objects":  {always + "count(" + strings.Repeat(`{"a": x | x := 1; count(`, 12) + "[1]" + strings.Repeat(") > 0}", 12) + ") > 0", 3, "inside each other"},
		"every inside every":      {always + "{ " + strings.Repeat("every a in [1] { a == 1; ", 30) + "1 == 1" + strings.Repeat(" }", 30) + " }", 3, "inside each other"},
		"thousands of conditions": {always + "{ " + strings.Repeat("x := 1; ", 8_000) + "true }", 3, "at most 500 conditions"},
		"thousands of unions":     {always + "{ x := {1}" + strings.Repeat(" | {1}", 5_000) + "; count(x) > 0 }", 3, "at most"},
		"calls inside calls":      {always + strings.Repeat("lower(", 2_000) + `"a"` + strings.Repeat(")", 2_000) + ` == "a"`, 3, "inside each other"},
		"sets of sets of sets":    {always + "{ x := " + strings.Repeat("{", 1_500) + "1" + strings.Repeat("}", 1_500) + "; x != {1} }", 3, "at most 64"},
		"a long else":             {"f := 1 if { " + strings.Repeat("true; ", 300) + "true } else := 2 if { " + strings.Repeat("true; ", 300) + "true }", 3, "at most 500 conditions"},

		// What another officer would not see for what it is.
		"a colour in a comment": {"# \x1b[2J\n" + always + "true", 3, "U+001B"},
		"a text turned around":  {"# \u202e\n" + always + "true", 3, "U+202E"},
		"a terminal's command":  {always + "{ input.now != \"\u009b2J\" }", 3, "U+009B"},
		"a reason that steers":  {`withhold contains {"field": "email", "reason": "\u001b[2J"} if true`, 3, "U+001B"},
		"a reason of spaces":    {`withhold contains {"field": "email", "reason": "  "} if true`, 3, "a reason is a text"},

		// Texts that are no modules.
		"torn":           {"withhold contains {", 4, ""},
		"version 0":      {`withhold[e] { e := {"field": "email", "reason": "x"} }`, 3, ""},
		"unsafe":         {always + `x == 1`, 3, "unsafe"},
		"an own clash":   {"f(x) := 1\nf(x, y) := 2", 3, ""},
		"not a function": {always + `input.now(1)`, 3, ""},
	} {
		t.Run(name, func(t *testing.T) {
			all := refused(t, map[string]string{"rules.rego": "package sayso.rules\n\n" + c.text + "\n"})
			found := false
			for _, p := range all {
				found = found || p.Module == "rules.rego" && (p.Line == c.line || c.want == "") && strings.Contains(p.Message, c.want)
			}
			if !found {
				t.Errorf("got %v, want line %d saying %q", all, c.line, c.want)
			}
		})
	}
}

func TestModulesOfAnotherPackageAreRefusedWithTheirLine(t *testing.T) {
	for _, text := range []string{"package sayso.guard\n", "package sayso\n", "package sayso.guardrails\n\nrelease contains \"email\" if true\n", "package sayso.rules.more\n", "package rules\n"} {
		p := refused(t, map[string]string{"rules.rego": text})
		if p[0].Line != 1 || !strings.Contains(p[0].Message, "sayso.rules") {
			t.Errorf("%q: got %v, want line 1 naming sayso.rules", text, p)
		}
	}
	refused(t, map[string]string{"rules.rego": ""})
	refused(t, map[string]string{"": "package sayso.rules\n"})
	refused(t, map[string]string{"a\x1b[2J.rego": "package sayso.rules\n"})
	refused(t, map[string]string{"rules.rego": "package sayso.rules\n" + strings.Repeat("# long\n", 20_000)})
}

func TestEveryProblemOfEveryModuleIsListed(t *testing.T) {
	got := refused(t, map[string]string{
		"a.rego": "package sayso.rules\n\nallow := true\n\ndeny := true\n",
		"b.rego": "package sayso.rules\n\nwithhold contains {\n",
	})
	var places []string
	for _, p := range got {
		places = append(places, fmt.Sprintf("%s:%d", p.Module, p.Line))
	}
	if want := "a.rego:3 a.rego:5 b.rego:4 b.rego:4"; strings.Join(places, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// A module cannot take a guardrail's place by its name, nor claim another
// schema by an annotation.
func TestNoNameOrAnnotationTouchesTheGuardrails(t *testing.T) {
	modules := map[string]string{}
	for name := range Guardrails() {
		modules[name] = "package sayso.rules\n"
		modules["../"+name] = "package sayso.rules\n"
	}
	r, err := Compile(t.Context(), shop, modules)
	if err != nil {
		t.Fatal(err)
	}
	in := reads("email")
	in.Guard.Ground = false
	if d, err := r.Decide(t.Context(), in); err != nil || d.Releases() {
		t.Errorf("got %v, %v, want the guardrails to withhold", d, err)
	}
	refused(t, map[string]string{"rules.rego": `package sayso.rules

# METADATA
# scope: rule
# schemas:
#   - input: {"type": "object"}
#   - input.context: {"type": "object"}
withhold contains {"field": "email", "reason": "x"} if input.context.anything == "x"
`})
}

// What officers may say.
func TestModulesThatAreAccepted(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":         "",
		"import":          "import rego.v1\n",
		"a wildcard":      `withhold contains {"field": f, "reason": "x"} if f := input.fields[_]`,
		"all consents":    "withhold contains {\"field\": f, \"reason\": \"x\"} if {\n\tsome f in input.fields\n\tsome p, s in input.consents\n\tstartswith(p, \"sms\")\n\ts != \"given\"\n}",
		"its own consent": `withhold contains {"field": "email", "reason": "x"} if input.consents[input.purpose.id] == "refused"`,
		"objections":      `withhold contains {"field": "email", "reason": "x"} if input.objected["profiling"]`,
		"a table":         "masks := {\"email\": \"partial\", \"phone_number\": \"last4\"}\n\nmask contains {\"field\": f, \"mask\": m} if {\n\tsome f in input.fields\n\tm := masks[f]\n}",
		"helpers":         "minor if input.subject.age_band in {\"under_13\", \"13_15\"}\n\ndefault words := \"x\"\n\nwords := \"y\" if minor\n\nold(x) if x > 65\n\nwithhold contains {\"field\": \"email\", \"reason\": words} if {\n\tnot minor\n\told(input.context.age)\n}",
		"a written text":  `withhold contains {"field": "email", "reason": sprintf("not in %s", [input.subject.jurisdiction])} if input.context.urgent`,
		"night":           twoRules,
		"every":           `withhold contains {"field": "email", "reason": "x"} if { every f in input.fields { f != "address" } }`,
		"a count":         `withhold contains {"field": "email", "reason": "x"} if count(input.fields) > 3`,
		"a pattern":       "withhold contains {\"field\": \"email\", \"reason\": \"x\"} if {\n\t[a, b] := [input.subject.jurisdiction, input.channel.id]\n\ta == \"US\"\n\t[a, b, input.channel.id] in {[\"US\", \"CA\", \"web\"]}\n}",
		"given purposes":  "withhold contains {\"field\": \"email\", \"reason\": \"x\"} if {\n\tgiven := {p | some p, s in input.consents; s == \"given\"}\n\tcount(given) == 0\n\tnot \"tax\" in given\n}",
		"own data":        "words := \"x\"\nwithhold contains {\"field\": \"email\", \"reason\": \"x\"} if data.sayso.rules.words == \"x\"",
	} {
		t.Run(name, func(t *testing.T) { compile(t, text) })
	}
}

func TestLooksAtTellsWhatRulesDependOn(t *testing.T) {
	r := compile(t, `
withhold contains {"field": "email", "reason": "x"} if {
	input.context.step == "offer"
	input.subject.jurisdiction in {"US"}
}
`)
	for path, want := range map[string]bool{
		"context.step": true, "context": true, "context.queue": false, "now": false,
		"subject": true, "subject.jurisdiction": true, "subject.age_band": false, "sub": false,
	} {
		if got := r.LooksAt(path); got != want {
			t.Errorf("LooksAt(%q): got %v, want %v", path, got, want)
		}
	}
	if got := fmt.Sprint(r.ContextKeys()); got != "[step]" {
		t.Errorf("got context keys %s, want [step]", got)
	}
	all := compile(t, `withhold contains {"field": "email", "reason": "x"} if "offer" in input.context`)
	if got := fmt.Sprint(all.ContextKeys()); got != "[age queue step urgent]" {
		t.Errorf("a rule over all of the context: got %s", got)
	}
	if !compile(t, twoRules).LooksAt("now") || compile(t, "").LooksAt("now") {
		t.Error("LooksAt(now) does not follow the rules")
	}
}

func TestSchemasThatAreRefused(t *testing.T) {
	if _, err := Compile(t.Context(), Schema{Fields: []Field{{Name: "x", Type: privacy.TypeDate, Mask: privacy.MaskLast4}}}, nil); !errors.Is(err, ErrSchema) {
		t.Errorf("a mask that does not fit: got %v, want ErrSchema", err)
	}
	for _, k := range []ContextKey{{Name: "x", Type: "object"}, {Name: "x"}, {Name: "x", Type: "number", Enum: []string{"1"}}} {
		if _, err := Compile(t.Context(), Schema{Context: []ContextKey{k}}, nil); !errors.Is(err, ErrSchema) {
			t.Errorf("%+v: got %v, want ErrSchema", k, err)
		}
	}
}

// Whatever officers send, checking ends without a panic, and what passes never
// releases more than the guardrails do.
func FuzzCompile(f *testing.F) {
	f.Add(twoRules)
	f.Add(`withhold contains {"field": f, "reason": "x"} if some f in input.fields`)
	f.Add("mask contains {\"field\": \"email\", \"mask\": m} if {\n\tsome m in [\"partial\", \"initial\"]\n}")
	f.Add(strings.Repeat("[", 5000))
	f.Add("x := " + strings.Repeat("{1: ", 3000))
	bare, err := Compile(f.Context(), shop, nil)
	if err != nil {
		f.Fatal(err)
	}
	in := reads("given_name", "email", "address")
	in.Guard.Fields["address"] = Facts{Declared: true}
	in.Context = map[string]any{"step": "offer", "queue": "q", "age": 3, "urgent": true}
	least, err := bare.Decide(f.Context(), in)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Compile(t.Context(), shop, map[string]string{"rules.rego": "package sayso.rules\n" + text})
		if err != nil {
			var p *ProblemsError
			if !errors.As(err, &p) {
				t.Fatalf("got %v, want problems", err)
			}
			return
		}
		d, err := r.Decide(t.Context(), in)
		if err != nil {
			return
		}
		for i, o := range d.Outcomes {
			if least.Outcomes[i].Action == Withhold && o.Action != Withhold {
				t.Errorf("rules released %s: %+v", o.Field, o)
			}
			if o.Action == Mask && !o.Mask.Fits(privacy.TypeString) && !o.Mask.Fits(privacy.TypeEmail) {
				t.Errorf("a mask that does not fit: %+v", o)
			}
		}
	})
}
