package api

import (
	"math"
	"strconv"

	"github.com/sayso-vault/sayso/vault"
)

// The headers by which a channel sees its limits on each answer
// (draft-ietf-httpapi-ratelimit-headers).
const (
	headerPolicy = "Ratelimit-Policy"
	headerLimit  = "Ratelimit"
)

// tellLimits tells a channel its limits and what is left of them. They count what
// was asked, never whom it found, so they are the same for a person known or not.
// wait is in how many seconds to try again what a limit refused, 0 if none did.
func (x *exchange) tellLimits(wait int) {
	h := x.w.Header()
	if x.caller.Client.Role != vault.RoleChannel || h[headerLimit] != nil {
		return
	}
	limits := x.door.Limits(x.caller)
	if len(limits) == 0 {
		return
	}
	var policy, left []byte
	now := x.now()
	for i, l := range limits {
		if i > 0 {
			policy, left = append(policy, ", "...), append(left, ", "...)
		}
		policy, left = strconv.AppendQuote(policy, l.Name), strconv.AppendQuote(left, l.Name)
		policy = strconv.AppendInt(append(policy, ";q="...), int64(l.Limit), 10)
		policy = strconv.AppendInt(append(policy, ";w="...), int64(l.Window.Seconds()), 10)
		left = strconv.AppendInt(append(left, ";r="...), int64(l.Left), 10)
		t := max(0, int(math.Ceil(l.Resets.Sub(now).Seconds())))
		if l.Left == 0 && wait > 0 {
			t = min(t, wait)
		}
		left = strconv.AppendInt(append(left, ";t="...), int64(t), 10)
	}
	h[headerPolicy], h[headerLimit] = []string{string(policy)}, []string{string(left)}
}
