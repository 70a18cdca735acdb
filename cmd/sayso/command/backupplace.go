package command

import (
	"context"
	"net/url"
	"os"
	"path"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sayso-vault/sayso/vault/backup"
	"github.com/sayso-vault/sayso/vault/backup/s3"
)

// objectStore says how an object store is reached.
type objectStore struct {
	endpoint, spool string
}

// The variables that say where an object store is. Who asks is said by others of
// their kind, which package s3 reads.
var awsEndpoints = []string{"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"}

const (
	s3Scheme        = "s3://"
	defaultEndpoint = "https://s3.amazonaws.com"
)

func (o *objectStore) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.endpoint, "s3-endpoint", "", "address of the S3-compatible store, for places s3://… (default: AWS_ENDPOINT_URL, else Amazon's)")
}

// place returns the place that people name: a folder, or s3://BUCKET/PREFIX.
func (o *objectStore) place(ctx context.Context, name string) (backup.Place, error) {
	rest, remote := strings.CutPrefix(name, s3Scheme)
	if !remote {
		return backup.Folder(name), nil
	}
	bucket, prefix, _ := strings.Cut(rest, "/")
	if bucket == "" {
		return nil, misuse("%s names no bucket: expected s3://BUCKET/PREFIX", name)
	}
	endpoint := o.endpoint
	for _, variable := range awsEndpoints {
		if endpoint == "" {
			endpoint = os.Getenv(variable)
		}
	}
	if endpoint == "" {
		endpoint = defaultEndpoint
	}
	at, err := url.Parse(endpoint)
	if err != nil || at.Host == "" || at.Scheme != "https" && at.Scheme != "http" || strings.Trim(at.Path, "/") != "" {
		return nil, misuse("--s3-endpoint %s is not an address such as https://s3.example.org", endpoint)
	}
	if at.Scheme == "http" && !isLoopback(ctx, at.Hostname()) {
		return nil, misuse("--s3-endpoint %s is another machine, and anybody on the way could copy the backup: use https", endpoint)
	}
	region := os.Getenv("AWS_REGION")
	if region == "" {
		region = os.Getenv("AWS_DEFAULT_REGION")
	}
	return s3.Open(s3.Config{Endpoint: at.Host, Plain: at.Scheme == "http", Region: region, Bucket: bucket, Prefix: strings.Trim(prefix, "/"), Spool: o.spool})
}

// locate finds the copy that people name.
func (o *objectStore) locate(ctx context.Context, name string, kind backup.Kind) (backup.Copy, error) {
	if !strings.HasPrefix(name, s3Scheme) {
		return backup.Locate(ctx, name, kind)
	}
	above, id := strings.TrimSuffix(name, "/"), ""
	if last := path.Base(above); backup.IsID(last) {
		above, id = strings.TrimSuffix(above, "/"+last), last
	}
	above = strings.TrimSuffix(above, "/"+string(kind))
	p, err := o.place(ctx, above)
	if err != nil {
		return backup.Copy{}, err
	}
	if id == "" {
		return backup.Newest(ctx, p, kind)
	}
	return backup.Copy{Place: p, Kind: kind, ID: id}, nil
}
