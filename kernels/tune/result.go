// SPDX-License-Identifier: MIT

package tune

import (
	"math"

	"jitvk/engine"
	"jitvk/kernels"
)

// spoil fills a result with NaN, so that work that leaves it alone is found out.
func spoil(d *engine.Device, result kernels.Tensor) error {
	// NaN in fp32, and in both kinds of halves.
	return d.Once("spoil", func(p *engine.Program) { p.Fill(result.Range, math.MaxUint32) })
}

// parts returns some of a result: up to 64 KiB at its beginning, in its middle and at its end.
func parts(d *engine.Device, result kernels.Tensor) (out []float32, err error) {
	const most = 64 << 10
	size := result.Range.Size()
	n := min(size, most)
	for _, at := range []int64{0, (size - n) / 2 &^ 255, (size - n) &^ 255} {
		data, err := d.Download(result.Range.Sub(at, n))
		if err != nil {
			return nil, err
		}
		out = append(out, result.Precision.Floats(data)...)
	}
	return out, nil
}

// alike reports whether two results differ by no more than orders of summation and roundings of halves make them: by a hundredth,
// of all numbers together.
func alike(got, want []float32) bool {
	if len(got) != len(want) {
		return false
	}
	apart, size := 0.0, 0.0
	for i := range want {
		g, w := float64(got[i]), float64(want[i])
		apart, size = apart+(g-w)*(g-w), size+w*w
	}
	return apart <= 1e-4*size // false for NaN
}
