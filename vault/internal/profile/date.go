package profile

import (
	"time"

	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// firstYear is the earliest year of a date about a living person's affairs.
const firstYear = 1850

// date checks an ISO 8601 calendar date. A date of birth may be tomorrow, for
// it is tomorrow already where the day begins, and no later.
func date(s string, birth bool, now time.Time) (string, *fault) {
	day, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return "", &fault{InvalidDate, "expected a calendar date such as 1990-12-31"}
	}
	if day.Year() < firstYear {
		return "", &fault{InvalidDate, "expected a date not before 1850-01-01"}
	}
	if birth && day.After(now.UTC().AddDate(0, 0, 1)) {
		return "", &fault{InvalidDate, "expected a date of birth that is not in the future"}
	}
	return s, nil
}

// isBirthdate reports whether the dates of field f are dates of birth.
func isBirthdate(f *register.Field) bool {
	if f.Type != privacy.TypeDate {
		return false
	}
	return f.Name == "birthdate" || f.Category == "pd:BirthDate" || f.Category == "https://w3id.org/dpv/pd#BirthDate"
}

// The age bands, youngest first. A rule may compare with them by name.
var ageBands = []ageBandFrom{
	{0, "under_13"}, {13, "13_15"}, {16, "16_17"}, {18, "18_24"}, {25, "25_34"},
	{35, "35_44"}, {45, "45_54"}, {55, "55_64"}, {65, "65_plus"},
}

// ageBandFrom is an age band and the age it begins at.
type ageBandFrom struct {
	from int
	name string
}

// birthday returns the day a person born on day turns age. Whoever was born on
// 29 February turns on 1 March in other years: for a day they count as
// younger, never as older.
func birthday(day time.Time, age int) time.Time {
	return time.Date(day.Year()+age, day.Month(), day.Day(), 0, 0, 0, 0, time.UTC)
}

// isOver reports whether a person born on day is at least age years old.
func isOver(day time.Time, age int, now time.Time) bool { return !now.Before(birthday(day, age)) }

// ageBand returns the band at now and the day it changes; zero for the last.
func ageBand(born, now time.Time) (string, time.Time) {
	band := 0
	for band+1 < len(ageBands) && isOver(born, ageBands[band+1].from, now) {
		band++
	}
	if band+1 == len(ageBands) {
		return ageBands[band].name, time.Time{}
	}
	return ageBands[band].name, birthday(born, ageBands[band+1].from)
}
