package privacy_test

import (
	"testing"

	"github.com/sayso-vault/sayso/api/web/webtest"
)

// Each message of the catalogues is one that people can read.
func TestNoMessageIsLeftOver(t *testing.T) { webtest.Messages(t) }
