package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// newBenchGrowth measures what becomes of reads, memory and disk as a vault grows.
func newBenchGrowth() *cobra.Command {
	o := growthOptions{sizes: []int{10_000, 100_000, 1_000_000}}
	cmd := &cobra.Command{
		Use:   "growth",
		Short: "Measure what becomes of reads, start, memory and disk as a vault grows",
		Long: `growth fills a vault of each size, starts each from the disk, and asks them turn
by turn, and a bare handler too, by the same number of connections. At last it
reads many people of each by one request. A picture of it all can be drawn.`,
		Example: `  sayso bench growth
  sayso bench growth --subjects 1000,10000 --rounds 3 --svg growth.svg`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	flags := cmd.Flags()
	flags.IntSliceVar(&o.sizes, "subjects", o.sizes, "people in the vaults, the fewest first")
	flags.IntVar(&o.connections, "connections", 64, "connections to ask by")
	flags.IntVar(&o.rounds, "rounds", 5, "rounds, each of every server")
	flags.DurationVar(&o.round, "round", 5*time.Second, "how long each server is asked in a round")
	flags.IntVar(&o.lines, "lines", 200_000, "people to read by one request")
	flags.StringVar(&o.svg, "svg", "", "file to draw the picture into")
	flags.StringVar(&o.in, "in", "", "folder to make the temporary one in, on the disk to be measured (default: the system's)")
	return cmd
}

type growthOptions struct {
	sizes         []int
	connections   int
	rounds, lines int
	round         time.Duration
	svg, in       string
}

// growthReport is what growth found.
type growthReport struct {
	Machine     machine      `json:"machine"`
	Connections int          `json:"connections"`
	Rounds      int          `json:"rounds"`
	Seconds     float64      `json:"seconds_a_round"`
	Bare        pace         `json:"bare"`
	Sizes       []growthSize `json:"sizes"`
}

// growthSize is one vault: medians of the rounds, and of their ratios.
type growthSize struct {
	Subjects int        `json:"subjects"`
	Import   importCost `json:"import"`
	Start    startCost  `json:"start"`
	Reads    pace       `json:"reads"`
	// ToFewest is reads a second to those of the smallest vault, and Processor what
	// a read of that takes of the processors to one of this.
	ToFewest  float64 `json:"reads_to_fewest"`
	Processor float64 `json:"processor_to_fewest"`
	Ratio     float64 `json:"ratio"` // reads a second to bare answers
	// Grown is by how much vault.db grew for one of the reads, each by itself.
	Grown  float64    `json:"grown_bytes_per_read"`
	Stream streamCost `json:"stream"`
}

func (o *growthOptions) run(cmd *cobra.Command) (err error) {
	if len(o.sizes) == 0 || o.rounds < 1 || o.connections < 1 || o.connections > 1024 || o.round < 100*time.Millisecond || o.lines < 1 ||
		o.lines > 1_000_000 || !slices.IsSorted(o.sizes) || o.sizes[0] < 10 {
		return misuse("sizes of at least 10 people, the fewest first, one round of 100ms, 1 to 1024 connections and 1 to 1000000 lines are needed")
	}
	dir, err := os.MkdirTemp(o.in, "sayso-growth-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ctx, say := cmd.Context(), cmd.ErrOrStderr()
	report := &growthReport{Connections: o.connections, Rounds: o.rounds, Seconds: o.round.Seconds(), Machine: thisMachine()}
	if report.Machine.Fdatasync, err = diskSync(dir); err != nil {
		return err
	}
	var crowds []*crowd
	defer func() {
		for _, c := range crowds {
			err = errors.Join(err, c.stop())
		}
	}()
	for i, n := range o.sizes {
		fmt.Fprintf(say, "Filling a vault with %d people …\n", n)
		c, err := newCrowd(ctx, filepath.Join(dir, fmt.Sprint(i)), n)
		if err != nil {
			return err
		}
		crowds = append(crowds, c)
	}
	for _, c := range crowds {
		if err := c.serve(ctx, ""); err != nil {
			return err
		}
	}
	if err := o.measure(ctx, crowds, report, say); err != nil {
		return err
	}
	if o.svg != "" {
		if err := os.WriteFile(o.svg, report.picture(), 0o644); err != nil { //nolint:gosec // a picture to show
			return err
		}
	}
	return answer(cmd, report, report.tell)
}

// measure asks all of them, turn by turn.
func (o *growthOptions) measure(ctx context.Context, crowds []*crowd, report *growthReport, say io.Writer) (err error) {
	bare, err := crowds[0].startBare(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bare.stop()) }()
	var bares []pace
	reads, before := make([][]pace, len(crowds)), make([]benchCounts, len(crowds))
	for i, c := range crowds {
		if before[i], err = c.served.counts(); err != nil {
			return err
		}
	}
	for round := range o.rounds {
		fmt.Fprintf(say, "Round %d of %d …\n", round+1, o.rounds)
		b, err := bare.drive(ctx, crowds[0].asks, o.connections, o.round)
		if err != nil {
			return err
		}
		bares = append(bares, b)
		for i, c := range crowds {
			if err := c.warm(ctx, o.connections, o.round); err != nil {
				return err
			}
			p, err := c.drive(ctx, o.connections, o.round)
			if err != nil {
				return err
			}
			reads[i] = append(reads[i], p)
		}
	}
	report.Bare = middle(bares)
	for i, c := range crowds {
		fmt.Fprintf(say, "Reading %d people of %d by one request …\n", o.lines, o.sizes[i])
		s := growthSize{Subjects: o.sizes[i], Import: c.cost, Start: c.start, Reads: middle(reads[i]),
			ToFewest:  ratio(reads[i], reads[0], func(p pace) float64 { return p.PerSecond }),
			Processor: ratio(reads[0], reads[i], func(p pace) float64 { return p.Processor }),
			Ratio:     ratio(reads[i], bares, func(p pace) float64 { return p.PerSecond })}
		after, err := c.served.counts()
		if err != nil {
			return err
		}
		s.Grown = float64(after.Bytes-before[i].Bytes) / float64(max(1, after.Records-before[i].Records))
		if s.Stream, err = c.stream(ctx, o.lines); err != nil {
			return err
		}
		if s.Start.RssAnonAfter, err = rssAnon(c.served.cmd.Process.Pid); err != nil {
			return err
		}
		report.Sizes = append(report.Sizes, s)
	}
	return nil
}

func (r *growthReport) tell(w io.Writer) error {
	m := r.Machine
	fmt.Fprintf(w, "%d processors, %s, load %s, fdatasync p50 %.0f µs\n", m.Processors, m.Go, m.Load, m.Fdatasync)
	fmt.Fprintf(w, "%d connections; medians of %d rounds of %.1f s; a bare answer takes %.1f µs of the processors\n\n", r.Connections, r.Rounds, r.Seconds, r.Bare.Processor)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(what, form string, get func(s growthSize) any) {
		fmt.Fprintf(t, "%s\t", what)
		for _, s := range r.Sizes {
			fmt.Fprintf(t, form+"\t", get(s))
		}
		fmt.Fprintln(t)
	}
	mb := func(b int64) any { return float64(b) / (1 << 20) }
	line("people", "%d", func(s growthSize) any { return s.Subjects })
	line("filled, people a second", "%.0f", func(s growthSize) any { return s.Import.PerSecond })
	line("disk to the profile's JSON", "%.2f", func(s growthSize) any { return s.Import.Kept })
	line("start from the disk, s", "%.2f", func(s growthSize) any { return s.Start.Seconds })
	line("memory after start, MB", "%.0f", func(s growthSize) any { return mb(s.Start.RssAnon) })
	line("reads a second", "%.0f", func(s growthSize) any { return s.Reads.PerSecond })
	line("… to the fewest", "%.2f", func(s growthSize) any { return s.ToFewest })
	line("… to a bare handler", "%.2f", func(s growthSize) any { return s.Ratio })
	line("processor µs a read", "%.1f", func(s growthSize) any { return s.Reads.Processor })
	line("… of the fewest to this", "%.2f", func(s growthSize) any { return s.Processor })
	line("p50 µs", "%.0f", func(s growthSize) any { return s.Reads.P50 })
	line("p99 µs", "%.0f", func(s growthSize) any { return s.Reads.P99 })
	line("p99.9 µs", "%.0f", func(s growthSize) any { return s.Reads.P999 })
	line("stream, lines a second", "%.0f", func(s growthSize) any { return s.Stream.PerSecond })
	line("memory before it, MB", "%.0f", func(s growthSize) any { return mb(s.Stream.RssAnonBefore) })
	line("… at most during it", "%.0f", func(s growthSize) any { return mb(s.Stream.RssAnonMost) })
	line("vault.db grew, bytes a line", "%.0f", func(s growthSize) any { return s.Stream.Grown })
	line("… and a read by itself", "%.0f", func(s growthSize) any { return s.Grown })
	return t.Flush()
}
