package policy

import (
	"testing"
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// longer is the deadline of tests that are not about deadlines: a machine under
// the race detector is no measure.
const longer = 10 * time.Second

const twoRules = `
withhold contains {"field": "address", "reason": "Addresses stay with the store"} if {
	input.channel.id == "sms"
}

mask contains {"field": "phone_number", "mask": "last4"} if {
	input.channel.kind == "web"
	[hour, _, _] := time.clock(time.parse_rfc3339_ns(input.now))
	hour >= 22
}
`

// BenchmarkDecide decides the first time: five fields asked for, over the
// guardrails alone and with two rules, one looking at now.
func BenchmarkDecide(b *testing.B) {
	for name, rules := range map[string]string{"guardrails": "", "two rules": twoRules} {
		r := compile(b, rules)
		in := reads("given_name", "email", "phone_number", "address", "birthdate")
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if d, err := r.decide(b.Context(), in); err != nil || !d.Releases() {
					b.Fatal(d, err)
				}
			}
		})
		b.Run(name+", seen before", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if d, err := r.Decide(b.Context(), in); err != nil || !d.Releases() {
					b.Fatal(d, err)
				}
			}
		})
		value, err := r.value(in)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name+", query alone", func(b *testing.B) {
			for b.Loop() {
				if _, err := r.eval(b.Context(), value); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+", input alone", func(b *testing.B) {
			for b.Loop() {
				if _, err := r.value(in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDenied decides about people of whom nothing may be released: nobody
// and somebody without say-so should cost alike.
func BenchmarkDenied(b *testing.B) {
	r := compile(b, twoRules)
	for _, name := range []string{"unknown", "never asked", "restricted", "not granted"} {
		in := reads("given_name", "email", "phone_number", "address", "birthdate")
		in.Purpose.Basis = privacy.Consent
		in.Guard.Ground = false
		switch name {
		case "unknown":
			in.Subject.Standing = StandingUnknown
		case "restricted":
			in.Subject.Standing = StandingRestricted
		case "not granted":
			in.Guard.Granted = false
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if d, err := r.Decide(b.Context(), in); err != nil || d.Releases() {
					b.Fatal(d, err)
				}
			}
		})
	}
}
