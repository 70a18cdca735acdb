package webtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// chromiums are the names that Chromium goes by.
var chromiums = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

func chromium(t testing.TB) string {
	t.Helper()
	for _, name := range chromiums {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	lacks(t, "Chromium (Debian: apt-get install chromium)")
	return ""
}

// Package returns the folder of an npm package that tests use.
func Package(t testing.TB, name string) string {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	folder := filepath.Join(filepath.Dir(here), "npm", "node_modules", filepath.FromSlash(name))
	if _, err := os.Stat(folder); err != nil {
		lacks(t, "the npm package "+name+" (npm ci in api/web/webtest/npm)")
	}
	return folder
}

// Node returns the path of Node.js.
func Node(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("node")
	if err != nil {
		lacks(t, "Node.js (Debian: apt-get install nodejs npm)")
	}
	return path
}

func lacks(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("missing: %s; make test installs it", what)
	}
	t.Skipf("missing: %s; make test installs it", what)
}
