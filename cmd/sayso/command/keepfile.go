package command

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

// keeper keeps what is personal in a file: its owner's alone, whole or not at all,
// and in the place of another only if that was said.
type keeper struct {
	path    string // "" or "-": there is none
	replace bool
}

// flags makes the flags of a keeper.
func (k *keeper) flags(cmd *cobra.Command, name, what string) {
	cmd.Flags().StringVar(&k.path, name, "", "file to keep "+what+" in, readable by you alone")
	cmd.Flags().BoolVar(&k.replace, "overwrite", false, "if there is such a file, put the new one in its place")
}

// wanted reports whether there is a file to keep something in.
func (k *keeper) wanted() bool { return k.path != "" && k.path != "-" }

// free says early, before anything is done, if the file may not be written.
func (k *keeper) free() error {
	if !k.wanted() {
		return nil
	}
	info, err := os.Lstat(k.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		_, err = os.Stat(filepath.Dir(k.path))
		return err
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s is a folder", k.path)
	case !k.replace:
		return k.taken()
	}
	return nil
}

func (k *keeper) taken() error {
	return fmt.Errorf("%s is there already: name another file, or give --overwrite", k.path)
}

// keep writes the file. Whoever looks at its name sees all of it or what was there
// before.
func (k *keeper) keep(content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(k.path), "."+filepath.Base(k.path)+".*.new") // of mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // once it has its name, it is not there
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", k.path, err)
	}
	if k.replace {
		return os.Rename(f.Name(), k.path)
	}
	// A link takes no other's place, whoever made that meanwhile.
	err = os.Link(f.Name(), k.path)
	if errors.Is(err, fs.ErrExist) {
		return k.taken()
	}
	if err != nil { // not every file system has links
		if err := k.free(); err != nil {
			return err
		}
		return os.Rename(f.Name(), k.path)
	}
	return nil
}

// readPrivate reads a small file that nobody else may read.
func readPrivate(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if mode := info.Mode(); mode.IsRegular() && mode.Perm()&0o077 != 0 {
		return nil, fmt.Errorf("others may read %s (mode %04o): chmod 600 it", path, mode.Perm())
	}
	text, err := io.ReadAll(io.LimitReader(f, maxTyped+1))
	if err == nil && len(text) > maxTyped {
		err = fmt.Errorf("%s is too large to be one", path)
	}
	return text, err
}
