package api

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sayso-vault/sayso/vault"
)

// role is who may call a route.
type role byte

const (
	anyone role = iota
	channelRole
	officerRole
	eitherRole
	subjectRole // people, in sessions
	tellerRole  // channels and people
	everyRole   // all who say who they are
)

func (r role) admits(of vault.Role) bool {
	switch r {
	case channelRole:
		return of == vault.RoleChannel
	case officerRole:
		return of == vault.RoleOfficer
	case eitherRole:
		return of == vault.RoleChannel || of == vault.RoleOfficer
	case subjectRole:
		return of == vault.RoleSubject
	case tellerRole:
		return of == vault.RoleChannel || of == vault.RoleSubject
	case everyRole:
		return true
	}
	return r == anyone
}

// route is one line of the table.
type route struct {
	method   string
	pattern  string // of the standard ServeMux
	role     role
	body     int64         // the largest body, in bytes; of a stream, the largest line
	deadline time.Duration // of the answer, from when the headers were read
	query    []string      // the parameters it knows
	quiet    bool          // told at debug level when all went well

	idempotent bool // a write, which Idempotency-Key makes happen once

	do      handler
	summary string
}

// The deadlines of answers and the limits of bodies.
const (
	quick = 5 * time.Second
	slow  = 30 * time.Second
	long  = time.Hour // of streams, which end when they stall

	small  = 64 << 10
	middle = 256 << 10
	large  = 4 << 20
	huge   = 16 << 20
)

// spans are the parameters of exports.
var spans = []string{"from", "to", "format"}

// routes is the table: every route there is. The OpenAPI document is made from
// it.
func routes() []route {
	return []route{
		{method: "POST", pattern: "/oauth/token", role: anyone, body: small, deadline: quick, do: tokenHandler, summary: "Get an access token for client credentials"},
		{method: "GET", pattern: "/v1/whoami", role: eitherRole, deadline: quick, do: shows(whoami), summary: "What this client may do, and what is left of its limits"},

		{method: "POST", pattern: "/v1/captures", role: channelRole, body: middle, deadline: quick, idempotent: true, do: does(capture, 200, 201), summary: "Store what a person told, all of it or nothing"},
		{method: "POST", pattern: "/v1/captures/batch", role: channelRole, body: large, deadline: slow, idempotent: true, do: captureBatchHandler, summary: "Store what many people told: a capture a line, an answer a line"},
		{method: "POST", pattern: "/v1/imports/{import}/rows", role: channelRole, body: huge, deadline: patiently, query: []string{"from", "of"}, idempotent: true, do: importRowsHandler, summary: "Capture the next rows of a file: a capture a line, an empty line for a row that is left out"},
		{method: "GET", pattern: "/v1/imports/{import}", role: channelRole, deadline: quick, do: shows(showImport), summary: "How far an import is"},
		{method: "GET", pattern: "/v1/imports/{import}/rejects", role: channelRole, deadline: quick, query: []string{"after"}, do: shows(showRejects), summary: "What was rejected of an import, a page at a time"},
		{method: "POST", pattern: "/v1/imports/check", role: channelRole, body: huge, deadline: patiently, query: []string{"from"}, do: checkRowsHandler, summary: "Say which captures would be rejected, and keep nothing"},
		{method: "POST", pattern: "/v1/reads", role: channelRole, body: small, deadline: quick, quiet: true, do: readHandler, summary: "Read a person's fields for a purpose"},
		{method: "POST", pattern: "/v1/reads/batch", role: channelRole, body: small, deadline: long, quiet: true, do: readBatchHandler, summary: "Read many people's fields: a read a line, an answer a line, while both are sent"},
		{method: "POST", pattern: "/v1/audiences", role: channelRole, body: small, deadline: long, quiet: true, do: audienceHandler, summary: "Everybody this channel may use for a purpose now: a person a line"},
		{method: "POST", pattern: "/v1/consents", role: tellerRole, body: small, deadline: quick, idempotent: true, do: does(recordConsent, 201), summary: "Record a consent, a refusal, a withdrawal, an objection or an opt-out"},
		{method: "POST", pattern: "/v1/replies", role: channelRole, body: small, deadline: quick, idempotent: true, do: does(recordReply, 200, 201), summary: "Hear the no in what a person wrote or pressed: STOP, a key"},
		{method: "POST", pattern: "/v1/unsubscribe-links", role: channelRole, body: small, deadline: quick, do: does(unsubscribeLink, 201), summary: "A link for a mail by which the person says no with one click (RFC 8058)"},
		{method: "GET", pattern: "/v1/consents/{id}/receipt", role: everyRole, deadline: quick, do: shows(receipt), summary: "The signed receipt of a consent record again"},
		{method: "POST", pattern: "/v1/grounds", role: channelRole, body: small, deadline: quick, idempotent: true, do: does(recordGround, 201), summary: "Begin or end what makes a legal basis true for a person"},
		{method: "GET", pattern: "/v1/subjects/{id}/consents", role: channelRole, deadline: quick, query: []string{"purpose"}, do: shows(consentState), summary: "Whether a purpose is allowed for a person now"},
		{method: "GET", pattern: "/v1/subjects/{id}/missing", role: channelRole, deadline: quick, query: []string{"purpose"}, do: shows(missing), summary: "Which fields of a purpose a person would have to tell this channel"},
		{method: "POST", pattern: "/v1/subjects/{id}/missing/ask", role: channelRole, body: small, deadline: quick, idempotent: true, do: does(askMissing, 200, 201), summary: "Be the one who asks the person for missing fields: a short lease"},
		{method: "POST", pattern: "/v1/subjects/{id}/missing/refusals", role: channelRole, body: small, deadline: quick, idempotent: true, do: does(recordRefusal, 201), summary: "Record that the person would not tell fields, so that nobody asks again for a while"},
		{method: "POST", pattern: "/v1/touches", role: channelRole, body: small, deadline: quick, idempotent: true, do: does(recordTouch, 201), summary: "Record a contact, an offer, an order, an answer or an event, once for all channels"},
		{method: "POST", pattern: "/v1/touches/check", role: channelRole, body: small, deadline: quick, quiet: true, do: does(checkTouch, 200), summary: "Whether a contact may happen now, or until when not"},
		{method: "POST", pattern: "/v1/subject-sessions", role: channelRole, body: small, deadline: quick, idempotent: true, do: does(openSession, 201), summary: "Open a session of a person: a token for the channel, a one-time link for the person"},

		{method: "POST", pattern: "/v1/subject-sessions/enter", role: anyone, body: small, deadline: quick, do: does(enterByLink, 201), summary: "Open a session of your own by the code of a channel's one-time link"},
		{method: "POST", pattern: "/v1/subject-sessions/codes", role: anyone, body: small, deadline: quick, do: does(askLoginCode, 202), summary: "Have a code to log in with sent to an identifier of yours"},
		{method: "POST", pattern: "/v1/subject-sessions/codes/confirm", role: anyone, body: small, deadline: quick, do: does(confirmLoginCode, 201), summary: "Log in with the code that came"},

		{method: "GET", pattern: "/v1/me", role: subjectRole, deadline: slow, do: shows(showMe), summary: "What is known of you, why, and until when"},
		{method: "PATCH", pattern: "/v1/me", role: subjectRole, body: middle, deadline: quick, idempotent: true, do: does(correctMe, 200), summary: "Correct what is known of you (Art. 16 GDPR)"},
		{method: "GET", pattern: "/v1/me/consents", role: subjectRole, deadline: quick, query: []string{"limit", "after"}, do: shows(listOwnConsents), summary: "What you said to purposes, the latest first"},
		{method: "GET", pattern: "/v1/me/accesses", role: subjectRole, deadline: slow, query: accessFilters, do: shows(listAccesses), summary: "Who read what of you, for which purpose, the latest first"},
		{method: "GET", pattern: "/v1/me/accesses/{decision}/proof", role: subjectRole, deadline: quick, do: shows(proveAccess), summary: "The proof that the record of an access stands in the log"},
		{method: "GET", pattern: "/v1/me/export", role: subjectRole, deadline: slow, query: takeoutParams, do: exportMeHandler, summary: "Your data: a copy of all (Art. 15 GDPR), or what you take elsewhere (Art. 20)"},
		{method: "POST", pattern: "/v1/me/export", role: subjectRole, body: small, deadline: slow, query: takeoutParams, do: exportForMeHandler, summary: "The same for who acts for you, whom the record names"},
		{method: "POST", pattern: "/v1/me/restriction", role: subjectRole, body: small, deadline: quick, idempotent: true, do: does(restrictMe, 200), summary: "Restrict processing: nothing is released, all of it stays (Art. 18 GDPR)"},
		{method: "DELETE", pattern: "/v1/me/restriction", role: subjectRole, body: small, deadline: quick, idempotent: true, do: does(liftMe, 200), summary: "End a restriction"},
		{method: "GET", pattern: "/v1/me/erasure", role: subjectRole, deadline: slow, do: shows(previewErasure), summary: "What an erasure would leave, and why, before you ask for it"},
		{method: "POST", pattern: "/v1/me/erasure", role: subjectRole, body: small, deadline: slow, idempotent: true, do: does(eraseMe, 202), summary: "Be erased (Art. 17 GDPR); the link tells how far it is, also after the session"},
		{method: "DELETE", pattern: "/v1/me/erasure", role: subjectRole, body: small, deadline: quick, idempotent: true, do: does(takeBackErasure, 200), summary: "Take back an erasure whose period of grace is not over"},
		{method: "POST", pattern: "/v1/me/objections", role: subjectRole, body: small, deadline: quick, idempotent: true, do: does(objectMe, 201), summary: "Object to a purpose (Art. 21 GDPR): nothing is released for it from then on"},
		{method: "POST", pattern: "/v1/me/contests", role: subjectRole, body: small, deadline: quick, idempotent: true, do: does(contestMe, 201), summary: "Say that what a model worked out of you is not right: nobody is shown it until an officer decides"},
		{method: "GET", pattern: "/v1/me/requests", role: subjectRole, deadline: quick, do: shows(listOwnRequests), summary: "Your requests, and what became of them"},
		{method: "GET", pattern: "/v1/me/sessions", role: subjectRole, deadline: quick, do: shows(listSessions), summary: "Your sessions, the latest first"},
		{method: "DELETE", pattern: "/v1/me/sessions/{session}", role: subjectRole, deadline: quick, idempotent: true, do: endSessionHandler, summary: "End a session of yours"},

		{method: "GET", pattern: "/v1/events", role: channelRole, deadline: long, query: []string{"types"}, quiet: true, do: eventsHandler, summary: "Events as they happen, as server-sent events; Last-Event-ID goes on where a stream ended"},
		{method: "POST", pattern: "/v1/events/ack", role: channelRole, body: small, deadline: quick, idempotent: true, do: does(ackEvents, 200), summary: "Say up to which event this channel has dealt with what it was told"},
		{method: "POST", pattern: "/v1/webhooks", role: channelRole, body: small, deadline: quick, idempotent: true, do: does(addWebhook, 201), summary: "Have events sent to an address"},
		{method: "GET", pattern: "/v1/webhooks", role: channelRole, deadline: quick, query: []string{"limit", "after"}, do: shows(listWebhooks), summary: "This channel's webhooks, and how they do"},
		{method: "DELETE", pattern: "/v1/webhooks/{webhook}", role: channelRole, deadline: quick, idempotent: true, do: removeWebhookHandler, summary: "End a webhook"},
		{method: "POST", pattern: "/v1/webhooks/{webhook}/secrets", role: channelRole, body: small, deadline: quick, idempotent: true, do: does(rotateWebhook, 201), summary: "Replace a webhook's secret; for a day the old one signs as well"},
		{method: "GET", pattern: "/v1/webhooks/{webhook}/dead", role: channelRole, deadline: quick, query: []string{"limit", "after"}, do: shows(listDeadLetters), summary: "Events that a webhook did not take for three days"},
		{method: "POST", pattern: "/v1/webhooks/{webhook}/replay", role: channelRole, body: small, deadline: quick, idempotent: true, do: does(replayWebhook, 200), summary: "Send dead letters again, and let a disabled webhook go on"},

		{method: "GET", pattern: "/v1/register", role: officerRole, deadline: quick, do: showRegisterHandler, summary: "The register in force"},
		{method: "PUT", pattern: "/v1/register", role: officerRole, body: large, deadline: slow, query: []string{"dry_run"}, idempotent: true, do: applyRegisterHandler, summary: "Apply a register; If-Match guards against a change in between"},
		{method: "POST", pattern: "/v1/register/replay", role: officerRole, body: large, deadline: long, query: []string{"from", "to"}, do: replayRegisterHandler, summary: "Run a register over the decisions that were really made, and keep nothing"},
		{method: "POST", pattern: "/v1/register/{revision}/replay", role: officerRole, body: small, deadline: long, do: replayPendingHandler, summary: "Run the register that waits over the decisions that were really made"},
		{method: "POST", pattern: "/v1/register/{revision}/approve", role: officerRole, body: small, deadline: slow, idempotent: true, do: does(approveRegister, 200), summary: "Put in force the register that another officer proposed"},
		{method: "POST", pattern: "/v1/register/{revision}/reject", role: officerRole, body: small, deadline: quick, idempotent: true, do: does(rejectRegister, 200), summary: "End the proposal of a register, with words"},
		{method: "GET", pattern: "/v1/officers", role: officerRole, deadline: quick, query: []string{"limit", "after"}, do: shows(listOfficers), summary: "The officers, and what is proposed about them"},
		{method: "POST", pattern: "/v1/officers", role: officerRole, body: small, deadline: quick, idempotent: true, do: does(addOfficer, 201, 202), summary: "Add an officer: the second at once, others when another officer approved it"},
		{method: "DELETE", pattern: "/v1/officers/{name}", role: officerRole, deadline: quick, idempotent: true, do: removeOfficerHandler, summary: "Remove an officer, when another one approved it"},
		{method: "POST", pattern: "/v1/officers/{name}/approve", role: officerRole, body: small, deadline: quick, idempotent: true, do: does(approveOfficer, 200, 201), summary: "Do what another officer proposed about one"},
		{method: "POST", pattern: "/v1/officers/{name}/reject", role: officerRole, body: small, deadline: quick, idempotent: true, do: does(rejectOfficer, 200), summary: "End a proposal about an officer, with words"},
		{method: "POST", pattern: "/v1/officers/{name}/secrets", role: officerRole, body: small, deadline: quick, idempotent: true, do: does(newOfficerSecret, 201), summary: "Make oneself a second secret, to rotate them"},
		{method: "DELETE", pattern: "/v1/officers/{name}/secrets/{secret}", role: officerRole, deadline: quick, idempotent: true, do: revokeOfficerSecretHandler, summary: "Revoke one of one's own secrets"},
		{method: "GET", pattern: "/v1/decisions", role: officerRole, deadline: quick, query: []string{"from", "to", "channel", "purpose", "code", "subject", "limit", "after"}, do: shows(findDecisions), summary: "Decisions by channel, purpose, code, time, the latest first, without values"},
		{method: "GET", pattern: "/v1/decisions/{id}", role: officerRole, deadline: quick, do: shows(showDecision), summary: "A decision explained, without values"},
		{method: "POST", pattern: "/v1/subjects/lookup", role: officerRole, body: small, deadline: quick, do: does(lookup, 200), summary: "Who holds an identifier; the person sees the reason"},
		{method: "POST", pattern: "/v1/requests", role: officerRole, body: small, deadline: slow, idempotent: true, do: does(askFor, 202), summary: "Enter what a person asked for by letter or phone; an erasure goes on by itself"},
		{method: "GET", pattern: "/v1/requests", role: officerRole, deadline: quick, query: []string{"limit", "after", "open"}, do: shows(listRequests), summary: "All requests, the latest first; with open=true those that are not answered, by the day they are due"},
		{method: "GET", pattern: "/v1/status/{link}", role: anyone, deadline: quick, do: shows(statusOfRequest), summary: "How far a request is, for whoever has its link"},
		{method: "GET", pattern: "/v1/requests/{id}", role: officerRole, deadline: quick, do: shows(showRequest), summary: "Where a request stands, and its certificate"},
		{method: "POST", pattern: "/v1/requests/{id}/identity", role: officerRole, body: small, deadline: slow, idempotent: true, do: does(confirmIdentity, 200), summary: "Say how it is known that a request is the person's; it goes on"},
		{method: "POST", pattern: "/v1/requests/{id}/extend", role: officerRole, body: small, deadline: quick, idempotent: true, do: does(extendRequest, 200), summary: "Take two more months to answer, once, for a reason that the person is told (Art. 12(3) GDPR)"},
		{method: "POST", pattern: "/v1/requests/{id}/complete", role: officerRole, body: small, deadline: quick, idempotent: true, do: does(completeRequest, 200), summary: "Say that a request is answered, and how; an objection stands then, and what a model made and the person contests goes"},
		{method: "POST", pattern: "/v1/requests/{id}/approve", role: officerRole, body: small, deadline: quick, idempotent: true, do: does(approveRequest, 200), summary: "Let a retention run go on that would touch many people"},
		{method: "POST", pattern: "/v1/requests/{id}/refuse", role: officerRole, body: small, deadline: quick, idempotent: true, do: does(refuseRequest, 200), summary: "Refuse such a run, or a person's request with the reasons they are told; it overrules an objection or a contest"},
		{method: "POST", pattern: "/v1/subjects/{id}/restriction", role: officerRole, body: small, deadline: quick, idempotent: true, do: does(restrictPerson, 200), summary: "Restrict the processing of a person's data, for a reason"},
		{method: "POST", pattern: "/v1/subjects/{id}/restriction/lift", role: officerRole, body: small, deadline: quick, idempotent: true, do: does(liftPerson, 200), summary: "End a restriction, for a reason; the person was told before"},
		{method: "POST", pattern: "/v1/subjects/{id}/export", role: officerRole, body: small, deadline: slow, query: takeoutParams, do: exportPersonHandler, summary: "A person's data, for whoever asked by letter; the person sees the reason"},
		{method: "POST", pattern: "/v1/subjects/holds", role: officerRole, body: small, deadline: quick, idempotent: true, do: does(holdByIdentifier, 201), summary: "Forbid that anything of a person is erased, found by any identifier"},
		{method: "POST", pattern: "/v1/subjects/{id}/holds", role: officerRole, body: small, deadline: quick, idempotent: true, do: does(holdPerson, 201), summary: "Forbid that anything of a person is erased"},
		{method: "GET", pattern: "/v1/subjects/{id}/holds", role: officerRole, deadline: quick, do: shows(listHolds), summary: "The holds on a person"},
		{method: "DELETE", pattern: "/v1/subjects/{id}/holds", role: officerRole, deadline: slow, idempotent: true, do: releaseHoldsHandler, summary: "Release all holds on a person; an erasure they blocked goes on"},
		{method: "DELETE", pattern: "/v1/subjects/{id}/holds/{hold}", role: officerRole, deadline: slow, idempotent: true, do: releaseHoldsHandler, summary: "Release one hold on a person"},
		{method: "GET", pattern: "/v1/subjects/{id}/notices", role: officerRole, deadline: quick, do: shows(listNotices), summary: "Which channels heard what happened to a person within the week (Art. 19 GDPR)"},
		{method: "GET", pattern: "/v1/matches", role: officerRole, deadline: slow, query: []string{"limit", "after"}, do: shows(listMatches), summary: "Who may be one person: pairs that share a unique identifier, without values"},
		{method: "GET", pattern: "/v1/channels", role: officerRole, deadline: quick, query: []string{"limit", "after"}, do: shows(listChannels), summary: "The channels and their secrets' IDs"},
		{method: "POST", pattern: "/v1/channels/{id}/suspend", role: officerRole, body: small, deadline: quick, idempotent: true, do: does(suspendChannel, 200), summary: "Stop a channel at once"},
		{method: "POST", pattern: "/v1/channels/{id}/resume", role: officerRole, body: small, deadline: quick, idempotent: true, do: does(resumeChannel, 200), summary: "Let a suspended channel go on"},
		{method: "POST", pattern: "/v1/channels/{id}/secrets", role: officerRole, body: small, deadline: quick, idempotent: true, do: does(newSecret, 201), summary: "Make a channel a second secret, to rotate them"},
		{method: "DELETE", pattern: "/v1/channels/{id}/secrets/{secret}", role: officerRole, deadline: quick, idempotent: true, do: revokeSecretHandler, summary: "Revoke a secret and every token got with it"},
		{method: "POST", pattern: "/v1/policies", role: officerRole, body: large, deadline: slow, idempotent: true, do: does(draftPolicy, 201), summary: "Draft a set of rules"},
		{method: "POST", pattern: "/v1/policies/check", role: officerRole, body: large, deadline: slow, do: does(checkPolicy, 200), summary: "Say what is wrong with a set of rules, and keep nothing"},
		{method: "GET", pattern: "/v1/policies", role: officerRole, deadline: quick, query: []string{"limit", "after"}, do: shows(listPolicies), summary: "All sets of rules"},
		{method: "GET", pattern: "/v1/policies/{id}", role: officerRole, deadline: quick, do: shows(showPolicy), summary: "A set of rules with its modules"},
		{method: "POST", pattern: "/v1/policies/{id}/test", role: officerRole, body: small, deadline: slow, do: does(testPolicy, 200), summary: "Run the tests that came with a set of rules"},
		{method: "POST", pattern: "/v1/policies/{id}/replay", role: officerRole, body: small, deadline: long, do: replayHandler, summary: "Run a set of rules over the decisions that were really made"},
		{method: "POST", pattern: "/v1/policies/{id}/submit", role: officerRole, body: small, deadline: slow, idempotent: true, do: does(turnsPolicy(door.SubmitPolicy), 200, 202), summary: "Ask another officer to approve a set of rules"},
		{method: "POST", pattern: "/v1/policies/{id}/approve", role: officerRole, body: small, deadline: slow, idempotent: true, do: does(turnsPolicy(door.ApprovePolicy), 200), summary: "Put in force what another officer submitted"},
		{method: "POST", pattern: "/v1/policies/{id}/reject", role: officerRole, body: small, deadline: quick, idempotent: true, do: does(rejectPolicy, 200), summary: "End a change that waits, or the life of a draft, with words"},
		{method: "POST", pattern: "/v1/policies/{id}/activate", role: officerRole, body: small, deadline: slow, idempotent: true, do: does(turnsPolicy(door.ActivatePolicy), 200, 202), summary: "Put a set of rules in force: at once, or when another officer approved it"},
		{method: "POST", pattern: "/v1/policies/{id}/rollback", role: officerRole, body: small, deadline: slow, idempotent: true, do: does(turnsPolicy(door.RollbackPolicy), 200, 202), summary: "Make a former set of rules active again, likewise"},
		{method: "POST", pattern: "/v1/clock/confirm", role: officerRole, body: small, deadline: quick, idempotent: true, do: does(confirmClock, 200), summary: "Say that the machine's clock is right"},
		{method: "GET", pattern: "/v1/reports/processing-activities", role: officerRole, deadline: quick, query: []string{"format"}, do: activitiesHandler, summary: "The record of processing activities (Art. 30 GDPR), from the register in force"},
		{method: "GET", pattern: "/v1/reports/breach", role: officerRole, deadline: long, query: []string{"channel", "from", "to", "format"}, do: breachHandler, summary: "What a channel was shown and did in a period (Arts. 33, 34 GDPR)"},
		{method: "GET", pattern: "/v1/reports/consents", role: officerRole, deadline: long, query: spans, do: consentsHandler, summary: "How consent to each purpose went over time"},
		{method: "GET", pattern: "/v1/reports/denials", role: officerRole, deadline: long, query: spans, do: denialsHandler, summary: "Why channels were not told what they asked for"},
		{method: "GET", pattern: "/v1/reports/gaps", role: officerRole, deadline: long, query: spans, do: gapsHandler, summary: "What channels asked for that the register does not map"},
		{method: "GET", pattern: "/v1/reports/unread", role: officerRole, deadline: long, query: spans, do: unreadHandler, summary: "Which data is kept and never shown"},
		{method: "GET", pattern: "/v1/exports/register", role: officerRole, deadline: long, query: spans, do: exports("register", registerColumns, door.ExportRegister), summary: "Every revision of the register that was in force, a line a thing it declares"},
		{method: "GET", pattern: "/v1/exports/consents", role: officerRole, deadline: long, query: spans, do: exports("consents", consentColumns, door.ExportConsents), summary: "Every act of say-so, a line each, without evidence"},
		{method: "GET", pattern: "/v1/exports/decisions", role: officerRole, deadline: long, query: spans, do: exports("decisions", decisionColumns, door.ExportDecisions), summary: "Every decision, look-up and export, a line each, without values"},

		{method: "GET", pattern: "/log/checkpoint", role: anyone, deadline: quick, do: checkpointHandler, summary: "The signed head of the log (C2SP tlog-checkpoint)"},
		{method: "GET", pattern: "/log/vkey", role: anyone, deadline: quick, do: vkeyHandler, summary: "The log's verifier key (C2SP signed-note)"},
		{method: "GET", pattern: "/log/tile/entries/{index...}", role: anyone, deadline: quick, do: entriesHandler, summary: "The leaves of a tile (C2SP tlog-tiles)"},
		{method: "GET", pattern: "/log/tile/{level}/{index...}", role: anyone, deadline: quick, do: tileHandler, summary: "A tile of the tree (C2SP tlog-tiles)"},

		{method: "GET", pattern: "/openapi.json", role: anyone, deadline: quick, do: openAPIHandler, summary: "This document"},
		{method: "GET", pattern: "/docs", role: anyone, deadline: quick, do: docsHandler, summary: "This document, to be read"},
		{method: "GET", pattern: "/.well-known/jwks.json", role: anyone, deadline: quick, do: public(jwks), summary: "The keys of access tokens"},
		{method: "GET", pattern: "/.well-known/oauth-authorization-server", role: anyone, deadline: quick, do: public(metadata), summary: "How to get access tokens (RFC 8414)"},
		{method: "GET", pattern: "/.well-known/evidence-keys.json", role: anyone, deadline: quick, do: public(evidenceKeys), summary: "The keys of receipts and certificates, retired ones too"},
		{method: "GET", pattern: "/.well-known/gpc.json", role: anyone, deadline: quick, do: shows(gpcSupport), summary: "That Global Privacy Control is heard"},
		{method: "GET", pattern: "/healthz", role: anyone, deadline: quick, do: shows(healthy), summary: "Whether the server runs"},
		{method: "GET", pattern: "/readyz", role: anyone, deadline: quick, do: readyHandler, summary: "Whether the vault can be relied on"},
		{method: "GET", pattern: "/metrics", role: anyone, deadline: quick, quiet: true, do: metricsHandler, summary: "What was counted, for Prometheus: nothing about a person"},
	}
}

// wrongMethod answers what is asked of a known path with a method it has not.
func wrongMethod(known *route, allowed []string) *route {
	if slices.Contains(allowed, http.MethodGet) {
		allowed = append(allowed, http.MethodHead)
	}
	slices.Sort(allowed)
	refused := refusal{code: "method_not_allowed", detail: "this path has other methods", allow: strings.Join(allowed, ", ")}
	return &route{pattern: known.pattern, role: known.role, do: handler{serve: func(*exchange) error { return refused }}}
}
