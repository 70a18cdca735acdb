package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/sayso-vault/sayso/vault"
)

// A served folder is asked through a Unix socket in it, because the process
// that serves it has the files to itself. The socket is the owner's alone
// (0600, in a folder of 0700): who can connect is who could read the files.
//
//	GET /log/verify      → lines of JSON: progress, then a report or an error
//	GET /log/prove?id=   → one line: a proof or an error

// socketLine is one line of an answer; one of its members is there.
type socketLine struct {
	Stage    string           `json:"stage,omitempty"` // progress
	Done     uint64           `json:"done,omitempty"`
	Of       uint64           `json:"of,omitempty"`
	Report   *vault.LogReport `json:"report,omitempty"`
	Proof    *vault.Proof     `json:"proof,omitempty"`
	Error    string           `json:"error,omitempty"`
	Bad      bool             `json:"bad,omitempty"` // Error is what a verification found
	BadIndex *uint64          `json:"bad_index,omitempty"`
}

// errNotServed: nobody serves the folder.
var errNotServed = errors.New("nobody serves the folder")

// longestSocket is how long the path of a socket may be (sun_path of unix(7)).
const longestSocket = 107

// socketPath returns a path to the socket in dir that is short enough, and what
// to close when it is not used any more.
func socketPath(dir string) (string, *os.File, error) {
	if path := filepath.Join(dir, fileSocket); len(path) <= longestSocket {
		return path, nil, nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	return filepath.Join("/proc/self/fd", strconv.Itoa(int(d.Fd())), fileSocket), d, nil
}

// serveSocket answers on the folder's socket until stop is called. The caller
// has the folder to itself, so a socket that lies there is a dead process's.
func serveSocket(f *folder, logger *slog.Logger) (stop func() error, err error) {
	path, d, err := socketPath(f.dir)
	if err != nil {
		return nil, err
	}
	done := func() error {
		if d != nil {
			return d.Close()
		}
		return nil
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
		if err := os.Remove(path); err != nil {
			return nil, errors.Join(err, done())
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, errors.Join(err, done())
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close(), done())
	}
	running, end := context.WithCancel(context.Background())
	mux := http.NewServeMux()
	mux.HandleFunc("GET /log/verify", func(w http.ResponseWriter, r *http.Request) { socketVerify(f, w, r) })
	mux.HandleFunc("GET /log/prove", func(w http.ResponseWriter, r *http.Request) { socketProve(f, w, r) })
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
		return errors.Join(server.Shutdown(stopping), done())
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
type socket struct {
	http *http.Client
	dir  *os.File
}

// dialSocket finds the process that serves a folder, or returns errNotServed.
func dialSocket(ctx context.Context, dir string) (*socket, error) {
	path, d, err := socketPath(dir)
	if err != nil {
		return nil, errNotServed // there is no such folder: who opens it says so
	}
	s := &socket{dir: d, http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}}}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOTDIR):
		return nil, errors.Join(errNotServed, s.Close())
	case err != nil:
		return nil, errors.Join(fmt.Errorf("asking the process that serves %s: %w", dir, err), s.Close())
	}
	return s, conn.Close()
}

// Close releases what is held.
func (s *socket) Close() error {
	s.http.CloseIdleConnections()
	if s.dir != nil {
		return s.dir.Close()
	}
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

var errCut = errors.New("the process that serves the folder ended before its answer did")

func (s *socket) ask(ctx context.Context, path string, each func(socketLine)) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://folder"+path, nil)
	if err != nil {
		return err
	}
	resp, err := s.http.Do(r)
	if err != nil {
		return fmt.Errorf("asking the process that serves the folder: %w", err)
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
