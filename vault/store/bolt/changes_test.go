package bolt

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/sayso-vault/sayso/vault/store"
)

// Whatever is forgotten, an append on a changed key is never let through; and
// within what is remembered, none is refused without reason.
func TestChangesNeverForgetInFavourOfARead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := rapid.Uint64Range(0, 5).Draw(t, "start")
		c := changes{last: start, horizon: start}
		lastChange := map[string]uint64{}
		commits := rapid.SliceOfN(rapid.SliceOf(rapid.StringMatching("[a-d]")), 0, 40).Draw(t, "commits")
		for i, keys := range commits {
			tx := start + 1 + uint64(i)
			set := map[ref]struct{}{}
			for _, k := range keys {
				set[ref{"b", k}] = struct{}{}
				lastChange[k] = tx
			}
			c.add(tx, set)
		}
		cond := store.Condition{Bucket: "b", Key: rapid.StringMatching("[a-e]").Draw(t, "key"), Version: rapid.Uint64Range(0, 60).Draw(t, "version")}
		want := cond.Version >= start && cond.Version <= start+uint64(len(commits)) && lastChange[cond.Key] <= cond.Version
		if got := c.hold([]store.Condition{cond}); got != want {
			t.Errorf("condition %+v on %d commits from %d: got %v, want %v", cond, len(commits), start, got, want)
		}
	})
}

func TestForgottenChangesAreConflicts(t *testing.T) {
	c := changes{}
	for tx := uint64(1); tx <= rememberCommits+10; tx++ {
		c.add(tx, map[ref]struct{}{{"b", fmt.Sprint(tx)}: {}})
	}
	if len(c.commits) != rememberCommits || c.horizon != 10 {
		t.Errorf("remembers %d commits and has the horizon %d", len(c.commits), c.horizon)
	}
	old := store.Condition{Bucket: "b", Key: "never changed", Version: 9}
	if c.hold([]store.Condition{old}) {
		t.Error("a condition from behind the horizon holds")
	}
	old.Version = 10
	if !c.hold([]store.Condition{old}) {
		t.Error("a condition from the horizon does not hold")
	}

	for what, keys := range map[string]map[ref]struct{}{"many": many(rememberKeys + 1), "any": nil} {
		c := changes{}
		c.add(1, map[ref]struct{}{})
		c.add(2, keys)
		if len(c.commits) != 0 || c.keys != 0 || c.horizon != 2 || c.last != 2 {
			t.Errorf("after a commit of %s keys: %d commits, %d keys, horizon %d", what, len(c.commits), c.keys, c.horizon)
		}
	}
}

func many(n int) map[ref]struct{} {
	keys := make(map[ref]struct{}, n)
	for i := range n {
		keys[ref{"b", fmt.Sprint("k", i)}] = struct{}{}
	}
	return keys
}
