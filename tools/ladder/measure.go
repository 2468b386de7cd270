// SPDX-License-Identifier: MIT

package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"path"
	"time"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/model"
)

// A ladder is an op whose rungs are timed: in parts, each of which is recorded by itself.
type ladder struct {
	text   string // the shape, for people
	parts  []string
	flops  []float64 // of each part, counted from the formula, whatever a rung computes twice
	tiers  func(engine.Info, kernels.Precision) []string
	record func(p *engine.Program, part int, precision kernels.Precision, tier string)
}

// ladders are what can be measured, at a preset's shapes.
var ladders = map[string]func(m *memory, c model.Config) ladder{"matmul": matmul, "attention": attention}

// batch is how many images the shapes are for. Those of the large models are smaller than in training: they fill any
// device, and the rungs that are there to be read would take minutes.
var batch = map[string]int{"quick": 32, "tiny": 16, "faces64": 16, "blog256": 1}

// matmul is the products of a block's four layers: y = x wᵀ and its gradients.
func matmul(m *memory, c model.Config) ladder {
	rows := batch[c.Preset] * c.Tokens()
	type layer struct{ x, w, y, dx, dw kernels.Tensor }
	var layers []layer
	flops := 0.0
	for _, io := range [][2]int{{c.Dim, 3 * c.Dim}, {c.Dim, c.Dim}, {c.Dim, 2 * c.Hidden}, {c.Hidden, c.Dim}} {
		in, out := io[0], io[1]
		layers = append(layers, layer{m.tensor(rows, in), m.tensor(out, in), m.tensor(rows, out), m.tensor(rows, in), m.tensor(out, in)})
		flops += 2 * float64(rows) * float64(in) * float64(out)
	}
	return ladder{fmt.Sprintf("%d rows, width %d, hidden %d", rows, c.Dim, c.Hidden), []string{"y = x wᵀ", "dx = dy w", "dw = dyᵀ x"},
		[]float64{flops, flops, flops}, kernels.MatMulTiers,
		func(p *engine.Program, part int, precision kernels.Precision, tier string) {
			o := kernels.MatMulOptions{Precision: precision, Tier: tier, TransB: part == 0, TransA: part == 2}
			for _, l := range layers {
				switch part {
				case 0:
					kernels.MatMul(p, l.y, l.x, l.w, o)
				case 1:
					kernels.MatMul(p, l.dx, l.y, l.w, o)
				case 2:
					kernels.MatMul(p, l.dw, l.y, l.x, o)
				}
			}
		}}
}

// attention is one block's. q, k and v are views of one projection, as in the model. The backward pass is counted as the five
// products of its formulas.
func attention(m *memory, c model.Config) ladder {
	B, T, H, D := batch[c.Preset], c.Tokens(), c.Heads, c.HeadSize()
	heads := func() kernels.Tensor { return m.tensor(B, T, H, D) }
	qkv, dqkv, o, do, lse := m.tensor(B, T, 3*c.Dim), m.tensor(B, T, 3*c.Dim), heads(), heads(), m.tensor(B, H, T)
	view := func(t kernels.Tensor, i int) kernels.Tensor {
		return kernels.Tensor{Shape: []int{B, T, H, D}, Range: t.Range, Ld: 3 * c.Dim, Off: i * c.Dim}
	}
	product := 2 * float64(B*H) * float64(T) * float64(T) * float64(D)
	return ladder{fmt.Sprintf("%d x %d tokens, %d heads of %d", B, T, H, D), []string{"forward", "backward"}, []float64{2 * product, 5 * product},
		kernels.AttentionTiers,
		func(p *engine.Program, part int, precision kernels.Precision, tier string) {
			opt := kernels.AttentionOptions{Precision: precision, Tier: tier}
			if part == 0 {
				kernels.Attention(p, o, lse, view(qkv, 0), view(qkv, 1), view(qkv, 2), opt)
			} else {
				kernels.AttentionBackward(p, view(dqkv, 0), view(dqkv, 1), view(dqkv, 2), do, o, lse, view(qkv, 0), view(qkv, 1), view(qkv, 2), opt)
			}
		}}
}

// A contender is something that is timed in turns with others.
type contender struct {
	label  string
	record func(p *engine.Program)
	best   time.Duration // of one run
}

const (
	turn = 30 * time.Millisecond // at least, so that submitting does not count
	slow = time.Second           // what takes longer has no more turns
	most = 500                   // runs a turn
)

// race warms every contender up, gives it a run, and then, unless it is slow, a turn in each of some rounds.
func race(d *engine.Device, contenders []*contender, rounds int) error {
	programs := make([]*engine.Program, len(contenders))
	defer func() {
		for _, p := range programs {
			if p != nil {
				p.Close()
			}
		}
	}()
	runs := make([]int, len(contenders))
	build := func(i, n int) (err error) {
		runs[i], programs[i] = n, engine.NewProgram(d, contenders[i].label)
		for range n {
			contenders[i].record(programs[i])
		}
		return programs[i].Build()
	}
	time1 := func(i int) error {
		start := time.Now()
		sub, err := programs[i].Submit(nil, nil)
		if err == nil {
			_, err = sub.Wait()
		}
		if took := time.Since(start) / time.Duration(runs[i]); contenders[i].best == 0 || took < contenders[i].best {
			contenders[i].best = took
		}
		return err
	}
	for i, c := range contenders {
		if err := build(i, 1); err != nil {
			return err
		}
		for range 2 {
			c.best = 0 // the first run does not count: CPU drivers compile in it
			if err := time1(i); err != nil {
				return err
			}
		}
		if n := min(int(turn/c.best)+1, most); n > 1 {
			programs[i].Close()
			if err := build(i, n); err != nil {
				return err
			}
		}
	}
	for range rounds {
		for i, c := range contenders {
			if c.best > slow {
				continue
			}
			if err := time1(i); err != nil {
				return err
			}
		}
	}
	return nil
}

// The names of the peaks, which say what is measured.
const (
	peakFMA    = "fp32 multiply-adds"
	peakMatrix = "fp16 matrix unit"
	peakCopy   = "copy"
	peakAdd    = "addition"
)

// peaks are the contenders that say what the device can do, and what one run of each does: operations or bytes, in 1e9.
func peaks(m *memory) (contenders []*contender, found []peak, work []float64) {
	const steps = 512
	lanes := m.tensor(1 << 18)
	add := func(name, unit string, amount float64, record func(p *engine.Program)) {
		contenders = append(contenders, &contender{label: name, record: record})
		found, work = append(found, peak{Name: name, Unit: unit}), append(work, amount/1e9)
	}
	arithmetic := func(name string, y kernels.Tensor, precision kernels.Precision, steps int) {
		record := func(p *engine.Program) { kernels.Peak(p, y, precision, steps) }
		once := engine.NewProgram(m.device, name)
		record(once)
		add(name, "GFLOP/s", once.FLOPs(), record)
	}
	arithmetic(peakFMA, lanes, kernels.FP32, steps)
	// A CPU driver's matrix unit is a loop, whose constant operands its compiler sees through.
	if f, ok := kernels.PeakFragment(m.device.Info(), kernels.FP16); ok && !m.device.Info().CPU() {
		const fragments = 1 << 13 // more than the largest GPU has subgroups in flight
		arithmetic(peakMatrix, m.tensor(fragments, f.M, f.N), kernels.FP16, steps/8)
	}
	const large = 32 << 20 // floats: 128 MiB
	a, b, y := m.tensor(large), m.tensor(large), m.tensor(large)
	add(peakCopy, "GB/s", 2*float64(a.Range.Size), func(p *engine.Program) { p.Copy(y.Range, a.Range) })
	add(peakAdd, "GB/s", 3*float64(a.Range.Size), func(p *engine.Program) { kernels.Add(p, y, a, b) })
	return contenders, found, work
}

// measure times all rungs at a preset's shapes, and the peaks among them.
func (r *report) measure(d *engine.Device, c model.Config, rounds int) error {
	m := &memory{device: d, rnd: rand.New(rand.NewPCG(1, 2))}
	defer m.close()
	l := ladders[r.Op](m, c)
	contenders, found, work := peaks(m)
	if m.err != nil {
		return m.err
	}
	s := shape{Preset: c.Preset, Text: l.text, Parts: l.parts}
	first := len(contenders)
	for _, precision := range []kernels.Precision{kernels.FP32, kernels.FP16} {
		for _, tier := range l.tiers(d.Info(), precision) {
			s.Rungs = append(s.Rungs, rung{Name: path.Base(tier), Operands: precision.String()})
			for part := range l.parts {
				contenders = append(contenders, &contender{label: tier, record: func(p *engine.Program) { l.record(p, part, precision, tier) }})
			}
		}
	}
	if err := race(d, contenders, rounds); err != nil {
		return err
	}
	for i := range found {
		found[i].Rate = work[i] / contenders[i].best.Seconds()
		if len(r.Peaks) > i { // measured at another shape, too
			found[i].Rate = max(found[i].Rate, r.Peaks[i].Rate)
		}
	}
	r.Peaks = found
	for i := range s.Rungs {
		flops, seconds := 0.0, 0.0
		for part, amount := range l.flops {
			took := contenders[first+i*len(l.parts)+part].best.Seconds()
			s.Rungs[i].Parts = append(s.Rungs[i].Parts, amount/1e9/took)
			flops, seconds = flops+amount, seconds+took
		}
		s.Rungs[i].GFLOPs = flops / 1e9 / seconds
	}
	r.Shapes = append(r.Shapes, s)
	return nil
}

// memory makes tensors of noise: zeros would draw less power, and run faster.
type memory struct {
	device  *engine.Device
	rnd     *rand.Rand
	buffers []*engine.Buffer
	err     error // the first
}

func (m *memory) tensor(dims ...int) kernels.Tensor {
	t := kernels.Tensor{Shape: dims}
	buf, err := m.device.NewBuffer("ladder", int64(4*t.Len()))
	if err != nil {
		if m.err == nil {
			m.err = err
		}
		return t
	}
	m.buffers = append(m.buffers, buf)
	noise := make([]byte, 0, 4<<16)
	for range min(t.Len(), 1<<16) { // the same 65,536 numbers again and again
		noise = binary.LittleEndian.AppendUint32(noise, math.Float32bits(float32(m.rnd.NormFloat64())))
	}
	data := make([]byte, buf.Size())
	for at := 0; at < len(data); at += len(noise) {
		copy(data[at:], noise)
	}
	if err := m.device.Upload(buf.All(), data); err != nil && m.err == nil {
		m.err = err
	}
	return kernels.View(buf.All(), dims...)
}

func (m *memory) close() {
	for _, b := range m.buffers {
		b.Close()
	}
}
