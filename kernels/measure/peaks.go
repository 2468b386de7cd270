// SPDX-License-Identifier: MIT

package measure

import (
	"fmt"
	"strings"

	"jitvk/engine"
	"jitvk/kernels"
)

// The names of the peaks, which say what is measured.
const (
	FMA    = "fp32 multiply-adds"
	Matrix = "fp16 matrix unit"
	Copy   = "copy"
	Add    = "addition"
)

// A Peak is what the device reaches when nothing holds it up.
type Peak struct {
	Name string  `json:"name"`
	Unit string  `json:"unit"` // "GFLOP/s" or "GB/s"
	Rate float64 `json:"rate"`
}

// Peaks are what has been measured of a device.
type Peaks []Peak

// Rate returns a peak's rate, 0 where the device has none of that name.
func (p Peaks) Rate(name string) float64 {
	for _, x := range p {
		if x.Name == name {
			return x.Rate
		}
	}
	return 0
}

// String is all of them in a line.
func (p Peaks) String() string {
	var all []string
	for _, x := range p {
		all = append(all, fmt.Sprintf("%s %.3g %s", x.Name, x.Rate, x.Unit))
	}
	return strings.Join(all, ", ")
}

// Arithmetic returns the rate, in GFLOP/s, that products of operands in a precision are held against: of the matrix unit for
// halves, where that is the faster.
func (p Peaks) Arithmetic(precision kernels.Precision) float64 {
	if precision == kernels.FP16 {
		return max(p.Rate(FMA), p.Rate(Matrix))
	}
	return p.Rate(FMA)
}

// PeakContenders are those whose times say what the device can do: kernels.Peak for arithmetic, a copy and an addition of
// tensors larger than its caches for memory. After a race found returns the peaks, by the best times.
func PeakContenders(m *Memory) (contenders []*Contender, found func() Peaks) {
	const steps = 512
	var peaks Peaks
	var work []float64 // of one run: operations or bytes, in 1e9
	add := func(name, unit string, amount float64, record func(p *engine.Program)) {
		contenders = append(contenders, &Contender{Label: name, Record: record})
		peaks, work = append(peaks, Peak{Name: name, Unit: unit}), append(work, amount/1e9)
	}
	arithmetic := func(name string, y kernels.Tensor, precision kernels.Precision, steps int) {
		record := func(p *engine.Program) { kernels.Peak(p, y, precision, steps) }
		once := engine.NewProgram(m.device, name)
		record(once)
		add(name, "GFLOP/s", once.FLOPs(), record)
	}
	lanes := m.Tensor(1 << 18)
	const large = 32 << 20 // floats: 128 MiB
	a, b, y := m.Tensor(large), m.Tensor(large), m.Tensor(large)
	f, unit := kernels.PeakFragment(m.device.Info(), kernels.FP16)
	unit = unit && !m.device.Info().CPU() // a CPU driver's is a loop, whose constant operands its compiler sees through
	var fragments kernels.Tensor
	if unit {
		fragments = m.Tensor(1<<13, f.M, f.N) // more than the largest GPU has subgroups in flight
	}
	if m.err != nil {
		return nil, func() Peaks { return nil }
	}
	arithmetic(FMA, lanes, kernels.FP32, steps)
	if unit {
		arithmetic(Matrix, fragments, kernels.FP16, steps/8)
	}
	add(Copy, "GB/s", 2*float64(a.Range.Size()), func(p *engine.Program) { p.Copy(y.Range, a.Range) })
	add(Add, "GB/s", 3*float64(a.Range.Size()), func(p *engine.Program) { kernels.Add(p, y, a, b) })
	return contenders, func() Peaks {
		for i, c := range contenders {
			peaks[i].Rate = work[i] / c.Best().Seconds()
		}
		return peaks
	}
}

// Device measures the peaks by themselves.
func Device(d *engine.Device, rounds int) (Peaks, error) {
	m := NewMemory(d)
	defer m.Close()
	contenders, found := PeakContenders(m)
	if m.err != nil {
		return nil, m.err
	}
	if err := Race(d, contenders, rounds); err != nil {
		return nil, err
	}
	return found(), nil
}
