package command

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// What a person keeps is readable by them alone, there whole or not at all, and takes
// the place of nothing that came meanwhile, unless that was said.
func TestWhatIsKeptIsOnesOwn(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "my-data.json")
	k := &keeper{path: path}
	if err := k.free(); err != nil {
		t.Fatal(err)
	}
	if err := k.keep([]byte("mine")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("it is of mode %v, %v, want 0600", info.Mode(), err)
	}
	if err := k.keep([]byte("another")); err == nil { // free was asked before it was there
		t.Error("it took another's place")
	}
	if err := os.Symlink(filepath.Join(dir, "elsewhere"), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := (&keeper{path: filepath.Join(dir, "link")}).keep([]byte("x")); err == nil {
		t.Error("it took a link's place")
	}
	if text, err := os.ReadFile(path); string(text) != "mine" {
		t.Errorf("it holds %q, %v", text, err)
	}
	replaces := &keeper{path: path, replace: true}
	if err := replaces.keep([]byte("another")); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); string(text) != "another" {
		t.Errorf("after --overwrite it holds %q, %v", text, err)
	}
	if err := (&keeper{path: dir}).free(); err == nil {
		t.Error("a folder is free")
	}
	if err := (&keeper{path: filepath.Join(dir, "nowhere", "x")}).free(); err == nil {
		t.Error("a folder that is not there is free")
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 {
		t.Errorf("it left %v, %v", left, err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := readPrivate(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("what others may read is taken for a secret: %v", err)
	}
}

// What a vault, or whatever answers in its place, says gives a terminal no orders.
func TestARefusalOrdersNoTerminal(t *testing.T) {
	said := "register.yaml:3: caf\u00e9\n\tsee \x1b[2Jbelow\u202e\u009b"
	if got, want := harmless(said), "register.yaml:3: caf\u00e9\n\tsee \\x1b[2Jbelow\\u202e\\u009b"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What was captured or written of a person gives their terminal no orders, whoever
// wrote it; looks that are alike are one, day by day.
func TestLooksInWords(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)
	read := wire.OwnAccess{Kind: "read", Channel: "web", Purpose: "orders", Released: []privacy.FieldName{"email"}, Masked: []privacy.FieldName{"birthdate"}}
	var all []wire.OwnAccess
	for n := range 1000 {
		one := read
		one.At = at.Add(-time.Duration(n) * 2 * time.Minute)
		all = append(all, one)
	}
	all[3].Withheld, all[3].Released, all[3].Masked = []privacy.FieldName{"email"}, nil, nil
	all[4] = wire.OwnAccess{Kind: "lookup", At: all[4].At, Officer: "bea\x1b[2J", Reason: "\u202egnp.exe\x07", By: &wire.Actor{Role: "guardian", Ref: "\x1b]0;x\x07"}}
	all[5] = wire.OwnAccess{Kind: "session", At: all[5].At, Act: "viewed"}
	var w bytes.Buffer
	showAccesses(&w, all, false, false)
	text := w.String()
	if strings.ContainsAny(text, "\x1b\x07\u202e") {
		t.Errorf("it orders a terminal: %q", text)
	}
	if lines := strings.Count(text, "\n"); lines > 14 {
		t.Errorf("a thousand looks are %d lines:\n%s", lines, text)
	}
	for _, want := range []string{"2026-03-02\n  web, for orders; saw email; saw a part of birthdate\n      283 times, 00:00 to 09:30; ", "\n\n2026-03-01\n",
		"web asked, for orders, and was told nothing\n      09:24; ", "looked you up; by your guardian, "} {
		if !strings.Contains(text, want) {
			t.Errorf("it lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "You looked") {
		t.Errorf("it tells what she did herself:\n%s", text)
	}
	w.Reset()
	showAccesses(&w, all[:6], true, true)
	if text := w.String(); !strings.Contains(text, "You looked at your data") || strings.Count(text, "saw email") != 3 {
		t.Errorf("each by itself:\n%s", text)
	}
}
