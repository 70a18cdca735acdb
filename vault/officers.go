package vault

import (
	"context"
	"errors"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/log"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// OfficerView is an officer, or one who is proposed.
type OfficerView struct {
	Name     string
	ClientID string
	Secrets  []SecretView
	// Pending is "add" or "remove" while that waits for another officer, whom
	// ProposedBy is not.
	Pending    string
	ProposedBy string
	ProposedAt time.Time
	// Enrols says that the officer has nothing to log in with yet but a link,
	// EnrolsUntil when that ends; of one that was used, zero.
	Enrols      bool
	EnrolsUntil time.Time
}

// OfficerChange is what became of a change of officers.
type OfficerChange struct {
	Name   string
	Status string // active, pending, removed or rejected
	// Credentials are a new officer's, shown once, nil if there are none to show.
	Credentials *Credentials
	SecretID    string
	// Enrolment is the code of an enrolment link, shown once, with its end.
	Enrolment string
	Until     time.Time
}

// StatusRemoved is the status of an officer who is one no more.
const StatusRemoved = "removed"

var officerName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)

// Officers lists the officers and what is proposed about them, by name.
func (v *Vault) Officers(_ context.Context, by Caller) ([]OfficerView, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	now, err := v.current()
	if err != nil {
		return nil, err
	}
	views := []OfficerView{}
	for _, name := range slices.Sorted(maps.Keys(now.gov.Officers)) {
		record := now.gov.Officers[name]
		view := OfficerView{Name: name, ClientID: officerPrefix + name, Secrets: secretViews(record), Enrols: record.invited()}
		for i := range record.Secrets {
			if s := &record.Secrets[i]; view.Enrols && s.alive(micro(v.cfg.Now())) {
				view.EnrolsUntil = s.Until
			}
		}
		if p := now.gov.waiting(func(p *pending) bool { return p.Kind == pendingRemove && p.Officer == name }); p != nil {
			view.Pending, view.ProposedBy, view.ProposedAt = "remove", p.By, p.At
		}
		views = append(views, view)
	}
	for _, p := range now.gov.Pending {
		if p.Kind == pendingAdd {
			views = append(views, OfficerView{Name: p.Officer, ClientID: officerPrefix + p.Officer, Secrets: []SecretView{}, Pending: "add", ProposedBy: p.By, ProposedAt: p.At})
		}
	}
	return views, nil
}

// AddOfficer makes another officer. The second one is made at once, by the first;
// from then on another officer has to approve it, and until then nothing is
// made.
func (v *Vault) AddOfficer(ctx context.Context, by Caller, name string) (*OfficerChange, error) {
	return v.addOfficer(ctx, by, name, false)
}

func (v *Vault) addOfficer(ctx context.Context, by Caller, name string, invited bool) (*OfficerChange, error) {
	if !officerName.MatchString(name) {
		return nil, invalid("name", "invalid_value", "expected a name of a to z, then a-z 0-9 and -, at most 63 characters")
	}
	return v.changeOfficers(ctx, by, func(tx store.Tx, gov *governance, event *clientEvent) (*OfficerChange, error) {
		if gov.Officers[name] != nil {
			return nil, refuse(CodeWrongState, "there is an officer of this name")
		}
		fits := func(p *pending) bool { return p.Kind == pendingAdd && p.Officer == name }
		if len(gov.Officers) > 1 {
			change, err := gov.proposeOfficer(by, event, pendingAdd, name, fits)
			if p := gov.waiting(fits); err == nil && p.By == by.Client.Officer {
				p.Invited = invited
			}
			return change, err
		}
		gov.drop(fits)
		return v.makeOfficer(gov, event, name, invited), by.Once.keepSecret(tx)
	})
}

// RemoveOfficer ends what an officer may do. Another officer has to approve it;
// where there are two, that is the one who is removed, and who asks for the own
// removal has approved it. The last one stays.
func (v *Vault) RemoveOfficer(ctx context.Context, by Caller, name string) (*OfficerChange, error) {
	return v.changeOfficers(ctx, by, func(_ store.Tx, gov *governance, event *clientEvent) (*OfficerChange, error) {
		switch {
		case gov.Officers[name] == nil:
			return nil, refuse(CodeNotFound, "there is no officer of this name")
		case len(gov.Officers) == 1:
			return nil, refuse(CodeWrongState, "the last officer stays; add another first")
		}
		fits := func(p *pending) bool { return p.Kind == pendingRemove && p.Officer == name }
		if len(gov.Officers) > 2 || by.Client.Officer != name {
			return gov.proposeOfficer(by, event, pendingRemove, name, fits)
		}
		return removeOfficer(gov, event, name), nil
	})
}

// ApproveOfficer does what another officer proposed about one: adds them, and
// shows their credentials this once, or removes them.
func (v *Vault) ApproveOfficer(ctx context.Context, by Caller, name string) (*OfficerChange, error) {
	return v.changeOfficers(ctx, by, func(tx store.Tx, gov *governance, event *clientEvent) (*OfficerChange, error) {
		p, err := gov.proposedOfficer(name)
		if err != nil {
			return nil, err
		}
		if err := p.mayApprove(gov, by); err != nil {
			return nil, err
		}
		kind, invited := p.Kind, p.Invited
		event.Proposed = p.By
		if kind == pendingRemove {
			if len(gov.Officers) == 2 && by.Client.Officer != name {
				return nil, refuse(CodeFourEyes, "there are two officers: only the one who is to be removed can approve it")
			}
			return removeOfficer(gov, event, name), nil
		}
		gov.drop(func(p *pending) bool { return p.Kind == pendingAdd && p.Officer == name })
		return v.makeOfficer(gov, event, name, invited), by.Once.keepSecret(tx)
	})
}

// RejectOfficer ends a proposal about an officer. Its author can take it back so.
func (v *Vault) RejectOfficer(ctx context.Context, by Caller, name, reason string) (*OfficerChange, error) {
	reason, err := wordsOf("reason", reason)
	if err != nil {
		return nil, err
	}
	return v.changeOfficers(ctx, by, func(_ store.Tx, gov *governance, event *clientEvent) (*OfficerChange, error) {
		p, err := gov.proposedOfficer(name)
		if err != nil {
			return nil, err
		}
		event.Act, event.Reason, event.Proposed = "addition rejected", reason, p.By
		if p.Kind == pendingRemove {
			event.Act = "removal rejected"
		}
		event.Client = officerPrefix + name
		id := p.ID
		gov.drop(func(p *pending) bool { return p.ID == id })
		return &OfficerChange{Name: name, Status: StatusRejected}, nil
	})
}

// NewOfficerSecret gives an officer another secret of their own, shown once: the
// first one was seen by whoever added them. Two can be live.
func (v *Vault) NewOfficerSecret(ctx context.Context, by Caller, name string) (*OfficerChange, error) {
	return v.changeOfficers(ctx, by, func(tx store.Tx, gov *governance, event *clientEvent) (*OfficerChange, error) {
		record, err := gov.own(by, name)
		if err != nil {
			return nil, err
		}
		if record.livingOf(CredentialSecret) >= maxSecrets {
			return nil, refuse(CodeWrongState, "you have two live secrets; revoke one first")
		}
		if record.kindOf(by.Client.SecretID) == CredentialEnrolment { // it has done its part
			record.endEnrolments(event.At)
		}
		change := v.addOfficerSecret(record, event, name)
		return change, by.Once.keepSecret(tx)
	})
}

// RevokeOfficerSecret ends one of an officer's own secrets and the tokens got
// with it. The last one stays.
func (v *Vault) RevokeOfficerSecret(ctx context.Context, by Caller, name, secretID string) error {
	now := micro(v.cfg.Now())
	_, err := v.changeOfficers(ctx, by, func(_ store.Tx, gov *governance, event *clientEvent) (*OfficerChange, error) {
		record, err := gov.own(by, name)
		if err != nil {
			return nil, err
		}
		if record.live(secretID) && record.lasting() == 1 && record.kindOf(secretID) != CredentialEnrolment {
			return nil, refuse(CodeWrongState, "this is the last you can log in with; make another first")
		}
		event.Act, event.Client, event.Secret = "secret revoked", officerPrefix+name, secretID
		return &OfficerChange{Name: name, Status: StatusActive}, record.revoke(secretID, now)
	})
	return err
}

// MendOfficers makes an officer, or gives one a new secret in the place of the
// others, without anybody's approval. It is for who holds the vault's root key
// and is locked out; the log says so.
func (v *Vault) MendOfficers(ctx context.Context, name string) (*OfficerChange, error) {
	if !officerName.MatchString(name) {
		return nil, invalid("name", "invalid_value", "expected a name of a to z, then a-z 0-9 and -, at most 63 characters")
	}
	return v.mendOfficers(ctx, func(gov *governance, event *clientEvent) (*OfficerChange, error) {
		record := gov.Officers[name]
		if record == nil {
			gov.drop(func(p *pending) bool { return p.Kind == pendingAdd && p.Officer == name })
			return v.makeOfficer(gov, event, name, false), nil
		}
		for i := range record.Secrets {
			if record.Secrets[i].Revoked.IsZero() {
				record.Secrets[i].Revoked = event.At
			}
		}
		return v.addOfficerSecret(record, event, name), nil
	})
}

// MendRemoveOfficer removes an officer without anybody's approval, likewise. The
// last one stays.
func (v *Vault) MendRemoveOfficer(ctx context.Context, name string) (*OfficerChange, error) {
	return v.mendOfficers(ctx, func(gov *governance, event *clientEvent) (*OfficerChange, error) {
		switch {
		case gov.Officers[name] == nil:
			return nil, refuse(CodeNotFound, "there is no officer of this name")
		case len(gov.Officers) == 1:
			return nil, refuse(CodeWrongState, "the last officer stays; add another first")
		}
		return removeOfficer(gov, event, name), nil
	})
}

// byRootKey stands in the log for who holds the root key.
const byRootKey = "(root key)"

func (v *Vault) mendOfficers(ctx context.Context, change func(*governance, *clientEvent) (*OfficerChange, error)) (*OfficerChange, error) {
	return v.officersUpdate(ctx, byRootKey, func(_ store.Tx, gov *governance, event *clientEvent) (*OfficerChange, error) {
		return change(gov, event)
	})
}

type changingOfficers func(store.Tx, *governance, *clientEvent) (*OfficerChange, error)

// changeOfficers changes officers by one who is still one, in one update with its
// record.
func (v *Vault) changeOfficers(ctx context.Context, by Caller, change changingOfficers) (*OfficerChange, error) {
	if err := v.mustOfficer(by); err != nil {
		return nil, err
	}
	return v.officersUpdate(ctx, by.Client.Officer, func(tx store.Tx, gov *governance, event *clientEvent) (*OfficerChange, error) {
		if err := gov.officerStill(by); err != nil {
			return nil, err
		}
		made, err := change(tx, gov, event)
		if err == nil && event.Act != "" && made.Credentials == nil && made.Enrolment == "" {
			err = by.Once.keep(tx, made)
		}
		return made, err
	})
}

func (v *Vault) officersUpdate(ctx context.Context, by string, change changingOfficers) (*OfficerChange, error) {
	var made *OfficerChange
	err := v.update(ctx, func(tx store.Tx) error {
		at := micro(v.cfg.Now())
		event := clientEvent{Format: 1, At: at, Officer: by}
		digest, err := v.govern(tx, func(gov *governance) (err error) {
			made, err = change(tx, gov, &event)
			return err
		})
		if err != nil {
			return err
		}
		if event.Act == "" { // proposed before: nothing happened
			return errUnchanged
		}
		event.Governance = digest
		if made.Status == StatusRemoved {
			if err := tx.Delete(bucketDesks, []byte(made.Name)); err != nil {
				return err
			}
		}
		return v.note(tx, log.Client, privacy.NewID(at), event)
	})
	if err != nil && !errors.Is(err, errUnchanged) {
		return nil, v.refusal(err)
	}
	return made, nil
}

// proposeOfficer lets a change of officers wait for another officer. The same
// again changes nothing.
func (gov *governance) proposeOfficer(by Caller, event *clientEvent, kind pendingKind, name string, same func(*pending) bool) (*OfficerChange, error) {
	change := &OfficerChange{Name: name, Status: StatusPending}
	if gov.waiting(same) != nil {
		return change, nil
	}
	event.Act, event.Client = "addition proposed", officerPrefix+name
	if kind == pendingRemove {
		event.Act = "removal proposed"
	}
	return change, gov.propose(pending{ID: newChangeID(event.At), Kind: kind, By: by.Client.Officer, At: event.At, Officer: name})
}

func (gov *governance) proposedOfficer(name string) (*pending, error) {
	p := gov.waiting(func(p *pending) bool { return (p.Kind == pendingAdd || p.Kind == pendingRemove) && p.Officer == name })
	switch {
	case p != nil:
		return p, nil
	case gov.Officers[name] != nil:
		return nil, refuse(CodeWrongState, "nothing is proposed about this officer")
	}
	return nil, refuse(CodeNotFound, "there is no officer of this name, and none is proposed")
}

func (v *Vault) makeOfficer(gov *governance, event *clientEvent, name string, invited bool) *OfficerChange {
	record := &clientRecord{}
	gov.Officers[name] = record
	add := v.addOfficerSecret
	if invited {
		add = v.addEnrolment
	}
	change := add(record, event, name)
	event.Act = "made"
	return change
}

func (v *Vault) addOfficerSecret(record *clientRecord, event *clientEvent, name string) *OfficerChange {
	id := officerPrefix + name
	info, secret := newSecret(v, id, event.At)
	record.Secrets = append(record.Secrets, info)
	event.Act, event.Client, event.Secret = "secret added", id, info.ID
	return &OfficerChange{Name: name, Status: StatusActive, Credentials: &Credentials{ClientID: id, ClientSecret: secret}, SecretID: info.ID}
}

// removeOfficer removes one, with what they proposed about officers and what was
// proposed about them. Their other proposals stay: who approves them is another.
func removeOfficer(gov *governance, event *clientEvent, name string) *OfficerChange {
	delete(gov.Officers, name)
	gov.drop(func(p *pending) bool {
		return (p.Kind == pendingAdd || p.Kind == pendingRemove) && (p.Officer == name || p.By == name)
	})
	event.Act, event.Client = "removed", officerPrefix+name
	return &OfficerChange{Name: name, Status: StatusRemoved}
}

// own returns an officer's record to the officer alone.
func (gov *governance) own(by Caller, name string) (*clientRecord, error) {
	if gov.Officers[name] == nil {
		return nil, refuse(CodeNotFound, "there is no officer of this name")
	}
	if by.Client.Officer != name {
		return nil, refuse(CodeForbidden, "an officer's secrets are the officer's own affair")
	}
	return gov.Officers[name], nil
}
