package command

// OnlyHolds marks commands that do nothing themselves.
const OnlyHolds = onlyHolds

// Root is the commands, and Everywhere walks them.
var (
	Root       = newRoot
	Everywhere = everywhere
)
