// SPDX-License-Identifier: MIT

package kernels_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
)

// Devices to choose for.
var (
	cpuInfo = engine.Info{Type: "cpu", SubgroupSize: 8, Int64: true, MaxInvocations: 1024, SharedMemory: 32 << 10, Float16: true,
		CoopMat: units16}
	gpuInfo    = engine.Info{Type: "discrete", SubgroupSize: 32, MaxInvocations: 1024, SharedMemory: 48 << 10}
	tensorInfo = engine.Info{Type: "discrete", SubgroupSize: 32, MaxInvocations: 1024, SharedMemory: 48 << 10, Float16: true,
		CoopMat: units16}
	units16 = []engine.CoopMat{{M: 16, N: 16, K: 16, A: "f16", B: "f16", C: "f32", R: "f32"}}
)

// TestMatMulGuess: what a device gets that nobody has measured.
func TestMatMulGuess(t *testing.T) {
	small, wave64, many, narrowGroups := tensorInfo, tensorInfo, tensorInfo, gpuInfo
	many.Cores = 170
	brain, unasked := tensorInfo, tensorInfo
	brain.BFloat16 = true
	brain.CoopMat = append(slices.Clone(units16), engine.CoopMat{M: 16, N: 16, K: 16, A: "bf16", B: "bf16", C: "f32", R: "f32"})
	unasked.CoopMat = brain.CoopMat // without the feature
	narrowGroups.MaxInvocations = 128
	small.SharedMemory, wave64.SubgroupSize = 16<<10, 64
	for _, c := range []struct {
		info      engine.Info
		precision kernels.Precision
		M, N, K   int
		want      string
	}{
		{cpuInfo, kernels.FP32, 4096, 4096, 4096, "{matmul/04_narrow 0 1}"},
		{cpuInfo, kernels.FP16, 64, 64, 8192, "{matmul/04_narrow 0 1}"},
		{gpuInfo, kernels.FP32, 4096, 4096, 4096, "{matmul/03_vector 0 1}"},
		{gpuInfo, kernels.FP16, 4096, 4096, 4096, "{matmul/03_vector 0 1}"},
		{tensorInfo, kernels.FP32, 4096, 4096, 4096, "{matmul/03_vector 0 1}"},
		{tensorInfo, kernels.FP16, 4096, 4096, 4096, "{matmul/06_prefetch 2 1}"},
		{wave64, kernels.FP16, 4096, 4096, 4096, "{matmul/06_prefetch 2 1}"},
		{small, kernels.FP16, 4096, 4096, 4096, "{matmul/06_prefetch 1 1}"},    // the large tile does not fit
		{tensorInfo, kernels.FP16, 1408, 1409, 64, "{matmul/06_prefetch 2 1}"}, // 11 x 12 large tiles: enough
		{tensorInfo, kernels.FP16, 1408, 1408, 64, "{matmul/06_prefetch 1 1}"}, // 11 x 11: not
		{narrowGroups, kernels.FP32, 4096, 4096, 4096, "{matmul/00_naive 0 1}"},
		{gpuInfo, kernels.FP32, 768, 768, 2048, "{matmul/03_vector 0 1}"}, // 144 tiles
		{gpuInfo, kernels.FP32, 512, 512, 2048, "{matmul/03_vector 0 2}"}, // 64 tiles: half of what fills it
		{gpuInfo, kernels.FP32, 512, 512, 1920, "{matmul/03_vector 0 1}"},
		{gpuInfo, kernels.FP32, 512, 576, 2048, "{matmul/03_vector 0 1}"},
		{tensorInfo, kernels.FP16, 128, 384, 14112, "{matmul/06_prefetch 1 10}"},
		{brain, kernels.BF16, 4096, 4096, 4096, "{matmul/06_prefetch 2 1}"},
		{brain, kernels.FP16, 4096, 4096, 4096, "{matmul/06_prefetch 2 1}"},
		{unasked, kernels.BF16, 4096, 4096, 4096, "{matmul/03_vector 0 1}"},
		{tensorInfo, kernels.BF16, 4096, 4096, 4096, "{matmul/03_vector 0 1}"},
		{many, kernels.FP16, 128, 384, 14112, "{matmul/06_prefetch 1 16}"}, // 12 tiles for 170 cores
		{many, kernels.FP16, 1536, 1536, 1024, "{matmul/06_prefetch 1 1}"}, // 144 large tiles: fewer than two a core
		{many, kernels.FP16, 2176, 2560, 1024, "{matmul/06_prefetch 2 1}"}, // 340: enough
		{many, kernels.FP16, 1024, 1024, 8192, "{matmul/06_prefetch 1 1}"}, // 256 tiles
	} {
		s, o := kernels.NewMatMulShape(1, c.M, c.N, c.K), kernels.MatMulOptions{Precision: c.precision}
		if got := fmt.Sprint(kernels.ChooseMatMul(c.info, s, o)); got != c.want {
			t.Errorf("%dx%dx%d of %v on %v: %s, want %s", c.M, c.N, c.K, c.precision, c.info.Type, got, c.want)
		}
	}
}

// TestMatMulChoices: the guess comes first, nothing comes twice, and the device can run each of them.
func TestMatMulChoices(t *testing.T) {
	elements, least := tensorInfo, gpuInfo
	elements.CoopMat2.PerElement = true
	least.SharedMemory = 16 << 10 // what Vulkan asks of every device: not enough for the large tile of 03_vector
	for _, c := range []struct {
		info      engine.Info
		precision kernels.Precision
		K, want   int
	}{{cpuInfo, kernels.FP32, 256, 1}, {cpuInfo, kernels.FP32, 512, 2}, {least, kernels.FP32, 256, 1}, {gpuInfo, kernels.FP32, 256, 2},
		{gpuInfo, kernels.FP32, 512, 4},
		{tensorInfo, kernels.FP32, 256, 2}, {tensorInfo, kernels.FP16, 256, 8}, {elements, kernels.FP16, 256, 14},
		{elements, kernels.FP16, 8192, 28}} {
		s, o := kernels.NewMatMulShape(1, 64, 64, c.K), kernels.MatMulOptions{Precision: c.precision}
		got := kernels.MatMulChoices(c.info, c.precision, s)
		if len(got) != c.want || got[0] != kernels.ChooseMatMul(c.info, s, o) {
			t.Errorf("%v on %v: %v, want %d and the guess first", c.precision, c.info.Type, got, c.want)
		}
		for i, choice := range got {
			o.Choice = &choice
			if slices.Contains(got[:i], choice) || kernels.ChooseMatMul(c.info, s, o) != choice {
				t.Errorf("%v on %v: %v comes twice, or is not taken", c.precision, c.info.Type, choice)
			}
		}
	}
}

// TestMatMulSplits: what is measured besides the whole product: two workgroups a core, and four.
func TestMatMulSplits(t *testing.T) {
	info := tensorInfo
	info.Cores = 50
	splits := map[int]bool{}
	for _, c := range kernels.MatMulChoices(info, kernels.FP16, kernels.NewMatMulShape(1, 640, 512, 8192)) {
		if m, n := kernels.MatMulTile(c, info, kernels.FP16); m == 128 && n == 128 && c.Rung == "matmul/06_prefetch" { // 20 tiles
			splits[c.Split] = true
		}
	}
	if got := slices.Sorted(maps.Keys(splits)); !slices.Equal(got, []int{1, 5, 10}) {
		t.Errorf("slices %v", got)
	}
}

// TestCoopMatTilesAreWhole: what the headers of 05_coopmat and 06_prefetch ask of their constants holds for every size of subgroup: each
// invocation stages as many fours of a slice as any other, one at least, or blocks of four by four that it turns; and a subgroup's part is
// made of whole fragments.
func TestCoopMatTilesAreWhole(t *testing.T) {
	for lanes := 8; lanes <= 64; lanes *= 2 {
		for _, f := range [][3]int{{8, 8, 8}, {8, 16, 16}, {16, 8, 8}, {16, 8, 16}, {16, 16, 16}, {16, 16, 32}} {
			info := tensorInfo
			info.SubgroupSize, info.CoopMat = lanes, []engine.CoopMat{{M: f[0], N: f[1], K: f[2], A: "f16", B: "f16", C: "f32", R: "f32"}}
			if len(kernels.MatMulPrecisions("matmul/05_coopmat", info)) == 0 {
				continue
			}
			locals, specs := kernels.CoopMatTiles(info)
			if len(locals) < 10 {
				t.Errorf("%d lanes: %d tiles", lanes, len(locals))
			}
			for i, local := range locals {
				s := specs[i]
				cm, cn, ck, bm, bn, bk, subgroups, columns := s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]
				fours := 4 * uint32(local)
				if len(s) > 8 && s[8] != 0 {
					fours *= 4
				}
				if uint32(local) != subgroups*uint32(lanes) || bm*bk < fours || bn*bk < fours || bm*bk%fours != 0 || bn*bk%fours != 0 {
					t.Errorf("%d lanes: slices of %d x %d and %d x %d for %d invocations", lanes, bm, bk, bn, bk, local)
				}
				if rows := subgroups / columns; rows*columns != subgroups || bm%(rows*cm) != 0 || bn%(columns*cn) != 0 || bk%ck != 0 {
					t.Errorf("%d lanes: %d x %d x %d in fragments of %v for %d subgroups, %d of them side by side", lanes, bm, bn, bk, f,
						subgroups, columns)
				}
			}
		}
	}
}

// TestMatMulChoiceMisuse: a choice that the device cannot run panics.
func TestMatMulChoiceMisuse(t *testing.T) {
	for _, c := range []struct {
		choice    kernels.MatMulChoice
		precision kernels.Precision
		want      string
	}{
		{kernels.MatMulChoice{Rung: "matmul/03_vector", Split: 2}, kernels.FP32,
			"{matmul/03_vector 0 2}: a split of 1 or more wanted, and of 1 for a batch"},
		{kernels.MatMulChoice{Rung: "matmul/05_coopmat", Split: 1}, kernels.FP32,
			"has not what {matmul/05_coopmat 0 1} needs for fp32 operands"},
		{kernels.MatMulChoice{Rung: "matmul/07_coopmat2", Split: 1}, kernels.FP16, "has not what {matmul/07_coopmat2 0 1} needs"},
		{kernels.MatMulChoice{Rung: "matmul/05_coopmat", Tile: 3, Split: 1}, kernels.FP16, "has not what {matmul/05_coopmat 3 1} needs"},
		{kernels.MatMulChoice{Rung: "matmul/05_coopmat", Tile: -1, Split: 1}, kernels.FP16, "has not what {matmul/05_coopmat -1 1} needs"},
		{kernels.MatMulChoice{Rung: "matmul/03_vector"}, kernels.FP32, "{matmul/03_vector 0 0}: a split of 1 or more wanted"},
		{kernels.MatMulChoice{Rung: "matmul/05"}, kernels.FP16, "no rung matmul/05"},
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, c.want) {
					t.Errorf("panic %q, want %q", got, c.want)
				}
			}()
			kernels.ChooseMatMul(tensorInfo, kernels.NewMatMulShape(2, 64, 64, 64),
				kernels.MatMulOptions{Precision: c.precision, Choice: &c.choice})
		}()
	}
}
