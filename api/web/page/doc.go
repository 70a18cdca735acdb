// Package page is what the console and the privacy centre share: the layout and
// its styles, messages by language, and the headers that keep a page to itself.
//
// A family of pages makes a [Site] of its templates and catalogues with [New],
// renders with [Site.Render], and serves through [Guard]. Styles and scripts
// come from [Assets]. Pages work without JavaScript; htmx and the rego editor
// only add to them.
//
// A template is parsed once for every language, so what it says is checked at
// the start: a message that a catalogue lacks fails [New], not a person's page.
package page
