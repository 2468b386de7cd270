// SPDX-License-Identifier: MIT

package report

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestHeader(t *testing.T) {
	var h Header
	h.Add("device", "%s, %d cores", "llvmpipe", 2)
	h.Add("parameters", "%s", Count(114591040))
	h.Add("größe", "a\nb")
	want := "device      llvmpipe, 2 cores\nparameters  114,591,040\ngröße       a\n            b\n"
	var b strings.Builder
	if err := h.Print(&b); err != nil || b.String() != want {
		t.Errorf("got\n%s\nwant\n%s(%v)", b.String(), want, err)
	}
}

func TestNumbers(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567",
		math.MinInt64: "-9,223,372,036,854,775,808"} {
		if got := Count(n); got != want {
			t.Errorf("Count(%d) = %s, want %s", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.00 kB", 9994: "9.99 kB", 9996: "10.0 kB", 99960: "100 kB",
		999600: "1.00 MB", 268435456: "268 MB", 12.9e9: "12.9 GB"} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %s, want %s", n, got, want)
		}
	}
	if got := Ops(1.234e10, "FLOP"); got != "12.3 GFLOP" {
		t.Errorf("Ops: %s", got)
	}
	for s, want := range map[float64]string{-3: "0s", 0.4: "0s", 8: "8s", 59.6: "1m00s", 112: "1m52s", 3599.7: "1h00m", 7500: "2h05m",
		273600: "3d04h"} {
		if got := Duration(time.Duration(s * float64(time.Second))); got != want {
			t.Errorf("Duration(%g s) = %s, want %s", s, got, want)
		}
	}
	for v, want := range map[float32]string{0.21336: "0.2134", 0: "0.0000", 12.5: "12.5000", 12345: "1.23e+04", 2e-5: "2e-05"} {
		if got := shortLoss(v); got != want {
			t.Errorf("shortLoss(%g) = %s, want %s", v, got, want)
		}
	}
	if got := shortLoss(float32(math.NaN())); got != "NaN" {
		t.Errorf("shortLoss(NaN) = %s", got)
	}
}
