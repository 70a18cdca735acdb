//go:build !race

package contact_test

const raceDetector = false
