package command

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
)

// An officer takes the addresses from the shop's channel while its customers are
// imported. That is no row's fault: the import ends and says so, before it has
// everybody rejected, and goes on behind that when the shop may capture them again.
func TestTheRegisterIsNarrowedDuringAnImport(t *testing.T) {
	register := example(t, "chinook/register.yaml")
	s := openShop(t, register)
	narrower := bytes.Replace(register, []byte("company, phone_number, address]\n    obtains"), []byte("company, phone_number]\n    obtains"), 1)
	if bytes.Equal(register, narrower) {
		t.Fatal("the example's register is another one by now")
	}
	to, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	forward := httputil.NewSingleHostReverseProxy(to)
	var pieces atomic.Int32
	between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/rows") && pieces.Add(1) == 3 {
			if _, err := s.officer.Apply(r.Context(), narrower, nil); err != nil {
				t.Errorf("narrowing the register: %v", err)
			}
		}
		forward.ServeHTTP(w, r)
	}))
	defer between.Close()
	s.url = between.URL

	const rows = 60
	file := write(t, "customers.csv", "E-Mail,Name,Street,Town\n"+strings.Repeat(",Asli,Torstraße 12,Berlin\n", rows))
	args := []string{"import", "--mapping", write(t, "mapping.yaml", importMapping), file, "--rows-at-once", "2"}
	_, _, err = s.sayso("shop", args...)
	if err == nil || !strings.Contains(err.Error(), "the register was changed while the file was imported: ") || !strings.Contains(err.Error(), "channel shop does not capture address") {
		t.Fatalf("narrowed: got %v, want it told what the channel may not do", err)
	}
	listed, err := os.ReadFile(file + ".rejects.csv")
	if err != nil {
		t.Fatal(err)
	}
	// No more than was on its way: the row count of a few pieces.
	lost := bytes.Count(listed, []byte("field_not_capturable"))
	if lost == 0 || lost > 2*2*ahead {
		t.Errorf("rejected: got %d rows, want those that were on their way", lost)
	}
	if _, err := s.officer.Apply(t.Context(), register, nil); err != nil {
		t.Fatal(err)
	}
	out, _, err := s.sayso("shop", args...)
	if err != nil || !strings.Contains(out, "of 60 rows imported") || strings.Count(out, "field_not_capturable") != 1 {
		t.Errorf("widened again: %v\n%s", err, out)
	}
	listed, err = os.ReadFile(file + ".rejects.csv")
	if got := bytes.Count(listed, []byte("field_not_capturable")); err != nil || got < lost || got > 2*2*ahead {
		t.Errorf("rejected in the end: got %d rows, want the %d that were on their way: %v", got, lost, err)
	}
}

// Before anything is known of an import its vault may be away, too: it is waited for,
// and that is said once; with no patience the import ends.
func TestAnImportBeginsWhenItsVaultIsThere(t *testing.T) {
	s := openShop(t, example(t, "chinook/register.yaml"))
	to, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	forward := httputil.NewSingleHostReverseProxy(to)
	var away atomic.Int32
	between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if away.Add(-1) >= 0 {
			panic(http.ErrAbortHandler)
		}
		forward.ServeHTTP(w, r)
	}))
	defer between.Close()
	s.url = between.URL
	file := write(t, "customers.csv", "E-Mail,Name,Street,Town\nasli@example.org,Asli,,\n")
	args := []string{"import", "--mapping", write(t, "mapping.yaml", importMapping), file}

	away.Store(3)
	if _, _, err := s.sayso("shop", append(args, "--patience", "0s")...); err == nil {
		t.Error("no patience: it was imported")
	}
	away.Store(3)
	out, told, err := s.sayso("shop", args...)
	if err != nil || !strings.Contains(out, "1 of 1 row imported") {
		t.Fatalf("got %v\n%s", err, out)
	}
	if strings.Count(told, "The vault is not there") != 1 {
		t.Errorf("told:\n%s", told)
	}
}
