package profile

import (
	"net/url"
	"strings"

	"golang.org/x/text/language"
)

// languageTag returns a BCP 47 tag in its canonical form.
func languageTag(s string) (string, *fault) {
	wrong := &fault{InvalidLanguage, "expected a BCP 47 language tag such as de or pt-BR"}
	if len(s) > 64 {
		return "", wrong
	}
	tag, err := language.Parse(s)
	if err != nil {
		return "", wrong
	}
	// "und" and private tags name no language anybody could be addressed in.
	if base, _, _ := tag.Raw(); base.String() == "und" {
		return "", wrong
	}
	return tag.String(), nil
}

// webAddress checks an absolute http or https URL and keeps it as given. One
// with a password in it is refused.
func webAddress(s string) (string, *fault) {
	if len(s) > 2048 {
		return "", &fault{TooLong, "expected a URL of at most 2048 bytes"}
	}
	wrong := &fault{InvalidURL, "expected a URL such as https://example.org/ada"}
	if strings.ContainsFunc(s, invisible) {
		return "", wrong
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.Hostname() == "" {
		return "", wrong
	}
	return s, nil
}
