package privacy

import (
	"net/http"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func takeRoutes() []route {
	return []route{
		{"GET /privacy/take", showTake, false},
		{"POST /privacy/take/file", downloadData, false},
		{"POST /privacy/take/restriction", restrict, false},
		{"GET /privacy/take/leave", showLeave, false},
		{"POST /privacy/take/leave", leave, false},
		{"POST /privacy/take/stay", stay, false},
		{"GET /privacy/take/requests", showRequests, false},
		{"GET /privacy/status/{link}", showStatus, true},
	}
}

// takePage is what people may do with all of it at once.
type takePage struct {
	Full       bool
	Restricted time.Time
	Formats    []string
}

// formats are those that data is given in, the one for most people first.
var formats = []string{"csv", "json", "schemaorg"}

func showTake(v *visit) error {
	me, err := v.vault.Me(v.ctx, v.by)
	if err != nil {
		return err
	}
	return v.render(http.StatusOK, "take.html", takePage{Full: me.Full, Restricted: me.Restricted, Formats: formats})
}

// downloadData gives somebody what is known of them. It is a form's, because that
// it was taken is recorded.
func downloadData(v *visit) error {
	scope, format := vault.Scope(v.value("scope")), v.value("format")
	if scope != vault.ScopeAccess && scope != vault.ScopePortable || !slices.Contains(formats, format) {
		return &vault.Error{Code: vault.CodeInvalidRequest}
	}
	data, err := v.vault.Export(v.ctx, v.by, scope)
	if err != nil {
		return err
	}
	name, media, content, err := v.takeout(format, data)
	if err != nil {
		return err
	}
	return v.file(name, media, content)
}

// restrict has the data only kept, or used again.
func restrict(v *visit) error {
	var err error
	switch v.value("do") {
	case "begin":
		_, err = v.vault.RestrictOwn(v.ctx, v.by, "", nil)
	case "end":
		_, err = v.vault.LiftOwn(v.ctx, v.by, nil)
	default:
		err = &vault.Error{Code: vault.CodeInvalidRequest}
	}
	if err != nil {
		return err
	}
	return v.done("/privacy/take", "restriction_"+v.value("do"))
}

// leavePage is what somebody is told before they have everything deleted.
type leavePage struct {
	Remains []remains
	Held    bool
	Days    int
	Told    string
	Later   int       // how many more are told whom the person is shown later
	Begins  time.Time // zero: at once
	Waits   bool      // it was asked for, and can be taken back
	Problem bool      // nothing was ticked
}

// remains is what a law demands to be kept.
type remains struct {
	Title  string
	Why    string
	Fields string
	Until  time.Time
}

func (v *visit) remains(stays []vault.Stay) (all []remains) {
	for _, s := range stays {
		all = append(all, remains{Title: v.titles.purpose(s.Purpose), Why: v.say("basis." + string(s.Basis)), Fields: v.list(v.titles.fieldList(s.Fields)), Until: s.Until})
	}
	return all
}

func showLeave(v *visit) error { return v.askLeave(http.StatusOK, false) }

func (v *visit) askLeave(status int, problem bool) error {
	preview, err := v.vault.PreviewErasure(v.ctx, v.by)
	if err != nil {
		return err
	}
	var told []string
	for _, id := range preview.Told {
		if id != vault.SelfChannel {
			told = append(told, v.channel(id))
		}
	}
	return v.render(status, "leave.html", leavePage{Remains: v.remains(preview.Remains), Held: preview.Held, Days: preview.KeyBackupDays, Told: v.list(told), Later: preview.ToldLater, Begins: preview.Begins, Waits: preview.Waits,
		Problem: problem})
}

// leave has everything deleted, and leads to where one sees how far that is: an
// address to keep, because the session ends with the data. Where there is a period
// of grace it goes on until then.
func leave(v *visit) error {
	if v.value("sure") != "yes" {
		return v.askLeave(http.StatusUnprocessableEntity, true)
	}
	request, err := v.vault.Erase(v.ctx, v.by, vault.EraseRequest{NeverContact: v.value("never") == "yes"})
	if err != nil {
		return err
	}
	if request.BeginsAt.IsZero() {
		v.jar.Forget(v.w, sessionCookie)
		v.w.Header().Set("Clear-Site-Data", `"cache", "storage"`)
	}
	return v.redirect("/privacy/status/" + v.vault.RequestLink(request.ID))
}

// stay takes it back that everything is to be deleted.
func stay(v *visit) error {
	if _, err := v.vault.TakeBackErasure(v.ctx, v.by, nil); err != nil {
		return err
	}
	return v.done("/privacy/take", "stayed")
}

// asked is one request of the person, and what became of it.
type asked struct {
	Kind      string
	About     string // the purpose of an objection, the field of a contest
	Outcome   string // of a contest that is over: how
	Status    string
	Received  time.Time
	Due       time.Time // zero: it is done
	Begins    time.Time // of a deletion that waits
	Extended  bool
	Reason    string // the person's words
	Answer    string // what they are told, in the words of who answered
	Extension string
	By        string // who acted for them
	EndedBy   string // and who took it back
	Lifted    time.Time
	Told      string // those who had the data and were told (Art. 19)
	Untold    string // those whom no event reaches
	Later     int    // how many more there are that are shown later
}

// told says who had the data that a request is about.
func (v *visit) told(q *vault.Request, one *asked) {
	var told, untold []string
	for _, t := range q.Told {
		switch t.State {
		case vault.NoticeUnreached, vault.NoticeMissed, vault.NoticeGivenUp:
			untold = append(untold, v.channel(t.Channel))
		default:
			told = append(told, v.channel(t.Channel))
		}
	}
	one.Told, one.Untold, one.Later = v.list(told), v.list(untold), q.ToldLater
}

func showRequests(v *visit) error {
	requests, err := v.vault.OwnRequests(v.ctx, v.by)
	if err != nil {
		return err
	}
	var all []asked
	for i := range requests {
		q := &requests[i]
		one := asked{Kind: v.say("kind." + string(q.Kind)), Status: v.say("request." + string(q.Status)), Received: q.ReceivedAt, Extended: q.Extended, Begins: q.BeginsAt,
			Reason: q.Reason, Answer: q.Answer, Extension: q.Extension}
		if q.Purpose != "" {
			one.About = v.titles.purpose(q.Purpose)
		}
		if q.Field != "" {
			one.About = v.titles.field(q.Field)
		}
		if q.Outcome != "" {
			one.Outcome = v.say("contest." + q.Outcome)
		}
		if q.CompletedAt.IsZero() && q.Status != vault.RequestCompleted && q.Status != vault.RequestRefused && q.Status != vault.RequestWithdrawn {
			one.Due = q.DueAt
		}
		if len(q.Fields) > 0 {
			one.About = v.list(v.titles.fieldList(q.Fields))
		}
		if q.Own != nil && q.Own.Role != privacy.BySubject {
			one.By = v.actor(q.Own)
		}
		if q.EndedBy != nil && q.EndedBy.Role != privacy.BySubject {
			one.EndedBy = v.actor(q.EndedBy)
		}
		one.Lifted = q.LiftedAt
		v.told(q, &one)
		all = append(all, one)
	}
	return v.render(http.StatusOK, "requests.html", all)
}

// statusPage is how far a request is, and nothing of whom it is about.
type statusPage struct {
	Kind        string
	Status      string
	Received    time.Time
	Due         time.Time
	Begins      time.Time // of a deletion that waits
	Completed   time.Time
	Remains     []remains
	Certificate string
	Told, Heard int // how many who had the data were told, and have heard
}

func showStatus(v *visit) error {
	request, err := v.vault.RequestByLink(v.ctx, v.r.PathValue("link"))
	if err != nil {
		return err
	}
	p := statusPage{Kind: string(request.Kind), Status: string(request.Status), Received: request.ReceivedAt, Due: request.DueAt, Begins: request.BeginsAt, Completed: request.CompletedAt,
		Remains: v.remains(request.Kept), Certificate: request.Certificate, Told: request.Sent, Heard: request.Confirmed}
	if v.r.URL.Query().Has("certificate") && p.Certificate != "" {
		return v.file("certificate-"+request.ID.String()+".jwt", "application/erasure-certificate+jwt", []byte(p.Certificate))
	}
	return v.render(http.StatusOK, "status.html", p)
}
