// Package examples holds the registers and mappings of invented shops. The
// files are for people to read and to apply; those that the program shows by
// itself are embedded here, so that there is one source of each.
package examples

import _ "embed" // for the files

//go:embed shop/register.yaml
var shopRegister string

// ShopRegister returns the register of Northgate, the shop of `sayso demo`.
func ShopRegister() []byte { return []byte(shopRegister) }
