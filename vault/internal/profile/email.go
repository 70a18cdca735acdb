package profile

import (
	"net/mail"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// The longest e-mail address and local part (RFC 5321).
const (
	maxEmail = 254
	maxLocal = 64
)

// email checks an address of the form local@domain, in any script (RFC 6531),
// and keeps it as given.
//
// For look-up the local part loses its case: servers may tell it apart, people do
// not. Nothing else is folded: what a dot or a plus means is for the mailbox's own
// server to say, and letters that only look alike, or stand for one another in
// print, are other mailboxes, whose owners must not be taken for each other. The
// domain takes its ASCII form (UTS #46), as everybody who asks for it does.
func email(s string) (kept, lookup string, wrong *fault) {
	if len(s) > maxEmail {
		return "", "", &fault{TooLong, "expected an e-mail address of at most 254 bytes"}
	}
	wrong = &fault{InvalidEmail, "expected one e-mail address such as ada@example.org"}
	at := strings.LastIndexByte(s, '@')
	if at < 1 || !dotAtom(s[:at]) {
		return "", "", wrong
	}
	local := small(s[:at])
	// Of a look-alike of a separator, as in "a＠b@c", nobody can say which mailbox
	// is meant.
	if at > maxLocal || !isASCII(s[:at]) && !dotAtom(fold(s[:at])) {
		return "", "", wrong
	}
	domain, ok := domain(s[at+1:])
	if !ok {
		return "", "", wrong
	}
	return s, local + "@" + domain, nil
}

// small returns s without regard to case, where a letter has one small and one
// large form and they are each other's: so ß is not ss, nor the dotted İ an i.
func small(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	return norm.NFC.String(strings.Map(func(r rune) rune {
		if l := unicode.ToLower(r); unicode.ToUpper(l) == r {
			return l
		}
		return r
	}, norm.NFC.String(s)))
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
