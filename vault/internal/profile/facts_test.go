package profile

import (
	"testing"
	"time"

	"golang.org/x/text/language"
	"pgregory.net/rapid"

	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func shop(extra ...register.Field) *register.Register {
	return &register.Register{Fields: append([]register.Field{
		{Name: "address", Type: privacy.TypeAddress},
		{Name: "delivery_address", Type: privacy.TypeAddress},
		{Name: "country", Type: privacy.TypeCountry},
		{Name: "nationality", Type: privacy.TypeCountry},
		{Name: "phone_number", Type: privacy.TypePhone},
		{Name: "zoneinfo", Type: privacy.TypeString},
		{Name: "birthdate", Type: privacy.TypeDate, Category: "pd:BirthDate"},
	}, extra...)}
}

type person map[privacy.FieldName]string

func (p person) values() map[privacy.FieldName]privacy.Sensitive {
	values := map[privacy.FieldName]privacy.Sensitive{}
	for name, json := range p {
		values[name] = privacy.NewSensitive([]byte(json))
	}
	return values
}

func TestWhereAPersonLives(t *testing.T) {
	for _, c := range []struct {
		story              string
		person             person
		jurisdiction, zone string
	}{
		{"nobody told anything", person{}, Unknown, Unknown},
		{"an address in Köln", person{"address": `{"country":"DE"}`}, "DE", "Europe/Berlin"},
		{"an address in California", person{"address": `{"country":"US","region":"CA"}`}, "US-CA", "America/Los_Angeles"},
		{"a state by name", person{"address": `{"country":"US","region":"new  YORK"}`}, "US-NY", "America/New_York"},
		{"a state with two time zones", person{"address": `{"country":"US","region":"TX"}`}, "US-TX", "US"},
		{"no such state", person{"address": `{"country":"US","region":"Bavaria"}`}, "US", "US"},
		{"Québec", person{"address": `{"country":"CA","region":"Québec"}`}, "CA-QC", "CA"},
		{"a region where regions do not matter", person{"address": `{"country":"DE","region":"CA"}`}, "DE", "Europe/Berlin"},
		{"an address without country", person{"address": `{"locality":"Köln"}`}, Unknown, Unknown},
		{"only a country", person{"country": `"FR"`}, "FR", "Europe/Paris"},
		{"the address outweighs the country", person{"address": `{"country":"DE"}`, "country": `"US"`}, "DE", "Europe/Berlin"},
		{"a nationality is no residence", person{"nationality": `"US"`}, Unknown, Unknown},
		{"a parcel to a friend abroad", person{"delivery_address": `{"country":"US"}`}, Unknown, Unknown},
		{"a telephone tells the time, not the law", person{"phone_number": `"+4930901820"`}, Unknown, "Europe/Berlin"},
		{"a telephone of a wide country", person{"phone_number": `"+12025550143"`}, Unknown, "US"},
		{"a person who says when they are awake", person{"address": `{"country":"DE"}`, "zoneinfo": `"Asia/Tokyo"`}, "DE", "Asia/Tokyo"},
		{"a time zone that is none", person{"address": `{"country":"DE"}`, "zoneinfo": `"../etc/passwd"`}, "DE", "Europe/Berlin"},
		{"the server's time zone is not the person's", person{"zoneinfo": `"Local"`}, Unknown, Unknown},
	} {
		got := Derive(c.person.values(), shop(), today)
		if got.Jurisdiction != c.jurisdiction || got.TimeZone != c.zone || got.AgeBand != Unknown {
			t.Errorf("%s: got %+v, want %s, %s", c.story, got, c.jurisdiction, c.zone)
		}
	}
}

func TestTheOnlyAddressIsThePersonsOwn(t *testing.T) {
	reg := &register.Register{Fields: []register.Field{{Name: "home", Type: privacy.TypeAddress}, {Name: "born", Type: privacy.TypeDate, Category: "pd:BirthDate"}}}
	got := Derive(person{"home": `{"country":"AT"}`, "born": `"2000-01-01"`}.values(), reg, today)
	if got.Jurisdiction != "AT" || got.AgeBand != "25_34" {
		t.Errorf("got %+v, want AT and 25_34", got)
	}
	reg.Fields = append(reg.Fields, register.Field{Name: "parcels", Type: privacy.TypeAddress})
	if got := Derive(person{"home": `{"country":"AT"}`}.values(), reg, today); got.Jurisdiction != Unknown {
		t.Errorf("of two addresses one was guessed to be home: got %+v", got)
	}
}

func TestWithin(t *testing.T) {
	for _, c := range []struct {
		lives string
		named []string
		want  bool
	}{
		{"US-CA", []string{"US"}, true},
		{"US-CA", []string{"US-CA"}, true},
		{"US-CA", []string{"US-NY"}, false},
		{"US", []string{"US-CA"}, false},
		{"DE", []string{"US", "US-CA"}, false},
		{"US", nil, false},
		{Unknown, []string{"US", Unknown}, false},
		{"", []string{""}, false},
	} {
		if got := Within(c.lives, c.named); got != c.want {
			t.Errorf("%q within %v: got %v", c.lives, c.named, got)
		}
	}
}

func TestAgeBands(t *testing.T) {
	until := func(day string) time.Time { at, _ := time.Parse(time.DateOnly, day); return at }
	for _, c := range []struct {
		born, band string
		until      time.Time
	}{
		{`"2026-03-14"`, "under_13", until("2039-03-14")},
		{`"2013-03-15"`, "under_13", until("2026-03-15")},
		{`"2013-03-14"`, "13_15", until("2029-03-14")},
		{`"2010-03-14"`, "16_17", until("2028-03-14")},
		{`"2008-03-15"`, "16_17", until("2026-03-15")},
		{`"2008-03-14"`, "18_24", until("2033-03-14")},
		{`"1992-02-29"`, "25_34", until("2027-03-01")},
		{`"1961-03-15"`, "55_64", until("2026-03-15")},
		{`"1961-03-14"`, "65_plus", time.Time{}},
		{`"no date"`, Unknown, time.Time{}},
	} {
		got := Derive(person{"birthdate": c.born}.values(), shop(), today)
		if got.AgeBand != c.band || !got.AgeBandUntil.Equal(c.until) {
			t.Errorf("born %s: got %s until %s, want %s until %s", c.born, got.AgeBand, got.AgeBandUntil, c.band, c.until)
		}
	}
}

// Facts are derived once and asked for years: they must say on any day what
// the date of birth would, without opening it.
// Two fields may hold a date of birth. A child is one by either.
func TestTheYoungestDateOfBirthCounts(t *testing.T) {
	reg := shop(register.Field{Name: "dob", Type: privacy.TypeDate, Category: "pd:BirthDate"})
	for _, p := range []person{{"dob": `"2014-01-01"`}, {"birthdate": `"1990-01-01"`, "dob": `"2014-01-01"`}, {"birthdate": `"2014-01-01"`, "dob": `"1990-01-01"`}} {
		if got := Derive(p.values(), reg, time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)); got.AgeBand != "under_13" {
			t.Errorf("%v: got %q, want under_13", p, got.AgeBand)
		}
	}
}

func TestFactsGrowOlderWithThePerson(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		born := today.AddDate(0, 0, -rapid.IntRange(0, 90*365).Draw(t, "days old")).Truncate(24 * time.Hour)
		later := today.AddDate(0, 0, rapid.IntRange(0, 90*365).Draw(t, "days later"))
		if born.Month() == time.February && born.Day() == 29 {
			t.Skip("may be a day younger")
		}
		values := person{"birthdate": born.Format(`"2006-01-02"`)}.values()
		then, fresh := Derive(values, shop(), today).At(later), Derive(values, shop(), later)
		if then.AgeBand != fresh.AgeBand || !then.AgeBandUntil.Equal(fresh.AgeBandUntil) {
			t.Fatalf("born %s, on %s: got %+v, want %+v", born, later, then, fresh)
		}
	})
}

func TestTheTablesOfPlacesAreSound(t *testing.T) {
	for _, code := range countries() {
		if r, err := language.ParseRegion(code); err != nil || !r.IsCountry() || r.String() != code {
			t.Errorf("%s is no country: %v, %v", code, r, err)
		}
	}
	if n := len(countries()); n != 250 {
		t.Errorf("got %d countries, want 249 and Kosovo", n)
	}
	for name, code := range otherNames {
		if !isCountry(code) || name != fold(name) {
			t.Errorf("%q stands for %q: not folded, or no country", name, code)
		}
	}
	zoned := func(zone string) {
		if _, err := time.LoadLocation(zone); err != nil {
			t.Logf("the time zones of this machine lack %s", zone)
		}
	}
	for code, zone := range zones() {
		if !isCountry(code) {
			t.Errorf("%s has a time zone and is no country", code)
		}
		zoned(zone)
	}
	for _, code := range countries() {
		for _, zone := range ZonesOf(code) {
			zoned(zone)
		}
		if n := len(ZonesOf(code)); n > 1 && zones()[code] != "" {
			t.Errorf("%s has one time zone and %d", code, n)
		}
	}
	for code := range wideZones() {
		if !isCountry(code) {
			t.Errorf("%s has time zones and is no country", code)
		}
	}
	for country, n := range map[string]int{"US": 51, "CA": 14, "AU": 8} {
		if len(regions()[country]) != n {
			t.Errorf("%s: got %d regions, want %d", country, len(regions()[country]), n)
		}
		for _, r := range regions()[country] {
			if r.zone != "" {
				zoned(r.zone)
			}
			if r.name == "" || len(r.code) < 2 || len(r.code) > 3 {
				t.Errorf("%s: a region reads %+v", country, r)
			}
		}
	}
}
