package page

import "net/http"

// contentPolicy lets a page load this server's own styles and scripts and send
// its forms here. Nothing inline, nothing from elsewhere, no frames.
const contentPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// Guard puts around pages what browsers need to keep them to themselves: a
// content policy, no framing, no referrers, nothing kept by caches – so that
// the back button after a logout shows nothing – and no writes that another
// site sent (Fetch Metadata and Origin, as [http.CrossOriginProtection] reads them).
func Guard(pages http.Handler) http.Handler {
	own := http.NewCrossOriginProtection()
	guarded := own.Handler(pages)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Frame-Options", "DENY")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=()")
		h.Set("Cache-Control", "no-store")
		guarded.ServeHTTP(w, r)
	})
}
