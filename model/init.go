// SPDX-License-Identifier: MIT

package model

import (
	"bytes"
	"io"
	"math"
	"math/rand/v2"

	"jitvk/kernels"
)

// normalSource draws initial values on the host. A parameter's values depend on the seed and on its place in the list.
type normalSource struct{ *rand.Rand }

// xavier is U(-a, a) with a = sqrt(6 / (in + out)) (Glorot and Bengio, 2010; the official JiT code).
func xavier(r *normalSource, shape []int) float32 {
	return float32((2*r.Float64() - 1) * math.Sqrt(6/float64(shape[0]+shape[1])))
}

// fanIn is U(-a, a) with a = 1 / sqrt(in), which PyTorch's Linear starts with.
func fanIn(r *normalSource, shape []int) float32 {
	return float32((2*r.Float64() - 1) / math.Sqrt(float64(shape[1])))
}

// normal is N(0, sd²).
func normal(sd float64) func(*normalSource, []int) float32 {
	return func(r *normalSource, _ []int) float32 { return float32(sd * r.NormFloat64()) }
}

func constant(v float32) func(*normalSource, []int) float32 {
	return func(*normalSource, []int) float32 { return v }
}

// Init returns the initial values of all parameters, by name.
func (c Config) Init(seed uint64) map[string][]float32 {
	out := map[string][]float32{}
	for i, p := range c.Params() {
		out[p.Name] = p.initial(seed, i)
	}
	return out
}

// Init uploads the initial values of all parameters, the same that Config.Init returns, one at a time.
func (f *Flat) Init(seed uint64) error {
	i := 0
	return f.upload(func(p Param) (io.Reader, error) {
		i++
		return bytes.NewReader(kernels.Bytes(p.initial(seed, i-1))), nil
	})
}

// initial returns the initial values of a parameter, number i in the list.
func (p Param) initial(seed uint64, i int) []float32 {
	r := &normalSource{rand.New(rand.NewPCG(seed, uint64(i)))}
	v := make([]float32, p.Len())
	for j := range v {
		v[j] = p.init(r, p.Shape)
	}
	return v
}
