package api

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// column is one column of an export as a table.
type column[Line any] struct {
	name string
	of   func(*Line) string
}

var consentColumns = []column[vault.ConsentLine]{
	{"log_index", func(l *vault.ConsentLine) string { return number(l.LogIndex) }},
	{"consent", func(l *vault.ConsentLine) string { return l.Consent.String() }},
	{"subject", func(l *vault.ConsentLine) string { return whom(l.Subject) }},
	{"purpose", func(l *vault.ConsentLine) string { return string(l.Purpose) }},
	{"status", func(l *vault.ConsentLine) string { return string(l.Status) }},
	{"effective", func(l *vault.ConsentLine) string {
		if l.Effective == nil {
			return ""
		}
		return strconv.FormatBool(*l.Effective)
	}},
	{"at", func(l *vault.ConsentLine) string { return when(l.At) }},
	{"recorded_at", func(l *vault.ConsentLine) string { return when(&l.RecordedAt) }},
	{"until", func(l *vault.ConsentLine) string { return when(l.Until) }},
	{"register", func(l *vault.ConsentLine) string { return number(l.Register) }},
	{"notice_version", func(l *vault.ConsentLine) string { return l.NoticeVersion }},
	{"notice_hash", func(l *vault.ConsentLine) string { return l.NoticeHash }},
	{"fields", func(l *vault.ConsentLine) string { return joined(l.Fields) }},
	{"recipients", func(l *vault.ConsentLine) string { return joined(l.Recipients) }},
	{"method", func(l *vault.ConsentLine) string { return l.Method }},
	{"channel", func(l *vault.ConsentLine) string { return string(l.Channel) }},
	{"jurisdiction", func(l *vault.ConsentLine) string { return l.Jurisdiction }},
	{"language", func(l *vault.ConsentLine) string { return l.Language }},
	{"by", func(l *vault.ConsentLine) string { return string(l.By) }},
	{"finished", func(l *vault.ConsentLine) string { return yes(l.Finished) }},
	{"lost", func(l *vault.ConsentLine) string { return l.Lost }},
}

var decisionColumns = []column[vault.DecisionLine]{
	{"log_index", func(l *vault.DecisionLine) string { return number(l.LogIndex) }},
	{"kind", func(l *vault.DecisionLine) string { return l.Kind }},
	{"decision", func(l *vault.DecisionLine) string {
		if l.Decision == nil {
			return ""
		}
		return l.Decision.String()
	}},
	{"at", func(l *vault.DecisionLine) string { return when(&l.At) }},
	{"channel", func(l *vault.DecisionLine) string { return string(l.Channel) }},
	{"officer", func(l *vault.DecisionLine) string { return l.Officer }},
	{"subject", func(l *vault.DecisionLine) string { return whom(l.Subject) }},
	{"purpose", func(l *vault.DecisionLine) string { return string(l.Purpose) }},
	{"outcome", func(l *vault.DecisionLine) string { return l.Outcome }},
	{"code", func(l *vault.DecisionLine) string { return l.Code }},
	{"peek", func(l *vault.DecisionLine) string { return yes(l.Peek) }},
	{"released", func(l *vault.DecisionLine) string { return joined(l.Released) }},
	{"masked", func(l *vault.DecisionLine) string { return pairs(l.Masked) }},
	{"withheld", func(l *vault.DecisionLine) string { return pairs(l.Withheld) }},
	{"missing", func(l *vault.DecisionLine) string { return joined(l.Missing) }},
	{"policy", func(l *vault.DecisionLine) string { return l.Policy }},
	{"register", func(l *vault.DecisionLine) string { return number(l.Register) }},
	{"standing", func(l *vault.DecisionLine) string { return number(l.Standing) }},
	{"export", func(l *vault.DecisionLine) string { return l.Export }},
	{"lost", func(l *vault.DecisionLine) string { return l.Lost }},
	{"touch", func(l *vault.DecisionLine) string { return l.Touch }},
}

var registerColumns = []column[vault.RegisterLine]{
	{"revision", func(l *vault.RegisterLine) string { return number(l.Revision) }},
	{"at", func(l *vault.RegisterLine) string { return when(&l.At) }},
	{"by", func(l *vault.RegisterLine) string { return l.By }},
	{"kind", func(l *vault.RegisterLine) string { return l.Kind }},
	{"id", func(l *vault.RegisterLine) string { return l.ID }},
	{"title", func(l *vault.RegisterLine) string { return words(l.Title) }},
	{"contact", func(l *vault.RegisterLine) string { return l.Contact }},
	{"address", func(l *vault.RegisterLine) string { return l.Address }},
	{"country", func(l *vault.RegisterLine) string { return l.Country }},
	{"authority", func(l *vault.RegisterLine) string { return l.Authority }},
	{"dpo", func(l *vault.RegisterLine) string { return l.DPO }},
	{"type", func(l *vault.RegisterLine) string { return l.Type }},
	{"identifier", func(l *vault.RegisterLine) string { return l.Identifier }},
	{"category", func(l *vault.RegisterLine) string { return string(l.Category) }},
	{"special", func(l *vault.RegisterLine) string { return yes(l.Special) }},
	{"mask", func(l *vault.RegisterLine) string { return string(l.Mask) }},
	{"retention", func(l *vault.RegisterLine) string { return period(l.Retention) }},
	{"max_age", func(l *vault.RegisterLine) string { return period(l.MaxAge) }},
	{"history", func(l *vault.RegisterLine) string { return period(l.History) }},
	{"enum", func(l *vault.RegisterLine) string { return joined(l.Enum) }},
	{"benefit", func(l *vault.RegisterLine) string { return words(l.Benefit) }},
	{"dpv", func(l *vault.RegisterLine) string { return l.DPV }},
	{"basis", func(l *vault.RegisterLine) string { return string(l.Basis) }},
	{"fields", func(l *vault.RegisterLine) string { return joined(l.Fields) }},
	{"broader", func(l *vault.RegisterLine) string { return string(l.Broader) }},
	{"jurisdictions", func(l *vault.RegisterLine) string { return joined(l.Jurisdictions) }},
	{"recipients", func(l *vault.RegisterLine) string { return joined(l.Recipients) }},
	{"valid_for", func(l *vault.RegisterLine) string { return period(l.ValidFor) }},
	{"explicit", func(l *vault.RegisterLine) string { return yes(l.Explicit) }},
	{"notice_version", func(l *vault.RegisterLine) string { return l.NoticeVersion }},
	{"notice_hash", func(l *vault.RegisterLine) string { return l.NoticeHash }},
	{"notice", func(l *vault.RegisterLine) string { return words(l.Notice) }},
	{"channel_kind", func(l *vault.RegisterLine) string { return l.ChannelKind }},
	{"purposes", func(l *vault.RegisterLine) string { return joined(l.Purposes) }},
	{"captures", func(l *vault.RegisterLine) string { return joined(l.Captures) }},
	{"obtains", func(l *vault.RegisterLine) string { return joined(l.Obtains) }},
	{"limits", func(l *vault.RegisterLine) string { return pairs(l.Limits) }},
	{"purpose", func(l *vault.RegisterLine) string { return string(l.Purpose) }},
	{"channel", func(l *vault.RegisterLine) string { return string(l.Channel) }},
	{"field", func(l *vault.RegisterLine) string { return string(l.Field) }},
	{"as", func(l *vault.RegisterLine) string { return l.As }},
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }

func when(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func whom(id *privacy.SubjectID) string {
	if id == nil {
		return ""
	}
	return id.String()
}

func yes(is bool) string {
	if is {
		return "true"
	}
	return ""
}

func period(p privacy.Period) string {
	if p.IsZero() {
		return ""
	}
	return p.String()
}

// joined and pairs put a list into a cell.
func joined[T ~string](list []T) string {
	all := make([]string, len(list))
	for i, s := range list {
		all[i] = string(s)
	}
	return strings.Join(all, "; ")
}

func pairs[K ~string, V any](m map[K]V) string {
	var all []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		all = append(all, fmt.Sprintf("%s=%v", k, m[k]))
	}
	return strings.Join(all, "; ")
}

// words puts a text into a cell: as it is, or by language as JSON.
func words(t privacy.Text) string {
	if only, ok := t[""]; ok && len(t) == 1 || len(t) == 0 {
		return only
	}
	b, _ := json.Marshal(t, json.Deterministic(true)) // of texts alone
	return string(b)
}
