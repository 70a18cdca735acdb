package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/sayso-vault/sayso/vault"
)

// A served folder is asked through a Unix socket, because the process that
// serves it has the files to itself. The socket is the owner's alone: 0600, in a
// folder of 0700. It lies outside the vault's folder, which holds nothing but
// files that can be copied; the file "socket" there says where.
//
//	GET /log/verify      → lines of JSON: progress, then a report or an error
//	GET /log/prove?id=   → one line: a proof or an error
//	GET /doctor?deep=    → lines of JSON: progress, then what was found or an error
//	POST /keys/rotate?kek=&index=
//	                     → lines of JSON: progress, then what was done or an error
//	POST /backup?id=&data=&keys=
//	                     → the stream of backupstream.go
//	POST /backup/check   → a manifest's body; one line: nothing, or an error
//	POST /backup/kept?at=
//	                     → one line: nothing, or an error

// socketLine is one line of an answer; one of its members is there.
type socketLine struct {
	Stage    string           `json:"stage,omitempty"` // progress
	Done     uint64           `json:"done,omitempty"`
	Of       uint64           `json:"of,omitempty"`
	Report   *vault.LogReport `json:"report,omitempty"`
	Proof    *vault.Proof     `json:"proof,omitempty"`
	Doctor   *served          `json:"doctor,omitempty"`
	Error    string           `json:"error,omitempty"`
	Bad      bool             `json:"bad,omitempty"` // Error is what a verification found
	BadIndex *uint64          `json:"bad_index,omitempty"`

	Rotated *vault.RotationReport `json:"rotated,omitempty"`
	Foreign bool                  `json:"foreign,omitempty"` // a manifest that this vault's keyring did not make
}

// errNotServed: nobody serves the folder.
var errNotServed = errors.New("nobody serves the folder")

// longestSocket is how long the path of a socket may be (sun_path of unix(7)).
const longestSocket = 107

// listenSocket makes a folder's socket and writes down where it is. The caller
// has the folder to itself, so one that is there already is a dead process's.
func listenSocket(dir string) (l net.Listener, release func() error, err error) {
	name, _, err := socketName(dir)
	if err != nil {
		return nil, nil, err
	}
	err = errors.New("there is no place for it")
	for _, parent := range []string{os.Getenv("XDG_RUNTIME_DIR"), os.TempDir(), "/tmp"} {
		if parent == "" {
			continue
		}
		if l, release, err = listenIn(filepath.Join(parent, name), filepath.Join(dir, fileSocket)); err == nil {
			return l, release, nil
		}
	}
	return nil, nil, err
}

func listenIn(own, place string) (_ net.Listener, _ func() error, err error) {
	path := filepath.Join(own, socketFile)
	if len(path) > longestSocket {
		return nil, nil, errors.New("its path would be too long")
	}
	release := func() error {
		return errors.Join(removeIfThere(place), removeIfThere(path), removeIfThere(own))
	}
	if err := release(); err != nil {
		return nil, nil, err
	}
	if err := os.Mkdir(own, 0o700); err != nil {
		return nil, nil, err
	}
	l, err := net.Listen("unix", path)
	if err == nil {
		err = errors.Join(os.Chmod(path, 0o600), writeFile(place, []byte(path+"\n")))
	}
	if err != nil && l != nil {
		err = errors.Join(err, l.Close())
	}
	if err != nil {
		return nil, nil, errors.Join(err, release())
	}
	return l, release, nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

const socketFile = "sock"

// socketName returns the name of the folder that a vault's socket lies in, and
// the vault's owner. The name is of this very folder: a copy of it, which holds
// a copy of what was written down, has another.
func socketName(dir string) (name string, owner uint32, err error) {
	info, err := os.Stat(dir)
	if err != nil {
		return "", 0, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", 0, errors.New("the system does not tell folders apart")
	}
	return fmt.Sprintf("sayso-%d-%d", stat.Dev, stat.Ino), stat.Uid, nil
}

// ownSocket reads where a folder's socket is. One that is another folder's, or
// that others than the owner could have put there, is not believed.
func ownSocket(dir string) (string, error) {
	name, owner, err := socketName(dir)
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(filepath.Join(dir, fileSocket))
	if err != nil {
		return "", err
	}
	path := strings.TrimSuffix(string(text), "\n")
	own := filepath.Dir(path)
	info, err := os.Lstat(own)
	if err != nil {
		return "", err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || filepath.Base(own) != name || stat.Uid != owner || !info.IsDir() || info.Mode().Perm() != 0o700 {
		return "", errNotServed
	}
	return path, nil
}

// serveSocket answers on the folder's socket until stop is called.
func serveSocket(f *folder, as served, logger *slog.Logger) (stop func() error, err error) {
	l, release, err := listenSocket(f.dir)
	if err != nil {
		return nil, err
	}
	running, end := context.WithCancel(context.Background())
	mux := http.NewServeMux()
	mux.HandleFunc("GET /log/verify", func(w http.ResponseWriter, r *http.Request) { socketVerify(f, w, r) })
	mux.HandleFunc("GET /log/prove", func(w http.ResponseWriter, r *http.Request) { socketProve(f, w, r) })
	mux.HandleFunc("GET /doctor", func(w http.ResponseWriter, r *http.Request) { socketDoctor(f, as, w, r) })
	mux.HandleFunc("POST /keys/rotate", func(w http.ResponseWriter, r *http.Request) { socketRotate(f, w, r) })
	mux.HandleFunc("POST /backup", func(w http.ResponseWriter, r *http.Request) { socketBackup(f, w, r) })
	mux.HandleFunc("POST /backup/check", func(w http.ResponseWriter, r *http.Request) { socketCheckBackup(f, w, r) })
	mux.HandleFunc("POST /backup/kept", func(w http.ResponseWriter, r *http.Request) { socketKeptBackup(f, w, r) })
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, BaseContext: func(net.Listener) context.Context { return running },
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug)}
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			logger.Error("the folder's socket ended", "err", err)
		}
	}()
	return func() error {
		end()
		stopping, cancel := context.WithTimeout(context.Background(), drain)
		defer cancel()
		return errors.Join(server.Shutdown(stopping), release())
	}, nil
}

func socketVerify(f *folder, w http.ResponseWriter, r *http.Request) {
	enc := jsontext.NewEncoder(w)
	var last time.Time
	report, err := f.vault.VerifyLog(r.Context(), func(stage string, done, of uint64) {
		if time.Since(last) < 100*time.Millisecond {
			return
		}
		last = time.Now()
		_ = json.MarshalEncode(enc, socketLine{Stage: stage, Done: done, Of: of})
		_ = http.NewResponseController(w).Flush()
	})
	_ = json.MarshalEncode(enc, socketLine{Report: report}.or(asBadLog(err)))
}

func socketProve(f *folder, w http.ResponseWriter, r *http.Request) {
	proof, err := f.vault.Prove(r.Context(), r.URL.Query().Get("id"))
	_ = json.MarshalWrite(w, socketLine{Proof: proof}.or(err))
}

// socketRotate ends with its caller: an interrupted rotation is continued by the
// next.
func socketRotate(f *folder, w http.ResponseWriter, r *http.Request) {
	enc := jsontext.NewEncoder(w)
	what := vault.Rotation{KEK: r.URL.Query().Get("kek") != "", Index: r.URL.Query().Get("index") != ""}
	report, err := f.vault.RotateKeys(r.Context(), what, seldom(func(stage string, done, of uint64) {
		_ = json.MarshalEncode(enc, socketLine{Stage: stage, Done: done, Of: of})
		_ = http.NewResponseController(w).Flush()
	}))
	_ = json.MarshalEncode(enc, socketLine{Rotated: report}.or(err))
}

func (l socketLine) or(err error) socketLine {
	if err == nil {
		return l
	}
	var bad *badLog
	if errors.As(err, &bad) {
		return socketLine{Error: bad.why, Bad: true, BadIndex: bad.index}
	}
	return socketLine{Error: err.Error()}
}

// err returns what the line says went wrong.
func (l socketLine) err() error {
	switch {
	case l.Bad:
		return &badLog{l.BadIndex, l.Error}
	case l.Error != "":
		return errors.New(l.Error)
	}
	return nil
}

// socket is a served folder's log.
type socket struct{ http *http.Client }

// dialSocket finds the process that serves a folder, or returns errNotServed.
func dialSocket(ctx context.Context, dir string) (*socket, error) {
	path, err := ownSocket(dir)
	if err != nil {
		return nil, errNotServed // if there is no such folder, who opens it says so
	}
	dial := func(ctx context.Context) (net.Conn, error) { return new(net.Dialer).DialContext(ctx, "unix", path) }
	conn, err := dial(ctx)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, errNotServed
	case err != nil:
		return nil, fmt.Errorf("asking the process that serves %s: %w", dir, err)
	}
	return &socket{&http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
	}}}, conn.Close()
}

// Close releases what is held.
func (s *socket) Close() error {
	s.http.CloseIdleConnections()
	return nil
}

func (s *socket) verify(ctx context.Context, progress func(string, uint64, uint64)) (report *vault.LogReport, err error) {
	err = s.ask(ctx, "/log/verify", func(l socketLine) {
		if l.Stage != "" {
			progress(l.Stage, l.Done, l.Of)
		}
		report = l.Report
	})
	if err == nil && report == nil {
		err = errCut
	}
	return report, err
}

func (s *socket) prove(ctx context.Context, id string) (proof *vault.Proof, err error) {
	err = s.ask(ctx, "/log/prove?id="+url.QueryEscape(id), func(l socketLine) { proof = l.Proof })
	if err == nil && proof == nil {
		err = errCut
	}
	return proof, err
}

func (s *socket) rotate(ctx context.Context, what vault.Rotation, progress func(string, uint64, uint64)) (report *vault.RotationReport, err error) {
	query := url.Values{}
	if what.KEK {
		query.Set("kek", "1")
	}
	if what.Index {
		query.Set("index", "1")
	}
	err = s.send(ctx, http.MethodPost, "/keys/rotate?"+query.Encode(), func(l socketLine) {
		if l.Stage != "" {
			progress(l.Stage, l.Done, l.Of)
		}
		report = l.Rotated
	})
	if err == nil && report == nil {
		err = errCut
	}
	return report, err
}

var errCut = errors.New("the process that serves the folder ended before its answer did")

func (s *socket) ask(ctx context.Context, path string, each func(socketLine)) error {
	return s.send(ctx, http.MethodGet, path, each)
}

func (s *socket) send(ctx context.Context, method, path string, each func(socketLine)) error {
	return s.sendBody(ctx, method, path, nil, each)
}

func (s *socket) do(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://folder"+path, body)
	if err != nil {
		return nil, err
	}
	resp, err := s.http.Do(r)
	if err != nil {
		return nil, fmt.Errorf("asking the process that serves the folder: %w", err)
	}
	return resp, nil
}

func (s *socket) sendBody(ctx context.Context, method, path string, body io.Reader, each func(socketLine)) error {
	resp, err := s.do(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	dec := jsontext.NewDecoder(resp.Body)
	for dec.PeekKind() != 0 {
		var l socketLine
		if err := json.UnmarshalDecode(dec, &l); err != nil {
			return errCut
		}
		if err := l.err(); err != nil {
			return err
		}
		each(l)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return nil
}
