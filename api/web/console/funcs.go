package console

import "html/template"

// funcs are what the templates of the console can do beside those of all pages.
func funcs() template.FuncMap {
	return template.FuncMap{}
}
