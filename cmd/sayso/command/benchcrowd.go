package command

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// crowd is a vault of invented people, served by a process of its own.
type crowd struct {
	*filledVault
	dir    string
	served *benchProcess
	start  startCost
	asks   []ask
}

// newCrowd fills a vault.
func newCrowd(ctx context.Context, dir string, n int) (*crowd, error) {
	filled, err := fillFolder(ctx, dir, benchRoot(), n, fillWatch{})
	if err != nil {
		return nil, err
	}
	return &crowd{filledVault: filled, dir: dir}, nil
}

// serve starts the vault from the disk: what filling left in memory is dropped.
// Afterwards the kernel is given the files again, as it has those of a vault that
// has been read for a while.
func (c *crowd) serve(ctx context.Context, profile string) (err error) {
	if err := dropCached(c.dir); err != nil {
		return err
	}
	began := time.Now()
	if c.served, err = startBench(ctx, "server", "--dir", c.dir, "--profile", profile); err != nil {
		return err
	}
	c.start.Seconds = time.Since(began).Seconds()
	if c.start.RssAnon, err = rssAnon(c.served.cmd.Process.Pid); err != nil {
		return err
	}
	for _, name := range []string{fileVault, fileKeys} {
		if err := readThrough(filepath.Join(c.dir, name)); err != nil {
			return err
		}
	}
	return c.ask(ctx)
}

// ask makes the requests anew, with a fresh token.
func (c *crowd) ask(ctx context.Context) (err error) {
	c.asks, err = c.requests(ctx, c.served.url)
	return err
}

// warm has the vault asked for a fifth of a round.
func (c *crowd) warm(ctx context.Context, n int, round time.Duration) error {
	if err := c.ask(ctx); err != nil {
		return err
	}
	_, err := drive(ctx, c.served.url, c.asks, n, round/5)
	return err
}

func (c *crowd) drive(ctx context.Context, n int, round time.Duration) (pace, error) {
	return c.served.drive(ctx, c.asks, n, round)
}

// stop ends the process, if there is one.
func (c *crowd) stop() error {
	if c == nil || c.served == nil {
		return nil
	}
	return c.served.stop()
}

// startBare starts what the crowd is measured against: it answers the same bytes.
func (c *crowd) startBare(ctx context.Context) (*benchProcess, error) {
	same, err := firstAnswer(c.served.url, c.asks[0])
	if err != nil {
		return nil, err
	}
	return startBench(ctx, "bare", "--answer", string(same))
}

// dropCached has the kernel forget what it keeps of a folder's files, so that they
// are read from the disk again.
func dropCached(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := os.Open(path) //nolint:gosec // a folder of the bench's own
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED), f.Close())
	})
}

func readThrough(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, f)
	return errors.Join(err, f.Close())
}
