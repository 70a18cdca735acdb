package vault_test

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/vaulttest"
)

// personal is everything that the story of this file tells of a person, in the
// forms in which the vault comes to hold it.
var personal = []string{
	"Anahita", "Quintero", "Ana.Quintero@Example.org", "ana.quintero@example.org", "+4930901820", "030 901820", "30901820", "Torstrasse 12", "Torstrasse",
	"1987-05-04", "Zacharias", "zacharias.first@example.org", "+4930555123", "Order of the Torstrasse", "called from Torstrasse", "stop.me@example.org",
	`"Anahita"`, `"1987-05-04"`, "Mutter Quintero", "Quintero-gigabit", "Contract of Quintero",
}

// disguises are what somebody could take for hiding.
var disguises = map[string]func([]byte) []byte{
	"in the clear":   func(b []byte) []byte { return b },
	"in lower case":  bytes.ToLower,
	"in upper case":  bytes.ToUpper,
	"in hex":         func(b []byte) []byte { return hex.AppendEncode(nil, b) },
	"in base64":      func(b []byte) []byte { return trim64(base64.StdEncoding.AppendEncode(nil, b)) },
	"in base64 url":  func(b []byte) []byte { return trim64(base64.URLEncoding.AppendEncode(nil, b)) },
	"in base32":      func(b []byte) []byte { return base32.StdEncoding.WithPadding(base32.NoPadding).AppendEncode(nil, b) },
	"backwards":      reversed,
	"in UTF-16":      utf16,
	"under MD5":      func(b []byte) []byte { s := md5.Sum(b); return s[:8] },
	"under SHA-1":    func(b []byte) []byte { s := sha1.Sum(b); return s[:8] },
	"under SHA-256":  func(b []byte) []byte { s := sha256.Sum256(b); return s[:8] },
	"under SHA-512":  func(b []byte) []byte { s := sha512.Sum512(b); return s[:8] },
	"SHA-256 in hex": func(b []byte) []byte { s := sha256.Sum256(b); return hex.AppendEncode(nil, s[:8]) },
	"SHA-1 in hex":   func(b []byte) []byte { s := sha1.Sum(b); return hex.AppendEncode(nil, s[:8]) },
	"SHA-256 in base64": func(b []byte) []byte {
		s := sha256.Sum256(b)
		return base64.StdEncoding.AppendEncode(nil, s[:9])
	},
}

// trim64 leaves of base64 what does not depend on what follows.
func trim64(b []byte) []byte { return bytes.TrimRight(b, "=")[:len(b)/4*4-4] }

func reversed(b []byte) []byte {
	r := make([]byte, len(b))
	for i := range b {
		r[len(b)-1-i] = b[i]
	}
	return r
}

func utf16(b []byte) (wide []byte) {
	for _, c := range b {
		wide = append(wide, c, 0)
	}
	return wide[:len(wide)-1]
}

// needles are all that must not be found anywhere.
func needles() map[string][]byte {
	all := map[string][]byte{}
	for _, word := range personal {
		for how, disguise := range disguises {
			if n := disguise([]byte(word)); len(n) >= 6 {
				all[fmt.Sprintf("%q %s", word, how)] = n
			}
		}
	}
	return all
}

// buffer is a writer that many write to.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// A person's whole life in the vault, with everything that can go wrong on the
// way, leaves nothing of what they told in any file, any log line, any error
// text and anything strangers are shown.
func TestNothingPersonalIsLeftInTheClear(t *testing.T) {
	var logged, errs buffer
	var served [][]byte
	w := &watched{}
	text := strings.Replace(vaulttest.Register, "purposes:\n", "context:\n  - {name: note, type: string}\npurposes:\n", 1)
	v := vaulttest.New(t, &vaulttest.Options{Register: text, Store: w.wrap, Logger: slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	told := func(err error) {
		fmt.Fprintf(&errs, "%v\n%+v\n%#v\n", err, err, err)
		var refused *vault.Error
		if errors.As(err, &refused) {
			fmt.Fprintf(&errs, "%+v\n", *refused)
		}
	}

	ana := v.As("web").Capture(anahita)
	for _, wrong := range []map[string]any{
		{"email": "zacharias.first@example.org and more", "given_name": 7},
		{"birthdate": "1987-05-04T00:00", "phone_number": "+4930555123999999999"},
		{"address": map[string]any{"street": "Torstrasse 12"}, "nickname": "Zacharias"},
	} {
		_, err := v.Capture(t.Context(), v.As("web").Caller, vaulttest.CaptureRequest(t, wrong))
		told(err)
	}
	moved := map[string]any{"email": "ana.quintero@example.org", "family_name": "Zacharias", "phone_number": "+4930555123"}
	v.As("web").Capture(moved) // what was goes to history
	act := vault.ConsentRequest{Subject: vaulttest.By("phone_number", "+4930555123"), Purpose: "sms-marketing", Status: privacy.StatusGiven, Method: "phone_call",
		Evidence: map[string]any{"said": "called from Torstrasse"}, By: &privacy.Actor{Role: privacy.ByGuardian, Ref: "Mutter Quintero"}}
	res, err := v.RecordConsent(t.Context(), v.As("store").Caller, act)
	if err != nil {
		t.Fatal(err)
	}
	served = append(served, []byte(res.Receipt))
	for _, part := range strings.Split(res.Receipt, ".") {
		plain, _ := base64.RawURLEncoding.DecodeString(part)
		served = append(served, plain)
	}
	v.As("sms").For("sms-marketing").Consent(vaulttest.By("email", "stop.me@example.org"), privacy.StatusWithdrawn)
	if err := v.RecordGround(t.Context(), v.As("web").Caller, vault.GroundRequest{Subject: ana, Purpose: "order-fulfilment", Status: vault.GroundBegun, Ref: "Order of the Torstrasse"}); err != nil {
		t.Fatal(err)
	}
	for _, who := range []vaulttest.Person{ana, vaulttest.By("phone_number", "030 555123"), vaulttest.By("email", "zacharias.first@example.org")} {
		touch := vault.TouchRequest{Kind: vault.TouchOrder, Topic: "Quintero-gigabit", Ref: "Contract of Quintero"}
		v.As("web").Touch(who, touch)
		for _, topic := range []string{"Quintero-gigabit", "Anahita Quintero"} {
			touch.Topic, touch.Kind = topic, vault.TouchOffer
			told(v.As("store").For("sms-marketing").Do(who, touch).Err)
			told(v.As("store").For("order-fulfilment").May(who, touch).Err)
		}
		_, err := v.As("store").For("order-fulfilment").Ask(who, "address", "Anahita")
		told(err)
	}
	for _, who := range []vaulttest.Person{ana, vaulttest.By("email", "Ana.Quintero@Example.org"), vaulttest.By("phone_number", "030 555123"), vaulttest.By("email", "zacharias.first@example.org"),
		vaulttest.By("given_name", "Anahita"), vaulttest.By("email", "Anahita Quintero"), vaulttest.By("Torstrasse", "Torstrasse")} {
		for _, ch := range []privacy.ChannelID{"web", "sms", "store"} {
			for _, purpose := range []privacy.PurposeID{"order-fulfilment", "sms-marketing"} {
				told(v.As(ch).For(purpose).With(map[string]any{"note": "called from Torstrasse"}).Read(who).Err)
				told(v.As(ch).For(purpose).With(map[string]any{"Torstrasse": "Anahita"}).Read(who, "email", "Anahita").Err)
			}
		}
		_, err := v.Lookup(t.Context(), v.Officer, who, "she called from Torstrasse")
		told(err)
	}
	v.Activate("package sayso.rules\nimport rego.v1\nwithhold contains {\"field\": \"email\", \"reason\": \"late\"} if time.parse_rfc3339_ns(input.context.note) > 3")
	told(v.As("web").For("order-fulfilment").With(map[string]any{"note": "called from Torstrasse"}).Read(ana).Err)
	_, err = v.DraftPolicy(t.Context(), v.Officer, map[string]string{"a.rego": "package sayso.rules\nrelease contains \"x\""}, "")
	told(err)
	if _, err := v.ActivatePolicy(t.Context(), v.Officer, vault.Guardrails); err != nil {
		t.Fatal(err)
	}

	// Things break: damaged values, a full disk.
	row := getRow(t, v, "profiles", ana.ID[:])
	putRow(t, v, "profiles", ana.ID[:], row[:len(row)-1])
	told(v.As("web").For("order-fulfilment").Read(ana).Err)
	_, err = v.Capture(t.Context(), v.As("web").Caller, vaulttest.CaptureRequest(t, moved))
	told(err)
	putRow(t, v, "profiles", ana.ID[:], row)
	w.set(func(w *watched) {
		w.onTx, w.onEntry = func() error { return errPulled }, func([]byte) error { return errPulled }
	})
	told(v.As("web").For("order-fulfilment").Read(ana).Err)
	_, err = v.Capture(t.Context(), v.As("web").Caller, vaulttest.CaptureRequest(t, anahita))
	told(err)
	w.set(func(w *watched) { w.onTx, w.onEntry = nil, nil })

	// She can be read all the same: there was something to hide.
	v.As("web").For("order-fulfilment").Read(ana, "given_name", "family_name").Released(map[string]any{"given_name": "Anahita", "family_name": "Zacharias"})

	if _, err := v.VerifyLog(t.Context(), nil); err != nil {
		t.Errorf("verifying: %v", err)
	}
	checkpoint, err := v.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := v.EntryBundle(t.Context(), 0, int(v.Store.Size()))
	for deadline := time.Now().Add(5 * time.Second); err != nil && time.Now().Before(deadline); bundle, err = v.EntryBundle(t.Context(), 0, int(v.Store.Size())) {
		time.Sleep(10 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	served = append(served, checkpoint, bundle)

	v.Stop()
	restartErr := v.Reopen()
	told(restartErr)
	v.Stop()

	hide := needles()
	search := func(where string, b []byte) {
		for what, needle := range hide {
			if bytes.Contains(b, needle) {
				t.Errorf("%s holds %s", where, what)
			}
		}
	}
	files := 0
	err = filepath.WalkDir(v.Dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		search(filepath.Base(path), b)
		files++
		return err
	})
	if err != nil || files < 4 {
		t.Errorf("searched %d files: %v", files, err)
	}
	if logged.b.Len() == 0 || errs.b.Len() == 0 {
		t.Error("nothing was logged or refused: the search tells nothing")
	}
	search("the log of operations", logged.b.Bytes())
	search("an error text", errs.b.Bytes())
	for _, b := range served {
		search("what is served", b)
	}
	// A stranger's leaf names neither person nor purpose nor channel.
	for _, word := range [][]byte{ana.ID[:], []byte(ana.ID.String()), []byte("order-fulfilment"), []byte("sms"), []byte("access"), []byte("web")} {
		if bytes.Contains(bundle, word) {
			t.Errorf("the leaves that strangers see hold %q", word)
		}
	}
}

// The search finds what it is to find: each disguise, in a file.
func TestTheSearchForThePersonalFinds(t *testing.T) {
	for what, needle := range needles() {
		if !bytes.Contains(append([]byte("before "), append(needle, " after"...)...), needle) {
			t.Errorf("%s is not found", what)
		}
	}
	whole := base64.StdEncoding.EncodeToString([]byte("Ana.Quintero@Example.org"))
	if !strings.Contains(whole, string(disguises["in base64"]([]byte("Ana.Quintero@Example.org")))) {
		t.Error("a value in base64 is not found")
	}
}
