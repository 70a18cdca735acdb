package s3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"go.uber.org/goleak"

	"github.com/sayso-vault/sayso/vault/backup"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cable is the way to the store; it can be pulled before a request.
type cable struct {
	http.RoundTripper
	pull func(*http.Request) bool
}

var errCable = errors.New("somebody pulled the cable")

func (c *cable) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.pull != nil && c.pull(r) {
		return nil, errCable
	}
	return c.RoundTripper.RoundTrip(r)
}

// aStore is an S3-compatible store that runs here, and the bucket backups go to.
func aStore(t *testing.T, now time.Time) (*Store, *cable) {
	t.Helper()
	memory := s3mem.New()
	server := httptest.NewTLSServer(gofakes3.New(memory).Server())
	t.Cleanup(server.Close)
	if err := memory.CreateBucket("northgate"); err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	way := &cable{RoundTripper: server.Client().Transport}
	s, err := Open(Config{Endpoint: at.Host, Region: "eu-central-1", Bucket: "northgate", Prefix: "vault", Spool: t.TempDir(), Transport: way,
		Credentials: credentials.NewStaticV4("northgate", "a secret", ""), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	return s, way
}

// sent is a copy on its way.
type sent struct {
	m     *backup.Manifest
	files map[string][]byte
	next  int
}

func (s *sent) NextPart() (string, io.Reader, error) {
	if s.next++; s.next <= len(s.m.Files) {
		name := s.m.Files[s.next-1].Name
		return name, bytes.NewReader(s.files[name]), nil
	}
	b, err := s.m.Marshal()
	return backup.ManifestFile, bytes.NewReader(b), err
}

func mac(label string, _ ...[]byte) (sum [32]byte) {
	copy(sum[:], label)
	return sum
}

var made = time.Date(2026, 3, 1, 2, 30, 0, 0, time.UTC)

func aCopy(t *testing.T, at time.Time) *sent {
	t.Helper()
	s := &sent{m: &backup.Manifest{Kind: backup.Data, ID: backup.NewID(at), Vault: "vlt_1", At: at}, files: map[string][]byte{
		"vault.db": bytes.Repeat([]byte("sealed "), 3_000_000), "log": []byte("entries")}}
	for _, name := range []string{"vault.db", "log"} {
		h := backup.NewHasher(name)
		_, _ = h.Write(s.files[name])
		s.m.Files = append(s.m.Files, h.File())
	}
	if err := s.m.Seal(mac); err != nil {
		t.Fatal(err)
	}
	return s
}

func copies(t *testing.T, s *Store) []string {
	t.Helper()
	ids, err := s.Copies(t.Context(), backup.Data)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func ours(_ context.Context, m *backup.Manifest) error { return m.Check(mac) }

// A copy is kept in the store, verified there, read back, and removed.
func TestACopyInAnObjectStore(t *testing.T) {
	s, _ := aStore(t, made)
	one := aCopy(t, made)
	if _, err := backup.Receive(t.Context(), s, backup.Data, one.m.ID, one, nil); err != nil {
		t.Fatal(err)
	}
	if ids := copies(t, s); !slices.Equal(ids, []string{one.m.ID}) {
		t.Errorf("copies: got %v, want %s", ids, one.m.ID)
	}
	left, err := os.ReadDir(s.cfg.Spool)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind on this machine: %v (%v)", left, err)
	}
	c, err := backup.Newest(t.Context(), s, backup.Data)
	if err != nil {
		t.Fatal(err)
	}
	if c.Path() != "s3://northgate/vault/data/"+one.m.ID {
		t.Errorf("path: got %s", c.Path())
	}
	m, err := backup.Verify(t.Context(), c, ours, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Open(t.Context(), m, "vault.db")
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil || !bytes.Equal(got, one.files["vault.db"]) {
		t.Errorf("read back: %d bytes (%v), want %d", len(got), err, len(one.files["vault.db"]))
	}
	if _, err := s.Open(t.Context(), backup.Data, one.m.ID, "keys.db"); !errors.Is(err, backup.ErrNone) {
		t.Errorf("a file that is not there: got %v, want ErrNone", err)
	}
	two := aCopy(t, made.AddDate(0, 0, 40))
	if _, err := backup.Receive(t.Context(), s, backup.Data, two.m.ID, two, nil); err != nil {
		t.Fatal(err)
	}
	removed, err := backup.Prune(t.Context(), s, ours, backup.Retention{Now: made.AddDate(0, 0, 41), Data: 30 * 24 * time.Hour})
	if err != nil || len(removed) != 1 || removed[0].ID != one.m.ID {
		t.Errorf("removed: %v (%v), want the first", removed, err)
	}
	if _, err := s.Open(t.Context(), backup.Data, one.m.ID, "vault.db"); !errors.Is(err, backup.ErrNone) {
		t.Errorf("a file of a copy that was removed: got %v, want ErrNone", err)
	}
}

// A copy whose sending breaks off is none, whichever object it breaks off at, and
// is removed when nobody can be sending it any more.
func TestACopyThatBreaksOffOnItsWayIsNone(t *testing.T) {
	s, way := aStore(t, made)
	for _, at := range []string{"vault.db", "log", backup.ManifestFile} {
		ctx, cancel := context.WithCancel(t.Context())
		way.pull = func(r *http.Request) bool {
			broken := r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, at)
			if broken {
				cancel() // it would try for long
			}
			return broken
		}
		one := aCopy(t, made)
		_, err := backup.Receive(ctx, s, backup.Data, one.m.ID, one, nil)
		cancel()
		if err == nil {
			t.Errorf("broken off at %s: no error", at)
		}
	}
	way.pull = nil
	if ids := copies(t, s); len(ids) > 0 {
		t.Errorf("copies: got %v, want none", ids)
	}
	found, err := s.list(t.Context(), backup.Data)
	if err != nil || len(found) == 0 {
		t.Fatalf("what was sent in part: %v (%v)", found, err)
	}
	for _, c := range []struct {
		later time.Duration
		left  bool
	}{{time.Hour, true}, {abandoned + time.Hour, false}} {
		s.cfg.Now = func() time.Time { return made.Add(c.later) }
		d, err := s.Begin(t.Context(), backup.Data, backup.NewID(made))
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Drop(); err != nil {
			t.Fatal(err)
		}
		if found, err = s.list(t.Context(), backup.Data); err != nil || len(found) > 0 != c.left {
			t.Errorf("%v later: %v (%v)", c.later, found, err)
		}
	}
}

// The store says no: the reason is told, and nothing is kept.
func TestAStoreThatSaysNo(t *testing.T) {
	s, _ := aStore(t, made)
	s.cfg.Bucket = "southgate"
	one := aCopy(t, made)
	if _, err := backup.Receive(t.Context(), s, backup.Data, one.m.ID, one, nil); err == nil || !strings.Contains(err.Error(), "southgate") {
		t.Errorf("a bucket that is not there: got %v", err)
	}
}
