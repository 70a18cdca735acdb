// Package webhook sends events to the webhooks of channels: as thin CloudEvents,
// signed as Standard Webhooks says, by https and to public addresses only, because
// the URL is another's and what it names may be inside. Make a [Sender] with [New]
// and give its Send to vault.DeliverEvents, which says what is sent and when again.
package webhook
