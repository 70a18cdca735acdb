package profile

import (
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// Unknown stands where a fact is not known: rules see a word, never nothing.
const Unknown = "unknown"

// Facts are what rules may know of a person. They are derived when values
// change and kept in the standing, so that no value is opened to decide.
type Facts struct {
	// Jurisdiction is where the person lives, as US-CA or DE.
	Jurisdiction string `json:"jurisdiction"`
	// TimeZone is a name of the tz database, such as Europe/Berlin, or the code of a
	// country that has several time zones: see [ZonesOf].
	TimeZone string `json:"time_zone"`
	// AgeBand is the band on the day the facts were derived: ask [Facts.At] for
	// a later one.
	AgeBand string `json:"age_band"`
	// AgeBandUntil is the day (midnight UTC) the next band begins; zero where
	// none does.
	AgeBandUntil time.Time `json:"age_band_until,omitzero"`
}

// Derive tells the facts from a person's values, which are normalised.
//
// Where a person lives is told by their address (the field named address, or
// the only field of that type) or else by the field named country, and by
// nothing else: a telephone number's country may grant nobody's data on the
// ground that a law does not reach them. The time zone is zoneinfo if that is
// given, or else that of the address or, at last, of the telephone number;
// where a country has several it is the country. The age is told by the date of birth.
func Derive(values map[privacy.FieldName]privacy.Sensitive, reg *register.Register, now time.Time) Facts {
	facts := Facts{Jurisdiction: Unknown, TimeZone: Unknown, AgeBand: Unknown}

	country, state := residence(values, reg)
	if country != "" {
		facts.Jurisdiction = country
		if state.code != "" {
			facts.Jurisdiction += "-" + state.code
		}
	}
	if zone := timeZone(values, reg, country, state); zone != "" {
		facts.TimeZone = zone
	}
	if born := birth(values, reg); !born.IsZero() {
		facts.AgeBand, facts.AgeBandUntil = ageBand(born, now)
	}
	return facts
}

// At returns the facts as of now, with the age band moved on by as many
// birthdays as have passed. A day of 1 March stays one, so a person born on 29
// February may count as younger for one day, never as older.
func (f Facts) At(now time.Time) Facts {
	for !f.AgeBandUntil.IsZero() && !now.Before(f.AgeBandUntil) {
		band := slices.IndexFunc(ageBands, func(b ageBandFrom) bool { return b.name == f.AgeBand }) + 1
		if band == 0 || band == len(ageBands) {
			return Facts{f.Jurisdiction, f.TimeZone, Unknown, time.Time{}}
		}
		f.AgeBand = ageBands[band].name
		if band+1 == len(ageBands) {
			f.AgeBandUntil = time.Time{}
			break
		}
		f.AgeBandUntil = f.AgeBandUntil.AddDate(ageBands[band+1].from-ageBands[band].from, 0, 0)
	}
	return f
}

// Within reports whether a jurisdiction, as in Facts, is one of those a
// purpose names: a person in US-CA is within US, one in US is not known to be
// within US-CA. Unknown is within none.
func Within(jurisdiction string, named []string) bool {
	country, _, _ := strings.Cut(jurisdiction, "-")
	return isCountry(country) && (slices.Contains(named, jurisdiction) || slices.Contains(named, country))
}

// residence returns country and region of where the person lives.
func residence(values map[privacy.FieldName]privacy.Sensitive, reg *register.Register) (string, region) {
	if f := only(reg, privacy.TypeAddress, "address"); f != nil {
		if v, ok := values[f.Name]; ok && jsontext.Value(v.Reveal()).Kind() == '{' {
			if members, ok := stringMembers(v.Reveal()); ok && isCountry(members["country"]) {
				state, _ := regionOf(members["country"], members["region"])
				return members["country"], state
			}
		}
	}
	if f := named(reg, privacy.TypeCountry, "country"); f != nil {
		if code := told(values, f); isCountry(code) {
			return code, region{}
		}
	}
	return "", region{}
}

// timeZone returns the one time zone that can be told, or the country of several, or "".
func timeZone(values map[privacy.FieldName]privacy.Sensitive, reg *register.Register, country string, state region) string {
	if zone := told(values, named(reg, privacy.TypeString, "zoneinfo")); zone != "" && zone != "Local" {
		if _, err := time.LoadLocation(zone); err == nil {
			return zone
		}
	}
	if country == "" {
		country = phoneCountry(told(values, named(reg, privacy.TypePhone, "phone_number")))
	}
	if state.zone != "" {
		return state.zone
	}
	if wideZones()[country] != "" {
		return country
	}
	return zones()[country]
}

// birth returns a person's date of birth, or zero. Of several, in several fields,
// it is the latest: rules hold back what is told of the young.
func birth(values map[privacy.FieldName]privacy.Sensitive, reg *register.Register) (born time.Time) {
	for i := range reg.Fields {
		if f := &reg.Fields[i]; isBirthdate(f) {
			if day, err := time.Parse(time.DateOnly, told(values, f)); err == nil && (born.IsZero() || day.After(born)) {
				born = day
			}
		}
	}
	return born
}

// named returns the field of that name if it has that type, else nil.
func named(reg *register.Register, t privacy.Type, name privacy.FieldName) *register.Field {
	for i := range reg.Fields {
		if f := &reg.Fields[i]; f.Name == name && f.Type == t {
			return f
		}
	}
	return nil
}

// only returns the field of that name, or else the only field of the type. Of
// several nobody can say which is the person's own: a parcel to a friend
// abroad must not move the sender.
func only(reg *register.Register, t privacy.Type, name privacy.FieldName) *register.Field {
	if f := named(reg, t, name); f != nil {
		return f
	}
	var found *register.Field
	for i := range reg.Fields {
		if f := &reg.Fields[i]; f.Type == t {
			if found != nil {
				return nil
			}
			found = f
		}
	}
	return found
}

// told returns what the value of a field says, "" if there is none.
func told(values map[privacy.FieldName]privacy.Sensitive, f *register.Field) string {
	if f == nil {
		return ""
	}
	b, err := jsontext.AppendUnquote(nil, values[f.Name].Reveal())
	if err != nil {
		return ""
	}
	return string(b)
}
