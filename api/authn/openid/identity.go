package openid

import (
	"encoding/json"
	"fmt"
	"time"
)

// Identity is who logged in, as the provider says. It holds personal values:
// it prints as the provider and nothing else.
type Identity struct {
	// Issuer and Subject name the person at the provider, for ever; an address
	// may become somebody else's.
	Issuer, Subject string
	// Email is believed only if EmailVerified, Phone (E.164) only if
	// PhoneVerified.
	Email         string
	EmailVerified bool
	Phone         string
	PhoneVerified bool
	// Name is what to call the person. It proves nothing.
	Name string
	// At is when the person proved who they are; zero if the provider does not say.
	At time.Time
	// Strength is the provider's word for how (acr), Methods are what with (amr).
	Strength string
	Methods  []string
	// Return is the path that Begin was given.
	Return string

	claims []json.RawMessage
}

// String names the provider and nobody.
func (i *Identity) String() string { return "a login with " + i.Issuer }

// GoString is String.
func (i *Identity) GoString() string { return i.String() }

// Claims reads the provider's claims into v, those of the ID token first: for
// what has no field here, such as the groups of an officer.
func (i *Identity) Claims(v any) error {
	for _, text := range i.claims {
		if err := json.Unmarshal(text, v); err != nil {
			return fmt.Errorf("%w: its claims are not what is expected", ErrAnswer)
		}
	}
	return nil
}

// truth is a boolean that some providers write as a string.
type truth bool

func (t *truth) UnmarshalJSON(data []byte) error {
	switch string(data) {
	case `true`, `"true"`:
		*t = true
	case `false`, `"false"`, `null`:
		*t = false
	default:
		return fmt.Errorf("%w: a claim is neither true nor false", ErrAnswer)
	}
	return nil
}

// add takes the claims of text that are not yet known. Verified belongs to the
// value beside it: the one is never taken without the other.
func (i *Identity) add(text json.RawMessage) error {
	var c struct {
		Email         string   `json:"email"`
		EmailVerified truth    `json:"email_verified"`
		Phone         string   `json:"phone_number"`
		PhoneVerified truth    `json:"phone_number_verified"`
		Name          string   `json:"name"`
		At            int64    `json:"auth_time"`
		Strength      string   `json:"acr"`
		Methods       []string `json:"amr"`
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return fmt.Errorf("%w: its claims cannot be read", ErrAnswer)
	}
	if !i.EmailVerified && c.Email != "" {
		i.Email, i.EmailVerified = c.Email, bool(c.EmailVerified)
	}
	if !i.PhoneVerified && c.Phone != "" {
		i.Phone, i.PhoneVerified = c.Phone, bool(c.PhoneVerified)
	}
	if i.Name == "" {
		i.Name = c.Name
	}
	if i.At.IsZero() && c.At > 0 {
		i.At = time.Unix(c.At, 0)
	}
	if i.Strength == "" {
		i.Strength, i.Methods = c.Strength, c.Methods
	}
	i.claims = append(i.claims, text)
	return nil
}
