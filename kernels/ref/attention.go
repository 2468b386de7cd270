// SPDX-License-Identifier: MIT

package ref

import "math"

// Attention is o = softmax(q kᵀ/√D) v in each head, every token seeing every token, and lse = log Σ exp(scores) of each
// row, from which the backward pass finds the probabilities again. q, k, v, o (B,T,H,D); lse (B,H,T).
func Attention[F float32 | float64](o, lse, q, k, v []F, b, t, h, d int) {
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
				for j := range t {
					axpy(out, p[j]/sum, at(v, j))
				}
			}
		}
	}
}

// AttentionBackward is, with P = exp(q kᵀ/√D - lse), delta = Σ over D of do o and dS = P (do vᵀ - delta)/√D:
// dv = Pᵀ do, dq = dS k, dk = dSᵀ q. All (B,T,H,D) but lse (B,H,T).
func AttentionBackward[F float32 | float64](dq, dk, dv, do, o, lse, q, k, v []F, b, t, h, d int) {
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
					ds := p * (dot(at(do, i), at(v, j)) - delta) * scale
					axpy(at(dv, j), p, at(do, i))
					axpy(at(dq, i), ds, at(k, j))
					axpy(at(dk, j), ds, at(q, i))
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
