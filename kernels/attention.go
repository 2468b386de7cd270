// SPDX-License-Identifier: MIT

package kernels

import (
	"math"

	"jitvk/engine"
)

// The rungs of shaders/attention. A CPU driver with subgroups of 8 takes the narrow one, every other device the shared one.
const (
	attentionNaive  = "attention/00_naive" // forward only: to read, and to measure by
	attentionNarrow = "attention/01_narrow"
	attentionShared = "attention/02_shared"
)

// attentionForce names the rung that tests want; "" leaves the choice to the device.
var attentionForce string

// attentionRung chooses. The naive rung has no backward shaders: that direction then goes as if nothing were forced.
func attentionRung(info engine.Info, forward bool) string {
	switch {
	case attentionForce != "" && (forward || attentionForce != attentionNaive):
		return attentionForce
	case info.CPU() && info.SubgroupSize == 8:
		return attentionNarrow
	}
	return attentionShared
}

// attention is one call: the dimensions of its tensors.
type attention struct{ B, T, H, D int }

type attentionPush struct {
	T, LdO, OffO, LdQ, OffQ, LdK, OffK, LdV, OffV uint32
	Scale                                         float32
}

type attentionDQPush struct {
	T, LdDQ, OffDQ, LdQ, OffQ, LdK, OffK, LdV, OffV, LdDO, OffDO uint32
	Scale                                                        float32
}

type attentionDKVPush struct {
	T, LdDK, OffDK, LdDV, OffDV, LdQ, OffQ, LdK, OffK, LdV, OffV, LdDO, OffDO uint32
	Scale                                                                     float32
}

type attentionDeltaPush struct{ Rows, T, H, D, LdDO, OffDO, LdO, OffO uint32 }

// Attention is o = softmax(q kᵀ/√D) v in each head, every token seeing every token, in one pass over the keys (Dao et al.,
// arXiv 2205.14135); lse = log Σ exp(q kᵀ/√D) is what AttentionBackward needs to find the softmax again. o, q, k, v
// (B,T,H,D), D a multiple of 8 up to 128, tokens may lie apart by multiples of 4 floats; lse (B,H,T). No memory of size T².
func Attention(p *engine.Program, o, lse, q, k, v Tensor) {
	a, views := attentionViews("Attention", lse, q, o, k, v)
	for _, s := range spans(p, "Attention", a.B, 1, a.T*views[0].ld, a.T*views[1].ld, a.T*views[2].ld, a.T*views[3].ld, a.H*a.T) {
		part := func(i int) rowView { return views[i].piece(span{s.first * a.T, s.n * a.T}) }
		q, o, k, v := part(0), part(1), part(2), part(3)
		a := attention{s.n, a.T, a.H, a.D}
		push := attentionPush{uint32(a.T), o.stride(), o.offset(), q.stride(), q.offset(), k.stride(), k.offset(), v.stride(), v.offset(), a.scale()}
		bind := []engine.Binding{o.Write(), piece(lse, s, a.H*a.T).Write(), q.Read(), k.Read(), v.Read()}
		switch attentionRung(p.Info(), true) {
		case attentionNaive:
			a.naive(p, "attention/00_naive_fwd", push, append([]engine.Binding{o.ReadWrite()}, bind[1:]...))
		case attentionNarrow:
			a.narrow(p, "attention/01_narrow_fwd", 2, push, bind)
		default:
			a.shared(p, "attention/02_shared_fwd", 2, push, bind)
		}
	}
}

// AttentionBackward is, with P = exp(q kᵀ/√D - lse), delta = Σ over D of do o and dS = P (do vᵀ - delta)/√D:
// dv = Pᵀ do, dk = dSᵀ q, dq = dS k. One dispatch for delta, one for dk and dv, one for dq; each sum is one invocation's, in
// the order of the tokens. Shapes as for Attention, gradients like what they are gradients of.
func AttentionBackward(p *engine.Program, dq, dk, dv, do, o, lse, q, k, v Tensor) {
	const op = "AttentionBackward"
	a, views := attentionViews(op, lse, q, dq, dk, dv, do, o, k, v)
	width := []int{a.H * a.T}
	for _, v := range views {
		width = append(width, a.T*v.ld)
	}
	for _, s := range spans(p, op, a.B, 1, width...) {
		part := func(i int) rowView { return views[i].piece(span{s.first * a.T, s.n * a.T}) }
		q, dq, dk, dv, do, o, k, v := part(0), part(1), part(2), part(3), part(4), part(5), part(6), part(7)
		a, T, lse := attention{s.n, a.T, a.H, a.D}, uint32(a.T), piece(lse, s, a.H*a.T)

		delta := Temp(p, "attention delta", a.B, a.H, a.T)
		rows := a.B * a.T * a.H
		push := attentionDeltaPush{uint32(rows), T, uint32(a.H), uint32(a.D), do.stride(), do.offset(), o.stride(), o.offset()}
		acrossRows(p, "attention/delta", rows, 2*float64(rows*a.D), push, nil, delta.Write(), do.Read(), o.Read())

		pushKV := attentionDKVPush{T, dk.stride(), dk.offset(), dv.stride(), dv.offset(), q.stride(), q.offset(),
			k.stride(), k.offset(), v.stride(), v.offset(), do.stride(), do.offset(), a.scale()}
		bindKV := []engine.Binding{dk.Write(), dv.Write(), q.Read(), k.Read(), v.Read(), do.Read(), lse.Read(), delta.Read()}
		pushQ := attentionDQPush{T, dq.stride(), dq.offset(), q.stride(), q.offset(),
			k.stride(), k.offset(), v.stride(), v.offset(), do.stride(), do.offset(), a.scale()}
		bindQ := append([]engine.Binding{dq.Write()}, bindKV[2:]...)
		if attentionRung(p.Info(), false) == attentionNarrow {
			a.narrow(p, "attention/01_narrow_bwd_dkv", 4, pushKV, bindKV)
			a.narrow(p, "attention/01_narrow_bwd_dq", 3, pushQ, bindQ)
		} else {
			a.shared(p, "attention/02_shared_bwd_dkv", 4, pushKV, bindKV)
			a.shared(p, "attention/02_shared_bwd_dq", 3, pushQ, bindQ)
		}
	}
}

// attentionViews checks that all tensors are like q and returns them as rows of a token each.
func attentionViews(op string, lse, q Tensor, others ...Tensor) (attention, []rowView) {
	check(len(q.Shape) == 4, op, "q %v: (B,T,H,D) wanted", q)
	a := attention{q.Shape[0], q.Shape[1], q.Shape[2], q.Shape[3]}
	check(a.D%8 == 0 && a.D <= 128, op, "q %v: head size %d, a multiple of 8 up to 128 wanted", q, a.D)
	check(lse.Contiguous() && lse.Len() == a.B*a.H*a.T, op, "q %v, lse %v: lse (%d,%d,%d) wanted", q, lse, a.B, a.H, a.T)
	var views []rowView
	for _, t := range append([]Tensor{q}, others...) {
		check(len(t.Shape) == 4 && [4]int(t.Shape) == [4]int(q.Shape), op, "q %v, another %v: one shape wanted", q, t)
		v := viewRows(op, t, 2)
		check(v.ld%4 == 0 && v.off%4 == 0, op, "%v: a stride and an offset of multiples of 4 floats wanted: heads are read as vec4", t)
		views = append(views, v)
	}
	return a, views
}

func (a attention) scale() float32 { return float32(1 / math.Sqrt(float64(a.D))) }

// naive records a shader that gives each invocation a query row.
func (a attention) naive(p *engine.Program, shader string, push any, bind []engine.Binding) {
	a.dispatch(p, shader, p.Info().SubgroupSize, 2, push, []uint32{uint32(p.Info().SubgroupSize), uint32(a.D)}, bind)
}

// narrow records a shader that gives each of 8 lanes one or two rows. products is how many T x T x D products it computes.
func (a attention) narrow(p *engine.Program, shader string, products float64, push any, bind []engine.Binding) {
	const lanes = 8
	rows := min(2, ceilDiv(a.T, lanes))
	a.dispatch(p, shader, lanes*rows, products, push, []uint32{lanes, uint32(a.D), uint32(rows)}, bind)
}

// shared records a shader that gives each four lanes one or two rows and stages the other side in shared memory, as many
// rows of it at a time as fit.
func (a attention) shared(p *engine.Program, shader string, products float64, push any, bind []engine.Binding) {
	const local, slices = 128, 4
	info := p.Info()
	check(info.SubgroupSize%slices == 0, shader, "subgroups of %d invocations; a multiple of %d wanted", info.SubgroupSize, slices)
	rows, tile, sub := 2, 32, 8
	if a.D > 80 {
		rows = 1 // or the rows and their gradients would not fit into registers
	}
	if info.CPU() {
		sub = 2 // unrolled less: the driver's compiler takes seconds otherwise
	}
	for width := ceilDiv(a.D, 16) * 16; tile > sub && 4*tile*2*(width+1) > info.SharedMemory; {
		tile /= 2
	}
	a.dispatch(p, shader, local/slices*rows, products, push, []uint32{local, uint32(a.D), uint32(rows), uint32(tile), uint32(sub)}, bind)
}

// dispatch records one workgroup for each rows tokens of each head.
func (a attention) dispatch(p *engine.Program, shader string, rows int, products float64, push any, spec []uint32, bind []engine.Binding) {
	p.Dispatch(engine.Dispatch{Shader: shader, Spec: spec, Groups: [3]int{ceilDiv(a.T, rows), a.H, a.B}, Push: push, Bind: bind,
		FLOPs: 2 * products * float64(a.B*a.H) * float64(a.T) * float64(a.T) * float64(a.D)})
}
