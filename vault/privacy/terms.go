package privacy

// FieldName names one attribute of a profile: an OIDC standard claim where one
// exists.
type FieldName string

// PurposeID names why data is processed.
type PurposeID string

// ChannelID names a client that captures and reads.
type ChannelID string

// Category is a W3C DPV IRI of a data category, such as "pd:EmailAddress".
type Category string

// LegalBasis is what makes a purpose lawful (GDPR Art. 6(1)).
type LegalBasis string

// The legal bases. OptOut is not one of the GDPR: it allows unless the person
// opted out, only in the purpose's jurisdictions; elsewhere consent is needed.
const (
	Consent             LegalBasis = "consent"
	Contract            LegalBasis = "contract"
	LegalObligation     LegalBasis = "legal_obligation"
	VitalInterests      LegalBasis = "vital_interests"
	PublicTask          LegalBasis = "public_task"
	LegitimateInterests LegalBasis = "legitimate_interests"
	OptOut              LegalBasis = "opt_out"
)

// LegalBases lists every legal basis.
var LegalBases = []LegalBasis{Consent, Contract, LegalObligation, VitalInterests, PublicTask, LegitimateInterests, OptOut}

// Silent reports whether a purpose on this basis must not tell a person of
// whom nothing may be released from one unknown.
func (b LegalBasis) Silent() bool {
	return b == Consent || b == OptOut || b == LegitimateInterests
}

// ConsentStatus is the status of a consent record (ISO/IEC TS 27560).
type ConsentStatus string

// The statuses a consent record can have. StatusNone stands for "never asked"
// and StatusExpired is derived: neither is ever posted or stored.
const (
	StatusGiven     ConsentStatus = "given"
	StatusRefused   ConsentStatus = "refused"
	StatusWithdrawn ConsentStatus = "withdrawn"
	StatusObjected  ConsentStatus = "objected"
	StatusOptedOut  ConsentStatus = "opted_out"
	StatusExpired   ConsentStatus = "expired"
	StatusNone      ConsentStatus = "none"
)

// ConsentStatuses lists the statuses that can be recorded.
var ConsentStatuses = []ConsentStatus{StatusGiven, StatusRefused, StatusWithdrawn, StatusObjected, StatusOptedOut}

// Narrows reports whether an act of this status lets less out.
func (s ConsentStatus) Narrows() bool {
	return s == StatusRefused || s == StatusWithdrawn || s == StatusObjected || s == StatusOptedOut
}

// Mask names a way to show less of a value.
type Mask string

// Code says why a field is withheld.
type Code string

// The withholding codes.
const (
	CodeNoConsent         Code = "no_consent"
	CodeFieldNotInPurpose Code = "field_not_in_purpose"
	CodeNoGround          Code = "no_ground"
	CodeRestricted        Code = "restricted"
	CodeObjected          Code = "objected"
	CodePolicy            Code = "policy"
	CodeStale             Code = "stale"
)

// Role is in which part somebody acts for a person.
type Role string

// The roles of a consent record's "by".
const (
	BySubject  Role = "subject"
	ByGuardian Role = "guardian"
	ByAgent    Role = "agent"
)

// Actor is who made an act: the person, a guardian or an agent, with a
// reference that names no person in the clear.
type Actor struct {
	Role Role   `json:"role"`
	Ref  string `json:"ref,omitempty"`
}

// Origin is how a value came to be known.
type Origin string

// The origins of a value. What was told or seen beats what was inferred.
const (
	Declared Origin = "declared" // the person told it
	Observed Origin = "observed" // a channel saw it: a basket, a place
	Inferred Origin = "inferred" // a model made it of other data
)

// Inference says which model made a value, and how sure it was.
type Inference struct {
	Model      string  `json:"model"`
	Version    string  `json:"version"`
	Confidence float64 `json:"confidence"` // 0 to 1, of at most four decimals
}
