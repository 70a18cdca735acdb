package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/sayso-vault/sayso/policy"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// diskSync is how long the disk under dir takes for one fdatasync of a written
// page, in µs: the median of many.
func diskSync(dir string) (p50 float64, err error) {
	f, err := os.OpenFile(filepath.Join(dir, "sync"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	page := make([]byte, 4096)
	var took histogram
	for i := range 200 {
		if _, err := f.WriteAt(page, int64(i%16)*4096); err != nil {
			return 0, err
		}
		began := time.Now()
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			return 0, fmt.Errorf("syncing: %w", err)
		}
		if i >= 16 { // the file had to grow before
			took.add(time.Since(began))
		}
	}
	return took.at(0.5), nil
}

// decisionTime is what one decision takes, in µs: medians.
type decisionTime struct {
	Query float64 `json:"query_us"` // the prepared query alone
	First float64 `json:"first_us"`
	Seen  float64 `json:"seen_us"`
}

// decisionCost decides about a read of the mixed load, by its rules.
func decisionCost(ctx context.Context) (d decisionTime, err error) {
	schema := policy.Schema{Channels: []privacy.ChannelID{benchChannel}, Purposes: append(append([]privacy.PurposeID{}, benchOthers...), benchByConsent...)}
	for _, f := range invent(0).Fields {
		field := policy.Field{Name: f.Field, Type: privacy.TypeString}
		if f.Field == "phone_number" {
			field.Type, field.Mask = privacy.TypePhone, "last4"
		}
		schema.Fields = append(schema.Fields, field)
	}
	rules, err := policy.Compile(ctx, schema, map[string]string{"bench.rego": benchRules})
	if err != nil {
		return d, err
	}
	in := &policy.Input{
		Channel:  policy.Channel{ID: benchChannel, Kind: "web"},
		Purpose:  policy.Purpose{ID: "order-fulfilment", DPV: "dpv:DeliveryOfGoods", Basis: privacy.Contract},
		Subject:  policy.Subject{Jurisdiction: "DE", AgeBand: "25_34", Standing: policy.StandingActive},
		Consents: map[privacy.PurposeID]privacy.ConsentStatus{}, Objected: map[privacy.PurposeID]bool{}, Context: map[string]any{},
		Fields: []privacy.FieldName{"given_name", "family_name", "email", "phone_number", "address"},
		Now:    policy.Time(time.Now()),
		Guard:  policy.Guard{Granted: true, Ground: true, Fields: map[privacy.FieldName]policy.Facts{}},
	}
	for _, p := range schema.Purposes {
		in.Consents[p], in.Objected[p] = privacy.StatusNone, false
	}
	for _, f := range in.Fields {
		in.Guard.Fields[f] = policy.Facts{Declared: true, InPurpose: true}
	}
	cost, err := rules.WithDeadline(10*time.Second).Cost(ctx, in, 1000)
	us := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
	return decisionTime{Query: us(cost.Query), First: us(cost.First), Seen: us(cost.Seen)}, err
}

// firstAnswer is the body that a vault answers to a request: what the bare
// handler is to answer, too.
func firstAnswer(address string, a ask) (body []byte, err error) {
	head, answer, err := roundTrip(address, a.wire)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(head, "HTTP/1.1 200") {
		status, _, _ := strings.Cut(head, "\r\n")
		return nil, fmt.Errorf("a vault to measure answers %s", status)
	}
	return answer, nil
}
