package webhook

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"syscall"
)

// ErrAddress is returned for an address that events must not be sent to. It is found
// out when the connection is made, after the name was looked up, so that a name that
// leads somewhere else by then leads nowhere.
var ErrAddress = errors.New("not a public address")

// inside are ranges that are nobody's on the internet, beside those that net/netip
// knows by name: of this network, of carriers, for tests and translation, reserved.
var inside = prefixes(
	"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fec0::/10",
)

func prefixes(all ...string) (of []netip.Prefix) {
	for _, p := range all {
		of = append(of, netip.MustParsePrefix(p))
	}
	return of
}

// public reports whether an address is somebody's on the internet.
func public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return a.IsValid() && a.IsGlobalUnicast() && !a.IsPrivate() && !a.IsLoopback() && !a.IsLinkLocalUnicast() &&
		!slices.ContainsFunc(inside, func(p netip.Prefix) bool { return p.Contains(a) })
}

// guard is the Control of a dialer: it is called with each address that is about to
// be connected to.
func guard(allowed func(netip.Addr) bool) func(network, address string, _ syscall.RawConn) error {
	return func(network, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil || network != "tcp4" && network != "tcp6" || !allowed(to.Addr()) {
			return ErrAddress
		}
		return nil
	}
}

func loopback(a netip.Addr) bool { return a.Unmap().IsLoopback() }

// Check refuses a URL that Send would not send to, as far as it shows: a scheme that
// is not https, an address that is not public. An error of it is for the channel.
func (s *Sender) Check(raw string) error {
	u, err := url.Parse(raw)
	if err != nil {
		return errors.New("is no address")
	}
	addr, err := netip.ParseAddr(u.Hostname())
	literal := err == nil
	here := u.Hostname() == "localhost" || literal && loopback(addr)
	switch {
	case here && !s.local:
		return fmt.Errorf("leads to this machine; the server was not started with --webhooks-allow-loopback")
	case here:
		return nil
	case u.Scheme != "https":
		return errors.New("must be https")
	case literal && !public(addr):
		return errors.New("must be a public address")
	}
	return nil
}
