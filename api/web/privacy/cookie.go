package privacy

// The cookies of the pages. The session's holds a token and nothing else.
const (
	cookieFamily  = "sayso"
	sessionCookie = "me"
	codeCookie    = "code" // the attempt of a code that was sent
)
