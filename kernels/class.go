// SPDX-License-Identifier: MIT

package kernels

import (
	"fmt"
	"math/bits"
)

// A Class is what calls of an op have in common that get the same choice: op, precision, which operands are transposed or lie in
// halves, and rounded sizes. Products of 830 x 384 by 384 x 128 and of 832 x 384 by 384 x 128, say, are of the class "matmul fp32
// nt 1x832x128x384". Package tune measures for each class of a program which choice is the fastest on a device.
type Class struct {
	Op        string    // "matmul", "swiglu" (a product that is part of one) or "attention"
	Precision Precision // of the operands in the product
	// Variant of attention is "forward" or "backward", with the names of what lies in halves: "forward:q,k". Of a product it has a
	// letter for each operand, a and b: n as it is stored, t transposed. "nt" is x wᵀ; "nT" is the same with w in halves, and "nTh"
	// with c in halves, too.
	Variant string
	Size    [4]int // batch, M, N and K of a product; B, T, H and D of attention
}

// String is the class's name: "matmul fp32 nt 1x832x384x128".
func (c Class) String() string {
	return fmt.Sprintf("%s %v %s %dx%dx%dx%d", c.Op, c.Precision, c.Variant, c.Size[0], c.Size[1], c.Size[2], c.Size[3])
}

// ParseClass is String's inverse.
func ParseClass(name string) (c Class, err error) {
	var precision string
	_, err = fmt.Sscanf(name, "%s %s %s %dx%dx%dx%d", &c.Op, &precision, &c.Variant, &c.Size[0], &c.Size[1], &c.Size[2], &c.Size[3])
	for p := FP32; p <= BF16; p++ {
		if p.String() == precision {
			c.Precision = p
		}
	}
	if err != nil || c.String() != name || min(c.Size[0], c.Size[1], c.Size[2], c.Size[3]) < 1 {
		return c, fmt.Errorf("kernels: %q is no class of work", name)
	}
	return c, nil
}

// maxClassSize bounds the sizes in a class: what fills a device fills it ever after, and measuring takes bounded time and memory.
const maxClassSize = 8192

// classSize rounds a size up to four significant bits, so that near ones share a class.
func classSize(n int) int {
	step := 1 << max(bits.Len(uint(max(n-1, 0)))-4, 0)
	return min(ceilDiv(n, step)*step, maxClassSize)
}

// rounded is the shape that stands for all products of its class.
func (s matMulShape) rounded() matMulShape {
	s.batch, s.M, s.N, s.K = classSize(s.batch), classSize(s.M), classSize(s.N), classSize(s.K)
	return s
}

func (s matMulShape) class(precision Precision) string {
	op := "matmul"
	if s.swiglu {
		op = "swiglu"
	}
	s = s.rounded()
	letter := func(transposed, halves bool) string { return "ntNT"[flag(transposed)+2*flag(halves):][:1] }
	variant := letter(s.transA, s.halfA) + letter(s.transB, s.halfB)
	if s.halfC {
		variant += "h"
	}
	return Class{op, precision, variant, [4]int{s.batch, s.M, s.N, s.K}}.String()
}

func (a attention) class(pass string) string {
	if a.halves != "" {
		pass += ":" + a.halves
	}
	return Class{"attention", a.Precision, pass, [4]int{min(classSize(a.B), 64), a.T, a.H, a.D}}.String()
}
