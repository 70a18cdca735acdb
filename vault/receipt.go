package vault

import (
	"context"
	"crypto"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store"
)

// receiptType is the JWS type of a consent receipt.
const receiptType = "consent-receipt+jwt"

// receiptClaims is what a consent receipt says: the consent record with the
// fields of ISO/IEC TS 27560, and which vault says so.
type receiptClaims struct {
	Issuer       string                `json:"iss"`
	IssuedAt     int64                 `json:"iat"`
	ID           privacy.ConsentID     `json:"jti"`
	Subject      string                `json:"sub"`
	Controller   string                `json:"controller"`
	Purpose      privacy.PurposeID     `json:"purpose"`
	Status       privacy.ConsentStatus `json:"status"`
	At           time.Time             `json:"at"`
	Until        time.Time             `json:"until,omitzero"`
	Fields       []privacy.FieldName   `json:"fields"`
	Recipients   []string              `json:"recipients,omitempty"`
	Register     uint64                `json:"register"`
	Notice       string                `json:"notice_version,omitempty"`
	NoticeHash   string                `json:"notice_hash"`
	Method       string                `json:"method"`
	Channel      privacy.ChannelID     `json:"channel"`
	Jurisdiction string                `json:"jurisdiction,omitempty"`
	Language     string                `json:"language,omitempty"`
	By           privacy.Role          `json:"by"`
}

// receipt signs what a record says. The same record gives the same receipt
// again, as long as the evidence key is the same.
func (v *Vault) receipt(r consentRecord) (string, error) {
	return signJWS(v.keyring().EvidenceSigner(), v.keyring().EvidenceKeyID(), receiptType, receiptClaims{
		Issuer: v.id.String(), IssuedAt: r.Recorded.Unix(), ID: r.ID, Subject: r.subject(), Controller: r.Controller, Purpose: r.Purpose,
		Status: r.Status, At: r.At, Until: r.Until, Fields: r.Fields, Recipients: r.Recipients, Register: r.Register, Notice: r.Notice,
		NoticeHash: hex.EncodeToString(r.NoticeHash), Method: r.Method, Channel: r.Channel, Jurisdiction: r.Jurisdiction, Language: r.Language, By: r.By.Role})
}

// subject names the person as the act did: by ID, or by a pseudonym.
func (r consentRecord) subject() string {
	if r.Pseudonym != "" {
		return r.Pseudonym
	}
	return r.Subject.String()
}

// pseudonym names whoever has an identifier to one channel: the same for a
// person known or not, and another in every channel.
func (v *Vault) pseudonym(ch *register.Channel, ref *reference) string {
	sum := v.keyring().MAC("receipt", []byte(ch.ID), []byte(ref.field.Name), []byte(ref.value.Lookup))
	return "psn_" + strings.TrimPrefix(privacy.SubjectID(sum[:16]).String(), "sub_")
}

// Receipt returns the receipt of a consent record again, to the channel that
// recorded it, to the person and to officers.
func (v *Vault) Receipt(ctx context.Context, by Caller, id privacy.ConsentID) (string, error) {
	var receipt string
	err := v.cfg.Store.View(ctx, func(s store.Snapshot) error {
		subject, err := s.Get(bucketReceipts, id[:])
		if err != nil {
			return err
		}
		if len(subject) != len(privacy.SubjectID{}) {
			return refuse(CodeNotFound, "no consent record of this ID")
		}
		p, err := v.loadKeys(ctx, privacy.SubjectID(subject))
		if err != nil || p == nil {
			return orNotFound(err, "no consent record of this ID")
		}
		sealed, err := bucketConsents.get(s, p.at.with(id[:]...))
		if err != nil || sealed == nil {
			return orNotFound(err, "no consent record of this ID")
		}
		plain, err := keys.Unseal(p.history, v.bind(p.id, "consent/"+id.String(), 1), sealed)
		if err != nil {
			return fmt.Errorf("opening consent record %s: %w", id, err)
		}
		var record consentRecord
		if err := json.Unmarshal(plain, &record); err != nil {
			return fmt.Errorf("reading consent record %s: %w", id, errIntegrity)
		}
		if !mayHave(by, &record) {
			return refuse(CodeNotFound, "no consent record of this ID")
		}
		receipt, err = v.receipt(record)
		return err
	})
	if err != nil {
		return "", v.refusal(err)
	}
	return receipt, nil
}

// mayHave reports whether a caller may have the receipt of a record.
func mayHave(by Caller, record *consentRecord) bool {
	switch by.Client.Role {
	case RoleOfficer:
		return true
	case RoleSubject:
		return by.session != nil && by.session.Subject != privacy.Nobody && by.session.Subject == record.Subject
	}
	return record.Channel == by.Client.Channel
}

func orNotFound(err error, what string) error {
	if err != nil {
		return err
	}
	return refuse(CodeNotFound, "%s", what)
}

// signJWS makes a compact JWS (RFC 7515) with EdDSA (RFC 8037).
func signJWS(key crypto.Signer, kid, typ string, claims any) (string, error) {
	head, err := json.Marshal(struct {
		Alg string `json:"alg"`
		Kid string `json:"kid"`
		Typ string `json:"typ"`
	}{"EdDSA", kid, typ})
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	enc := base64.RawURLEncoding
	signed := enc.AppendEncode(nil, head)
	signed = append(signed, '.')
	signed = enc.AppendEncode(signed, body)
	sig, err := key.Sign(nil, signed, crypto.Hash(0))
	if err != nil {
		return "", fmt.Errorf("signing: %w", err)
	}
	return string(signed) + "." + enc.EncodeToString(sig), nil
}
