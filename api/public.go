package api

import (
	"bytes"
	"errors"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sayso-vault/sayso/api/authn"
	"github.com/sayso-vault/sayso/api/wire"
)

// tokenHandler is the token endpoint. Its errors have the shape of RFC 6749, not ours.
var tokenHandler = handler{
	takes: []string{"application/x-www-form-urlencoded"}, in: reflect.TypeFor[wire.TokenRequest](),
	out: reflect.TypeFor[wire.TokenAnswer](), statuses: []int{http.StatusOK},
	serve: func(x *exchange) error {
		x.w.Header().Set("Pragma", "no-cache")
		answer, err := x.tokens.Grant(x.r)
		var refused *authn.GrantError
		if errors.As(err, &refused) {
			x.code = refused.Code
			if refused.Challenge {
				x.w.Header().Set("WWW-Authenticate", `Basic realm="sayso"`)
			}
			return x.encode(refused.Status, &wire.OAuthError{Error: refused.Code, Description: refused.Description})
		}
		if err != nil {
			return err
		}
		return x.encode(http.StatusOK, answer)
	},
}

func healthy(*exchange) (*wire.Health, error) { return &wire.Health{Status: "ok"}, nil }

var readyHandler = handler{
	out: reflect.TypeFor[wire.Health](), statuses: []int{http.StatusOK, http.StatusServiceUnavailable},
	serve: func(x *exchange) error {
		if why := x.door.Ready(); len(why) > 0 {
			x.w.Header().Set("Retry-After", "5")
			return x.encode(http.StatusServiceUnavailable, &wire.Health{Status: "not ready", Reasons: why})
		}
		return x.encode(http.StatusOK, &wire.Health{Status: "ready"})
	},
}

// public makes a handler of what anyone may keep for a while.
func public[Out any](fn func(*exchange) *Out) handler {
	return handler{
		out: reflect.TypeFor[Out](), statuses: []int{http.StatusOK},
		serve: func(x *exchange) error {
			x.w.Header().Set("Cache-Control", "public, max-age=300")
			return x.encode(http.StatusOK, fn(x))
		},
	}
}

func jwks(x *exchange) *wire.JWKS {
	keys := x.tokens.JWKS()
	return &keys
}

func metadata(x *exchange) *wire.Metadata {
	m := x.tokens.Metadata()
	return &m
}

// evidenceKeys tells retired keys too, or evidence would stop being evidence.
func evidenceKeys(x *exchange) *wire.JWKS {
	set := wire.JWKS{Keys: []wire.JWK{}}
	for _, k := range x.door.EvidenceKeys() {
		jwk := authn.PublicJWK(k.Public)
		if !k.Since.IsZero() {
			jwk.IssuedAt = &k.Since
		}
		if !k.Until.IsZero() {
			jwk.RetiredAt = &k.Until
		}
		set.Keys = append(set.Keys, jwk)
	}
	return &set
}

var openAPIHandler = handler{
	gives: []string{mediaJSON}, statuses: []int{http.StatusOK},
	serve: func(x *exchange) error {
		x.w.Header().Set("Cache-Control", "public, max-age=300")
		x.write(http.StatusOK, mediaJSON, x.openapi)
		return nil
	},
}

var metricsHandler = handler{
	gives: []string{mediaMetrics}, statuses: []int{http.StatusOK},
	serve: func(x *exchange) error {
		if x.metrics == nil {
			return errNotFound
		}
		var text bytes.Buffer
		if err := x.metrics.Expose(&text); err != nil {
			return err
		}
		x.write(http.StatusOK, mediaMetrics, text.Bytes())
		return nil
	},
}

var checkpointHandler = handler{
	gives: []string{mediaText}, statuses: []int{http.StatusOK},
	serve: func(x *exchange) error {
		note, err := x.door.Checkpoint(x.ctx)
		if err != nil {
			return err
		}
		x.write(http.StatusOK, mediaText, note)
		return nil
	},
}

var vkeyHandler = handler{
	gives: []string{mediaText}, statuses: []int{http.StatusOK},
	serve: func(x *exchange) error {
		x.w.Header().Set("Cache-Control", "public, max-age=300")
		x.write(http.StatusOK, mediaText, []byte(strings.TrimSpace(x.door.VerifierKey())+"\n"))
		return nil
	},
}

// tileHandler gives a tile of the tree: <L>/<N>, with .p/<W> for a partial one.
var tileHandler = handler{
	gives: []string{mediaBinary}, statuses: []int{http.StatusOK},
	serve: func(x *exchange) error {
		t, err := tileAt(x.r.PathValue("level"), x.r.PathValue("index"))
		if err != nil {
			return err
		}
		data, err := x.door.Tile(x.ctx, t.L, t.N, t.W)
		if err != nil {
			return err
		}
		return x.tile(data)
	},
}

// entriesHandler gives the leaves of a tile: entries/<N>.
var entriesHandler = handler{
	gives: []string{mediaBinary}, statuses: []int{http.StatusOK},
	serve: func(x *exchange) error {
		t, err := tileAt("entries", x.r.PathValue("index"))
		if err != nil {
			return err
		}
		data, err := x.door.EntryBundle(x.ctx, t.N, t.W)
		if err != nil {
			return err
		}
		return x.tile(data)
	},
}

// tile answers with what never changes again.
func (x *exchange) tile(data []byte) error {
	if data == nil {
		return errNotFound
	}
	x.w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	x.write(http.StatusOK, mediaBinary, data)
	return nil
}

// tileAt reads a tile's place from its path (C2SP tlog-tiles, height 8). There
// is one way to write each.
func tileAt(level, index string) (tlog.Tile, error) {
	if level == "entries" {
		level = "data" // as tlog names them
	} else if n, err := strconv.Atoi(level); err != nil || n > 63 {
		return tlog.Tile{}, errNotFound
	}
	t, err := tlog.ParseTilePath("tile/8/" + level + "/" + index)
	if err != nil {
		return tlog.Tile{}, errNotFound
	}
	return t, nil
}

var notFound = handler{serve: func(*exchange) error { return errNotFound }}
