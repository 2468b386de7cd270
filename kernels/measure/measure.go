// SPDX-License-Identifier: MIT

// Package measure times work and finds out what a device can do. Programs that print rates use it: tools/ladder, tools/bench
// and `go run ./train -profile`. It imports engine and kernels.
//
// A time means nothing by itself on a machine that does other things. So whatever is compared takes turns in one process, round
// after round: what slows one contender slows all of them alike, or none.
package measure

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"jitvk/engine"
	"jitvk/kernels"
)

// A Contender is work that is timed in turns with other work: on the device (Record), or whatever Run does.
type Contender struct {
	Label  string
	Record func(p *engine.Program) // adds the work to a program, which is then replayed
	Run    func(n int) error       // does the work n times; instead of Record

	Times []time.Duration // of the work done once, one for each turn
}

// Best returns the shortest time, which is that of the machine least disturbed.
func (c *Contender) Best() time.Duration { return slices.Min(c.Times) }

// Median returns the time that half of the turns needed, or more.
func (c *Contender) Median() time.Duration {
	sorted := slices.Sorted(slices.Values(c.Times))
	return sorted[len(sorted)/2]
}

const (
	turn = 30 * time.Millisecond // at least, so that submitting does not count
	slow = time.Second           // what takes longer has no more turns
	most = 500                   // runs a turn
)

// Race warms every contender up, gives it a turn, and then, unless it is slow, one more in each of some rounds.
func Race(d *engine.Device, contenders []*Contender, rounds int) error {
	runs := make([]func() error, len(contenders)) // a turn
	counts := make([]int, len(contenders))        // of the work in it
	var programs []*engine.Program
	defer func() {
		for _, p := range programs {
			p.Close()
		}
	}()
	build := func(i, n int) error {
		c := contenders[i]
		counts[i] = n
		if c.Run != nil {
			runs[i] = func() error { return c.Run(n) }
			return nil
		}
		p := engine.NewProgram(d, c.Label)
		programs = append(programs, p)
		for range n {
			c.Record(p)
		}
		runs[i] = p.Run
		return p.Build()
	}
	take := func(i int) error {
		start := time.Now()
		err := runs[i]()
		contenders[i].Times = append(contenders[i].Times, time.Since(start)/time.Duration(counts[i]))
		return err
	}
	for i, c := range contenders {
		if err := build(i, 1); err != nil {
			return err
		}
		for range 2 {
			c.Times = nil // the first run does not count: CPU drivers compile in it
			if err := take(i); err != nil {
				return err
			}
		}
		if n := min(int(turn/max(c.Best(), 1))+1, most); n > 1 {
			if err := build(i, n); err != nil {
				return err
			}
			c.Times = nil // with what submitting costs
			if err := take(i); err != nil {
				return err
			}
		}
	}
	for range rounds {
		for i, c := range contenders {
			if c.Best() > slow {
				continue
			}
			if err := take(i); err != nil {
				return err
			}
		}
	}
	return nil
}

// Memory makes tensors of noise: zeros would draw less power, and run faster. On a device that only plans they hold nothing.
type Memory struct {
	device  *engine.Device
	rnd     *rand.Rand
	buffers []*engine.Buffer
	err     error
}

// NewMemory starts without any.
func NewMemory(d *engine.Device) *Memory {
	return &Memory{device: d, rnd: rand.New(rand.NewPCG(1, 2))}
}

// Err returns the first error of Tensor.
func (m *Memory) Err() error { return m.err }

// Tensor returns a tensor of normals: the same 65,536 numbers again and again. After an error it has no memory.
func (m *Memory) Tensor(dims ...int) kernels.Tensor {
	t := kernels.Tensor{Shape: dims}
	if m.err != nil {
		return t
	}
	buf, err := m.device.NewBuffer("measured", int64(4*t.Len()))
	if err != nil {
		m.err = err
		return t
	}
	m.buffers = append(m.buffers, buf)
	if m.device.DryRun() {
		return kernels.View(buf.All(), dims...)
	}
	n := min(buf.Size(), 4<<16)
	noise := make([]byte, 0, n)
	for range n / 4 {
		noise = binary.LittleEndian.AppendUint32(noise, math.Float32bits(float32(m.rnd.NormFloat64())))
	}
	if m.err = m.device.Upload(buf.Range(0, n), noise); m.err == nil && n < buf.Size() {
		m.err = m.repeat(buf, n)
	}
	return kernels.View(buf.All(), dims...)
}

// TensorOfPrecision is Tensor in halves, unless precision is fp32.
func (m *Memory) TensorOfPrecision(precision kernels.Precision, dims ...int) kernels.Tensor {
	x := m.Tensor(dims...)
	if precision == kernels.FP32 || m.err != nil {
		return x
	}
	full := m.buffers[len(m.buffers)-1]
	m.buffers = m.buffers[:len(m.buffers)-1]
	defer full.Close()
	buf, err := m.device.NewBuffer("measured", full.Size()/2)
	if err != nil {
		m.err = err
		return x
	}
	m.buffers = append(m.buffers, buf)
	y := kernels.Tensor{Shape: dims, Range: buf.All(), Precision: precision}
	if !m.device.DryRun() {
		m.err = m.device.Once("noise", func(p *engine.Program) { kernels.Cast(p, y, x) })
	}
	return y
}

// repeat fills a buffer with its first n bytes, on the device: the host would take seconds for what is large.
func (m *Memory) repeat(b *engine.Buffer, n int64) error {
	return m.device.Once("noise", func(p *engine.Program) {
		for ; n < b.Size(); n *= 2 {
			more := min(n, b.Size()-n)
			p.Copy(b.Range(n, more), b.Range(0, more))
		}
	})
}

// Close frees the tensors.
func (m *Memory) Close() {
	for _, b := range m.buffers {
		b.Close()
	}
}
