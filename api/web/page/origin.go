package page

import (
	"net/http"
	"net/netip"
	"strings"
)

// Origin is where a request comes from, for throttles: an address, or the network
// that one household or machine has of version 6. Behind a proxy of ours it is the
// last address of X-Forwarded-For, which that proxy put there.
func Origin(r *http.Request, proxied bool) string {
	text := r.RemoteAddr
	if proxied {
		all := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		text = strings.TrimSpace(all[len(all)-1])
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		port, err := netip.ParseAddrPort(text)
		if err != nil {
			return "somewhere"
		}
		addr = port.Addr()
	}
	if addr = addr.Unmap(); addr.Is6() {
		if network, err := addr.Prefix(64); err == nil {
			return network.String()
		}
	}
	return addr.String()
}
