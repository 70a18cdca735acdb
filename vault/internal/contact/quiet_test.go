package contact_test

import (
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/contact"
)

// It is noon in Berlin. Anahita lives there, Ngaio in Auckland, and where Sam
// lives nobody knows.
func TestQuietHoursAreThoseOfThePersonsOwnWall(t *testing.T) {
	at := time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		who   string
		zones []string
		els   string
		want  time.Duration // until she may be texted
	}{
		{"Anahita", []string{"Europe/Berlin"}, "", 0},
		{"Ngaio, at midnight", []string{"Pacific/Auckland"}, "", 8 * time.Hour},
		{"Sam, taken for somebody in Berlin", nil, "Europe/Berlin", 0},
		{"Jo, in New York or in Honolulu", []string{"America/New_York", "Pacific/Honolulu"}, "Europe/Berlin", 7 * time.Hour},
		{"Kim, in London or in Auckland", []string{"Europe/London", "Pacific/Auckland"}, "", 8 * time.Hour},
	} {
		p := known(t, northgate)
		p.now, p.wall = at, contact.Wall{Zones: c.zones, Else: c.els, Load: time.LoadLocation}
		code := ""
		if c.want > 0 {
			code = contact.CodeQuietHours
		}
		t.Run(c.who, func(t *testing.T) {
			p.t = t
			p.wants(p.plan(contact.Contact, "texts", "sms", "a"), code, c.want)
			p.wants(p.plan(contact.Contact, "texts", "email", "a"), "", 0) // which rings nobody awake
			p.wants(p.plan(contact.Contact, "texts", "", "a"), code, c.want)
		})
	}
	p := known(t, northgate)
	p.wall = contact.Wall{Load: time.LoadLocation}
	p.wants(p.plan(contact.Contact, "texts", "sms", "a"), contact.CodeQuietHours, 0)
}

// On the days the clocks change, and where they stand half an hour off, quiet
// hours end when the wall says so: an oracle looks at every minute.
func TestQuietHoursEndByTheWallOnEveryDay(t *testing.T) {
	reg := parse(t, northgate)
	for _, zone := range []string{"Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns", "Pacific/Apia"} {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		wall := contact.Wall{Zones: []string{zone}, Load: time.LoadLocation}
		quiet := func(at time.Time) bool {
			h := at.In(loc).Hour()
			return h >= 21 || h < 8
		}
		for _, date := range []string{"2026-03-07", "2026-03-28", "2026-04-04", "2026-07-01", "2026-10-03", "2026-10-24", "2026-10-31"} {
			from, _ := time.Parse(time.DateOnly, date)
			for minutes := 0; minutes < 2*24*60; minutes += 7 {
				at := from.Add(time.Duration(minutes)*time.Minute + 13*time.Second)
				want := time.Time{}
				if quiet(at) {
					for want = at.Truncate(time.Minute); quiet(want); {
						want = want.Add(time.Minute)
					}
				}
				v := contact.RulesOf(reg, "texts").Check(&contact.Dealings{}, contact.Plan{Kind: contact.Contact, Medium: "sms", Topic: "a", At: at}, wall)
				if v.Allowed() == quiet(at) || !v.Until.Equal(want) {
					t.Fatalf("%s in %s: got %q until %s, want until %s", at.In(loc), zone, v.Code, v.Until.In(loc), want.In(loc))
				}
			}
		}
	}
}
