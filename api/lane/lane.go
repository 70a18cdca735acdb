package lane

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// Route is a kind of requests that are the lane's. They have a body.
type Route struct {
	Method, Path string // such as POST and /v1/reads
	// Handler answers them, as it would for the server.
	Handler http.Handler
}

// route is a Route with the line its requests begin with.
type route struct {
	Route
	line string // "POST /v1/reads HTTP/1.1\r\n"
}

// Config is what a Lane needs. All of it is required.
type Config struct {
	// Routes are those that the lane answers. A connection that asks for anything
	// else has left it for good, so programs should find here all that they ask for
	// again and again.
	Routes []Route
	// Server serves the Lane as its listener. Its timeouts are the lane's, too:
	// ReadHeaderTimeout, ReadTimeout, WriteTimeout and IdleTimeout must be set.
	Server *http.Server
}

// Lane is a listener for an http.Server that keeps to itself the connections
// that send nothing but its requests. The server's Shutdown and Close close it;
// call Drain after them.
type Lane struct {
	cfg    Config
	inner  net.Listener
	routes []route
	dates  dates

	accepted chan accepted // for Accept: those that are the server's
	closed   chan struct{}
	once     sync.Once
	closeErr error
	running  sync.WaitGroup // of the goroutines below

	mu    sync.Mutex // guards conns
	conns map[*conn]struct{}
}

type accepted struct {
	conn net.Conn
	err  error
}

// New returns a Lane over l.
func New(l net.Listener, cfg Config) *Lane {
	lane := &Lane{
		cfg: cfg, inner: l,
		accepted: make(chan accepted), closed: make(chan struct{}), conns: map[*conn]struct{}{},
	}
	for _, r := range cfg.Routes {
		lane.routes = append(lane.routes, route{r, r.Method + " " + r.Path + " HTTP/1.1\r\n"})
	}
	lane.running.Go(lane.accept)
	return lane
}

// accept lets every connection begin in the lane. Errors are the server's, which
// knows when to try again.
func (l *Lane) accept() {
	for {
		c, err := l.inner.Accept()
		if err == nil {
			l.enter(c)
			continue
		}
		select {
		case l.accepted <- accepted{err: err}:
		case <-l.closed:
			return
		}
	}
}

func (l *Lane) enter(nc net.Conn) {
	c := &conn{net: nc, lane: l, remote: nc.RemoteAddr().String(), head: head{routes: l.routes}, answer: answer{header: http.Header{}}}
	l.mu.Lock()
	l.conns[c] = struct{}{}
	l.mu.Unlock()
	l.running.Go(c.serve)
}

// leave forgets a connection.
func (l *Lane) leave(c *conn) {
	l.mu.Lock()
	delete(l.conns, c)
	l.mu.Unlock()
}

// Accept implements net.Listener: it returns the connections that are not the
// lane's.
func (l *Lane) Accept() (net.Conn, error) {
	select {
	case a := <-l.accepted:
		return a.conn, a.err
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Addr implements net.Listener.
func (l *Lane) Addr() net.Addr { return l.inner.Addr() }

// Close implements net.Listener. Connections that wait for a request are closed,
// those that answer one are when they have.
func (l *Lane) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.closeErr = l.inner.Close()
		l.mu.Lock()
		defer l.mu.Unlock()
		for c := range l.conns {
			c.wake()
		}
	})
	return l.closeErr
}

func (l *Lane) closing() bool {
	select {
	case <-l.closed:
		return true
	default:
		return false
	}
}

// Drain waits until every request of the lane is answered, or, with the context,
// hangs up on those that are not.
func (l *Lane) Drain(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		l.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	for c := range l.conns {
		_ = c.net.Close() // it is cut off in any case
	}
	l.mu.Unlock()
	<-done
	return ctx.Err()
}
