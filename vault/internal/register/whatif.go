package register

import (
	"slices"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// What a register would be with one change, to try what a decision would have
// been. None of these is ever put in force; the register itself stays as it is.

// WithField returns the register as if a purpose listed one more field. It is
// false if it could not: the purpose or the field is not declared, it lists it
// already, or the field is of a special category that the purpose may not list.
func (r *Register) WithField(id privacy.PurposeID, name privacy.FieldName) (*Register, bool) {
	p, ok := r.Purpose(id)
	f, ok2 := r.Field(name)
	if !ok || !ok2 || slices.Contains(p.Fields, name) || f.Special && !explicit(p) {
		return nil, false
	}
	other := r.copied()
	q := other.purposes[id]
	q.Fields = append(slices.Clone(q.Fields), name)
	return other, true
}

// WithoutCell returns the register as if the matrix said nothing of a field for a
// purpose in a channel. It is false if it says nothing.
func (r *Register) WithoutCell(p privacy.PurposeID, c privacy.ChannelID, f privacy.FieldName) (*Register, bool) {
	if r.As(p, c, f) == "" {
		return nil, false
	}
	other := r.copied()
	other.Matrix = slices.DeleteFunc(other.Matrix, func(x Cell) bool { return x.Purpose == p && x.Channel == c && x.Field == f })
	other.index()
	return other, true
}

// WithPurpose returns the register as if a channel held one more purpose. It is
// false if it could not: channel or purpose is not declared, it holds it already,
// or it reads for a third party that the purpose does not name.
func (r *Register) WithPurpose(c privacy.ChannelID, id privacy.PurposeID) (*Register, bool) {
	channel, ok := r.Channel(c)
	p, ok2 := r.Purpose(id)
	if !ok || !ok2 || slices.Contains(channel.Purposes, id) || channel.Recipient != "" && !slices.Contains(p.Recipients, channel.Recipient) {
		return nil, false
	}
	other := r.copied()
	ch := other.channels[c]
	ch.Purposes = append(slices.Clone(ch.Purposes), id)
	return other, true
}

// copied returns the register with lists of its own.
func (r *Register) copied() *Register {
	other := *r
	other.Purposes, other.Channels, other.Matrix = slices.Clone(r.Purposes), slices.Clone(r.Channels), slices.Clone(r.Matrix)
	other.index()
	return &other
}
