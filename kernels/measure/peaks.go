// SPDX-License-Identifier: MIT

package measure

import (
	"fmt"
	"strings"
	"time"

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
// tensors larger than its caches for memory. One dispatch of arithmetic takes 20 ms, so that what its beginning and its end cost does not
// count. After a race found returns the peaks, by the best times.
func PeakContenders(m *Memory) (contenders []*Contender, found func() Peaks) {
	var peaks Peaks
	var work []float64 // of one run: operations or bytes, in 1e9
	add := func(name, unit string, amount float64, record func(p *engine.Program)) {
		contenders = append(contenders, &Contender{Label: name, Record: record})
		peaks, work = append(peaks, Peak{Name: name, Unit: unit}), append(work, amount/1e9)
	}
	arithmetic := func(name string, y kernels.Tensor, precision kernels.Precision, least int) {
		peak := func(steps int) func(p *engine.Program) {
			return func(p *engine.Program) { kernels.Peak(p, y, precision, steps) }
		}
		steps := longEnough(least, func(steps int) (took time.Duration) {
			took, m.err = m.shortest(peak(steps))
			return took
		})
		once := engine.NewProgram(m.device, name)
		peak(steps)(once)
		add(name, "GFLOP/s", once.FLOPs(), peak(steps))
	}
	info := m.device.Info()
	size := peakSizes(info)
	lanes := m.Tensor(size.lanes)
	a, b, y := m.Tensor(size.floats), m.Tensor(size.floats), m.Tensor(size.floats)
	f, unit := kernels.PeakFragment(info, kernels.FP16)
	unit = unit && !info.CPU() // a CPU driver's is a loop, whose constant operands its compiler sees through
	var fragments kernels.Tensor
	if unit {
		fragments = m.Tensor(size.fragments, f.M, f.N)
	}
	if m.err != nil {
		return nil, func() Peaks { return nil }
	}
	arithmetic(FMA, lanes, kernels.FP32, size.steps)
	if unit {
		arithmetic(Matrix, fragments, kernels.FP16, size.steps)
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

// sizes are how much is done in one run of a peak.
type sizes struct {
	lanes, fragments int // for arithmetic: many times what is in flight on the largest device, whose last ones run alone
	steps            int // of arithmetic, at least
	floats           int // of a tensor that is copied
}

// peakSizes: a GPU's tensors are of 512 MiB, many times its caches, or a sixteenth of its memory.
func peakSizes(info engine.Info) sizes {
	if info.CPU() {
		return sizes{1 << 18, 0, 512, 32 << 20}
	}
	return sizes{1 << 22, 1 << 16, 64, int(min(512<<20, info.MaxAllocation, info.MemoryBytes/16) / 4)}
}

// longEnough returns how many steps, a multiple of 8 and no fewer than least, take about 20 ms, by running some.
func longEnough(least int, run func(steps int) time.Duration) int {
	const want, most = 20 * time.Millisecond, 1 << 24
	steps := least
	for {
		took := run(steps)
		if took <= 0 || took >= want*3/4 || steps >= most { // it took no time: it failed
			return steps
		}
		more := min(16, max(2, want.Seconds()/took.Seconds())) // what a short run takes tells little
		steps = (int(float64(steps)*more) + 7) / 8 * 8
	}
}

// shortest returns the shorter time of two runs.
func (m *Memory) shortest(record func(p *engine.Program)) (took time.Duration, err error) {
	p := engine.NewProgram(m.device, "peak")
	defer p.Close()
	record(p)
	if err := p.Build(); err != nil {
		return 0, err
	}
	for range 2 {
		start := time.Now()
		if err := p.Run(); err != nil {
			return 0, err
		}
		if t := time.Since(start); took == 0 || t < took {
			took = t
		}
	}
	return took, nil
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
