// Package policy decides what one read may release: a pure function of a
// [Revision] of the rules and an [Input] of facts. It knows no store, no clock
// and no HTTP; the same revision and the same input give the same decision, so
// that a decision can be reused, replayed and proved.
//
// Start with [Compile], which checks officers' modules against a [Schema],
// joins them to the embedded guardrails ([Guardrails]) and prepares the whole
// once; then [Revision.Decide], which is safe for concurrent use.
//
// What it promises:
//
//   - Deny is the default. A field is released only if the guardrails name it
//     by positive conditions; an undefined decision, a built-in error, a
//     malformed outcome or a missed deadline is an error, and on an error the
//     caller denies the whole read.
//   - Rules only narrow. Officers' modules can withhold or mask; nothing they
//     say releases what the guardrails do not.
//   - Rules are negative, so undefined must not mean release: the input has
//     every path, typed and never null; a module that looks at a path the
//     input lacks, whose outcome could be undefined, or that compares what may
//     have no value (present.go), is refused with its line (module.go lists what
//     is refused and why).
//   - Rules tell nobody who is there: where the guardrails release nothing, no
//     officer's rule is evaluated, so none can fail or take long.
//   - Officers' modules reach nothing and exhaust nothing: built-ins are an
//     allow-list, each with bounded operands (builtins.go).
package policy
