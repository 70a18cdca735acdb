package profile

import (
	"strconv"
	"strings"
	"sync"
	"unicode"

	"github.com/nyaruka/phonenumbers"
	"google.golang.org/protobuf/proto"
)

// maxPhone is the longest spelling of a telephone number, in bytes.
const maxPhone = 64

// phone returns a telephone number in E.164.
//
// A number has to be possible, not assigned: numbering plans change faster
// than any table of them, and a table must not lock a person out. A number
// that only reaches somebody within one town is refused, for it would find the
// wrong person. So is an extension, which E.164 cannot hold.
func phone(s, country string) (string, *fault) {
	if len(s) > maxPhone {
		return "", &fault{TooLong, "expected a telephone number of at most 64 bytes"}
	}
	detail := "expected a telephone number with country code, such as +49 30 901820"
	if country != "" {
		detail = "expected a telephone number of " + country + " or one with country code, such as +49 30 901820"
	}
	e164, ok := dial(s, country)
	// A parenthesised trunk zero behind a country code is for callers from
	// within: +41 (0)44 … is +41 44 …, except where the zero is part of the
	// number, as in Italy, which the tables know.
	if ok && strings.Contains(s, "(0)") && !assigned(e164) {
		e164, ok = dial(strings.Replace(s, "(0)", " ", 1), country)
	}
	if !ok {
		return "", &fault{InvalidPhone, detail}
	}
	return e164, nil
}

// dial parses one spelling. The E.164 form it returns reads as itself.
func dial(s, country string) (string, bool) {
	s = strings.TrimPrefix(s, "tel:")
	if strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsDigit(r) && !unicode.In(r, unicode.Zs, unicode.Pd, unicode.Cf) && !strings.ContainsRune("+＋().·/−", r)
	}) {
		return "", false
	}
	for range 4 {
		if possible, sure := dialled(s); sure {
			return s, possible
		}
		number, err := phonenumbers.Parse(s, country)
		if err != nil || number.GetExtension() != "" ||
			phonenumbers.IsPossibleNumberWithReason(number) != phonenumbers.IS_POSSIBLE {
			return "", false
		}
		e164 := phonenumbers.Format(number, phonenumbers.E164)
		if e164 == s {
			return e164, true
		}
		s = e164
	}
	return "", false
}

// dialled reports whether a spelling that is E.164 to the letter is a possible
// number, where that can be told without the parser, which takes longer than all
// else that is done to a value: in countries whose trunk prefix is plain digits
// that the number does not begin with.
func dialled(s string) (possible, sure bool) {
	if len(s) < 8 || s[0] != '+' || s[1] == '0' || strings.Trim(s[1:], "0123456789") != "" {
		return false, false
	}
	for n := 1; n <= 3; n++ {
		code, _ := strconv.Atoi(s[1 : 1+n])
		trunk, plain := trunks()[code]
		if !plain {
			if phonenumbers.GetRegionCodeForCountryCode(code) != phonenumbers.UNKNOWN_REGION {
				return false, false
			}
			continue
		}
		national := s[1+n:]
		if national[0] == '0' || trunk != "" && strings.HasPrefix(national, trunk) || len(national) > phonenumbers.MAX_LENGTH_FOR_NSN {
			return false, false
		}
		value, err := strconv.ParseUint(national, 10, 64)
		if err != nil {
			return false, false
		}
		number := &phonenumbers.PhoneNumber{CountryCode: proto.Int32(int32(code)), NationalNumber: &value} //nolint:gosec // of at most three digits
		return phonenumbers.IsPossibleNumberWithReason(number) == phonenumbers.IS_POSSIBLE, true
	}
	return false, false
}

// trunks are the trunk prefixes of those country codes whose parsing takes no
// more than to strip one: "" where there is none.
var trunks = sync.OnceValue(func() map[int]string {
	plain := map[int]string{}
	all, err := phonenumbers.MetadataCollection()
	if err != nil {
		return plain
	}
	for _, m := range all.GetMetadata() {
		code, trunk := int(m.GetCountryCode()), m.GetNationalPrefixForParsing()
		if m.GetId() == phonenumbers.GetRegionCodeForCountryCode(code) && strings.Trim(trunk, "0123456789") == "" && m.GetNationalPrefixTransformRule() == "" {
			plain[code] = trunk
		}
	}
	return plain
})

// assigned reports whether a number in E.164 lies in a range the tables know.
func assigned(e164 string) bool {
	number, err := phonenumbers.Parse(e164, "")
	return err == nil && phonenumbers.IsValidNumber(number)
}

// phoneCountry returns the country a number in E.164 belongs to, or "".
func phoneCountry(e164 string) string {
	number, err := phonenumbers.Parse(e164, "")
	if err != nil {
		return ""
	}
	return phonenumbers.GetRegionCodeForNumber(number)
}
