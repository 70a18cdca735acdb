package api_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// BenchmarkAudience streams an audience of 100,000 people, four in five of whom said
// yes, over HTTP through the SDK: who they are, and with a field.
func BenchmarkAudience(b *testing.B) {
	const people, page = 100_000, 10_000
	s, c := town(b)
	id := vault.ImportID(sha256.Sum256([]byte("an audience")))
	for from := 0; from < people; from += page {
		rows := make([]vault.ImportRow, page)
		for i := range rows {
			name, _ := json.Marshal("Ana " + strconv.Itoa(from+i))
			number, _ := json.Marshal(fmt.Sprintf("+4930%07d", 4000000+from+i))
			rows[i].Capture = &vault.CaptureRequest{Fields: []vault.CapturedField{{Field: "given_name", Value: privacy.NewSensitive(name)}, {Field: "phone_number", Value: privacy.NewSensitive(number)}}}
			if i%5 > 0 {
				rows[i].Capture.Consents = []vault.ConsentRequest{{Purpose: "sms-marketing", Status: privacy.StatusGiven, Method: "web_form"}}
			}
		}
		_, rejects, err := s.ImportRows(b.Context(), s.As("store").Caller, vault.ImportRequest{ID: id, Of: people, From: uint64(from), Rows: rows})
		if err != nil || len(rejects) > 0 {
			b.Fatal(err, rejects)
		}
	}
	for name, fields := range map[string][]privacy.FieldName{"who they are": nil, "with their number": {"phone_number"}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				began, lines := time.Now(), 0
				var before, now runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				most := before.HeapAlloc
				for _, err := range c["sms"].Audience(b.Context(), &wire.AudienceRequest{Purpose: "sms-marketing", Fields: fields}) {
					if err != nil {
						b.Fatal(err)
					}
					if lines++; lines%30_000 == 0 { // what is in use, and not only not collected yet
						runtime.GC()
						runtime.ReadMemStats(&now)
						most = max(most, now.HeapAlloc)
					}
				}
				if lines != people*4/5 {
					b.Fatalf("got %d lines", lines)
				}
				b.ReportMetric(float64(lines)/time.Since(began).Seconds(), "lines/s")
				b.ReportMetric(float64(people)/time.Since(began).Seconds(), "people/s")
				b.ReportMetric(float64(most-before.HeapAlloc)/(1<<20), "MiB-more")
			}
		})
	}
}
