// SPDX-License-Identifier: MIT

package kernels_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
)

// TestAttentionShapes: the rungs on matrix units unrolled as for GPUs, with one subgroup, with the small tile, with what products sum
// over turned or not, and with fragments not square, for which lavapipe must have flexible dimensions. Its compiler takes half a minute
// for some, so each rung has its share of them, and the whole sweep both rungs with all. Heads are no multiple of the fragment.
func TestAttentionShapes(t *testing.T) {
	info := kerneltest.Device(t).Info()
	if !slices.Contains(kernels.AttentionRungsOn(info, kernels.FP16), "attention/03_coopmat") {
		t.Skipf("%v has no matrix unit for fp16", info)
	}
	m, n, k, _, _, _ := kernels.AttentionShape("attention/03_coopmat", info, 64)
	for i, s := range []struct {
		n, k, subgroups, tile int
		turn                  bool
		rungs                 string
	}{
		{n, k, 4, 32, true, "04_pipelined"},
		{n, k, 1, 32, false, "03_coopmat 04_pipelined"},
		{n, k, 4, 16, true, "04_pipelined"},
		{2 * n, k, 4, 32, false, "03_coopmat"},
		{n, 2 * k, 2, 16, true, "03_coopmat"},
		{2 * n, 2 * k, 4, 32, true, "04_pipelined"},
	} {
		if s.n*s.k > n*k && (!info.CoopMat2.FlexibleDimensions || !info.CPU()) { // elsewhere the granularity may be larger
			continue
		}
		cases := []attentionCase{{1, 1, 1, 24, 1, false}, {1, 37, 2, 24, 1, true}, {1, 65, 1, 24, 1, false}}
		if kerneltest.All() {
			s.rungs, cases = "03_coopmat 04_pipelined", append(cases, attentionCase{1, 1, 1, 8, 1, false})
		}
		for _, rung := range strings.Fields(s.rungs) {
			t.Run(fmt.Sprintf("%s/%dx%dx%d subgroups%d tile%d turn%v", rung, m, s.n, s.k, s.subgroups, s.tile, s.turn), func(t *testing.T) {
				kernels.WithAttentionShape(m, s.n, s.k, s.subgroups, s.tile, i == 0, s.turn, func() {
					for _, c := range cases {
						t.Run(fmt.Sprintf("T%d D%d", c.t, c.d), func(t *testing.T) { c.test(t, "attention/"+rung, kernels.FP16) })
					}
				})
			})
		}
	}
}

// TestAttentionShapeChoice: what devices are given, and that it fits into their shared memory.
func TestAttentionShapeChoice(t *testing.T) {
	units := func(m, n, k int) []engine.CoopMat { // first what 03_coopmat must not take
		return []engine.CoopMat{{M: m, N: n, K: k, A: "bf16", B: "bf16", C: "f32", R: "f32"},
			{M: 2 * m, N: n, K: k, A: "f16", B: "f16", C: "f32", R: "f32"},
			{M: m, N: n, K: k, A: "f16", B: "f16", C: "f16", R: "f16"}, {M: m, N: n, K: k, A: "f16", B: "f16", C: "f32", R: "f32"}}
	}
	device := func(lanes, memory int, c []engine.CoopMat) engine.Info {
		return engine.Info{Type: "discrete", SubgroupSize: lanes, SharedMemory: memory << 10, MaxInvocations: 1024, Float16: true,
			CoopMat: c}
	}
	for _, c := range []struct {
		name       string
		info       engine.Info
		m, n, tile int // 0: no such rung
	}{
		{"NVIDIA", device(32, 48, units(16, 16, 16)), 16, 16, 32},
		{"AMD, wave64", device(64, 64, units(16, 16, 16)), 16, 16, 32},
		{"AMD on Windows", device(32, 32, units(16, 16, 16)), 16, 16, 16},
		{"Intel", device(16, 64, units(8, 16, 16)), 8, 16, 32},
		{"lavapipe", device(8, 32, units(8, 8, 8)), 8, 8, 32},
		{"no fp16 sums", device(32, 48, units(16, 16, 16)[:2]), 0, 0, 0},
		{"fewer lanes than rows", device(8, 48, units(16, 16, 16)), 0, 0, 0},
		{"16 KiB", device(32, 16, units(16, 16, 16)), 0, 0, 0},
	} {
		m, n, _, _, tile, bytes := kernels.AttentionShape("attention/03_coopmat", c.info, 128)
		if m != c.m || n != c.n || tile != c.tile || bytes > c.info.SharedMemory {
			t.Errorf("%s: fragments of %d x %d, tiles of %d, %d bytes; want %d x %d, tiles of %d", c.name, m, n, tile, bytes, c.m, c.n,
				c.tile)
		}
		want := "attention/02_shared"
		if c.m != 0 {
			want = "attention/03_coopmat"
		}
		if got := kernels.ChooseAttention(c.info, kernels.FP16, 128, ""); got != want {
			t.Errorf("%s: fp16 goes to %s, want %s", c.name, got, want)
		}
		if got := kernels.ChooseAttention(c.info, kernels.FP16, 64, ""); c.m != 0 && got != "attention/04_pipelined" {
			t.Errorf("%s: fp16 with heads of 64 goes to %s", c.name, got)
		}
		for D := 8; D <= 96; D += 8 {
			if _, _, _, _, _, bytes := kernels.AttentionShape("attention/04_pipelined", c.info, D); bytes > c.info.SharedMemory {
				t.Errorf("%s: %d bytes for heads of %d", c.name, bytes, D)
			}
		}
		if got := kernels.ChooseAttention(c.info, kernels.FP32, 128, ""); got != "attention/02_shared" {
			t.Errorf("%s: fp32 goes to %s", c.name, got)
		}
	}
}

// TestAttentionChoices: every shape that a device lists and that fits is a choice, both ways round.
func TestAttentionChoices(t *testing.T) {
	unit := func(m, n, k int, sum string) engine.CoopMat {
		return engine.CoopMat{M: m, N: n, K: k, A: "f16", B: "f16", C: sum, R: sum}
	}
	info := engine.Info{Type: "discrete", SubgroupSize: 32, SharedMemory: 48 << 10, MaxInvocations: 1024, Float16: true,
		CoopMat: []engine.CoopMat{unit(16, 8, 16, "f16"), unit(16, 8, 16, "f32"), unit(16, 16, 16, "f16"), unit(16, 16, 16, "f32"),
			unit(64, 16, 16, "f16"), unit(64, 16, 16, "f32")}} // the last has more rows than a subgroup has lanes
	want := []string{"attention/04_pipelined 16x8x16 by 4, tiles of 32, turned",
		"attention/04_pipelined 16x16x16 by 4, tiles of 32, turned", "attention/04_pipelined 16x8x16 by 4, tiles of 32",
		"attention/04_pipelined 16x16x16 by 4, tiles of 32", "attention/02_shared"}
	if got := kernels.AttentionChoices(info, kernels.FP16, 64); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got := kernels.AttentionChoices(info, kernels.BF16, 64); !slices.Equal(got, want[4:]) {
		t.Errorf("bf16: %q", got)
	}
}
