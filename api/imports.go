package api

import (
	"bytes"
	"encoding/hex"
	"net/http"
	"reflect"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
)

var (
	importRowsHandler = handler{serve: importRows, in: reflect.TypeFor[wire.CaptureRequest](), out: reflect.TypeFor[wire.ImportAnswer](),
		takes: []string{mediaNDJSON}, statuses: []int{http.StatusOK}}
	checkRowsHandler = handler{serve: checkRows, in: reflect.TypeFor[wire.CaptureRequest](), out: reflect.TypeFor[wire.Rejects](),
		takes: []string{mediaNDJSON}, statuses: []int{http.StatusOK}}
)

// importRows captures rows of an import: a capture a line, an empty line for a
// row that is left out. The answer tells how far the import is and what was
// rejected, and names nobody.
func importRows(x *exchange) error {
	id, err := x.importID()
	if err != nil {
		return err
	}
	req := vault.ImportRequest{ID: id}
	if req.From, err = x.number("from"); err == nil {
		req.Of, err = x.number("of")
	}
	if err == nil {
		req.Rows, err = x.rows()
	}
	if err != nil {
		return err
	}
	by := once(x, func(r vault.ImportedRows) (int, wire.ImportAnswer) {
		return http.StatusOK, wire.ImportAnswer{Import: imported(r.Import), Rejects: rejected(r.Rejects)}
	})
	now, rejects, err := x.door.ImportRows(x.ctx, by, req)
	if err != nil {
		return err
	}
	return x.encode(http.StatusOK, &wire.ImportAnswer{Import: imported(now), Rejects: rejected(rejects)})
}

// checkRows says what would be rejected, and keeps nothing.
func checkRows(x *exchange) error {
	from, err := x.number("from")
	if err != nil {
		return err
	}
	rows, err := x.rows()
	if err != nil {
		return err
	}
	rejects, err := x.door.CheckRows(x.ctx, x.caller, from, rows)
	if err != nil {
		return err
	}
	return x.encode(http.StatusOK, &wire.Rejects{Rejects: rejected(rejects)})
}

func showImport(x *exchange) (*wire.Import, error) {
	id, err := x.importID()
	if err != nil {
		return nil, err
	}
	now, err := x.door.Import(x.ctx, x.caller, id)
	if err != nil {
		return nil, err
	}
	shown := imported(now)
	return &shown, nil
}

func showRejects(x *exchange) (*wire.Rejects, error) {
	id, err := x.importID()
	if err != nil {
		return nil, err
	}
	after, err := x.number("after")
	if err != nil {
		return nil, err
	}
	rejects, next, err := x.door.ImportRejects(x.ctx, x.caller, id, after)
	if err != nil {
		return nil, err
	}
	return &wire.Rejects{Rejects: rejected(rejects), Next: next}, nil
}

func imported(i *vault.Import) wire.Import {
	return wire.Import{Import: hex.EncodeToString(i.ID[:]), Rows: i.Rows, Next: i.Next, Created: i.Created, Known: i.Known, Rejected: i.Rejected,
		BeganAt: i.Began, ChangedAt: i.Changed}
}

func rejected(all []vault.Reject) []wire.Reject {
	out := make([]wire.Reject, len(all))
	for i, r := range all {
		out[i] = wire.Reject(r)
	}
	return out
}

// importID reads which import a path is about.
func (x *exchange) importID() (id vault.ImportID, err error) {
	text := x.r.PathValue("import")
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(id) || hex.EncodeToString(raw) != text {
		return id, unprocessable("import", wire.CodeInvalid, "is a hash of 64 hexadecimal digits, in lower case")
	}
	return vault.ImportID(raw), nil
}

// number reads a parameter that counts; absent it is 0.
func (x *exchange) number(name string) (uint64, error) {
	text := x.query.Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 53)
	if err != nil {
		return 0, unprocessable(name, wire.CodeInvalid, "is a number of rows")
	}
	return n, nil
}

// rows reads a capture a line, as strictly as one by itself.
func (x *exchange) rows() ([]vault.ImportRow, error) {
	body, err := x.body(lineTypes()...)
	if err != nil {
		return nil, err
	}
	if len(body) == 0 {
		return nil, unprocessable("body", wire.CodeRequired, "a capture a line was expected")
	}
	if lines := bytes.Count(body, []byte("\n")); lines > vault.MaxImportRows {
		return nil, refusal{code: "too_large", detail: "at most " + strconv.Itoa(vault.MaxImportRows) + " rows may be sent at once"}
	}
	lines := bytes.Split(bytes.TrimSuffix(body, []byte("\n")), []byte("\n"))
	rows := make([]vault.ImportRow, len(lines))
	beside(len(lines), func(i int) {
		if len(bytes.TrimSpace(lines[i])) == 0 {
			return
		}
		var in wire.CaptureRequest
		if err := decode(lines[i], &in); err != nil {
			rows[i].Wrong = wrongLine(err)
			return
		}
		ask := captureOf(&in)
		rows[i].Capture = &ask
	})
	return rows, nil
}

// wrongLine is why a line is no capture, in the vault's words.
func wrongLine(err error) *vault.Error {
	r, _ := refusalOf(err)
	e := &vault.Error{Code: r.code, Detail: r.detail}
	for _, f := range r.fields {
		e.Fields = append(e.Fields, vault.FieldError(f))
	}
	return e
}

// beside does n things that take little each, as many beside each other as there
// are processors.
func beside(n int, do func(i int)) {
	workers := min(runtime.GOMAXPROCS(0), (n+63)/64)
	var working sync.WaitGroup
	for w := range workers {
		working.Go(func() {
			for i := n * w / workers; i < n*(w+1)/workers; i++ {
				do(i)
			}
		})
	}
	working.Wait()
}

// patiently is the deadline of what takes thousands of captures in.
const patiently = 2 * time.Minute
