package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/backup"
)

// vaultSide is the vault that a backup is made of: in this process, or in the one
// that serves the folder.
type vaultSide interface {
	// stream begins a backup.
	stream(ctx context.Context, what vault.Copying) (*multipart.Reader, io.Closer, error)
	// check is a backup.Check.
	check(ctx context.Context, m *backup.Manifest) error
	// kept notes that a copy of the data was kept.
	kept(ctx context.Context, at time.Time) error
}

var (
	_ vaultSide = (*folder)(nil)
	_ vaultSide = (*socket)(nil)
)

// stream implements vaultSide. Closing it waits until the vault has let go.
func (f *folder) stream(ctx context.Context, what vault.Copying) (*multipart.Reader, io.Closer, error) {
	r, w := io.Pipe()
	out := multipart.NewWriter(w)
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := f.streamBackup(ctx, what, out)
		if err != nil {
			endEarly(out, err)
		}
		_ = w.Close()
	}()
	return multipart.NewReader(r, out.Boundary()), closer(func() error {
		err := r.Close()
		<-done
		return err
	}), nil
}

type closer func() error

func (c closer) Close() error { return c() }

func (f *folder) check(_ context.Context, m *backup.Manifest) error {
	return m.Check(f.vault.BackupMAC)
}

func (f *folder) kept(ctx context.Context, at time.Time) error { return f.vault.KeepBackup(ctx, at) }

func socketBackup(f *folder, w http.ResponseWriter, r *http.Request) {
	out := multipart.NewWriter(w)
	w.Header().Set("Content-Type", out.FormDataContentType())
	q := r.URL.Query()
	if err := f.streamBackup(r.Context(), vault.Copying{ID: q.Get("id"), Data: q.Get("data") != "", Keys: q.Get("keys") != ""}, out); err != nil {
		endEarly(out, err)
	}
}

func socketCheckBackup(f *folder, w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 256<<20))
	var m *backup.Manifest
	if err == nil {
		m, err = backup.ParseManifest(b)
	}
	if err == nil {
		err = f.check(r.Context(), m)
	}
	line := socketLine{}.or(err)
	line.Foreign = errors.Is(err, backup.ErrForeign)
	_ = json.MarshalWrite(w, line)
}

func socketKeptBackup(f *folder, w http.ResponseWriter, r *http.Request) {
	at, err := time.Parse(time.RFC3339Nano, r.URL.Query().Get("at"))
	if err == nil {
		err = f.kept(r.Context(), at)
	}
	_ = json.MarshalWrite(w, socketLine{}.or(err))
}

func (s *socket) stream(ctx context.Context, what vault.Copying) (*multipart.Reader, io.Closer, error) {
	q := url.Values{"id": {what.ID}}
	if what.Data {
		q.Set("data", "1")
	}
	if what.Keys {
		q.Set("keys", "1")
	}
	resp, err := s.do(ctx, http.MethodPost, "/backup?"+q.Encode(), nil)
	if err != nil {
		return nil, nil, err
	}
	_, params, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, nil, errors.Join(fmt.Errorf("the process that serves the folder makes no backups: %s", resp.Status), resp.Body.Close())
	}
	return multipart.NewReader(resp.Body, params["boundary"]), resp.Body, nil
}

func (s *socket) check(ctx context.Context, m *backup.Manifest) error {
	b, err := m.Marshal()
	if err != nil {
		return err
	}
	foreign := false
	err = s.sendBody(ctx, http.MethodPost, "/backup/check", bytes.NewReader(b), func(l socketLine) { foreign = l.Foreign })
	if foreign {
		return backup.ErrForeign
	}
	return err
}

func (s *socket) kept(ctx context.Context, at time.Time) error {
	return s.send(ctx, http.MethodPost, "/backup/kept?at="+url.QueryEscape(at.UTC().Format(time.RFC3339Nano)), func(socketLine) {})
}
