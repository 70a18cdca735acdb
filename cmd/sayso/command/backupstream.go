package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/textproto"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/backup"
)

// A backup travels as one stream, from the process that has the vault to the one
// that keeps the copies: multipart, each part a file named KIND/FILE, the
// manifest of a kind last. Whoever ends before the last boundary sent no backup.

// The files of copies that have other names than in a vault's folder.
const copyLog = "log"

// sizeHeader is how many bytes a part will have at most.
const sizeHeader = "Size"

// streamBackup writes a backup of an open vault.
func (f *folder) streamBackup(ctx context.Context, what vault.Copying, out *multipart.Writer) error {
	facts, err := f.vault.BeginBackup(ctx, what)
	if err != nil {
		return err
	}
	// The data first: whoever comes to be in between has keys and no data, which
	// harms nobody; data without keys would be lost.
	if what.Data {
		if err := f.streamData(ctx, what, facts, out); err != nil {
			return err
		}
	}
	if what.Keys {
		if err := f.streamKeys(ctx, what, facts, out); err != nil {
			return err
		}
	}
	return out.Close()
}

func (f *folder) streamData(ctx context.Context, what vault.Copying, facts *vault.BackupFacts, out *multipart.Writer) error {
	held, err := f.stores.data.Copy(ctx)
	if err != nil {
		return err
	}
	defer held.Close()
	s := &copyStream{out: out, m: &backup.Manifest{Kind: backup.Data, ID: what.ID, Vault: facts.Vault, At: facts.At}}
	s.m.Log = backup.LogHead{Origin: facts.Origin, Checkpoint: facts.Checkpoint}
	if err := s.file(fileVault, held.Size(), func(w io.Writer) error { return held.WriteFile(ctx, w) }); err != nil {
		return err
	}
	err = s.file(copyLog, held.LogSize(), func(w io.Writer) (err error) {
		s.m.Log.Records, err = held.WriteLog(ctx, w)
		return err
	})
	if err != nil {
		return err
	}
	return s.manifest(f.vault.BackupMAC)
}

// streamKeys copies keys.db and the keyring that opens it. While the copy of
// keys.db is held no key that it needs is dropped, and the keyring's file has all
// of them before anything is wrapped under one.
func (f *folder) streamKeys(ctx context.Context, what vault.Copying, facts *vault.BackupFacts, out *multipart.Writer) error {
	held, err := f.stores.deks.Copy(ctx)
	if err != nil {
		return err
	}
	defer held.Close()
	s := &copyStream{out: out, m: &backup.Manifest{Kind: backup.Keys, ID: what.ID, Vault: facts.Vault, At: facts.At, Until: facts.KeysUntil}}
	s.m.KEKs = f.vault.KEKEpochs()
	keyring, err := os.ReadFile(filepath.Join(f.dir, fileKeyring))
	if err != nil {
		return err
	}
	if _, err := keys.Describe(keyring); err != nil {
		return fmt.Errorf("reading the keyring: %w", err)
	}
	if err := s.file(fileKeys, held.Size(), func(w io.Writer) error { return held.WriteFile(ctx, w) }); err != nil {
		return err
	}
	err = s.file(fileKeyring, int64(len(keyring)), func(w io.Writer) error {
		_, err := w.Write(keyring)
		return err
	})
	if err != nil {
		return err
	}
	return s.manifest(f.vault.BackupMAC)
}

// copyStream sends one copy and hashes what it sends.
type copyStream struct {
	out *multipart.Writer
	m   *backup.Manifest
}

func (s *copyStream) part(name string, size int64) (io.Writer, error) {
	return s.out.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="` + string(s.m.Kind) + "/" + name + `"`},
		sizeHeader: {strconv.FormatInt(size, 10)}})
}

func (s *copyStream) file(name string, size int64, write func(io.Writer) error) error {
	w, err := s.part(name, size)
	if err != nil {
		return err
	}
	h := backup.NewHasher(name)
	if err := write(io.MultiWriter(w, h)); err != nil {
		return err
	}
	s.m.Files = append(s.m.Files, h.File())
	return nil
}

func (s *copyStream) manifest(mac backup.MAC) error {
	if err := s.m.Seal(mac); err != nil {
		return err
	}
	b, err := s.m.Marshal()
	if err != nil {
		return err
	}
	w, err := s.part(backup.ManifestFile, int64(len(b)))
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

// errorPart is the name of the part that says why a stream ends early.
const errorPart = "error"

// endEarly tells the receiver why.
func endEarly(out *multipart.Writer, cause error) {
	if w, err := out.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="` + errorPart + `"`}}); err == nil {
		_, _ = io.WriteString(w, cause.Error())
		_ = out.Close()
	}
}

// copyParts are the parts of one kind in a stream.
type copyParts struct {
	in     *multipart.Reader
	kind   backup.Kind
	expect func(name string, size int64) // told of each file before it comes
}

// NextPart implements backup.Parts.
func (p *copyParts) NextPart() (string, io.Reader, error) {
	part, err := p.in.NextPart()
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "", nil, errCut
	}
	if err != nil {
		return "", nil, err
	}
	name := part.FormName()
	if name == errorPart {
		why, err := io.ReadAll(io.LimitReader(part, 4096))
		return "", nil, errors.Join(errors.New(string(why)), err)
	}
	file, ok := strings.CutPrefix(name, string(p.kind)+"/")
	if !ok {
		return "", nil, fmt.Errorf("%q came in a backup of %s", name, p.kind)
	}
	if size, err := strconv.ParseInt(part.Header.Get(sizeHeader), 10, 64); err == nil && p.expect != nil {
		p.expect(file, size)
	}
	return file, part, nil
}
