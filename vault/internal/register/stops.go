package register

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// Stop is what people of a channel write, say or press to say no to a purpose: the
// word of a text message, the key of a telephone.
type Stop struct {
	Purpose  privacy.PurposeID
	Words    []string
	Language string // that they are of; "" for keys, and words of any
}

// No is how a person says no to the purpose, by what it rests on. To what a contract
// or the law demands nobody can.
func (p *Purpose) No() (status privacy.ConsentStatus, ok bool) {
	switch p.Basis {
	case privacy.Consent:
		return privacy.StatusWithdrawn, true
	case privacy.OptOut:
		return privacy.StatusOptedOut, true
	case privacy.LegitimateInterests, privacy.PublicTask:
		return privacy.StatusObjected, true
	}
	return "", false
}

// maxReply bounds how much of a reply is looked at.
const maxReply = 1 << 10

// FirstWord is the first word of a text as words are compared: case, compatible
// letters and what stands around it do not count.
func FirstWord(text string) string {
	if words := words(text); len(words) > 0 {
		return words[0]
	}
	return ""
}

func words(text string) []string {
	text = unseen.Replace(cases.Fold().String(norm.NFKC.String(text[:min(len(text), maxReply)])))
	return strings.FieldsFunc(text, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r) && r != '*' && r != '#'
	})
}

// BareWord is a word, as FirstWord gives it, without what is easily lost or added on
// the way: accents, which telephones leave out of capitals, and asterisks around, which
// messengers make bold with. A key of a telephone stays what it is.
func BareWord(word string) string {
	word = norm.NFC.String(strings.Map(func(r rune) rune {
		if unicode.Is(accents, r) {
			return -1
		}
		return r
	}, norm.NFD.String(word)))
	if bare := strings.Trim(word, "*#"); strings.ContainsFunc(bare, unicode.IsLetter) {
		return bare
	}
	return word
}

// accents are the marks that stand over and under letters of Latin, Greek and
// Cyrillic.
var accents = &unicode.RangeTable{R16: []unicode.Range16{{Lo: 0x0300, Hi: 0x036f, Stride: 1}}}

// unseen are characters within words that only say how to set them: where to
// hyphenate, what to join.
var unseen = strings.NewReplacer("\u00ad", "", "\u200c", "", "\u200d", "", "\u2060", "")

func (v value) stop() Stop {
	o := v.object("purpose", "words", "language")
	return Stop{Purpose: privacy.PurposeID(o.need("purpose").id()), Words: strs(o.need("words")), Language: o.get("language").languageTag()}
}

// checkStops looks at how people of a channel say no.
func (p *parser) checkStops(r *Register, at string, c *Channel) {
	taken := map[string]string{}
	for i, s := range c.Stops {
		path := fmt.Sprintf("%s.stops[%d]", at, i)
		if purpose, ok := p.declaredPurpose(r, path+".purpose", s.Purpose); ok && purpose.Basis != "" {
			if _, can := purpose.No(); !can {
				p.fault(path+".purpose", "%s rests on %s, to which nobody can say no", s.Purpose, purpose.Basis)
			}
		}
		if len(s.Words) == 0 && p.has(path+".words") {
			p.fault(path+".words", "expected at least one word")
		}
		for n, word := range s.Words {
			of := fmt.Sprintf("%s.words[%d]", path, n)
			parts := words(word)
			switch {
			case word == "":
			case len(parts) != 1:
				p.fault(of, "expected one word, or one key of a telephone in quotes")
			case taken[parts[0]] != "":
				p.fault(of, "is a word of this channel already (%s): one word says one thing", taken[parts[0]])
			default:
				taken[parts[0]] = of
			}
		}
	}
	p.unique(at+".stops[%d]", len(c.Stops), func(i int) string { return c.Stops[i].name() })
}

// name tells the words of a purpose and a language from others.
func (s Stop) name() string {
	if s.Purpose == "" || s.Language == "" {
		return string(s.Purpose)
	}
	return string(s.Purpose) + "/" + s.Language
}

func stopMembers(stops []Stop) []element {
	var all []element
	for _, s := range stops {
		all = append(all, element{s.name(), []member{{"purpose", string(s.Purpose)}, {"words", s.Words}, {"language", s.Language}}})
	}
	return all
}

// languageTag reads a BCP 47 tag.
func (v value) languageTag() string {
	s := v.str()
	if s == "" {
		return ""
	}
	tag, err := language.Parse(s)
	if err != nil || tag == language.Und {
		v.problem("%s is no language: expected a BCP 47 tag such as en or de-AT", quoted(s))
		return ""
	}
	return tag.String()
}
