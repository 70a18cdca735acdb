package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/api/wire"
)

// How much is sent at once: each batch is one transaction of the vault.
const (
	batchRows  = 500
	batchBytes = 3 << 20
	rowBytes   = 256 << 10
)

// importing is one file on its way into the vault.
type importing struct {
	vault    *client.Client
	mapping  *mapping
	rejects  *rejectsFile
	report   importReport
	progress func(*importReport) // nil: nobody looks on

	batch []*wire.CaptureRequest
	lines []int // of the file, one for each of the batch
	bytes int
	done  int // the last line of which it is known what became
}

func (i *importing) run(ctx context.Context, file io.Reader) error {
	t, err := openTable(file, i.mapping.separator)
	if err != nil {
		return err
	}
	for {
		row, wrong, err := t.next()
		switch {
		case errors.Is(err, io.EOF):
			return i.send(ctx)
		case err != nil:
			return err
		case wrong != nil:
			if err := i.reject(*wrong); err != nil {
				return err
			}
			continue
		}
		if err := i.add(ctx, row); err != nil {
			return err
		}
	}
}

func (i *importing) add(ctx context.Context, r *row) error {
	req, rejects := i.mapping.capture(r)
	if len(rejects) > 0 {
		return i.reject(rejects...)
	}
	line, err := json.Marshal(req)
	if err != nil {
		return err
	}
	if len(line) > rowBytes {
		return i.reject(reject{line: r.line, code: rejectLong, detail: "expected at most 256 KiB in one row"})
	}
	if len(i.batch) == batchRows || i.bytes+len(line) > batchBytes {
		if err := i.send(ctx); err != nil {
			return err
		}
	}
	i.batch, i.lines, i.bytes = append(i.batch, req), append(i.lines, r.line), i.bytes+len(line)+1
	return nil
}

// send captures the batch and counts what became of each row.
func (i *importing) send(ctx context.Context) error {
	if len(i.batch) == 0 {
		return nil
	}
	answers, err := i.capture(ctx)
	if err != nil {
		return err
	}
	for k, a := range answers {
		switch a.Status {
		case http.StatusCreated:
			i.report.Imported++
			i.report.Created++
		case http.StatusOK:
			i.report.Imported++
			i.report.Known++
		default:
			if err := i.reject(rejectsOf(i.lines[k], a)...); err != nil {
				return err
			}
		}
	}
	i.done = i.lines[len(i.lines)-1]
	i.batch, i.lines, i.bytes = nil, nil, 0
	if i.progress != nil {
		i.progress(&i.report)
	}
	return nil
}

// capture sends the batch; a vault that asks for patience gets it.
func (i *importing) capture(ctx context.Context) ([]wire.CaptureLine, error) {
	for attempt := 1; ; attempt++ {
		answers, err := i.vault.CaptureBatch(ctx, i.batch)
		var refused *client.Error
		if !errors.As(err, &refused) || attempt == 5 || refused.RetryAfter == 0 || refused.RetryAfter > time.Minute {
			return answers, err
		}
		select {
		case <-time.After(refused.RetryAfter):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func rejectsOf(line int, a wire.CaptureLine) []reject {
	if len(a.Errors) == 0 {
		return []reject{{line: line, code: a.Code, detail: a.Detail}}
	}
	var all []reject
	for _, e := range a.Errors {
		all = append(all, reject{line: line, field: e.Field, code: e.Code, detail: e.Detail})
	}
	return all
}

// reject notes a row that was not imported, with everything that is wrong with
// it.
func (i *importing) reject(all ...reject) error {
	i.report.Rejected++
	for _, r := range all {
		if err := i.rejects.add(r); err != nil {
			return err
		}
		k := slices.IndexFunc(i.report.Why, func(c importCause) bool { return c.Field == r.field && c.Code == r.code && c.Detail == r.detail })
		if k < 0 {
			k = len(i.report.Why)
			i.report.Why = append(i.report.Why, importCause{Field: r.field, Code: r.code, Detail: r.detail})
		}
		i.report.Why[k].Count++
	}
	return nil
}

// soFar says what an import that ended early has done.
func (i *importing) soFar() string {
	if i.report.Imported == 0 {
		return "nothing was imported"
	}
	return fmt.Sprintf("%d rows, up to line %d, are imported", i.report.Imported, i.done)
}
