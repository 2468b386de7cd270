// SPDX-License-Identifier: MIT

package dataset

import (
	"fmt"
	"math/bits"
)

// Order is the order in which training visits N pictures: epoch after epoch, each a permutation of its own. It has no state:
// what is at a position depends on (N, Seed, position) only.
type Order struct {
	N    int // pictures
	Seed uint64
}

// rounds of the Feistel network. Four pass for a permutation of wide words; ours are a few bits wide.
const rounds = 8

// Index is the picture at a position, counted from 0 over all epochs: 0 <= Index < N.
//
// A Feistel network permutes the numbers of 2h bits, 4^h >= N; a result of N or more goes through it again until one is below N
// (cycle walking: Black and Rogaway, "Ciphers with arbitrary finite domains", 2002). Each number below N has one predecessor
// and one successor on its cycle, so this is a permutation of 0..N-1. As 4^h < 4N, it takes less than four turns on average.
func (o Order) Index(position int64) int {
	if o.N < 1 || position < 0 {
		panic(fmt.Sprintf("dataset: Order: position %d of %d pictures", position, o.N))
	}
	epoch, x := uint64(position)/uint64(o.N), uint64(position)%uint64(o.N)
	h := max(1, (bits.Len64(uint64(o.N-1))+1)/2)
	mask := uint64(1)<<h - 1
	key := mix(o.Seed ^ mix(epoch+1))
	for {
		left, right := x>>h, x&mask
		for r := range uint64(rounds) {
			left, right = right, left^(mix(key+r*golden^right)&mask)
		}
		if x = left<<h | right; x < uint64(o.N) {
			return int(x)
		}
	}
}

const golden = 0x9e3779b97f4a7c15

// mix is the finalizer of SplitMix64 (Steele, Lea and Flood, 2014).
func mix(x uint64) uint64 {
	x += golden
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
