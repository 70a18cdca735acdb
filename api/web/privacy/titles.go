package privacy

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

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

// show is a value as people write it, a line each.
func (v *visit) show(raw []byte) []string {
	var any any
	if err := json.Unmarshal(raw, &any); err != nil {
		return nil
	}
	return v.lines(any)
}

func (v *visit) lines(value any) []string {
	switch value := value.(type) {
	case string:
		if at, err := time.Parse(time.DateOnly, value); err == nil {
			return []string{v.say("date", "day", at.Day(), "month", v.say("month."+at.Format("1")), "year", at.Year())}
		}
		return strings.Split(strings.ReplaceAll(value, "\r\n", "\n"), "\n")
	case bool:
		if value {
			return []string{v.say("yes")}
		}
		return []string{v.say("no")}
	case []any:
		var all []string
		for _, one := range value {
			all = append(all, v.lines(one)...)
		}
		return all
	case map[string]any:
		return v.members(value)
	case nil:
		return nil
	}
	text, err := json.Marshal(value)
	if err != nil {
		return nil
	}
	return []string{string(text)}
}

// members are the lines of an object: an address as on a letter, others with their
// names.
func (v *visit) members(object map[string]any) []string {
	text := func(name string) string {
		s, _ := object[name].(string)
		return s
	}
	known := []string{"formatted", "street_address", "postal_code", "locality", "region", "country"}
	isAddress := len(object) > 0
	for name := range object {
		isAddress = isAddress && slices.Contains(known, name)
	}
	var all []string
	if isAddress {
		for _, line := range []string{text("street_address"), strings.TrimSpace(text("postal_code") + " " + text("locality")), text("region"), text("country")} {
			if line != "" {
				all = append(all, line)
			}
		}
		if all == nil {
			all = strings.Split(text("formatted"), "\n")
		}
		return all
	}
	var names []string
	for name := range object {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		all = append(all, plain(name)+": "+strings.Join(v.lines(object[name]), ", "))
	}
	return all
}
