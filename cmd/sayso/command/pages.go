package command

import (
	"errors"

	"github.com/sayso-vault/sayso/api"
	"github.com/sayso-vault/sayso/api/web/console"
	webpage "github.com/sayso-vault/sayso/api/web/page"
	"github.com/sayso-vault/sayso/api/web/unsubscribe"
)

// pages makes the families of pages that are served beside the routes.
func pages(f *folder, how serving) ([]api.Pages, error) {
	front, err := webpage.NewFront()
	officers, wrong := console.New(console.Config{Vault: f.vault, Origin: how.issuer, Logger: how.logger})
	links, broken := unsubscribe.New(f.vault, how.logger)
	if err := errors.Join(err, wrong, broken); err != nil {
		return nil, err
	}
	return []api.Pages{front, officers, links}, nil
}
