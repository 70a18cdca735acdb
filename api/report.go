package api

import (
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// activitiesHandler gives the record of processing activities, as JSON or as a
// table with a row a purpose.
var activitiesHandler = handler{
	out: reflect.TypeFor[vault.ProcessingActivities](), gives: []string{mediaCSV}, statuses: []int{http.StatusOK},
	serve: func(x *exchange) error {
		asCSV, err := x.formatCSV()
		if err != nil {
			return err
		}
		out, err := x.door.ProcessingActivities(x.ctx, x.caller)
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
		x.w.Header().Set("Content-Disposition", `attachment; filename="processing-activities.csv"`)
		x.write(http.StatusOK, mediaCSV, table)
		return nil
	},
}

// formatCSV reads the parameter that asks for a table.
func (x *exchange) formatCSV() (bool, error) {
	switch x.query.Get("format") {
	case "", "json":
		return false, nil
	case wire.FormatCSV:
		return true, nil
	}
	return false, unprocessable("format", wire.CodeInvalid, "is json or csv")
}

// activityRow is one purpose, with the whole it is of.
type activityRow struct {
	all *vault.ProcessingActivities
	*vault.Activity
}

func activityRows(out *vault.ProcessingActivities) []activityRow {
	rows := make([]activityRow, len(out.Activities))
	for i := range out.Activities {
		rows[i] = activityRow{out, &out.Activities[i]}
	}
	return rows
}

var activityColumns = []column[activityRow]{
	{"purpose", func(r *activityRow) string { return string(r.Purpose) }},
	{"title", func(r *activityRow) string { return words(r.Title) }},
	{"benefit", func(r *activityRow) string { return words(r.Benefit) }},
	{"dpv", func(r *activityRow) string { return r.DPV }},
	{"basis", func(r *activityRow) string { return string(r.Basis) }},
	{"article", func(r *activityRow) string { return r.Article }},
	{"jurisdictions", func(r *activityRow) string { return joined(r.Jurisdictions) }},
	{"fields", func(r *activityRow) string {
		return joinedBy(r.Fields, func(f vault.ActivityField) string { return string(f.Field) })
	}},
	{"categories", func(r *activityRow) string { return joined(r.Categories) }},
	{"special_categories", func(r *activityRow) string { return yes(r.Special) }},
	{"recipients", func(r *activityRow) string { return joined(r.Recipients) }},
	{"channels", func(r *activityRow) string {
		return joinedBy(r.Channels, func(c vault.ActivityChannel) string { return string(c.Channel) })
	}},
	{"retention", func(r *activityRow) string { return r.Retention }},
	{"notice_version", func(r *activityRow) string { return r.Notice }},
	{"consent_valid_for", func(r *activityRow) string { return r.ConsentFor }},
	{"profiling", func(r *activityRow) string { return yes(r.Profiling) }},
	{"controller", func(r *activityRow) string { return r.all.Controller.Name }},
	{"contact", func(r *activityRow) string { return r.all.Controller.Contact }},
	{"dpo", func(r *activityRow) string { return r.all.Controller.DPO }},
	{"register", func(r *activityRow) string { return number(r.all.Register) }},
}

func joinedBy[T any](list []T, name func(T) string) string {
	names := make([]string, len(list))
	for i, x := range list {
		names[i] = name(x)
	}
	return joined(names)
}

// unformula marks cells as text that a spreadsheet would take for a formula.
func unformula(cells []string) []string {
	for i, c := range cells {
		if c != "" && strings.ContainsRune("=+-@\t\r", rune(c[0])) {
			cells[i] = "'" + c
		}
	}
	return cells
}

// breachHandler gives what a channel was shown and did: counted, or as a table of
// the people of whom something was shown.
var breachHandler = handler{
	out: reflect.TypeFor[vault.BreachReport](), gives: []string{mediaCSV}, statuses: []int{http.StatusOK},
	serve: func(x *exchange) error {
		asCSV, err := x.formatCSV()
		if err != nil {
			return err
		}
		req := vault.BreachRequest{Channel: privacy.ChannelID(x.query.Get("channel"))}
		if req.Channel == "" {
			return unprocessable("channel", wire.CodeRequired, "names the channel that the report is about")
		}
		if req.From, err = bound(x, "from"); err != nil {
			return err
		}
		if req.To, err = bound(x, "to"); err != nil {
			return err
		}
		req.Reason = x.r.Header.Get(wire.ReasonHeader)
		wired := http.NewResponseController(x.w)
		_ = wired.SetReadDeadline(time.Time{}) // nothing more is read, and it may take long
		_ = wired.SetWriteDeadline(time.Time{})
		if !asCSV {
			out, err := x.door.Breach(x.ctx, x.caller, req, nil)
			if err != nil {
				return err
			}
			return x.encode(http.StatusOK, out)
		}
		s := &sheet[vault.BreachLine]{x: x, wire: wired, name: "breach", columns: breachColumns, asCSV: true}
		out, err := x.door.Breach(x.ctx, x.caller, req, s.page)
		end := &vault.Exported{}
		if err == nil {
			end.Log, end.Record = out.Log.Name, out.Log.Index
		}
		return s.end(end, err)
	},
}

var breachColumns = []column[vault.BreachLine]{
	{"subject", func(l *vault.BreachLine) string { return l.Subject.String() }},
	{"decisions", func(l *vault.BreachLine) string { return number(uint64(l.Decisions)) }},
	{"first", func(l *vault.BreachLine) string { return when(&l.First) }},
	{"last", func(l *vault.BreachLine) string { return when(&l.Last) }},
	{"released", func(l *vault.BreachLine) string { return joined(l.Released) }},
	{"masked", func(l *vault.BreachLine) string { return joined(l.Masked) }},
	{"special_categories", func(l *vault.BreachLine) string { return yes(l.Special) }},
}
