# What officers' modules add to. Without any, both sets are empty and so still
# defined: an undefined set of withheld fields must not look like an empty one.
package sayso.rules

import rego.v1

withhold contains entry if some entry in []

mask contains entry if some entry in []
