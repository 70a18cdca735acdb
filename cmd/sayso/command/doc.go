// Package command is sayso's command line: one file a command. It alone reads
// flags, files and the environment, and it alone names an engine and a root
// key; everything below is given what it needs.
//
// Begin with root.go, where the commands are listed. folder.go makes and opens
// the folder of a vault, serve.go puts a vault behind a listener, remote.go
// holds what the commands share that talk to a served one.
//
// Human text goes to a terminal, "-o json" gives one line for machines. A
// command ends with 0 when it is done, 1 when it was refused or failed, 2 when
// it was used wrongly. Personal values come on stdin or from a file, never in
// an argument, because other people on the machine can list those.
package command
