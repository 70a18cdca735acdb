package api

import (
	"bytes"
	"encoding/csv"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// takeoutHead names the columns of a person's data as a table. The first says
// what a row is: value, past, consent, ground, touch, refusal, request or recipient.
var takeoutHead = []string{"kind", "name", "value", "at", "since", "until", "channel", "origin", "for", "by", "contested", "detail"}

// takeoutRow is one thing of a person's data.
type takeoutRow struct {
	kind, name, value string
	at, since, until  time.Time
	channel           privacy.ChannelID
	origin            privacy.Origin
	uses              string // what it is for
	by                *privacy.Actor
	contested         time.Time
	detail            map[string]any // what has no column of its own, as JSON
}

// takeoutCSV writes a row a thing. A value that is text stands as itself, any other
// as JSON.
func takeoutCSV(t *vault.Takeout) ([]byte, error) {
	table := [][]string{takeoutHead}
	for _, r := range takeoutRows(t) {
		cells, err := r.cells()
		if err != nil {
			return nil, err
		}
		table = append(table, cells)
	}
	var b bytes.Buffer
	if err := csv.NewWriter(&b).WriteAll(table); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func takeoutRows(t *vault.Takeout) (rows []takeoutRow) {
	for _, v := range t.Values {
		var purposes []privacy.PurposeID
		for _, h := range v.For {
			purposes = append(purposes, h.Purpose)
		}
		row := takeoutRow{kind: "value", name: string(v.Field), value: wire.Value{Sensitive: v.Value}.RevealText(), at: v.Observed, since: v.Recorded,
			until: v.Until, channel: v.Channel, origin: v.Origin, uses: joined(purposes), by: v.By}
		if v.Contested != nil {
			row.contested = v.Contested.Since
		}
		rows = append(rows, row)
	}
	for _, p := range t.Past {
		rows = append(rows, takeoutRow{kind: "past", name: string(p.Field), value: wire.Value{Sensitive: p.Value}.RevealText(), at: p.Observed,
			since: p.Recorded, channel: p.Channel, origin: p.Origin, by: p.By})
	}
	for _, c := range t.Consents {
		rows = append(rows, takeoutRow{kind: "consent", name: string(c.Purpose), value: string(c.Status), at: c.At, since: c.Recorded, until: c.Until,
			channel: c.Channel, uses: joined(c.Fields), by: &c.By, detail: c.Evidence})
	}
	for _, g := range t.Grounds {
		rows = append(rows, takeoutRow{kind: "ground", name: string(g.Purpose), value: g.Ref, since: g.Since, until: g.Until})
	}
	for _, o := range t.Touches {
		over := o.Ended
		if over.IsZero() {
			over = o.Expires
		}
		rows = append(rows, takeoutRow{kind: "touch", name: string(o.Kind), value: o.Topic, at: o.At, since: o.Recorded, until: over, channel: o.Channel,
			uses: string(o.Purpose), detail: said(map[string]string{"medium": o.Medium, "ref": o.Ref})})
	}
	for _, f := range t.Refusals {
		rows = append(rows, takeoutRow{kind: "refusal", name: string(f.Field), at: f.At, uses: string(f.Purpose)})
	}
	for _, q := range t.Requests {
		rows = append(rows, takeoutRow{kind: "request", name: string(q.Kind), value: string(q.Status), at: q.ReceivedAt, until: q.CompletedAt,
			uses: string(q.Purpose) + string(q.Field), by: q.Own,
			detail: said(map[string]string{"reason": q.Reason, "identity": q.Identity, "extension": q.Extension, "answer": q.Answer})})
	}
	for _, r := range t.Recipients {
		rows = append(rows, takeoutRow{kind: "recipient", name: string(r.Channel), value: strconv.FormatUint(r.Reads, 10), since: r.First, until: r.Last,
			channel: r.Channel, uses: joined(r.Purposes)})
	}
	if l := t.Later; l != nil {
		rows = append(rows, takeoutRow{kind: "recipients_later", value: strconv.FormatUint(l.Count, 10), since: l.From, until: l.Until})
	}
	return rows
}

// said is what there are words for, by name.
func said(words map[string]string) map[string]any {
	out := map[string]any{}
	for name, text := range words {
		if text != "" {
			out[name] = text
		}
	}
	return out
}

func (r *takeoutRow) cells() ([]string, error) {
	detail := ""
	if len(r.detail) > 0 {
		b, err := json.Marshal(r.detail, json.Deterministic(true))
		if err != nil {
			return nil, err
		}
		detail = string(b)
	}
	cells := []string{r.kind, r.name, r.value, when(pointer(r.at)), when(pointer(r.since)), when(pointer(r.until)), string(r.channel), string(r.origin),
		r.uses, actorCell(r.by), when(pointer(r.contested)), detail}
	for i, c := range cells {
		cells[i] = plainCell(c)
	}
	return cells, nil
}

// actorCell is who acted for the person, empty if they did themselves.
func actorCell(by *privacy.Actor) string {
	switch {
	case by == nil || by.Role == privacy.BySubject:
		return ""
	case by.Ref == "":
		return string(by.Role)
	}
	return string(by.Role) + ": " + by.Ref
}

// plainCell keeps a spreadsheet from taking a cell for a formula: what begins like
// one, or with an apostrophe, gets an apostrophe in front, which who reads the file
// takes away again.
func plainCell(c string) string {
	if c != "" && strings.ContainsRune("=+-@\t\r'", rune(c[0])) {
		return "'" + c
	}
	return c
}
