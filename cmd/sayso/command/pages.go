package command

import (
	"errors"
	"fmt"
	"time"

	"github.com/sayso-vault/sayso/api"
	"github.com/sayso-vault/sayso/api/web/console"
	webpage "github.com/sayso-vault/sayso/api/web/page"
	"github.com/sayso-vault/sayso/api/web/privacy"
	"github.com/sayso-vault/sayso/api/web/unsubscribe"
	"github.com/sayso-vault/sayso/vault"
)

// pages makes the families of pages that are served beside the routes – the
// privacy centre also by itself, because routes send codes by it – and what ends
// them.
func pages(f *folder, how serving) ([]api.Pages, *privacy.Handler, func() error, error) {
	front, err := webpage.NewFront()
	officers, wrong := officersConsole(f, how)
	links, broken := unsubscribe.New(f.vault, how.logger)
	if err := errors.Join(err, wrong, broken); err != nil {
		return nil, nil, nil, err
	}
	people, err := privacyCentre(f, how)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("the privacy centre: %w", err)
	}
	end := func() error {
		officers.Close()
		return people.Close()
	}
	return []api.Pages{front, officers, people, links}, people, end, nil
}

// officersConsole makes the pages of officers.
func officersConsole(f *folder, how serving) (*console.Handler, error) {
	cfg := console.Config{Vault: f.vault, Origin: how.issuer, BehindProxy: how.behindProxy, Logger: how.logger}
	if one := how.settings.Console.OpenID; one != nil {
		login, err := one.provider(how.issuer, console.OpenIDPath)
		if err != nil {
			return nil, err
		}
		cfg.OpenID, cfg.OpenIDName = login, one.Name
	}
	if zone := how.settings.Console.TimeZone; zone != "" {
		var err error
		if cfg.Location, err = time.LoadLocation(zone); err != nil {
			return nil, fmt.Errorf("%q is no time zone such as Europe/Berlin", zone)
		}
	}
	return console.New(cfg)
}

// privacyCentre makes the pages of people, with the logins of the settings.
func privacyCentre(f *folder, how serving) (*privacy.Handler, error) {
	cfg := privacy.Config{Vault: f.vault, Origin: how.issuer, BehindProxy: how.behindProxy, Logger: how.logger, Takeout: writeTakeout}
	for n := range how.settings.Privacy.OpenID {
		one := &how.settings.Privacy.OpenID[n]
		if one.Name == "" {
			return nil, errors.New("a login of OpenID Connect needs the name that people know it by")
		}
		login, err := one.provider(how.issuer, privacy.BackPath(n))
		if err != nil {
			return nil, err
		}
		cfg.Providers = append(cfg.Providers, privacy.Provider{Name: one.Name, Login: login})
	}
	cfg.Mail = how.mail
	if m := how.settings.Privacy.Mail; m != nil {
		sender, err := m.sender()
		if err != nil {
			return nil, err
		}
		cfg.Mail = sender
	}
	if zone := how.settings.Privacy.TimeZone; zone != "" {
		var err error
		if cfg.Location, err = time.LoadLocation(zone); err != nil {
			return nil, fmt.Errorf("%q is no time zone such as Europe/Berlin", zone)
		}
	}
	return privacy.New(cfg)
}

// writeTakeout writes somebody's data as the route for it does.
func writeTakeout(format string, t *vault.Takeout) (name, media string, content []byte, err error) {
	file, err := api.FormatTakeout(format, t)
	if err != nil {
		return "", "", nil, err
	}
	return file.Name, file.Media, file.Content, nil
}
