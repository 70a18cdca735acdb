package command

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// streamCost is what one long batch of reads took.
type streamCost struct {
	Lines     int     `json:"lines"`
	PerSecond float64 `json:"per_second"`
	// RssAnon before the stream and at most during it, looked at every tenth of a
	// second.
	RssAnonBefore int64 `json:"rss_anon_before_bytes"`
	RssAnonMost   int64 `json:"rss_anon_most_bytes"`
	// Grown is by how much vault.db grew for a line, since records are indexed.
	Grown float64 `json:"grown_bytes_per_line"`
}

// stream reads many people by one request, as a sender of mails would, and
// watches what that takes of the vault.
func (c *crowd) stream(ctx context.Context, lines int) (s streamCost, err error) {
	token, err := c.token(ctx, c.served.url)
	if err != nil {
		return s, err
	}
	pid := c.served.cmd.Process.Pid
	if s.RssAnonBefore, err = rssAnon(pid); err != nil {
		return s, err
	}
	before, err := c.served.counts()
	if err != nil {
		return s, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	watched := make(chan int64, 1)
	go func() {
		most := s.RssAnonBefore
		defer func() { watched <- most }()
		for tick := time.NewTicker(100 * time.Millisecond); ; {
			select {
			case <-ctx.Done():
				tick.Stop()
				return
			case <-tick.C:
				if now, err := rssAnon(pid); err == nil {
					most = max(most, now)
				}
			}
		}
	}()
	body, in := io.Pipe()
	go func() {
		w := bufio.NewWriterSize(in, 64<<10)
		for i := range lines {
			if _, err := w.Write(c.asks[i%len(c.asks)].line()); err != nil {
				break
			}
		}
		in.CloseWithError(errors.Join(w.Flush()))
	}()
	defer func() { _ = body.Close() }()
	began := time.Now()
	if s.Lines, err = c.readStream(ctx, token, body); err != nil {
		return s, err
	}
	s.PerSecond = float64(s.Lines) / time.Since(began).Seconds()
	stop()
	s.RssAnonMost = <-watched
	after, err := c.served.counts()
	if err != nil {
		return s, err
	}
	s.Grown = float64(after.Bytes-before.Bytes) / float64(max(1, s.Lines))
	return s, nil
}

// readStream reads the answers to their last line, which says how many there were.
func (c *crowd) readStream(ctx context.Context, token string, body io.Reader) (lines int, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.served.url+"/v1/reads/batch", body)
	if err != nil {
		return 0, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/x-ndjson")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	if res.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("a measured stream: %s", res.Status)
	}
	answers := bufio.NewScanner(res.Body)
	for answers.Scan() {
		if line := answers.Bytes(); bytes.HasPrefix(line, []byte(`{"end"`)) {
			var end struct {
				Lines int `json:"lines"`
			}
			if err := json.Unmarshal(line, &end); err != nil || end.Lines != lines {
				return lines, fmt.Errorf("a measured stream: %d answers and a last line %s", lines, line)
			}
			return lines, nil
		} else if !bytes.Contains(line, []byte(`"status":200`)) && !bytes.Contains(line, []byte(`"status":403`)) {
			return lines, fmt.Errorf("a measured stream: line %d is neither a release nor a denial", lines+1)
		}
		lines++
	}
	return lines, errors.Join(errors.New("a measured stream broke off"), answers.Err())
}

// line is the request as a line of a batch.
func (a ask) line() []byte {
	_, body, _ := strings.Cut(string(a.wire), "\r\n\r\n")
	return append([]byte(body), '\n')
}
