package bolt

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

// A frame is on disk for years: this is how one looks.
func TestFrameOnDisk(t *testing.T) {
	got := appendFrame(nil, frame{kind: kindRecorded, index: 5, durable: 3, state: 2, payload: []byte("hello")})
	want := strings.Join([]string{
		"7366726d", "05000000", "8c46c68f", "02000000",
		"0500000000000000", "0300000000000000", "0200000000000000",
		hex.EncodeToString([]byte("hello")), "000000",
	}, "")
	if hex.EncodeToString(got) != want {
		t.Errorf("got  %x\nwant %s", got, want)
	}
}

func TestEveryFlippedBitOfAFrameShows(t *testing.T) {
	good := appendFrame(nil, frame{kind: kindAppended, index: 9, durable: 9, payload: []byte("an entry of a person")})
	for bit := range len(good) * 8 {
		bad := bytes.Clone(good)
		bad[bit/8] ^= 1 << (bit % 8)
		if f, _, err := parseFrame(bad); err == nil {
			t.Errorf("bit %d flipped, and still read as %+v", bit, f)
		}
	}
}

func FuzzFrame(f *testing.F) {
	f.Add(appendFrame(nil, frame{kind: kindAppended, index: 1, payload: []byte("x")}))
	f.Add(appendFrame(nil, frame{kind: kindSeal, index: 7, durable: 7, state: 3}))
	f.Add(make([]byte, 64))
	f.Fuzz(func(t *testing.T, b []byte) {
		fr, size, err := parseFrame(b)
		if err != nil {
			return
		}
		if again := appendFrame(nil, fr); !bytes.Equal(again, b[:size]) {
			t.Errorf("read from  %x\nwritten as %x", b[:size], again)
		}
	})
}

// FuzzTail shows that no bytes in a file keep it from being read to an end.
func FuzzTail(f *testing.F) {
	two := appendFrame(nil, frame{kind: kindAppended, payload: []byte("first")})
	two = appendFrame(two, frame{kind: kindAppended, index: 1, durable: 1, payload: []byte("second")})
	f.Add(two)
	f.Add(append(two, 0, 0, 0, 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		tl, err := findTail(bytes.NewReader(b), 0, int64(len(b)), 0)
		if err != nil {
			return
		}
		if rest := b[tl.off:]; tl.dirtyFrom == tl.dirtyTo && !bytes.Equal(rest, make([]byte, len(rest))) {
			t.Errorf("what is behind the end is said to be clean: %x", rest)
		}
	})
}
