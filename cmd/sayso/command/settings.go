package command

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/rawbytes"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sayso-vault/sayso/api/authn/mail"
	"github.com/sayso-vault/sayso/api/authn/openid"
)

// settings are what a file says about how a vault is served beyond what its
// flags say: how people and officers log in. A secret stands in a file of its own,
// which the settings name.
type settings struct {
	Privacy privacySettings `koanf:"privacy"`
	Console consoleSettings `koanf:"console"`
}

// consoleSettings are how officers log in to the console.
type consoleSettings struct {
	OpenID   *openidSettings `koanf:"openid"`
	TimeZone string          `koanf:"time_zone"` // that times are shown in
}

// privacySettings are how people log in to the privacy centre.
type privacySettings struct {
	OpenID   []openidSettings `koanf:"openid"`
	Mail     *mailSettings    `koanf:"mail"`
	TimeZone string           `koanf:"time_zone"` // that times are shown in
}

// mailSettings are the server that codes are mailed by.
type mailSettings struct {
	Server       string `koanf:"server"` // host:port
	From         string `koanf:"from"`
	Username     string `koanf:"username"`
	PasswordFile string `koanf:"password_file"`
}

// openidSettings are a provider of OpenID Connect.
type openidSettings struct {
	Name       string   `koanf:"name"` // what people call it
	Issuer     string   `koanf:"issuer"`
	ClientID   string   `koanf:"client_id"`
	SecretFile string   `koanf:"client_secret_file"`
	Scopes     []string `koanf:"scopes"`
}

// readSettings reads a file of settings: YAML whose keys are the names of serve's
// flags, and the sections of settings. A flag that was given wins over the file.
func readSettings(cmd *cobra.Command, file string) (*settings, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the settings: %w", err)
	}
	k := koanf.New("\x00") // keys are looked up one level at a time, whatever they hold
	if err := k.Load(rawbytes.Provider(text), yaml.Parser()); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	var wrong []error
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Name == "config" || !k.Exists(f.Name) {
			return
		}
		if value := k.Get(f.Name); !f.Changed {
			if err := cmd.Flags().Set(f.Name, fmt.Sprint(value)); err != nil {
				wrong = append(wrong, fmt.Errorf("%s: %s: %w", file, f.Name, err))
			}
		}
		k.Delete(f.Name)
	})
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	s := new(settings)
	err = k.UnmarshalWithConf("", s, koanf.UnmarshalConf{DecoderConfig: &mapstructure.DecoderConfig{Result: s, ErrorUnused: true, TagName: "koanf"}})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, plainly(err))
	}
	return s, nil
}

// plainly says which keys are not known as a sentence.
func plainly(err error) error {
	var all []string
	for line := range strings.Lines(err.Error()) {
		if _, keys, ok := strings.Cut(line, "has invalid keys: "); ok {
			where, _, _ := strings.Cut(strings.TrimLeft(line, "* "), " ")
			all = append(all, unknownKey(strings.TrimSpace(keys), where))
		}
	}
	if all == nil {
		return err
	}
	slices.Sort(all)
	return errors.New(strings.Join(all, "; "))
}

// provider makes a provider of logins whose browsers come back to path.
func (o *openidSettings) provider(origin, path string) (*openid.Provider, error) {
	cfg := openid.Config{Issuer: o.Issuer, ClientID: o.ClientID, Scopes: o.Scopes}
	at, err := url.JoinPath(origin, path)
	if err != nil {
		return nil, err
	}
	cfg.Redirect = at
	if o.SecretFile != "" {
		if cfg.ClientSecret, err = secretFile(o.SecretFile); err != nil {
			return nil, err
		}
	}
	p, err := openid.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("the login with %s: %w", o.Issuer, err)
	}
	return p, nil
}

// secretFile reads a secret, whose last line may end.
func secretFile(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("reading a secret: %w", err)
	}
	secret := strings.TrimRight(string(text), "\r\n")
	if secret == "" {
		return "", fmt.Errorf("the secret in %s is empty", file)
	}
	return secret, nil
}

// sender makes what mails codes.
func (m *mailSettings) sender() (*mail.Sender, error) {
	cfg := mail.Config{Address: m.Server, From: m.From, Username: m.Username}
	if m.PasswordFile != "" {
		var err error
		if cfg.Password, err = secretFile(m.PasswordFile); err != nil {
			return nil, err
		}
	}
	return mail.New(cfg)
}

func unknownKey(keys, where string) string {
	if where == "''" {
		return "unknown key " + keys
	}
	return "unknown key " + keys + " in " + where
}
