// Package unsubscribe serves where the links in mails lead (RFC 8058): a page that
// asks, and does nothing by being looked at, because programs follow links, too; and
// the one click by which a person or their mail program says no.
//
// Nobody logs in. The link itself, sealed by the vault, says who says no to what, and
// is no way to anything else.
package unsubscribe
