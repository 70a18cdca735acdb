package vault

import (
	"context"
	"fmt"
	"slices"

	"github.com/sayso-vault/sayso/vault/internal/consent"
	"github.com/sayso-vault/sayso/vault/internal/profile"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// who returns the person that the captured identifiers join, or nil for
// somebody new. A capture joins only through an identifier that this channel
// captured for that person before, or that both sides have verified – or that
// somebody said no with of whom nothing else is known. What it verifies goes
// before what it only says ([evidence.itself]). Two people whom this channel
// itself captured are a conflict; nothing else is told.
func (c *capture) who(ctx context.Context, r store.Reader) (*person, error) {
	var known []*evidence
	var narrowed []*person
	found := map[privacy.SubjectID]bool{} // by one of the identifiers
	of := func(p *person) *evidence {
		for _, e := range known {
			if e.p.id == p.id {
				return e
			}
		}
		known = append(known, &evidence{p: p})
		return known[len(known)-1]
	}
	for _, k := range c.values {
		if k.field.Identifier != register.Unique || k.value.Lookup == "" {
			continue
		}
		claimants, err := c.v.claimants(ctx, r, k.field, k.value.Lookup)
		if err != nil {
			return nil, err
		}
		for _, p := range claimants {
			fact := p.standing.Value(k.field.Name)
			found[p.id] = found[p.id] || fact.Holds
			both := fact.Verified && k.verified
			switch {
			case contains(fact.Channels, c.channel.ID):
				e := of(p)
				e.own, e.both = true, e.both || both
				e.said = e.said || !k.verified
				e.first = e.first || k.verified && cameFirst(p.standing, c.regime.register, fact)
			case both:
				of(p).both = true
			case fact.Holds && p.standing.KnownByNarrowingOnly():
				narrowed = append(narrowed, p)
			}
		}
	}
	if c.shows() {
		known = slices.DeleteFunc(known, func(e *evidence) bool { return !e.itself(c) })
	}
	var own, verified []*person
	for _, e := range known {
		if e.own {
			own = append(own, e.p)
		} else {
			verified = append(verified, e.p)
		}
	}
	switch {
	case len(own) == 1:
		return own[0], nil
	case len(own) > 1:
		return preferHolder(own, found)
	case len(verified) > 0:
		return verified[0], nil
	case len(narrowed) > 0:
		return narrowed[0], nil
	}
	return nil, nil
}

// preferHolder settles between people whom this channel captured under the same
// identifiers: one that an identifier finds wins if it is the only such; two
// that are both found are a conflict for somebody to look at.
func preferHolder(own []*person, found map[privacy.SubjectID]bool) (*person, error) {
	var only *person
	for _, p := range own {
		switch {
		case !found[p.id]:
		case only != nil:
			return nil, &Error{Code: CodeIdentityConflict, Detail: "the identifiers belong to two people whom this channel captured; name the subject"}
		default:
			only = p
		}
	}
	if only == nil {
		return own[0], nil
	}
	return only, nil
}

// claim makes an identifier p's: it settles whom it finds from now on, and
// inherits what was said no to with it by somebody of whom nothing else is
// known. Of whoever else has it, and is another person for all we know, p inherits
// what they withdrew, refused or opted out of: what is sent goes to the same
// address, and a yes that another system has from before is the older word. With a
// shared identifier that is so of purposes that use it. An objection is theirs
// alone, because it is about their situation (Art. 21).
func (c *capture) claim(ctx context.Context, tx store.Tx, p *person, k captured, fact *consent.Value, newly bool) error {
	e, err := c.v.epochs(tx)
	if err != nil {
		return err
	}
	if fact.Index, err = c.v.blind(e.asked, k.field.Name, k.value.Lookup); err != nil {
		return err
	}
	fact.Holds = true
	if !contains(fact.Channels, c.channel.ID) {
		fact.Channels = append(fact.Channels, c.channel.ID)
	}
	if err := c.heed(tx, p, k, newly); err != nil {
		return err
	}
	others, err := c.v.claimants(ctx, tx, k.field, k.value.Lookup)
	if err != nil {
		return err
	}
	for _, o := range others {
		if o.id == p.id {
			continue
		}
		theirs := o.standing.Value(k.field.Name)
		only := o.standing.KnownByNarrowingOnly()
		switch {
		case newly && only:
			inherit(p.standing, o.standing, nil)
		case newly:
			inherit(p.standing, o.standing, func(id privacy.PurposeID) bool { return c.saidWith(k.field, id) })
		}
		switch {
		case !theirs.Holds:
		case only, k.field.Identifier == register.Unique && fact.Verified && !theirs.Verified:
			if !only { // what was said no to with it goes with it
				inherit(p.standing, o.standing, nil)
			}
			theirs.Holds = false
			if err := c.v.saveMoved(tx, o, k.field.Name, c.channel.ID); err != nil {
				return err
			}
		case k.field.Identifier == register.Unique:
			fact.Holds = false
		}
		if k.field.Identifier == register.Unique && !only {
			for _, key := range [][]byte{matchKey(p.id, o.id), matchKey(o.id, p.id)} { // each is found by either
				if err := tx.Put(bucketMatches, key, []byte(k.field.Name)); err != nil {
					return err
				}
			}
		}
	}
	return c.v.putIndex(tx, k.field.Name, k.value.Lookup, p.id, fact.Index)
}

// letGo removes an identifier that is no longer p's, and lets it find whoever
// else has it: one who verified it first, else the one who had it first.
func (c *capture) letGo(ctx context.Context, tx store.Tx, p *person, f *register.Field, fact consent.Value, value privacy.Sensitive) error {
	if _, err := c.v.dropIndex(tx, f.Name, value, p.id); err != nil {
		return err
	}
	return c.v.bequeath(ctx, tx, p, f, fact, value, c.channel.ID)
}

// bequeath lets an identifier that is no longer p's find whoever else has it. ch
// did it, or an erasure.
func (v *Vault) bequeath(ctx context.Context, tx store.Tx, p *person, f *register.Field, fact consent.Value, value privacy.Sensitive, ch privacy.ChannelID) error {
	if !fact.Holds || f.Identifier != register.Unique {
		return nil
	}
	lookup, wrong := profile.LookupForm(f, value.Reveal(), "")
	if wrong != nil {
		return fmt.Errorf("letting an identifier go: %w", wrong)
	}
	others, err := v.claimants(ctx, tx, f, lookup)
	if err != nil {
		return err
	}
	var heir *person
	for _, o := range others {
		if o.id == p.id {
			continue
		}
		if heir == nil || before(o.standing.Value(f.Name), heir.standing.Value(f.Name)) {
			heir = o
		}
	}
	if heir == nil {
		return nil
	}
	heir.standing.Value(f.Name).Holds = true
	return v.saveMoved(tx, heir, f.Name, ch)
}

// before reports whether who has an identifier as a comes before who has it as
// b. IDs do not tell: within a millisecond they have no order.
func before(a, b *consent.Value) bool {
	if a.Verified != b.Verified {
		return a.Verified
	}
	return a.Recorded.Before(b.Recorded)
}

// saidWith reports whether a no for a purpose is about an identifier, whoever has
// it: the purpose rests on what people say, and not on something that is true of
// them, and a shared identifier is among what it uses. Of a purpose that is gone
// from the register nothing may be released anyway.
func (c *capture) saidWith(f *register.Field, id privacy.PurposeID) bool {
	p, ok := c.regime.register.Purpose(id)
	if !ok || p.Basis != privacy.Consent && p.Basis != privacy.OptOut {
		return false
	}
	return f.Identifier == register.Unique || contains(p.Fields, f.Name)
}

// inherit takes over the noes of somebody with the same identifier, those of
// which says (nil: all), unless p said yes later.
func inherit(p, from *consent.Standing, which func(privacy.PurposeID) bool) {
	for _, no := range from.Consents {
		if !no.Status.Narrows() {
			continue // a yes is theirs alone
		}
		if which != nil && !which(no.Purpose) {
			continue
		}
		if have := p.Consent(no.Purpose); have != nil && have.Status == privacy.StatusGiven && have.At.After(no.Narrowed) {
			continue
		}
		p.Record(consent.Act{ID: no.ID, Purpose: no.Purpose, Status: no.Status, At: no.Narrowed, Recorded: no.Recorded, Revision: no.Revision})
	}
}

func matchKey(a, b privacy.SubjectID) []byte { return append(append([]byte(nil), a[:]...), b[:]...) }
