package clienttest_test

import (
	"context"
	"fmt"

	"github.com/sayso-vault/sayso/api/client"
	"github.com/sayso-vault/sayso/api/client/clienttest"
	"github.com/sayso-vault/sayso/api/wire"
	"github.com/sayso-vault/sayso/vault/privacy"
)

// desk is what is tested: it greets people by name, if it may.
func desk(ctx context.Context, vault *client.Client, who privacy.SubjectID) string {
	answer, err := vault.Read(ctx, &wire.ReadRequest{Subject: wire.Subject{ID: who}, Purpose: "support", Fields: []privacy.FieldName{"given_name"}})
	if err != nil {
		return "Hello"
	}
	name, _ := answer.Fields.Get("given_name")
	return "Hello " + name.RevealText()
}

// A program is tested without a vault: with what one would answer.
func Example() {
	friendly := clienttest.New()
	friendly.Answer("POST /v1/reads", 200, wire.ReadAnswer{Fields: wire.Values{{Name: "given_name", Value: wire.Text("Anahita")}}})
	fmt.Println(desk(context.Background(), friendly.Client("desk"), privacy.SubjectID{1}))

	silent := clienttest.New()
	silent.Refuse("POST /v1/reads", 403, "denied")
	fmt.Println(desk(context.Background(), silent.Client("desk"), privacy.SubjectID{1}))

	asked := silent.Asked("POST /v1/reads")
	fmt.Println(len(asked), asked[0].Client)
	// Output:
	// Hello Anahita
	// Hello
	// 1 desk
}
