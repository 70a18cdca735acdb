package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/sayso-vault/sayso/"

// floors are the house: a package imports only what lies below it. A package
// that is not listed has no place yet: give it one.
//
// What lies beside each other on a floor may be named after the colon: the
// packages of its own floor that it may import.
var floors = [][]string{
	{ // 0: the words, the engine contract, the keys
		"vault/privacy:",
		"vault/store:",
		"keys: vault/privacy",
	},
	{ // 1: the pure decision, what the vault keeps, the engines
		"policy:",
		"policy/replay: policy",
		"vault/internal/register:",
		"vault/internal/profile: vault/internal/register",
		"vault/internal/consent: vault/internal/register",
		"vault/internal/contact: vault/internal/register",
		"vault/internal/event:",
		"vault/internal/log:",
		"vault/store/bolt:",
		"vault/store/storetest:",
		"vault/backup:",
		"vault/backup/s3: vault/backup",
	},
	{ // 2: the vault, a file per verb
		"vault:",
		"vault/vaulttest: vault vault/store/bolt",
	},
	{ // 3: HTTP
		"api/wire:",
		"api/client: api/wire",
		"api/client/clienttest: api/client api/wire",
		"api/web/unsubscribe: api/web/page",
		"api/web/page:",
		"api/web/webtest:",
		"api/authn: api/wire",
		"api/authn/openid:",
		"api/authn/codes:",
		"api/authn/mail:",
		"api/lane:",
		"api/web/console: api api/authn/openid api/web/page",
		"api/web/privacy: api/authn/codes api/authn/openid api/web/page",
		"api/webhook: api/wire",
		"api: api/authn api/authn/codes api/lane api/webhook api/wire",
		"api/metrics: api api/authn",
		"api/traces: api",
	},
	{ // 4: the only place that names an engine or a root key
		"cmd/sayso/command: examples",
		"examples:",
		"examples/conversation/shop:",
		"examples/conversation/texter:",
		"examples/conversation/desk:",
	},
	{ // 5: one call
		"cmd/sayso:",
	},
}

// only are packages that reach less than their floor would let them.
var only = map[string][]string{
	"policy":                {"vault/privacy"},
	"policy/replay":         {"policy", "vault/privacy"},
	"vault/store/bolt":      {"vault/store"},
	"vault/store/storetest": {"vault/store"},
	"vault/backup":          {},
	"vault/backup/s3":       {"vault/backup"},
	"api/wire":              {"vault/privacy"},
	"api/client":            {"api/wire", "vault/privacy"},
	"api/client/clienttest": {"api/client", "api/wire", "vault/privacy"},
	"api/authn/openid":      {},
	"api/authn/codes":       {"vault/privacy"},
	"api/authn/mail":        {},
	"api/lane":              {},
	"api/web/page":          {},
	"api/web/webtest":       {},
	"cmd/sayso":             {"cmd/sayso/command"},
	"examples":              {},

	"examples/conversation/shop":   {"api/client", "api/wire", "vault/privacy"},
	"examples/conversation/texter": {"api/client", "api/wire", "vault/privacy"},
	"examples/conversation/desk":   {"api/client", "api/wire", "vault/privacy"},
}

// never are imports from outside that a package must not have: the vault knows
// no HTTP, what is pure does no input or output, and only the engine and what
// names it know bbolt.
var never = map[string][]string{
	"keys":                    {"os", "net", "net/http", "io/fs", "path/filepath"},
	"policy":                  {"os", "net", "net/http", "path/filepath", "database/sql"},
	"vault":                   {"os", "net", "net/http", "path/filepath", "go.etcd.io/bbolt"},
	"vault/privacy":           {"os", "net", "net/http"},
	"vault/store":             {"os", "net", "net/http"},
	"vault/internal/register": {"os", "net/http"},
	"vault/internal/profile":  {"os", "net/http"},
	"vault/internal/consent":  {"os", "net/http"},
	"vault/internal/contact":  {"os", "net/http"},
	"vault/internal/event":    {"os", "net", "net/http"},
	"vault/internal/log":      {"os", "net/http"},
	"api":                     {"go.etcd.io/bbolt"},
	"cmd/sayso/command":       {"go.etcd.io/bbolt"},
}

type place struct {
	floor  int
	beside []string
}

func TestImportsGoDown(t *testing.T) {
	places := map[string]place{}
	for n, floor := range floors {
		for _, line := range floor {
			name, beside, _ := strings.Cut(line, ":")
			places[name] = place{n, strings.Fields(beside)}
		}
	}
	found := packages(t)
	for name, imports := range found {
		here, ok := places[name]
		if !ok {
			t.Errorf("%s stands on no floor: give it a place in the table", name)
			continue
		}
		for _, path := range imports {
			inside, ours := strings.CutPrefix(path, module)
			if !ours {
				if slices.Contains(never[name], path) {
					t.Errorf("%s imports %s: it must know nothing of it", name, path)
				}
				continue
			}
			there, ok := places[inside]
			switch reach, narrow := only[name]; {
			case !ok: // told above
			case there.floor > here.floor:
				t.Errorf("%s (floor %d) imports %s (floor %d): imports go down only", name, here.floor, inside, there.floor)
			case there.floor == here.floor && !slices.Contains(here.beside, inside):
				t.Errorf("%s imports %s, which stands beside it on floor %d", name, inside, here.floor)
			case narrow && !slices.Contains(reach, inside):
				t.Errorf("%s imports %s: it reaches only %v", name, inside, reach)
			case inside == "vault/store/bolt" && name != "cmd/sayso/command" && name != "vault/vaulttest":
				t.Errorf("%s names an engine", name)
			}
		}
	}
	for name := range places {
		if _, there := found[name]; there {
			continue
		}
		t.Errorf("%s has a place in the table, but there is no such package", name)
	}
}

// packages returns what each package of the module imports, tests left out. It
// reads the files itself, so that the go command knows what the test depends on
// and never repeats an old result.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	root := filepath.Join("..", "..")
	found := map[string][]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		name := d.Name()
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "testdata"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.ImportsOnly)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		found[filepath.ToSlash(dir)] = append(found[filepath.ToSlash(dir)], importsOf(file)...)
		return nil
	})
	if err != nil {
		t.Fatalf("reading the packages: %v", err)
	}
	return found
}

func importsOf(file *ast.File) (paths []string) {
	for _, spec := range file.Imports {
		if path, err := strconv.Unquote(spec.Path.Value); err == nil {
			paths = append(paths, path)
		}
	}
	return paths
}
