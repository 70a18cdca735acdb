package command

import (
	"os"

	"github.com/sayso-vault/sayso/api/client"
)

// The environment of the commands that talk to a served vault.
const (
	envURL          = "SAYSO_URL"
	envClientID     = "SAYSO_CLIENT_ID"
	envClientSecret = "SAYSO_CLIENT_SECRET"
	envPassphrase   = "SAYSO_PASSPHRASE"
)

// remote returns a client of the vault that the environment names.
func remote() (*client.Client, error) {
	address, id := os.Getenv(envURL), os.Getenv(envClientID)
	secret, _ := fromEnv(envClientSecret)
	if address == "" {
		address = "http://" + defaultListen
	}
	if id == "" || secret == "" {
		return nil, misuse("%s and %s are not set: who calls?", envClientID, envClientSecret)
	}
	c, err := client.New(client.Config{URL: address, ClientID: id, ClientSecret: secret})
	if err != nil {
		return nil, misuse("%s: %v", envURL, err)
	}
	return c, nil
}
