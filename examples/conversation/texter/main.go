// Command texter is a sender of text messages as one of the channels of a vault. It
// has no list of numbers: whom it may text it asks when it does, and it hears when
// somebody says no elsewhere. One command a line:
//
//	campaign gigabit                          offers it to everybody who let it
//	campaign spring 2026-04-01T00:00:00Z      an offer that expires
//	message +4930901820 STOP please           what somebody texts back
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func main() {
	vault, err := client.New(client.Config{URL: os.Getenv("SAYSO_URL"), ClientID: os.Getenv("SAYSO_CLIENT_ID"),
		ClientSecret: os.Getenv("SAYSO_CLIENT_SECRET"), Patience: 10 * time.Second})
	if err == nil {
		err = (&texter{vault: vault, out: os.Stdout}).run(context.Background(), os.Stdin)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "texter:", err)
		os.Exit(1)
	}
}

// texter sends by printing.
type texter struct {
	vault *client.Client
	mu    sync.Mutex // guards out
	out   io.Writer
}

func (t *texter) say(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(t.out, "texter: "+format+"\n", args...)
}

func (t *texter) run(ctx context.Context, in io.Reader) error {
	ctx, stop := context.WithCancel(ctx)
	var listening sync.WaitGroup
	listening.Go(func() { t.listen(ctx) })
	defer listening.Wait()
	defer stop()
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		var err error
		switch {
		case len(words) > 1 && words[0] == "campaign":
			err = t.campaign(ctx, words[1], words[2:])
		case len(words) > 2 && words[0] == "message":
			err = t.message(ctx, words[1], strings.Join(words[2:], " "))
		default:
			err = fmt.Errorf("unknown command %q", lines.Text())
		}
		if err != nil {
			t.say("not done: %v", err)
		}
	}
	return lines.Err()
}

// listen hears what happens in other channels.
func (t *texter) listen(ctx context.Context) {
	for event, err := range t.vault.Events(ctx, "") {
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			t.say("no longer told of anything: %v", err)
			return
		case event.Type == privacy.EventConsentWithdrawn && event.Data.Purpose == "sms-marketing":
			t.say("somebody said no: nothing is on its way to them any more")
		case event.Type == privacy.EventConsentGiven:
			t.say("somebody said yes")
		}
	}
}

// campaign offers something to everybody who let it, one after the other. Each number
// is read when its message is sent, and whether it may be sent is asked with its
// recording: so nobody gets a fourth, or what they have ordered, or what is over.
func (t *texter) campaign(ctx context.Context, topic string, until []string) error {
	offer := wire.TouchRequest{Kind: "offer", Topic: topic, Medium: "sms", Purpose: "sms-marketing", IfAllowed: true}
	if len(until) > 0 {
		at, err := time.Parse(time.RFC3339Nano, until[0])
		if err != nil {
			return err
		}
		offer.ExpiresAt = &at
	}
	sent, kept := 0, 0
	for person, err := range t.vault.Audience(ctx, &wire.AudienceRequest{Purpose: "sms-marketing", Fields: []privacy.FieldName{"phone_number"}}) {
		if err != nil {
			return err
		}
		number, ok := person.Fields.Get("phone_number")
		if !ok {
			continue
		}
		one := offer
		one.Subject = wire.Subject{ID: person.Subject}
		var refused *client.Error
		switch _, err := t.vault.RecordTouch(ctx, &one); {
		case errors.As(err, &refused) && refused.Status == 409:
			kept++
			t.say("%s not offered: %s", topic, refused.Code)
		case err != nil:
			return err
		default:
			sent++
			t.say("to %s: have a look at %s", number.RevealText(), topic)
		}
	}
	t.say("%s: %d sent, %d kept back", topic, sent, kept)
	return nil
}

// message hands on what somebody texted. Whether it is a no the register says.
func (t *texter) message(ctx context.Context, from, text string) error {
	answer, err := t.vault.Reply(ctx, &wire.ReplyRequest{Subject: wire.Subject{Field: "phone_number", Value: wire.Text(from)}, Text: wire.Text(text)})
	if err != nil {
		return err
	}
	if answer.Stopped {
		t.say("no more %s to %s", answer.Purpose, from)
	} else {
		t.say("somebody should read this: a message from %s", from)
	}
	return nil
}
