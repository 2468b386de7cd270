// SPDX-License-Identifier: MIT

package kernels

import (
	"fmt"

	"jitvk/engine"
)

// Precision is what the operands of a matrix product are rounded to, and what a tensor's elements are in memory. Sums are fp32
// in any case.
type Precision uint32

const (
	FP32 Precision = iota
	FP16           // 11 significant bits, up to 65504
	BF16           // 8 significant bits, the range of fp32
)

// known reports whether it is one of the three.
func (p Precision) known() bool { return p <= BF16 }

// size is an element's bytes.
func (p Precision) size() int64 {
	check(p.known(), "a tensor", "%v: fp32, fp16 or bf16 wanted", p)
	return [...]int64{4, 2, 2}[p]
}

func (p Precision) String() string {
	if !p.known() {
		return fmt.Sprintf("precision %d", uint32(p))
	}
	return [...]string{"fp32", "fp16", "bf16"}[p]
}

// ParsePrecision is String's inverse. "auto", or nothing, is FP16 where a GPU multiplies halves on matrix units, else FP32.
func ParsePrecision(s string, info engine.Info) (Precision, error) {
	if s == "auto" || s == "" {
		if !info.CPU() && hasFragment(info, FP16) {
			return FP16, nil
		}
		return FP32, nil
	}
	for p := FP32; p <= BF16; p++ {
		if s == p.String() {
			return p, nil
		}
	}
	return 0, fmt.Errorf("%q: it is auto, fp32, fp16 or bf16", s)
}
