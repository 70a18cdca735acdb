package command

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// benchCounts are what a measured vault counts itself.
type benchCounts struct {
	Syncs     uint64        `json:"syncs"`
	Records   uint64        `json:"records"`
	Bytes     int64         `json:"bytes"`     // of vault.db
	Processor time.Duration `json:"processor"` // time of it, the kernel's share included
}

// newBenchServer serves a vault as serve does, and tells its counts for every
// line it reads, until there are no more.
func newBenchServer() *cobra.Command {
	var dir, profile string
	cmd := &cobra.Command{
		Use: "server --dir D", Short: "What bench measures", Hidden: true, Args: cobra.NoArgs,
		Example: "  sayso bench server --dir ./vault",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			collectLater()
			root, err := rootKey(cmd, "", false)
			if err != nil {
				return err
			}
			logger := newLogger(cmd.ErrOrStderr())
			w, err := watch(cmd.Context(), "", logger)
			if err != nil {
				return err
			}
			f, err := openWatched(cmd.Context(), dir, root, logger, w)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, f.Close()) }()
			if profile != "" {
				stop, err := profileTo(profile)
				if err != nil {
					return err
				}
				defer func() { err = errors.Join(err, stop()) }()
			}
			return benchServe(cmd, func(ctx context.Context, l net.Listener, ready func() error) error {
				return serveVault(ctx, f, l, serving{issuer: "http://" + l.Addr().String(), logger: logger, ready: ready})
			}, func() benchCounts {
				s := f.stores.data.Stats()
				return benchCounts{Syncs: s.LogSyncs, Records: s.LogEntries, Bytes: s.Bytes}
			})
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "folder of the vault")
	cmd.Flags().StringVar(&profile, "profile", "", "file for a profile of the processor's time")
	return cmd
}

// profileTo writes to a file where the processor's time goes, until it is
// stopped.
func profileTo(file string) (stop func() error, err error) {
	out, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(out); err != nil {
		return nil, errors.Join(err, out.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return out.Close()
	}, nil
}

// newBenchBare is what a vault is measured against: it answers the same bytes.
func newBenchBare() *cobra.Command {
	var body string
	cmd := &cobra.Command{
		Use: "bare", Short: "What bench measures against", Hidden: true, Args: cobra.NoArgs,
		Example: "  sayso bench bare --answer hello",
		RunE: func(cmd *cobra.Command, _ []string) error {
			collectLater()
			answer := []byte(body)
			length := []string{strconv.Itoa(len(answer))}
			//nolint:gosec // it is asked on this machine alone, by its parent
			server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				h := w.Header()
				h["Content-Type"], h["Content-Length"] = []string{"application/json"}, length
				_, _ = w.Write(answer)
			})}
			return benchServe(cmd, func(ctx context.Context, l net.Listener, ready func() error) error {
				ended := make(chan error, 1)
				go func() { ended <- server.Serve(l) }()
				if err := ready(); err != nil {
					return errors.Join(err, server.Close())
				}
				<-ctx.Done()
				err := server.Close()
				if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
					err = errors.Join(err, served)
				}
				return err
			}, func() (c benchCounts) { return c })
		},
	}
	cmd.Flags().StringVar(&body, "answer", "", "what to answer")
	return cmd
}

func benchServe(cmd *cobra.Command, serve func(context.Context, net.Listener, func() error) error, counts func() benchCounts) error {
	l, err := new(net.ListenConfig).Listen(cmd.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(cmd.Context())
	defer stop()
	out, in := cmd.OutOrStdout(), newLineReader(cmd.InOrStdin())
	return serve(ctx, l, func() error {
		go func() {
			defer stop()
			for {
				if _, err := in.next(); err != nil {
					return
				}
				c := counts()
				c.Processor = processorTime()
				if json.NewEncoder(out).Encode(c) != nil {
					return
				}
			}
		}()
		_, err := fmt.Fprintf(out, "http://%s\n", l.Addr())
		return err
	})
}

// processorTime is what this process took of the processors so far.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// counts asks a measured server what it counted.
func (p *benchProcess) counts() (c benchCounts, err error) {
	if _, err := io.WriteString(p.in, "\n"); err != nil {
		return c, err
	}
	line, err := p.lines.next()
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal([]byte(line), &c)
}

type lineReader struct{ r *bufio.Reader }

func newLineReader(r io.Reader) *lineReader { return &lineReader{bufio.NewReader(r)} }

func (l *lineReader) next() (string, error) {
	line, err := l.r.ReadString('\n')
	return strings.TrimSuffix(line, "\n"), err
}

// rssAnon is the memory of a process that is not of files, in bytes.
func rssAnon(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kb << 10, err
		}
	}
	return 0, errors.New("the system does not tell how much memory is anonymous")
}
