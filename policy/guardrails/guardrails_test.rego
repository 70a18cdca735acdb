package sayso.guardrails_test

import data.sayso.guardrails

# delivery is a read that everything allows.
delivery := {
	"channel": {"id": "web", "kind": "web"},
	"purpose": {"id": "delivery", "dpv": "unknown", "basis": "contract"},
	"subject": {"jurisdiction": "DE", "age_band": "25_34", "standing": "active"},
	"consents": {"delivery": "none"},
	"objected": {"delivery": false},
	"fields": ["email"],
	"touches": {},
	"context": {},
	"now": "2026-03-01T12:00:00Z",
	"guard": {"granted": true, "ground": true, "opt_out": false, "fields": {"email": {
		"declared": true,
		"in_purpose": true,
		"covered": false,
		"special": false,
		"explicit": false,
		"stale": false,
		"inferred": false,
		"contested": false,
		"as": "",
	}}},
}

patched(changes) := json.patch(delivery, [{"op": "replace", "path": path, "value": value} | some path, value in changes])

without(path) := json.remove(delivery, [path])

test_a_read_that_everything_allows if {
	guardrails.release == {"email"} with input as delivery
	guardrails.why == {} with input as delivery
}

test_the_decision_has_its_four_parts if {
	decision := guardrails.decision with input as delivery
	decision == {"release": {"email"}, "why": {}, "withhold": set(), "mask": set()}
}

# Rules that withhold everything from everybody are not even asked about whom
# the guardrails release nothing.
test_rules_are_asked_only_where_something_is_released if {
	everything := {{"field": "email", "reason": "x", "rule": "r:1"}}
	released := guardrails.decision with input as delivery with data.sayso.rules.withhold as everything
	released.withhold == everything
	every path in ["/guard/granted", "/guard/ground", "/guard/fields/email/in_purpose"] {
		decision := guardrails.decision with input as patched({path: false}) with data.sayso.rules.withhold as everything
		decision.withhold == set()
		decision.mask == set()
	}
}

# What lacks, or is of another type, releases nothing. The vault never gives
# such an input; the guardrails do not rely on it.
test_nothing_undefined_releases if {
	every path in [
		"purpose", "purpose/id", "purpose/basis", "subject", "subject/standing", "objected", "objected/delivery",
		"guard", "guard/granted", "guard/ground", "guard/fields", "guard/fields/email",
		"guard/fields/email/declared", "guard/fields/email/in_purpose", "guard/fields/email/special",
		"guard/fields/email/stale", "guard/fields/email/inferred", "guard/fields/email/contested", "guard/fields/email/as",
	] {
		guardrails.release == set() with input as without(path)
	}
}

test_nothing_of_another_type_releases if {
	every path in [
		"/purpose/id", "/purpose/basis", "/subject/standing", "/objected/delivery",
		"/guard/granted", "/guard/ground", "/guard/fields/email/declared", "/guard/fields/email/in_purpose",
		"/guard/fields/email/special", "/guard/fields/email/stale", "/guard/fields/email/inferred", "/guard/fields/email/contested", "/guard/fields/email/as",
	] {
		every value in [null, 1, "yes", [], {}] {
			guardrails.release == set() with input as patched({path: value})
		}
	}
}

test_only_an_active_standing_releases if {
	every standing in ["restricted", "erasing", "erased", "unknown", ""] {
		guardrails.release == set() with input as patched({"/subject/standing": standing})
	}
}

test_every_basis_needs_what_makes_it_true if {
	every basis in ["contract", "legal_obligation", "vital_interests", "public_task", "legitimate_interests"] {
		guardrails.release == {"email"} with input as patched({"/purpose/basis": basis})
		guardrails.release == set() with input as patched({"/purpose/basis": basis, "/guard/ground": false, "/guard/opt_out": true, "/guard/fields/email/covered": true})
	}
	guardrails.release == set() with input as patched({"/purpose/basis": "consent", "/guard/opt_out": true})
	guardrails.release == {"email"} with input as patched({"/purpose/basis": "consent", "/guard/fields/email/covered": true})
	guardrails.release == set() with input as patched({"/purpose/basis": "because", "/guard/opt_out": true, "/guard/fields/email/covered": true})
}

test_opt_out_holds_where_it_applies_and_nothing_was_said if {
	guardrails.release == {"email"} with input as patched({"/purpose/basis": "opt_out", "/guard/opt_out": true})
	guardrails.release == set() with input as patched({"/purpose/basis": "opt_out"})
	every status in ["opted_out", "withdrawn", "refused", "objected", "expired", "given"] {
		guardrails.release == set() with input as patched({"/purpose/basis": "opt_out", "/guard/opt_out": true, "/consents/delivery": status})
	}
	guardrails.release == {"email"} with input as patched({"/purpose/basis": "opt_out", "/consents/delivery": "given", "/guard/fields/email/covered": true})
}

test_special_categories_need_explicit_consent_on_every_basis if {
	every basis in ["contract", "legal_obligation", "vital_interests", "public_task", "legitimate_interests", "consent", "opt_out"] {
		special := {"/purpose/basis": basis, "/guard/opt_out": true, "/guard/fields/email/special": true}
		guardrails.release == set() with input as patched(special)
		guardrails.release == set() with input as patched(object.union(special, {"/guard/fields/email/covered": true}))
		guardrails.release == set() with input as patched(object.union(special, {"/guard/fields/email/explicit": true}))
		guardrails.release == {"email"} with input as patched(object.union(special, {"/guard/fields/email/covered": true, "/guard/fields/email/explicit": true}))
	}
}

test_an_objection_does_not_reach_laws_and_lives if {
	every basis in ["consent", "contract", "public_task", "legitimate_interests", "opt_out"] {
		guardrails.release == set() with input as patched({"/purpose/basis": basis, "/objected/delivery": true, "/guard/fields/email/covered": true})
	}
	every basis in ["legal_obligation", "vital_interests"] {
		guardrails.release == {"email"} with input as patched({"/purpose/basis": basis, "/objected/delivery": true})
	}
}

test_a_field_is_released_or_has_a_reason_never_both if {
	every path in [
		"/guard/granted", "/guard/ground", "/guard/fields/email/declared", "/guard/fields/email/in_purpose",
		"/guard/fields/email/special", "/guard/fields/email/stale", "/guard/fields/email/inferred", "/guard/fields/email/contested", "/objected/delivery",
	] {
		every value in [true, false] {
			changed := patched({path: value})
			released := guardrails.release with input as changed
			why := guardrails.why with input as changed
			released | {f | why[f]} == {"email"}
			released & {f | why[f]} == set()
		}
	}
}
