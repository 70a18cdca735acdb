package console

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func recordRoutes() []route {
	return []route{
		{pattern: "GET /console/log", do: showLog},
		{pattern: "GET /console/requests", do: listRequests},
		{pattern: "GET /console/requests/{id}", do: showRequest},
		{pattern: "POST /console/requests/{id}/approve", do: approveRequest},
		{pattern: "POST /console/requests/{id}/identity", do: answerRequest("identity", ruleVault.ConfirmIdentity)},
		{pattern: "POST /console/requests/{id}/extend", do: answerRequest("extended", ruleVault.ExtendRequest)},
		{pattern: "POST /console/requests/{id}/complete", do: answerRequest("completed", ruleVault.AnswerRequest)},
		{pattern: "POST /console/requests/{id}/refuse", do: answerRequest("refused", ruleVault.DeclineRequest)},
	}
}

// logPage is how the log stands, and the proof of a record if one was asked for.
type logPage struct {
	*vault.LogState
	Asked   string
	Proof   *vault.Proof
	Problem *problem
}

func showLog(v *visit) error {
	state, err := v.vault.LogState(v.ctx, v.by)
	if err != nil {
		return err
	}
	p := logPage{LogState: state, Asked: strings.TrimSpace(v.r.URL.Query().Get("id"))}
	status := http.StatusOK
	if p.Asked != "" {
		if p.Proof, err = v.vault.Prove(v.ctx, p.Asked); err != nil {
			wrong := problemOf(err)
			if wrong.Status >= http.StatusInternalServerError {
				return err
			}
			p.Problem, status = &wrong, wrong.Status
		} else if err := vault.CheckProof(p.Proof, state.VerifierKey); err != nil {
			return err
		} else if v.r.URL.Query().Get("format") == "json" {
			body, err := json.MarshalIndent(p.Proof, "", "  ")
			if err != nil {
				return err
			}
			v.w.Header().Set("Content-Type", "application/json")
			v.w.Header().Set("Content-Disposition", `attachment; filename="proof.json"`)
			_, err = v.w.Write(body)
			return err
		}
	}
	return v.render(status, "log.html", p)
}

// requestsPage lists requests with their clocks: those that are open by the day they are
// due, or all, the latest first.
type requestsPage struct {
	All      bool
	Requests []clocked
	Next     string
}

// clocked is a request with what is left of its time.
type clocked struct {
	vault.Request
	Open bool
	Left int // whole days until it is due; less than 0: since
	Late bool
	Run  bool // a retention run, which is no person's
}

const requestRows = 50

func (v *visit) clocked(r vault.Request) clocked {
	c := clocked{Request: r, Open: r.Status != vault.RequestCompleted && r.Status != vault.RequestRefused && r.Status != vault.RequestWithdrawn}
	left := r.DueAt.Sub(v.now())
	c.Run = r.Kind == vault.RequestRetention
	c.Left, c.Late = int(left/(24*time.Hour)), left < 0
	return c
}

func listRequests(v *visit) error {
	var before privacy.RequestID
	if text := v.r.URL.Query().Get("after"); text != "" {
		id, err := privacy.ParseRequestID(text)
		if err != nil {
			return errNotFound
		}
		before = id
	}
	p := requestsPage{All: v.r.URL.Query().Get("show") == "all"}
	list := v.vault.OpenRequests
	if p.All {
		list = v.vault.Requests
	}
	all, err := list(v.ctx, v.by, before, requestRows+1)
	if err != nil {
		return err
	}
	if len(all) > requestRows {
		all = all[:requestRows]
		p.Next = all[requestRows-1].ID.String()
	}
	for _, r := range all {
		p.Requests = append(p.Requests, v.clocked(r))
	}
	return v.render(http.StatusOK, "requests.html", p)
}

func (v *visit) request() (privacy.RequestID, error) {
	id, err := privacy.ParseRequestID(v.r.PathValue("id"))
	if err != nil {
		return id, errNotFound
	}
	return id, nil
}

func showRequest(v *visit) error {
	id, err := v.request()
	if err != nil {
		return err
	}
	r, err := v.vault.Request(v.ctx, v.by, id)
	if err != nil {
		return err
	}
	return v.render(http.StatusOK, "request.html", v.clocked(*r))
}

// approveRequest lets a retention run go on that would touch many people.
func approveRequest(v *visit) error {
	id, err := v.request()
	if err != nil {
		return err
	}
	if _, err := v.vault.ApproveRequest(v.ctx, v.by, id); err != nil {
		return err
	}
	return v.done("/console/requests/"+id.String(), "request_approved")
}

// answerer is a method of the vault that answers a request with words.
type answerer func(ruleVault, context.Context, vault.Caller, privacy.RequestID, string) (*vault.Request, error)

// answerRequest makes a form's act of such a method. What the vault lacks – words, the
// right state – it says.
func answerRequest(flash string, answer answerer) func(*visit) error {
	return func(v *visit) error {
		id, err := v.request()
		if err != nil {
			return err
		}
		if _, err := answer(v.vault, v.ctx, v.by, id, v.value("reason")); err != nil {
			return err
		}
		return v.done("/console/requests/"+id.String(), "request_"+flash)
	}
}
