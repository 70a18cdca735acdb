package vault

import (
	"fmt"
	"slices"

	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// Refusals of names that are not there say which one was probably meant, as far
// as the channel may know it: only names that GET /v1/whoami lists for it come
// back, and what was asked never does.

// unknownPurpose refuses a purpose that the register in force does not have.
func unknownPurpose(asked privacy.PurposeID, ch *register.Channel) *Error {
	return refuse(CodeUnknownPurpose, "the register in force has no purpose of this name%s", didYouMean(string(asked), slices.Concat(ch.Purposes, ch.Obtains)))
}

// purposeNotGranted refuses a purpose that does not come with the credential.
func purposeNotGranted() *Error {
	return refuse(CodePurposeNotGranted, "this credential does not hold the purpose; GET /v1/whoami lists those it does")
}

// didYouMean returns "; did you mean x?" if one of the words is close to what
// was asked, else "".
func didYouMean[T ~string](asked string, words []T) string {
	if meant := privacy.Nearest(asked, words); meant != "" {
		return fmt.Sprintf("; did you mean %s?", meant)
	}
	return ""
}

// identifiers returns the fields that find somebody and that a channel may know
// of: those it captures or that its purposes list. An officer, for whom ch is
// nil, may know all.
func identifiers(reg *register.Register, ch *register.Channel) (names []privacy.FieldName) {
	for _, f := range reg.Fields {
		known := ch == nil || contains(ch.Captures, f.Name) || slices.ContainsFunc(ch.Purposes, func(id privacy.PurposeID) bool {
			p, ok := reg.Purpose(id)
			return ok && contains(p.Fields, f.Name)
		})
		if known && f.Identifier != register.NotIdentifier {
			names = append(names, f.Name)
		}
	}
	return names
}

func channelIDs(reg *register.Register) (ids []privacy.ChannelID) {
	for _, c := range reg.Channels {
		ids = append(ids, c.ID)
	}
	return ids
}
