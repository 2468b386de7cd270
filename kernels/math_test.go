// SPDX-License-Identifier: MIT

package kernels_test

import (
	"math"
	"testing"

	"jitvk/engine"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/ref"
)

// The functions of math_probe.comp.
const (
	probeExp = iota
	probeLog
	probeSin
	probeCos
	probeSinPi
	probeCosPi
	probeErf
	probeSigmoid
	probePhilox
)

// probe runs one function of shaders/math.glsl or philox.glsl over words.
func probe(t *testing.T, function uint32, key [2]uint32, words []uint32) []uint32 {
	t.Helper()
	h := kerneltest.New(t)
	x, y := h.Words(words), h.Output(len(words))
	count := len(words)
	if function == probePhilox {
		count /= 4
	}
	local, items := 64, 64
	if engineCPU := kerneltest.Device(t).Info(); engineCPU.CPU() {
		local = engineCPU.SubgroupSize
	}
	h.Run(func(p *engine.Program) {
		p.Dispatch(engine.Dispatch{Shader: "math_probe", Spec: []uint32{uint32(local), uint32(items), function},
			Groups: [3]int{(count + local*items - 1) / (local * items), 1, 1},
			Push:   struct{ Count, Key0, Key1 uint32 }{uint32(count), key[0], key[1]},
			Bind:   []engine.Binding{y.Write(), x.Read()}})
	})
	return h.Bits(y)
}

// ulp is the spacing of float32 values at v, of normal numbers at least.
func ulp(v float64) float64 {
	_, e := math.Frexp(v)
	return math.Ldexp(1, max(e, -125)-24)
}

func one(float64) float64 { return 1 }

func TestMath(t *testing.T) {
	rnd := kerneltest.NewRand(1)
	const n = 1 << 19
	// Every sign and exponent whose magnitude lies in [2^lo, 2^hi).
	anyScale := func(lo, hi int, signed bool) []float32 {
		x := make([]float32, n/4)
		for i := range x {
			x[i] = float32(math.Ldexp(1+rnd.Float64(), lo+rnd.IntN(hi-lo)))
			if signed && i%2 == 0 {
				x[i] = -x[i]
			}
		}
		return x
	}
	// The floats nearest to the zeros of sine and cosine, and theirs.
	var quarters []float32
	for k := -700; k <= 700; k++ {
		x := float32(float64(k) * math.Pi / 2)
		quarters = append(quarters, x, math.Nextafter32(x, 1e9), math.Nextafter32(x, -1e9))
	}
	near1 := make([]float32, 4096)
	for i := range near1 {
		near1[i] = math.Float32frombits(0x3f800000 + uint32(i) - 2048)
	}
	radians := append(rnd.Uniform(n, -1100, 1100), append(anyScale(-40, 10, true), quarters...)...)
	turns := append(rnd.Uniform(n, 0, 2), anyScale(-40, 20, true)...)
	inf := float32(math.Inf(1))

	for _, c := range []struct {
		name     string
		function uint32
		want     func(float64) float64
		unit     func(want float64) float64 // what the error is counted in
		bound    float64
		x        []float32
	}{
		{"exp", probeExp, math.Exp, ulp, 1.5, append(rnd.Uniform(n, -87.3, 88.72), anyScale(-40, 6, true)...)},
		{"log", probeLog, math.Log, ulp, 1.5, append(near1, append(rnd.Uniform(n, 0.25, 4), anyScale(-126, 127, false)...)...)},
		{"sin", probeSin, math.Sin, one, 1.2e-7, radians},
		{"cos", probeCos, math.Cos, one, 1.2e-7, radians},
		{"sinpi", probeSinPi, func(x float64) float64 { return math.Sin(math.Pi * math.Mod(x, 2)) }, one, 1.2e-7, turns},
		{"cospi", probeCosPi, func(x float64) float64 { return math.Cos(math.Pi * math.Mod(x, 2)) }, one, 1.2e-7, turns},
		{"erf", probeErf, math.Erf, ulp, 1.5, append(append(rnd.Uniform(n, -4.5, 4.5), anyScale(-100, 6, true)...), 0, inf, -inf)},
		{"sigmoid", probeSigmoid, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, ulp, 4,
			append(rnd.Uniform(n, -87, 30), anyScale(-40, 6, true)...)},
	} {
		words := make([]uint32, len(c.x))
		for i, v := range c.x {
			words[i] = math.Float32bits(v)
		}
		worst, at := 0.0, 0
		for i, w := range probe(t, c.function, [2]uint32{}, words) {
			want := c.want(float64(c.x[i]))
			if err := math.Abs(float64(math.Float32frombits(w))-want) / c.unit(want); !(err <= worst) {
				worst, at = err, i
			}
		}
		t.Logf("%-8s worst error %.3g at %v", c.name, worst, c.x[at])
		if !(worst <= c.bound) {
			t.Errorf("%s(%v): error %g, at most %g wanted", c.name, c.x[at], worst, c.bound)
		}
	}

	nan := float32(math.NaN())
	for _, c := range []struct {
		name     string
		function uint32
		x, want  float32
	}{
		{"exp", probeExp, -88, 0}, {"exp", probeExp, -inf, 0}, {"exp", probeExp, 89, inf}, {"exp", probeExp, inf, inf},
		{"exp", probeExp, 0, 1}, {"exp", probeExp, nan, nan},
		{"log", probeLog, 0, -inf}, {"log", probeLog, -1, nan}, {"log", probeLog, inf, inf}, {"log", probeLog, 1, 0},
		{"log", probeLog, nan, nan},
		{"sin", probeSin, 0, 0}, {"cos", probeCos, 0, 1}, {"sin", probeSin, nan, nan}, {"sinpi", probeSinPi, 1, 0},
		{"cospi", probeCosPi, 0.5, 0},
		{"erf", probeErf, inf, 1}, {"erf", probeErf, -inf, -1}, {"erf", probeErf, nan, nan},
		{"sigmoid", probeSigmoid, inf, 1}, {"sigmoid", probeSigmoid, 0, 0.5}, {"sigmoid", probeSigmoid, nan, nan},
	} {
		got := math.Float32frombits(probe(t, c.function, [2]uint32{}, []uint32{math.Float32bits(c.x)})[0])
		if got != c.want && !(got != got && c.want != c.want) {
			t.Errorf("%s(%v) = %v, want %v", c.name, c.x, got, c.want)
		}
	}
}

// The published vectors of Philox4x32-10 (Random123's kat_vectors), then random ones against kernels/ref, bit by bit.
func TestPhilox(t *testing.T) {
	const all = 0xffffffff
	for _, c := range []struct {
		counter [4]uint32
		key     [2]uint32
		want    [4]uint32
	}{
		{[4]uint32{}, [2]uint32{}, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{[4]uint32{all, all, all, all}, [2]uint32{all, all}, [4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{[4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, [2]uint32{0xa4093822, 0x299f31d0},
			[4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	} {
		if got := ref.Philox(c.counter, c.key); got != c.want {
			t.Errorf("ref.Philox(%x, %x) = %x, want %x", c.counter, c.key, got, c.want)
		}
		if got := [4]uint32(probe(t, probePhilox, c.key, c.counter[:])); got != c.want {
			t.Errorf("philox(%x, %x) = %x, want %x", c.counter, c.key, got, c.want)
		}
	}
	rnd := kerneltest.NewRand(2)
	words, key := make([]uint32, 4*1001), [2]uint32{rnd.Uint32(), rnd.Uint32()}
	for i := range words {
		words[i] = rnd.Uint32()
	}
	got := probe(t, probePhilox, key, words)
	for i := 0; i < len(words); i += 4 {
		if want := ref.Philox([4]uint32(words[i:i+4]), key); [4]uint32(got[i:i+4]) != want {
			t.Fatalf("counter %x: %x, want %x", words[i:i+4], got[i:i+4], want)
		}
	}
}
