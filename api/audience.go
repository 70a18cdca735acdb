package api

import (
	"net/http"
	"reflect"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault"
)

// maxListed is how many people are decided about at once. Most may be none of the
// audience, and cost no record.
const maxListed = 512

var audienceHandler = handler{serve: audience, in: reflect.TypeFor[wire.AudienceRequest](), out: reflect.TypeFor[wire.AudienceLine](),
	gives: []string{mediaNDJSON}, statuses: []int{http.StatusOK}}

// audience streams whom a channel may use a purpose for, a line each. Like a batch
// of reads it decides nothing long before it can be written: who stood behind a
// line that a slow client kept waiting is decided about again.
func audience(x *exchange) error {
	var in wire.AudienceRequest
	if err := x.decode(&in); err != nil {
		return err
	}
	l := &listing{outflow: newOutflow(x), fields: len(in.Fields) > 0, size: 16}
	ask := vault.AudienceRequest{Purpose: in.Purpose, Fields: in.Fields, Context: in.Context, After: in.After}
	err := x.door.Audience(x.ctx, x.caller, ask, l.some)
	switch {
	case err != nil && x.status == 0:
		return err
	case err != nil:
		x.code = refusedCode(err)
		l.breakOff(err)
		return nil // said on the wire as far as it can be
	case in.End:
		return l.last(l.lines)
	case x.status == 0: // an answer without lines is one, too
		_ = l.send(nil)
	}
	return nil
}

// listing is an audience on its way.
type listing struct {
	outflow
	fields bool // whether they are told
	size   int  // how many are decided about at once at most
	lines  int
}

// some writes those who are among the audience. Whose line would come too late is
// decided about again.
func (l *listing) some(asked time.Time, people []vault.ReadOutcome) (used, next int, err error) {
	for _, o := range people {
		if o.Result != nil {
			// One that was decided about alone is written at once, as a read is.
			if len(people) > 1 && l.x.now().Sub(asked) >= fresh {
				break
			}
			if err := l.x.r.Context().Err(); err != nil {
				return used, 0, err
			}
			if err := l.send(l.line(o.Result)); err != nil {
				return used, 0, err
			}
			l.lines++
		}
		used++
	}
	if l.x.status == 0 { // nobody needs to wait for the first line
		if err := l.send(nil); err != nil {
			return used, 0, err
		}
	}
	switch took := l.x.now().Sub(asked); {
	case used < len(people), took > windowTime:
		l.size = max(1, l.size/4)
	case took < windowTime/2:
		l.size = min(maxListed, l.size*2)
	}
	return used, l.size, nil
}

// line is one person.
func (l *listing) line(r *vault.ReadResult) []byte {
	b := append(l.out[:0], `{"subject":"`...)
	b = r.Subject.Append(b)
	b = append(b, `","decision":"`...)
	b = r.Decision.Append(b)
	b = append(b, '"')
	if l.fields {
		b = append(b, `,"fields":`...)
		b = appendFields(b, r.Fields)
		if len(r.Masked) > 0 {
			b = append(b, `,"masked":`...)
			b = appendMasked(b, r.Masked)
		}
	}
	return append(b, "}\n"...)
}

// breakOff says why no more lines come.
func (l *listing) breakOff(err error) {
	_, said := l.problem(err)
	if b, err := json.Marshal(&wire.AudienceLine{LineRefusal: &said}, json.Deterministic(true)); err == nil {
		_ = l.send(append(b, '\n'))
	}
}
