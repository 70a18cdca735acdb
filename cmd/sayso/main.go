// Command sayso is a profile vault: a company captures what a person tells it
// once, and every channel reads only what the person's recorded say-so allows.
package main

import (
	"os"

	"github.com/sayso-vault/sayso/cmd/sayso/command"
)

func main() { os.Exit(command.Main(os.Args[1:])) }
