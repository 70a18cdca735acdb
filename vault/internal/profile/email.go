package profile

import (
	"net/mail"
	"strings"

	"golang.org/x/net/idna"
)

// The longest e-mail address and local part (RFC 5321).
const (
	maxEmail = 254
	maxLocal = 64
)

// email checks an address of the form local@domain, in any script (RFC 6531),
// and keeps it as given.
//
// For look-up the local part is folded as a whole: servers may tell case
// apart, people do not. Nothing else is: what a dot or a plus means is for the
// mailbox's own server to say. The domain takes its ASCII form (UTS #46).
func email(s string) (kept, lookup string, wrong *fault) {
	if len(s) > maxEmail {
		return "", "", &fault{TooLong, "expected an e-mail address of at most 254 bytes"}
	}
	wrong = &fault{InvalidEmail, "expected one e-mail address such as ada@example.org"}
	at := strings.LastIndexByte(s, '@')
	if at < 1 || !dotAtom(s[:at]) {
		return "", "", wrong
	}
	local := fold(s[:at])
	// Folding must not turn a look-alike into a separator: of "a＠b@c" nobody
	// can say which mailbox is meant.
	if at > maxLocal || !isASCII(s[:at]) && !dotAtom(local) {
		return "", "", wrong
	}
	domain, ok := domain(s[at+1:])
	if !ok {
		return "", "", wrong
	}
	return s, local + "@" + domain, nil
}

// dotAtom reports whether local is a local part without quotes, comments or
// anything invisible.
func dotAtom(local string) bool {
	if strings.ContainsAny(local, `@"<>()[],:;\ `) || strings.ContainsFunc(local, invisible) {
		return false
	}
	a, err := mail.ParseAddress(local + "@example.org")
	return err == nil && a.Name == "" && a.Address == local+"@example.org"
}

// domains maps a domain name in any script to ASCII, as a look-up would.
// Hyphens in third and fourth place are not checked: such names are registered
// and receive mail.
var domains = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.CheckHyphens(false),
	idna.CheckJoiners(true), idna.StrictDomainName(true), idna.VerifyDNSLength(true))

// domain returns the ASCII form of a public domain name.
func domain(s string) (string, bool) {
	if strings.ContainsFunc(s, invisible) {
		return "", false
	}
	ascii, err := domains.ToASCII(s)
	if err != nil || strings.HasSuffix(ascii, ".") {
		return "", false
	}
	top := ascii[strings.LastIndexByte(ascii, '.')+1:]
	if top == ascii || strings.Trim(top, "0123456789") == "" {
		return "", false
	}
	return ascii, true
}
