package register

import (
	"fmt"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// Contact says how often, when and after what people are contacted for a
// purpose, in all channels together.
type Contact struct {
	Caps  []Cap
	Quiet *QuietHours
	// Cooldowns keep contacts back after an event.
	Cooldowns []Cooldown
	// Exempt takes the purpose out of the rules of the settings: its contacts
	// neither count there nor are held to them.
	Exempt bool
}

// Cap allows so many contacts within a period.
type Cap struct {
	Count int
	Per   privacy.Period
	// Medium is the only one that counts; "" counts all of them together.
	Medium string
}

// QuietHours are when nobody is contacted, by the clock on the person's wall.
type QuietHours struct {
	From, To WallTime // From is within, To is not; they may lie on either side of midnight
	// Zone is for people whose time zone is not known; "" is that of the
	// controller's country, if it has only one.
	Zone string
	// Media are those that have quiet hours; none means all.
	Media []string
}

// Holds reports whether a time of the day is within the hours.
func (q *QuietHours) Holds(at WallTime) bool {
	if q.From < q.To {
		return q.From <= at && at < q.To
	}
	return at >= q.From || at < q.To
}

// WallTime is a time of the day, in minutes after midnight.
type WallTime int

// String returns the time as 21:00.
func (w WallTime) String() string { return fmt.Sprintf("%02d:%02d", int(w)/60, int(w)%60) }

// Cooldown keeps contacts back for a period after an event of a topic.
type Cooldown struct {
	After string
	For   privacy.Period
}

// Settings hold for all purposes and channels.
type Settings struct {
	Contact ContactSettings
	Asking  Asking
	Erasure Erasure
	// Approvals says what waits for a second officer: what can let more out. It is
	// the only way there is, said or not.
	Approvals Approvals
}

// Approvals is how changes are approved.
type Approvals string

// ByDirection lets a change that can let more out wait for a second officer, and
// one that only narrows for nobody.
const ByDirection Approvals = "direction"

// ContactSettings are rules for the contacts of all purposes together.
type ContactSettings struct {
	Caps  []Cap
	Quiet *QuietHours
	// Reach says which field a medium reaches people by.
	Reach []Reach
	// Keep is how long an order or an answer that has not ended is remembered;
	// zero sets no end.
	Keep privacy.Period
}

// Reach says by which field a medium reaches people: where that field may not be
// released, they may not be contacted by the medium.
type Reach struct {
	Medium string
	Field  privacy.FieldName
}

// Asking is about asking people for what is missing.
type Asking struct {
	// Lease is how long a channel has to ask, Again how long a refusal to answer
	// is respected. Zero means the default.
	Lease, Again privacy.Period
}

// What holds where a register says nothing about asking.
var (
	defaultLease = privacy.Period{Time: 2 * time.Minute}
	defaultAgain = privacy.Period{Days: 180}
)

// Leased returns how long a channel has to ask for what is missing.
func (a Asking) Leased() privacy.Period { return a.or(a.Lease, defaultLease) }

// Refused returns how long a refusal to answer is respected.
func (a Asking) Refused() privacy.Period { return a.or(a.Again, defaultAgain) }

func (Asking) or(p, otherwise privacy.Period) privacy.Period {
	if p.IsZero() {
		return otherwise
	}
	return p
}

// ReachedBy returns the field that a medium reaches people by, "" if the register
// does not say.
func (r *Register) ReachedBy(medium string) privacy.FieldName {
	i := slices.IndexFunc(r.Settings.Contact.Reach, func(x Reach) bool { return x.Medium == medium })
	if i < 0 {
		return ""
	}
	return r.Settings.Contact.Reach[i].Field
}

func (v value) settings() Settings {
	o := v.object("contact", "asking", "erasure", "approvals")
	c := o.get("contact").object("caps", "quiet_hours", "reach", "keep")
	a := o.get("asking").object("lease", "again")
	e := o.get("erasure").object("epoch_every", "grace", "key_backup_days")
	s := Settings{
		Contact: ContactSettings{Caps: c.get("caps").caps(), Quiet: c.get("quiet_hours").quietHours(), Keep: c.get("keep").period()},
		Asking:  Asking{Lease: a.get("lease").period(), Again: a.get("again").period()},
		Erasure: Erasure{EpochEvery: e.get("epoch_every").period(), KeyBackupDays: e.get("key_backup_days").count(), Grace: e.get("grace").period()},

		Approvals: oneOf(o.get("approvals"), []Approvals{ByDirection}),
	}
	for _, item := range c.get("reach").list() {
		i := item.object("medium", "field")
		s.Contact.Reach = append(s.Contact.Reach, Reach{Medium: i.need("medium").id(), Field: privacy.FieldName(i.need("field").id())})
	}
	return s
}

func (v value) contact() *Contact {
	if !v.present() {
		return nil
	}
	o := v.object("caps", "quiet_hours", "cooldowns", "exempt")
	c := &Contact{Caps: o.get("caps").caps(), Quiet: o.get("quiet_hours").quietHours(), Exempt: o.get("exempt").boolean()}
	for _, item := range o.get("cooldowns").list() {
		i := item.object("after", "for")
		c.Cooldowns = append(c.Cooldowns, Cooldown{After: i.need("after").id(), For: i.need("for").period()})
	}
	return c
}

func (v value) caps() []Cap {
	var all []Cap
	for _, item := range v.list() {
		o := item.object("count", "per", "medium")
		all = append(all, Cap{Count: o.need("count").count(), Per: o.need("per").period(), Medium: o.get("medium").id()})
	}
	return all
}

func (v value) quietHours() *QuietHours {
	if !v.present() {
		return nil
	}
	o := v.object("from", "to", "zone", "media")
	return &QuietHours{From: o.need("from").wallTime(), To: o.need("to").wallTime(), Zone: o.get("zone").zone(), Media: ids[string](o.get("media"))}
}

// wallTime reads a time of the day.
func (v value) wallTime() WallTime {
	s := v.str()
	if s == "" {
		return 0
	}
	t, err := time.Parse("15:04", s)
	if err != nil || len(s) != len("15:04") {
		v.problem(`%s is no time of the day: expected one such as "21:00"`, quoted(s))
		return 0
	}
	return WallTime(t.Hour()*60 + t.Minute())
}

// zone reads the name of a time zone.
func (v value) zone() string {
	s := v.str()
	if s == "" {
		return ""
	}
	if _, err := time.LoadLocation(s); err != nil || s == "Local" {
		v.problem("%s is no time zone: expected a name of the tz database such as Europe/Berlin", quoted(s))
		return ""
	}
	return s
}

// maxCap bounds a cap, so that what must be remembered of one person is bounded.
const maxCap = 100

// checkContact looks at the rules of contact of a purpose.
func (p *parser) checkContact(at string, c *Contact) {
	if c == nil {
		return
	}
	at += ".contact"
	p.checkCaps(at, c.Caps)
	p.checkQuiet(at, c.Quiet)
	p.unique(at+".cooldowns[%d].after", len(c.Cooldowns), func(i int) string { return c.Cooldowns[i].After })
}

func (p *parser) checkSettings(r *Register) {
	const at = "settings.contact"
	c := r.Settings.Contact
	p.checkCaps(at, c.Caps)
	p.checkQuiet(at, c.Quiet)
	p.unique(at+".reach[%d].medium", len(c.Reach), func(i int) string { return c.Reach[i].Medium })
	for i, x := range c.Reach {
		p.declaredField(r, fmt.Sprintf(at+".reach[%d].field", i), x.Field)
	}
	if r.Settings.Erasure.Grace.After(time.Time{}).After(time.Time{}.AddDate(0, 0, maxGrace)) {
		p.fault("settings.erasure.grace", "expected at most P%dD: an erasure is done within a month of being asked for (Art. 12(3) GDPR)", maxGrace)
	}
}

func (p *parser) checkCaps(at string, caps []Cap) {
	for i, c := range caps {
		if c.Count > maxCap {
			p.fault(fmt.Sprintf("%s.caps[%d].count", at, i), "expected at most %d contacts", maxCap)
		}
	}
	p.unique(at+".caps[%d]", len(caps), func(i int) string {
		if caps[i].Per.IsZero() {
			return ""
		}
		return caps[i].name()
	})
}

func (p *parser) checkQuiet(at string, q *QuietHours) {
	if q != nil && q.From == q.To && p.has(at+".quiet_hours.from") && p.has(at+".quiet_hours.to") {
		p.fault(at+".quiet_hours", "from and to are the same, so no hour is quiet; leave quiet_hours out")
	}
}

// name tells a cap from the others of its list: two caps of one medium and
// period say two things.
func (c Cap) name() string {
	if c.Medium == "" {
		return c.Per.String()
	}
	return c.Medium + " " + c.Per.String()
}

func (c *Contact) members() []member {
	var cooldowns []element
	for _, d := range c.Cooldowns {
		cooldowns = append(cooldowns, element{d.After, []member{{"after", d.After}, {"for", period(d.For)}}})
	}
	return []member{
		{"caps", capMembers(c.Caps)},
		{"quiet_hours", c.Quiet.members()},
		{"cooldowns", cooldowns},
		{"exempt", c.Exempt},
	}
}

func (s *Settings) members() []member {
	var reach []element
	for _, x := range s.Contact.Reach {
		reach = append(reach, element{x.Medium, []member{{"medium", x.Medium}, {"field", string(x.Field)}}})
	}
	return []member{
		{"contact", []member{
			{"caps", capMembers(s.Contact.Caps)},
			{"quiet_hours", s.Contact.Quiet.members()},
			{"reach", reach},
			{"keep", period(s.Contact.Keep)},
		}},
		{"asking", []member{{"lease", period(s.Asking.Lease)}, {"again", period(s.Asking.Again)}}},
		{"erasure", []member{{"epoch_every", period(s.Erasure.EpochEvery)}, {"grace", period(s.Erasure.Grace)}, {"key_backup_days", s.Erasure.KeyBackupDays}}},
		{"approvals", string(s.Approvals)},
	}
}

func capMembers(caps []Cap) []element {
	var all []element
	for _, c := range caps {
		all = append(all, element{c.name(), []member{{"per", period(c.Per)}, {"count", c.Count}, {"medium", c.Medium}}})
	}
	return all
}

func (q *QuietHours) members() []member {
	if q == nil {
		return nil
	}
	return []member{{"from", q.From.String()}, {"to", q.To.String()}, {"zone", q.Zone}, {"media", q.Media}}
}
