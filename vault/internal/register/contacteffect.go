package register

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// What a change does to who is contacted counts like what it does to what is
// released: who is contacted more waits for the same approval.

// settings says what a change of the settings does.
func (e *effects) settings(c Change, key string) (bool, string) {
	before, after := &e.old.Settings, &e.new.Settings
	part, rest, _ := strings.Cut(key, ".")
	switch part {
	case "contact":
		base, name, _ := strings.Cut(rest, ".")
		switch base {
		case "reach":
			if c.Op == Added && !strings.Contains(name, ".") {
				return false, "whom the medium reaches must then be one of whom the field may be released"
			}
			return true, "people may then be contacted of whom the field may not be released"
		case "keep":
			return forgets(before.Contact.Keep, after.Contact.Keep, "what is ordered or answered")
		}
		return e.contact(c, rest, &Contact{Caps: before.Contact.Caps, Quiet: before.Contact.Quiet}, &Contact{Caps: after.Contact.Caps, Quiet: after.Contact.Quiet})
	case "asking":
		return false, "is about asking people, and releases nothing"
	case "erasure":
		return e.erasure(rest)
	case "approvals":
		return false, "changes are approved by direction, said or not"
	}
	return true, whyUnknown
}

// erasure says what a change of how soon erased data is gone from copies does.
func (e *effects) erasure(key string) (bool, string) {
	switch key {
	case "epoch_every":
		if e.new.EpochEvery().After(time.Time{}).After(e.old.EpochEvery().After(time.Time{})) {
			return true, "old copies then open longer for what was erased"
		}
		return false, "old copies then open no longer for what was erased"
	case "grace":
		if e.new.Settings.Erasure.Grace.After(time.Time{}).After(e.old.Settings.Erasure.Grace.After(time.Time{})) {
			return true, "what people want erased is then kept longer, restricted, and may come back"
		}
		return false, "what people want erased is then kept no longer; what waits already keeps its day"
	case "key_backup_days":
		if e.new.KeyBackupDays() > e.old.KeyBackupDays() {
			return true, "copies of the keys then live longer, and open what was erased"
		}
		return false, "copies of the keys then live no longer"
	}
	return true, whyUnknown
}

// contact says what a change of the rules of contact does; either may be nil.
func (e *effects) contact(c Change, key string, before, after *Contact) (bool, string) {
	if before == nil {
		before = &Contact{}
	}
	if after == nil {
		after = &Contact{}
	}
	base, inner, _ := strings.Cut(key, ".")
	switch base {
	case "caps":
		return capEffect(c, inner)
	case "quiet_hours":
		if quieter(after.Quiet, before.Quiet) {
			return false, "fewer hours are for contacts, or the same"
		}
		return true, "people may then be contacted at hours that were quiet"
	case "cooldowns":
		return cooldownEffect(c, inner, before, after)
	case "exempt":
		if after.Exempt {
			return true, "its contacts are then not held to the rules for all purposes"
		}
		return false, "its contacts are then held to the rules for all purposes"
	}
	return true, whyUnknown
}

func capEffect(c Change, key string) (bool, string) {
	const more = "people may then be contacted more often"
	if name, part, inside := strings.Cut(key, "."); inside && name != "" {
		from, _ := strconv.Atoi(c.From)
		to, _ := strconv.Atoi(c.To)
		return part != "count" || to > from, map[bool]string{true: more, false: "people may then be contacted less often"}[part != "count" || to > from]
	}
	return cameOrGoes(c, "people may then be contacted less often", more)
}

func cooldownEffect(c Change, key string, before, after *Contact) (bool, string) {
	const sooner = "people may then be contacted sooner after it"
	name, _, inside := strings.Cut(key, ".")
	if !inside {
		return cameOrGoes(c, "people may then be contacted later after it", sooner)
	}
	at := func(in *Contact) privacy.Period {
		i := slices.IndexFunc(in.Cooldowns, func(d Cooldown) bool { return d.After == name })
		if i < 0 {
			return privacy.Period{}
		}
		return in.Cooldowns[i].For
	}
	if notLonger(at(before), at(after)) {
		return false, "people may then be contacted later after it"
	}
	return true, sooner
}

// cameOrGoes says what a rule does that only keeps back.
func cameOrGoes(c Change, came, goes string) (bool, string) {
	switch c.Op {
	case Added:
		return false, came
	case Removed:
		return true, goes
	}
	return false, whyOrder
}

// quieter reports whether all quiet hours of b are some of a.
func quieter(a, b *QuietHours) bool {
	switch {
	case b == nil:
		return true
	case a == nil || a.Zone != b.Zone:
		return false
	case len(a.Media) > 0 && (len(b.Media) == 0 || slices.ContainsFunc(b.Media, func(m string) bool { return !slices.Contains(a.Media, m) })):
		return false
	}
	for at := range WallTime(24 * 60) {
		if b.Holds(at) && !a.Holds(at) {
			return false
		}
	}
	return true
}

// forgets says what another period does after which something is forgotten that
// keeps contacts back.
func forgets(before, after privacy.Period, what string) (bool, string) {
	if after.IsZero() || !before.IsZero() && notLonger(before, after) {
		return false, what + " is then remembered for longer"
	}
	return true, what + " is then forgotten sooner, and offered or asked again"
}

// loosens reports whether a purpose that is part of others no longer is, and so
// is no longer held to their rules of contact.
func (e *effects) loosens(id privacy.PurposeID) bool {
	before, after := e.old.purposes[id], e.new.purposes[id]
	return slices.ContainsFunc(e.old.broader(before), func(b *Purpose) bool {
		return b.Contact != nil && !slices.ContainsFunc(e.new.broader(after), func(o *Purpose) bool { return o.ID == b.ID })
	})
}
