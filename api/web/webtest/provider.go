package webtest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Provider says who knows whom at an OpenID provider.
type Provider struct {
	// Port it answers at. Default: a free one.
	Port int
	// ClientID and Secret are those of the one client, Redirects where its
	// browsers come back to.
	ClientID, Secret string
	Redirects        []string
	// People are those who can log in, by name, with their claims. Who is asked
	// for the name fills input[name=name] and presses #login, or #decline.
	People map[string]map[string]any
}

// Start starts the provider, npm's oidc-provider, which ends with the test, and
// returns its issuer.
func (p Provider) Start(t testing.TB) string {
	t.Helper()
	folder := filepath.Dir(filepath.Dir(Package(t, "oidc-provider")))
	settings, err := json.Marshal(map[string]any{"port": p.Port, "people": p.People, "clients": []any{map[string]any{
		"client_id": p.ClientID, "client_secret": p.Secret, "redirect_uris": p.Redirects}}})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.Background(), Node(t), filepath.Join(folder, "provider.mjs"), string(settings)) //nolint:gosec // the test's own
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Wait() //nolint:errcheck // it ends as it likes
	})
	late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if issuer, ok := strings.CutPrefix(lines.Text(), "ready "); ok {
			go func() { // what it says later is nobody's
				for lines.Scan() {
				}
			}()
			return issuer
		}
	}
	cmd.Wait() //nolint:errcheck // it failed; what it said tells why
	t.Fatalf("the provider never was ready: %s", complaints.Bytes())
	return ""
}
