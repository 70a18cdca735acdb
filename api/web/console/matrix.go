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

// matrixPage is the register as a matrix: for each purpose its fields by its
// channels.
type matrixPage struct {
	Register *registerView // nil: none was applied yet
	Blocks   []matrixBlock
	Unheld   []purposeView // purposes that no channel holds
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

func showMatrix(v *visit) error {
	d, _, err := v.register()
	if err != nil {
		return err
	}
	var p matrixPage
	if d != nil {
		p = matrixOf(d.view())
	}
	return v.render(http.StatusOK, "matrix.html", p)
}

func matrixOf(r *registerView) matrixPage {
	p := matrixPage{Register: r}
	for i := range r.Purposes {
		b := matrixBlock{Purpose: &r.Purposes[i]}
		for _, id := range b.Purpose.Channels {
			b.Channels = append(b.Channels, *r.Channel(id))
		}
		if len(b.Channels) == 0 {
			p.Unheld = append(p.Unheld, r.Purposes[i])
			continue
		}
		for _, name := range b.Purpose.Fields {
			f := r.Field(name)
			if f == nil {
				continue
			}
			row := matrixRow{Field: f}
			for c := range b.Channels {
				at := url.Values{"purpose": {b.Purpose.ID}, "channel": {b.Channels[c].ID}, "field": {name}}
				row.Cells = append(row.Cells, matrixCell{Channel: &b.Channels[c], As: r.As(b.Purpose.ID, b.Channels[c].ID, name), Edit: "/console/matrix/cell?" + at.Encode()})
			}
			b.Rows = append(b.Rows, row)
		}
		p.Blocks = append(p.Blocks, b)
	}
	return p
}

// cellPage is one cell with all that could be said there.
type cellPage struct {
	Purpose *purposeView
	Channel *channelView
	Field   *fieldView
	As      string
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
