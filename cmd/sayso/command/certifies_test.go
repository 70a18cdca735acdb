package command_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"reflect"

	"github.com/go-jose/go-jose/v4"
	"github.com/rogpeppe/go-internal/testscript"
)

func fetch(ts *testscript.TestScript, _ bool, args []string) {
	resp, err := http.Get(ts.Getenv("SAYSO_URL") + args[0])
	ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if resp.StatusCode != http.StatusOK {
		ts.Fatalf("fetching %s: %s", args[0], resp.Status)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), body, 0o600))
}

// certifies is what a stranger does with a certificate of an erasure, by a library
// that knows nothing of sayso.
func certifies(ts *testscript.TestScript, neg bool, args []string) {
	var request struct{ Request, Certificate string }
	var keys jose.JSONWebKeySet
	type counted struct {
		Removed map[string]uint64 `json:"removed"`
		Orphans struct {
			Count uint64 `json:"count"`
		} `json:"orphans"`
	}
	var proof struct {
		Index   uint64
		Opening struct{ ID, Record string }
	}
	var record counted
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &request))
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &keys))
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[2])), &proof))
	ts.Check(json.Unmarshal([]byte(proof.Opening.Record), &record))

	signed, err := jose.ParseSignedCompact(request.Certificate, []jose.SignatureAlgorithm{jose.EdDSA})
	ts.Check(err)
	header := signed.Signatures[0].Header
	if typ := header.ExtraHeaders[jose.HeaderType]; typ != "erasure-certificate+jwt" {
		ts.Fatalf("the certificate is of type %v", typ)
	}
	found := keys.Key(header.KeyID)
	if len(found) != 1 {
		ts.Fatalf("its key %s is published %d times", header.KeyID, len(found))
	}
	payload, err := signed.Verify(found[0])
	if neg {
		if err == nil {
			ts.Fatalf("a certificate that was edited verifies")
		}
		return
	}
	ts.Check(err)
	var says struct {
		Request   string `json:"jti"`
		Destroyed struct {
			Records  map[string]uint64 `json:"records"`
			Openings uint64            `json:"log_openings"`
		} `json:"destroyed"`
		Log struct {
			Index uint64 `json:"index"`
		} `json:"log"`
	}
	ts.Check(json.Unmarshal(payload, &says))
	if says.Request != request.Request || says.Request != proof.Opening.ID || says.Log.Index != proof.Index {
		ts.Fatalf("the certificate is of %s at %d, the proof of %s at %d", says.Request, says.Log.Index, proof.Opening.ID, proof.Index)
	}
	if says.Destroyed.Openings != record.Orphans.Count || !reflect.DeepEqual(says.Destroyed.Records, record.Removed) {
		ts.Fatalf("the certificate says that %v and %d openings were destroyed, the log %+v", says.Destroyed.Records, says.Destroyed.Openings, record)
	}
}
