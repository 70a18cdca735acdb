# The officers' rules of Northgate, the shop of examples/shop. They only take
# away: what the register and people's say-so do not cover, nothing here releases.
package sayso.rules

# A birthday is enough for a treat; the year is nobody's business in the store
# and in the app.
mask contains {"field": "birthdate", "mask": "age_band"} if {
	input.purpose.id == "birthday-treat"
	input.channel.kind in {"app", "store"}
}

# Whoever is not of age gets no treat that needs their date of birth.
withhold contains {"field": "birthdate", "reason": "Not used of people under 18"} if minor

# Who said no to text messages is not called by the fraud team either.
withhold contains {"field": "phone_number", "reason": "The person objected to text messages"} if {
	input.purpose.id == "fraud-prevention"
	input.objected["sms-marketing"]
}

minor if input.subject.age_band in {"under_13", "13_15", "16_17"}
