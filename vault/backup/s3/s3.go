// Package s3 keeps copies of a vault in a bucket of an S3-compatible object
// store, as package backup keeps them in a folder. Start with [Open].
//
// A copy is put together in a folder on this machine first, so that the vault
// need not wait for the network; then it is sent, its manifest last: what has no
// manifest is no copy. The objects are what the files are: sealed.
package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/sayso-vault/sayso/vault/backup"
)

// Config says where an object store is and who asks.
type Config struct {
	// Endpoint is host and port of the store.
	Endpoint string
	// Plain speaks HTTP without TLS.
	Plain bool
	// Region of the bucket. Default: asked for.
	Region string
	// Bucket and Prefix are where the copies lie.
	Bucket, Prefix string
	// Credentials give access. Default: the AWS_… variables, the file of shared
	// credentials, the machine's role.
	Credentials *credentials.Credentials
	// Spool is the folder in which a copy is put together. Default: the system's
	// for temporary files.
	Spool string
	// Now tells the time. Default: time.Now.
	Now func() time.Time
	// Transport of requests. Default: the client's own.
	Transport http.RoundTripper
}

// Store is a place for copies.
type Store struct {
	cfg    Config
	client *minio.Client
}

var _ backup.Place = (*Store)(nil)

// Open returns the store. It asks nothing of it yet.
func Open(cfg Config) (*Store, error) {
	if cfg.Credentials == nil {
		cfg.Credentials = credentials.NewChainCredentials([]credentials.Provider{
			&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{Client: &http.Client{Timeout: 5 * time.Second}},
		})
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	client, err := minio.New(cfg.Endpoint, &minio.Options{Creds: cfg.Credentials, Secure: !cfg.Plain, Region: cfg.Region, Transport: cfg.Transport})
	if err != nil {
		return nil, fmt.Errorf("an object store at %s: %w", cfg.Endpoint, err)
	}
	return &Store{cfg: cfg, client: client}, nil
}

// String implements backup.Place.
func (s *Store) String() string { return "s3://" + path.Join(s.cfg.Bucket, s.cfg.Prefix) }

func (s *Store) name(parts ...string) string {
	return path.Join(append([]string{s.cfg.Prefix}, parts...)...)
}

// abandoned is after how long a copy without a manifest is one that nobody is
// sending any more.
const abandoned = 48 * time.Hour

// Begin implements backup.Place. What was sent in part, long ago, is removed.
func (s *Store) Begin(ctx context.Context, kind backup.Kind, id string) (backup.Draft, error) {
	found, err := s.list(ctx, kind)
	if err != nil {
		return nil, err
	}
	for other, files := range found {
		made, err := time.Parse("20060102T150405Z", strings.SplitN(other, "-", 2)[0])
		if !slices.Contains(files, backup.ManifestFile) && err == nil && s.cfg.Now().Sub(made) > abandoned {
			if err := s.Remove(ctx, kind, other); err != nil {
				return nil, err
			}
		}
	}
	spool, err := os.MkdirTemp(s.cfg.Spool, "sayso-backup-")
	if err != nil {
		return nil, err
	}
	return &draft{s: s, kind: kind, id: id, spool: spool}, nil
}

type draft struct {
	s     *Store
	kind  backup.Kind
	id    string
	spool string
	names []string // in the order in which they were written
}

// Write implements backup.Draft: the file is durable once the draft is kept.
func (d *draft) Write(_ context.Context, name string, r io.Reader) error {
	f, err := os.OpenFile(filepath.Join(d.spool, filepath.Base(name)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	d.names = append(d.names, name)
	return errors.Join(err, f.Close())
}

// Keep implements backup.Draft. The manifest was written last, and is sent last,
// after the store said that the others are as long as they should be: there are
// stores that keep the framing of a request for its content.
func (d *draft) Keep(ctx context.Context) error {
	for _, name := range d.names {
		key := d.s.name(string(d.kind), d.id, name)
		sent, err := d.s.client.FPutObject(ctx, d.s.cfg.Bucket, key, filepath.Join(d.spool, filepath.Base(name)), minio.PutObjectOptions{ContentType: "application/octet-stream"})
		if err != nil {
			return fmt.Errorf("sending %s to %s: %w", name, d.s, err)
		}
		kept, err := d.s.client.StatObject(ctx, d.s.cfg.Bucket, key, minio.StatObjectOptions{})
		if err == nil && kept.Size != sent.Size {
			err = fmt.Errorf("%d bytes were sent, and %d are kept", sent.Size, kept.Size)
		}
		if err != nil {
			return fmt.Errorf("sending %s to %s: %w", name, d.s, err)
		}
	}
	return nil
}

// Drop implements backup.Draft. What was sent without a manifest is no copy, and
// removed by a later Begin.
func (d *draft) Drop() error { return os.RemoveAll(d.spool) }

// list returns the files of every copy, whole or not.
func (s *Store) list(ctx context.Context, kind backup.Kind) (map[string][]string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // or the listing goes on
	prefix := s.name(string(kind)) + "/"
	found := map[string][]string{}
	for o := range s.client.ListObjects(ctx, s.cfg.Bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
		if o.Err != nil {
			return nil, fmt.Errorf("listing %s: %w", s, o.Err)
		}
		if id, name, ok := strings.Cut(strings.TrimPrefix(o.Key, prefix), "/"); ok && backup.IsID(id) {
			found[id] = append(found[id], name)
		}
	}
	return found, nil
}

// Copies implements backup.Place.
func (s *Store) Copies(ctx context.Context, kind backup.Kind) ([]string, error) {
	found, err := s.list(ctx, kind)
	if err != nil {
		return nil, err
	}
	var ids []string
	for id, files := range found {
		if slices.Contains(files, backup.ManifestFile) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// Open implements backup.Place.
func (s *Store) Open(ctx context.Context, kind backup.Kind, id, name string) (io.ReadCloser, error) {
	o, err := s.client.GetObject(ctx, s.cfg.Bucket, s.name(string(kind), id, name), minio.GetObjectOptions{})
	if err == nil {
		if _, err = o.Stat(); err != nil {
			err = errors.Join(err, o.Close())
		}
	}
	if minio.ToErrorResponse(err).Code == "NoSuchKey" || isMissing(err) {
		return nil, fmt.Errorf("%w: %s/%s/%s/%s", backup.ErrNone, s, kind, id, name)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s of %s: %w", name, s, err)
	}
	return o, nil
}

func isMissing(err error) bool {
	var answer minio.ErrorResponse
	return errors.As(err, &answer) && answer.Code == "NoSuchKey"
}

// Remove implements backup.Place: the manifest first, so that no part of a copy
// looks whole.
func (s *Store) Remove(ctx context.Context, kind backup.Kind, id string) error {
	found, err := s.list(ctx, kind)
	if err != nil {
		return err
	}
	names := append([]string{backup.ManifestFile}, found[id]...)
	for i, name := range names {
		if i > 0 && name == backup.ManifestFile {
			continue
		}
		if err := s.client.RemoveObject(ctx, s.cfg.Bucket, s.name(string(kind), id, name), minio.RemoveObjectOptions{}); err != nil {
			return fmt.Errorf("removing %s of %s: %w", name, s, err)
		}
	}
	return nil
}
