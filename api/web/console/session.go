package console

import "net/http"

// The session's cookie holds a token and nothing else. Over https its name binds
// it to this host and to https; a page of another site never sends it along.

func (h *Handler) secure() bool { return h.origin.Scheme == "https" }

// cookieName is the name of one of the console's cookies.
func (h *Handler) cookieName(what string) string {
	if h.secure() {
		return "__Host-sayso_console_" + what
	}
	return "sayso_console_" + what
}

// cookie makes one of the console's cookies. It ends with the browser's session if
// age is 0, and now if it is less.
func (h *Handler) cookie(what, value string, age int) *http.Cookie {
	//nolint:gosec // over plain HTTP, which is for loopback, a Secure cookie would not come back
	return &http.Cookie{Name: h.cookieName(what), Value: value, Path: "/", MaxAge: age, HttpOnly: true, Secure: h.secure(), SameSite: http.SameSiteLaxMode}
}

func (v *visit) token() string {
	c, err := v.r.Cookie(v.cookieName("session"))
	if err != nil {
		return ""
	}
	return c.Value
}

func (v *visit) forgetToken() { http.SetCookie(v.w, v.cookie("session", "", -1)) }
