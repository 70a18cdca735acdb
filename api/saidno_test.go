package api

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// A browser that says no says 1; what a proxy doubles is still a no.
func TestTheBrowsersNoIsHeard(t *testing.T) {
	for _, c := range []struct {
		said []string
		no   bool
	}{{nil, false}, {[]string{"1"}, true}, {[]string{"1", "1"}, true}, {[]string{"1, 1"}, true}, {[]string{"0"}, false}, {[]string{""}, false}, {[]string{"11"}, false}} {
		r := httptest.NewRequest(http.MethodPost, "/v1/captures", nil)
		r.Header[headerGPC] = c.said
		if got := (&exchange{r: r}).gpc(); got != c.no {
			t.Errorf("%q: got %v, want %v", c.said, got, c.no)
		}
	}
}
