package api

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// findDecisions finds decisions by what an officer remembers of them.
func findDecisions(x *exchange) (*vault.DecisionsFound, error) {
	q := vault.DecisionQuery{Channel: privacy.ChannelID(x.query.Get("channel")), Purpose: privacy.PurposeID(x.query.Get("purpose")),
		Code: x.query.Get("code"), After: x.query.Get("after"), Limit: 50}
	var err error
	if q.From, err = bound(x, "from"); err != nil {
		return nil, err
	}
	if q.To, err = bound(x, "to"); err != nil {
		return nil, err
	}
	if text := x.query.Get("subject"); text != "" {
		id, _, err := privacy.SubjectIDFrom(text)
		if err != nil {
			return nil, unprocessable("subject", wire.CodeInvalid, "is no subject ID")
		}
		q.Subject = &id
	}
	if text := x.query.Get("limit"); text != "" {
		if q.Limit, err = strconv.Atoi(text); err != nil {
			return nil, unprocessable("limit", wire.CodeInvalid, "is no number")
		}
	}
	return x.door.Decisions(x.ctx, x.caller, q)
}

// reports makes a handler of a report over a time: JSON, or a table of its rows.
func reports[Report any](name string, make func(door, context.Context, vault.Caller, vault.ReportRequest) (*Report, error)) handler {
	return handler{
		out: reflect.TypeFor[Report](), gives: []string{mediaCSV}, statuses: []int{http.StatusOK},
		serve: func(x *exchange) error {
			asCSV, err := x.formatCSV()
			if err != nil {
				return err
			}
			var req vault.ReportRequest
			if req.From, err = bound(x, "from"); err != nil {
				return err
			}
			if req.To, err = bound(x, "to"); err != nil {
				return err
			}
			wired := http.NewResponseController(x.w)
			_ = wired.SetReadDeadline(time.Time{}) // nothing more is read, and it may take long
			_ = wired.SetWriteDeadline(time.Time{})
			out, err := make(x.door, x.ctx, x.caller, req)
			if err != nil {
				return err
			}
			if !asCSV {
				return x.encode(http.StatusOK, out)
			}
			table, err := Table(out)
			if err != nil {
				return err
			}
			x.w.Header().Set("Content-Disposition", `attachment; filename="`+name+`.csv"`)
			x.write(http.StatusOK, mediaCSV, table)
			return nil
		},
	}
}

// tableOf writes rows as a table.
func tableOf[Row any](columns []column[Row], rows []Row) ([]byte, error) {
	var table bytes.Buffer
	w := csv.NewWriter(&table)
	cells := make([]string, len(columns))
	for i, c := range columns {
		cells[i] = c.name
	}
	if err := w.Write(cells); err != nil {
		return nil, err
	}
	for r := range rows {
		for i, c := range columns {
			cells[i] = c.of(&rows[r])
		}
		if err := w.Write(unformula(cells)); err != nil {
			return nil, err
		}
	}
	w.Flush()
	return table.Bytes(), w.Error()
}

var denialColumns = []column[vault.Denial]{
	{"channel", func(r *vault.Denial) string { return string(r.Channel) }},
	{"purpose", func(r *vault.Denial) string { return string(r.Purpose) }},
	{"code", func(r *vault.Denial) string { return r.Code }},
	{"decisions", func(r *vault.Denial) string { return strconv.Itoa(r.Decisions) }},
	{"fields", func(r *vault.Denial) string { return strconv.Itoa(r.Fields) }},
	{"last", func(r *vault.Denial) string { return when(&r.Last) }},
	{"example", func(r *vault.Denial) string { return r.Example.String() }},
}

var gapColumns = []column[vault.Gap]{
	{"channel", func(r *vault.Gap) string { return string(r.Channel) }},
	{"purpose", func(r *vault.Gap) string { return string(r.Purpose) }},
	{"field", func(r *vault.Gap) string { return string(r.Field) }},
	{"code", func(r *vault.Gap) string { return r.Code }},
	{"asked", func(r *vault.Gap) string { return strconv.Itoa(r.Asked) }},
	{"first", func(r *vault.Gap) string { return when(&r.First) }},
	{"last", func(r *vault.Gap) string { return when(&r.Last) }},
	{"example", func(r *vault.Gap) string { return r.Example.String() }},
	{"closed", func(r *vault.Gap) string { return yes(r.Closed) }},
}

var unreadColumns = []column[vault.UnreadField]{
	{"field", func(r *vault.UnreadField) string { return string(r.Field) }},
	{"category", func(r *vault.UnreadField) string { return string(r.Category) }},
	{"special_category", func(r *vault.UnreadField) string { return yes(r.Special) }},
	{"held", func(r *vault.UnreadField) string { return strconv.Itoa(r.Held) }},
	{"captured_by", func(r *vault.UnreadField) string { return joined(r.CapturedBy) }},
	{"shown", func(r *vault.UnreadField) string { return strconv.Itoa(r.Shown) }},
	{"last", func(r *vault.UnreadField) string { return when(r.Last) }},
	{"purposes", func(r *vault.UnreadField) string {
		return joinedBy(r.Purposes, func(p vault.UnreadPurpose) string { return string(p.Purpose) })
	}},
}

// consentRow is one day or month of one purpose.
type consentRow struct {
	purpose privacy.PurposeID
	vault.ConsentPoint
}

var consentColumnsOver = []column[consentRow]{
	{"purpose", func(r *consentRow) string { return string(r.purpose) }},
	{"begins", func(r *consentRow) string { return r.Begins.Format(time.DateOnly) }},
	{"given", func(r *consentRow) string { return strconv.Itoa(r.Given) }},
	{"refused", func(r *consentRow) string { return strconv.Itoa(r.Refused) }},
	{"withdrawn", func(r *consentRow) string { return strconv.Itoa(r.Withdrawn) }},
	{"objected", func(r *consentRow) string { return strconv.Itoa(r.Objected) }},
	{"opted_out", func(r *consentRow) string { return strconv.Itoa(r.OptedOut) }},
	{"standing", func(r *consentRow) string { return strconv.Itoa(r.Standing) }},
}

func consentRows(out *vault.ConsentsOverTime) (rows []consentRow) {
	for _, p := range out.Purposes {
		for _, point := range p.Points {
			rows = append(rows, consentRow{p.Purpose, point})
		}
	}
	return rows
}

var (
	consentsHandler = reports("consents-over-time", door.ConsentsOverTime)
	denialsHandler  = reports("denials", door.Denials)
	gapsHandler     = reports("gaps", door.Gaps)
	unreadHandler   = reports("unread", door.Unread)
)

// Table writes a report as a table (RFC 4180): what the routes of reports answer
// with format=csv. A cell that a spreadsheet would take for a formula is marked as
// text.
func Table(report any) ([]byte, error) {
	switch out := report.(type) {
	case *vault.ProcessingActivities:
		return tableOf(activityColumns, activityRows(out))
	case *vault.ConsentsOverTime:
		return tableOf(consentColumnsOver, consentRows(out))
	case *vault.Denials:
		return tableOf(denialColumns, out.By)
	case *vault.Gaps:
		return tableOf(gapColumns, out.Gaps)
	case *vault.Unread:
		return tableOf(unreadColumns, out.Fields)
	}
	return nil, fmt.Errorf("no table is made of a %T", report)
}
