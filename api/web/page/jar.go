package page

import (
	"net/http"
	"time"
)

// Jar holds the cookies of a family of pages. They are the server's alone, and come
// along when somebody follows a link here, as after a login at a provider, and never
// with what another site sends. Over https their names bind them to this host and to
// https.
type Jar struct {
	// Family begins their names.
	Family string
	// Secure is whether browsers reach the pages over https. In the clear, which is
	// for loopback, such a cookie would not come back.
	Secure bool
}

func (j Jar) name(what string) string {
	if j.Secure {
		return "__Host-" + j.Family + "_" + what
	}
	return j.Family + "_" + what
}

// Put sets a cookie, until the browser is closed if it has no age.
func (j Jar) Put(w http.ResponseWriter, what, value string, age time.Duration) {
	j.set(w, what, value, int(age/time.Second))
}

// Forget ends a cookie.
func (j Jar) Forget(w http.ResponseWriter, what string) { j.set(w, what, "", -1) }

func (j Jar) set(w http.ResponseWriter, what, value string, age int) {
	//nolint:gosec // without TLS, which only this machine may have, a Secure cookie would not come back
	http.SetCookie(w, &http.Cookie{Name: j.name(what), Value: value, Path: "/", MaxAge: age, HttpOnly: true, Secure: j.Secure, SameSite: http.SameSiteLaxMode})
}

// Value is what a cookie holds, "" if there is none.
func (j Jar) Value(r *http.Request, what string) string {
	c, err := r.Cookie(j.name(what))
	if err != nil {
		return ""
	}
	return c.Value
}
