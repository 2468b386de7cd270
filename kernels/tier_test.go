// SPDX-License-Identifier: MIT

package kernels_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"jitvk/kernels"
)

// TestTiers: the names that JITVK_TIER takes, and that a wrong one is answered with all there are.
func TestTiers(t *testing.T) {
	all := kernels.Tiers()
	for _, rung := range kernels.MatMulRungs() {
		if !slices.Contains(all, rung) {
			t.Errorf("%s is not among the tiers %q", rung, all)
		}
	}
	for list, want := range map[string][]string{
		"":                                    nil,
		"matmul/04_narrow":                    {"matmul/04_narrow"},
		"04_narrow":                           {"matmul/04_narrow"},
		"matmul/00_naive, attention/00_naive": {"attention/00_naive", "matmul/00_naive"},
		"naive":                               {"attention/00_naive", "matmul/00_naive"},
	} {
		got, err := kernels.ParseTiers(list)
		if err != nil || !slices.Equal(slices.Sorted(maps.Keys(got)), want) {
			t.Errorf("JITVK_TIER=%q: %v, %v, want %q", list, got, err, want)
		}
	}
	for _, bad := range []string{"fast", "naive,fast", "matmul/narrow", "04"} {
		if _, err := kernels.ParseTiers(bad); err == nil || !strings.Contains(err.Error(), "matmul/04_narrow") {
			t.Errorf("JITVK_TIER=%q: %v, want an error that lists the tiers", bad, err)
		}
	}
}
