package command

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/store/bolt"
)

// served is what the process that serves a folder tells of itself.
type served struct {
	Version     string             `json:"version"`
	Listen      string             `json:"listen"`
	URL         string             `json:"url"`
	TLS         bool               `json:"tls"`
	Cert        string             `json:"cert,omitempty"` // file of the certificate
	BehindProxy bool               `json:"behind_proxy"`
	Data        bolt.Layout        `json:"data"`
	Keys        bolt.Layout        `json:"keys"`
	Found       *vault.Examination `json:"found,omitempty"`
}

// ask lets the process that serves the folder look at what it has open, and
// looks itself at what lies beside it.
func (d *doctor) ask(ctx context.Context, s *socket) error {
	for _, name := range []string{fileVault, fileKeys} {
		if d.present[name] != nil && d.checkFile(name) {
			d.Add(vault.Finding{Check: name, Level: vault.Fine, What: name + " is of a known format and whole in length"})
		}
	}
	if d.present[folderLog] != nil {
		d.checkLog()
	}
	d.Skip("the vault is being served", "log-end", "ledger-end", "pages")
	var out *served
	err := s.ask(ctx, "/doctor?deep="+strconv.FormatBool(d.deep), func(l socketLine) {
		if l.Stage != "" {
			d.progress(l.Stage, l.Done, l.Of)
		}
		out = l.Doctor
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil && (out == nil || out.Found == nil) {
		err = errCut
	}
	if err != nil {
		d.Add(vault.Finding{Check: "served", Level: vault.Warning, What: fmt.Sprintf("the process that serves the folder gives no answer: %v", err),
			Means: "It may be of an older version, or stopping.", Do: "Look again, or stop it and look then."})
		return nil
	}
	d.Add(memoryMap(fileVault, out.Data), memoryMap(fileKeys, out.Keys))
	d.serving(out)
	d.Add(out.Found.Findings...)
	d.LeftOut = append(d.LeftOut, out.Found.LeftOut...)
	return nil
}

// serving looks at how the folder is served, and at what was turned off there
// that keeps people safe.
func (d *doctor) serving(s *served) {
	if s.Version != version() {
		d.Add(vault.Finding{Check: "served", Level: vault.Warning, What: fmt.Sprintf("the folder is served by sayso %s, this is %s", s.Version, version()),
			Means: "The two may not see the same things wrong.", Do: "Restart the server with the newer one."})
	}
	host, _, _ := net.SplitHostPort(s.Listen)
	ip := net.ParseIP(host)
	far := host == "" || ip == nil || !ip.IsLoopback()
	f := vault.Finding{Check: "transport", Level: vault.Fine, What: "served on " + s.Listen + " with TLS"}
	switch {
	case !s.TLS && far && s.BehindProxy:
		f.Level, f.What = vault.Warning, "served in the clear on "+s.Listen+", which other machines can reach (--behind-proxy)"
		f.Means = "Between the proxy and this server personal data and access tokens travel in the clear, and who reaches the port goes around the proxy."
		f.Do = "Listen on loopback where the proxy is on this machine; else give --tls-cert and --tls-key here too, or see that nobody but the proxy reaches the port."
	case !s.TLS && s.BehindProxy:
		f.What = "served in the clear on " + s.Listen + ", to a proxy on this machine (--behind-proxy)"
	case !s.TLS:
		f.What = "served in the clear on " + s.Listen + ", to this machine alone"
	}
	d.Add(f)
	if u, err := url.Parse(s.URL); err == nil && u.Scheme == "http" && far {
		d.Add(vault.Finding{Check: "url", Level: vault.Warning, What: "clients are told to come by " + s.URL,
			Means: "Tokens are issued for an address without TLS: clients that believe it send their secrets in the clear.", Do: "Give --url with the https address that clients use."})
	}
	if s.Cert != "" {
		d.Add(certificate(s.Cert, d.now()))
	}
}

// certificate looks when a TLS certificate ends.
func certificate(file string, now time.Time) vault.Finding {
	f := vault.Finding{Check: "certificate", Level: vault.Problem, Means: "Clients refuse to connect.", Do: "Renew the certificate."}
	text, err := os.ReadFile(file)
	if err != nil {
		f.Level, f.What = vault.Warning, fmt.Sprintf("the TLS certificate cannot be read: %v", err)
		f.Means, f.Do = "The server read it when it started; after a restart it may not.", "See that the user who serves the folder can read it."
		return f
	}
	block, _ := pem.Decode(text)
	if block == nil {
		f.What = file + " holds no certificate"
		return f
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	switch {
	case err != nil:
		f.What = fmt.Sprintf("the TLS certificate in %s cannot be read: %v", file, err)
	case now.After(cert.NotAfter):
		f.What = "the TLS certificate ended on " + cert.NotAfter.Format(time.DateOnly)
	case cert.NotAfter.Sub(now) < 14*24*time.Hour:
		f.Level, f.What, f.Means = vault.Warning, "the TLS certificate ends on "+cert.NotAfter.Format(time.DateOnly), "From then on clients refuse to connect."
	default:
		return vault.Finding{Check: "certificate", Level: vault.Fine, What: "the TLS certificate holds until " + cert.NotAfter.Format(time.DateOnly)}
	}
	return f
}

// socketDoctor answers doctor on the folder's socket.
func socketDoctor(f *folder, as served, w http.ResponseWriter, r *http.Request) {
	enc := jsontext.NewEncoder(w)
	var last time.Time
	deep, _ := strconv.ParseBool(r.URL.Query().Get("deep"))
	found, err := f.vault.Examine(r.Context(), vault.ExamineOptions{Deep: deep, Progress: func(stage string, done, of uint64) {
		if time.Since(last) < 100*time.Millisecond {
			return
		}
		last = time.Now()
		_ = json.MarshalEncode(enc, socketLine{Stage: stage, Done: done, Of: of})
		_ = http.NewResponseController(w).Flush()
	}})
	as.Version, as.Found = version(), found
	as.Data, as.Keys = f.stores.data.Layout(), f.stores.deks.Layout()
	_ = json.MarshalEncode(enc, socketLine{Doctor: &as}.or(err))
}
