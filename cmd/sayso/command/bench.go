package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func newBench() *cobra.Command {
	o := benchOptions{connections: []int{1, 16, 64}}
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure governed reads on this machine against a bare handler",
		Long: `bench fills a vault in a temporary folder with invented people, serves it as
serve does, and asks over HTTP as a channel would: five purposes, a fifth of the
reads denied, two rules in force, one of which looks at the time. In the same
run, turn by turn, it asks a bare handler that answers the same bytes and does
nothing else. What counts is the ratio of the two; figures of single machines
mean little.

Each budget stands beside its figure. The folder is removed at the end.`,
		Example: `  sayso bench
  sayso bench --rounds 1 --round 1s --connections 64 -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	flags := cmd.Flags()
	flags.IntVar(&o.subjects, "subjects", 10_000, "people in the vault")
	flags.IntVar(&o.rounds, "rounds", 3, "rounds at each number of connections, each of both servers")
	flags.DurationVar(&o.round, "round", 5*time.Second, "how long each server is asked in a round")
	flags.IntSliceVar(&o.connections, "connections", o.connections, "numbers of connections to ask by")
	flags.StringVar(&o.profile, "profile", "", "write a CPU profile of the served vault to this file, for go tool pprof")
	flags.StringVar(&o.in, "in", "", "folder to make the temporary one in, on the disk to be measured (default: the system's)")
	cmd.AddCommand(newBenchLoad(), newBenchServer(), newBenchBare())
	return cmd
}

type benchOptions struct {
	subjects, rounds int
	round            time.Duration
	connections      []int
	in, profile      string
}

func (o *benchOptions) run(cmd *cobra.Command) (err error) {
	if o.subjects < 10 || o.rounds < 1 || o.round < 100*time.Millisecond || slices.ContainsFunc(o.connections, func(n int) bool { return n < 1 || n > 1024 }) {
		return misuse("at least 10 people, one round of 100ms, and 1 to 1024 connections are needed")
	}
	dir, err := os.MkdirTemp(o.in, "sayso-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ctx, say := cmd.Context(), cmd.ErrOrStderr()
	report := &benchReport{Subjects: o.subjects, Rounds: o.rounds, Seconds: o.round.Seconds(), Machine: thisMachine()}
	if report.Machine.Fdatasync, err = diskSync(dir); err != nil {
		return err
	}
	if report.Decision, err = decisionCost(ctx); err != nil {
		return err
	}
	fmt.Fprintf(say, "Filling a vault with %d people …\n", o.subjects)
	filled, err := fillFolder(ctx, dir+"/vault", benchRoot(), o.subjects, nil)
	if err != nil {
		return err
	}
	report.Import = filled.cost
	if err := o.measure(ctx, dir+"/vault", filled, report, say); err != nil {
		return err
	}
	report.judge()
	return answer(cmd, report, report.tell)
}

// measure asks both servers, each a process of its own.
func (o *benchOptions) measure(ctx context.Context, dir string, filled *filledVault, report *benchReport, say io.Writer) (err error) {
	began := time.Now()
	served, err := startBench(ctx, "server", "--dir", dir, "--profile", o.profile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, served.stop()) }()
	report.Start.Seconds = time.Since(began).Seconds()
	if report.Start.RssAnon, err = rssAnon(served.cmd.Process.Pid); err != nil {
		return err
	}
	asks, err := filled.requests(ctx, served.url)
	if err != nil {
		return err
	}
	same, err := firstAnswer(served.url, asks[0])
	if err != nil {
		return err
	}
	bare, err := startBench(ctx, "bare", "--answer", string(same))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bare.stop()) }()

	for _, n := range o.connections {
		run := benchRun{Connections: n}
		var bares, vaults []pace
		var syncs []float64
		before, err := served.counts()
		if err != nil {
			return err
		}
		for round := range o.rounds {
			fmt.Fprintf(say, "%d connections, round %d of %d …\n", n, round+1, o.rounds)
			if asks, err = filled.requests(ctx, served.url); err != nil { // a fresh token
				return err
			}
			if _, err := drive(ctx, served.url, asks, n, o.round/5); err != nil { // warm
				return err
			}
			if _, err := drive(ctx, bare.url, asks, n, o.round/5); err != nil {
				return err
			}
			sync, err := diskSync(filepath.Dir(dir))
			if err != nil {
				return err
			}
			b, err := bare.drive(ctx, asks, n, o.round)
			if err != nil {
				return err
			}
			v, err := served.drive(ctx, asks, n, o.round)
			if err != nil {
				return err
			}
			bares, vaults, syncs = append(bares, b), append(vaults, v), append(syncs, sync)
		}
		after, err := served.counts()
		if err != nil {
			return err
		}
		run.sum(bares, vaults)
		run.Fdatasync = median(syncs)
		run.SyncsPerRecord = float64(after.Syncs-before.Syncs) / float64(max(1, after.Records-before.Records))
		report.Runs = append(report.Runs, run)
	}
	report.Start.RssAnonAfter, err = rssAnon(served.cmd.Process.Pid)
	return err
}

// benchProcess is a server to measure: this program in a process of its own, so
// that both servers share the machine with the same generator.
type benchProcess struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *lineReader
	url   string
	said  strings.Builder // on stderr
}

func startBench(ctx context.Context, args ...string) (*benchProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &benchProcess{}
	p.cmd = exec.CommandContext(ctx, self, append([]string{"bench"}, args...)...) //nolint:gosec // this program itself
	p.cmd.Env = append(os.Environ(), envPassphrase+"="+benchSecret)
	p.cmd.Stderr = &p.said
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.lines = newLineReader(out)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	if p.url, err = p.lines.next(); err != nil {
		return nil, errors.Join(fmt.Errorf("starting %s: %w %s", args[0], err, p.said.String()), p.cmd.Wait())
	}
	return p, nil
}

// drive asks it, and finds out what of the processors that took.
func (p *benchProcess) drive(ctx context.Context, asks []ask, n int, d time.Duration) (pace, error) {
	before, err := p.counts()
	if err != nil {
		return pace{}, err
	}
	did, err := drive(ctx, p.url, asks, n, d)
	if err != nil {
		return pace{}, err
	}
	after, err := p.counts()
	did.Processor = float64((after.Processor - before.Processor).Microseconds()) / float64(max(1, did.answers))
	return did, err
}

// stop ends the server by ending what it reads.
func (p *benchProcess) stop() error {
	if err := errors.Join(p.in.Close(), p.cmd.Wait()); err != nil {
		return fmt.Errorf("a measured server: %w %s", err, p.said.String())
	}
	return nil
}
