// Command desk is a desk of a call centre as one of the channels of a vault: what the
// customer did elsewhere is there when the telephone rings. One command a line:
//
//	call +4930901820                        who is it?
//	offer gigabit                           may it be offered to them?
//	offer spring 2026-04-01T00:00:00Z       an offer that expires
//	ask                                     their address, unless another channel is asking
//	no                                      they want no more text messages
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func main() {
	vault, err := client.New(client.Config{URL: os.Getenv("SAYSO_URL"), ClientID: os.Getenv("SAYSO_CLIENT_ID"),
		ClientSecret: os.Getenv("SAYSO_CLIENT_SECRET"), Patience: 10 * time.Second})
	if err == nil {
		err = (&desk{vault: vault, out: os.Stdout, agent: "desk-7"}).run(context.Background(), os.Stdin)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "desk:", err)
		os.Exit(1)
	}
}

// desk is somebody on the telephone.
type desk struct {
	vault    *client.Client
	out      io.Writer
	agent    string // whose name stands beside what they record for a customer
	customer privacy.SubjectID
}

const care privacy.PurposeID = "customer-care"

func (d *desk) run(ctx context.Context, in io.Reader) error {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if err := d.do(ctx, words); err != nil {
			fmt.Fprintln(d.out, "desk: not done:", err)
		}
	}
	return lines.Err()
}

func (d *desk) do(ctx context.Context, words []string) error {
	switch {
	case len(words) == 2 && words[0] == "call":
		return d.call(ctx, words[1])
	case d.customer == privacy.Nobody:
		return errors.New("nobody is on the line")
	case len(words) > 1 && words[0] == "offer":
		return d.offer(ctx, words[1], words[2:])
	case len(words) == 1 && words[0] == "ask":
		return d.ask(ctx)
	case len(words) == 1 && words[0] == "no":
		return d.no(ctx)
	}
	return fmt.Errorf("unknown command %q", strings.Join(words, " "))
}

// call reads who calls, for the purpose there is: to help them.
func (d *desk) call(ctx context.Context, number string) error {
	d.customer = privacy.Nobody
	answer, err := d.vault.Read(ctx, &wire.ReadRequest{Subject: wire.Subject{Field: "phone_number", Value: wire.Text(number)},
		Purpose: care, Fields: []privacy.FieldName{"given_name", "address"}})
	var refused *client.Error
	if errors.As(err, &refused) && (refused.Code == "denied" || refused.Code == "unknown_subject") {
		fmt.Fprintln(d.out, "desk: nobody we may know")
		return nil
	}
	if err != nil {
		return err
	}
	d.customer = answer.Subject
	name, _ := answer.Fields.Get("given_name")
	_, lives := answer.Fields.Get("address")
	fmt.Fprintf(d.out, "desk: hello %s (address known: %v)\n", name.RevealText(), lives)
	return nil
}

// offer asks before it offers, and says in the same breath that it did.
func (d *desk) offer(ctx context.Context, topic string, until []string) error {
	offer := &wire.TouchRequest{Subject: wire.Subject{ID: d.customer}, Kind: "offer", Topic: topic, Medium: "call", Purpose: care, IfAllowed: true}
	if len(until) > 0 {
		at, err := time.Parse(time.RFC3339Nano, until[0])
		if err != nil {
			return err
		}
		offer.ExpiresAt = &at
	}
	_, err := d.vault.RecordTouch(ctx, offer)
	var refused *client.Error
	if errors.As(err, &refused) && refused.Status == 409 {
		fmt.Fprintf(d.out, "desk: %s not offered: %s\n", topic, refused.Code)
		return nil
	}
	if err == nil {
		fmt.Fprintf(d.out, "desk: may I tell you about %s?\n", topic)
	}
	return err
}

// ask asks for the address, if it is missing and nobody else is asking.
func (d *desk) ask(ctx context.Context) error {
	_, err := d.vault.AskMissing(ctx, d.customer, &wire.AskRequest{Purpose: care, Fields: []privacy.FieldName{"address"}})
	var refused *client.Error
	if errors.As(err, &refused) {
		fmt.Fprintln(d.out, "desk: not asked:", refused.Code)
		return nil
	}
	if err == nil {
		fmt.Fprintln(d.out, "desk: where do you live?")
	}
	return err
}

// no records a no for the customer, and who did so for them.
func (d *desk) no(ctx context.Context) error {
	_, err := d.vault.RecordConsent(ctx, &wire.ConsentRequest{Subject: wire.Subject{ID: d.customer}, Consent: wire.Consent{Purpose: "sms-marketing",
		Status: privacy.StatusWithdrawn, Method: "telephone", By: &wire.Actor{Role: privacy.ByAgent, Ref: d.agent}}})
	if err == nil {
		fmt.Fprintln(d.out, "desk: you get no more text messages")
	}
	return err
}
