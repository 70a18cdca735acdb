package command

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/sayso-vault/sayso/vault"
)

// program says which program looks.
func (d *doctor) program() {
	what := fmt.Sprintf("sayso %s, %s, %s/%s", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				what += ", built from " + s.Value[:12]
			}
		}
	}
	d.Add(vault.Finding{Check: "program", Level: vault.Fine, What: what})
}

// folder finds the parts of a vault. It is false if there is no vault to look
// at.
func (d *doctor) folder() bool {
	no := func(what, do string) bool {
		d.Add(vault.Finding{Check: "files", Level: vault.Problem, What: what, Means: "There is no vault to serve.", Do: do})
		return false
	}
	info, err := os.Stat(d.dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return no("there is no folder "+d.dir, "Give the vault's own folder, or make one with `sayso init`.")
	case err != nil:
		return no(err.Error(), "Run doctor as the user who serves the folder.")
	case !info.IsDir():
		return no(d.dir+" is no folder", "Give the folder that vault.db lies in.")
	}
	if _, err := os.Lstat(filepath.Join(d.dir, fileUnfinished)); err == nil {
		return no("init was begun here and did not finish", "Run `sayso init` again: it clears what it left and begins anew.")
	}
	d.present = map[string]fs.FileInfo{}
	var missing []string
	for _, name := range vaultFiles {
		info, err := os.Lstat(filepath.Join(d.dir, name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, name)
		case err != nil:
			return no(err.Error(), "Run doctor as the user who serves the folder.")
		case info.IsDir() != (name == folderLog) || info.Mode()&(fs.ModeSymlink|fs.ModeIrregular|fs.ModeDevice|fs.ModeNamedPipe|fs.ModeSocket) != 0:
			d.Add(vault.Finding{Check: "files", Level: vault.Problem, What: name + " is not a plain file or folder", About: []string{name},
				Means: "What it leads to may be on another disk or in somebody else's hands, and permissions here say nothing of it.",
				Do:    "Stop the vault and put the file itself in its place."})
			if _, err := os.Stat(filepath.Join(d.dir, name)); err == nil {
				d.present[name] = info
			}
		default:
			d.present[name] = info
		}
	}
	if len(missing) == len(vaultFiles) {
		return no("there is no vault in "+d.dir, "Give the vault's own folder, or make one with `sayso init`.")
	}
	for _, name := range missing {
		text := missingTexts[name]
		d.Add(vault.Finding{Check: "files", Level: vault.Problem, What: name + " is missing", About: []string{name}, Means: text.means, Do: text.do})
	}
	if len(missing) == 0 {
		d.Add(vault.Finding{Check: "files", Level: vault.Fine, What: "all files of a vault are there: " + strings.Join(vaultFiles, ", ")})
	}
	return true
}

// vaultFiles are the parts of a vault.
var vaultFiles = []string{fileVault, fileKeys, fileKeyring, fileLedger, folderLog}

var missingTexts = map[string]struct{ means, do string }{
	fileVault:   {"Everything that is known of people lies there.", "Put it back, or bring the vault up from a backup with `sayso restore`."},
	fileKeys:    {"Nothing of anybody opens without the keys that lie there.", "Put it back, or bring the vault up from a backup of the keys with `sayso restore`."},
	fileKeyring: {"Nothing of the vault opens without it.", "Put it back from where you keep it."},
	fileLedger:  {"Without it nobody can tell whether a withdrawal that was answered is missing in vault.db.", "Put it back, or bring the vault up with `sayso restore`: consents from before then count as none."},
	folderLog:   {"Every decision and act is recorded there.", "Put it back, or bring the vault up from a backup with `sayso restore`."},
}

// permissions looks whether the folder is its owner's alone.
func (d *doctor) permissions() {
	var open, shut, others []string
	owner, seen := ownerOf(d.dir), 0
	err := filepath.WalkDir(d.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) { // gone meanwhile
			return nil
		}
		if err != nil {
			return err
		}
		if !entry.IsDir() && !info.Mode().IsRegular() {
			return nil
		}
		name, _ := filepath.Rel(d.dir, path)
		if name == "." {
			name = "the folder itself"
		}
		seen++
		mode := info.Mode().Perm()
		if mode&0o077 != 0 {
			open = append(open, fmt.Sprintf("%s (%04o)", name, mode))
		}
		if need := fs.FileMode(0o600); mode&need != need || entry.IsDir() && mode&0o100 == 0 {
			shut = append(shut, fmt.Sprintf("%s (%04o)", name, mode))
		}
		if ownerOf(path) != owner {
			others = append(others, name)
		}
		return nil
	})
	if err != nil {
		d.Add(vault.Finding{Check: "permissions", Level: vault.Problem, What: fmt.Sprintf("the folder cannot be looked through: %v", err),
			Means: "Who serves the vault may not be able to either.", Do: "Run doctor as the user who serves the folder."})
		return
	}
	if len(open) > 0 {
		d.Add(vault.Finding{Check: "permissions", Level: vault.Problem, What: "others may read or write: " + strings.Join(open, ", "), About: open,
			Means: "Another user of this machine can copy the vault, try passphrases on its keyring, or put an older file in the place of one.",
			Do:    "Take the rights away (chmod 600 for files, 700 for folders; `sayso serve` does it too) and find out who could have looked."})
	}
	if len(shut) > 0 {
		d.Add(vault.Finding{Check: "permissions", Level: vault.Problem, What: "the owner may not read and write: " + strings.Join(shut, ", "), About: shut,
			Means: "The vault cannot be served, or ends with its first write.", Do: "Give the owner both rights: chmod u+rw, for folders u+rwx."})
	}
	if len(open)+len(shut) == 0 {
		d.Add(vault.Finding{Check: "permissions", Level: vault.Fine, What: fmt.Sprintf("%d files and folders are their owner's alone", seen)})
	}
	switch me := uint32(os.Geteuid()); {
	case len(others) > 0:
		d.Add(vault.Finding{Check: "owners", Level: vault.Problem, What: "of another owner than the folder: " + strings.Join(others, ", "), About: others,
			Means: "Who serves the folder cannot read or write them, or somebody else can. A command that was run as root leaves such files.",
			Do:    "Give them to the folder's owner with chown."})
	case owner != me && me != 0:
		d.Add(vault.Finding{Check: "owners", Level: vault.Warning, What: fmt.Sprintf("the folder belongs to user %d, and you are user %d", owner, me),
			Means: "You will not see all of it.", Do: "Run doctor as the user who serves the folder."})
	default:
		d.Add(vault.Finding{Check: "owners", Level: vault.Fine, What: fmt.Sprintf("all of it belongs to user %d", owner)})
	}
	d.above()
}

// above looks whether others may put another folder in this one's place.
func (d *doctor) above() {
	path, err := filepath.Abs(d.dir)
	if err != nil {
		return
	}
	parent := filepath.Dir(path)
	if info, err := os.Stat(parent); err == nil && info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0 {
		d.Add(vault.Finding{Check: "folder-above", Level: vault.Warning, What: fmt.Sprintf("others may write to %s, where the vault's folder lies (%04o)", parent, info.Mode().Perm()),
			Means: "They can move the vault away and put another in its place.", Do: "Take the right away with chmod go-w, or move the vault to where only its owner may write."})
	}
}

func ownerOf(path string) uint32 {
	info, err := os.Lstat(path)
	if err != nil {
		return 0
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	return stat.Uid
}

var segmentName = regexp.MustCompile(`^\d{8}\.log$`)

// strangers finds what is no part of a vault.
func (d *doctor) strangers() {
	var unknown, left []string
	look := func(dir, prefix string, known func(string) bool) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return // permissions tells it
		}
		for _, e := range entries {
			switch name := e.Name(); {
			case known(name):
			case strings.HasSuffix(name, ".new") && known(strings.TrimSuffix(name, ".new")):
				left = append(left, prefix+name)
			default:
				unknown = append(unknown, prefix+name)
			}
		}
	}
	look(d.dir, "", func(name string) bool { return slices.Contains(vaultFiles, name) || name == fileSocket })
	look(filepath.Join(d.dir, folderLog), folderLog+"/", segmentName.MatchString)
	if len(unknown) > 0 {
		d.Add(vault.Finding{Check: "strangers", Level: vault.Warning, What: "no part of the vault: " + strings.Join(unknown, ", "), About: unknown,
			Means: "Copies beside the vault are lost with it, and a copy of an erased person's data is one too many.",
			Do:    "Move backups to another machine, and delete what nobody needs."})
	}
	if len(left) > 0 && !d.served { // who serves may be making them just now
		d.Add(vault.Finding{Check: "strangers", Level: vault.Warning, What: "half-made files that a crash left: " + strings.Join(left, ", "), About: left,
			Means: "They are harmless, and replaced when they are made again.", Do: "Nothing; or delete them while nobody serves the vault."})
	}
	if len(unknown) == 0 && (len(left) == 0 || d.served) {
		d.Add(vault.Finding{Check: "strangers", Level: vault.Fine, What: "nothing else lies in the folder"})
	}
}

// fileTimes holds the clock against when files were last written.
func (d *doctor) fileTimes() {
	now := d.now()
	var ahead []string
	for _, name := range vaultFiles {
		if info := d.present[name]; info != nil && info.ModTime().Sub(now) > 10*time.Minute {
			ahead = append(ahead, fmt.Sprintf("%s (%s)", name, info.ModTime().UTC().Format(time.RFC3339)))
		}
	}
	if len(ahead) > 0 {
		d.Add(vault.Finding{Check: "file-times", Level: vault.Warning, What: "written later than the clock says it is now: " + strings.Join(ahead, ", "), About: ahead,
			Means: "The clock went back since then, or was ahead.", Do: "Compare the machine's clock with another one before the vault is served."})
		return
	}
	d.Add(vault.Finding{Check: "file-times", Level: vault.Fine, What: "no file is of the future"})
}
