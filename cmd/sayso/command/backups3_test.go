package command_test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/rogpeppe/go-internal/testscript"
)

// TestObjectStore is a script of its own, because it needs a store: one that
// speaks S3 runs here, and its address stands in AWS_ENDPOINT_URL.
func TestObjectStore(t *testing.T) {
	memory := s3mem.New()
	store := httptest.NewServer(gofakes3.New(memory).Server())
	t.Cleanup(store.Close) // after the script, which runs later
	if err := memory.CreateBucket("northgate"); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Files: []string{filepath.Join("testdata", "s3.txtar")},
		Setup: func(e *testscript.Env) error {
			e.Vars = append(e.Vars, "SAYSO_PASSPHRASE=correct horse battery staple", "AWS_ENDPOINT_URL="+store.URL, "AWS_REGION=eu-central-1",
				"AWS_ACCESS_KEY_ID=northgate", "AWS_SECRET_ACCESS_KEY=a secret")
			return os.Mkdir(filepath.Join(e.WorkDir, "spool"), 0o700)
		},
		Cmds: scriptWords(),
	})
}
