package client

import (
	"context"

	"github.com/sayso-vault/sayso/vault/privacy"
)

// Decision is a past decision as an officer sees it, without values: why it was
// taken, and what would turn it. The vault tells more; this is what programs
// have needed.
type Decision struct {
	Decision privacy.DecisionID `json:"decision"`
	LogIndex uint64             `json:"log_index"`
	Subject  *privacy.SubjectID `json:"subject"` // nil: nobody was known by the reference
	Purpose  privacy.PurposeID  `json:"purpose"`
	Remedies []Remedy           `json:"remedies"`
}

// Remedy is a smallest set of moves that would release a withheld field.
type Remedy struct {
	Field privacy.FieldName `json:"field"`
	Moves []Move            `json:"moves"`
}

// Move is one change that somebody could make.
type Move struct {
	Move    string            `json:"move"`
	Purpose privacy.PurposeID `json:"purpose"`
	Detail  string            `json:"detail"`
}

// Decision tells an officer of a past decision.
func (c *Client) Decision(ctx context.Context, id privacy.DecisionID) (*Decision, error) {
	return get[Decision](ctx, c, "/v1/decisions/"+id.String(), nil)
}
