package privacy

import (
	"net/http"
	"time"
)

// The cookies of the pages. The session's holds a token and nothing else. Over
// https their names bind them to this host and to https. They come along when
// somebody follows a link here, as after a login at a provider, and never with what
// another site sends.
const (
	sessionCookie = "me"
	codeCookie    = "code" // the attempt of a code that was sent
	nextCookie    = "next" // where to go on after a login
	flashCookie   = "done"
)

func (h *Handler) cookieName(what string) string {
	if h.secure {
		return "__Host-sayso_" + what
	}
	return "sayso_" + what
}

// remember sets a cookie, until the browser is closed if it has no age.
func (v *visit) remember(what, value string, age time.Duration) {
	v.set(what, value, int(age/time.Second))
}

// forget ends a cookie.
func (v *visit) forget(what string) { v.set(what, "", -1) }

func (v *visit) set(what, value string, age int) {
	//nolint:gosec // without TLS, which only this machine may have, a Secure cookie would not come back
	http.SetCookie(v.w, &http.Cookie{Name: v.cookieName(what), Value: value, Path: "/", MaxAge: age, HttpOnly: true, Secure: v.secure, SameSite: http.SameSiteLaxMode})
}

// cookie is what a cookie holds, "" if there is none.
func (v *visit) cookie(what string) string {
	c, err := v.r.Cookie(v.cookieName(what))
	if err != nil {
		return ""
	}
	return c.Value
}
