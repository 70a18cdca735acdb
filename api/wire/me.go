package wire

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// SessionRequest opens a session of a person.
type SessionRequest struct {
	Subject Subject `json:"subject"`
	By      *Actor  `json:"by,omitempty" doc:"who acts in it for the person, whom the channel let in"`
}

// Check names what is missing.
func (r *SessionRequest) Check() []FieldError {
	var c check
	c.must("subject", !r.Subject.IsZero())
	r.By.check(&c, "by")
	return c.errs
}

// OpenedSession is a session that was just opened. The token is for the channel;
// the URL is for the person, and opens a session of its own, once.
type OpenedSession struct {
	Token     string    `json:"token"`
	URL       string    `json:"url"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Session is a session of a person, as it is listed.
type Session struct {
	Session   privacy.SessionID `json:"session"`
	Channel   privacy.ChannelID `json:"channel,omitempty"`
	Assurance string            `json:"assurance" enum:"channel,verified"`
	How       string            `json:"how"`
	OpenedAt  time.Time         `json:"opened_at"`
	ExpiresAt time.Time         `json:"expires_at"`
	Current   bool              `json:"current"`
	By        *Actor            `json:"by,omitempty" doc:"who acts in it for you"`
}

// SessionList is a page of sessions.
type SessionList struct {
	Sessions []Session `json:"sessions"`
}

// Words are a text that people read: a string, or an object of strings by language.
type Words privacy.Text

// MarshalJSONTo writes a string if the text has no language, else an object.
func (w Words) MarshalJSONTo(enc *jsontext.Encoder) error {
	if len(w) == 1 {
		if text, ok := w[""]; ok {
			return enc.WriteToken(jsontext.String(text))
		}
	}
	if err := enc.WriteToken(jsontext.BeginObject); err != nil {
		return err
	}
	for _, language := range slices.Sorted(maps.Keys(w)) {
		if err := enc.WriteToken(jsontext.String(language)); err != nil {
			return err
		}
		if err := enc.WriteToken(jsontext.String(w[language])); err != nil {
			return err
		}
	}
	return enc.WriteToken(jsontext.EndObject)
}

var errWords = errors.New("a text, or an object of texts by language, was expected")

// UnmarshalJSONFrom reads either.
func (w *Words) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	switch dec.PeekKind() {
	case '"':
		text, err := dec.ReadToken()
		*w = Words{"": text.String()}
		return err
	case '{':
		var all Values
		if err := all.UnmarshalJSONFrom(dec); err != nil {
			return err
		}
		*w = Words{}
		for _, one := range all {
			text, err := jsontext.AppendUnquote(nil, one.Value.Reveal())
			if err != nil {
				return errWords
			}
			(*w)[string(one.Name)] = string(text)
		}
		return nil
	}
	return notThis(dec, errWords)
}

// Me is what is known of a person, as they see it.
type Me struct {
	Decision        privacy.DecisionID `json:"decision"`
	Assurance       string             `json:"assurance" enum:"channel,verified"`
	Full            bool               `json:"full" doc:"false: a login with a verified identifier shows more"`
	RestrictedSince *time.Time         `json:"restricted_since,omitempty"`
	Values          []OwnValue         `json:"values"`
	Purposes        []OwnPurpose       `json:"purposes"`
	Controller      OwnController      `json:"controller"`
}

// OwnController is who answers for the processing.
type OwnController struct {
	Name      string `json:"name"`
	Contact   string `json:"contact"`
	Address   string `json:"address,omitempty"`
	Country   string `json:"country"`
	Authority string `json:"authority,omitempty"`
	DPO       string `json:"dpo,omitempty"`
}

// OwnValue is a value of a person: what it is, where it comes from, and why it is
// held until when.
type OwnValue struct {
	Field      privacy.FieldName  `json:"field"`
	Title      Words              `json:"title,omitempty"`
	Category   privacy.Category   `json:"category,omitempty"`
	Special    bool               `json:"special,omitzero"`
	Value      Value              `json:"value"`
	Mask       privacy.Mask       `json:"mask,omitempty" doc:"so much of it is shown only"`
	ObservedAt time.Time          `json:"observed_at"`
	Since      time.Time          `json:"since" doc:"when it was recorded"`
	Channel    privacy.ChannelID  `json:"channel"`
	Origin     privacy.Origin     `json:"origin" enum:"declared,observed,inferred"`
	Verified   bool               `json:"verified"`
	Inference  *privacy.Inference `json:"inference,omitempty"`
	Contested  *OwnContest        `json:"contested,omitempty" doc:"you said that it is not right: nobody is shown it until an officer decides"`
	By         *Actor             `json:"by,omitempty" doc:"who told it for you"`
	Until      *time.Time         `json:"until,omitempty"`
	HeldFor    []Holding          `json:"held_for"`
}

// OwnContest is a person's contest of a value that a model made.
type OwnContest struct {
	Since   time.Time          `json:"since"`
	Request *privacy.RequestID `json:"request,omitempty"`
	DueAt   *time.Time         `json:"due_at,omitempty"`
}

// Holding is a purpose that a value is held for.
type Holding struct {
	Purpose privacy.PurposeID  `json:"purpose"`
	Title   Words              `json:"title,omitempty"`
	Basis   privacy.LegalBasis `json:"basis"`
	Until   *time.Time         `json:"until,omitempty"`
}

// OwnPurpose is a purpose as it stands for a person.
type OwnPurpose struct {
	Purpose     privacy.PurposeID     `json:"purpose"`
	Title       Words                 `json:"title,omitempty"`
	Benefit     Words                 `json:"benefit,omitempty"`
	Basis       privacy.LegalBasis    `json:"basis"`
	DPV         string                `json:"dpv,omitempty"`
	Fields      []privacy.FieldName   `json:"fields"`
	Recipients  []string              `json:"recipients,omitempty"`
	Retention   string                `json:"retention,omitempty"`
	Notice      *OwnNotice            `json:"notice,omitempty"`
	Status      privacy.ConsentStatus `json:"status"`
	Consent     *privacy.ConsentID    `json:"consent,omitempty"`
	Since       *time.Time            `json:"since,omitempty"`
	Until       *time.Time            `json:"until,omitempty"`
	Allowed     bool                  `json:"allowed"`
	Objected    bool                  `json:"objected"`
	MayGive     bool                  `json:"may_give"`
	MayWithdraw bool                  `json:"may_withdraw"`
	MayObject   bool                  `json:"may_object"`
}

// OwnNotice is what people are shown when they are asked for a purpose.
type OwnNotice struct {
	Version  string `json:"version"`
	Text     Words  `json:"text,omitempty"`
	Explicit bool   `json:"explicit,omitzero"`
}

// Correction is what a person says is right of them, or who acts for them.
type Correction struct {
	Fields Values `json:"fields"`
	By     *Actor `json:"by,omitempty"`
}

// Check names what is missing.
func (r *Correction) Check() []FieldError {
	var c check
	c.must("fields", len(r.Fields) > 0)
	r.By.check(&c, "by")
	return c.errs
}

// Corrected is what became of a correction.
type Corrected struct {
	Accepted   []privacy.FieldName `json:"accepted"`
	Unchanged  []privacy.FieldName `json:"unchanged"`
	Superseded []privacy.FieldName `json:"superseded"`
}

// OwnConsent is a consent record as the person sees it.
type OwnConsent struct {
	Consent       privacy.ConsentID     `json:"consent"`
	Purpose       privacy.PurposeID     `json:"purpose"`
	Status        privacy.ConsentStatus `json:"status"`
	Effective     bool                  `json:"effective"`
	At            time.Time             `json:"at"`
	RecordedAt    time.Time             `json:"recorded_at"`
	Until         *time.Time            `json:"until,omitempty"`
	Channel       privacy.ChannelID     `json:"channel"`
	Method        string                `json:"method"`
	Language      string                `json:"language,omitempty"`
	Jurisdiction  string                `json:"jurisdiction,omitempty"`
	NoticeVersion string                `json:"notice_version,omitempty"`
	Register      uint64                `json:"register"`
	Fields        []privacy.FieldName   `json:"fields"`
	Recipients    []string              `json:"recipients,omitempty"`
	By            Actor                 `json:"by"`
	Evidence      map[string]any        `json:"evidence,omitempty" doc:"in a copy alone"`
}

// OwnConsentList is a page of consent records.
type OwnConsentList struct {
	Consents []OwnConsent `json:"consents"`
	Next     string       `json:"next,omitempty"`
}

// OwnAccess is one access to a person, as they see it.
type OwnAccess struct {
	Decision privacy.DecisionID                 `json:"decision"`
	At       time.Time                          `json:"at"`
	Kind     string                             `json:"kind" enum:"read,contact,lookup,session"`
	Channel  privacy.ChannelID                  `json:"channel,omitempty"`
	Officer  string                             `json:"officer,omitempty"`
	Reason   string                             `json:"reason,omitempty"`
	Purpose  privacy.PurposeID                  `json:"purpose,omitempty"`
	Act      string                             `json:"act,omitempty" doc:"of a session: what was done"`
	By       *Actor                             `json:"by,omitempty" doc:"who did it for you, or asked the officer for you"`
	Released []privacy.FieldName                `json:"released"`
	Masked   []privacy.FieldName                `json:"masked"`
	Withheld []privacy.FieldName                `json:"withheld"`
	Masks    map[privacy.FieldName]privacy.Mask `json:"masks,omitempty" doc:"how each masked one was shown"`
	Codes    map[privacy.FieldName]privacy.Code `json:"codes,omitempty" doc:"why each withheld one was"`
	Peek     bool                               `json:"peek,omitzero" doc:"asked only whether; no value was opened"`
	LogIndex uint64                             `json:"log_index"`
}

// OwnAccessList is a page of accesses. Count is of all there are about the person,
// also those that are not shown yet.
type OwnAccessList struct {
	Accesses []OwnAccess `json:"accesses"`
	Count    uint64      `json:"count"`
	Later    *Later      `json:"later,omitempty" doc:"those that a law lets you be shown later; on the first page"`
	Next     string      `json:"next,omitempty"`
}

// Later counts accesses that are shown from a time on, the last until another.
type Later struct {
	Count uint64    `json:"count"`
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
}
