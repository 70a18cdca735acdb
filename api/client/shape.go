package client

import (
	"reflect"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// answers reports whether a body is an answer of a shape: an object with at least
// one of the members that are always there. A proxy that says {} has not recorded a
// no. Not all are asked for, since an older vault has not what a newer one adds.
func answers(body []byte, out any) bool {
	always := members(reflect.TypeOf(out))
	if len(always) == 0 {
		return true
	}
	var said map[string]jsontext.Value
	if json.Unmarshal(body, &said) != nil {
		return false
	}
	for _, name := range always {
		if _, ok := said[name]; ok {
			return true
		}
	}
	return false
}

// members returns the names of those that a shape of package wire always has.
func members(t reflect.Type) (names []string) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			names = append(names, members(f.Type)...)
		case name != "" && name != "-" && !strings.Contains(options, "omit"):
			names = append(names, name)
		}
	}
	return names
}
