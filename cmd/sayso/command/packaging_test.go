package command

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// repository is the file at a path of the repository.
func repository(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The service is started with flags that there are, is given longer to stop than
// requests get, and is not restarted into the same refusal.
func TestTheServiceFitsTheProgram(t *testing.T) {
	unit := repository(t, "examples/systemd/sayso.service")
	lines := regexp.MustCompile(`(?m)^#?\s*ExecStart=/usr/local/bin/sayso (.+)$`).FindAllStringSubmatch(unit, -1)
	if len(lines) != 2 {
		t.Fatalf("got %d lines that start sayso, want the unit's and the drop-in's", len(lines))
	}
	for _, line := range lines {
		cmd, args, err := newRoot().Find(strings.Fields(line[1]))
		if err == nil {
			err = cmd.ParseFlags(args)
		}
		if err != nil || cmd.Name() != "serve" {
			t.Errorf("%s: %v", line[1], err)
		}
	}
	for setting, want := range map[string]string{"RestartPreventExitStatus": strconv.Itoa(exitNo), "Type": "notify", "LimitCORE": "0", "MemorySwapMax": "0"} {
		if !strings.Contains(unit, "\n"+setting+"="+want+"\n") {
			t.Errorf("%s is not %s", setting, want)
		}
	}
	stop := regexp.MustCompile(`(?m)^TimeoutStopSec=(\d+)$`).FindStringSubmatch(unit)
	if seconds, err := strconv.Atoi(stop[1]); err != nil || time.Duration(seconds)*time.Second <= drain {
		t.Errorf("it is given %s s to stop, requests get %v", stop[1], drain)
	}
}

// The image is built with the Go that the module asks for, from all of its
// packages.
func TestTheImageFitsTheModule(t *testing.T) {
	file, mod := repository(t, "Containerfile"), repository(t, "go.mod")
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(mod)[1]
	if !strings.Contains(file, "/golang:"+version+" ") {
		t.Errorf("the module asks for Go %s, the image is built with another", version)
	}
	let := strings.Split(repository(t, ".dockerignore"), "\n")
	sources, err := filepath.Glob(filepath.Join("..", "..", "..", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range sources {
		code, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		deeper, err := filepath.Glob(filepath.Join(dir, "*", "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		if len(code)+len(deeper) > 0 && !strings.Contains(strings.Join(let, "\n")+"\n", "\n!"+filepath.Base(dir)+"\n") {
			t.Errorf("%s is left out of what the image is built from", filepath.Base(dir))
		}
	}
}
