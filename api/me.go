package api

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sayso-vault/sayso/api/authn"
	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// EnterPath is where a channel's one-time link leads a person's browser, with the
// code as parameter "code".
const EnterPath = "/privacy/enter"

// whoCalls finds out who makes a request: a client by its access token, or a
// person by the token of a session.
func (x *exchange) whoCalls() (vault.Caller, error) {
	token, err := authn.Bearer(x.r)
	if err != nil {
		return vault.Caller{}, err
	}
	if !strings.HasPrefix(token, vault.TokenPrefix) {
		return x.tokens.Check(x.r)
	}
	caller, err := x.door.Subject(x.ctx, token)
	if errors.Is(err, vault.ErrInvalidClient) {
		err = authn.ErrToken
	}
	return caller, err
}

func openSession(x *exchange, in *wire.SessionRequest) (int, *wire.OpenedSession, error) {
	by := x.once(noWords)
	by.For = who(in.By)
	out, err := x.door.OpenSession(x.ctx, by, ref(in.Subject))
	if err != nil {
		return 0, nil, err
	}
	link := x.tokens.Issuer() + EnterPath + "?code=" + url.QueryEscape(out.Code)
	return http.StatusCreated, &wire.OpenedSession{Token: out.Token, URL: link, ExpiresAt: out.Expires}, nil
}

func listSessions(x *exchange) (*wire.SessionList, error) {
	all, err := x.door.OwnSessions(x.ctx, x.caller)
	if err != nil {
		return nil, err
	}
	list := wire.SessionList{Sessions: []wire.Session{}}
	for _, s := range all {
		list.Sessions = append(list.Sessions, wire.Session{Session: s.ID, Channel: s.Channel, Assurance: string(s.Assurance), How: s.How,
			OpenedAt: s.Opened, ExpiresAt: s.Expires, Current: s.Current, By: acting(s.For)})
	}
	return &list, nil
}

// endSessionHandler ends a session of the person's.
var endSessionHandler = handler{
	statuses: []int{http.StatusNoContent},
	serve: func(x *exchange) error {
		id, err := privacy.ParseSessionID(x.r.PathValue("session"))
		if err != nil {
			return errNotFound
		}
		by := x.once(func(any) (vault.Answer, error) { return vault.Answer{Status: http.StatusNoContent}, nil })
		if err := x.door.EndOwnSession(x.ctx, by, id); err != nil {
			return err
		}
		x.write(http.StatusNoContent, "", nil)
		return nil
	},
}

func showMe(x *exchange) (*wire.Me, error) {
	out, err := x.door.Me(x.ctx, x.caller)
	if err != nil {
		return nil, err
	}
	me := &wire.Me{Decision: out.Decision, Assurance: string(out.Assurance), Full: out.Full, RestrictedSince: pointer(out.Restricted),
		Values: []wire.OwnValue{}, Purposes: []wire.OwnPurpose{}, Controller: wire.OwnController(out.Controller)}
	for _, v := range out.Values {
		me.Values = append(me.Values, ownValue(v))
	}
	for _, p := range out.Purposes {
		me.Purposes = append(me.Purposes, ownPurpose(p))
	}
	return me, nil
}

func ownValue(v vault.OwnValue) wire.OwnValue {
	one := wire.OwnValue{Field: v.Field, Title: wire.Words(v.Title), Category: v.Category, Special: v.Special, Value: wire.Value{Sensitive: v.Value},
		Mask: v.Mask, ObservedAt: v.Observed, Since: v.Recorded, Channel: v.Channel, Origin: v.Origin, Verified: v.Verified, Inference: v.Inference, By: acting(v.By),
		Until: pointer(v.Until), HeldFor: []wire.Holding{}}
	if v.Contested != nil {
		one.Contested = &wire.OwnContest{Since: v.Contested.Since, Request: v.Contested.Request, DueAt: pointer(v.Contested.Due)}
	}
	for _, h := range v.For {
		one.HeldFor = append(one.HeldFor, wire.Holding{Purpose: h.Purpose, Title: wire.Words(h.Title), Basis: h.Basis, Until: pointer(h.Until)})
	}
	return one
}

func ownPurpose(p vault.OwnPurpose) wire.OwnPurpose {
	one := wire.OwnPurpose{Purpose: p.Purpose, Title: wire.Words(p.Title), Benefit: wire.Words(p.Benefit), Basis: p.Basis, DPV: p.DPV, Fields: p.Fields,
		Recipients: p.Recipients, Status: p.Status, Consent: p.Consent, Since: pointer(p.Since), Until: pointer(p.Until), Allowed: p.Allowed,
		Objected: p.Objected, MayGive: p.MayGive, MayWithdraw: p.MayWithdraw, MayObject: p.MayObject}
	if !p.Retention.IsZero() {
		one.Retention = p.Retention.String()
	}
	if p.Notice != nil {
		one.Notice = &wire.OwnNotice{Version: p.Notice.Version, Text: wire.Words(p.Notice.Text), Explicit: p.Notice.Explicit}
	}
	return one
}

func correctMe(x *exchange, in *wire.Correction) (int, *wire.Corrected, error) {
	var fields []vault.CapturedField
	for _, f := range in.Fields {
		fields = append(fields, vault.CapturedField{Field: f.Name, Value: f.Value.Sensitive})
	}
	by := once(x, corrected)
	by.For = who(in.By)
	out, err := x.door.Correct(x.ctx, by, fields)
	if err != nil {
		return 0, nil, err
	}
	status, answer := corrected(out)
	return status, answer, nil
}

func corrected(out *vault.CaptureResult) (int, *wire.Corrected) {
	return http.StatusOK, &wire.Corrected{Accepted: listed(out.Accepted), Unchanged: listed(out.Unchanged), Superseded: listed(out.Superseded)}
}

// listed is a list that is there if it is empty, too.
func listed[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}

func listOwnConsents(x *exchange) (*wire.OwnConsentList, error) {
	limit, err := x.limit()
	if err != nil {
		return nil, err
	}
	var before privacy.ConsentID
	if after := x.query.Get("after"); after != "" {
		if before, err = privacy.ParseConsentID(after); err != nil {
			return nil, unprocessable("after", wire.CodeInvalid, "names no entry of this list")
		}
	}
	all, err := x.door.OwnConsents(x.ctx, x.caller, before, limit+1)
	if err != nil {
		return nil, err
	}
	list := wire.OwnConsentList{Consents: []wire.OwnConsent{}}
	if len(all) > limit {
		all, list.Next = all[:limit], all[limit-1].Consent.String()
	}
	for _, c := range all {
		list.Consents = append(list.Consents, ownConsent(c))
	}
	return &list, nil
}

func ownConsent(c vault.OwnConsent) wire.OwnConsent {
	return wire.OwnConsent{Consent: c.Consent, Purpose: c.Purpose, Status: c.Status, Effective: c.Effective, At: c.At,
		RecordedAt: c.Recorded, Until: pointer(c.Until), Channel: c.Channel, Method: c.Method, Language: c.Language, Jurisdiction: c.Jurisdiction,
		NoticeVersion: c.Notice, Register: c.Register, Fields: listed(c.Fields), Recipients: c.Recipients, By: wire.Actor(c.By), Evidence: c.Evidence}
}

func later(l *vault.Later) *wire.Later {
	if l == nil {
		return nil
	}
	return &wire.Later{Count: l.Count, From: l.From, Until: l.Until}
}

// accessFilters are the parameters of the list of accesses.
var accessFilters = []string{"limit", "after", "channel", "purpose", "from", "to"}

func listAccesses(x *exchange) (*wire.OwnAccessList, error) {
	limit, err := x.limit()
	if err != nil {
		return nil, err
	}
	ask := vault.AccessRequest{Channel: privacy.ChannelID(x.query.Get("channel")), Purpose: privacy.PurposeID(x.query.Get("purpose")),
		After: x.query.Get("after"), Limit: limit}
	for name, at := range map[string]*time.Time{"from": &ask.From, "to": &ask.To} {
		if text := x.query.Get(name); text != "" {
			if *at, err = time.Parse(time.RFC3339, text); err != nil {
				return nil, unprocessable(name, wire.CodeInvalid, "a time such as 2026-03-01T12:00:00Z was expected")
			}
		}
	}
	out, err := x.door.Accesses(x.ctx, x.caller, ask)
	if err != nil {
		return nil, err
	}
	list := wire.OwnAccessList{Accesses: []wire.OwnAccess{}, Count: out.Count, Next: out.Next, Later: later(out.Later)}
	for _, a := range out.Accesses {
		list.Accesses = append(list.Accesses, wire.OwnAccess{Decision: a.Decision, At: a.At, Kind: a.Kind, Channel: a.Channel, Officer: a.Officer,
			Reason: a.Reason, Purpose: a.Purpose, Act: a.Act, By: acting(a.By), Released: listed(a.Released), Masked: listed(slices.Sorted(maps.Keys(a.Masked))),
			Withheld: listed(slices.Sorted(maps.Keys(a.Withheld))), Masks: a.Masked, Codes: a.Withheld, Peek: a.Peek, LogIndex: a.LogIndex})
	}
	return &list, nil
}

func proveAccess(x *exchange) (*vault.Proof, error) {
	id, err := privacy.ParseDecisionID(x.r.PathValue("decision"))
	if err != nil {
		return nil, errNotFound
	}
	return x.door.ProveAccess(x.ctx, x.caller, id)
}
