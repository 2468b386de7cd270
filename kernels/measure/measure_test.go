// SPDX-License-Identifier: MIT

package measure_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/measure"
)

func TestMain(m *testing.M) { kerneltest.Main(m) }

// TestRace: contenders on the device and on the host take turns, each at least once after its warm-up, and are divided by
// how often their work was done.
func TestRace(t *testing.T) {
	d := kerneltest.Device(t)
	m := measure.NewMemory(d)
	defer m.Close()
	x := m.Tensor(1 << 12)
	if err := m.Err(); err != nil {
		t.Fatal(err)
	}
	var counts []int
	sleep := &measure.Contender{Label: "sleep", Run: func(n int) error {
		counts = append(counts, n)
		time.Sleep(time.Duration(n) * 10 * time.Millisecond)
		return nil
	}}
	add := &measure.Contender{Label: "add", Record: func(p *engine.Program) { kernels.Add(p, x, x, x) }}
	if err := measure.Race(d, []*measure.Contender{sleep, add}, 3); err != nil {
		t.Fatal(err)
	}
	if len(counts) != 6 || !slices.Equal(counts[:2], []int{1, 1}) || counts[5] < 2 || counts[5] > 4 || len(sleep.Times) != 4 {
		t.Errorf("10 ms of work is done %v times in its turns, %d of which count", counts, len(sleep.Times))
	}
	if b := sleep.Best(); b < 10*time.Millisecond || b > sleep.Median() {
		t.Errorf("10 ms of work take %v at best, %v in the median", b, sleep.Median())
	}
	if len(add.Times) != 4 || add.Best() <= 0 {
		t.Errorf("the addition took %v", add.Times)
	}
	broken := errors.New("broken")
	if err := measure.Race(d, []*measure.Contender{add, {Run: func(int) error { return broken }}}, 1); !errors.Is(err, broken) {
		t.Errorf("a contender's error: %v", err)
	}
}

func TestDevice(t *testing.T) {
	peaks, err := measure.Device(kerneltest.Device(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{measure.FMA, measure.Copy, measure.Add} {
		if !(peaks.Rate(name) > 0) {
			t.Errorf("%s: %g in %v", name, peaks.Rate(name), peaks)
		}
	}
	if peaks.Rate("no such") != 0 {
		t.Error("a peak that nobody measured has a rate")
	}
}

// TestLongEnough: on a device of any speed a peak is run for some 20 ms, whatever a start costs, and one that fails or is slow is not
// run for ever.
func TestLongEnough(t *testing.T) {
	for _, step := range []time.Duration{1, 20, 333, 50 * time.Microsecond} { // a step's time
		for _, start := range []time.Duration{0, 100 * time.Microsecond, time.Millisecond} {
			runs := 0
			steps := measure.LongEnough(64, func(steps int) time.Duration {
				runs++
				return start + time.Duration(steps)*step
			})
			took := time.Duration(steps) * step
			short, long := start+took < 15*time.Millisecond && steps < 1<<24, start+took > 30*time.Millisecond && steps > 64
			if steps%8 != 0 || runs > 8 || short || long {
				t.Errorf("%v a step, %v a start: %d steps, %v, after %d runs", step, start, steps, took, runs)
			}
		}
	}
	if steps := measure.LongEnough(512, func(int) time.Duration { return 0 }); steps != 512 {
		t.Errorf("one that fails: %d steps", steps)
	}
	if steps := measure.LongEnough(512, func(int) time.Duration { return time.Second }); steps != 512 {
		t.Errorf("one that is slow: %d steps", steps)
	}
}

// TestPeakSizes: a GPU copies more than its caches hold and no more than it has, and computes more than fits onto it at once.
func TestPeakSizes(t *testing.T) {
	gpu := engine.Info{Type: "discrete", MaxAllocation: 4 << 30, MemoryBytes: 80 << 30}
	if lanes, fragments, floats := measure.PeakSizes(gpu); lanes < 8*132*2048 || fragments < 4*132*64 || 4*floats < 5*96<<20 {
		t.Errorf("a large GPU: %d lanes, %d fragments, %d floats", lanes, fragments, floats)
	}
	gpu.MemoryBytes = 2 << 30
	if _, _, floats := measure.PeakSizes(gpu); 3*4*floats > 2<<30/4 {
		t.Errorf("a small GPU: %d floats", floats)
	}
}

// TestHighest: of several shapes of one peak the fastest counts, and the order stays.
func TestHighest(t *testing.T) {
	got := measure.Highest([]measure.Peak{{Name: "a", Rate: 1}, {Name: "b", Rate: 2}, {Name: "b", Rate: 5}, {Name: "b", Rate: 3},
		{Name: "c"}})
	if want := (measure.Peaks{{Name: "a", Rate: 1}, {Name: "b", Rate: 5}, {Name: "c"}}); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

func TestArithmetic(t *testing.T) {
	p := measure.Peaks{{Name: measure.FMA, Rate: 20}, {Name: measure.Matrix, Rate: 70}}
	for precision, want := range map[kernels.Precision]float64{kernels.FP32: 20, kernels.FP16: 70, kernels.BF16: 20} {
		if got := p.Arithmetic(precision); got != want {
			t.Errorf("%v: %g, %g wanted", precision, got, want)
		}
	}
	if got := p[:1].Arithmetic(kernels.FP16); got != 20 {
		t.Errorf("without a matrix unit: %g", got)
	}
}
