package wire

import (
	"time"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// TakeoutFormat is what the JSON of a person's export begins with.
const TakeoutFormat = "sayso-export/1"

// The formats of a person's export, beside FormatCSV.
const (
	FormatJSON      = "json"
	FormatSchemaOrg = "schemaorg"
)

// Takeout is a person's data, as they take it. All below values is there only with
// scope access.
type Takeout struct {
	Format          string            `json:"format"`
	Scope           string            `json:"scope" enum:"access,portable"`
	Subject         privacy.SubjectID `json:"subject"`
	Controller      OwnController     `json:"controller"`
	Register        uint64            `json:"register"`
	RestrictedSince *time.Time        `json:"restricted_since,omitempty"`
	Values          []OwnValue        `json:"values"`
	Past            []PastValue       `json:"past,omitempty"`
	Purposes        []OwnPurpose      `json:"purposes,omitempty"`
	Consents        []OwnConsent      `json:"consents,omitempty"`
	Grounds         []OwnGround       `json:"grounds,omitempty"`
	Touches         []OwnTouch        `json:"touches,omitempty" doc:"what channels had to do with the person"`
	TouchesLater    int               `json:"touches_later,omitzero" doc:"how many there are beside, of purposes that are confidential_for some time still"`
	Refusals        []OwnRefusal      `json:"refusals,omitempty" doc:"fields that the person would not tell"`
	Requests        []Request         `json:"requests,omitempty"`
	Recipients      []Recipient       `json:"recipients,omitempty"`
	RecipientsLater *Later            `json:"recipients_later,omitempty" doc:"what was shown to recipients and a law lets you be told later"`
}

// PastValue is a value that lost to another and is kept still.
type PastValue struct {
	Field      privacy.FieldName  `json:"field"`
	Value      Value              `json:"value"`
	ObservedAt time.Time          `json:"observed_at"`
	Since      time.Time          `json:"since"`
	Channel    privacy.ChannelID  `json:"channel"`
	Origin     privacy.Origin     `json:"origin"`
	Inference  *privacy.Inference `json:"inference,omitempty"`
	By         *Actor             `json:"by,omitempty"`
}

// OwnGround is what makes a purpose true for a person that rests on no consent.
type OwnGround struct {
	Purpose privacy.PurposeID `json:"purpose"`
	Ref     string            `json:"ref,omitempty"`
	Since   time.Time         `json:"since"`
	Until   *time.Time        `json:"until,omitempty"`
}

// OwnTouch is what a channel had to do with a person.
type OwnTouch struct {
	Kind       string            `json:"kind" enum:"contact,offer,order,answer,event"`
	Topic      string            `json:"topic"`
	Medium     string            `json:"medium,omitempty"`
	Purpose    privacy.PurposeID `json:"purpose,omitempty"`
	Ref        string            `json:"ref,omitempty"`
	Channel    privacy.ChannelID `json:"channel"`
	At         time.Time         `json:"at"`
	RecordedAt time.Time         `json:"recorded_at"`
	ExpiresAt  *time.Time        `json:"expires_at,omitempty"`
	EndedAt    *time.Time        `json:"ended_at,omitempty"`
}

// OwnRefusal is that a person would not tell a field when they were asked.
type OwnRefusal struct {
	Field   privacy.FieldName `json:"field"`
	Purpose privacy.PurposeID `json:"purpose"`
	At      time.Time         `json:"at"`
}

// Recipient is a channel that was shown something of a person.
type Recipient struct {
	Channel   privacy.ChannelID   `json:"channel"`
	Title     Words               `json:"title,omitempty"`
	Recipient string              `json:"recipient,omitempty" doc:"the third party that reads there"`
	Purposes  []privacy.PurposeID `json:"purposes"`
	Fields    []privacy.FieldName `json:"fields"`
	First     time.Time           `json:"first"`
	Last      time.Time           `json:"last"`
	Reads     uint64              `json:"reads"`
}

// Why is why a person wants something, and who acts for them. Both may be left
// out.
type Why struct {
	Reason string `json:"reason,omitempty"`
	By     *Actor `json:"by,omitempty"`
}

// Optional says that the body may be left out.
func (*Why) Optional() {}

// Check names what is malformed.
func (r *Why) Check() []FieldError {
	var c check
	r.By.check(&c, "by")
	return c.errs
}

// Acting is who acts for a person, of whose act its path says all else. It may be left
// out.
type Acting struct {
	By *Actor `json:"by,omitempty"`
}

// Optional says that the body may be left out.
func (*Acting) Optional() {}

// Check names what is malformed.
func (r *Acting) Check() []FieldError {
	var c check
	r.By.check(&c, "by")
	return c.errs
}

// TakeoutRequest is why an officer takes a person's data out, and who asked for it if
// it was not the person.
type TakeoutRequest struct {
	Reason string `json:"reason"`
	By     *Actor `json:"by,omitempty"`
}

// Check names what is missing.
func (r *TakeoutRequest) Check() []FieldError {
	var c check
	c.must("reason", r.Reason != "")
	r.By.check(&c, "by")
	return c.errs
}

// Leave is how a person wants to be erased. All of it may be left out.
type Leave struct {
	Reason       string `json:"reason,omitempty"`
	By           *Actor `json:"by,omitempty"`
	NeverContact bool   `json:"never_contact,omitempty" doc:"leaves one keyed hash of each identifier: whoever is captured with it later comes with a no to direct marketing"`
}

// Optional says that the body may be left out.
func (*Leave) Optional() {}

// OwnErasure is an erasure that a person asked for.
type OwnErasure struct {
	Request   privacy.RequestID `json:"request"`
	Status    string            `json:"status"`
	StatusURL string            `json:"status_url" doc:"tells how far it is to whoever has it, also after the session"`
	DueAt     time.Time         `json:"due_at"`
	BeginsAt  *time.Time        `json:"begins_at,omitempty" doc:"where the register grants a period of grace: until then it can be taken back"`
}

// Check names what is malformed.
func (r *Leave) Check() []FieldError {
	var c check
	r.By.check(&c, "by")
	return c.errs
}

// ErasurePreview is what an erasure would leave.
type ErasurePreview struct {
	Remains       []Kept              `json:"remains"`
	Held          bool                `json:"held" doc:"an officer forbade erasing, for a claim: the request would wait"`
	KeyBackupDays int                 `json:"key_backup_days" doc:"for how long kept copies of keys may open an old copy"`
	Told          []privacy.ChannelID `json:"told" doc:"channels that were shown something, which are told (Art. 19)"`
	ToldLater     int                 `json:"told_later,omitzero" doc:"how many more there are that a law lets you be shown later"`
	BeginsAt      *time.Time          `json:"begins_at,omitempty" doc:"when it begins, or would, asked for now; left out where that is at once"`
	Waits         bool                `json:"waits,omitzero" doc:"it was asked for, waits till then and can be taken back"`
	NeverContact  int                 `json:"never_contact" doc:"keyed hashes that would stay, one of each identifier, if never_contact is asked for"`
}

// RequestStatus is how far a request is, to whoever has its link.
type RequestStatus struct {
	Request     privacy.RequestID `json:"request"`
	Kind        string            `json:"kind"`
	Status      string            `json:"status"`
	Why         string            `json:"why,omitempty"`
	ReceivedAt  time.Time         `json:"received_at"`
	DueAt       time.Time         `json:"due_at"`
	CompletedAt *time.Time        `json:"completed_at,omitempty"`
	BeginsAt    *time.Time        `json:"begins_at,omitempty" doc:"of an erasure that waits: until then it can be taken back"`
	Kept        []Kept            `json:"kept,omitempty"`
	Told        int               `json:"told,omitzero" doc:"how many of those who were shown the data were told (Art. 19); who they are the controller says to the person"`
	Confirmed   int               `json:"confirmed,omitzero" doc:"and how many of them have heard"`
	Certificate string            `json:"certificate,omitempty"`
}

// Restriction says whether processing is restricted (Art. 18).
type Restriction struct {
	Restricted bool       `json:"restricted"`
	Since      *time.Time `json:"since,omitempty"`
}
