// SPDX-License-Identifier: MIT

package ref

import "math"

// Attention is o = softmax(q kᵀ/√D) v in each head, every token seeing every token, and lse = log Σ exp(scores) of each
// row, from which the backward pass finds the probabilities again. q, k, v, o (B,T,H,D); lse (B,H,T).
//
// round, nil for none, is what the operands of products are rounded to, FP16 or BF16: q, k, v, and the probabilities that
// multiply v, which are then exp(score - the row's largest): their sum, which is not rounded, divides at the end.
func Attention[F float32 | float64](o, lse, q, k, v []F, b, t, h, d int, round func(F) F) {
	q, k, v = rounded(q, round), rounded(k, round), rounded(v, round)
	scale := F(1 / math.Sqrt(float64(d)))
	p := make([]F, t)
	for n := range b {
		for head := range h {
			at := func(x []F, token int) []F { return x[((n*t+token)*h+head)*d:][:d] }
			for i := range t {
				top := F(math.Inf(-1))
				for j := range t {
					p[j] = scale * dot(at(q, i), at(k, j))
					top = max(top, p[j])
				}
				var sum F
				for j := range t {
					p[j] = F(math.Exp(float64(p[j] - top)))
					sum += p[j]
				}
				lse[(n*h+head)*t+i] = top + F(math.Log(float64(sum)))
				out := at(o, i)
				clear(out)
				for j, w := range rounded(p, round) {
					axpy(out, w/sum, at(v, j))
				}
			}
		}
	}
}

// AttentionBackward is, with P = exp(q kᵀ/√D - lse), delta = Σ over D of do o and dS = P (do vᵀ - delta):
// dv = Pᵀ do, dq = dS k/√D, dk = dSᵀ q/√D. All (B,T,H,D) but lse (B,H,T). round leaves q, k, v and do rounded, P where it
// multiplies do and dS where it multiplies q and k.
func AttentionBackward[F float32 | float64](dq, dk, dv, do, o, lse, q, k, v []F, b, t, h, d int, round func(F) F) {
	q, k, v, do = rounded(q, round), rounded(k, round), rounded(v, round), rounded(do, round)
	scale := F(1 / math.Sqrt(float64(d)))
	clear(dq)
	clear(dk)
	clear(dv)
	for n := range b {
		for head := range h {
			at := func(x []F, token int) []F { return x[((n*t+token)*h+head)*d:][:d] }
			for i := range t {
				delta := dot(at(do, i), at(o, i))
				for j := range t {
					p := F(math.Exp(float64(scale*dot(at(q, i), at(k, j)) - lse[(n*h+head)*t+i])))
					w := rounded([]F{p, p * (dot(at(do, i), at(v, j)) - delta)}, round) // P and dS
					axpy(at(dv, j), w[0], at(do, i))
					axpy(at(dq, i), w[1]*scale, at(k, j))
					axpy(at(dk, j), w[1]*scale, at(q, i))
				}
			}
		}
	}
}

func dot[F float32 | float64](a, b []F) (sum F) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// axpy is y += a x.
func axpy[F float32 | float64](y []F, a F, x []F) {
	for i := range x {
		y[i] += a * x[i]
	}
}
