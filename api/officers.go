package api

import (
	"net/http"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
)

func listOfficers(x *exchange) (*wire.OfficerList, error) {
	all, err := x.door.Officers(x.ctx, x.caller)
	if err != nil {
		return nil, err
	}
	all, next, err := page(x, all, func(o vault.OfficerView) string { return o.Name })
	if err != nil {
		return nil, err
	}
	list := wire.OfficerList{Next: next}
	for _, o := range all {
		officer := wire.Officer{Name: o.Name, ClientID: o.ClientID, Secrets: secrets(o.Secrets), Pending: o.Pending, ProposedBy: o.ProposedBy}
		if !o.ProposedAt.IsZero() {
			officer.ProposedAt = &o.ProposedAt
		}
		list.Officers = append(list.Officers, officer)
	}
	return &list, nil
}

// enrolmentPath is where enrolment codes lead, in the console.
const enrolmentPath = "/console/enrol/"

func addOfficer(x *exchange, in *wire.OfficerRequest) (int, *wire.OfficerChange, error) {
	if in.Enrol {
		return officer(x.door.InviteOfficer(x.ctx, once(x, officerNow), in.Name))
	}
	return officer(x.door.AddOfficer(x.ctx, once(x, officerNow), in.Name))
}

func removeOfficer(x *exchange) (int, *wire.OfficerChange, error) {
	return officer(x.door.RemoveOfficer(x.ctx, once(x, officerNow), x.r.PathValue("name")))
}

func approveOfficer(x *exchange, _ *wire.Nothing) (int, *wire.OfficerChange, error) {
	return officer(x.door.ApproveOfficer(x.ctx, once(x, officerNow), x.r.PathValue("name")))
}

func rejectOfficer(x *exchange, in *wire.Rejection) (int, *wire.OfficerChange, error) {
	return officer(x.door.RejectOfficer(x.ctx, once(x, officerNow), x.r.PathValue("name"), in.Reason))
}

func newOfficerSecret(x *exchange, _ *wire.Nothing) (int, *wire.OfficerChange, error) {
	return officer(x.door.NewOfficerSecret(x.ctx, x.once(noWords), x.r.PathValue("name")))
}

var removeOfficerHandler = handlerOf(removeOfficer, http.StatusOK, http.StatusAccepted)

var revokeOfficerSecretHandler = handler{
	statuses: []int{http.StatusNoContent},
	serve: func(x *exchange) error {
		by := x.once(func(any) (vault.Answer, error) { return vault.Answer{Status: http.StatusNoContent}, nil })
		if err := x.door.RevokeOfficerSecret(x.ctx, by, x.r.PathValue("name"), x.r.PathValue("secret")); err != nil {
			return err
		}
		x.write(http.StatusNoContent, "", nil)
		return nil
	},
}

func officer(out *vault.OfficerChange, err error) (int, *wire.OfficerChange, error) {
	if err != nil {
		return 0, nil, err
	}
	status, answer := officerNow(out)
	return status, answer, nil
}

func officerNow(out *vault.OfficerChange) (int, *wire.OfficerChange) {
	answer := &wire.OfficerChange{Name: out.Name, Status: out.Status, Secret: out.SecretID}
	if c := out.Credentials; c != nil {
		answer.ClientID, answer.ClientSecret = c.ClientID, c.ClientSecret
		return http.StatusCreated, answer
	}
	if out.Enrolment != "" {
		answer.Enrolment, answer.EnrolmentUntil = enrolmentPath+out.Enrolment, &out.Until
		return http.StatusCreated, answer
	}
	return accepted(out.Status), answer
}

func secrets(all []vault.SecretView) (out []wire.Secret) {
	for _, s := range all {
		out = append(out, wire.Secret{ID: s.ID, Created: s.Created, Revoked: s.Revoked})
	}
	return out
}
