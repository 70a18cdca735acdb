// Command shop is a web shop as one of the channels of a vault. It keeps nothing of
// its customers itself. One command a line:
//
//	customer Ana ana@example.org +4930901820   she signs up
//	yes | no                                   she says it to offers by text message
//	order gigabit                              she orders
//	ask                                        her address, unless another channel is asking
//	answer Torstrasse 12; 10119; Berlin        what she answers
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

	"github.com/go-json-experiment/json"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func main() {
	vault, err := client.New(client.Config{URL: os.Getenv("SAYSO_URL"), ClientID: os.Getenv("SAYSO_CLIENT_ID"),
		ClientSecret: os.Getenv("SAYSO_CLIENT_SECRET"), Patience: 10 * time.Second})
	if err == nil {
		err = (&shop{vault: vault, out: os.Stdout}).run(context.Background(), os.Stdin)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "shop:", err)
		os.Exit(1)
	}
}

// shop serves one customer at a time.
type shop struct {
	vault    *client.Client
	out      io.Writer
	customer privacy.SubjectID
	orders   int
}

func (s *shop) run(ctx context.Context, in io.Reader) error {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		command, rest, _ := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		if err := s.do(ctx, command, strings.TrimSpace(rest)); err != nil {
			fmt.Fprintln(s.out, "shop: not done:", err)
		}
	}
	return lines.Err()
}

func (s *shop) do(ctx context.Context, command, rest string) error {
	if s.customer == privacy.Nobody && command != "customer" {
		return errors.New("no customer yet")
	}
	switch command {
	case "customer":
		return s.signUp(ctx, strings.Fields(rest))
	case "yes":
		return s.say(ctx, privacy.StatusGiven)
	case "no":
		return s.say(ctx, privacy.StatusWithdrawn)
	case "order":
		return s.order(ctx, rest)
	case "ask":
		return s.ask(ctx)
	case "answer":
		return s.answer(ctx, strings.Split(rest, ";"))
	}
	return fmt.Errorf("unknown command %q", command)
}

// signUp tells the vault what she told. That her address of e-mail is hers the shop
// has checked with a link.
func (s *shop) signUp(ctx context.Context, told []string) error {
	if len(told) != 3 {
		return errors.New("expected: customer NAME EMAIL PHONE")
	}
	answer, err := s.vault.Capture(ctx, &wire.CaptureRequest{Verified: []privacy.FieldName{"email"}, Fields: wire.Values{
		{Name: "given_name", Value: wire.Text(told[0])},
		{Name: "email", Value: wire.Text(told[1])},
		{Name: "phone_number", Value: wire.Text(told[2])},
	}})
	if err != nil {
		return err
	}
	s.customer = answer.Subject
	fmt.Fprintln(s.out, "shop: welcome,", told[0])
	return nil
}

// say records what she says to offers by text message. From a no on nobody texts her,
// whichever channel it is.
func (s *shop) say(ctx context.Context, status privacy.ConsentStatus) error {
	_, err := s.vault.RecordConsent(ctx, &wire.ConsentRequest{Subject: wire.Subject{ID: s.customer},
		Consent: wire.Consent{Purpose: "sms-marketing", Status: status, Method: "web_form"}})
	if err == nil {
		fmt.Fprintf(s.out, "shop: offers by text message: %s\n", status)
	}
	return err
}

// order tells every channel that she has it, so that none offers it to her.
func (s *shop) order(ctx context.Context, topic string) error {
	s.orders++
	ref := fmt.Sprintf("order-%d", s.orders)
	_, err := s.vault.Once(s.customer.String()+"-"+ref).RecordTouch(ctx, &wire.TouchRequest{Subject: wire.Subject{ID: s.customer}, Kind: "order", Topic: topic, Ref: ref})
	if err == nil {
		fmt.Fprintln(s.out, "shop: ordered", topic)
	}
	return err
}

// ask asks for the address, if it is missing and nobody else is asking.
func (s *shop) ask(ctx context.Context) error {
	_, err := s.vault.AskMissing(ctx, s.customer, &wire.AskRequest{Purpose: "order-fulfilment", Fields: []privacy.FieldName{"address"}})
	var refused *client.Error
	if errors.As(err, &refused) {
		fmt.Fprintln(s.out, "shop: not asked:", refused.Code)
		return nil
	}
	if err == nil {
		fmt.Fprintln(s.out, "shop: where shall we deliver?")
	}
	return err
}

func (s *shop) answer(ctx context.Context, parts []string) error {
	if len(parts) != 3 {
		return errors.New("expected: answer STREET; POSTCODE; TOWN")
	}
	address, err := json.Marshal(map[string]string{"street_address": strings.TrimSpace(parts[0]),
		"postal_code": strings.TrimSpace(parts[1]), "locality": strings.TrimSpace(parts[2]), "country": "DE"})
	if err != nil {
		return err
	}
	who := wire.Subject{ID: s.customer}
	_, err = s.vault.Capture(ctx, &wire.CaptureRequest{Subject: &who, Fields: wire.Values{{Name: "address", Value: wire.Value{Sensitive: privacy.NewSensitive(address)}}}})
	if err == nil {
		fmt.Fprintln(s.out, "shop: we deliver there")
	}
	return err
}
