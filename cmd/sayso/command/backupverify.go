package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault/backup"
)

func newBackupVerify() *cobra.Command {
	var o verifyOptions
	cmd := &cobra.Command{
		Use:   "verify DIR",
		Short: "Read a backup to its end and name what is not as it was written",
		Long: `verify reads the newest backup in a place, or with --all every one, or the one
copy that is named, and restores nothing. Each file is held against the manifest,
and the manifest against the vault's keyring: that of --dir (of a served folder
through its socket), else the one in the copy of the keys, with the passphrase.`,
		Example: `  sayso backup verify /mnt/backup --dir ./vault
  sayso backup verify /mnt/backup --all --passphrase-file /run/secrets/passphrase
  sayso backup verify /mnt/backup/data/20260301T023000Z-k3v9m2 --dir ./vault`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return misuse("give one place of backups, or one backup")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args[0]) },
	}
	folderFlags(cmd, &o.dir, &o.passphraseFile)
	o.store.flags(cmd)
	cmd.Flags().BoolVar(&o.all, "all", false, "verify every backup there")
	return cmd
}

type verifyOptions struct {
	dir, passphraseFile string
	all                 bool
	store               objectStore
}

// verifiedCopy is what a verification tells machines of one copy.
type verifiedCopy struct {
	Kind    backup.Kind `json:"kind"`
	Backup  string      `json:"backup"`
	Path    string      `json:"path"`
	OK      bool        `json:"ok"`
	Why     string      `json:"why,omitempty"`
	At      *time.Time  `json:"at,omitempty"`
	Until   *time.Time  `json:"until,omitempty"`
	Ended   bool        `json:"ended,omitempty"` // a copy of the keys that is not restored any more
	Bytes   int64       `json:"bytes,omitempty"`
	Records uint64      `json:"records,omitempty"`
}

func (o *verifyOptions) run(cmd *cobra.Command, name string) error {
	ctx := cmd.Context()
	copies, err := o.find(ctx, name)
	if err != nil {
		return err
	}
	check, release, err := o.checker(cmd, copies)
	if err != nil {
		return err
	}
	line := newBar(cmd)
	out := struct {
		OK     bool           `json:"ok"`
		Copies []verifiedCopy `json:"copies"`
	}{OK: true, Copies: []verifiedCopy{}}
	for _, c := range copies {
		v := verifiedCopy{Kind: c.Kind, Backup: c.ID, Path: c.Path(), OK: true}
		m, err := backup.Verify(ctx, c, check, func(done, of int64) { line.show(string(c.Kind), uint64(done), uint64(of)) })
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), release())
		}
		if err != nil {
			v.OK, v.Why, out.OK = false, err.Error(), false
		} else {
			v.At, v.Bytes, v.Records = &m.At, m.Bytes(), m.Log.Records
			if v.Ended = m.Ended(time.Now()); m.Kind == backup.Keys {
				v.Until = &m.Until
			}
		}
		out.Copies = append(out.Copies, v)
	}
	line.end()
	if err := release(); err != nil {
		return err
	}
	if err := answer(cmd, out, func(w io.Writer) error { return showVerified(w, out.Copies) }); err != nil {
		return err
	}
	if !out.OK {
		return errors.New("not every backup is what was written")
	}
	return nil
}

func showVerified(w io.Writer, copies []verifiedCopy) (err error) {
	for _, c := range copies {
		switch {
		case !c.OK:
			_, err = fmt.Fprintf(w, "bad    %s: %s\n", c.Path, c.Why)
		case c.Ended:
			_, err = fmt.Fprintf(w, "ended  %s: whole, but it ended on %s and is not restored any more: delete it\n", c.Path, c.Until.Local().Format(time.DateTime))
		default:
			_, err = fmt.Fprintf(w, "whole  %s: %s, as of %s\n", c.Path, size(uint64(c.Bytes)), c.At.Local().Format(time.DateTime))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// find returns the copies that are meant.
func (o *verifyOptions) find(ctx context.Context, name string) (copies []backup.Copy, err error) {
	if strings.HasPrefix(name, s3Scheme) && backup.IsID(path.Base(name)) {
		c, err := o.store.locate(ctx, name, backup.Kind(path.Base(path.Dir(name))))
		return []backup.Copy{c}, err
	}
	place, err := o.store.place(ctx, name)
	if err != nil {
		return nil, err
	}
	for _, kind := range []backup.Kind{backup.Data, backup.Keys} {
		ids, err := place.Copies(ctx, kind)
		if err != nil {
			return nil, err
		}
		if !o.all && len(ids) > 1 {
			ids = ids[len(ids)-1:]
		}
		for _, id := range ids {
			copies = append(copies, backup.Copy{Place: place, Kind: kind, ID: id})
		}
	}
	if len(copies) > 0 {
		return copies, nil
	}
	if _, local := place.(backup.Folder); local {
		for _, kind := range []backup.Kind{backup.Data, backup.Keys} {
			c, err := backup.Locate(ctx, name, kind)
			if err == nil {
				return []backup.Copy{c}, nil
			}
			if !errors.Is(err, backup.ErrNone) && !errors.Is(err, os.ErrNotExist) {
				return nil, err
			}
		}
	}
	return nil, fmt.Errorf("%w: %s holds none, and is none", backup.ErrNone, name)
}

// checker returns what tells whether a manifest is this vault's.
func (o *verifyOptions) checker(cmd *cobra.Command, copies []backup.Copy) (check backup.Check, release func() error, err error) {
	release = func() error { return nil }
	if o.dir != "" {
		s, err := dialSocket(cmd.Context(), o.dir)
		if err == nil {
			return s.check, s.Close, nil
		}
		if !errors.Is(err, errNotServed) {
			return nil, nil, err
		}
	}
	root, err := rootKey(cmd, o.passphraseFile, false)
	if err != nil {
		return nil, nil, err
	}
	var ring *keys.Keyring
	if o.dir != "" {
		if ring, err = readKeyring(o.dir, root); errors.Is(err, os.ErrNotExist) {
			err = missingError{fileKeyring}
		}
		if err != nil {
			return nil, nil, explain(o.dir, err)
		}
	} else if ring, err = copiedKeyring(cmd.Context(), copies, root); err != nil {
		return nil, nil, err
	}
	return func(_ context.Context, m *backup.Manifest) error { return m.Check(ring.MAC) }, release, nil
}

// copiedKeyring opens the keyring of the newest copy of keys.
func copiedKeyring(ctx context.Context, copies []backup.Copy, root keys.Root) (*keys.Keyring, error) {
	for i := len(copies) - 1; i >= 0; i-- {
		c := copies[i]
		if c.Kind != backup.Keys {
			continue
		}
		m, err := c.Manifest(ctx)
		if err != nil {
			return nil, err
		}
		r, err := c.Open(ctx, m, fileKeyring)
		if err != nil {
			return nil, err
		}
		sealed, err := io.ReadAll(r)
		if err = errors.Join(err, r.Close()); err != nil {
			return nil, fmt.Errorf("%s: %w", c, err)
		}
		ring, err := keys.Open(sealed, root)
		if errors.Is(err, keys.ErrRootKey) {
			return nil, fmt.Errorf("the passphrase does not open the keyring of %s", c)
		}
		return ring, err
	}
	return nil, misuse("without a copy of the keys only the vault's own keyring tells whether a backup is its: give --dir")
}
