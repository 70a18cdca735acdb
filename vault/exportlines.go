package vault

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// ConsentLine is one act of say-so as auditors see it: all of the consent record
// but the evidence and the words of people. A record that cannot be opened has
// its place and why.
type ConsentLine struct {
	LogIndex      uint64                `json:"log_index"`
	Consent       privacy.ConsentID     `json:"consent"`
	Subject       *privacy.SubjectID    `json:"subject,omitempty"`
	Purpose       privacy.PurposeID     `json:"purpose,omitempty"`
	Status        privacy.ConsentStatus `json:"status,omitempty"`
	Effective     *bool                 `json:"effective,omitempty"`
	At            *time.Time            `json:"at,omitempty"`
	RecordedAt    time.Time             `json:"recorded_at"`
	Until         *time.Time            `json:"until,omitempty"`
	Register      uint64                `json:"register,omitzero" doc:"the revision whose notice was shown"`
	NoticeVersion string                `json:"notice_version,omitempty"`
	NoticeHash    string                `json:"notice_hash,omitempty"`
	Fields        []privacy.FieldName   `json:"fields,omitempty"`
	Recipients    []string              `json:"recipients,omitempty"`
	Method        string                `json:"method,omitempty"`
	Channel       privacy.ChannelID     `json:"channel,omitempty"`
	Jurisdiction  string                `json:"jurisdiction,omitempty"`
	Language      string                `json:"language,omitempty"`
	By            privacy.Role          `json:"by,omitempty"`
	Finished      bool                  `json:"finished,omitzero" doc:"done from the ledger after a crash; purpose and channel stand in no record of it"`
	Lost          string                `json:"lost,omitempty" enum:"erased,damaged"`
}

// ExportConsents gives an officer every act of say-so, in the order of the log.
// That it was done is recorded before the first is shown. some gets a page at a
// time and keeps nothing of it.
func (v *Vault) ExportConsents(ctx context.Context, by Caller, req ExportRequest, some func([]ConsentLine) error) (*Exported, error) {
	end, err := v.recordExport(ctx, by, "consents", req)
	if err != nil {
		return nil, err
	}
	return end, exportLog(ctx, v, by, req, end, []log.Kind{log.Consent}, consentLine, some)
}

func consentLine(e entry, o *log.Opening) (*ConsentLine, error) {
	l := &ConsentLine{LogIndex: e.index, Consent: privacy.ConsentID(e.ID), RecordedAt: madeAt(e.ID), Lost: e.lost}
	if o == nil {
		if e.lost == LostDamaged {
			l.Subject = known(e.Subject)
		}
		return l, nil
	}
	var r struct {
		consentRecord
		Ledger byte `json:"ledger"` // of one finished from the ledger
	}
	if err := json.Unmarshal(o.Record, &r); err != nil {
		return nil, err
	}
	l.Consent, l.At = r.ID, &r.At
	if r.Ledger != 0 {
		status, ok := ledgerKind(r.Ledger).status()
		if !ok {
			return nil, nil // a ground's
		}
		l.Subject, l.Status, l.Finished = known(e.Subject), status, true
		return l, nil
	}
	l.Subject, l.Purpose, l.Status, l.Effective, l.RecordedAt = known(r.Subject), r.Purpose, r.Status, &r.Effective, r.Recorded
	l.Register, l.NoticeVersion, l.NoticeHash, l.Fields, l.Recipients = r.Register, r.Notice, hex.EncodeToString(r.NoticeHash), r.Fields, r.Recipients
	l.Method, l.Channel, l.Jurisdiction, l.Language, l.By = r.Method, r.Channel, r.Jurisdiction, r.Language, r.By.Role
	if !r.Until.IsZero() {
		l.Until = &r.Until
	}
	return l, nil
}

// known returns the subject of an entry, nil for the vault itself.
func known(id privacy.SubjectID) *privacy.SubjectID {
	if id == privacy.Nobody {
		return nil
	}
	return &id
}

// What a line of the export of decisions tells of.
const (
	LineRead    = "read"    // a channel's question about a person
	LineLookup  = "lookup"  // an officer who looked a person up
	LineSession = "session" // a session of a person: opened, or something shown in it
	LineExport  = "export"  // an officer who took records out
)

// What became of a question.
const (
	LineAllowed = "allowed" // something was released, or would have been
	LineDenied  = "denied"
	LineRefused = "refused" // before anybody was looked up
)

// DecisionLine is one access record as auditors see it: who asked about whom,
// for what, and what of it was released, by name. It holds neither a value nor
// anything that clients or officers wrote in their own words.
type DecisionLine struct {
	LogIndex uint64                             `json:"log_index"`
	Kind     string                             `json:"kind" enum:"read,lookup,session,export"`
	Decision *privacy.DecisionID                `json:"decision,omitempty"`
	At       time.Time                          `json:"at"`
	Channel  privacy.ChannelID                  `json:"channel,omitempty"`
	Officer  string                             `json:"officer,omitempty"`
	Subject  *privacy.SubjectID                 `json:"subject,omitempty" doc:"absent: nobody was known by the reference"`
	Purpose  privacy.PurposeID                  `json:"purpose,omitempty"`
	Outcome  string                             `json:"outcome,omitempty" enum:"allowed,denied,refused"`
	Code     string                             `json:"code,omitempty" doc:"why it was refused, or a contact denied"`
	Peek     bool                               `json:"peek,omitzero" doc:"asked only whether; no value was opened"`
	Touch    string                             `json:"touch,omitempty" enum:"contact,offer,order,answer,event,ask" doc:"whether what: to contact the person, or to ask them"`
	Released []privacy.FieldName                `json:"released,omitempty"`
	Masked   map[privacy.FieldName]privacy.Mask `json:"masked,omitempty"`
	Withheld map[privacy.FieldName]privacy.Code `json:"withheld,omitempty"`
	Missing  []privacy.FieldName                `json:"missing,omitempty"`
	Policy   string                             `json:"policy,omitempty"`
	Register uint64                             `json:"register,omitzero"`
	Standing uint64                             `json:"standing,omitzero" doc:"the version decided on"`
	Export   string                             `json:"export,omitempty" enum:"register,consents,decisions,breach"`
	Lost     string                             `json:"lost,omitempty" enum:"erased,damaged"`
}

// ExportDecisions gives an officer every decision, look-up and export, in the
// order of the log. That it was done is recorded before the first is shown. some
// gets a page at a time and keeps nothing of it.
func (v *Vault) ExportDecisions(ctx context.Context, by Caller, req ExportRequest, some func([]DecisionLine) error) (*Exported, error) {
	end, err := v.recordExport(ctx, by, "decisions", req)
	if err != nil {
		return nil, err
	}
	declared := map[uint64]map[privacy.FieldName]bool{}
	line := func(e entry, o *log.Opening) (*DecisionLine, error) {
		l, err := decisionLine(e, o)
		if err != nil || len(l.Withheld) == 0 {
			return l, err
		}
		if declared[l.Register] == nil {
			if declared[l.Register], err = v.declared(ctx, l.Register); err != nil {
				return nil, err
			}
		}
		l.Withheld = shownNames(l.Withheld, declared[l.Register])
		return l, nil
	}
	return end, exportLog(ctx, v, by, req, end, []log.Kind{log.Access, log.Lookup, log.Session, log.Export}, line, some)
}

// declared returns the names of the fields of a register revision.
func (v *Vault) declared(ctx context.Context, revision uint64) (map[privacy.FieldName]bool, error) {
	names := map[privacy.FieldName]bool{}
	if revision == 0 {
		return names, nil
	}
	err := v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		rev, err := v.readRevision(s, revision)
		if err != nil {
			return err
		}
		for i := range rev.register.Fields {
			names[rev.register.Fields[i].Name] = true
		}
		return nil
	})
	return names, err
}

// shownNames leaves out how a client called what no register declares: that may
// be anything.
func shownNames(withheld map[privacy.FieldName]privacy.Code, declared map[privacy.FieldName]bool) map[privacy.FieldName]privacy.Code {
	shown := make(map[privacy.FieldName]privacy.Code, len(withheld))
	for name, code := range withheld {
		if !declared[name] {
			name = "…"
		}
		shown[name] = code
	}
	return shown
}

func decisionLine(e entry, o *log.Opening) (*DecisionLine, error) {
	kind := map[log.Kind]string{log.Access: LineRead, log.Lookup: LineLookup, log.Session: LineSession, log.Export: LineExport}[e.Kind]
	l := &DecisionLine{LogIndex: e.index, Kind: kind, At: madeAt(e.ID), Lost: e.lost}
	if e.Kind != log.Export {
		id := privacy.DecisionID(e.ID)
		l.Decision = &id
	}
	if o == nil {
		if e.lost == LostDamaged {
			l.Subject = known(e.Subject)
		}
		return l, nil
	}
	if e.Kind == log.Export {
		var r exportRecord
		if err := json.Unmarshal(o.Record, &r); err != nil {
			return nil, err
		}
		l.At, l.Officer, l.Export = r.At, r.Officer, r.Export
		return l, nil
	}
	var r accessRecord
	if err := json.Unmarshal(o.Record, &r); err != nil {
		return nil, err
	}
	l.At, l.Channel, l.Officer, l.Subject, l.Purpose = r.At, r.Channel, r.Officer, known(e.Subject), r.Purpose
	l.Policy, l.Register, l.Standing, l.Peek, l.Code = r.Policy, r.Register, r.Standing, r.Peek, r.Refused
	l.Released, l.Masked, l.Withheld, l.Missing = r.Released, r.Masked, r.Withheld, r.Missing
	if r.Dealt != nil {
		l.Touch = r.Dealt.Kind
	}
	if r.Refused == CodeUnknownPurpose {
		l.Purpose = "" // what the client called it may be anything
	}
	switch {
	case e.Kind == log.Lookup, e.Kind == log.Session:
	case r.Refused != "":
		l.Outcome = LineRefused
	case r.Dealt != nil && r.Dealt.Code != "":
		l.Outcome, l.Code = LineDenied, r.Dealt.Code
	case len(r.Withheld) < len(r.Asked):
		l.Outcome = LineAllowed
	default:
		l.Outcome = LineDenied
	}
	return l, nil
}
