package register

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// NoticeHash is the SHA-256 of what a person is shown when asked for a purpose:
// JSON as of RFC 8785 with the members title, benefit, fields, recipients and
// notice. It stands in consent records and receipts, so that what was shown can
// be proven, and must never change for the same text.
func NoticeHash(p *Purpose) [32]byte {
	shown := []member{
		{"title", p.Title},
		{"benefit", p.Benefit},
		{"fields", toStrings(p.Fields)},
		{"recipients", p.Recipients},
	}
	if p.Consent != nil {
		shown = append(shown, member{"notice", p.Consent.Notice.members()})
	}
	return sha256.Sum256(canonical(shown))
}

// checkNotice looks at the narrower purposes a notice names. A consent covers
// one of them only if its fields are a subset and neither is special; where
// that fails, it is the consent that falls short, silently, hence a warning.
func (p *parser) checkNotice(r *Register, at string, purpose *Purpose) {
	if purpose.Consent == nil {
		return
	}
	for j, id := range purpose.Consent.Notice.Purposes {
		path := fmt.Sprintf("%s.consent.notice.purposes[%d]", at, j)
		narrower, ok := p.declaredPurpose(r, path, id)
		if !ok {
			continue
		}
		if narrower == purpose || !within(r, narrower, purpose.ID) {
			p.fault(path, "%s is not narrower than %s: expected a purpose whose broader is %s", id, purpose.ID, purpose.ID)
			continue
		}
		more, others := missing(narrower.Fields, purpose.Fields), missing(narrower.Recipients, purpose.Recipients)
		switch {
		case !consentable(narrower):
			p.warn(path, "%s rests on %s, so no consent to %s is asked for it", id, narrower.Basis, purpose.ID)
		case special(r, purpose) || special(r, narrower):
			p.warn(path, "consent to %s will not cover %s: a special category needs a consent of its own", purpose.ID, id)
		case len(more) > 0:
			p.warn(path, "consent to %s will not cover %s, which has more fields (%s)", purpose.ID, id, list(more))
		case len(others) > 0:
			p.warn(path, "consent to %s will not cover the recipients of %s it does not name (%s)", purpose.ID, id, list(others))
		}
	}
}

// missing returns what of some is not among others.
func missing[T comparable](some, others []T) []T {
	return slices.DeleteFunc(slices.Clone(some), func(s T) bool { return slices.Contains(others, s) })
}

// special reports whether a purpose has a field of a special category.
func special(r *Register, p *Purpose) bool {
	return slices.ContainsFunc(p.Fields, func(name privacy.FieldName) bool {
		f, ok := r.Field(name)
		return ok && f.Special
	})
}
