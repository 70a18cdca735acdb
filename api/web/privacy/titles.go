package privacy

import (
	"strings"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// titles are what things are called in one language. What is in the register no
// more goes by its ID.
type titles struct {
	lang       string
	controller vault.Controller
	fields     map[privacy.FieldName]vault.FieldTitle
	purposes   map[privacy.PurposeID]privacy.Text
	channels   map[privacy.ChannelID]vault.ChannelTitle
	unique     []vault.FieldTitle // identifiers that codes are sent to
}

func (h *Handler) readTitles(lang string) (*titles, error) {
	all, err := h.vault.Titles()
	if err != nil {
		return nil, err
	}
	t := &titles{lang: lang, controller: all.Controller, fields: map[privacy.FieldName]vault.FieldTitle{},
		purposes: map[privacy.PurposeID]privacy.Text{}, channels: map[privacy.ChannelID]vault.ChannelTitle{}}
	for _, f := range all.Fields {
		t.fields[f.Field] = f
		if f.Unique && f.Type == privacy.TypeEmail {
			t.unique = append(t.unique, f)
		}
	}
	for _, p := range all.Purposes {
		t.purposes[p.Purpose] = p.Title
	}
	for _, c := range all.Channels {
		t.channels[c.Channel] = c
	}
	return t, nil
}

// plain makes words of an ID.
func plain(id string) string { return strings.NewReplacer("_", " ", "-", " ").Replace(id) }

func (t *titles) field(name privacy.FieldName) string {
	if text := t.fields[name].Title.In(t.lang); text != "" {
		return text
	}
	return plain(string(name))
}

func (t *titles) fieldList(names []privacy.FieldName) []string {
	var all []string
	for _, name := range names {
		all = append(all, t.field(name))
	}
	return all
}

func (t *titles) purpose(id privacy.PurposeID) string {
	if text := t.purposes[id].In(t.lang); text != "" {
		return text
	}
	return plain(string(id))
}

// channel is what a channel is called, and whose it is if not the controller's.
func (v *visit) channel(id privacy.ChannelID) string {
	if id == vault.SelfChannel {
		return v.say("channel.self")
	}
	c := v.titles.channels[id]
	name := c.Title.In(v.lang)
	if name == "" {
		name = plain(string(id))
	}
	if c.Recipient != "" {
		return v.say("channel.recipient", "name", name, "recipient", c.Recipient)
	}
	return name
}

// list joins what is named: "a, b and c".
func (v *visit) list(all []string) string {
	switch len(all) {
	case 0:
		return ""
	case 1:
		return all[0]
	}
	last := len(all) - 1
	return strings.Join(all[:last], ", ") + " " + v.say("and") + " " + all[last]
}
