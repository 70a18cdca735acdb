package privacy

import (
	"net/http"
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
)

func deviceRoutes() []route {
	return []route{
		{"GET /privacy/devices", showDevices, false},
		{"POST /privacy/devices/{session}/end", endDevice, false},
	}
}

// device is one session, which somebody may want to end.
type device struct {
	ID      string
	How     string
	Opened  time.Time
	Expires time.Time
	Current bool
}

func showDevices(v *visit) error {
	sessions, err := v.vault.OwnSessions(v.ctx, v.by)
	if err != nil {
		return err
	}
	var all []device
	for _, s := range sessions {
		how := v.say("device." + s.How)
		if s.Channel != "" {
			how = v.say("device."+s.How, "channel", v.channel(s.Channel))
		}
		all = append(all, device{ID: s.ID.String(), How: how, Opened: s.Opened, Expires: s.Expires, Current: s.Current})
	}
	return v.render(http.StatusOK, "devices.html", all)
}

func endDevice(v *visit) error {
	id, err := privacy.ParseSessionID(v.r.PathValue("session"))
	if err != nil {
		return errNotFound
	}
	if err := v.vault.EndOwnSession(v.ctx, v.by, id); err != nil {
		return err
	}
	return v.done("/privacy/devices", "ended")
}
