package vault

import (
	"github.com/sayso-vault/sayso/vault/internal/profile"
	"github.com/sayso-vault/sayso/vault/internal/register"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// Titles are what the register in force calls things, for pages that people read.
// They say nothing about anybody.
type Titles struct {
	Controller Controller
	Fields     []FieldTitle
	Purposes   []PurposeTitle
	Channels   []ChannelTitle
}

// FieldTitle is what a field is called, and what its values look like.
type FieldTitle struct {
	Field  privacy.FieldName
	Title  privacy.Text
	Type   privacy.Type
	Unique bool // it is an identifier that can log somebody in
}

// PurposeTitle is what a purpose is called.
type PurposeTitle struct {
	Purpose privacy.PurposeID
	Title   privacy.Text
}

// ChannelTitle is what a channel is called, and who reads there if it is not the
// controller.
type ChannelTitle struct {
	Channel   privacy.ChannelID
	Kind      string
	Title     privacy.Text
	Recipient string
}

// Titles returns what things are called.
func (v *Vault) Titles() (*Titles, error) {
	now, err := v.current()
	if err != nil {
		return nil, err
	}
	t := &Titles{Controller: Controller(now.register.Controller)}
	for i := range now.register.Fields {
		f := &now.register.Fields[i]
		t.Fields = append(t.Fields, FieldTitle{Field: f.Name, Title: f.Title, Type: f.Type, Unique: f.Identifier == register.Unique})
	}
	for i := range now.register.Purposes {
		p := &now.register.Purposes[i]
		t.Purposes = append(t.Purposes, PurposeTitle{Purpose: p.ID, Title: p.Title})
	}
	for i := range now.register.Channels {
		c := &now.register.Channels[i]
		t.Channels = append(t.Channels, ChannelTitle{Channel: c.ID, Kind: c.Kind, Title: c.Title, Recipient: c.Recipient})
	}
	return t, nil
}

// Countries are the codes that a country, also one of an address, is kept as.
func Countries() []string { return profile.Countries() }
