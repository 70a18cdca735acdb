package keys

import "time"

// Description is what a keyring file tells without being opened.
type Description struct {
	Root string // "passphrase" or "key file"
	Work Argon2 // zero for a key file
}

// Describe reads the start of a keyring file, which is not sealed, or returns
// ErrFormat. That the rest is whole only opening it tells.
func Describe(file []byte) (Description, error) {
	h, err := parseHeader(file)
	if err != nil {
		return Description{}, err
	}
	if (len(file)-headerLen-nonceLen-tagLen-16)%keyRecord != 0 || len(file) < headerLen+nonceLen+minBody+tagLen {
		return Description{}, ErrFormat
	}
	return Description{Root: h.root.String(), Work: h.p}, nil
}

// Weak reports whether the work is less than what [Passphrase] seals with: a
// stolen keyring file is then guessed open sooner.
func (p Argon2) Weak() bool {
	usual := Passphrase(nil).params()
	return p != (Argon2{}) && uint64(p.Time)*uint64(p.Memory) < uint64(usual.Time)*uint64(usual.Memory)
}

// KeyAge says how long a key is in use, and nothing of the key.
type KeyAge struct {
	Use   string // KEK, blind index, log, token, evidence, ledger, client secrets, places
	Epoch uint32
	Since time.Time
	Until time.Time // of a retired signing key; else zero
}

var uses = map[role]string{
	roleKEK: "KEK", roleIndex: "blind index", roleLog: "log", roleToken: "token",
	roleEvidence: "evidence", roleLedger: "ledger", roleClient: "client secrets", rolePlaces: "places",
}

// Ages returns the age of every key, by use and epoch.
func (k *Keyring) Ages() []KeyAge {
	all := make([]KeyAge, 0, len(k.keys))
	for _, e := range k.keys {
		a := KeyAge{Use: uses[e.role], Epoch: e.epoch, Since: time.Unix(e.since, 0).UTC()}
		if e.until != 0 {
			a.Until = time.Unix(e.until, 0).UTC()
		}
		all = append(all, a)
	}
	return all
}
