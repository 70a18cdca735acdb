package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// pollEvery is how often a waiting command asks where a request stands.
const pollEvery = time.Second

func newSubjectErase() *cobra.Command {
	var reason, request string
	var wait, never bool
	var asks actorFlags
	cmd := &cobra.Command{
		Use:   "erase [sub_…]",
		Short: "Erase a person, but for what a law demands",
		Long: `erase asks for a person's erasure (Art. 17). The person is named by ID, or by one
identifier on stdin. When it returns, nothing of them is released any more, and
what may not be kept is gone from the vault. The request goes on by itself until
the keys have turned, so that old copies open nothing either; then it is completed
and has a certificate. --wait waits for that; --request asks where one stands.

--never-contact leaves one keyed hash of each identifier, and with it a no to direct
marketing for whoever is captured with it later. --by says who asked for the person.

What a purpose on legal_obligation demands stays, and is said to. A hold blocks
the request until it is released (` + "`sayso subject hold`" + `).`,
		Example: `  sayso subject erase sub_7mzk3qj1x8w4n2v6t0r5p9c1ad --reason "She wrote a letter"
  echo '{"email": "ana@example.org"}' | sayso subject erase --reason "She called" --wait
  sayso subject erase --request req_06f1c9k2m8x4n7v3t5r0p1q6ws`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := remote()
			if err != nil {
				return err
			}
			var out *wire.Request
			if request != "" {
				id, err := privacy.ParseRequestID(request)
				if err != nil || len(args) > 0 || reason != "" || never || asks.role != "" {
					return misuse(`--request names one request, "req_…", and nothing else beside it`)
				}
				if out, err = c.Request(cmd.Context(), id); err != nil {
					return err
				}
			} else {
				who, err := readSubject(cmd, args)
				if err != nil {
					return err
				}
				by, err := asks.actor()
				if err != nil {
					return err
				}
				ask := &wire.PersonRequest{Kind: "erasure", Subject: who, Reason: reason, By: by, NeverContact: never}
				if out, err = c.EnterRequest(cmd.Context(), ask); err != nil {
					return err
				}
			}
			if wait {
				if out, err = waitFor(cmd.Context(), c, out); err != nil {
					return err
				}
			}
			if err := answer(cmd, out, func(w io.Writer) error { return showRequest(w, out) }); err != nil {
				return err
			}
			if wait && out.Status != "completed" {
				return &toldError{errors.New("the request is " + out.Status)}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; it is gone with the person")
	cmd.Flags().StringVar(&request, "request", "", "ask where a request stands, and ask for nothing new")
	cmd.Flags().BoolVar(&never, "never-contact", false, "leave a keyed hash of each identifier, so that no advertising follows")
	asks.add(cmd)
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until it is completed or blocked")
	return cmd
}

// waitFor waits until nothing more is to be expected of a request soon.
func waitFor(ctx context.Context, c *client.Client, q *wire.Request) (*wire.Request, error) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		now, err := c.Request(ctx, q.Request)
		if err != nil || now.Status != "in_progress" && now.Status != "received" || now.BeginsAt != nil {
			return now, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func showRequest(w io.Writer, q *wire.Request) error {
	fmt.Fprintf(w, "Request %s: %s, received %s, due %s.\n", q.Request, q.Status, q.ReceivedAt.Format(time.DateOnly), q.DueAt.Format(time.DateOnly))
	if q.Field != "" {
		over := ""
		if q.Outcome != "" {
			over = "; it was " + q.Outcome
		}
		fmt.Fprintf(w, "It contests what a model made of %s%s.\n", q.Field, over)
	}
	if q.Why != "" {
		fmt.Fprintf(w, "%s%s.\n", strings.ToUpper(q.Why[:1]), q.Why[1:])
	}
	if q.Own != nil && q.Own.Role != privacy.BySubject {
		ref := ""
		if q.Own.Ref != "" {
			ref = " (" + q.Own.Ref + ")"
		}
		fmt.Fprintf(w, "Asked for by the person's %s%s.\n", q.Own.Role, ref)
	}
	if q.BeginsAt != nil {
		fmt.Fprintf(w, "It begins on %s.\n", q.BeginsAt.Format(time.DateOnly))
	}
	if q.Never {
		fmt.Fprintln(w, "They are never to be contacted again: hashes stay for it.")
	}
	for _, k := range q.Kept {
		until := "with no end in the register"
		if k.Until != nil {
			until = "until " + k.Until.Format(time.DateOnly)
		}
		fields := make([]string, len(k.Fields))
		for i, f := range k.Fields {
			fields[i] = string(f)
		}
		fmt.Fprintf(w, "What stays for %s, which rests on %s, %s: %s.\n", k.Purpose, k.Basis, until, strings.Join(fields, ", "))
	}
	if q.Certificate != "" {
		fmt.Fprintf(w, "\n%s\n", q.Certificate)
	}
	return nil
}

func newSubjectHold() *cobra.Command {
	var reason, release string
	cmd := &cobra.Command{
		Use:   "hold [sub_…] --reason R",
		Short: "Forbid that anything of a person is erased, or no longer do",
		Long: `hold forbids that anything of a person is erased (Art. 17(3)(e)), neither because
it was asked for nor because its time is over. The person is named by ID, or by any
identifier on stdin; one who is to be erased is found, too, and the request is then
blocked. --release ends a hold, or all of a person's ("all"): an erasure that it
blocked goes on. Without either, the holds on the person are listed.`,
		Example: `  sayso subject hold sub_7mzk3qj1x8w4n2v6t0r5p9c1ad --reason "Claim 1138"
  sayso subject hold sub_7mzk3qj1x8w4n2v6t0r5p9c1ad
  sayso subject hold sub_7mzk3qj1x8w4n2v6t0r5p9c1ad --release all`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if reason != "" && release != "" {
				return misuse("--reason places a hold, --release ends one: give one of them")
			}
			c, err := remote()
			if err != nil {
				return err
			}
			who, err := readSubject(cmd, args)
			if err != nil {
				return err
			}
			if reason != "" {
				out, err := c.PlaceHold(cmd.Context(), who, reason)
				if err != nil {
					return err
				}
				return answer(cmd, out, func(w io.Writer) error {
					_, err := fmt.Fprintf(w, "Hold %s: nothing of %s is erased until it is released.\n", out.Hold, out.Subject)
					return err
				})
			}
			if who.Field != "" {
				return misuse(`holds are listed and released by the person's ID, "sub_…"`)
			}
			list, verb := (*wire.HoldList)(nil), "on this person"
			if release == "" {
				list, err = c.Holds(cmd.Context(), who.ID)
			} else {
				verb = "released"
				list, err = releaseHolds(cmd.Context(), c, who.ID, release)
			}
			if err != nil {
				return err
			}
			return answer(cmd, list, func(w io.Writer) error {
				if len(list.Holds) == 0 {
					fmt.Fprintln(w, "No holds.")
				}
				for _, h := range list.Holds {
					fmt.Fprintf(w, "%s since %s by %s, %s: %s\n", h.Hold, h.Since.Format(time.DateOnly), h.By, verb, h.Reason)
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "the claim or case it is for")
	cmd.Flags().StringVar(&release, "release", "", `the hold to release, "hold_…", or all`)
	return cmd
}

func releaseHolds(ctx context.Context, c *client.Client, id privacy.SubjectID, which string) (*wire.HoldList, error) {
	if which == "all" {
		return c.ReleaseHolds(ctx, id, nil)
	}
	hold, err := privacy.ParseHoldID(which)
	if err != nil {
		return nil, misuse(`--release names a hold, "hold_…", or all`)
	}
	return c.ReleaseHolds(ctx, id, &hold)
}
