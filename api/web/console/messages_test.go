package console_test

import (
	"testing"

	"github.com/sayso-vault/sayso/api/web/webtest"
)

// Each message of the catalogues is one that a page says.
func TestNoMessageIsLeftOver(t *testing.T) { webtest.Messages(t) }
