package api

import (
	"strings"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

func listMatches(x *exchange) (*wire.MatchList, error) {
	limit, err := x.limit()
	if err != nil {
		return nil, err
	}
	var last vault.Pair
	if after := x.query.Get("after"); after != "" {
		one, other, _ := strings.Cut(after, ".")
		for i, text := range []string{one, other} {
			if last[i], err = privacy.ParseSubjectID(text); err != nil {
				return nil, unprocessable("after", wire.CodeInvalid, "names no entry of this list")
			}
		}
	}
	all, err := x.door.Matches(x.ctx, x.caller, last, limit+1)
	if err != nil {
		return nil, err
	}
	list := wire.MatchList{Matches: []wire.Match{}}
	if len(all) > limit {
		all = all[:limit]
		list.Next = all[limit-1].Pair[0].String() + "." + all[limit-1].Pair[1].String()
	}
	for _, m := range all {
		list.Matches = append(list.Matches, wire.Match{Subjects: m.Pair, Fields: m.Fields})
	}
	return &list, nil
}
