// SPDX-License-Identifier: MIT

package kernels

// Precision is what the operands of a matrix product are rounded to. Memory and sums are fp32 in any case.
type Precision uint32

const (
	FP32 Precision = iota
	FP16           // 11 significant bits, up to 65504
	BF16           // 8 significant bits, the range of fp32
)

func (p Precision) String() string { return [...]string{"fp32", "fp16", "bf16"}[p] }
