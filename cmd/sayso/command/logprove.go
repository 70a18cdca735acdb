package command

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault"
)

func newLogProve() *cobra.Command {
	var dir, passphraseFile, check, vkey string
	cmd := &cobra.Command{
		Use:   "prove --dir D ID | --check FILE --vkey KEY",
		Short: "Prove that a record stands in the log, or check such a proof",
		Long: `prove prints a bundle for a decision (dec_…), a consent record (con_…) or an
erasure (req_…): the leaf, the way from it to the root of a signed checkpoint, and
the record that the leaf commits to. Whoever is given it reads the record.

With --check it checks a bundle offline. The verifier key has to come from
somewhere else than the bundle: from /log/vkey, or from paper.`,
		Example: `  sayso log prove --dir ./vault dec_01kz3v9m2c8x5w7e4r6t1y0p2a > proof.json
  sayso log prove --check proof.json --vkey "$(curl -s https://vault.example.org/log/vkey)"`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if check != "" {
				if len(args) > 0 || dir != "" {
					return misuse("--check takes a file and --vkey, nothing else")
				}
				return checkProof(cmd, check, vkey)
			}
			if len(args) == 0 {
				return misuse("the ID of a decision, a consent record or an erasure is missing")
			}
			var proof *vault.Proof
			err := askLog(cmd, dir, passphraseFile, func(s *socket) (err error) {
				proof, err = s.prove(cmd.Context(), args[0])
				return err
			}, func(root keys.Root) error {
				f, err := openFolder(cmd.Context(), dir, root, slog.New(slog.DiscardHandler))
				if err != nil {
					return err
				}
				proof, err = f.vault.Prove(cmd.Context(), args[0])
				return errors.Join(err, f.Close())
			})
			if err != nil {
				return err
			}
			return answer(cmd, proof, func(w io.Writer) error {
				b, err := json.Marshal(proof, jsontext.WithIndent("  "))
				if err == nil {
					_, err = w.Write(append(b, '\n'))
				}
				return err
			})
		},
	}
	folderFlags(cmd, &dir, &passphraseFile)
	cmd.Flags().StringVar(&check, "check", "", "file of a bundle to check (- for stdin)")
	cmd.Flags().StringVar(&vkey, "vkey", "", "verifier key of the log, for --check")
	return cmd
}

func checkProof(cmd *cobra.Command, file, vkey string) error {
	if vkey == "" {
		return misuse("--vkey is missing: without the log's key nothing is proven")
	}
	proof := new(vault.Proof)
	if err := readJSON(cmd, file, "the bundle", proof); err != nil {
		return err
	}
	if err := vault.CheckProof(proof, vkey); err != nil {
		return err
	}
	out := struct {
		OK     bool           `json:"ok"`
		Index  uint64         `json:"index"`
		Kind   string         `json:"kind"`
		ID     string         `json:"id"`
		Record jsontext.Value `json:"record"`
	}{true, proof.Index, proof.Opening.Kind, proof.Opening.ID, jsontext.Value(proof.Opening.Record)}
	return answer(cmd, out, func(w io.Writer) error {
		record := out.Record.Clone()
		if err := record.Indent(); err != nil {
			record = jsontext.Value(fmt.Sprintf("%q", proof.Opening.Record))
		}
		_, err := fmt.Fprintf(w, "%s is record %d of the log, of kind %s:\n%s\n", out.ID, out.Index, out.Kind, record)
		return err
	})
}
