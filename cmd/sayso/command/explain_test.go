package command

import (
	"errors"
	"strings"
	"testing"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/store"
)

// Whatever a folder is refused for, the docs say what it means and what to do.
func TestTheDocsExplainEveryRefusal(t *testing.T) {
	docs := repository(t, "docs/operations.md")
	for _, err := range []error{
		errUnfinished, vault.ErrFresh, missingError{""}, missingError{fileKeyring}, missingError{fileVault}, keys.ErrRootKey,
		keyringError{keys.ErrFormat}, keyringError{keys.ErrVersion}, vault.ErrForeign, store.ErrLocked, store.ErrOlder, vault.ErrLogShorter, store.ErrDamaged, store.ErrFormat,
		errors.New("anything else"),
	} {
		said := explain("D", err).Error()
		lead, _, _ := strings.Cut(said, ":")
		lead, _, _ = strings.Cut(lead, " (")
		if !strings.Contains(docs, "\n| "+lead) {
			t.Errorf("the docs lack %q", lead)
		}
	}
}
