package vault

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/store"
)

// inForce opens what is in force: register, rules, clients.
func (e *examiner) inForce(ctx context.Context) error {
	err := e.v.cfg.Store.View(ctx, func(s store.Snapshot) (err error) {
		e.force, err = e.v.regime(ctx, s)
		return err
	})
	if err != nil {
		return err
	}
	e.has |= needForce
	e.Add(Finding{Check: "in-force", Level: Fine, What: fmt.Sprintf("register revision %d, rules %s, officers: %d", e.force.gov.Register, e.force.gov.Policy, len(e.force.gov.Officers))})
	return nil
}

// gapText says of each kind of gap what it is, what it means and what to do.
var gapTexts = map[register.GapKind]struct{ fine, what, means, do string }{
	register.UnusedFields: {"every field is of some purpose", "fields that no purpose uses: %s",
		"What is captured of them may be read by nobody, so there is no reason to keep it (GDPR Art. 5(1)(c)).",
		"Name the purpose they are for, or take them from the register and from what channels capture."},
	register.UncapturedFields: {"every field of a purpose is captured somewhere", "fields of purposes that no channel captures: %s",
		"Whoever reads them gets nothing, unless they were captured under an earlier register.", "Let a channel capture them, or take them from the purposes."},
	register.FieldsForEver: {"every field has a retention", "fields without retention: %s",
		"Their values live as long as any purpose wants them, which may be for ever (Art. 5(1)(e)).", "Give each a retention, such as P3Y."},
	register.UnheldPurposes: {"every purpose is held by a channel", "purposes that no channel holds: %s",
		"Nobody can read for them, and people may be asked for consent to what never happens.", "Give them to the channels that need them, or take them from the register."},
	register.PurposesForEver: {"every purpose has a retention", "purposes without retention: %s",
		"What they use lives for ever, unless the field itself ends it (Art. 5(1)(e)).", "Give each a retention."},
	register.UnobtainedPurposes: {"every consent is obtained somewhere", "purposes on consent that no channel obtains: %s",
		"Nobody can say yes to them, so nothing is ever released.", "Name them under obtains of the channel that asks people."},
	register.Untranslated: {"people are asked in every language of the register", "texts that people are shown when asked lack a language used elsewhere: %s",
		"Who reads that language would be asked in another one, and may not have understood (Art. 7(2)).", "Write title, benefit and notice in it; a new text is a new notice version."},
	register.IdleChannels: {"every channel has something to do", "channels that may neither read, capture nor ask: %s",
		"Their secrets are good for nothing but to be lost.", "Give them purposes, or take them from the register."},
	register.Unlimited: {"every channel that reads has limits", "channels that read without any limit: %s",
		"Who steals one of their secrets can read everybody it may ask about in a day.", "Set limits: people_per_day first, to what a busy day needs."},
	register.NoStepUp: {"people's sessions need a login for all but what the channel may read", "channels whose sessions of people need no login (step_up: none): %s",
		"Who steals one of their secrets can see, change and erase everything of everybody whom the channel knows.", "Write `sessions: {step_up: verified}`, and let people log in at /privacy."},
}

func (e *examiner) register(context.Context) error {
	if e.force.gov.Register == 0 {
		e.Add(Finding{Check: "register", Level: Warning, What: "no register was applied yet",
			Means: "Nothing can be captured or read.", Do: "Apply one with `sayso apply register.yaml`; examples/shop has one to begin with."})
		return nil
	}
	gaps := e.force.register.Gaps()
	for _, kind := range register.GapKinds {
		text, about := gapTexts[kind], gaps[kind]
		f := Finding{Check: string(kind), Level: Fine, What: text.fine}
		if len(about) > 0 {
			f = Finding{Check: string(kind), Level: Warning, What: fmt.Sprintf(text.what, names(about)), Means: text.means, Do: text.do, About: about}
		}
		e.Add(f)
	}
	return nil
}

// halfRotated is how long both secrets of a rotation may live before somebody
// forgot to revoke the old one.
const halfRotated = 30 * 24 * time.Hour

// credentials looks at the secrets of the channels.
func (e *examiner) credentials(context.Context) error {
	now := e.v.cfg.Now()
	var none, half, old, suspended []string
	for _, c := range e.force.register.Channels {
		record := e.force.gov.Channels[c.ID]
		if record == nil {
			none = append(none, string(c.ID))
			continue
		}
		var live []secretInfo
		for _, s := range record.Secrets {
			if s.Revoked.IsZero() {
				live = append(live, s)
			}
		}
		switch {
		case record.Suspended:
			suspended = append(suspended, string(c.ID))
		case len(live) == 0:
			none = append(none, string(c.ID))
		case len(live) > 1 && now.Sub(live[len(live)-1].Created) > halfRotated:
			half = append(half, string(c.ID))
		case now.Sub(live[0].Created) > oldKey:
			old = append(old, string(c.ID))
		}
	}
	before := len(e.Findings)
	for _, f := range []Finding{
		{What: "channels that are suspended: %s", Means: "They get no answers.", Do: "Resume them with `sayso channel resume`, or take them from the register.", About: suspended},
		{What: "channels without a live secret: %s", Means: "They cannot get a token.", Do: "Make one with `sayso channel secret`, or take them from the register.", About: none},
		{What: "channels with two live secrets for more than a month: %s", Means: "A rotation was begun and not finished: the old secret still opens.", Do: "Revoke it with `sayso channel secret CHANNEL --revoke ID`.", About: half},
		{What: "channels whose secret is older than a year: %s", Means: "Whoever saw it in that time can still use it.", Do: "Rotate it: make one with `sayso channel secret`, put it in use, revoke the old one.", About: old},
	} {
		if len(f.About) > 0 {
			f.Check, f.Level, f.What = "credentials", Warning, fmt.Sprintf(f.What, names(f.About))
			e.Add(f)
		}
	}
	if len(e.Findings) == before {
		e.Add(Finding{Check: "credentials", Level: Fine, What: "every channel has a secret of less than a year"})
	}
	return nil
}

// names lists a few of many.
func names(all []string) string {
	const few = 8
	if len(all) > few {
		return fmt.Sprintf("%s and %d more", strings.Join(all[:few], ", "), len(all)-few)
	}
	return strings.Join(all, ", ")
}
