package command

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/api"
	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func newDemo() *cobra.Command {
	var exit bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show in a minute what a vault does",
		Long: `demo makes a vault in a temporary folder, tells the story of one customer of an
invented shop – captured, read, refused, consented, withdrawn – over real HTTP,
and then serves the vault so that you can try it yourself. When it ends, the
folder is removed.`,
		Example: `  sayso demo
  sayso demo --exit`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runDemo(cmd, exit) },
	}
	cmd.Flags().BoolVar(&exit, "exit", false, "end after the story")
	return cmd
}

// demo is the vault of one demonstration, served on loopback.
type demo struct {
	dir      string
	url      string
	vault    *vault.Vault
	officer  *client.Client
	first    vault.Credentials // the officer's
	channels map[privacy.ChannelID]*client.Client
	secrets  map[privacy.ChannelID]string
	screen   *screen
	mina     privacy.SubjectID // the customer of the story
}

func runDemo(cmd *cobra.Command, exit bool) (err error) {
	// Whatever ends the demonstration, a closed terminal or pipe or an impatient
	// second Ctrl-C too, its folder is removed.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	dir, err := os.MkdirTemp("", "sayso-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	d := &demo{dir: dir, channels: map[privacy.ChannelID]*client.Client{}, secrets: map[privacy.ChannelID]string{}, screen: newScreen(cmd.OutOrStdout())}
	if forMachines(cmd) {
		d.screen = &screen{w: io.Discard}
	}
	logger := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	f, err := d.open(ctx, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	l, err := listenNearby()
	if err != nil {
		return err
	}
	d.vault, d.url = f.vault, "http://"+l.Addr().String()
	serveCtx, stopServing := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() {
		served <- serveVault(serveCtx, f, l, serving{issuer: d.url, logger: logger, mail: demoMail{cmd.OutOrStdout()}})
	}()
	defer func() {
		stopServing()
		err = errors.Join(err, <-served)
	}()

	if err := d.tell(ctx); err != nil {
		if ctx.Err() != nil {
			return errors.New("the demonstration was interrupted; nothing of it is left")
		}
		return err
	}
	if err := answer(cmd, d.facts(), func(io.Writer) error { return nil }); err != nil || exit {
		return err
	}
	if err := d.invite(ctx); err != nil {
		return err
	}
	if d.screen.err != nil {
		return d.screen.err
	}
	select {
	case <-ctx.Done():
		d.screen.plain("\nThe vault and its folder are gone.\n")
		return nil
	case err := <-served:
		served <- nil
		return err
	}
}

// open makes the vault, under a root key that nobody keeps.
func (d *demo) open(ctx context.Context, logger *slog.Logger) (*folder, error) {
	var key [32]byte
	_, _ = rand.Read(key[:])
	root, err := keys.KeyFile(key[:])
	if err != nil {
		return nil, err
	}
	err = initFolder(ctx, d.dir, root, func(c vault.Credentials) error {
		d.first = c
		return nil
	})
	if err != nil {
		return nil, err
	}
	w, err := watch(ctx, "", logger)
	if err != nil {
		return nil, err
	}
	return openWatched(ctx, d.dir, root, logger, w)
}

// listenNearby listens on the usual port of this machine, or on a free one if
// that is taken.
func listenNearby() (net.Listener, error) {
	l, err := net.Listen("tcp", defaultListen)
	if errors.Is(err, syscall.EADDRINUSE) {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, fmt.Errorf("listening on this machine: %w", err)
	}
	return l, nil
}

func (d *demo) client(id, secret string) (*client.Client, error) {
	return client.New(client.Config{URL: d.url, ClientID: id, ClientSecret: secret})
}

// demoFacts is what a machine learns of the demonstration.
type demoFacts struct {
	URL      string            `json:"url"`
	Dir      string            `json:"dir"`
	Subject  privacy.SubjectID `json:"subject"`
	Officer  demoClient        `json:"officer"`
	Channels []demoClient      `json:"channels"`
}

type demoClient struct {
	ID           privacy.ChannelID `json:"id,omitempty"`
	ClientID     string            `json:"client_id"`
	ClientSecret string            `json:"client_secret"`
}

func (d *demo) facts() demoFacts {
	out := demoFacts{URL: d.url, Dir: d.dir, Subject: d.mina, Officer: demoClient{ClientID: d.first.ClientID, ClientSecret: d.first.ClientSecret}}
	for _, id := range demoChannels {
		out.Channels = append(out.Channels, demoClient{ID: id, ClientID: string(id), ClientSecret: d.secrets[id]})
	}
	return out
}

// invite says how to go on by hand. The lines that are set in are for pasting,
// in any shell; the last tries them all.
func (d *demo) invite(ctx context.Context) error {
	s, mina := d.screen, d.mina.String()
	curl := func(route, body string) {
		s.paste(fmt.Sprintf(`curl -sw '\n' -H "Authorization: Bearer $token" -H 'Content-Type: application/json' -d '%s' %s%s`, body, d.url, route))
	}
	s.heading("Now you")
	s.plain("The vault is served until you press Ctrl-C; then it is gone.\n\n" +
		"  every route                 " + d.url + "/docs\n" +
		"  the signed head of the log  " + d.url + "/log/checkpoint\n" +
		"  credentials of the store    store / " + d.secrets["store"] + "\n" +
		"  credentials of the officer  " + d.first.ClientID + " / " + d.first.ClientSecret + "\n")
	s.plain("\nPaste into another shell. The store gets a token, good for ten minutes:\n\n")
	s.paste(fmt.Sprintf(`token=$(curl -s -u 'store:%s' -d grant_type=client_credentials %s/oauth/token | sed 's/.*"access_token":"\([^"]*\)".*/\1/')`, d.secrets["store"], d.url))
	s.plain("\nIt reads what it may of Mina for her order: her e-mail masked, no address.\n\n")
	curl("/v1/reads", `{"subject":"`+mina+`","purpose":"order-fulfilment"}`)
	s.plain("\nIt asks for offers by text message. She withdrew: denied.\n\n")
	curl("/v1/reads", `{"subject":"`+mina+`","purpose":"sms-marketing"}`)
	s.plain("\nShe says yes once more, and it may; she withdraws, and it may not.\n\n")
	curl("/v1/consents", `{"subject":"`+mina+`","purpose":"sms-marketing","status":"given","method":"paper_form"}`)
	curl("/v1/reads", `{"subject":"`+mina+`","purpose":"sms-marketing"}`)
	curl("/v1/consents", `{"subject":"`+mina+`","purpose":"sms-marketing","status":"withdrawn","method":"in_person"}`)
	curl("/v1/reads", `{"subject":"`+mina+`","purpose":"sms-marketing"}`)
	s.plain("\nThe log has grown by all of it, the refusals too:\n\n")
	s.paste("curl -s " + d.url + "/log/checkpoint")
	link, err := d.link(ctx)
	if err != nil {
		return err
	}
	s.plain("\nMina looks for herself who saw what of her, and decides. This link of the web shop's\n" +
		"works once, within a minute; the lines below it make another one. To see everything she\n" +
		"shows that it is her: a code is mailed to mina.ferreira@example.org, which is to say, here.\n" +
		"From a shell she does the same with sayso me (SAYSO_URL=" + d.url + " sayso me login).\n\n")
	s.paste(link)
	s.paste(fmt.Sprintf(`token=$(curl -s -u 'web:%s' -d grant_type=client_credentials %s/oauth/token | sed 's/.*"access_token":"\([^"]*\)".*/\1/')`, d.secrets["web"], d.url))
	curl("/v1/subject-sessions", `{"subject":"`+mina+`"}`)
	s.plain("\n")
	return nil
}

// link is a one-time link to the privacy centre, for Mina.
func (d *demo) link(ctx context.Context) (string, error) {
	web, err := d.vault.Authenticate("web", d.secrets["web"])
	if err != nil {
		return "", err
	}
	opened, err := d.vault.OpenSession(ctx, vault.Caller{Client: web}, vault.SubjectRef{ID: d.mina})
	if err != nil {
		return "", err
	}
	return d.url + api.EnterPath + "?code=" + opened.Code, nil
}

// demoMail shows what would be mailed.
type demoMail struct{ w io.Writer }

// Send writes the mail out.
func (m demoMail) Send(_ context.Context, to, subject, text string) error {
	_, err := fmt.Fprintf(m.w, "\n  Mail to %s: %s\n\n    %s\n", to, subject, strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    "))
	return err
}
