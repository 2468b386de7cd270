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
