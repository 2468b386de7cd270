// SPDX-License-Identifier: MIT

package kernels_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
)

// TestRungs: the names that JITVK_RUNG takes, and that a wrong one is answered with all there are.
func TestRungs(t *testing.T) {
	all := kernels.Rungs()
	for _, rung := range kernels.MatMulRungs() {
		if !slices.Contains(all, rung) {
			t.Errorf("%s is not among the rungs %q", rung, all)
		}
	}
	for list, want := range map[string][]string{
		"":                                    nil,
		"matmul/04_narrow":                    {"matmul/04_narrow"},
		"04_narrow":                           {"matmul/04_narrow"},
		"matmul/00_naive, attention/00_naive": {"attention/00_naive", "matmul/00_naive"},
		"naive":                               {"attention/00_naive", "matmul/00_naive"},
	} {
		got, err := kernels.ParseRungs(list)
		if err != nil || !slices.Equal(slices.Sorted(maps.Keys(got)), want) {
			t.Errorf("JITVK_RUNG=%q: %v, %v, want %q", list, got, err, want)
		}
	}
	for _, bad := range []string{"fast", "naive,fast", "matmul/narrow", "04"} {
		if _, err := kernels.ParseRungs(bad); err == nil || !strings.Contains(err.Error(), "matmul/04_narrow") {
			t.Errorf("JITVK_RUNG=%q: %v, want an error that lists the rungs", bad, err)
		}
	}
}

// TestRungChoice: the rung that a device gets unasked, that JITVK_RUNG and an op's Rung change it, and what they say where the
// device cannot run what is asked for.
func TestRungChoice(t *testing.T) {
	units := []engine.CoopMat{{M: 16, N: 16, K: 16, A: "f16", B: "f16", C: "f32", R: "f32"}}
	cpu, gpu := engine.Info{Type: "cpu", SubgroupSize: 8, Int64: true},
		engine.Info{Type: "discrete", SubgroupSize: 32, MaxInvocations: 1024, SharedMemory: 48 << 10}
	odd, tensor := engine.Info{Type: "integrated", SubgroupSize: 2}, gpu
	tensor.Float16, tensor.CoopMat = true, units
	const fp32, fp16 = kernels.FP32, kernels.FP16
	for _, c := range []struct {
		env, op   string
		info      engine.Info
		precision kernels.Precision
		rung      string
		want      string // a rung, or what the panic says
	}{
		{"", "MatMul", cpu, fp32, "", "matmul/04_narrow"},
		{"", "MatMul", gpu, fp16, "", "matmul/03_vector"},
		{"", "MatMul", tensor, fp16, "", "matmul/06_prefetch"},
		{"05_coopmat", "MatMul", tensor, fp16, "", "matmul/05_coopmat"},
		{"", "MatMul", tensor, fp32, "", "matmul/03_vector"},
		{"05_coopmat,01_tiled", "MatMul", tensor, fp16, "", "matmul/01_tiled"},
		{"05_coopmat", "MatMul", tensor, fp32, "", "matmul/03_vector"}, // it has halves: no mistake
		{"05_coopmat", "MatMul", gpu, fp32, "", "MatMul: JITVK_RUNG asks for matmul/05_coopmat"},
		{"naive", "MatMul", gpu, fp32, "matmul/02_register", "matmul/02_register"},
		{"", "MatMul", gpu, fp32, "matmul/05_coopmat", "has not what matmul/05_coopmat needs for fp32"},
		{"", "MatMul", gpu, fp32, "matmul/07_none", "no rung matmul/07_none"},
		{"", "Attention", cpu, fp16, "", "attention/01_narrow"},
		{"", "Attention", gpu, fp32, "", "attention/02_shared"},
		{"", "Attention", odd, fp32, "", "attention/00_naive"},
		{"naive", "Attention", gpu, fp32, "", "attention/00_naive"},
		{"attention/02_shared", "Attention", cpu, fp32, "", "attention/02_shared"},
		{"attention/01_narrow", "Attention", gpu, fp32, "", "it can: attention/00_naive, attention/02_shared"},
		{"matmul/04_narrow", "Attention", gpu, fp32, "", "attention/02_shared"}, // another ladder's
		{"", "Attention", gpu, fp32, "attention/01_narrow", "has not what attention/01_narrow needs"},
		{"", "Attention", gpu, fp32, "matmul/00_naive", "no rung matmul/00_naive"},
	} {
		got := func() (got string) {
			defer func() {
				if r := recover(); r != nil {
					got = r.(string)
				}
			}()
			kernels.WithRungs(c.env, func() {
				if c.op == "MatMul" {
					got = kernels.ChooseMatMul(c.info, kernels.NewMatMulShape(1, 512, 512, 512),
						kernels.MatMulOptions{Precision: c.precision, Rung: c.rung}).Rung
				} else {
					got = kernels.ChooseAttention(c.info, c.precision, 64, c.rung)
				}
			})
			return got
		}()
		if got != c.want && (strings.HasPrefix(c.want, "matmul/") || strings.HasPrefix(c.want, "attention/") ||
			!strings.Contains(got, c.want)) {
			t.Errorf("%s of %v on %q with JITVK_RUNG=%q, Rung %q: %s, want %s", c.op, c.precision, c.info.Type, c.env, c.rung, got, c.want)
		}
	}
}
