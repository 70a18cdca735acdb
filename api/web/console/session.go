package console

// The cookies of the pages. The session's holds a token and nothing else.
const (
	cookieFamily   = "sayso_console"
	sessionCookie  = "session"
	ceremonyCookie = "ceremony" // of a passkey
)
