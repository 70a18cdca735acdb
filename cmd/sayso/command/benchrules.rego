package sayso.rules

withhold contains {"field": "address", "reason": "Addresses stay with the checks of the day"} if {
	input.purpose.id == "fraud-prevention"
	[hour, _, _] := time.clock(time.parse_rfc3339_ns(input.now))
	hour < 5
}

mask contains {"field": "phone_number", "mask": "last4"} if {
	input.purpose.id == "customer-care"
	input.subject.age_band == "18_24"
}
