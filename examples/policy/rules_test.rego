package sayso.rules_test

import data.sayso.rules

# A test sets what its rules look at, and no more.
adult := {
	"channel": {"id": "web", "kind": "web"},
	"purpose": {"id": "birthday-treat"},
	"subject": {"age_band": "35_44"},
	"objected": {"sms-marketing": false},
}

test_an_adult_on_the_web_is_shown_whole if {
	rules.mask == set() with input as adult
	rules.withhold == set() with input as adult
}

test_the_app_sees_an_age_band if {
	rules.mask == {{"field": "birthdate", "mask": "age_band"}} with input as adult with input.channel as {"id": "app", "kind": "app"}
}

test_nobody_sees_a_minors_birthday if {
	every band in ["under_13", "13_15", "16_17"] {
		withheld := rules.withhold with input as adult with input.subject.age_band as band
		{"field": "birthdate", "reason": "Not used of people under 18"} in withheld
	}
}

test_who_objected_is_not_called if {
	withheld := rules.withhold with input as adult
		with input.purpose.id as "fraud-prevention"
		with input.objected["sms-marketing"] as true
	{entry.field | some entry in withheld} == {"phone_number"}
}
