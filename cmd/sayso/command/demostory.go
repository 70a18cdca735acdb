package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	jsonexp "github.com/go-json-experiment/json"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/examples"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// demoChannels are the channels whose credentials the demonstration shows.
var demoChannels = [...]privacy.ChannelID{"web", "store", "sms", "call-centre"}

// The customers of the story are invented; their numbers are kept free for
// such uses.
const (
	demoMina = `{"given_name":"Mina","family_name":"Ferreira","email":"Mina.Ferreira@example.org","phone_number":"0171 3920042",
		"address":{"street_address":"Lindenweg 4","postal_code":"20099","locality":"Hamburg","country":"DE"},"birthdate":"1991-04-17"}`
	demoJonas = `{"given_name":"Jonas","family_name":"Lindqvist","email":"jonas@example.org","phone_number":"+46 70 174 06 05",
		"address":{"street_address":"Storgatan 1","postal_code":"111 22","locality":"Stockholm","country":"SE"}}`
	demoAoife = `{"given_name":"Aoife","family_name":"Byrne","email":"aoife.byrne@example.org",
		"address":{"street_address":"12 Quay Street","locality":"Belfast","country":"GB"}}`
)

// tell is the story, step by step. Every step is a request over HTTP, and the
// demonstration ends with an error where one is not answered as it must be.
func (d *demo) tell(ctx context.Context) error {
	s := d.screen
	s.plain(s.in(bold, "sayso") + " – told once, read by say-so\n\n" +
		"One customer, three channels, and what each may know of her. Everybody here is\n" +
		"invented; the vault, its keys and its HTTP are real. It lies in\n" + d.dir + " until this ends.\n")
	for _, step := range []func(context.Context) error{d.apply, d.capture, d.deliver, d.refuse, d.consent, d.text, d.withdraw, d.refuseAgain, d.check} {
		if err := step(ctx); err != nil {
			return fmt.Errorf("step %d of the demonstration: %w", s.steps, err)
		}
		if s.err != nil {
			return s.err
		}
	}
	return nil
}

func (d *demo) apply(ctx context.Context) (err error) {
	d.screen.step("Northgate, a shop, says what it keeps of people, why, and who may see it.")
	if d.officer, err = d.client(d.first.ClientID, d.first.ClientSecret); err != nil {
		return err
	}
	d.screen.asked("PUT /v1/register", "officer", "examples/shop/register.yaml")
	applied, err := d.officer.Apply(ctx, examples.ShopRegister(), nil)
	if err != nil {
		return err
	}
	for _, c := range applied.Channels {
		d.secrets[c.ID] = c.ClientSecret
		if d.channels[c.ID], err = d.client(c.ClientID, c.ClientSecret); err != nil {
			return err
		}
	}
	added := map[string]int{}
	for _, c := range applied.Changes {
		kind, _, _ := strings.Cut(c.Path, ".")
		added[kind]++
	}
	d.screen.got(200, fmt.Sprintf("in force: %s, %s, %s", count(added["fields"], "field"), count(added["purposes"], "purpose"), count(added["channels"], "channel")))
	return nil
}

func (d *demo) capture(ctx context.Context) error {
	d.screen.step("Mina orders in the web shop and tells it, once, what the parcel needs.")
	d.screen.asked("POST /v1/captures", "web", "")
	for i, fields := range []string{demoMina, demoJonas, demoAoife} {
		var values wire.Values
		if err := jsonexp.Unmarshal([]byte(fields), &values); err != nil {
			return err
		}
		captured, err := d.channels["web"].Capture(ctx, &wire.CaptureRequest{Fields: values, Verified: []privacy.FieldName{"email"}})
		if err != nil {
			return err
		}
		if i == 0 {
			d.mina = captured.Subject
			d.screen.got(201, d.mina.String(), "sealed: "+join(captured.Accepted))
		}
	}
	d.screen.got(201, "Jonas and Aoife order, too")
	return d.sealed()
}

// sealed looks for Mina in the vault's files, where she must not be found.
func (d *demo) sealed() error {
	root, err := os.OpenRoot(d.dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // it was only read
	files := 0
	err = fs.WalkDir(root.FS(), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		content, err := root.ReadFile(path)
		for _, trace := range []string{"Ferreira", "ferreira", "3920042", "Lindenweg", "1991-04-17"} {
			if bytes.Contains(content, []byte(trace)) {
				return errors.New("a value lies in the clear")
			}
		}
		files++
		return err
	})
	d.screen.plain(fmt.Sprintf("    Searched the vault's %s for her name, number and street: they are not there.\n", count(files, "file")))
	return err
}

func (d *demo) deliver(ctx context.Context) error {
	d.screen.step("The web shop asks how to deliver. Her order is the legal basis.")
	return d.read(ctx, "web", "order-fulfilment")
}

func (d *demo) refuse(ctx context.Context) error {
	d.screen.step("The sender of text messages wants to make Mina an offer. She never said so.")
	decision, withheld, err := d.denied(ctx, d.mina)
	if err != nil {
		return err
	}
	if _, unknown, err := d.denied(ctx, privacy.NewSubjectID()); err != nil || !slices.Equal(withheld, unknown) {
		return errors.Join(err, errors.New("somebody unknown can be told from Mina"))
	}
	d.screen.asked("POST /v1/reads", "sms", "for sms-marketing")
	d.screen.got(403, "denied: "+spell(withheld), "somebody the vault never heard of gets the same answer")
	return d.explain(ctx, decision)
}

// explain shows a denial as the officer sees it.
func (d *demo) explain(ctx context.Context, id privacy.DecisionID) error {
	why, err := d.officer.Decision(ctx, id)
	if err != nil {
		return err
	}
	d.screen.asked("GET /v1/decisions/{id}", "officer", "who may know why")
	lines := []string{fmt.Sprintf("record %d of the log", why.LogIndex)}
	for _, r := range why.Remedies {
		if len(r.Moves) == 1 && !slices.Contains(lines, "what would turn it: "+r.Moves[0].Detail) {
			lines = append(lines, "what would turn it: "+r.Moves[0].Detail)
		}
	}
	d.screen.got(200, lines...)
	return nil
}

func (d *demo) consent(ctx context.Context) error {
	d.screen.step("In the store, Mina says yes to offers by text message, and gets a receipt.")
	d.screen.asked("POST /v1/consents", "store", "by her telephone number")
	given, err := d.channels["store"].RecordConsent(ctx, &wire.ConsentRequest{
		Subject: wire.Subject{Field: "phone_number", Value: wire.Text("0171 3920042")},
		Consent: wire.Consent{Purpose: "sms-marketing", Status: privacy.StatusGiven, Method: "paper_form", Language: "de"},
	})
	if err != nil {
		return err
	}
	receipt, err := d.verify(ctx, given.Receipt)
	if err != nil {
		return err
	}
	if receipt.Subject == "" || receipt.Subject == d.mina.String() {
		return errors.New("who knows her number alone learns her ID")
	}
	d.screen.got(201, "given", fmt.Sprintf("receipt: %s, notice %s, covers %s until %s", receipt.Controller, receipt.Notice, join(receipt.Fields), receipt.Until.Format(time.DateOnly)),
		"its signature is good, by the keys at /.well-known/evidence-keys.json")
	return nil
}

func (d *demo) text(ctx context.Context) error {
	d.screen.step("Now the sender gets what she said yes to, and nothing else.")
	return d.read(ctx, "sms", "sms-marketing")
}

func (d *demo) withdraw(ctx context.Context) error {
	d.screen.step("Mina answers STOP. Any channel may record that, and it holds everywhere.")
	d.screen.asked("POST /v1/consents", "sms", "")
	_, err := d.channels["sms"].RecordConsent(ctx, &wire.ConsentRequest{Subject: wire.Subject{ID: d.mina},
		Consent: wire.Consent{Purpose: "sms-marketing", Status: privacy.StatusWithdrawn, Method: "stop_reply"}})
	if err != nil {
		return err
	}
	d.screen.got(201, "withdrawn")
	return nil
}

func (d *demo) refuseAgain(ctx context.Context) error {
	d.screen.step("The sender asks again.")
	d.screen.asked("POST /v1/reads", "sms", "for sms-marketing")
	decision, withheld, err := d.denied(ctx, d.mina)
	if err != nil {
		return err
	}
	why, err := d.officer.Decision(ctx, decision)
	if err != nil {
		return err
	}
	d.screen.got(403, "denied: "+spell(withheld), fmt.Sprintf("record %d of the log, which the officer can read", why.LogIndex))
	return nil
}

func (d *demo) check(ctx context.Context) error {
	d.screen.step("All of it, the refusals too, is in a log that nobody can quietly rewrite.")
	report, err := d.vault.VerifyLog(ctx, nil)
	if err != nil {
		return err
	}
	checkpoint, err := d.get(ctx, "/log/checkpoint")
	if err != nil {
		return err
	}
	head := strings.Split(string(checkpoint), "\n")
	if len(head) < 3 {
		return errors.New("the checkpoint is not one")
	}
	d.screen.asked("GET /log/checkpoint", "anyone", "")
	d.screen.got(200, head[1]+" records, head "+head[2])
	d.screen.plain(fmt.Sprintf("    Verified: each of %d records opens to its commitment, the tree leads to the\n"+
		"    signed head, and %s as the log says they became.\n", report.Entries, people(report.Standings)))
	return nil
}

func people(n uint64) string {
	if n == 1 {
		return "one person's records are"
	}
	return fmt.Sprintf("the records of %d people are", n)
}

// read shows a read of Mina that must release something.
func (d *demo) read(ctx context.Context, channel privacy.ChannelID, purpose privacy.PurposeID) error {
	d.screen.asked("POST /v1/reads", string(channel), "for "+string(purpose))
	res, err := d.channels[channel].Read(ctx, &wire.ReadRequest{Subject: wire.Subject{ID: d.mina}, Purpose: purpose})
	if err != nil {
		return err
	}
	var lines []string
	for _, f := range res.Fields {
		lines = append(lines, fmt.Sprintf("%-13s %s", f.Name, show(f.Value.Reveal())))
	}
	for _, m := range res.Missing {
		lines = append(lines, fmt.Sprintf("%-13s never told", m.Field))
	}
	d.screen.got(200, append(lines, fmt.Sprintf("record %d of the log", res.LogIndex))...)
	return nil
}

// denied asks as the sender of text messages, which must be refused.
func (d *demo) denied(ctx context.Context, who privacy.SubjectID) (privacy.DecisionID, []wire.Withheld, error) {
	_, err := d.channels["sms"].Read(ctx, &wire.ReadRequest{Subject: wire.Subject{ID: who}, Purpose: "sms-marketing"})
	var refused *client.Error
	if err == nil {
		return privacy.DecisionID{}, nil, errors.New("the sender reads what nobody allowed")
	}
	if !errors.As(err, &refused) || refused.Code != "denied" || refused.Decision == nil {
		return privacy.DecisionID{}, nil, err
	}
	return *refused.Decision, refused.Withheld, nil
}

// get fetches what anyone may see.
func (d *demo) get(ctx context.Context, path string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url+path, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, res.Status)
	}
	return io.ReadAll(io.LimitReader(res.Body, 1<<20))
}

// show returns a value as people write it.
func show(raw []byte) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var a map[string]string
	if json.Unmarshal(raw, &a) == nil {
		parts := []string{a["street_address"], strings.TrimSpace(a["postal_code"] + " " + a["locality"]), a["region"], a["country"]}
		return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), ", ")
	}
	return string(raw)
}

func spell(withheld []wire.Withheld) string {
	var all []string
	for _, w := range withheld {
		all = append(all, fmt.Sprintf("%s %s", w.Field, w.Code))
	}
	return strings.Join(all, ", ")
}
