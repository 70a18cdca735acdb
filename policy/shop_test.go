package policy

import (
	"testing"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// The shop of these tests: what its register declares.
var shop = Schema{
	Fields: []Field{
		{Name: "given_name", Type: privacy.TypeString, Mask: privacy.MaskInitial},
		{Name: "email", Type: privacy.TypeEmail, Mask: privacy.MaskPartial},
		{Name: "phone_number", Type: privacy.TypePhone, Mask: privacy.MaskLast4},
		{Name: "address", Type: privacy.TypeAddress, Mask: privacy.MaskCity},
		{Name: "birthdate", Type: privacy.TypeDate, Mask: privacy.MaskYear},
		{Name: "allergy", Type: privacy.TypeString},
	},
	Purposes: []privacy.PurposeID{"order-fulfilment", "sms-marketing", "profiling", "tax", "fraud-check"},
	Channels: []privacy.ChannelID{"web", "store", "sms", "call-centre"},
	Context: []ContextKey{
		{Name: "step", Type: "string", Enum: []string{"offer", "support"}},
		{Name: "queue", Type: "string"},
		{Name: "age", Type: "number"},
		{Name: "urgent", Type: "boolean"},
	},
}

// compile compiles officers' rules, the text of one module below its package.
func compile(t testing.TB, rules string) *Revision {
	t.Helper()
	modules := map[string]string{}
	if rules != "" {
		modules["rules.rego"] = "package sayso.rules\n\n" + rules
	}
	r, err := Compile(t.Context(), shop, modules)
	if err != nil {
		t.Fatalf("compiling:\n%s\ngot: %v", rules, err)
	}
	return r.WithDeadline(longer)
}

// reads is a read by the web shop for a delivery that everything allows.
func reads(fields ...privacy.FieldName) *Input {
	in := &Input{
		Channel:  Channel{ID: "web", Kind: "web"},
		Purpose:  Purpose{ID: "order-fulfilment", DPV: "dpv:DeliveryOfGoods", Basis: privacy.Contract},
		Subject:  Subject{Jurisdiction: "DE", AgeBand: "25_34", Standing: StandingActive},
		Consents: map[privacy.PurposeID]privacy.ConsentStatus{},
		Objected: map[privacy.PurposeID]bool{},
		Fields:   fields,
		Now:      "2026-03-01T12:00:00Z",
		Touches:  NewTouches(shop.Purposes),
		Guard:    Guard{Granted: true, Ground: true, Fields: map[privacy.FieldName]Facts{}},
	}
	for _, p := range shop.Purposes {
		in.Consents[p], in.Objected[p] = privacy.StatusNone, false
	}
	for _, f := range fields {
		in.Guard.Fields[f] = Facts{Declared: true, InPurpose: true}
	}
	return in
}
