package privacy

import (
	"net/http"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func useRoutes() []route {
	return []route{
		{"GET /privacy/uses", showUses, false},
		{"POST /privacy/uses/{purpose}", say, false},
		{"GET /privacy/said", showSaid, false},
		{"GET /privacy/receipts/{consent}", downloadReceipt, false},
	}
}

// usesPage is what data is used for, by who decides.
type usesPage struct {
	Full   bool
	Groups []useGroup
}

// has says whether a purpose is on the page.
func (p usesPage) has(purpose string) bool {
	return slices.ContainsFunc(p.Groups, func(g useGroup) bool {
		return slices.ContainsFunc(g.Uses, func(one use) bool { return string(one.ID) == purpose })
	})
}

// useGroup are the uses that are decided alike: by the person, unless they object,
// or by contract and law. Message keys name it.
type useGroup struct {
	Key  string
	Uses []use
}

// use is one purpose as a person reads it.
type use struct {
	ID         privacy.PurposeID
	Title      string
	Benefit    string
	Why        string
	Notice     string
	Version    string
	Explicit   bool
	Fields     string
	Recipients string
	On         bool
	Switch     string // the message key of the switch: consent, object; "" for none
	MayOn      bool
	MayOff     bool
	StepUp     bool // on needs a login
	Since      time.Time
	Until      time.Time
	Status     string // what the person said last, as a message; "" for nothing
	Receipt    string // of that
}

func showUses(v *visit) error {
	me, err := v.vault.Me(v.ctx, v.by)
	if err != nil {
		return err
	}
	groups := map[string][]use{}
	for i := range me.Purposes {
		key, one := v.useOf(me, &me.Purposes[i])
		groups[key] = append(groups[key], one)
	}
	p := usesPage{Full: me.Full}
	for _, key := range []string{"yours", "unless", "needed"} {
		if len(groups[key]) > 0 {
			p.Groups = append(p.Groups, useGroup{Key: key, Uses: groups[key]})
		}
	}
	return v.render(http.StatusOK, "uses.html", p)
}

func (v *visit) useOf(me *vault.Me, known *vault.OwnPurpose) (group string, one use) {
	one = use{ID: known.Purpose, Title: known.Title.In(v.lang), Benefit: known.Benefit.In(v.lang), Why: v.say("basis." + string(known.Basis)),
		Fields: v.list(v.titles.fieldList(known.Fields)), Recipients: v.list(known.Recipients), On: known.Allowed, Since: known.Since, Until: known.Until}
	if n := known.Notice; n != nil {
		one.Notice, one.Version, one.Explicit = n.Text.In(v.lang), n.Version, n.Explicit
	}
	if known.Consent != nil {
		one.Receipt, one.Status = known.Consent.String(), v.say("status."+string(known.Status))
	}
	switch known.Basis {
	case privacy.Consent, privacy.OptOut:
		one.Switch, one.MayOn, one.MayOff, group = "consent", known.MayGive && !known.Allowed, known.MayWithdraw, "yours"
		one.StepUp = !known.MayGive && !known.Allowed && !me.Full && known.Notice != nil
	case privacy.LegitimateInterests, privacy.PublicTask:
		one.Switch, group = "object", "unless"
	default:
		group = "needed"
		if known.MayObject || known.Objected {
			one.Switch = "object"
		}
	}
	if one.Switch == "object" {
		one.MayOff, one.MayOn = known.MayObject, known.MayGive
		one.StepUp = known.Objected && !known.MayGive && !me.Full
	}
	return group, one
}

// say records what the person says to a purpose: the version of the notice that
// they were shown comes with a yes, so that it covers that and nothing else.
func say(v *visit) error {
	id := privacy.PurposeID(v.r.PathValue("purpose"))
	req := vault.ConsentRequest{Purpose: id, Method: "privacy_centre", Language: v.lang}
	switch v.value("say") {
	case "yes":
		req.Status, req.NoticeVersion = privacy.StatusGiven, v.value("notice")
	case "no":
		req.Status = privacy.StatusWithdrawn
	case "opt_out":
		req.Status = privacy.StatusOptedOut
	case "object":
		return v.object(id)
	default:
		return &vault.Error{Code: vault.CodeInvalidRequest}
	}
	if _, err := v.vault.ActOwn(v.ctx, v.by, req); err != nil {
		return err
	}
	return v.doneAt("/privacy/uses", string(id), "said_"+v.value("say"), "purpose", v.titles.purpose(id))
}

// object records an objection, with the person's words if they give any.
func (v *visit) object(id privacy.PurposeID) error {
	made, err := v.vault.ObjectOwn(v.ctx, v.by, id, v.value("reason"), nil)
	if err != nil {
		return err
	}
	if made.Absolute {
		return v.doneAt("/privacy/uses", string(id), "objected_absolute", "purpose", v.titles.purpose(id))
	}
	return v.doneAt("/privacy/uses", string(id), "objected", "purpose", v.titles.purpose(id))
}

// saidPage is what the person said, the latest first.
type saidPage struct {
	Said []said
	Next string
}

type said struct {
	At      time.Time
	Purpose string
	Status  string
	Channel string
	By      string // who said it for them, as a message; "" if they did
	Void    bool   // it came too late to count
	Receipt string
}

// saidAtOnce is how many acts a page shows.
const saidAtOnce = 50

func showSaid(v *visit) error {
	var before privacy.ConsentID
	if after := v.r.URL.Query().Get("after"); after != "" {
		var err error
		if before, err = privacy.ParseConsentID(after); err != nil {
			return errNotFound
		}
	}
	all, err := v.vault.OwnConsents(v.ctx, v.by, before, saidAtOnce+1)
	if err != nil {
		return err
	}
	var p saidPage
	if len(all) > saidAtOnce {
		all, p.Next = all[:saidAtOnce], all[saidAtOnce-1].Consent.String()
	}
	for _, c := range all {
		one := said{At: c.At, Purpose: v.titles.purpose(c.Purpose), Status: v.say("status." + string(c.Status)), Channel: v.channel(c.Channel), Void: !c.Effective, Receipt: c.Consent.String()}
		if c.By.Role != "" && c.By.Role != privacy.BySubject {
			one.By = v.say("by." + string(c.By.Role))
		}
		p.Said = append(p.Said, one)
	}
	return v.render(http.StatusOK, "said.html", p)
}

func downloadReceipt(v *visit) error {
	id, err := privacy.ParseConsentID(v.r.PathValue("consent"))
	if err != nil {
		return errNotFound
	}
	receipt, err := v.vault.Receipt(v.ctx, v.by, id)
	if err != nil {
		return err
	}
	return v.file("receipt-"+id.String()+".jwt", "application/consent-receipt+jwt", []byte(receipt))
}
