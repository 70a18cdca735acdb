package register

import (
	"math"
	"slices"
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// Register is one revision of the record of processing activities. Order is as
// written: pages and answers follow it.
type Register struct {
	// Revision numbers the register within a vault. Parse leaves it 0: it is
	// the vault that counts, and the number is no part of Canonical.
	Revision   uint64
	Controller Controller
	Fields     []Field
	Context    []ContextKey
	Purposes   []Purpose
	Channels   []Channel
	Matrix     []Cell
	Settings   Settings

	fields   map[privacy.FieldName]*Field
	lasts    map[privacy.FieldName]time.Duration
	purposes map[privacy.PurposeID]*Purpose
	channels map[privacy.ChannelID]*Channel
	as       map[meeting]string
}

// Controller is who answers for the processing (Art. 30(1)(a)).
type Controller struct {
	Name    string
	Contact string
	Address string
	// Country is an ISO 3166-1 alpha-2 code. Telephone numbers without an
	// international prefix are taken as numbers of this country.
	Country   string
	Authority string
	DPO       string
}

// Identifier says whether and how a field finds a person.
type Identifier string

// What a field can be as an identifier.
const (
	NotIdentifier Identifier = ""
	// Unique finds a person and joins what two channels know of them.
	Unique Identifier = "unique"
	// Shared finds only when it hits one person, and never joins: a landline,
	// a family's mailbox.
	Shared Identifier = "shared"
)

// Field is one attribute of a profile.
type Field struct {
	Name       privacy.FieldName
	Title      privacy.Text
	Type       privacy.Type
	Identifier Identifier
	Category   privacy.Category
	// Special marks a special category of data (Art. 9): only consent that is
	// explicit releases it.
	Special bool
	// Mask is what "as: mask" means in the matrix.
	Mask privacy.Mask
	// Retention ends the life of a value, MaxAge its use: an older one is
	// stale. Zero sets no end.
	Retention, MaxAge privacy.Period
	// History is how long a value is kept that lost to another; zero sets no end
	// of its own.
	History privacy.Period
	// TTL makes a value momentary: it lives so long from when it was observed and
	// leaves nothing behind, whatever else is true. Zero sets none.
	TTL privacy.Period
}

// ContextKey is one thing a channel may tell about the circumstances of a
// read, for rules to look at.
type ContextKey struct {
	Name string
	Type string   // string, number or boolean
	Enum []string // allowed values of a string; empty allows any
}

// The types of a context key.
const (
	ContextString  = "string"
	ContextNumber  = "number"
	ContextBoolean = "boolean"
)

// Purpose is why data is processed, on which legal basis, and which fields.
type Purpose struct {
	ID             privacy.PurposeID
	Title, Benefit privacy.Text
	DPV            string
	Basis          privacy.LegalBasis
	Fields         []privacy.FieldName
	Retention      privacy.Period
	// Broader names the purpose this one is part of, if any.
	Broader privacy.PurposeID
	// Jurisdictions are where basis opt_out holds, as US or US-CA. Everywhere
	// else such a purpose needs consent.
	Jurisdictions []string
	// Recipients are the third parties who get the data.
	Recipients []string
	// Consent is set where the basis is consent, and may be where it is
	// opt_out; nil otherwise.
	Consent *ConsentTerms
	// Profiling says that values which a model inferred may be used for it.
	Profiling bool
	// Contact holds how people are contacted for it; nil sets no rules.
	Contact *Contact
	// ConfidentialFor delays for how long after an access the person is shown it
	// (Art. 23). It is counted at once.
	ConfidentialFor privacy.Period
}

// ConsentTerms are what a person agrees to beside the purpose itself.
type ConsentTerms struct {
	// ValidFor is how long a consent lasts; zero sets no end.
	ValidFor privacy.Period
	// Explicit says that the person is asked in so many words (Art. 9(2)(a)).
	Explicit bool
	Notice   Notice
}

// Notice is what a person is shown when asked.
type Notice struct {
	Version string
	Text    privacy.Text
	// Purposes are the narrower purposes the notice names.
	Purposes []privacy.PurposeID
}

// Channel is a client that captures and reads.
type Channel struct {
	ID       privacy.ChannelID
	Kind     string
	Title    privacy.Text
	Purposes []privacy.PurposeID
	Captures []privacy.FieldName
	// Obtains are the purposes this channel may record consent for; it need
	// not read for them.
	Obtains []privacy.PurposeID
	// Recipient is the third party that reads here, "" if it is the controller.
	Recipient string
	Limits    Limits
	Bulk      Bulk
	Stops     []Stop
	// Sessions says whether this channel opens sessions of people, and what these
	// may do without a login of their own; "" opens none.
	Sessions StepUp
	// Webhooks are the hosts that the channel may have events sent to, whatever the
	// port; none: it has no webhooks.
	Webhooks []string
}

// Bulk is what a channel may ask without naming people.
type Bulk struct {
	// Audiences lets it ask who may be reached for a purpose it holds.
	Audiences bool
}

// StepUp says what a session needs that a channel opened, before it shows the
// person what this channel may not read, or changes anything but to let out less.
type StepUp string

// What a channel's sessions need.
const (
	NoSessions StepUp = ""
	// StepUpVerified: a login whose identifier is verified.
	StepUpVerified StepUp = "verified"
	// StepUpNone: nothing. Whoever has the channel's credentials can then see and
	// change everything of everybody whom the channel knows.
	StepUpNone StepUp = "none"
)

// Limits bound what a channel may ask; 0 is no limit.
type Limits struct {
	RequestsPerMinute       int
	PeoplePerDay            int
	EmptyAnswersPerDay      int
	CapturesPerPersonPerDay int
}

// Withhold is the matrix's way to say that a field is not shown at all.
const Withhold = "withhold"

// Cell is one entry of the matrix, policy without code: for a purpose in a
// channel, a field is shown as less than its value.
type Cell struct {
	Purpose privacy.PurposeID
	Channel privacy.ChannelID
	Field   privacy.FieldName
	As      string // Withhold, a mask, or "mask" for the field's own mask
}

type meeting struct {
	purpose privacy.PurposeID
	channel privacy.ChannelID
	field   privacy.FieldName
}

// Erasure says how soon what was erased is gone from copies, too.
type Erasure struct {
	// EpochEvery is the shortest time between two turns of the keys that wait for
	// erasures; zero: see [Register.EpochEvery].
	EpochEvery privacy.Period
	// KeyBackupDays is how long a backup of keys lives; zero: see
	// [Register.KeyBackupDays].
	KeyBackupDays int
	// Grace is for how long an erasure waits that a person asks for themselves, and
	// can be taken back; zero: it begins at once.
	Grace privacy.Period
}

// maxGrace bounds Grace in days, so that an erasure is done within the month of
// Art. 12(3).
const maxGrace = 21

// EpochEvery is the shortest time between two turns of the keys that wait for
// erasures: an hour, unless the register says another.
func (r *Register) EpochEvery() privacy.Period {
	if p := r.Settings.Erasure.EpochEvery; !p.IsZero() {
		return p
	}
	return privacy.Period{Time: time.Hour}
}

// KeyBackupDays is for how many days a backup of keys lives: seven, unless the
// register says another number.
func (r *Register) KeyBackupDays() int {
	if n := r.Settings.Erasure.KeyBackupDays; n > 0 {
		return n
	}
	return 7
}

// Field returns the field of that name.
func (r *Register) Field(name privacy.FieldName) (*Field, bool) {
	f, ok := r.fields[name]
	return f, ok
}

// Purpose returns the purpose of that ID.
func (r *Register) Purpose(id privacy.PurposeID) (*Purpose, bool) {
	p, ok := r.purposes[id]
	return p, ok
}

// Channel returns the channel of that ID.
func (r *Register) Channel(id privacy.ChannelID) (*Channel, bool) {
	c, ok := r.channels[id]
	return c, ok
}

// As returns how the matrix shows a field for a purpose in a channel: Withhold,
// the name of a mask, or "" where it says nothing.
func (r *Register) As(p privacy.PurposeID, c privacy.ChannelID, f privacy.FieldName) string {
	return r.as[meeting{p, c, f}]
}

// Lasts returns for how long a value of the field lives whatever else is true of
// the person: no purpose that lists it and no retention of its own ends before.
func (r *Register) Lasts(f privacy.FieldName) time.Duration { return r.lasts[f] }

// lastsOf is Lasts.
func (r *Register) lastsOf(f *Field) time.Duration {
	const ever = math.MaxInt64
	least := func(p privacy.Period) time.Duration {
		if p.IsZero() {
			return ever
		}
		return p.AtLeast()
	}
	lasts := min(least(f.Retention), least(f.TTL))
	for i := range r.Purposes {
		if p := &r.Purposes[i]; slices.Contains(p.Fields, f.Name) {
			lasts = min(lasts, least(p.Retention))
		}
	}
	return lasts
}

// index builds the look-ups. Of two things of one name the first is found;
// Parse refuses such a register anyway.
func (r *Register) index() {
	r.fields = make(map[privacy.FieldName]*Field, len(r.Fields))
	for i := len(r.Fields) - 1; i >= 0; i-- {
		r.fields[r.Fields[i].Name] = &r.Fields[i]
	}
	r.purposes = make(map[privacy.PurposeID]*Purpose, len(r.Purposes))
	for i := len(r.Purposes) - 1; i >= 0; i-- {
		r.purposes[r.Purposes[i].ID] = &r.Purposes[i]
	}
	r.channels = make(map[privacy.ChannelID]*Channel, len(r.Channels))
	for i := len(r.Channels) - 1; i >= 0; i-- {
		r.channels[r.Channels[i].ID] = &r.Channels[i]
	}
	r.lasts = make(map[privacy.FieldName]time.Duration, len(r.Fields))
	for i := range r.Fields {
		r.lasts[r.Fields[i].Name] = r.lastsOf(&r.Fields[i])
	}
	r.as = make(map[meeting]string, len(r.Matrix))
	for _, cell := range r.Matrix {
		as := cell.As
		if f := r.fields[cell.Field]; as == ownMask && f != nil {
			as = string(f.Mask)
		}
		r.as[meeting{cell.Purpose, cell.Channel, cell.Field}] = as
	}
}

// ownMask stands in a matrix cell for the field's own mask.
const ownMask = "mask"
