package privacy

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/sayso-vault/sayso/api/authn/codes"
	"github.com/sayso-vault/sayso/vault"
)

// SendsCodes reports whether people may log in with codes that are mailed to them.
// Without that AskCode and CheckCode must not be called.
func (h *Handler) SendsCodes() bool { return h.desk != nil }

// AskCode has a code mailed to an address, for who logs in without a browser. It
// shares the throttles of the pages, and tells as little: see [codes.Desk.Ask].
func (h *Handler) AskCode(r *http.Request, to codes.Address, language string) (string, error) {
	t, err := h.readTitles(language)
	if err != nil {
		return "", err
	}
	var address string
	fits := slices.ContainsFunc(t.unique, func(f vault.FieldTitle) bool { return f.Field == to.Field }) &&
		json.Unmarshal(to.Value.Reveal(), &address) == nil && isAddress(address)
	if !fits {
		return "", &vault.Error{Code: vault.CodeInvalidRequest, Detail: "no code can be mailed to this", Fields: []vault.FieldError{
			{Field: "subject", Code: "not_an_identifier", Detail: "an e-mail address was expected, by the name of a field that the register calls a unique identifier"}}}
	}
	return h.desk.Ask(h.origin(r), to, language)
}

// CheckCode returns the address that a code was mailed to: see [codes.Desk.Check].
func (h *Handler) CheckCode(r *http.Request, attempt, code string) (codes.Address, error) {
	return h.desk.Check(h.origin(r), attempt, code)
}

// isAddress reports whether something may be mailed to a text.
func isAddress(text string) bool { return len(text) <= 254 && strings.Contains(text, "@") }
