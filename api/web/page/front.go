package page

import (
	"embed"
	"io/fs"
	"net/http"
)

//go:embed front
var frontFiles embed.FS

// Front is the page at "/", which leads to the families of pages, and the styles
// and scripts that all of them load.
type Front struct{ site *Site }

// NewFront returns the front page.
func NewFront() (*Front, error) {
	templates, err := fs.Sub(frontFiles, "front/templates")
	if err != nil {
		return nil, err
	}
	messages, err := fs.Sub(frontFiles, "front/messages")
	if err != nil {
		return nil, err
	}
	site, err := New(Config{Templates: templates, Messages: messages})
	if err != nil {
		return nil, err
	}
	return &Front{site: site}, nil
}

// Mount binds "/" and [AssetsPath].
func (f *Front) Mount(mux *http.ServeMux) {
	mux.Handle("GET "+AssetsPath, Assets())
	mux.Handle("GET /{$}", Guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := f.site.Render(w, r, http.StatusOK, "front.html", nil); err != nil {
			http.Error(w, "something went wrong", http.StatusInternalServerError)
		}
	})))
}
