package command

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/store/bolt"
)

// disk looks how much room there is to grow.
func (d *doctor) disk() {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(d.dir, &fs); err != nil {
		d.Add(vault.Finding{Check: "disk", Level: vault.Warning, What: fmt.Sprintf("the system does not tell how much room there is: %v", err),
			Means: "A full disk ends the vault in the middle of its work.", Do: "Look at the room on the disk by other means."})
		return
	}
	const readOnly = 1 // ST_RDONLY
	d.Add(diskFinding(fs.Bavail*uint64(fs.Bsize), sizeOf(d.dir), fs.Flags&readOnly != 0))
}

// The next segment of the log takes 64 MiB, the next piece of vault.db 16 MiB;
// keys.db is written anew when keys turn.
const leastRoom = 256 << 20

func diskFinding(free, used uint64, readOnly bool) vault.Finding {
	f := vault.Finding{Check: "disk", Level: vault.Fine, What: fmt.Sprintf("the vault takes %s, %s are free", size(used), size(free))}
	switch {
	case readOnly:
		f.Level, f.What = vault.Problem, f.What+", but nothing can be written there"
		f.Means, f.Do = "No access record can be written, so nothing is released.", "Mount the disk for writing. If the system took that away, look at its log: the disk may be failing."
	case free < leastRoom:
		f.Level, f.Means = vault.Problem, "When the disk is full no record can be written, and the vault ends: nothing is lost, and nothing is answered."
		f.Do = "Make room, or move the folder to a larger disk while nobody serves it."
	case free < used:
		f.Level, f.Means = vault.Warning, "There is no room for a copy of the vault on this disk, nor for it to double."
		f.Do = "Plan for a larger disk. The log only grows."
	}
	return f
}

func size(n uint64) string {
	for _, unit := range []string{"bytes", "KiB", "MiB", "GiB"} {
		if n < 10*1024 || unit == "GiB" {
			return fmt.Sprintf("%d %s", n, unit)
		}
		n /= 1024
	}
	return ""
}

// sizeOf returns how many bytes the files of a folder have.
func sizeOf(dir string) (n uint64) {
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // permissions tells of what cannot be seen
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			n += uint64(info.Size())
		}
		return nil
	})
	return n
}

// memoryMap looks how far a store can grow before it must be mapped anew.
func memoryMap(name string, l bolt.Layout) vault.Finding {
	f := vault.Finding{Check: "memory-map", Level: vault.Fine, What: fmt.Sprintf("%s, %s, has addresses for %s", name, size(uint64(l.File)), size(uint64(l.Mapped)))}
	if l.Mapped < l.File+1<<30 {
		f.Level, f.About = vault.Warning, []string{name}
		f.Means = "The system gives the process few addresses: when the file outgrows them all readers wait until it is mapped anew."
		f.Do = "Raise or remove the limit on virtual memory (ulimit -v, LimitAS=, vm.overcommit_memory)."
	}
	return f
}
