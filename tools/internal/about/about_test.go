// SPDX-License-Identifier: MIT

package about

import (
	"strings"
	"testing"

	"jitvk/engine"
)

func TestDevice(t *testing.T) {
	i := engine.Info{Name: "A Card", Type: "discrete", Driver: "drv 1", Vulkan: "1.3.2", SubgroupSize: 32, Float16: true,
		CoopMat:  []engine.CoopMat{{M: 16, N: 8, K: 16, A: "f16", B: "f16", C: "f32", R: "f32"}, {M: 8, N: 8, K: 32, A: "u8"}},
		CoopMat2: engine.CoopMat2{WorkgroupScope: true, BlockLoads: true}, Memory: []string{"8.0 GB, device local"}}
	text := "\n" + strings.Join(Device(i), "\n") + "\n"
	for _, want := range []string{"device: A Card", "Vulkan: 1.3.2", "features: float16", "matrices 0: 16 x 8 x 16, f16 f16 f32 -> f32",
		"matrices 1: 8 x 8 x 32, u8 ? ? -> ?", "NV_cooperative_matrix2: workgroup scope, block loads", "memory 0: 8.0 GB, device local",
		"takes: kernels for GPUs"} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("no %q in%s", want, text)
		}
	}
	if text := strings.Join(Device(engine.Info{Type: "cpu"}), "\n"); !strings.Contains(text, "features: none") ||
		!strings.Contains(text, "NV_cooperative_matrix2: none") || !strings.Contains(text, "takes: kernels for CPU drivers") {
		t.Error(text)
	}
}
