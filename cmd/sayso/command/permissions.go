package command

import (
	"fmt"
	"io/fs"
	"log/slog"
	"os"
)

// tighten makes what lies in a vault's folder the owner's alone again, and says
// what was not: whoever could read it may have.
func tighten(dir string, logger *slog.Logger) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	return fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() && !d.Type().IsRegular() {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		mode := info.Mode().Perm()
		if mode&0o077 == 0 {
			return nil
		}
		if err := root.Chmod(path, mode&0o700); err != nil {
			return fmt.Errorf("%s can be read by others (mode %04o), and that cannot be changed: %w", path, mode, err)
		}
		logger.Warn("others could read a file of the vault; they cannot any more", "path", path, "mode", fmt.Sprintf("%04o", mode))
		return nil
	})
}
