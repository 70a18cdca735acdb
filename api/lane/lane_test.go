package lane

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const line = "POST /v1/reads HTTP/1.1\r\n"

var routes = []route{{Route{Path: "/v1/reads"}, line}, {Route{Path: "/oauth/token"}, "POST /oauth/token HTTP/1.1\r\n"}}

// asking is a request as programs send it.
func asking(body string, more ...string) string {
	return line + "Host: vault.example.org\r\nUser-Agent: shop/1.0\r\nAuthorization: Bearer a.b.c\r\nContent-Type: application/json\r\n" +
		strings.Join(append(more, ""), "\r\n") + "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
}

// read judges bytes as they arrive, one more at a time if slow is true.
func read(b []byte, slow bool) (v verdict, n, length int, h *head) {
	h = &head{routes: routes}
	for i := 1; slow && i < len(b); i++ {
		if v, n, length = h.read(b[:i]); v != more {
			return v, n, length, h
		}
	}
	v, n, length = h.read(b)
	return v, n, length, h
}

// same fails if what the lane takes is not what net/http reads.
func same(t interface {
	Helper()
	Fatalf(string, ...any)
}, b []byte, h *head, head, length int) {
	t.Helper()
	from := bufio.NewReader(bytes.NewReader(b))
	r, err := http.ReadRequest(from)
	if err != nil {
		t.Fatalf("%q was taken, net/http says %v", b, err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || string(body) != string(b[head:head+length]) || r.ContentLength != int64(length) || len(r.TransferEncoding) > 0 {
		t.Fatalf("%q: net/http reads the body %q of %d, %v, the lane %q", b, body, r.ContentLength, err, b[head:head+length])
	}
	if rest, _ := io.ReadAll(from); string(rest) != string(b[head+length:]) {
		t.Fatalf("%q: net/http leaves %q, the lane %q", b, rest, b[head+length:])
	}
	r.Header.Del("Content-Length")
	if r.Method != "POST" || r.RequestURI != routes[h.route].Path || r.URL.RawQuery != "" || r.Proto != "HTTP/1.1" || r.Close || r.Host != h.host || !reflect.DeepEqual(r.Header, h.header) {
		t.Fatalf("%q: net/http reads %s %s %s %s %v close %v, the lane %s %v", b, r.Method, r.RequestURI, r.Proto, r.Host, r.Header, r.Close, h.host, h.header)
	}
}

var (
	plainOnes = []string{
		asking("{}"), asking(`{"a":1}`, "Accept: */*"), asking("{}", "X-Request-Id: 0123456789abcdef0123", "Connection: keep-alive", "Accept-Encoding: gzip"),
		line + "content-length: 2\r\nhost: [::1]:8650\r\n\r\n{}", asking("x") + asking("y"), asking(strings.Repeat("x", maxBody)),
		line + "Host: a\r\nContent-Length: 2\r\nCookie: a=b; c=d\r\nX-Empty: \r\n\r\n{}",
		strings.Replace(asking("grant_type=client_credentials"), "/v1/reads", "/oauth/token", 1),
	}
	otherOnes = []string{
		"GET /v1/reads HTTP/1.1\r\nHost: a\r\n\r\n", "POST /v1/reads?x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}", "POST /v1/readsx HTTP/1.1\r\n",
		"POST /v1/reads HTTP/1.0\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}", "POST  /v1/reads HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\r\n" + asking("{}"), "post /v1/reads HTTP/1.1\r\n",
		"POST /v1/reads HTTP/1.1\nHost: a\n\n", "\x16\x03\x01",
		line + "Host: a\r\n\r\n", line + "Host: a\r\nContent-Length: 0\r\n\r\n", line + "Content-Length: 2\r\n\r\n{}",
		line + "Host: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", line + "Host: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
		line + "Host: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x", line + "Host: a\r\nContent-Length: 2\r\ncontent-length: 2\r\n\r\n{}",
		line + "Host: a\r\nHost: b\r\nContent-Length: 2\r\n\r\n{}", line + "Host: a b\r\nContent-Length: 2\r\n\r\n{}", line + "Host: \r\nContent-Length: 2\r\n\r\n{}",
		line + "Host: a\r\nContent-Length: +2\r\n\r\n{}", line + "Host: a\r\nContent-Length: 02\r\n\r\n{}", line + "Host: a\r\nContent-Length: 2 \r\n\r\n{}", line + "Host: a\r\nContent-Length: 2, 2\r\n\r\n{}",
		line + "Host: a\r\nContent-Length: 99999999999\r\n\r\n", line + "Host: a\r\nContent-Length: 0x2\r\n\r\n{}", line + "Host: a\r\nContent-Length:2\r\n\r\n{}", line + "Host: a\r\nContent-Length : 2\r\n\r\n{}",
		line + "Host: a\r\nContent-Length: 2\r\n X: folded\r\n\r\n{}", line + "Host: a\r\nContent-Length: 2\r\nX:\ttab\r\n\r\n{}", line + "Host: a\r\nContent-Length: 2\r\nX: é\r\n\r\n{}", line + "Host: a\r\nContent-Length: 2\r\nX: a\x00b\r\n\r\n{}",
		line + "Host: a\r\nContent-Length: 2\r\n: x\r\n\r\n{}", line + "Host: a\r\nContent-Length: 2\r\nX Y: z\r\n\r\n{}", line + "Host: a\r\nContent-Length: 2\r\nX: a\rb\r\n\r\n{}", line + "Host: a\r\nContent-Length: 2\r\nX: a\nY: b\r\n\r\n{}",
		asking("{}", "Connection: close"), asking("{}", "Expect: 100-continue"), asking("{}", "Upgrade: h2c"), asking("{}", "Accept: a", "Accept: b"),
		asking(strings.Repeat("x", maxBody+1)), asking("{}", "X: "+strings.Repeat("x", maxHead)),
	}
)

// What programs send is the lane's, however it arrives, and means what it means
// to net/http; what is unusual in any way is left to the server.
func TestWhatTheLaneTakes(t *testing.T) {
	for _, slow := range []bool{false, true} {
		for _, b := range plainOnes {
			v, head, length, h := read([]byte(b), slow)
			if v != mine {
				t.Errorf("%.200q: got %d, want it taken", b, v)
				continue
			}
			same(t, []byte(b), h, head, length)
			// The next one is known by comparing, whatever its length.
			next := strings.Replace(b[:head], "ength: "+strconv.Itoa(length)+"\r", "ength: 7\r", 1) + "longer}"
			before := reflect.ValueOf(h.header).Pointer()
			for _, begun := range []string{"", "P", next[:head/2]} { // it arrives little by little
				if v, _, _ := h.read([]byte(begun)); v != more {
					t.Errorf("%.200q: got %d, want to wait for more", begun, v)
				}
			}
			if v, head, length := h.read([]byte(next)); v != mine || length != 7 || reflect.ValueOf(h.header).Pointer() != before {
				t.Errorf("%.200q: the next of its kind is not known again: %d", b, v)
			} else {
				same(t, []byte(next), h, head, length)
			}
		}
		for _, b := range otherOnes {
			if v, _, _, _ := read([]byte(b), slow); v == mine {
				t.Errorf("%.200q was taken", b)
			}
		}
	}
	for n := range len(asking("{}")) {
		if v, _, _, _ := read([]byte(asking("{}"))[:n], false); v != more {
			t.Errorf("the first %d bytes: got %d, want to wait for more", n, v)
		}
	}
}

// However a request is bent, what the lane takes means to net/http what it means
// to the lane.
func TestBentRequestsMeanTheSame(t *testing.T) {
	taken := 0
	rapid.Check(t, func(t *rapid.T) {
		h := &head{routes: routes}
		for range 50 { // by one connection
			b := []byte(rapid.SampledFrom(slices.Concat(plainOnes[:4], plainOnes[7:], otherOnes)).Draw(t, "request"))
			for range rapid.IntRange(0, 2).Draw(t, "bends") {
				at := rapid.IntRange(0, len(b)-1).Draw(t, "at")
				to := rapid.SampledFrom([]string{"", "\r\n", "\r", "\n", " ", ":", ": ", "1", "0", "a", "\t", "\x00", "\x7f", "é", "Content-Length: 2\r\n", "Transfer-Encoding: chunked\r\n", "X: y\r\n", " z"}).Draw(t, "to")
				b = slices.Concat(b[:at], []byte(to), b[at+rapid.IntRange(0, 1).Draw(t, "less"):])
			}
			if v, head, length := h.read(b); v == mine {
				taken++
				same(t, b, h, head, length)
			}
		}
	})
	if taken < 500 {
		t.Errorf("only %d requests were taken, so little was compared", taken)
	}
}

func FuzzHead(f *testing.F) {
	for _, b := range slices.Concat(plainOnes, otherOnes) {
		f.Add([]byte(plainOnes[0]), []byte(b))
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		h := &head{routes: routes}
		for _, b := range [][]byte{first, second} {
			if v, head, length := h.read(b); v == mine {
				same(t, b, h, head, length)
			}
		}
	})
}

// front is a server behind a lane.
type front struct {
	*http.Server
	lane  *Lane
	ended chan error
	told  chan string // what its log was told
}

func (f *front) Write(b []byte) (int, error) {
	f.told <- string(b)
	return len(b), nil
}

func serve(t *testing.T, l net.Listener, h http.Handler) *front {
	t.Helper()
	f := &front{Server: &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 20 * time.Second, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute},
		ended: make(chan error, 1), told: make(chan string, 8)}
	f.ErrorLog = log.New(f, "", 0)
	f.lane = New(l, Config{Routes: []Route{{"POST", "/v1/reads", h}, {"POST", "/oauth/token", h}}, Server: f.Server})
	go func() { f.ended <- f.Serve(f.lane) }()
	t.Cleanup(func() {
		if err := f.end(t.Context()); err != nil {
			t.Error(err)
		}
	})
	return f
}

func (f *front) end(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := f.Shutdown(ctx); err != nil {
		return err
	}
	return f.lane.Drain(ctx)
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// told answers with what it was asked.
func told(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header()["X-Lane"] = []string{strconv.FormatBool(r.Context() == context.Background())}
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("Content-Length", strconv.Itoa(len(r.URL.Path)+1+len(body)))
	if bytes.Contains(body, []byte("denied")) {
		w.WriteHeader(http.StatusForbidden)
	}
	fmt.Fprintf(w, "%s %s", r.URL.Path, body)
}

// One connection asks, is passed on, and asks more: nobody outside sees where.
func TestAConnectionIsPassedOnUnseen(t *testing.T) {
	l := listen(t)
	serve(t, l, http.HandlerFunc(told))
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	from := bufio.NewReader(nc)
	ask := func(request, want string, inLane bool) {
		t.Helper()
		if _, err := io.WriteString(nc, request); err != nil {
			t.Fatal(err)
		}
		r, err := http.ReadResponse(from, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) != want || r.Header.Get("X-Lane") != strconv.FormatBool(inLane) {
			t.Errorf("got %q, %v, in the lane %s, want %q and %v", body, err, r.Header.Get("X-Lane"), want, inLane)
		}
		if r.ContentLength != int64(len(want)) || r.Header.Get("Content-Type") != "text/plain" || r.StatusCode != http.StatusOK && !strings.Contains(want, "denied") {
			t.Errorf("got %s %v", r.Status, r.Header)
		}
		if at, err := http.ParseTime(r.Header.Get("Date")); err != nil || time.Since(at).Abs() > time.Minute {
			t.Errorf("the answer is of %q", r.Header.Get("Date"))
		}
	}
	ask(asking("first"), "/v1/reads first", true)
	ask(asking("a longer second"), "/v1/reads a longer second", true)
	ask(asking("denied"), "/v1/reads denied", true)
	ask(strings.Replace(asking("token"), "/v1/reads", "/oauth/token", 1), "/oauth/token token", true)
	ask(asking("other head", "X: y"), "/v1/reads other head", true)
	ask(asking("fourth")+"GET /x HTTP/1.1\r\nHost: a\r\n\r\n", "/v1/reads fourth", true) // and one behind it
	ask(asking("last"), "/x ", false)
	ask("", "/v1/reads last", false)
}

// Answers differ in nothing but their order of headers from net/http's.
func TestAnswersAreThoseOfTheServer(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"told":       told,
		"no length":  func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "x") },
		"nothing":    func(http.ResponseWriter, *http.Request) {},
		"no content": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"several": func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Vary"] = []string{"a", "b"}
			w.WriteHeader(429)
		},
		"two lines": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", "a\r\nY: b"); w.WriteHeader(500) },
		"twice":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403); w.WriteHeader(200) },
		"closes": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "close")
			w.WriteHeader(413)
		},
	} {
		answers := func(request string) (string, http.Header, string) {
			l := listen(t)
			serve(t, l, h)
			nc, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			if _, err := io.WriteString(nc, request); err != nil {
				t.Fatal(err)
			}
			r, err := http.ReadResponse(bufio.NewReader(nc), nil)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			defer r.Body.Close()
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			r.Header.Del("Date")
			r.Header.Del("X-Lane")
			return r.Status, r.Header, string(body)
		}
		status, header, body := answers(asking("{}"))
		wantStatus, want, wantBody := answers(asking("{}", "Pragma: x")) // which the lane leaves to the server
		if name == "no length" {
			want.Del("Content-Type") // net/http guesses one: the lane's handlers say it
		}
		if status != wantStatus || body != wantBody || !reflect.DeepEqual(header, want) {
			t.Errorf("%s: got %s %v %q, want %s %v %q", name, status, header, body, wantStatus, want, wantBody)
		}
	}
}

// pipes is a listener for connections in memory, whose time is the bubble's.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial() net.Conn {
	here, there := net.Pipe()
	p.conns <- there
	return here
}

// Who sends nothing, or little by little, is hung up on when the server would.
func TestTheSlowAreHungUpOn(t *testing.T) {
	for name, c := range map[string]struct {
		sends string
		after time.Duration
	}{
		"nothing":      {"", 2 * time.Minute},
		"half a head":  {line + "Host: a\r\n", 5 * time.Second},
		"half a body":  {line + "Host: a\r\nContent-Length: 9\r\n\r\nabc", 20 * time.Second},
		"one, no more": {asking("{}"), 2 * time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
			f := serve(t, p, http.HandlerFunc(told))
			nc := p.dial()
			began := time.Now()
			go func() { _, _ = io.WriteString(nc, c.sends) }()
			_, _ = io.Copy(io.Discard, nc)
			if took := time.Since(began); took > c.after || took < c.after-slack-time.Second {
				t.Errorf("%s: hung up after %v, want %v or a little less", name, took, c.after)
			}
			if err := f.end(t.Context()); err != nil {
				t.Error(err)
			}
			<-f.ended
		})
	}
}

// Who does not take an answer does not hold anybody up for ever.
func TestWhoTakesNoAnswerIsHungUpOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		f := serve(t, p, http.HandlerFunc(told))
		nc := p.dial()
		if _, err := io.WriteString(nc, asking("{}")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute + time.Second)
		synctest.Wait()
		if _, err := nc.Write([]byte("x")); err == nil {
			t.Error("the connection is still there")
		}
		if err := f.end(t.Context()); err != nil {
			t.Error(err)
		}
		<-f.ended
	})
}

// A server that stops answers what it was asked, and lets go of who only waits.
func TestStoppingAnswersFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, goOn := make(chan struct{}), make(chan struct{})
		p := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		f := serve(t, p, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(asked)
			<-goOn
			told(w, r)
		}))
		busy, waiting, half := p.dial(), p.dial(), p.dial()
		if _, err := io.WriteString(busy, asking("{}")); err != nil {
			t.Fatal(err)
		}
		request := asking("half")
		if _, err := io.WriteString(half, request[:60]); err != nil {
			t.Fatal(err)
		}
		<-asked
		synctest.Wait()
		stopped := make(chan error, 1)
		go func() { stopped <- f.end(context.Background()) }()
		if n, err := io.Copy(io.Discard, waiting); n != 0 || err != nil {
			t.Errorf("who waits got %d bytes, %v", n, err)
		}
		select {
		case err := <-stopped:
			t.Fatalf("stopped before the answer: %v", err)
		default:
		}
		asked = make(chan struct{})
		close(goOn)
		for nc, rest := range map[net.Conn]string{busy: "", half: request[60:]} {
			go func() { _, _ = io.WriteString(nc, rest) }()
			r, err := http.ReadResponse(bufio.NewReader(nc), nil)
			if err != nil || r.StatusCode != http.StatusOK {
				t.Fatalf("got %v, %v, want the answer", r, err)
			}
			r.Body.Close()
			_, _ = io.Copy(io.Discard, nc)
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		<-f.ended
	})
}

// A handler that breaks down takes its connection with it, and no other.
func TestABrokenHandlerClosesItsConnection(t *testing.T) {
	l := listen(t)
	f := serve(t, l, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Abort") != "" {
			panic(http.ErrAbortHandler)
		}
		panic("a value that nobody may see")
	}))
	for _, request := range []string{asking("{}"), asking("{}", "X-Abort: x")} {
		nc, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(nc, request)
		if got, err := io.ReadAll(nc); len(got) > 0 || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		nc.Close()
	}
	if told := <-f.told; !strings.Contains(told, "panicked with string") || strings.Contains(told, "nobody may see") {
		t.Errorf("the log was told %s", told)
	}
	if len(f.told) > 0 {
		t.Errorf("and then %s", <-f.told)
	}
}
