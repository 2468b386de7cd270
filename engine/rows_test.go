// SPDX-License-Identifier: MIT

package engine

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

const rowsSpace = 96 // bytes; small, so that rows meet in every way

// marks returns how often each byte is in one of the sets.
func marks(sets ...rows) (out [rowsSpace]int) {
	for _, s := range sets {
		for i := range s.n {
			for b := range s.width {
				out[s.at(i)+b]++
			}
		}
	}
	return out
}

func drawRows(t *rapid.T, label string, strides []int64) rows {
	stride := rapid.SampledFrom(strides).Draw(t, label+"'s stride")
	n := rapid.Int64Range(0, rowsSpace/stride).Draw(t, label+"'s rows")
	width := rapid.Int64Range(1, stride).Draw(t, label+"'s width")
	if n == 1 {
		width = rapid.Int64Range(1, rowsSpace).Draw(t, label+"'s width as one row")
	}
	last := max(0, n-1)*stride + width
	return rowsOf(rapid.Int64Range(0, rowsSpace-last).Draw(t, label+"'s first"), width, stride, n)
}

// TestRows compares the arithmetic of rows with that of single bytes. What operations return must also be disjoint, as traffic
// adds up their sizes.
func TestRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		strides := rapid.SampledFrom([][]int64{{8}, {12}, {12, 12, 12, 5}, {3, 4, 7, 16}}).Draw(t, "strides")
		a, b := drawRows(t, "a", strides), drawRows(t, "b", strides)
		others := []rows{b}
		for i := range rapid.IntRange(0, 3).Draw(t, "more") {
			others = append(others, drawRows(t, fmt.Sprint("other ", i), strides))
		}
		lo := rapid.Int64Range(-3, rowsSpace).Draw(t, "lo")
		hi := rapid.Int64Range(-3, rowsSpace+3).Draw(t, "hi")
		inA, inB, inOthers := marks(a), marks(b), marks(others...)
		clipped, both, alone, left := marks(a.clip(lo, hi)...), marks(a.and(b)...), marks(a.without(b)...), marks(missing(a, others)...)
		size := int64(0)
		for i := range inA {
			size += int64(inA[i])
			one := func(ok bool) int {
				if ok {
					return 1
				}
				return 0
			}
			at := int64(i)
			if want := one(inA[i] > 0 && at >= lo && at < hi); clipped[i] != want {
				t.Fatalf("byte %d of %v.clip(%d, %d) is there %d times, %d wanted", i, a, lo, hi, clipped[i], want)
			}
			if want := one(inA[i] > 0 && inB[i] > 0); both[i] != want {
				t.Fatalf("byte %d of %v.and(%v) is there %d times, %d wanted", i, a, b, both[i], want)
			}
			if want := one(inA[i] > 0 && inB[i] == 0); alone[i] != want {
				t.Fatalf("byte %d of %v.without(%v) is there %d times, %d wanted", i, a, b, alone[i], want)
			}
			if want := one(inA[i] > 0 && inOthers[i] == 0); left[i] != want {
				t.Fatalf("byte %d of missing(%v, %v) is there %d times, %d wanted", i, a, others, left[i], want)
			}
		}
		if a.bytes() != size {
			t.Fatalf("%v has %d bytes, %d wanted", a, a.bytes(), size)
		}
	})
}
