package vault

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"

	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// written is a record that writes itself as encoding/json would write its shape,
// without reflection: what every capture and every act of say-so makes.
type written interface {
	append(b []byte) ([]byte, error)
}

func (r captureRecord) append(b []byte) ([]byte, error) {
	b = append(b, `{"v":`...)
	b = strconv.AppendInt(b, int64(r.Format), 10)
	b = appendTime(append(b, `,"at":`...), r.At)
	b = append(b, `,"channel":`...)
	b = appendText(b, r.Channel)
	if r.Register != 0 {
		b = strconv.AppendUint(append(b, `,"register":`...), r.Register, 10)
	}
	b = members(b, `,"accepted":`, r.Accepted)
	b = members(b, `,"unchanged":`, r.Unchanged)
	b = members(b, `,"superseded":`, r.Superseded)
	b = members(b, `,"verified":`, r.Verified)
	b = members(b, `,"grounds":`, r.Grounds)
	for i, t := range r.Terms {
		open := `,"terms":[`
		if i > 0 {
			open = `,`
		}
		b = t.append(append(b, open...))
	}
	if len(r.Terms) > 0 {
		b = append(b, ']')
	}
	if r.By != nil {
		b = appendActor(append(b, `,"by":`...), *r.By)
	}
	b = member(b, `,"moved":`, r.Moved)
	b = members(b, `,"over":`, r.Over)
	return append(r.Standing.append(append(b, `,"standing":`...)), '}'), nil
}

func (t termRecord) append(b []byte) []byte {
	b = appendText(append(b, `{"purpose":`...), t.Purpose)
	b = member(b, `,"ref":`, t.Ref)
	b = appendTime(append(b, `,"since":`...), t.Since)
	if !t.Until.IsZero() {
		b = appendTime(append(b, `,"until":`...), t.Until)
	}
	return append(b, '}')
}

func (r consentRecord) append(b []byte) ([]byte, error) {
	b, err := r.open(b)
	return append(b, '}'), err
}

func (r consentEntry) append(b []byte) ([]byte, error) {
	b, err := r.open(b)
	return append(r.Standing.append(append(b, `,"standing":`...)), '}'), err
}

// open appends the record without the brace that closes it.
func (r consentRecord) open(b []byte) ([]byte, error) {
	b = append(b, `{"v":`...)
	b = strconv.AppendInt(b, int64(r.Format), 10)
	b = append(r.ID.Append(append(b, `,"consent":"`...)), '"')
	b = append(r.Subject.Append(append(b, `,"subject":"`...)), '"')
	b = member(b, `,"pseudonym":`, r.Pseudonym)
	b = appendText(append(b, `,"purpose":`...), r.Purpose)
	b = appendText(append(b, `,"status":`...), r.Status)
	b = strconv.AppendBool(append(b, `,"effective":`...), r.Effective)
	b = appendTime(append(b, `,"at":`...), r.At)
	b = appendTime(append(b, `,"recorded_at":`...), r.Recorded)
	b = strconv.AppendUint(append(b, `,"register":`...), r.Register, 10)
	b = member(b, `,"notice_version":`, r.Notice)
	b = appendBytes(append(b, `,"notice_hash":`...), r.NoticeHash)
	switch {
	case r.Fields == nil:
		b = append(b, `,"fields":null`...)
	case len(r.Fields) == 0:
		b = append(b, `,"fields":[]`...)
	default:
		b = members(b, `,"fields":`, r.Fields)
	}
	b = members(b, `,"recipients":`, r.Recipients)
	if !r.Until.IsZero() {
		b = appendTime(append(b, `,"until":`...), r.Until)
	}
	b = appendText(append(b, `,"method":`...), r.Method)
	b = appendText(append(b, `,"channel":`...), r.Channel)
	b = member(b, `,"jurisdiction":`, r.Jurisdiction)
	b = member(b, `,"language":`, r.Language)
	b = appendActor(append(b, `,"by":`...), r.By)
	if len(r.Evidence) > 0 {
		evidence, err := json.Marshal(r.Evidence)
		if err != nil {
			return nil, err
		}
		b = append(append(b, `,"evidence":`...), evidence...)
	}
	return appendText(append(b, `,"controller":`...), r.Controller), nil
}

func (d rowDigest) append(b []byte) []byte {
	b = strconv.AppendUint(append(b, `{"version":`...), d.Version, 10)
	return append(appendBytes(append(b, `,"hash":`...), d.Hash), '}')
}

func appendActor(b []byte, by privacy.Actor) []byte {
	return append(member(appendText(append(b, `{"role":`...), by.Role), `,"ref":`, by.Ref), '}')
}

func appendTime(b []byte, t time.Time) []byte {
	return append(t.AppendFormat(append(b, '"'), time.RFC3339Nano), '"')
}

func appendBytes(b, bytes []byte) []byte {
	if bytes == nil {
		return append(b, `null`...)
	}
	return append(base64.StdEncoding.AppendEncode(append(b, '"'), bytes), '"')
}

// noticeHash is the hash of a purpose of a register revision as it is shown,
// which never changes.
func (v *Vault) noticeHash(p *register.Purpose) []byte {
	if known, ok := v.notices.Load(p); ok {
		return known.([]byte)
	}
	hash := register.NoticeHash(p)
	v.notices.Store(p, hash[:])
	return hash[:]
}
