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
	flags.Float64Var(&o.floor, "floor", 0, "fail if a bare answer's processor time to a read's, at the most connections, falls under this")
	flags.StringVar(&o.in, "in", "", "folder to make the temporary one in, on the disk to be measured (default: the system's)")
	cmd.AddCommand(newBenchLoad(), newBenchGrowth(), newBenchServer(), newBenchBare())
	return cmd
}

type benchOptions struct {
	subjects, rounds int
	round            time.Duration
	connections      []int
	in, profile      string
	floor            float64
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
	whole, err := newCrowd(ctx, dir+"/vault", o.subjects)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, whole.stop()) }()
	var few *crowd // what growth is measured against
	if o.subjects > growthFrom {
		if few, err = newCrowd(ctx, dir+"/few", growthFrom); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, few.stop()) }()
	}
	report.Import = whole.cost
	if err := o.measure(ctx, whole, few, report, say); err != nil {
		return err
	}
	report.judge()
	if err := answer(cmd, report, report.tell); err != nil {
		return err
	}
	return report.held(o.floor)
}

// measure asks both servers, each a process of its own, and a vault of few people
// where there are many.
func (o *benchOptions) measure(ctx context.Context, whole, few *crowd, report *benchReport, say io.Writer) (err error) {
	if err := whole.serve(ctx, o.profile); err != nil {
		return err
	}
	report.Start = whole.start
	if few != nil {
		if err := few.serve(ctx, ""); err != nil {
			return err
		}
	}
	bare, err := whole.startBare(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bare.stop()) }()
	for _, n := range o.connections {
		var r rounds
		before, err := whole.served.counts()
		if err != nil {
			return err
		}
		for round := range o.rounds {
			fmt.Fprintf(say, "%d connections, round %d of %d …\n", n, round+1, o.rounds)
			if err := o.one(ctx, n, whole, few, bare, &r); err != nil {
				return err
			}
		}
		after, err := whole.served.counts()
		if err != nil {
			return err
		}
		report.Runs = append(report.Runs, r.sum(n, before, after))
	}
	report.Start.RssAnonAfter, err = rssAnon(whole.served.cmd.Process.Pid)
	return err
}

// one is one round: each server is warmed, and then asked for as long as the
// others.
func (o *benchOptions) one(ctx context.Context, n int, whole, few *crowd, bare *benchProcess, r *rounds) error {
	if err := whole.warm(ctx, n, o.round); err != nil {
		return err
	}
	if _, err := drive(ctx, bare.url, whole.asks, n, o.round/5); err != nil {
		return err
	}
	sync, err := diskSync(filepath.Dir(whole.dir))
	if err != nil {
		return err
	}
	b, err := bare.drive(ctx, whole.asks, n, o.round)
	if err != nil {
		return err
	}
	v, err := whole.drive(ctx, n, o.round)
	if err != nil {
		return err
	}
	r.bares, r.vaults, r.syncs = append(r.bares, b), append(r.vaults, v), append(r.syncs, sync)
	if few == nil {
		return nil
	}
	if err := few.warm(ctx, n, o.round); err != nil {
		return err
	}
	f, err := few.drive(ctx, n, o.round)
	r.fews = append(r.fews, f)
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
