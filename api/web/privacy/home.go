package privacy

import (
	"net/http"
	"time"

	"github.com/sayso-vault/sayso/vault"
)

func homeRoutes() []route {
	return []route{{"GET /privacy", showHome, false}}
}

// homePage is what somebody sees first: how much is known, what is going on, and
// where to do something about it.
type homePage struct {
	Full       bool
	From       string // the channel that vouches for who it is, "" after a login
	Known      int
	Allowed    int // purposes that something may be used for now
	Yours      int // of these, those that the person may end
	Looks      int // recently, and by others
	LooksMore  bool
	Latest     *lookGroup
	Restricted time.Time
}

// recently is how far back the first page looks.
const recently = 30 * 24 * time.Hour

func showHome(v *visit) error {
	me, err := v.vault.Me(v.ctx, v.by)
	if err != nil {
		return err
	}
	p := homePage{Full: me.Full, Known: len(me.Values), Restricted: me.Restricted}
	if me.Assurance == vault.AssuranceChannel {
		p.From = v.channel(v.by.Client.Channel)
	}
	for _, use := range me.Purposes {
		if use.Allowed {
			p.Allowed++
			if use.MayWithdraw || use.MayObject {
				p.Yours++
			}
		}
	}
	looks, more, err := v.looks(vault.AccessRequest{From: v.now().Add(-recently)}, homeLooks, false)
	if err != nil {
		return err
	}
	p.Looks, p.LooksMore = len(looks), more != ""
	if groups := v.group(looks); len(groups) > 0 {
		p.Latest = &groups[0].Groups[0]
	}
	return v.render(http.StatusOK, "home.html", p)
}
