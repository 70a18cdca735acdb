package register

// Names lists what the register calls its fields, purposes, channels and
// recipients, each once. Standings have their numbers in the list that was kept
// with the revision, so another order later does no harm.
func (r *Register) Names() []string {
	var names []string
	seen := map[string]bool{}
	add := func(s string) {
		if !seen[s] {
			seen[s] = true
			names = append(names, s)
		}
	}
	for i := range r.Channels {
		add(string(r.Channels[i].ID))
	}
	for i := range r.Purposes {
		add(string(r.Purposes[i].ID))
	}
	for i := range r.Fields {
		add(string(r.Fields[i].Name))
	}
	for i := range r.Purposes {
		for _, recipient := range r.Purposes[i].Recipients {
			add(recipient)
		}
	}
	return names
}
