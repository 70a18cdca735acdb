# The guardrails of the vault: what no officer's rule can widen.
#
# A field is released by positive conditions only. What is undefined here is
# withheld, whatever the reason.
package sayso.guardrails

import rego.v1

# decision is the one thing the vault asks for. Officers' rules are evaluated
# only where the guardrails release something: a rule that fails or takes long
# would tell a person without say-so from one unknown. Both halves are
# conditions, not one the rest of the other: rules that could not be evaluated
# leave no decision, never one without them.
decision := {
	"release": release,
	"why": why,
	"withhold": data.sayso.rules.withhold,
	"mask": data.sayso.rules.mask,
} if releases

decision := {
	"release": release,
	"why": why,
	"withhold": set(),
	"mask": set(),
} if not releases

# releases is true if there is something for officers' rules to narrow.
releases if some _ in release

# The order matters to nobody but a stranger with a clock: what is true of the
# field comes before what is true of the person, so that an unknown person and
# one without say-so take the same steps.
release contains field if {
	some field in input.fields
	facts := input.guard.fields[field]
	in_purpose(facts)
	basis_holds(facts)
	category_holds(facts)
	facts.stale == false
	facts.inferred == false
	facts.contested == false
	facts.as in shown
	person_releases
}

# shown is what the matrix may say of a field that is not withheld: nothing, or
# a mask, which the vault applies.
shown := {"", "partial", "last4", "initial", "city", "year", "age_band", "over_16", "over_18"}

# person_releases holds what is the same for all fields of a read.
person_releases if {
	input.guard.granted == true
	input.subject.standing == "active"
	objection_permits
}

objection_permits if input.objected[input.purpose.id] == false

# An objection does not reach what a law demands or a life depends on.
objection_permits if input.purpose.basis in {"legal_obligation", "vital_interests"}

# basis_holds(facts) if the purpose's legal basis is true for this person and
# this field.
basis_holds(facts) if {
	input.purpose.basis == "consent"
	facts.covered == true
}

basis_holds(facts) if {
	input.purpose.basis == "opt_out"
	facts.covered == true
}

basis_holds(_) if {
	input.purpose.basis == "opt_out"
	input.guard.opt_out == true
	input.consents[input.purpose.id] == "none"
}

basis_holds(_) if {
	input.purpose.basis in grounded
	input.guard.ground == true
}

# grounded lists the bases that need a ground for this person.
grounded := {"contract", "legal_obligation", "vital_interests", "public_task", "legitimate_interests"}

# category_holds(facts) if the field is of no special category, or the person
# has explicitly consented to it.
category_holds(facts) if facts.special == false

category_holds(facts) if {
	facts.special == true
	facts.covered == true
	facts.explicit == true
}

# why gives the first reason, in the order a person would ask, for each field
# that is not released: what is true of the person, then of the field. Both are
# looked at whoever is asked about.
why[field] := reason if {
	some field in input.fields
	not field in release
	of_field := field_reason(input.guard.fields[field])
	reason := object.get(person_reason, "reason", of_field)
}

person_reason := {"reason": {"code": unfounded, "rule": "granted"}} if {
	not input.guard.granted == true
} else := {"reason": {"code": "restricted", "rule": "standing"}} if {
	input.subject.standing == "restricted"
} else := {"reason": {"code": unfounded, "rule": "standing"}} if {
	not input.subject.standing == "active"
} else := {"reason": {"code": "objected", "rule": "objection"}} if {
	not objection_permits
} else := {}

field_reason(facts) := {"code": "field_not_in_purpose", "rule": "purpose"} if {
	not in_purpose(facts)
} else := {"code": unfounded_field, "rule": "basis"} if {
	not basis_holds(facts)
} else := {"code": "no_consent", "rule": "category"} if {
	not category_holds(facts)
} else := {"code": "stale", "rule": "age"} if {
	not facts.stale == false
} else := {"code": "policy", "rule": "profiling"} if {
	not facts.inferred == false
} else := {"code": "restricted", "rule": "contest"} if {
	not facts.contested == false
} else := {"code": "policy", "rule": "matrix"}

# unfounded_field is what is said where the basis is not true for a field.
unfounded_field := "no_ground" if input.purpose.basis in grounded
else := "no_consent"

in_purpose(facts) if {
	facts.declared == true
	facts.in_purpose == true
}

# unfounded is what is said where the person as a whole gives no say-so: silent
# bases must not tell such a person from one unknown.
unfounded := "no_consent" if input.purpose.basis in silent
else := "no_ground"

silent := {"consent", "opt_out", "legitimate_interests"}
