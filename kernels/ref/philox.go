// SPDX-License-Identifier: MIT

package ref

import "math"

// Philox is Philox4x32-10: four random words from a counter and a key, and no state (Salmon, Moraes, Dror, Shaw:
// Parallel random numbers: as easy as 1, 2, 3; SC 2011).
func Philox(c [4]uint32, key [2]uint32) [4]uint32 {
	for range 10 {
		p0, p1 := 0xD2511F53*uint64(c[0]), 0xCD9E8D57*uint64(c[2])
		c = [4]uint32{uint32(p1>>32) ^ c[1] ^ key[0], uint32(p1), uint32(p0>>32) ^ c[3] ^ key[1], uint32(p0)}
		key[0] += 0x9E3779B9
		key[1] += 0xBB67AE85
	}
	return c
}

// Random says where a step's random numbers come from: they depend on it, on the image's index and on nothing else.
type Random struct {
	Seed                 uint64
	Step, Image0, Stream uint32
}

// Words returns words 4 quad to 4 quad + 3 of image i of the batch.
func (r Random) Words(quad, i int) [4]uint32 {
	return Philox([4]uint32{uint32(quad), r.Image0 + uint32(i), r.Step, r.Stream}, [2]uint32{uint32(r.Seed), uint32(r.Seed >> 32)})
}

// Uniform makes a number in [0,1) of the upper 24 bits of a word.
func Uniform(w uint32) float64 { return float64(w>>8) / (1 << 24) }

// BoxMuller makes four normal numbers of four words: from each pair, u in (0,1] and v in [0,1) of 24 bits each, and then
// sqrt(-2 ln u) (cos 2πv, sin 2πv).
func BoxMuller[F float32 | float64](w [4]uint32) (n [4]F) {
	for i := 0; i < 4; i += 2 {
		u, v := float64(w[i]>>8+1)/(1<<24), float64(w[i+1]>>8)/(1<<24)
		radius := math.Sqrt(-2 * math.Log(u))
		sin, cos := math.Sincos(2 * math.Pi * v)
		n[i], n[i+1] = F(radius*cos), F(radius*sin)
	}
	return n
}

// Normal fills b images of n numbers each: number j of image i is component j%4 of BoxMuller(Words(j/4, i)).
func Normal[F float32 | float64](x []F, b, n int, r Random) {
	for i := range b {
		for j := 0; j < n; j += 4 {
			four := BoxMuller[F](r.Words(j/4, i))
			copy(x[i*n+j:(i+1)*n], four[:])
		}
	}
}

// LogitNormal is tau[i] = sigmoid(mu + sigma n), n the first normal number of image i.
func LogitNormal[F float32 | float64](tau []F, mu, sigma F, r Random) {
	for i := range tau {
		tau[i] = sigmoid(mu + sigma*BoxMuller[F](r.Words(0, i))[0])
	}
}
