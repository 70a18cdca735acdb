package console

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/sayso-vault/sayso/vault"
)

// Purposes, fields and channels are lists of the register, and their forms are made
// of inputs: see inputsOf.
func itemRoutes() []route {
	var all []route
	for _, list := range []string{"purposes", "fields", "channels"} {
		all = append(all,
			route{pattern: "GET /console/" + list, do: func(v *visit) error { return v.showList(list) }},
			route{pattern: "GET /console/" + list + "/new", do: func(v *visit) error { return v.showItem(list, "", nil, nil) }},
			route{pattern: "POST /console/" + list + "/new", do: func(v *visit) error { return v.saveItem(list, "") }},
			route{pattern: "GET /console/" + list + "/{name}", do: func(v *visit) error { return v.showItem(list, v.r.PathValue("name"), nil, nil) }},
			route{pattern: "POST /console/" + list + "/{name}", do: func(v *visit) error { return v.saveItem(list, v.r.PathValue("name")) }},
			route{pattern: "POST /console/" + list + "/{name}/remove", do: func(v *visit) error { return v.removeItem(list, v.r.PathValue("name")) }},
		)
	}
	return all
}

// listPage is what the page of a list sees.
type listPage struct {
	List     string
	Register *registerView // nil: none was applied yet
	Channels map[string]vault.ChannelView
}

func (v *visit) showList(list string) error {
	d, _, err := v.register()
	if err != nil {
		return err
	}
	p := listPage{List: list, Channels: map[string]vault.ChannelView{}}
	if d != nil {
		p.Register = d.view()
	}
	if list == "channels" {
		all, err := v.vault.Channels(v.ctx, v.by)
		if err != nil {
			return err
		}
		for _, c := range all {
			p.Channels[string(c.ID)] = c
		}
	}
	return v.render(http.StatusOK, list+".html", p)
}

// itemPage is what the form of an item sees.
type itemPage struct {
	List, Name string // no name: a new one
	Inputs     []inputView
	Wrong      *wrong
	// Channel is the channel's state in the vault; nil if it is none, or not in
	// force yet. Shown is a secret just made.
	Channel *vault.ChannelView
	Shown   *shownSecret
	StepUp  string
	Uses    []string // what names it, so that it cannot just be removed
}

// inputView is an input with what it holds.
type inputView struct {
	input
	Texts   []langText // of texts by language
	Value   string
	Choices []optionView
	Wrong   string
}

type langText struct{ Lang, Value string }

// ID is the input's in the page.
func (i inputView) ID() string { return strings.ReplaceAll(i.Path, ".", "-") }

type optionView struct {
	Value, Label string
	Chosen       bool
}

// showItem shows the form of an item: with what the register says, or with what
// was typed and is wrong, so that nothing is lost.
func (v *visit) showItem(list, name string, typed map[string][]string, bad *wrong) error {
	p, err := v.itemPage(list, name, typed, bad)
	if err != nil {
		return err
	}
	return v.render(bad.status(), "item.html", p)
}

func (v *visit) itemPage(list, name string, typed map[string][]string, bad *wrong) (*itemPage, error) {
	d, _, err := v.register()
	if err != nil {
		return nil, err
	}
	if d == nil {
		return nil, errNotFound
	}
	view, p := d.view(), &itemPage{List: list, Name: name, Wrong: bad}
	n, _ := d.item(list, name)
	if name != "" && n == nil {
		return nil, errNotFound
	}
	lang := v.say("lang")
	for _, in := range inputsOf(list) {
		values := typed
		if typed == nil {
			values = in.read(n)
		}
		p.Inputs = append(p.Inputs, v.inputView(in, values, view, lang, bad))
	}
	if list == "channels" && name != "" {
		all, err := v.vault.Channels(v.ctx, v.by)
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(all, func(c vault.ChannelView) bool { return string(c.ID) == name }); i >= 0 {
			p.Channel = &all[i]
		}
		if c := view.Channel(name); c != nil {
			p.StepUp = c.StepUp
		}
	}
	p.Uses = uses(view, list, name)
	return p, nil
}

// uses are what names an item, for who thinks of removing it.
func uses(view *registerView, list, name string) (all []string) {
	switch list {
	case "fields":
		for _, p := range view.Purposes {
			if slices.Contains(p.Fields, name) {
				all = append(all, p.ID)
			}
		}
		for _, c := range view.Channels {
			if slices.Contains(c.Captures, name) {
				all = append(all, c.ID)
			}
		}
	case "purposes":
		for _, c := range view.Channels {
			if slices.Contains(c.Purposes, name) || slices.Contains(c.Obtains, name) {
				all = append(all, c.ID)
			}
		}
	}
	return all
}

func (v *visit) inputView(in input, values map[string][]string, view *registerView, lang string, bad *wrong) inputView {
	i := inputView{input: in}
	if bad != nil {
		i.Wrong = bad.At[in.Path]
	}
	if in.inLanguages() {
		for _, lang := range languages {
			i.Texts = append(i.Texts, langText{lang, strings.Join(values[in.Path+"."+lang], "")})
		}
		return i
	}
	chosen := values[in.Path]
	i.Value = strings.Join(chosen, "")
	add := func(value, label string) {
		i.Choices = append(i.Choices, optionView{value, label, slices.Contains(chosen, value)})
	}
	switch {
	case in.From == "fields":
		for _, f := range view.Fields {
			add(f.Name, labelOf(f.Title.In(lang), f.Name))
		}
	case in.From == "purposes":
		for _, p := range view.Purposes {
			add(p.ID, labelOf(p.Title.In(lang), p.ID))
		}
	default:
		for _, o := range in.Options {
			add(o, v.say("option."+o))
		}
	}
	return i
}

func labelOf(title, name string) string {
	if title == "" {
		return name
	}
	return title + " (" + name + ")"
}

// saveItem lays an item as it was typed on the desk.
func (v *visit) saveItem(list, name string) error {
	if err := v.r.ParseForm(); err != nil {
		return err
	}
	d, _, err := v.register()
	if err != nil {
		return err
	}
	if d == nil {
		return errNotFound
	}
	n, _ := d.item(list, name)
	if name != "" && n == nil {
		return errNotFound
	}
	typed := v.typed(list, name)
	if bad := v.checkTyped(d, list, name, typed); !bad.Empty() {
		return v.showItem(list, name, typed, bad)
	}
	e := edit{Kind: "item", List: list, Name: name, Values: typed}
	if name != "" {
		e.Values = changedOnly(list, func(in *input) map[string][]string { return in.read(n) }, typed)
	}
	bad, err := v.change(e)
	if err != nil {
		return err
	}
	if !bad.Empty() {
		return v.showItem(list, name, typed, bad)
	}
	return v.toReview()
}

// typed is what the form held, of each input.
func (v *visit) typed(list, name string) map[string][]string {
	all := map[string][]string{}
	for _, in := range inputsOf(list) {
		switch {
		case in.Fixed && name != "":
			all[in.Path] = []string{name}
		case in.inLanguages():
			for _, lang := range languages {
				all[in.Path+"."+lang] = []string{v.value(in.Path + "." + lang)}
			}
		case in.Kind == asMany:
			all[in.Path] = slices.Clone(v.r.PostForm[in.Path])
		default:
			all[in.Path] = []string{v.value(in.Path)}
		}
	}
	return all
}

// checkTyped looks for what the register's own check cannot know: whether a name
// is taken, and whether a notice that says something else is a new version.
func (v *visit) checkTyped(d *document, list, name string, typed map[string][]string) *wrong {
	bad := &wrong{At: map[string]string{}}
	key := keyOf(list)
	if name == "" {
		if other, _ := d.item(list, strings.Join(typed[key], "")); other != nil {
			bad.At[key] = v.say("wrong.taken")
		}
		return bad
	}
	if list != "purposes" {
		return bad
	}
	n, _ := d.item(list, name)
	const version, wordsOf = "consent.notice.version", "consent.notice.text"
	said := words(at(n, wordsOf))
	if said[""] != "" {
		said["en"] = said[""]
	}
	for _, lang := range languages {
		now := strings.ReplaceAll(strings.Join(typed[wordsOf+"."+lang], ""), "\r\n", "\n")
		if at(n, wordsOf) != nil && strings.TrimSpace(said[lang]) != now && text(at(n, version)) == strings.Join(typed[version], "") {
			bad.At[version] = v.say("wrong.version")
		}
	}
	return bad
}

// changedOnly leaves out what is as it was, so that an edit that is made again on
// another register does not undo what others changed.
func changedOnly(list string, was func(*input) map[string][]string, typed map[string][]string) map[string][]string {
	changed := map[string][]string{}
	inputs := inputsOf(list)
	for i := range inputs {
		in := &inputs[i]
		old := was(in)
		for name, value := range typed {
			if name != in.Path && !(in.inLanguages() && strings.HasPrefix(name, in.Path+".")) {
				continue
			}
			if strings.Join(old[name], "\n") != strings.ReplaceAll(strings.Join(value, "\n"), "\r\n", "\n") {
				changed[name] = value
			}
		}
	}
	return changed
}

func (v *visit) removeItem(list, name string) error {
	bad, err := v.change(edit{Kind: "remove", List: list, Name: name})
	if errors.Is(err, errMoved) {
		return errNotFound
	}
	if err != nil {
		return err
	}
	if !bad.Empty() {
		return v.showItem(list, name, nil, bad)
	}
	return v.toReview()
}
