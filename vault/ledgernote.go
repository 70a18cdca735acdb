package vault

import (
	"context"
	"encoding/hex"
	"encoding/json"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// A no that somebody said after the last backup, who came after it too, would be
// lost with them: a STOP from an unknown number, and whoever captures the number
// next knows nothing of it. So beside a no the ledger keeps by which identifiers
// the person is found, sealed under their own values key: a restore that finds the
// key, and nobody, makes somebody of whom nothing is known but these noes. An
// erasure, whole or in part, destroys that key, and with it what lies here.

// foundBy is one identifier of a person.
type foundBy struct {
	Field privacy.FieldName `json:"f"`
	Value json.RawMessage   `json:"v"`
}

func bindNoted(v *Vault, id privacy.SubjectID, act privacy.ID) keys.Binding {
	return v.bind(id, "ledger/"+hex.EncodeToString(act[:]), 0)
}

// noteIdentifiers returns the identifiers of a person, sealed for an entry of the
// ledger. Those given are of the request at hand; with none of them the person's
// own are. keys are the person's, or nil if they are to be loaded. A no is never
// refused because of what is noted beside it: then nothing is.
func (v *Vault) noteIdentifiers(ctx context.Context, act privacy.ID, id privacy.SubjectID, own *person, given []captured) []byte {
	sealed, err := v.sealIdentifiers(ctx, act, id, own, given)
	if err != nil && ctx.Err() == nil {
		v.cfg.Logger.Warn("the ledger notes a no without what finds the person", "subject", id, "err", err)
	}
	return sealed
}

func (v *Vault) sealIdentifiers(ctx context.Context, act privacy.ID, id privacy.SubjectID, own *person, given []captured) (sealed []byte, err error) {
	var all []foundBy
	for _, g := range given {
		if g.value.Lookup != "" {
			all = append(all, foundBy{g.field.Name, g.value.JSON.Reveal()})
		}
	}
	values := &valuesOf{v: v, p: own}
	if own == nil {
		err = v.cfg.Store.View(ctx, func(s store.Snapshot) error {
			p, err := v.load(ctx, s, id)
			if p == nil || err != nil {
				return err
			}
			if values, err = v.valuesOf(s, p); err != nil || len(given) > 0 {
				return err
			}
			for i := range p.standing.Values {
				fact := &p.standing.Values[i]
				if fact.Index == [16]byte{} {
					continue
				}
				value, err := values.open(fact)
				if err != nil {
					return err
				}
				all = append(all, foundBy{fact.Field, value.Reveal()})
			}
			return nil
		})
	}
	if err != nil || values.p == nil || len(all) == 0 {
		return nil, err
	}
	plain, err := json.Marshal(all)
	if err != nil {
		return nil, err
	}
	if err := values.unwrap(); err != nil {
		return nil, err
	}
	return keys.Seal(values.dek, bindNoted(v, id, act), plain)
}

// notedOf returns what the ledger noted last of those who said no and of whom it
// knows no erasure, by their hashes.
func (l *ledger) notedOf() map[[16]byte]ledgerEntry {
	last := map[[16]byte]ledgerEntry{}
	for _, e := range l.pending {
		if len(e.Sealed) > 0 && e.Kind != ledgerErasure && e.Kind != ledgerAsked {
			last[e.Subject] = e
		}
	}
	for _, e := range l.pending {
		if e.Kind == ledgerErasure {
			delete(last, e.Subject)
		}
	}
	return last
}

// unsealNoted opens what was noted of a person.
func (v *Vault) unsealNoted(p *person, e ledgerEntry) (all []foundBy, err error) {
	values := &valuesOf{v: v, p: p}
	if err := values.unwrap(); err != nil {
		return nil, err
	}
	plain, err := keys.Unseal(values.dek, bindNoted(v, p.id, e.ID), e.Sealed)
	if err != nil {
		return nil, err
	}
	return all, json.Unmarshal(plain, &all)
}
