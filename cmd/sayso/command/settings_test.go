package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file of settings says what flags say, and how people log in; a flag that was
// given wins, and what nobody knows is refused by name.
func TestSettingsOfServe(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("a secret of the two\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, text, want string }{
		{"whole", `
dir: /vault
listen: 127.0.0.1:8777
behind-proxy: true
privacy:
  time_zone: Europe/Berlin
  openid:
    - {name: Northgate account, issuer: "https://login.northgate.example", client_id: vault, client_secret_file: ` + secret + `, scopes: [email, phone]}
  mail: {server: "smtp.northgate.example:587", from: "Northgate <privacy@northgate.example>", username: vault, password_file: ` + secret + `}
`, ""},
		{"a key that nobody knows", "privacy: {colour: blue}", "unknown key colour in 'privacy'"},
		{"a section that nobody knows", "surprise: 1", "unknown key surprise"},
		{"a flag of another kind", "behind-proxy: perhaps", "behind-proxy"},
		{"no YAML", "\tdir", "settings.yaml"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(dir, "settings.yaml")
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := newServe()
			if err := cmd.Flags().Parse([]string{"--dir", "/given"}); err != nil {
				t.Fatal(err)
			}
			s, err := readSettings(cmd, file)
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Fatalf("got %v, want it to say %q", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for flag, want := range map[string]string{"dir": "/given", "listen": "127.0.0.1:8777", "behind-proxy": "true"} {
				if got := cmd.Flag(flag).Value.String(); got != want {
					t.Errorf("%s is %q, want %q", flag, got, want)
				}
			}
			p, err := s.Privacy.OpenID[0].provider("https://vault.example.org", "/privacy/login/openid/0/back")
			if err != nil || p == nil {
				t.Errorf("the login is %v, %v", p, err)
			}
			if _, err := s.Privacy.Mail.sender(); err != nil {
				t.Errorf("the sender of mail is %v", err)
			}
			s.Privacy.OpenID[0].SecretFile = filepath.Join(dir, "missing")
			if _, err := s.Privacy.OpenID[0].provider("https://vault.example.org", "/back"); err == nil {
				t.Error("a secret whose file is missing was accepted")
			}
		})
	}
}
