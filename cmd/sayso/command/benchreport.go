package command

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
)

// benchReport is what bench found.
type benchReport struct {
	Machine  machine      `json:"machine"`
	Subjects int          `json:"subjects"`
	Rounds   int          `json:"rounds"`
	Seconds  float64      `json:"seconds_a_round"`
	Runs     []benchRun   `json:"runs"`
	Decision decisionTime `json:"decision"`
	Import   importCost   `json:"import"`
	Start    startCost    `json:"start"`
	Budgets  []budget     `json:"budgets"`
}

type machine struct {
	Processors int     `json:"processors"`
	Go         string  `json:"go"`
	Load       string  `json:"load"` // as it was before the measurement began
	Fdatasync  float64 `json:"fdatasync_p50_us"`
}

// benchRun is what both servers did at one number of connections: medians of
// the rounds, and the median of each round's ratio.
type benchRun struct {
	Connections    int     `json:"connections"`
	Bare           pace    `json:"bare"`
	Vault          pace    `json:"vault"`
	Ratio          float64 `json:"ratio"`
	P99Ratio       float64 `json:"p99_ratio"`
	SyncsPerRecord float64 `json:"fsyncs_per_record"`
	Fdatasync      float64 `json:"fdatasync_p50_us"` // of the disk, before each round
	// Processor is what a bare answer takes of the processors to what a read takes.
	// It swings far less than the ratio.
	Processor float64 `json:"processor_ratio"`
	// ToFew is reads a second to those of a vault of growthFrom people.
	ToFew float64 `json:"reads_to_few,omitzero"`
}

type startCost struct {
	Seconds      float64 `json:"seconds"` // until requests are answered, the process's own start included
	RssAnon      int64   `json:"rss_anon_bytes"`
	RssAnonAfter int64   `json:"rss_anon_after_bytes"` // after all the reads
}

// budget is one promise about speed, and how it went.
type budget struct {
	What   string  `json:"what"`
	Budget string  `json:"budget"`
	Figure float64 `json:"figure"`
	Met    bool    `json:"met"`
	// Unmeasured says how to measure it, where that was not done.
	Unmeasured string `json:"unmeasured,omitempty"`
	shown      string
}

// growthFrom is how many people reads of more are held against.
const growthFrom = 10_000

func thisMachine() machine {
	m := machine{Processors: runtime.NumCPU(), Go: runtime.Version()}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load = strings.Join(strings.Fields(string(load))[:3], " ")
	}
	return m
}

// rounds are what the servers did in each round at one number of connections.
type rounds struct {
	bares, vaults, fews []pace
	syncs               []float64
}

func (r *rounds) sum(connections int, before, after benchCounts) benchRun {
	run := benchRun{Connections: connections, Bare: middle(r.bares), Vault: middle(r.vaults), Fdatasync: median(r.syncs)}
	run.Ratio = ratio(r.vaults, r.bares, func(p pace) float64 { return p.PerSecond })
	run.P99Ratio = ratio(r.vaults, r.bares, func(p pace) float64 { return p.P99 })
	run.Processor = ratio(r.bares, r.vaults, func(p pace) float64 { return p.Processor })
	run.SyncsPerRecord = float64(after.Syncs-before.Syncs) / float64(max(1, after.Records-before.Records))
	if len(r.fews) > 0 {
		run.ToFew = ratio(r.vaults, r.fews, func(p pace) float64 { return p.PerSecond })
	}
	return run
}

// ratio is the median of the rounds' ratios.
func ratio(of, to []pace, get func(pace) float64) float64 {
	var all []float64
	for i := range of {
		all = append(all, get(of[i])/get(to[i]))
	}
	return median(all)
}

func middle(rounds []pace) pace {
	of := func(get func(pace) float64) float64 {
		var all []float64
		for _, p := range rounds {
			all = append(all, get(p))
		}
		return median(all)
	}
	return pace{
		PerSecond: of(func(p pace) float64 { return p.PerSecond }),
		P50:       of(func(p pace) float64 { return p.P50 }),
		P99:       of(func(p pace) float64 { return p.P99 }),
		P999:      of(func(p pace) float64 { return p.P999 }),
		Denied:    of(func(p pace) float64 { return p.Denied }),
		Processor: of(func(p pace) float64 { return p.Processor }),
	}
}

func median[T cmp.Ordered](all []T) T {
	slices.Sort(all)
	return all[len(all)/2]
}

// judge holds each budget against its figure. Those of a million people are
// judged for as many as there are.
func (r *benchReport) judge() {
	add := func(met bool, what, budget string, figure float64, shown string, args ...any) {
		r.Budgets = append(r.Budgets, newBudget(met, what, budget, figure, fmt.Sprintf(shown, args...)))
	}
	for _, run := range r.Runs {
		if run.Connections != 64 {
			continue
		}
		add(run.Ratio >= 0.5, "governed read at 64 connections to a bare handler", "≥ 0.5", run.Ratio, "%.2f", run.Ratio)
		add(run.P99Ratio <= 3, "its p99 to the bare handler's", "≤ 3", run.P99Ratio, "%.1f", run.P99Ratio)
		add(run.SyncsPerRecord <= 1.0/16, "fsyncs per record at 64 readers", "≤ 1/16", run.SyncsPerRecord, "1/%.0f", 1/run.SyncsPerRecord)
	}
	if last := r.last(); last.ToFew > 0 {
		add(last.ToFew >= 0.8, fmt.Sprintf("reads of %d people to those of %d", r.Subjects, growthFrom), "≥ 0.8", last.ToFew, "%.2f", last.ToFew)
	} else {
		r.Budgets = append(r.Budgets, budget{What: "reads of 1,000,000 people to those of 10,000", Budget: "≥ 0.8", Unmeasured: "--subjects 1000000, or bench growth"})
	}
	d, first := r.Decision, r.Decision.First/r.Decision.Query
	add(d.Seen <= 2, "decision seen before", "≤ 2 µs", d.Seen, "%.2f µs", d.Seen)
	add(first <= 1.3, "decision the first time to its query alone", "≤ 1.3", first, "%.2f", first)
	add(r.Import.PerSecond >= 20_000, "people filled in a second, eight fields each", "≥ 20,000", r.Import.PerSecond, "%.0f", r.Import.PerSecond)
	add(r.Start.Seconds <= 1, "start", "≤ 1 s", r.Start.Seconds, "%.2f s", r.Start.Seconds)
	add(r.Start.RssAnon <= 300<<20, "memory after start (RssAnon)", "≤ 300 MB", float64(r.Start.RssAnon), "%d MB", r.Start.RssAnon>>20)
	add(r.Start.RssAnonAfter <= 300<<20, "memory after all the reads", "≤ 300 MB", float64(r.Start.RssAnonAfter), "%d MB", r.Start.RssAnonAfter>>20)
	add(r.Import.Kept <= 4, "disk for values, standing, index and keys to the profile's JSON", "≤ 4", r.Import.Kept, "%.1f", r.Import.Kept)
}

// last is the run with the most connections.
func (r *benchReport) last() (last benchRun) {
	for _, run := range r.Runs {
		if run.Connections > last.Connections {
			last = run
		}
	}
	return last
}

// held holds the run against a floor that was recorded.
func (r *benchReport) held(floor float64) error {
	if got := r.last().Processor; got < floor {
		return fmt.Errorf("a read takes 1/%.3f of the processor's time of a bare answer, and at most 1/%.3f is allowed: something became dearer", got, floor)
	}
	return nil
}

func newBudget(met bool, what, limit string, figure float64, shown string) budget {
	return budget{What: what, Budget: limit, Figure: figure, Met: met, shown: shown}
}

func (r *benchReport) tell(w io.Writer) error {
	m := r.Machine
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%d processors, %s, load %s, fdatasync p50 %.0f µs\n", m.Processors, m.Go, m.Load, m.Fdatasync)
	fmt.Fprintf(w, "%d people; medians of %d rounds of %.1f s\n\n", r.Subjects, r.Rounds, r.Seconds)
	fmt.Fprintln(t, "connections\t\tper second\tp50 µs\tp99 µs\tp99.9 µs\tprocessor µs\tratio\tby processor\tfsyncs per record\tfdatasync µs\t")
	for _, run := range r.Runs {
		fmt.Fprintf(t, "%d\tbare\t%.0f\t%.0f\t%.0f\t%.0f\t%.1f\t\t\t\t\t\n", run.Connections, run.Bare.PerSecond, run.Bare.P50, run.Bare.P99, run.Bare.P999, run.Bare.Processor)
		fmt.Fprintf(t, "\tvault\t%.0f\t%.0f\t%.0f\t%.0f\t%.1f\t%.2f\t%.2f\t%.3f\t%.0f\t\n", run.Vault.PerSecond, run.Vault.P50, run.Vault.P99, run.Vault.P999, run.Vault.Processor, run.Ratio, run.Processor, run.SyncsPerRecord, run.Fdatasync)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if len(r.Runs) > 0 {
		fmt.Fprintf(w, "\n%.0f %% of the reads were denied.", 100*r.Runs[0].Vault.Denied)
	}
	fmt.Fprintf(w, " A decision: query alone %.0f µs, first time %.0f µs, seen before %.2f µs.\n\n", r.Decision.Query, r.Decision.First, r.Decision.Seen)
	if err := r.Import.tell(w); err != nil {
		return err
	}
	t = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "\nbudget\t\tfigure\t\n")
	for _, b := range r.Budgets {
		verdict := "met"
		switch {
		case b.Unmeasured != "":
			verdict = "not measured: " + b.Unmeasured
		case !b.Met:
			verdict = "NOT MET"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", b.What, b.Budget, b.shown, verdict)
	}
	return t.Flush()
}

func (c *importCost) tell(w io.Writer) error {
	fmt.Fprintf(w, "Filled %d people, %.0f a second. A profile is %.0f bytes of JSON; on disk a person takes, in bytes:\n", c.Subjects, c.PerSecond, c.Profile)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, part := range slices.SortedFunc(maps.Keys(c.PerPerson), func(a, b string) int { return cmp.Compare(c.PerPerson[b], c.PerPerson[a]) }) {
		if c.PerPerson[part] >= 1 {
			fmt.Fprintf(t, "  %s\t%.0f\n", part, c.PerPerson[part])
		}
	}
	fmt.Fprintf(t, "  values, standing, index and keys\t%.1f × the profile\n", c.Kept)
	return t.Flush()
}
