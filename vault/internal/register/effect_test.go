package register_test

import (
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// unseen are rules that look at nothing.
func unseen(string) bool { return false }

// What lets more out, and what surely does not, change by change.
func TestWhichChangesOfARegisterWiden(t *testing.T) {
	for name, c := range map[string]struct {
		edit   []string
		widens bool
		why    string
	}{
		"what is so anyway":         {[]string{"settings:\n", "settings:\n  approvals: direction\n"}, false, "said or not"},
		"words":                     {[]string{"Early access to sales", "Sales first"}, false, "to read"},
		"a telephone's country":     {[]string{"country: DE", "country: AT"}, true, "telephone numbers"},
		"a retention ends earlier":  {[]string{"mask: partial, retention: P3Y", "mask: partial, retention: P35M"}, false, "earlier"},
		"a retention ends later":    {[]string{"mask: partial, retention: P3Y", "mask: partial, retention: P37M"}, true, "longer"},
		"a retention in other days": {[]string{"mask: partial, retention: P3Y", "mask: partial, retention: P1096D"}, true, "longer"},
		"a retention in few days":   {[]string{"mask: partial, retention: P3Y", "mask: partial, retention: P1000D"}, false, "earlier"},
		"a retention goes":          {[]string{"mask: partial, retention: P3Y", "mask: partial"}, true, "no end"},
		"a maximum age goes":        {[]string{", max_age: P1Y", ""}, true, "no end"},
		"a maximum age comes":       {[]string{"mask: partial, retention: P3Y", "mask: partial, retention: P3Y, max_age: P1Y"}, false, "earlier"},
		"a field of the moment":     {[]string{"type: string, category: \"pd:Name\"", "type: string, ttl: PT5M, category: \"pd:Name\""}, false, "earlier"},
		"profiling":                 {[]string{"basis: contract,", "profiling: true, basis: contract,"}, true, "inferred"},
		"a field of its own":        {[]string{"context:", "  - {name: diet, type: string, special: true, category: \"pd:Health\"}\ncontext:"}, false, "until a purpose lists it"},
		"a field that locates":      {[]string{"context:", "  - {name: country, type: country, category: \"pd:Country\"}\ncontext:"}, true, "derived"},
		"an identifier":             {[]string{"identifier: shared, ", ""}, true, "finds"},
		"the matrix's own mask":     {[]string{"category: \"pd:EmailAddress\", mask: partial", "category: \"pd:EmailAddress\", mask: initial"}, false, "no cell"},
		"a mask shows more":         {[]string{"category: \"pd:Name\", mask: initial", "category: \"pd:Name\", mask: partial"}, false, "no cell"},
		"a purpose's field goes":    {[]string{"}]}, fields: [given_name, email, phone_number]", "}]}, fields: [email, phone_number]"}, false, "less out"},
		"a purpose's field comes":   {[]string{"fields: [given_name, phone_number]", "fields: [given_name, phone_number, email]"}, true, "then be released"},
		"another order of fields":   {[]string{"fields: [given_name, phone_number]", "fields: [phone_number, given_name]"}, false, "order"},
		"another basis":             {[]string{"basis: contract", "basis: legitimate_interests"}, true, "basis"},
		"a purpose lives longer":    {[]string{"retention: P10Y", "retention: P11Y"}, true, "longer"},
		"consent lasts longer":      {[]string{"valid_for: P1Y", "valid_for: P2Y"}, true, "longer"},
		"consent lasts shorter":     {[]string{"valid_for: P1Y", "valid_for: P6M"}, false, "earlier"},
		"another notice":            {[]string{"version: \"2026-03\", text: We text you offers.", "version: \"2026-04\", text: We text."}, false, "as it was shown"},
		"an enumeration":            {[]string{"enum: [offer, support]", "enum: [offer]"}, false, "no rule"},
		"a channel's purpose comes": {[]string{"purposes: [order-fulfilment], captures: [given_name]}", "purposes: [order-fulfilment, sms-marketing], captures: [given_name]}"}, true, "read for this purpose"},
		"a channel captures more":   {[]string{"captures: [given_name]}", "captures: [given_name, email]}"}, true, "grounds"},
		"a channel obtains less":    {[]string{", obtains: [sms-marketing]", ""}, false, "less out"},
		"a channel goes":            {[]string{"  - {id: sms, kind: sms, purposes: [sms-marketing], recipient: Texter Ltd}\n", ""}, false, "loses its access"},
		"a channel comes":           {[]string{"matrix:", "  - {id: app, kind: app, purposes: [order-fulfilment]}\nmatrix:"}, true, "read, capture"},
		"a kind nobody looks at":    {[]string{"kind: store", "kind: shop"}, false, "no rule"},
		"a limit is lower":          {[]string{"people_per_day: 100", "people_per_day: 50"}, false, "ask less"},
		"a webhook's host comes":    {[]string{"limits: {people_per_day: 100}", "limits: {people_per_day: 100}, webhooks: [hooks.sender.example]"}, true, "sent to this host"},
		"a limit goes":              {[]string{", limits: {people_per_day: 100}", ""}, true, "ask more"},
		"audiences":                 {[]string{"kind: sms, ", "kind: sms, bulk: {audiences: true}, "}, true, "without naming"},
		"a cell goes":               {[]string{"  - {purpose: order-fulfilment, channel: store, field: email, as: mask}\n", ""}, true, "more of the field"},
		"a cell comes":              {[]string{"matrix:", "matrix:\n  - {purpose: order-fulfilment, channel: web, field: email, as: withhold}"}, false, "less of the field"},
		"a cell withholds":          {[]string{"field: email, as: mask", "field: email, as: withhold"}, false, "less of the field"},
		"a cell is stricter":        {[]string{"field: email, as: mask", "field: email, as: initial"}, false, "less of the field"},
		"a cell masks":              {[]string{"field: phone_number, as: withhold", "field: phone_number, as: last4"}, true, "more of the field"},
		"a cap comes":               {[]string{"{count: 9, per: P90D}]", "{count: 9, per: P90D}, {count: 2, per: P1D}]"}, false, "less often"},
		"a cap goes":                {[]string{", {count: 1, per: P1D, medium: letter}]", "]"}, true, "more often"},
		"a cap is lower":            {[]string{"{count: 3, per: P30D}", "{count: 2, per: P30D}"}, false, "less often"},
		"a cap is higher":           {[]string{"{count: 3, per: P30D}", "{count: 4, per: P30D}"}, true, "more often"},
		"a cap for longer":          {[]string{"{count: 3, per: P30D}", "{count: 3, per: P60D}"}, true, "more often"}, // the other goes
		"quiet for longer":          {[]string{`to: "08:00"`, `to: "09:00"`}, false, "fewer hours"},
		"quiet at other hours":      {[]string{`from: "21:00", to: "08:00"`, `from: "22:00", to: "09:00"`}, true, "were quiet"},
		"quiet for all media":       {[]string{", media: [letter, visit]", ""}, false, "fewer hours"},
		"quiet for fewer media":     {[]string{"[letter, visit]", "[letter]"}, true, "were quiet"},
		"no quiet hours":            {[]string{`quiet_hours: {from: "23:00", to: "06:00"}, `, ""}, true, "were quiet"},
		"a cooldown goes":           {[]string{", {after: claim, for: P7D}", ""}, true, "sooner"},
		"a cooldown is shorter":     {[]string{"{after: claim, for: P7D}", "{after: claim, for: P6D}"}, true, "sooner"},
		"a cooldown is longer":      {[]string{"{after: claim, for: P7D}", "{after: claim, for: P9D}"}, false, "later"},
		"no rules of contact":       {[]string{`contact: {caps: [{count: 3, per: P30D}, {count: 1, per: P1D, medium: letter}], quiet_hours: {from: "21:00", to: "08:00", zone: Europe/Berlin, media: [letter, visit]}, cooldowns: [{after: fault, for: P14D}, {after: claim, for: P7D}]}, `, ""}, true, "were quiet"},
		"an exempt purpose":         {[]string{"contact: {caps: [{count: 3", "contact: {exempt: true, caps: [{count: 3"}, true, "not held to"},
		"a medium without a field":  {[]string{"{medium: text, field: phone_number}, ", ""}, true, "may not be released"},
		"a medium with another":     {[]string{"{medium: text, field: phone_number}", "{medium: text, field: email}"}, true, "may not be released"},
		"more time to think again":  {[]string{"grace: P14D", "grace: P21D"}, true, "longer"},
		"less time to think again":  {[]string{"grace: P14D", "grace: P7D"}, false, "keeps its day"},
		"no time to think again":    {[]string{"  erasure: {grace: P14D}\n", ""}, false, "no longer"},
		"orders forgotten sooner":   {[]string{"keep: P5Y", "keep: P4Y"}, true, "sooner"},
		"orders never forgotten":    {[]string{", keep: P5Y", ""}, false, "longer"},
		"a longer lease":            {[]string{"lease: PT1M", "lease: PT5M"}, false, "asking people"},
		"cells go with the channel": {[]string{"  - {id: store, kind: store, purposes: [order-fulfilment], captures: [given_name]}\n", "",
			"  - {purpose: order-fulfilment, channel: store, field: email, as: mask}\n  - {purpose: order-fulfilment, channel: store, field: phone_number, as: withhold}\n", "", "matrix:\n", ""}, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			effects := register.Effects(parse(t, northgate), parse(t, edit(t, c.edit...)), unseen)
			if len(effects) == 0 {
				t.Fatal("got no effect")
			}
			widens, why := false, ""
			for _, e := range effects {
				widens = widens || e.Widens
				why += e.String() + ": " + e.Why + "\n"
			}
			if widens != c.widens || !strings.Contains(why, c.why) {
				t.Errorf("got %v, want %v because of %q:\n%s", widens, c.widens, c.why, why)
			}
		})
	}
}

// What only rules see matters if the rules in force look at it.
func TestWhatRulesLookAtWidens(t *testing.T) {
	kind := []string{"kind: store", "kind: shop"}
	gone := []string{"  - {id: sms, kind: sms, purposes: [sms-marketing], recipient: Texter Ltd}\n", "", ", obtains: [sms-marketing]", ""}
	_, rest, _ := strings.Cut(northgate, "  - id: sms-marketing\n")
	purpose, _, _ := strings.Cut(rest, "channels:")
	gone = append(gone, "  - id: sms-marketing\n"+purpose, "")
	for path, change := range map[string][]string{"channel.kind": kind, "context.step": {"enum: [offer, support]", "enum: [offer]"}, "purpose.dpv": {"dpv: dpv:DirectMarketing", "dpv: dpv:Marketing"}, "objected": gone, "consents": gone} {
		old, new := parse(t, northgate), parse(t, edit(t, change...))
		for looking, want := range map[string]bool{path: true, "something.else": false} {
			widens := false
			for _, e := range register.Effects(old, new, func(p string) bool { return p == looking }) {
				widens = widens || e.Widens
			}
			if widens != want {
				t.Errorf("%s changes while rules look at %s: got %v, want %v", path, looking, widens, want)
			}
		}
	}
}

// To take the one field away that a broader purpose does not list lets consent
// to the broader one cover the narrower, so that taking away widens.
func TestTakingAFieldAwayCanLetABroaderConsentCover(t *testing.T) {
	broad := []string{"  - id: sms-marketing", "  - {id: marketing, title: Offers, dpv: \"dpv:Marketing\", basis: consent, fields: [phone_number], recipients: [Texter Ltd], consent: {notice: {version: \"1\", text: Offers, purposes: [sms-marketing]}}}\n  - id: sms-marketing",
		"    basis: consent\n", "    basis: consent\n    broader: marketing\n"}
	old, _, err := register.Parse("register.yaml", []byte(edit(t, broad...))) // warns of the field that is too many
	if err != nil {
		t.Fatal(err)
	}
	new := parse(t, edit(t, append(broad, "    fields: [given_name, phone_number]", "    fields: [phone_number]")...))
	effects := register.Effects(old, new, unseen)
	if len(effects) != 2 || effects[0].Widens || !effects[1].Widens || effects[1].Path != "purposes.sms-marketing" || !strings.Contains(effects[1].Why, "marketing") {
		t.Errorf("got %+v, want that a field goes and that marketing then covers", effects)
	}
	if back := register.Effects(new, old, unseen); len(back) != 1 || !back[0].Widens {
		t.Errorf("got %+v, want that the field comes and nothing more", back)
	}
}

// A first register lets everything out that it does.
func TestAFirstRegisterWidens(t *testing.T) {
	widening := 0
	for _, e := range register.Effects(nil, parse(t, northgate), unseen) {
		if e.Widens {
			widening++
		}
	}
	if widening < 5 {
		t.Errorf("got %d widening lines, want at least the purposes and the channels", widening)
	}
}

// Of two masks the stricter counts, so what shows less by itself must show less
// beside any third.
func TestAMaskShowsNoMoreUnderAnyOther(t *testing.T) {
	for _, c := range []struct {
		a, b privacy.Mask
		want bool
	}{{"initial", "partial", true}, {"partial", "initial", false}, {"last4", "partial", false}, {"over_16", "year", true}, {"year", "", true}, {"", "year", false}, {"", "", true}, {"over_16", "over_18", false}} {
		if got := privacy.NoMore(c.a, c.b); got != c.want {
			t.Errorf("%q shows no more than %q: got %v, want %v", c.a, c.b, got, c.want)
		}
	}
}

// What a field tells of people holds rules, bases and quiet hours back: a minor
// of whom nobody knows that they are one is none. So what makes it unknown lets
// more out, though the field itself is shown to nobody any more.
func TestWhatIsNoLongerToldOfPeopleWidens(t *testing.T) {
	const text = `
controller: {name: Northgate, contact: privacy@northgate.example, country: DE}
fields:
  - {name: given_name, type: string}
  - {name: birthdate, type: date, retention: P3Y}
  - {name: address, type: address, retention: P3Y}
  - {name: zoneinfo, type: string, retention: P3Y}
purposes:
  - {id: delivery, title: Delivery, basis: contract, fields: [given_name, birthdate, address, zoneinfo], retention: P2Y}
  - {id: care, title: Care, basis: contract, fields: [given_name, address]}
  - {id: ads, title: Ads, basis: opt_out, jurisdictions: [US], fields: [given_name], consent: {notice: {version: "1", text: Ads}}}
channels:
  - {id: web, kind: web, purposes: [delivery], captures: [given_name, birthdate, address, zoneinfo]}
  - {id: store, kind: store, purposes: [care], captures: [given_name, address]}
`
	gone := func(name string) []string {
		return []string{"  - {name: " + name, "  - {name: was_" + name, "[given_name, birthdate, address, zoneinfo], retention", strings.Replace("[given_name, birthdate, address, zoneinfo], retention", name+", ", "", 1),
			"captures: [given_name, birthdate, address, zoneinfo]", strings.Replace("captures: [given_name, birthdate, address, zoneinfo]", name+", ", "", 1)}
	}
	quiet := []string{"basis: contract, fields: [given_name, address]}", `basis: contract, fields: [given_name, address], contact: {quiet_hours: {from: "21:00", to: "08:00"}}}`}
	for name, c := range map[string]struct {
		before, edit []string
		looks        string
		widens       bool
	}{
		"the birthday goes":                     {nil, gone("birthdate"), "subject.age_band", true},
		"the birthday goes and nobody looks":    {nil, gone("birthdate"), "now", false},
		"the birthday ends sooner":              {nil, []string{"type: date, retention: P3Y", "type: date, retention: P1D"}, "subject.age_band", true},
		"the birthday is captured nowhere":      {nil, []string{"captures: [given_name, birthdate, ", "captures: [given_name, "}, "subject.age_band", true},
		"the birthday is for nothing":           {nil, []string{"fields: [given_name, birthdate, ", "fields: [given_name, "}, "subject.age_band", true},
		"what the birthday is for ends":         {nil, []string{"retention: P2Y", "retention: P1Y"}, "subject.age_band", true},
		"the address goes, and who may opt out": {nil, []string{"type: address, retention: P3Y", "type: address, retention: P1D"}, "", true},
		"the address is for less":               {nil, []string{"fields: [given_name, birthdate, address, zoneinfo]", "fields: [given_name, birthdate, zoneinfo]"}, "subject.jurisdiction", false},
		"the address is captured by one":        {nil, []string{"captures: [given_name, birthdate, address, ", "captures: [given_name, birthdate, "}, "subject.jurisdiction", false},
		"the clock ends sooner":                 {quiet, []string{"type: string, retention: P3Y", "type: string, retention: P1D"}, "", true},
		"the clock ends and nothing is quiet":   {nil, []string{"type: string, retention: P3Y", "type: string, retention: P1D"}, "", false},
		"a channel goes that asked for it":      {nil, []string{"  - {id: web, kind: web, purposes: [delivery], captures: [given_name, birthdate, address, zoneinfo]}\n", ""}, "subject.age_band", true},
		"a channel goes that did not":           {nil, []string{"  - {id: store, kind: store, purposes: [care], captures: [given_name, address]}\n", ""}, "subject.age_band", false},
		"the purpose goes":                      {nil, []string{"  - {id: delivery, title: Delivery, basis: contract, fields: [given_name, birthdate, address, zoneinfo], retention: P2Y}\n", "", "purposes: [delivery], ", ""}, "subject.age_band", true},
	} {
		t.Run(name, func(t *testing.T) {
			swap := func(s string, edits []string) string {
				for i := 0; i+1 < len(edits); i += 2 {
					if !strings.Contains(s, edits[i]) {
						t.Fatalf("no %q", edits[i])
					}
					s = strings.Replace(s, edits[i], edits[i+1], 1)
				}
				return s
			}
			read := func(s string) *register.Register {
				r, _, err := register.Parse("register.yaml", []byte(s)) // warns of what is left out
				if err != nil {
					t.Fatal(err)
				}
				return r
			}
			old := swap(text, c.before)
			widens, why := false, ""
			for _, e := range register.Effects(read(old), read(swap(old, c.edit)), func(p string) bool { return p == c.looks }) {
				widens = widens || e.Widens
				why += e.String() + ": " + e.Why + "\n"
			}
			if widens != c.widens {
				t.Errorf("got %v, want %v:\n%s", widens, c.widens, why)
			}
		})
	}
}

// Who never wants to be contacted again is kept from direct marketing, so what
// is no longer called that reaches them.
func TestWhatIsNoLongerDirectMarketingWidens(t *testing.T) {
	old := parse(t, northgate)
	for dpv, want := range map[string]bool{"dpv:ServiceProvision": true, "dpv:Marketing": false} {
		effects := register.Effects(old, parse(t, edit(t, "dpv: dpv:DirectMarketing", "dpv: "+dpv)), unseen)
		if len(effects) != 1 || effects[0].Widens != want {
			t.Errorf("%s: got %+v, want widening %v", dpv, effects, want)
		}
	}
	if back := register.Effects(parse(t, edit(t, "dpv: dpv:DirectMarketing", "dpv: dpv:ServiceProvision")), old, unseen); len(back) != 1 || back[0].Widens {
		t.Errorf("got %+v, want that to become direct marketing narrows", back)
	}
}
