package console

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/sayso-vault/sayso/api"
	"github.com/sayso-vault/sayso/api/web/page"
	"github.com/sayso-vault/sayso/vault"
)

func reportRoutes() []route {
	return []route{
		{pattern: "GET /console/reports", do: listReports},
		{pattern: "GET /console/reports/activities", do: showActivities},
		{pattern: "GET /console/reports/{report}", do: showReport},
		{pattern: "POST /console/reports/{report}/stop", do: stopReport},
	}
}

// reportNames are the reports over a time.
var reportNames = []string{"consents", "denials", "gaps", "unread"}

// spansOfReports are the times a report can be of: days back, 0 for all.
var spansOfReports = []int{7, 30, 90, 365, 0}

func listReports(v *visit) error {
	return v.render(http.StatusOK, "reports.html", reportNames)
}

// reportPage is one report, or how far it is.
type reportPage struct {
	Name     string
	Days     int
	Spans    []int
	Made     time.Time
	Progress *progress
	Problem  *problem

	Charts   []page.Bars
	Consents *vault.ConsentsOverTime
	Denials  *vault.Denials
	Gaps     *vault.Gaps
	Unread   *vault.Unread
}

func showReport(v *visit) error {
	p := reportPage{Name: v.r.PathValue("report"), Spans: spansOfReports, Days: 30}
	if !slices.Contains(reportNames, p.Name) {
		return errNotFound
	}
	if text := v.r.URL.Query().Get("days"); text != "" {
		days, err := strconv.Atoi(text)
		if err != nil || !slices.Contains(spansOfReports, days) {
			return errNotFound
		}
		p.Days = days
	}
	b, err := v.report(p.Name, p.Days)
	if err != nil {
		return err
	}
	if v.polled(b) {
		return nil
	}
	format := v.r.URL.Query().Get("format")
	if b.wait(v.ctx); !b.over() {
		if format != "" {
			v.w.Header().Set("Retry-After", "2")
		}
		p.Progress = v.progress(b)
		return v.render(http.StatusOK, "report.html", p)
	}
	if b.err != nil && !b.stopped() {
		wrong := problemOf(b.err)
		p.Problem = &wrong
		v.logger.ErrorContext(v.ctx, "a report ended", "report", p.Name, "err", b.err)
		return v.render(wrong.Status, "report.html", p)
	}
	if b.stopped() {
		return v.render(http.StatusOK, "report.html", p)
	}
	if format != "" {
		return v.download(p.Name, format, b.result)
	}
	p.Made = b.ended
	switch out := b.result.(type) {
	case *vault.ConsentsOverTime:
		p.Consents, p.Charts = out, v.consentCharts(out)
	case *vault.Denials:
		p.Denials, p.Charts = out, v.denialCharts(out)
	case *vault.Gaps:
		p.Gaps, p.Charts = out, v.gapCharts(out)
	case *vault.Unread:
		p.Unread, p.Charts = out, v.unreadCharts(out)
	}
	return v.render(http.StatusOK, "report.html", p)
}

// report is the job that makes a report of some days up to now. Who asks again
// within a minute sees the same.
func (v *visit) report(name string, days int) (*job, error) {
	by := v.by
	var from time.Time
	if days > 0 {
		from = v.now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -days+1)
	}
	return v.jobs.begin(by.Client.Officer, "report", fmt.Sprint(name, " ", days), name, func(ctx context.Context, progress func(done, of uint64)) (any, error) {
		req := vault.ReportRequest{From: from, Progress: progress}
		switch name {
		case "consents":
			return v.vault.ConsentsOverTime(ctx, by, req)
		case "denials":
			return v.vault.Denials(ctx, by, req)
		case "gaps":
			return v.vault.Gaps(ctx, by, req)
		}
		return v.vault.Unread(ctx, by, req)
	})
}

func stopReport(v *visit) error {
	name := v.r.PathValue("report")
	b := v.jobs.find(v.value("job"))
	if b == nil || b.about != name {
		return errNotFound
	}
	if err := v.mine(b); err != nil {
		return err
	}
	b.stop()
	b.wait(v.ctx)
	return v.redirect("/console/reports")
}

// download answers with a report as a file.
func (v *visit) download(name, format string, report any) error {
	var body []byte
	var err error
	media := "application/json"
	switch format {
	case "json":
		body, err = json.MarshalIndent(report, "", "  ")
	case "csv":
		media = "text/csv; charset=utf-8"
		body, err = api.Table(report)
	default:
		return errNotFound
	}
	if err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", media)
	h.Set("Content-Disposition", `attachment; filename="`+name+"."+format+`"`)
	_, err = v.w.Write(body)
	return err
}

// consentCharts draws how many people's consent stood, purpose by purpose.
func (v *visit) consentCharts(out *vault.ConsentsOverTime) (charts []page.Bars) {
	for _, p := range out.Purposes {
		c := page.Bars{Title: v.say("report.consents.chart", "purpose", p.Purpose), Label: v.say("report." + out.Step), Count: v.say("report.standing")}
		every := max(1, (len(p.Points)+11)/12) // twelve bars at most
		for i, point := range p.Points {
			if (len(p.Points)-1-i)%every != 0 {
				continue
			}
			layout := time.DateOnly
			if out.Step == "month" {
				layout = "2006-01"
			}
			c.Bars = append(c.Bars, page.Bar{Label: point.Begins.Format(layout), Count: point.Standing})
		}
		charts = append(charts, c)
	}
	return charts
}

func (v *visit) denialCharts(out *vault.Denials) []page.Bars {
	counts := map[string]int{}
	for _, row := range out.By {
		counts[row.Code] += row.Decisions
	}
	c := page.Bars{Title: v.say("report.denials.chart"), Label: v.say("report.reason"), Count: v.say("report.decisions")}
	for code, n := range counts {
		c.Bars = append(c.Bars, page.Bar{Label: v.code(code), Count: n})
	}
	slices.SortFunc(c.Bars, func(a, b page.Bar) int { return b.Count - a.Count })
	return []page.Bars{c}
}

func (v *visit) gapCharts(out *vault.Gaps) []page.Bars {
	c := page.Bars{Title: v.say("report.gaps.chart"), Label: v.say("report.gap"), Count: v.say("report.asked")}
	for _, g := range out.Gaps[:min(len(out.Gaps), 10)] {
		label := string(g.Channel)
		if g.Field != "" {
			label += " · " + string(g.Field)
		} else if g.Purpose != "" {
			label += " · " + string(g.Purpose)
		}
		c.Bars = append(c.Bars, page.Bar{Label: label, Count: g.Asked})
	}
	return []page.Bars{c}
}

func (v *visit) unreadCharts(out *vault.Unread) []page.Bars {
	c := page.Bars{Title: v.say("report.unread.chart"), Label: v.say("report.field"), Count: v.say("report.shown")}
	for _, f := range out.Fields {
		if f.Held > 0 {
			c.Bars = append(c.Bars, page.Bar{Label: string(f.Field), Count: f.Shown, Note: v.say("report.of_people", "n", f.Held)})
		}
	}
	c.Bars = c.Bars[:min(len(c.Bars), 15)]
	return []page.Bars{c}
}

// code is a reason in words, or itself.
func (v *visit) code(code string) string {
	if words := v.say("code." + code); words != "code."+code {
		return words
	}
	return code
}

// showActivities is the record of processing activities (Art. 30 GDPR).
func showActivities(v *visit) error {
	out, err := v.vault.ProcessingActivities(v.ctx, v.by)
	if err != nil {
		return err
	}
	if format := v.r.URL.Query().Get("format"); format != "" {
		return v.download("processing-activities", format, out)
	}
	return v.render(http.StatusOK, "activities.html", out)
}
