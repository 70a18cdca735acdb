package privacy

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// mostParts bounds the form of an object. A larger one cannot be typed.
const mostParts = 200

// longText is a text, in bytes, that gets more than one line.
const longText = 80

// asObject makes the form of an object: an input for each text, number, yes or no
// in it, and an empty one behind each list for one more. They go by their JSON
// pointers (RFC 6901). A part that is emptied is taken out.
func (p *correctionPage) asObject(v *visit, raw []byte) error {
	var object map[string]any
	if err := json.Unmarshal(raw, &object); err != nil {
		return err
	}
	var parts []part
	eachPart(object, "", nil, func(pointer string, names []string, value any) (any, bool) {
		one := part{Name: pointer, Label: strings.Join(names, " – "), Kind: "text", Text: v.typed(value)}
		switch value := value.(type) {
		case bool:
			one.Kind = "boolean"
		case float64:
			one.Kind = "number"
		case string:
			if strings.Contains(value, "\n") || len(value) > longText {
				one.Kind = "lines"
			}
		case more:
			one.Label = v.say("correct.more", "part", one.Label)
		}
		parts = append(parts, one)
		return value, true
	})
	if len(parts) > mostParts {
		return nil
	}
	p.Parts = parts
	p.whole = func(typed []part) (any, error) {
		at, wrong := 0, false
		changed, kept := eachPart(object, "", nil, func(_ string, _ []string, value any) (any, bool) {
			one := &typed[at]
			at++
			read, err := v.read(one)
			wrong = wrong || err != nil
			if read == nil && (value == nil || value == "") {
				return value, true // it was empty before
			}
			return read, read != nil
		})
		if wrong || !kept {
			return nil, errTyped
		}
		return changed, nil
	}
	return nil
}

// more stands for what may be added to a list.
type more struct{}

// eachPart gives each single value of an object to fn, in the order of names, and
// returns the object made of what fn returns. What fn does not keep is taken out,
// and an object that has nothing left with it; lists stay.
func eachPart(value any, pointer string, names []string, fn func(pointer string, names []string, value any) (any, bool)) (any, bool) {
	switch value := value.(type) {
	case map[string]any:
		kept := map[string]any{}
		for _, name := range slices.Sorted(maps.Keys(value)) {
			if one, keep := eachPart(value[name], pointer+"/"+escapePointer(name), append(slices.Clone(names), plain(name)), fn); keep {
				kept[name] = one
			}
		}
		return kept, len(kept) > 0 || len(value) == 0
	case []any:
		kept, single := []any{}, true
		for n, one := range value {
			switch one.(type) {
			case map[string]any, []any:
				single = false
			}
			numbered := append(slices.Clone(names[:len(names)-1]), fmt.Sprintf("%s %d", names[len(names)-1], n+1))
			if one, keep := eachPart(one, fmt.Sprintf("%s/%d", pointer, n), numbered, fn); keep {
				kept = append(kept, one)
			}
		}
		if single {
			if one, keep := fn(pointer+"/-", names, more{}); keep {
				kept = append(kept, one)
			}
		}
		return kept, true
	}
	return fn(pointer, names, value)
}

// escapePointer writes a name as a part of a JSON pointer.
func escapePointer(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}
