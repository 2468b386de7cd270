// SPDX-License-Identifier: MIT

package measure

import (
	"fmt"
	"slices"
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
	var rates []Peak
	var work []float64 // of one run: operations or bytes, in 1e9
	add := func(name, unit string, amount float64, record func(p *engine.Program)) {
		contenders = append(contenders, &Contender{Label: name, Record: record})
		rates, work = append(rates, Peak{Name: name, Unit: unit}), append(work, amount/1e9)
	}
	arithmetic := func(name string, least int, peak func(p *engine.Program, steps int)) {
		steps := longEnough(least, func(steps int) (took time.Duration) {
			took, m.err = m.shortest(func(p *engine.Program) { peak(p, steps) })
			return took
		})
		once := engine.NewProgram(m.device, name)
		peak(once, steps)
		add(name, "GFLOP/s", once.FLOPs(), func(p *engine.Program) { peak(p, steps) })
	}
	info := m.device.Info()
	size := peakSizes(info)
	lanes := m.Tensor(size.lanes)
	a, b, y := m.Tensor(size.floats), m.Tensor(size.floats), m.Tensor(size.floats)
	shapes := kernels.PeakFragments(info, kernels.FP16)
	if info.CPU() { // a CPU driver's is a loop, whose constant operands its compiler sees through
		shapes = nil
	}
	var fragments []kernels.Tensor
	for _, f := range shapes {
		fragments = append(fragments, m.Tensor(size.fragments, f.M, f.N))
	}
	if m.err != nil {
		return nil, func() Peaks { return nil }
	}
	arithmetic(FMA, size.steps, func(p *engine.Program, steps int) { kernels.Peak(p, lanes, kernels.FP32, steps) })
	for i, f := range shapes {
		arithmetic(Matrix, size.steps, func(p *engine.Program, steps int) { kernels.PeakMatrix(p, fragments[i], f, steps) })
	}
	add(Copy, "GB/s", 2*float64(a.Range.Size()), func(p *engine.Program) { p.Copy(y.Range, a.Range) })
	add(Add, "GB/s", 3*float64(a.Range.Size()), func(p *engine.Program) { kernels.Add(p, y, a, b) })
	return contenders, func() Peaks {
		for i, c := range contenders {
			rates[i].Rate = work[i] / c.Best().Seconds()
		}
		return highest(rates)
	}
}

// highest returns the peaks of several measurements, of each name the highest: a matrix unit is as fast as its best shape.
func highest(rates []Peak) (peaks Peaks) {
	for _, r := range rates {
		if i := slices.IndexFunc(peaks, func(p Peak) bool { return p.Name == r.Name }); i < 0 {
			peaks = append(peaks, r)
		} else {
			peaks[i].Rate = max(peaks[i].Rate, r.Rate)
		}
	}
	return peaks
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
