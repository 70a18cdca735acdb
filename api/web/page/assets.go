package page

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
)

//go:embed assets
var assetFiles embed.FS

// AssetsPath is where [Assets] is to be mounted.
const AssetsPath = "/assets/"

type asset struct {
	path    string // with the hash of its content
	content []byte
}

// assets are read once; their paths change with their content, so browsers may
// keep them for ever.
var assets = sync.OnceValue(func() map[string]asset {
	all := map[string]asset{}
	entries, err := fs.ReadDir(assetFiles, "assets")
	if err != nil {
		panic(err) // embedded: cannot happen in a program that was built
	}
	for _, e := range entries {
		content, err := assetFiles.ReadFile("assets/" + e.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(content)
		ext := path.Ext(e.Name())
		name := strings.TrimSuffix(e.Name(), ext) + "." + base64.RawURLEncoding.EncodeToString(sum[:9]) + ext
		all[e.Name()] = asset{path: AssetsPath + name, content: content}
	}
	return all
})

// assetPath is where the asset called name is served.
func assetPath(name string) (string, error) {
	a, ok := assets()[name]
	if !ok {
		return "", fmt.Errorf("there is no asset %q", name)
	}
	return a.path, nil
}

// Assets serves styles and scripts below [AssetsPath].
func Assets() http.Handler {
	byPath := map[string]asset{}
	for _, a := range assets() {
		byPath[a.path] = a
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, ok := byPath[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		h.Set("Content-Type", mime.TypeByExtension(path.Ext(a.path)))
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Set("X-Content-Type-Options", "nosniff")
		w.Write(a.content) //nolint:errcheck // who went away needs no style
	})
}
