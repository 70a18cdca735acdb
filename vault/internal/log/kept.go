package log

import (
	"context"

	"github.com/sayso-vault/sayso/vault/store"
)

// Kept returns the last checkpoint that the store keeps, checked with the log's
// verifier key; the zero Checkpoint if there is none. It returns ErrCheckpoint
// for one that the key did not sign.
func Kept(ctx context.Context, st Viewer, verifierKey string) (c Checkpoint, err error) {
	err = st.View(ctx, func(s store.Snapshot) error {
		h, err := readHead(s, verifierKey)
		c = h.Checkpoint
		return err
	})
	return c, err
}
