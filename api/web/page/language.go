package page

import (
	"fmt"
	"net/http"
	"time"

	"golang.org/x/text/language"
)

// languageCookie remembers the language somebody chose. It says nothing else.
const languageCookie = "sayso_language"

// languageOf is the language a page is shown in: the one chosen by ?lang=, the
// one chosen before, or the best of what the browser accepts.
func (s *Site) languageOf(w http.ResponseWriter, r *http.Request) string {
	if chosen := r.URL.Query().Get("lang"); s.views[chosen] != nil {
		//nolint:gosec // over plain HTTP, which is for loopback, a Secure cookie would not come back
		http.SetCookie(w, &http.Cookie{Name: languageCookie, Value: chosen, Path: "/", MaxAge: 365 * 24 * 3600,
			HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: r.TLS != nil})
		return chosen
	}
	if c, err := r.Cookie(languageCookie); err == nil && s.views[c.Value] != nil {
		return c.Value
	}
	wanted, _, _ := language.ParseAcceptLanguage(r.Header.Get("Accept-Language")) // what cannot be read is no wish
	_, i, _ := s.matcher.Match(wanted...)
	return s.languages[i]
}

// Language is one that pages can be shown in, by its own name.
type Language struct{ Code, Name string }

// day is t's date in the language of c.
func (c catalogue) day(t time.Time) (string, error) {
	month, err := c.say(fmt.Sprintf("month.%d", t.Month()))
	if err != nil {
		return "", err
	}
	return c.say("date", "day", t.Day(), "month", month, "year", t.Year())
}

// moment is t's date and time of day in the language of c.
func (c catalogue) moment(t time.Time) (string, error) {
	day, err := c.day(t)
	if err != nil {
		return "", err
	}
	clock, err := c.clock(t)
	if err != nil {
		return "", err
	}
	return c.say("moment", "date", day, "clock", clock)
}

// clock is t's time of day in the language of c.
func (c catalogue) clock(t time.Time) (string, error) {
	return c.say("clock", "time", t.Format("15:04"))
}
