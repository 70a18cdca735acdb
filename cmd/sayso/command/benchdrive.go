package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// ask is one request to repeat: head and body as they go over the wire, and
// whether it must be denied.
type ask struct {
	wire   []byte
	denied bool
}

// pace is what one server did in one round.
type pace struct {
	PerSecond float64 `json:"per_second"`
	P50       float64 `json:"p50_us"`
	P99       float64 `json:"p99_us"`
	P999      float64 `json:"p999_us"`
	Denied    float64 `json:"denied"`       // share of the answers
	Processor float64 `json:"processor_us"` // the server's time for an answer

	answers int
}

// drive asks a server as fast as it answers, by n connections of which each
// waits for its answer before it asks again. One thread does it all with what
// the kernel has for that, since what it costs is taken from the server.
func drive(ctx context.Context, address string, asks []ask, n int, d time.Duration) (p pace, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	u, err := url.Parse(address)
	if err != nil {
		return p, err
	}
	poll, err := syscall.EpollCreate1(0)
	if err != nil {
		return p, fmt.Errorf("asking for events: %w", err)
	}
	defer func() { err = errors.Join(err, syscall.Close(poll)) }()
	conns := make([]*asker, n)
	defer func() {
		for _, c := range conns {
			if c != nil {
				err = errors.Join(err, syscall.Close(c.fd))
			}
		}
	}()
	for i := range conns {
		if conns[i], err = dial(u, asks, i*len(asks)/n); err != nil {
			return p, err
		}
		event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(i)}
		if err := syscall.EpollCtl(poll, syscall.EPOLL_CTL_ADD, conns[i].fd, &event); err != nil {
			return p, fmt.Errorf("asking for events: %w", err)
		}
	}
	var took histogram
	var answers, denied int
	began := time.Now()
	for _, c := range conns {
		if err := c.ask(time.Since(began)); err != nil {
			return p, err
		}
	}
	events := make([]syscall.EpollEvent, n)
	for {
		ready, err := syscall.EpollWait(poll, events, 5000)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || ready == 0 {
			return p, errors.Join(err, errors.New("a measured server stopped answering"))
		}
		now := time.Since(began)
		if now >= d {
			break
		}
		if ctx.Err() != nil {
			return p, ctx.Err()
		}
		for _, event := range events[:ready] {
			c := conns[event.Fd]
			whole, no, err := c.read()
			if err != nil {
				return p, err
			}
			if !whole {
				continue
			}
			answers++
			if no {
				denied++
			}
			now = time.Since(began)
			took.add(now - c.since)
			if err := c.ask(now); err != nil {
				return p, err
			}
		}
	}
	seconds := time.Since(began).Seconds()
	p = pace{PerSecond: float64(answers) / seconds, P50: took.at(0.5), P99: took.at(0.99), P999: took.at(0.999), Denied: float64(denied) / float64(max(1, answers)), answers: answers}
	return p, nil
}

// asker is one connection.
type asker struct {
	fd    int
	asks  []ask
	next  int
	since time.Duration
	buf   []byte
	have  int
}

func dial(u *url.URL, asks []ask, first int) (*asker, error) {
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		return nil, err
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	err = syscall.Connect(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
	if err == nil {
		err = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connecting: %w", err), syscall.Close(fd))
	}
	return &asker{fd: fd, asks: asks, next: first, buf: make([]byte, 16<<10)}, nil
}

func (c *asker) ask(now time.Duration) error {
	wire := c.asks[c.next].wire
	if c.next++; c.next == len(c.asks) {
		c.next = 0
	}
	c.since, c.have = now, 0
	for len(wire) > 0 {
		n, err := syscall.Write(c.fd, wire)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return fmt.Errorf("asking: %w", err)
		}
		wire = wire[max(n, 0):]
	}
	return nil
}

var (
	headEnd   = []byte("\r\n\r\n")
	lengthKey = []byte("\r\nContent-Length: ")
)

// read takes what has come. It is whole when all of the answer has; an answer
// that is neither a release nor a denial is an error.
func (c *asker) read() (whole, denied bool, err error) {
	n, err := syscall.Read(c.fd, c.buf[c.have:])
	if errors.Is(err, syscall.EINTR) {
		return false, false, nil
	}
	if err != nil || n == 0 {
		return false, false, fmt.Errorf("a measured server hung up: %w", errors.Join(err))
	}
	c.have += n
	got := c.buf[:c.have]
	head := bytes.Index(got, headEnd)
	if head < 0 {
		return false, false, nil
	}
	at := bytes.Index(got[:head], lengthKey)
	if at < 0 || len(got) < 12 {
		return false, false, errors.New("a measured server answers without a length")
	}
	length := 0
	for _, b := range got[at+len(lengthKey) : head+1] {
		if b < '0' || b > '9' {
			break
		}
		length = 10*length + int(b-'0')
	}
	switch size := head + len(headEnd) + length; {
	case size > len(c.buf):
		return false, false, errors.New("a measured server answers more than was expected")
	case c.have < size:
		return false, false, nil
	}
	switch status := string(got[9:12]); status {
	case "200":
		return true, false, nil
	case "403":
		return true, true, nil
	default:
		return false, false, fmt.Errorf("a measured server answers %s", status)
	}
}

// histogram counts durations in steps of a sixty-fourth of their power of two,
// so that it needs no memory for each.
type histogram struct {
	counts [64 * 64]uint32
	total  uint64
}

func (h *histogram) add(d time.Duration) {
	n, shift := uint64(max(d, 0)), 0
	for n >= 128 {
		n >>= 1
		shift++
	}
	h.counts[shift*64+int(n)]++
	h.total++
}

// at returns the duration, in microseconds, that a share of all stay under.
func (h *histogram) at(share float64) float64 {
	want, seen := uint64(share*float64(h.total)), uint64(0)
	for i, n := range h.counts {
		if seen += uint64(n); seen > want {
			shift, n := i/64, i%64
			if shift > 0 {
				shift, n = shift-1, n+64
			}
			return float64(uint64(n)<<shift) / 1000
		}
	}
	return 0
}

// roundTrip asks once.
func roundTrip(address string, wire []byte) (head string, body []byte, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", nil, err
	}
	c, err := dial(u, []ask{{wire: wire}}, 0)
	if err != nil {
		return "", nil, err
	}
	defer func() { err = errors.Join(err, syscall.Close(c.fd)) }()
	if err := c.ask(0); err != nil {
		return "", nil, err
	}
	for whole := false; !whole; {
		if whole, _, err = c.read(); err != nil {
			return "", nil, err
		}
	}
	at := bytes.Index(c.buf[:c.have], headEnd)
	return string(c.buf[:at]), c.buf[at+len(headEnd) : c.have], nil
}
