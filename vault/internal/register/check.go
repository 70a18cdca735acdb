package register

// check reports what is wrong with a register whose parts are each well formed.
func (p *parser) check(r *Register) {}
