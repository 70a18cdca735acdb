package command

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/vault/backup"
)

// objectStore says how an object store is reached.
type objectStore struct {
	endpoint, spool string
}

func (o *objectStore) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.endpoint, "s3-endpoint", "", "address of the S3-compatible store (default: AWS_ENDPOINT_URL)")
	cmd.Flags().StringVar(&o.spool, "spool", "", "folder in which a copy for the store is put together (default: the system's for temporary files)")
}

const s3Scheme = "s3://"

// place returns the place that people name: a folder, or s3://BUCKET/PREFIX.
func (o *objectStore) place(_ context.Context, name string) (backup.Place, error) {
	if strings.HasPrefix(name, s3Scheme) {
		return nil, misuse("object stores are not reached yet")
	}
	return backup.Folder(name), nil
}

// locate finds the copy that people name.
func (o *objectStore) locate(ctx context.Context, name string, kind backup.Kind) (backup.Copy, error) {
	if strings.HasPrefix(name, s3Scheme) {
		return backup.Copy{}, misuse("object stores are not reached yet")
	}
	return backup.Locate(ctx, name, kind)
}
