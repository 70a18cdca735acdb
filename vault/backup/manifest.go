package backup

import (
	"bytes"
	"crypto/hmac"
	"errors"
	"fmt"
	"path"
	"regexp"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Kind is what a copy is of.
type Kind string

// The kinds of copies.
const (
	Data Kind = "data" // what is sealed, and the log
	Keys Kind = "keys" // what opens it
)

// Format is what a manifest begins with.
const Format = "sayso-backup/1"

// ManifestFile is the name of the manifest in a copy: what has none is no copy.
const ManifestFile = "manifest.json"

// Manifest says what a copy consists of. It is authenticated under the vault's
// keyring: who edits a copy cannot make a manifest for it.
type Manifest struct {
	Format string    `json:"format"`
	Kind   Kind      `json:"kind"`
	ID     string    `json:"backup"` // of data and keys that were copied together
	Vault  string    `json:"vault"`
	At     time.Time `json:"at"`
	// Until is when a copy of the keys ends: it is not restored afterwards. Zero
	// for data.
	Until time.Time `json:"until,omitzero"`
	// KEKs are the epochs that the keys of a copy are wrapped under.
	KEKs []uint32 `json:"keks,omitempty"`
	// Log is where the log was. Zero for keys.
	Log   LogHead `json:"log,omitzero"`
	Files []File  `json:"files"`
	MAC   []byte  `json:"mac,omitempty"`
}

// LogHead says how far a log was.
type LogHead struct {
	Origin     string `json:"origin"`
	Records    uint64 `json:"records"`    // in the copy
	Checkpoint string `json:"checkpoint"` // the last one signed
}

// File is one file of a copy, hashed piece by piece, so that it can be said
// where it was changed.
type File struct {
	Name   string   `json:"name"`
	Size   int64    `json:"size"`
	Piece  int64    `json:"piece"`  // size of a piece but the last
	SHA256 [][]byte `json:"sha256"` // of each
}

// MAC is a keyed hash of the vault's keyring.
type MAC func(label string, parts ...[]byte) [32]byte

const macLabel = "backup manifest"

// Errors of copies.
var (
	// ErrBad: the copy is not what was written.
	ErrBad = errors.New("the backup is not what was written")
	// ErrForeign: the manifest was made by another vault's keyring, or edited.
	ErrForeign = errors.New("the manifest is not authenticated by this vault's keyring: it was edited, or is another vault's")
	// ErrNone: there is no copy there.
	ErrNone = errors.New("there is no backup there")
)

// Seal authenticates the manifest.
func (m *Manifest) Seal(mac MAC) error {
	m.Format = Format
	body, err := m.body()
	if err != nil {
		return err
	}
	sum := mac(macLabel, body)
	m.MAC = sum[:]
	return nil
}

// Check returns ErrForeign unless the vault whose MAC it is sealed the manifest.
func (m *Manifest) Check(mac MAC) error {
	body, err := m.body()
	if err != nil {
		return err
	}
	if sum := mac(macLabel, body); !hmac.Equal(sum[:], m.MAC) {
		return ErrForeign
	}
	return nil
}

func (m *Manifest) body() ([]byte, error) {
	bare := *m
	bare.MAC = nil
	return json.Marshal(&bare, json.Deterministic(true))
}

// Marshal returns the manifest as it lies in the copy.
func (m *Manifest) Marshal() ([]byte, error) {
	return json.Marshal(m, json.Deterministic(true), jsontext.WithIndent("  "))
}

var (
	idForm   = regexp.MustCompile(`^\d{8}T\d{6}Z-[0-9a-z]{4,16}$`)
	nameForm = regexp.MustCompile(`^[a-z][a-z.]{0,30}$`)
)

// IsID reports whether a name can be the ID of a copy.
func IsID(name string) bool { return idForm.MatchString(name) }

// maxManifest is far more than a manifest has.
const maxManifest = 256 << 20

// ParseManifest reads what Marshal wrote, and nothing else.
func ParseManifest(b []byte) (*Manifest, error) {
	m := new(Manifest)
	if err := json.Unmarshal(b, m, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("%w: %s cannot be read: %w", ErrBad, ManifestFile, err)
	}
	if again, err := m.Marshal(); err != nil || !bytes.Equal(again, b) {
		return nil, fmt.Errorf("%w: %s is not as this program writes it", ErrBad, ManifestFile)
	}
	if m.Format != Format {
		return nil, fmt.Errorf("%w: a backup of format %q, which this program does not know", ErrBad, m.Format)
	}
	if m.Kind != Data && m.Kind != Keys || !idForm.MatchString(m.ID) {
		return nil, fmt.Errorf("%w: %s names no kind or no ID", ErrBad, ManifestFile)
	}
	for _, f := range m.Files {
		if !nameForm.MatchString(f.Name) || f.Name == ManifestFile || f.Piece != pieceSize || f.Size < 0 || int64(len(f.SHA256)) != pieces(f.Size) {
			return nil, fmt.Errorf("%w: %s is wrong about %s", ErrBad, ManifestFile, path.Base(f.Name))
		}
	}
	return m, nil
}

// file returns what the manifest says of a file.
func (m *Manifest) file(name string) *File {
	for i := range m.Files {
		if m.Files[i].Name == name {
			return &m.Files[i]
		}
	}
	return nil
}

// Bytes is how many bytes the files have.
func (m *Manifest) Bytes() (n int64) {
	for _, f := range m.Files {
		n += f.Size
	}
	return n
}
