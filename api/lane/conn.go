package lane

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// slack is how much earlier than said a deadline may come that is seldom met:
// so it need not be set anew for each request.
const slack = 10 * time.Second

// conn is a connection while it is the lane's. One goroutine has it.
type conn struct {
	net    net.Conn
	lane   *Lane
	remote string

	in   []byte // what has arrived and is not answered
	out  []byte
	head head
	body body

	request http.Request
	url     url.URL
	answer  answer

	began        time.Time   // when the first byte of in was there
	reads, wrote time.Time   // the deadlines that are set
	idle         atomic.Bool // it waits for a request: closing may wake it
}

// body is the body of a request that has arrived.
type body struct{ bytes.Reader }

// Close implements io.Closer.
func (*body) Close() error { return nil }

// serve answers requests until one is not the lane's, or none comes.
func (c *conn) serve() {
	defer c.lane.leave(c)
	for {
		verdict, head, length := c.head.read(c.in)
		switch {
		case verdict == others:
			c.pass()
			return
		case verdict == more && c.fill(head > 0), verdict == mine && c.do(head, length):
		default:
			_ = c.net.Close() // whoever is there has all there was to have
			return
		}
	}
}

// fill reads more of what arrives. It is false if nothing does in time, and if
// the lane closes while nobody has begun to ask.
func (c *conn) fill(headRead bool) bool {
	server, fresh := c.lane.cfg.Server, len(c.in) == 0
	var until time.Time
	switch {
	case fresh:
		until = time.Now().Add(server.IdleTimeout)
	case headRead:
		until = c.began.Add(server.ReadTimeout)
	default:
		until = c.began.Add(server.ReadHeaderTimeout)
	}
	if !fresh || c.reads.After(until) || c.reads.Before(until.Add(-slack)) {
		c.reads = until
		if c.net.SetReadDeadline(until) != nil {
			return false
		}
	}
	if fresh {
		c.idle.Store(true)
		defer c.idle.Store(false)
		if c.lane.closing() {
			return false
		}
	}
	if len(c.in) == cap(c.in) {
		c.in = append(make([]byte, 0, max(2*cap(c.in), 2<<10)), c.in...)
	}
	n, err := c.net.Read(c.in[len(c.in):cap(c.in)])
	if fresh && n > 0 {
		c.began = time.Now()
	}
	c.in = c.in[:len(c.in)+n]
	return n > 0 || err == nil
}

// wake ends a wait for a request that has not begun to arrive.
func (c *conn) wake() {
	if c.idle.Load() {
		_ = c.net.SetReadDeadline(time.Unix(1, 0))
	}
}

// do answers the request that in begins with. It is false if the connection is
// not to be used again.
func (c *conn) do(head, length int) (again bool) {
	defer func() {
		if p := recover(); p != nil {
			again = false
			c.tell(p)
		}
	}()
	c.answer.reset()
	c.body.Reset(c.in[head : head+length])
	r := &c.lane.routes[c.head.route]
	c.url = url.URL{Path: r.Path}
	c.request = http.Request{
		Method: r.Method, URL: &c.url, RequestURI: r.Path, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: c.head.header, Host: c.head.host, ContentLength: int64(length), Body: &c.body, RemoteAddr: c.remote,
	}
	r.Handler.ServeHTTP(&c.answer, &c.request)
	c.in = c.in[:copy(c.in, c.in[head+length:])]
	c.began = time.Now() // of what is behind it, if anything is
	return c.write() && !c.answer.closes() && !c.lane.closing()
}

// write sends the answer in one piece.
func (c *conn) write() bool {
	if until := c.began.Add(c.lane.cfg.Server.WriteTimeout); c.wrote.Before(until.Add(-slack)) {
		c.wrote = until
		if c.net.SetWriteDeadline(until) != nil {
			return false
		}
	}
	c.out = c.answer.appendTo(c.out[:0], c.lane.dates.at(c.began))
	_, err := c.net.Write(c.out)
	clear(c.out) // it may hold what was released
	clear(c.answer.body)
	return err == nil
}

// tell tells of a handler that panicked where the server would. The value of a
// panic may hold anything, so it is left out.
func (c *conn) tell(p any) {
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		return
	}
	if errorLog := c.lane.cfg.Server.ErrorLog; errorLog != nil {
		errorLog.Printf("a handler panicked with %T\n%s", p, debug.Stack())
	}
}

// pass gives the connection to the server, with what was read of it.
func (c *conn) pass() {
	_ = c.net.SetDeadline(time.Time{}) // what fails will fail for the server, too
	select {
	case c.lane.accepted <- accepted{conn: &passed{Conn: c.net, unread: c.in}}:
	case <-c.lane.closed:
		_ = c.net.Close()
	}
}

// passed is a connection whose first bytes were read before.
type passed struct {
	net.Conn
	unread []byte
}

// Read implements net.Conn.
func (p *passed) Read(b []byte) (int, error) {
	if len(p.unread) > 0 {
		n := copy(b, p.unread)
		p.unread = p.unread[n:]
		return n, nil
	}
	return p.Conn.Read(b)
}
