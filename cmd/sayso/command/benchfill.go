package command

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/keys"
	"github.com/sayso-vault/sayso/vault"
	"github.com/sayso-vault/sayso/vault/privacy"
	"github.com/sayso-vault/sayso/vault/store/bolt"
)

//go:embed benchregister.yaml
var benchRegister []byte

//go:embed benchrules.rego
var benchRules string

// benchChannel is who reads.
const benchChannel = "shop"

// maxAsks is how many requests are made at once. In a large vault they are about
// people far from each other.
const maxAsks = 100_000

// fillBatch is how many people one transaction takes.
const fillBatch = 10_000

// benchSecret seals keyrings that live as long as a measurement.
const benchSecret = "of a vault of invented people"

// benchRoot costs nothing to open: what a passphrase costs is not what a start
// costs.
func benchRoot() keys.Root {
	return keys.PassphraseWith([]byte(benchSecret), keys.Argon2{Time: 1, Memory: 64, Threads: 1})
}

// filledVault is a folder of invented people, and what is known of them.
type filledVault struct {
	people  []privacy.SubjectID // in the order they were invented
	officer vault.Credentials
	channel vault.Credentials
	cost    importCost
}

// importCost is what filling took.
type importCost struct {
	Subjects  int                `json:"subjects"`
	PerSecond float64            `json:"per_second"`
	Profile   float64            `json:"profile_json_bytes"` // of one person's fields, on average
	PerPerson map[string]float64 `json:"bytes_per_person"`   // by part
	Kept      float64            `json:"kept_to_profile"`    // values, standing, index and keys, to the profile
}

// fillWatch is told how filling goes. Each may be nil.
type fillWatch struct {
	made     func(*filledVault) error // the vault is there, and its credentials are known
	progress func(done int, perSecond float64)
}

// fillFolder makes a vault in dir with n invented people: each told a shop eight
// fields, most said yes to one thing or another. If it is interrupted it returns
// what there is by then, with the context's error.
func fillFolder(ctx context.Context, dir string, root keys.Root, n int, w fillWatch) (_ *filledVault, err error) {
	filled := &filledVault{people: make([]privacy.SubjectID, 0, n)}
	err = initFolder(ctx, dir, root, func(c vault.Credentials) error {
		filled.officer = c
		return nil
	})
	if err != nil {
		return nil, err
	}
	f, err := openFolder(ctx, dir, root, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := filled.govern(ctx, f.vault); err != nil {
		return nil, err
	}
	if w.made != nil {
		if err := w.made(filled); err != nil {
			return nil, err
		}
	}
	began := time.Now()
	err = filled.fill(ctx, f.vault, n, w.progress)
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	filled.cost.Subjects, filled.cost.PerSecond = len(filled.people), float64(len(filled.people))/time.Since(began).Seconds()
	if err != nil {
		return filled, ctx.Err()
	}
	return filled, filled.weigh(dir, f)
}

// govern puts the register and the rules in force.
func (f *filledVault) govern(ctx context.Context, v *vault.Vault) error {
	officer, err := caller(v, f.officer)
	if err != nil {
		return err
	}
	applied, err := v.ApplyRegister(ctx, officer, "benchregister.yaml", benchRegister, nil, false)
	if err != nil {
		return err
	}
	f.channel = applied.Channels[0].Credentials
	drafted, err := v.DraftPolicy(ctx, officer, map[string]string{"bench.rego": benchRules}, "")
	if err != nil {
		return err
	}
	_, err = v.ActivatePolicy(ctx, officer, drafted.ID)
	return err
}

func caller(v *vault.Vault, c vault.Credentials) (vault.Caller, error) {
	client, err := v.Authenticate(c.ClientID, c.ClientSecret)
	return vault.Caller{Client: client}, err
}

// fill captures n people, one batch being made ready while that before it is
// committed.
func (f *filledVault) fill(ctx context.Context, v *vault.Vault, n int, progress func(int, float64)) error {
	shop, err := caller(v, f.channel)
	if err != nil {
		return err
	}
	profiles, last := 0, time.Now()
	for from, before := 0, (*inventing)(nil); from < n || before != nil; from += fillBatch {
		var next *inventing
		if from < n {
			next = fillWith(ctx, v, shop, from, min(n, from+fillBatch))
		}
		if before != nil {
			<-before.done
			if before.err != nil {
				if next != nil {
					<-next.done
				}
				return before.err
			}
			f.people = append(f.people, before.people...)
			profiles += before.profiles
			if progress != nil {
				progress(len(f.people), float64(len(before.people))/time.Since(last).Seconds())
			}
			last = time.Now()
		}
		before = next
	}
	f.cost.Profile = float64(profiles)/float64(n) + 1
	return nil
}

// inventing is a batch of invented people on its way into the vault. The rest is for
// whoever saw done closed.
type inventing struct {
	done     chan struct{}
	people   []privacy.SubjectID
	profiles int // bytes of their fields as JSON
	err      error
}

func fillWith(ctx context.Context, v *vault.Vault, shop vault.Caller, from, to int) *inventing {
	f := &inventing{done: make(chan struct{})}
	go func() {
		defer close(f.done)
		batch := make([]vault.CaptureRequest, 0, to-from)
		for i := from; i < to; i++ {
			told := invent(i)
			for _, field := range told.Fields {
				f.profiles += len(field.Field) + len(`"":,`) + len(field.Value.Reveal())
			}
			batch = append(batch, told)
		}
		outcomes, err := v.CaptureBatch(ctx, shop, batch)
		f.err = err
		for _, o := range outcomes {
			if o.Err != nil {
				f.err = fmt.Errorf("an invented person was refused: %w", o.Err)
				return
			}
			f.people = append(f.people, o.Result.Subject)
		}
	}()
	return f
}

// weigh says what a person takes on disk, by part.
func (f *filledVault) weigh(dir string, open *folder) error {
	n := float64(len(f.people))
	f.cost.PerPerson = map[string]float64{}
	for name, db := range map[string]*bolt.DB{"vault": open.stores.data, "keys": open.stores.deks} {
		buckets, err := db.Buckets()
		if err != nil {
			return err
		}
		for bucket, bytes := range buckets {
			f.cost.PerPerson[name+"."+strings.Trim(string(bucket), "\x00 ")] = float64(bytes) / n
		}
	}
	kept := 0.0
	for _, part := range []string{"vault.standing", "vault.profiles", "vault.index", "keys.deks"} {
		kept += f.cost.PerPerson[part]
	}
	f.cost.Kept = kept / f.cost.Profile
	log := int64(0)
	segments, err := os.ReadDir(filepath.Join(dir, folderLog))
	if err != nil {
		return err
	}
	for _, s := range segments {
		info, err := s.Info()
		if err != nil {
			return err
		}
		log += info.Size()
	}
	f.cost.PerPerson["log"] = float64(log) / n
	return nil
}

// requests are the mixed load, under a fresh token: all five purposes in turn,
// and each fifth read about somebody who never said yes to it.
func (f *filledVault) requests(ctx context.Context, url string) ([]ask, error) {
	token, err := f.token(ctx, url)
	if err != nil {
		return nil, err
	}
	host := strings.TrimPrefix(url, "http://")
	asks := make([]ask, min(len(f.people), maxAsks))
	step := len(f.people) / len(asks)
	for i := range asks {
		// Neighbours on disk are not asked about one after the other.
		who, purpose, denied := purposeFor(i, i*7919%len(asks)*step, len(f.people))
		body := fmt.Sprintf(`{"subject":"%s","purpose":"%s"}`, f.people[who], purpose)
		asks[i] = ask{denied: denied, wire: fmt.Appendf(nil, "POST /v1/reads HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", host, token, len(body), body)}
	}
	return asks, nil
}

func (f *filledVault) token(ctx context.Context, url string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/oauth/token", strings.NewReader("grant_type=client_credentials"))
	if err != nil {
		return "", err
	}
	r.SetBasicAuth(f.channel.ClientID, f.channel.ClientSecret)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var out wire.TokenAnswer
	if err := json.UnmarshalRead(res.Body, &out); err != nil || res.StatusCode != http.StatusOK {
		return "", errors.Join(fmt.Errorf("asking for a token: %s", res.Status), err)
	}
	return out.AccessToken, nil
}
