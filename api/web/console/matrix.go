package console

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
)

func matrixRoutes() []route {
	return []route{
		{pattern: "GET /console/matrix", do: showMatrix},
		{pattern: "GET /console/matrix/cell", do: showCell},
		{pattern: "POST /console/matrix/cell", do: setCell},
	}
}

// maxCells is how many cells one page shows. A register that has more is shown a
// purpose at a time, and a purpose that has more in parts: a page of some hundred
// kilobytes, and of about a megabyte where every name is as long as it may be.
const maxCells = 2000

// minColumns is how many channels stand side by side at least where a purpose is
// shown in parts, if it has so many.
const minColumns = 25

// matrixPage is the register as a matrix: for each purpose its fields by its
// channels.
type matrixPage struct {
	Register *registerView // nil: none was applied yet
	Blocks   []matrixBlock
	Choice   *matrixChoice // nil: all cells are shown
	Unheld   []purposeView // purposes that no channel holds
}

// matrixChoice is which part of a large matrix is shown, and which there are.
type matrixChoice struct {
	Purpose          string
	Purposes         []purposeView
	Fields, Channels []matrixPart // nil: all of the purpose's are shown
}

// matrixPart is a run of a purpose's fields or channels: from the first, by whose
// name it is asked for, to the last.
type matrixPart struct {
	From, To    int // counted from 1
	First, Last string
	Here        bool
}

type matrixBlock struct {
	Purpose  *purposeView
	Channels []channelView
	Rows     []matrixRow
}

type matrixRow struct {
	Field *fieldView
	Cells []matrixCell
}

// matrixCell is one decision of the matrix, with where it is changed.
type matrixCell struct {
	Channel *channelView
	As      string // "", "withhold" or a mask
	Edit    string
}

// whereCell is the query that names a cell, and the part of the matrix it is in.
func whereCell(purpose, channel, field string) string {
	return url.Values{"purpose": {purpose}, "channel": {channel}, "field": {field}}.Encode()
}

func showMatrix(v *visit) error {
	d, _, err := v.register()
	if err != nil {
		return err
	}
	var p matrixPage
	if d != nil {
		p = matrixOf(d.view(), v.r.URL.Query())
	}
	return v.render(http.StatusOK, "matrix.html", p)
}

// matrixOf is the whole matrix or, of a large one, the part that has the cell
// asked for: of its purpose, channel and field, each the first if there is no
// such. Cells that are not shown are not made.
func matrixOf(r *registerView, asked url.Values) matrixPage {
	p := matrixPage{Register: r}
	var held []purposeView
	cells := 0
	for _, purpose := range r.Purposes {
		if len(purpose.Channels) == 0 {
			p.Unheld = append(p.Unheld, purpose)
			continue
		}
		held = append(held, purpose)
		cells += len(purpose.Channels) * len(purpose.Fields)
	}
	if cells <= maxCells {
		for i := range held {
			p.Blocks = append(p.Blocks, blockOf(r, &held[i], held[i].Channels, held[i].Fields))
		}
		return p
	}
	i := max(0, slices.IndexFunc(held, func(h purposeView) bool { return h.ID == asked.Get("purpose") }))
	shown := &held[i]
	p.Choice = &matrixChoice{Purpose: shown.ID, Purposes: held}
	columns := max(minColumns, maxCells/max(1, len(shown.Fields)))
	rows := maxCells / min(columns, len(shown.Channels))
	var channels, fields []string
	channels, p.Choice.Channels = partOf(shown.Channels, columns, asked.Get("channel"))
	fields, p.Choice.Fields = partOf(shown.Fields, rows, asked.Get("field"))
	p.Blocks = []matrixBlock{blockOf(r, shown, channels, fields)}
	return p
}

// partOf returns those of all that stand in the part that has one of them, and
// which parts of that size there are; nil if it is all.
func partOf(all []string, size int, with string) (shown []string, parts []matrixPart) {
	if len(all) <= size {
		return all, nil
	}
	here := max(0, slices.Index(all, with)) / size
	for part := range slices.Chunk(all, size) {
		from := len(parts)*size + 1
		if len(parts) == here {
			shown = part
		}
		parts = append(parts, matrixPart{From: from, To: from + len(part) - 1, First: part[0], Last: part[len(part)-1], Here: len(parts) == here})
	}
	return shown, parts
}

// blockOf is what a purpose's channels see of its fields.
func blockOf(r *registerView, p *purposeView, channels, fields []string) matrixBlock {
	b := matrixBlock{Purpose: p}
	for _, id := range channels {
		b.Channels = append(b.Channels, *r.Channel(id))
	}
	for _, name := range fields {
		f := r.Field(name)
		if f == nil {
			continue
		}
		row := matrixRow{Field: f}
		for c := range b.Channels {
			id := b.Channels[c].ID
			row.Cells = append(row.Cells, matrixCell{Channel: &b.Channels[c], As: r.As(p.ID, id, name), Edit: "/console/matrix/cell?" + whereCell(p.ID, id, name)})
		}
		b.Rows = append(b.Rows, row)
	}
	return b
}

// cellPage is one cell with all that could be said there.
type cellPage struct {
	Purpose *purposeView
	Channel *channelView
	Field   *fieldView
	As      string
	Back    string   // the matrix, where the cell is in it
	Choices []string // "", masks that fit, "withhold"
	Wrong   *wrong
}

func showCell(v *visit) error { return v.renderCell(v.r.URL.Query(), nil) }

func (v *visit) renderCell(of url.Values, bad *wrong) error {
	d, _, err := v.register()
	if err != nil {
		return err
	}
	if d == nil {
		return errNotFound
	}
	r := d.view()
	p := cellPage{Purpose: r.Purpose(of.Get("purpose")), Channel: r.Channel(of.Get("channel")), Field: r.Field(of.Get("field")), Wrong: bad}
	if p.Purpose == nil || p.Channel == nil || p.Field == nil || !slices.Contains(p.Purpose.Fields, p.Field.Name) || !slices.Contains(p.Purpose.Channels, p.Channel.ID) {
		return errNotFound
	}
	p.As = r.As(p.Purpose.ID, p.Channel.ID, p.Field.Name)
	p.Back = "/console/matrix?" + whereCell(p.Purpose.ID, p.Channel.ID, p.Field.Name) + "#" + p.Purpose.ID
	p.Choices = append(append([]string{""}, fitting(p.Field.Type)...), "withhold")
	return v.render(bad.status(), "cell.html", p)
}

// setCell lays what was chosen for a cell on the officer's desk.
func setCell(v *visit) error {
	if err := v.r.ParseForm(); err != nil {
		return err
	}
	e := edit{Kind: "cell", Purpose: v.value("purpose"), Channel: v.value("channel"), Field: v.value("field"), As: v.value("as")}
	if e.As == "shown" {
		e.As = ""
	}
	bad, err := v.change(e)
	if errors.Is(err, errMoved) {
		return errNotFound
	}
	if err != nil {
		return err
	}
	if !bad.Empty() {
		return v.renderCell(v.r.PostForm, bad)
	}
	return v.toReview()
}
