package command

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

// The picture is an SVG by itself, with every figure of the table in it.
func TestThePictureOfGrowthShowsWhatWasMeasured(t *testing.T) {
	r := &growthReport{Connections: 64}
	for i, n := range []int{10_000, 100_000, 1_000_000} {
		s := growthSize{Subjects: n, Reads: pace{PerSecond: 21_834.4 - float64(i), Processor: 44.26 + float64(i)}, Start: startCost{RssAnon: int64(21+i) << 20},
			Import: importCost{Kept: 3.3 + float64(i)/10}, Stream: streamCost{RssAnonMost: int64(130+i) << 20}}
		r.Sizes = append(r.Sizes, s)
	}
	picture := string(r.picture())
	for _, want := range []string{">10,000<", ">1,000,000<", "people in the vault", "21,834", "21,832", "44.3 µs", "46.3 µs", ">21<", ">132<", "at most 300 MB", "3.50 ×", "at most 4 ×", "64 connections"} {
		if !strings.Contains(picture, want) {
			t.Errorf("the picture lacks %q", want)
		}
	}
	for d := xml.NewDecoder(strings.NewReader(picture)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("not XML: %v", err)
		}
		if e, ok := token.(xml.StartElement); ok && (e.Name.Local == "script" || e.Name.Local == "image" || e.Name.Local == "link") {
			t.Errorf("it needs more than itself: %v", e.Name.Local)
		}
	}
}

// A run is held against the floor by the processor's time, which swings least.
func TestARunIsHeldAgainstItsFloor(t *testing.T) {
	r := &benchReport{Runs: []benchRun{{Connections: 1, Processor: 0.01}, {Connections: 64, Processor: 0.2}}}
	for floor, held := range map[float64]bool{0: true, 0.19: true, 0.2: true, 0.21: false} {
		if err := r.held(floor); (err == nil) != held {
			t.Errorf("floor %.2f: got %v", floor, err)
		}
	}
}
