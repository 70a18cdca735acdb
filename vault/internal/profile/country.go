package profile

import (
	"slices"
	"strings"
	"sync"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// countries returns the alpha-2 codes of ISO 3166-1, sorted, and XK, which
// Kosovo uses until it has one.
var countries = sync.OnceValue(func() []string { return strings.Fields(countryCodes) })

const countryCodes = `
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO
FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE
JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO
MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW
PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM
TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW`

// Countries returns the codes that a country is kept as, sorted.
func Countries() []string { return slices.Clone(countries()) }

// isCountry reports whether code is one of countries().
func isCountry(code string) bool {
	_, ok := slices.BinarySearch(countries(), code)
	return ok
}

// otherNames are names by which countries are called beside the one the
// Unicode CLDR gives: former and official ones, and short forms. Folded.
var otherNames = map[string]string{
	"bolivia, plurinational state of": "BO", "brunei darussalam": "BN", "burma": "MM", "cabo verde": "CV",
	"congo, the democratic republic of the": "CD", "czech republic": "CZ", "democratic republic of the congo": "CD",
	"east timor": "TL", "eswatini": "SZ", "england": "GB", "great britain": "GB", "holland": "NL", "hong kong": "HK",
	"iran, islamic republic of": "IR", "islamic republic of iran": "IR", "ivory coast": "CI", "korea, republic of": "KR",
	"lao people's democratic republic": "LA", "macao": "MO", "macau": "MO", "macedonia": "MK", "moldova, republic of": "MD",
	"north macedonia": "MK", "northern ireland": "GB", "palestine, state of": "PS", "republic of ireland": "IE",
	"republic of korea": "KR", "republic of moldova": "MD", "russian federation": "RU", "scotland": "GB",
	"swaziland": "SZ", "syrian arab republic": "SY", "taiwan, province of china": "TW", "tanzania, united republic of": "TZ",
	"the gambia": "GM", "the netherlands": "NL", "turkey": "TR", "türkiye": "TR", "u.k.": "GB", "u.s.": "US", "u.s.a.": "US",
	"uk": "GB", "united states of america": "US", "venezuela, bolivarian republic of": "VE", "viet nam": "VN", "wales": "GB",
}

// countryNames returns codes by name, folded: the English names of the CLDR and
// otherNames.
var countryNames = sync.OnceValue(func() map[string]string {
	names, namer := map[string]string{}, display.English.Regions()
	for _, code := range countries() {
		if r, err := language.ParseRegion(code); err == nil {
			names[fold(namer.Name(r))] = code
		}
	}
	for name, code := range otherNames {
		names[fold(name)] = code
	}
	return names
})

// zones returns the time zones of countries that have one, or several that have
// kept the same time since 2024 (tz database). Others are in more than one
// (wideZones), and a person's cannot be told from the country.
var zones = sync.OnceValue(func() map[string]string { return pairs(countryZones) })

// ZoneOf returns the time zone of a country that has only one, else "".
func ZoneOf(country string) string { return zones()[country] }

const countryZones = `
AD=Europe/Andorra AE=Asia/Dubai AF=Asia/Kabul AG=America/Antigua AI=America/Anguilla AL=Europe/Tirane
AM=Asia/Yerevan AO=Africa/Luanda AR=America/Argentina/Buenos_Aires AS=Pacific/Pago_Pago AT=Europe/Vienna
AW=America/Aruba AX=Europe/Mariehamn AZ=Asia/Baku BA=Europe/Sarajevo BB=America/Barbados BD=Asia/Dhaka
BE=Europe/Brussels BF=Africa/Ouagadougou BG=Europe/Sofia BH=Asia/Bahrain BI=Africa/Bujumbura
BJ=Africa/Porto-Novo BL=America/St_Barthelemy BM=Atlantic/Bermuda BN=Asia/Brunei BO=America/La_Paz
BQ=America/Kralendijk BS=America/Nassau BT=Asia/Thimphu BW=Africa/Gaborone BY=Europe/Minsk BZ=America/Belize
CC=Indian/Cocos CF=Africa/Bangui CG=Africa/Brazzaville CH=Europe/Zurich CI=Africa/Abidjan CK=Pacific/Rarotonga
CM=Africa/Douala CO=America/Bogota CR=America/Costa_Rica CU=America/Havana CV=Atlantic/Cape_Verde
CW=America/Curacao CX=Indian/Christmas CY=Asia/Nicosia CZ=Europe/Prague DE=Europe/Berlin DJ=Africa/Djibouti
DK=Europe/Copenhagen DM=America/Dominica DO=America/Santo_Domingo DZ=Africa/Algiers EE=Europe/Tallinn
EG=Africa/Cairo EH=Africa/El_Aaiun ER=Africa/Asmara ET=Africa/Addis_Ababa FI=Europe/Helsinki FJ=Pacific/Fiji
FK=Atlantic/Stanley FO=Atlantic/Faroe FR=Europe/Paris GA=Africa/Libreville GB=Europe/London GD=America/Grenada
GE=Asia/Tbilisi GF=America/Cayenne GG=Europe/Guernsey GH=Africa/Accra GI=Europe/Gibraltar GM=Africa/Banjul
GN=Africa/Conakry GP=America/Guadeloupe GQ=Africa/Malabo GR=Europe/Athens GS=Atlantic/South_Georgia
GT=America/Guatemala GU=Pacific/Guam GW=Africa/Bissau GY=America/Guyana HK=Asia/Hong_Kong
HN=America/Tegucigalpa HR=Europe/Zagreb HT=America/Port-au-Prince HU=Europe/Budapest IE=Europe/Dublin
IL=Asia/Jerusalem IM=Europe/Isle_of_Man IN=Asia/Kolkata IO=Indian/Chagos IQ=Asia/Baghdad IR=Asia/Tehran
IS=Atlantic/Reykjavik IT=Europe/Rome JE=Europe/Jersey JM=America/Jamaica JO=Asia/Amman JP=Asia/Tokyo
KE=Africa/Nairobi KG=Asia/Bishkek KH=Asia/Phnom_Penh KM=Indian/Comoro KN=America/St_Kitts KP=Asia/Pyongyang
KR=Asia/Seoul KW=Asia/Kuwait KY=America/Cayman LA=Asia/Vientiane LB=Asia/Beirut LC=America/St_Lucia
LI=Europe/Vaduz LK=Asia/Colombo LR=Africa/Monrovia LS=Africa/Maseru LT=Europe/Vilnius LU=Europe/Luxembourg
LV=Europe/Riga LY=Africa/Tripoli MA=Africa/Casablanca MC=Europe/Monaco MD=Europe/Chisinau ME=Europe/Podgorica
MF=America/Marigot MG=Indian/Antananarivo MH=Pacific/Majuro MK=Europe/Skopje ML=Africa/Bamako MM=Asia/Yangon
MO=Asia/Macau MP=Pacific/Saipan MQ=America/Martinique MR=Africa/Nouakchott MS=America/Montserrat
MT=Europe/Malta MU=Indian/Mauritius MV=Indian/Maldives MW=Africa/Blantyre MY=Asia/Kuala_Lumpur
MZ=Africa/Maputo NA=Africa/Windhoek NC=Pacific/Noumea NE=Africa/Niamey NF=Pacific/Norfolk NG=Africa/Lagos
NI=America/Managua NL=Europe/Amsterdam NO=Europe/Oslo NP=Asia/Kathmandu NR=Pacific/Nauru NU=Pacific/Niue
OM=Asia/Muscat PA=America/Panama PE=America/Lima PH=Asia/Manila PK=Asia/Karachi PL=Europe/Warsaw
PM=America/Miquelon PN=Pacific/Pitcairn PR=America/Puerto_Rico PS=Asia/Gaza PW=Pacific/Palau
PY=America/Asuncion QA=Asia/Qatar RE=Indian/Reunion RO=Europe/Bucharest RS=Europe/Belgrade RW=Africa/Kigali
SA=Asia/Riyadh SB=Pacific/Guadalcanal SC=Indian/Mahe SD=Africa/Khartoum SE=Europe/Stockholm SG=Asia/Singapore
SH=Atlantic/St_Helena SI=Europe/Ljubljana SJ=Arctic/Longyearbyen SK=Europe/Bratislava SL=Africa/Freetown
SM=Europe/San_Marino SN=Africa/Dakar SO=Africa/Mogadishu SR=America/Paramaribo SS=Africa/Juba
ST=Africa/Sao_Tome SV=America/El_Salvador SX=America/Lower_Princes SY=Asia/Damascus SZ=Africa/Mbabane
TC=America/Grand_Turk TD=Africa/Ndjamena TF=Indian/Kerguelen TG=Africa/Lome TH=Asia/Bangkok TJ=Asia/Dushanbe
TK=Pacific/Fakaofo TL=Asia/Dili TM=Asia/Ashgabat TN=Africa/Tunis TO=Pacific/Tongatapu TR=Europe/Istanbul
TT=America/Port_of_Spain TV=Pacific/Funafuti TW=Asia/Taipei TZ=Africa/Dar_es_Salaam UG=Africa/Kampala
UY=America/Montevideo UZ=Asia/Samarkand VA=Europe/Vatican VC=America/St_Vincent VE=America/Caracas
VG=America/Tortola VI=America/St_Thomas VN=Asia/Ho_Chi_Minh VU=Pacific/Efate WF=Pacific/Wallis WS=Pacific/Apia
YE=Asia/Aden YT=Indian/Mayotte ZA=Africa/Johannesburg ZM=Africa/Lusaka ZW=Africa/Harare`

// wideZones returns the time zones of countries that have several: of those that
// have kept the same time since 2024 one.
var wideZones = sync.OnceValue(func() map[string]string { return pairs(wideCountryZones) })

const wideCountryZones = `
AQ=Antarctica/McMurdo,Antarctica/Casey,Antarctica/Davis,Antarctica/DumontDUrville,Antarctica/Mawson,Antarctica/Palmer,Antarctica/Syowa,Antarctica/Troll
AU=Australia/Lord_Howe,Antarctica/Macquarie,Australia/Broken_Hill,Australia/Brisbane,Australia/Darwin,Australia/Perth,Australia/Eucla
BR=America/Noronha,America/Belem,America/Campo_Grande,America/Eirunepe
CA=America/St_Johns,America/Halifax,America/Blanc-Sablon,America/Toronto,America/Atikokan,America/Winnipeg,America/Regina,America/Edmonton,America/Creston,America/Vancouver
CD=Africa/Kinshasa,Africa/Lubumbashi CL=America/Santiago,America/Coyhaique,America/Punta_Arenas,Pacific/Easter
CN=Asia/Shanghai,Asia/Urumqi EC=America/Guayaquil,Pacific/Galapagos ES=Europe/Madrid,Atlantic/Canary
FM=Pacific/Chuuk,Pacific/Pohnpei GL=America/Nuuk,America/Danmarkshavn,America/Scoresbysund,America/Thule
ID=Asia/Jakarta,Asia/Makassar,Asia/Jayapura KI=Pacific/Tarawa,Pacific/Kanton,Pacific/Kiritimati
KZ=Asia/Almaty,Asia/Qyzylorda MN=Asia/Ulaanbaatar,Asia/Hovd
MX=America/Mexico_City,America/Cancun,America/Matamoros,America/Ciudad_Juarez,America/Mazatlan,America/Tijuana
NZ=Pacific/Auckland,Pacific/Chatham PF=Pacific/Tahiti,Pacific/Marquesas,Pacific/Gambier
PG=Pacific/Port_Moresby,Pacific/Bougainville PT=Europe/Lisbon,Atlantic/Azores
RU=Europe/Kaliningrad,Europe/Moscow,Europe/Astrakhan,Asia/Yekaterinburg,Asia/Omsk,Asia/Novosibirsk,Asia/Irkutsk,Asia/Chita,Asia/Vladivostok,Asia/Magadan,Asia/Kamchatka
UA=Europe/Simferopol,Europe/Kyiv UM=Pacific/Midway,Pacific/Wake
US=America/New_York,America/Chicago,America/Denver,America/Phoenix,America/Los_Angeles,America/Anchorage,America/Adak,Pacific/Honolulu`

// ZonesOf returns the time zones that somebody may be in who is in a time zone, or in
// a country or jurisdiction, as [Facts] name them: nil if that tells nothing.
func ZonesOf(where string) []string {
	country, _, _ := strings.Cut(where, "-")
	switch {
	case where == "" || where == Unknown:
		return nil
	case !isCountry(country):
		return []string{where}
	case wideZones()[country] != "":
		return strings.Split(wideZones()[country], ",")
	case zones()[country] != "":
		return []string{zones()[country]}
	}
	return nil
}

// regions returns the subdivisions (ISO 3166-2) of the countries whose law or
// time differs between them: name, code, and the time zone of those that have
// only one.
var regions = sync.OnceValue(func() map[string][]region {
	return map[string][]region{
		"US": table(`
Alabama AL America/Chicago; Alaska AK; Arizona AZ; Arkansas AR America/Chicago; California CA America/Los_Angeles;
Colorado CO America/Denver; Connecticut CT America/New_York; Delaware DE America/New_York;
District of Columbia DC America/New_York; Florida FL; Georgia GA America/New_York; Hawaii HI Pacific/Honolulu; Idaho ID;
Illinois IL America/Chicago; Indiana IN; Iowa IA America/Chicago; Kansas KS; Kentucky KY; Louisiana LA America/Chicago;
Maine ME America/New_York; Maryland MD America/New_York; Massachusetts MA America/New_York; Michigan MI;
Minnesota MN America/Chicago; Mississippi MS America/Chicago; Missouri MO America/Chicago; Montana MT America/Denver;
Nebraska NE; Nevada NV; New Hampshire NH America/New_York; New Jersey NJ America/New_York; New Mexico NM America/Denver;
New York NY America/New_York; North Carolina NC America/New_York; North Dakota ND; Ohio OH America/New_York;
Oklahoma OK America/Chicago; Oregon OR; Pennsylvania PA America/New_York; Rhode Island RI America/New_York;
South Carolina SC America/New_York; South Dakota SD; Tennessee TN; Texas TX; Utah UT America/Denver;
Vermont VT America/New_York; Virginia VA America/New_York; Washington WA America/Los_Angeles;
West Virginia WV America/New_York; Wisconsin WI America/Chicago; Wyoming WY America/Denver`),
		"CA": table(`
Alberta AB America/Edmonton; British Columbia BC; Manitoba MB America/Winnipeg; New Brunswick NB America/Moncton;
Newfoundland and Labrador NL; Northwest Territories NT America/Edmonton; Nova Scotia NS America/Halifax; Nunavut NU;
Ontario ON; Prince Edward Island PE America/Halifax; Québec QC; Quebec QC; Saskatchewan SK; Yukon YT America/Whitehorse`),
		"AU": table(`
Australian Capital Territory ACT Australia/Sydney; New South Wales NSW; Northern Territory NT Australia/Darwin;
Queensland QLD Australia/Brisbane; South Australia SA Australia/Adelaide; Tasmania TAS Australia/Hobart;
Victoria VIC Australia/Melbourne; Western Australia WA Australia/Perth`),
	}
})

// region is a subdivision: its folded name, its code and its one time zone.
type region struct{ name, code, zone string }

// regionOf finds a country's region by code or name; false if it is not known.
func regionOf(country, s string) (region, bool) {
	name := fold(strings.Join(strings.Fields(s), " "))
	for _, r := range regions()[country] {
		if name == r.name || name == strings.ToLower(r.code) || name == strings.ToLower(country+"-"+r.code) {
			return r, true
		}
	}
	return region{}, false
}

func pairs(text string) map[string]string {
	m := map[string]string{}
	for _, pair := range strings.Fields(text) {
		key, value, _ := strings.Cut(pair, "=")
		m[key] = value
	}
	return m
}

func table(text string) []region {
	var rows []region
	for row := range strings.SplitSeq(text, ";") {
		words, r := strings.Fields(row), region{}
		if last := len(words) - 1; strings.Contains(words[last], "/") {
			r.zone, words = words[last], words[:last]
		}
		last := len(words) - 1
		r.code, r.name = words[last], fold(strings.Join(words[:last], " "))
		rows = append(rows, r)
	}
	return rows
}
