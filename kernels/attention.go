// SPDX-License-Identifier: MIT

package kernels

import (
	"math"
	"slices"

	"jitvk/engine"
)

// AttentionOptions say in what precision the matrix products of attention are made, and by which rung.
type AttentionOptions struct {
	Precision Precision
	Rung      string // a rung by its whole name, "attention/02_shared"; "" leaves the choice to JITVK_RUNG and the device
}

// An attentionRung is a rung of shaders/attention and its three shaders.
type attentionRung struct {
	name         string
	fwd, dq, dkv string
	runs         func(info engine.Info, precision Precision, D int) bool // whether a device has what the rung needs for heads of D floats
	launch       func(info engine.Info, a attention, backward bool) attentionLaunch
}

// An attentionLaunch is how a rung's shaders are launched, all three alike: the invocations of a workgroup, how many tokens of
// one head it owns, and the specialization constants from 3 on (0 is LOCAL, 1 D, 2 PRECISION).
type attentionLaunch struct {
	local, rows int
	spec        []uint32
}

// attentionRungs are the rungs, from the foot of the ladder up.
var attentionRungs = []attentionRung{
	{"attention/00_naive", "attention/00_naive_fwd", "attention/00_naive_bwd_dq", "attention/00_naive_bwd_dkv",
		anyHeads, launchNaive},
	{"attention/01_narrow", "attention/01_narrow_fwd", "attention/01_narrow_bwd_dq", "attention/01_narrow_bwd_dkv",
		func(i engine.Info, _ Precision, _ int) bool { return (i.SubgroupSize == 8 || i.SubgroupSize == 16) && i.Int64 }, launchNarrow},
	{"attention/02_shared", "attention/02_shared_fwd", "attention/02_shared_bwd_dq", "attention/02_shared_bwd_dkv",
		func(i engine.Info, _ Precision, _ int) bool { return i.SubgroupSize%sharedSlices == 0 }, launchShared},
	{"attention/03_coopmat", "attention/03_coopmat_fwd", "attention/03_coopmat_bwd_dq", "attention/03_coopmat_bwd_dkv",
		hasAttentionShape, launchCoopMat},
}

func anyHeads(engine.Info, Precision, int) bool { return true }

// launchNaive gives each invocation a row.
func launchNaive(info engine.Info, _ attention, _ bool) attentionLaunch {
	return attentionLaunch{info.SubgroupSize, info.SubgroupSize, nil}
}

// launchNarrow gives each lane of a subgroup, 8 or 16, up to four rows, as evenly as it can: a load of the other side serves them all. But a
// lane's arrays, of which the backward pass has twice as many, are code too, and that should stay in the CPU's first cache.
func launchNarrow(info engine.Info, a attention, backward bool) attentionLaunch {
	floats := 256 // of one array
	if backward {
		floats = 128
	}
	most := min(max(floats/a.D, 2), 4)
	lanes := info.SubgroupSize
	each := ceilDiv(a.T, lanes) // rows a lane if there were one workgroup
	rows := ceilDiv(each, ceilDiv(each, most))
	return attentionLaunch{lanes, lanes * rows, []uint32{uint32(rows), uint32(lanes)}}
}

const sharedSlices = 4 // lanes to a row

// launchShared gives each four lanes one or two rows and stages the other side in shared memory, as many rows of it at a
// time as fit. A GPU's invocation has 255 or 256 registers: the rows and their gradients have to fit, and so has what is
// unrolled. For dk and dv at D = 64, AMD's compiler (RADV of Mesa 25.0.7, Navi 31) needs 252 with 2 rows and 2 queries at a
// time; with 8 it is 347 short.
func launchShared(info engine.Info, a attention, backward bool) attentionLaunch {
	const local = 128
	rows, tile, sub := 2, 32, 8
	if a.D > 80 || backward && a.D > 64 {
		rows = 1
	}
	if info.CPU() || backward { // a CPU driver's compiler would take seconds
		sub = 2
	}
	for width := ceilDiv(a.D, 16) * 16; tile > sub && 4*tile*2*(width+1) > info.SharedMemory; {
		tile /= 2
	}
	return attentionLaunch{local, local / sharedSlices * rows, []uint32{uint32(rows), uint32(tile), uint32(sub)}}
}

// AttentionRungsOn returns the rungs that a device can run with operands of a precision and heads of some size, from the foot
// of the ladder up.
func AttentionRungsOn(info engine.Info, precision Precision) (names []string) {
	for _, r := range attentionRungs {
		for D := 8; D <= maxHeadSize; D += 8 {
			if r.runs(info, precision, D) {
				names = append(names, r.name)
				break
			}
		}
	}
	return names
}

// A chooser is what a choice needs of a Program.
type chooser interface {
	Choose(class string, choices []string) int
	Fail(err error)
}

// chooseAttention returns the rung for a device and a call: what is asked for, else what has been measured, else the guess.
func chooseAttention(info engine.Info, a attention, pass, rung string, choose chooser) attentionRung {
	find := func(name string) attentionRung {
		i := slices.IndexFunc(attentionRungs, func(r attentionRung) bool { return r.name == name })
		check(i >= 0, "Attention", "no rung %s", name)
		return attentionRungs[i]
	}
	runs := func(name string, precision Precision) bool { return find(name).runs(info, precision, a.D) }
	if rung = requestedRung("Attention", info, "attention/", rung, a.Precision, runs, choose.Fail); rung != "" {
		return find(rung)
	}
	choices := attentionChoices(info, a)
	return find(choices[choose.Choose(a.class(pass), choices)])
}

// attentionChoices returns the rungs that are worth measuring, the guess first: on a CPU driver that alone, as there the other
// rungs are known to be slower and take seconds to compile; on a GPU all that can win.
func attentionChoices(info engine.Info, a attention) (choices []string) {
	order := []string{"attention/03_coopmat", "attention/02_shared", "attention/01_narrow"}
	if info.CPU() { // whose matrix units are loops
		order = []string{"attention/01_narrow", "attention/02_shared"}
	}
	for _, name := range append(order, "attention/00_naive") {
		for _, r := range attentionRungs {
			if r.name == name && r.runs(info, a.Precision, a.D) {
				choices = append(choices, name)
			}
		}
	}
	if info.CPU() {
		return choices[:1]
	}
	return slices.DeleteFunc(choices, func(name string) bool { return name == "attention/00_naive" && len(choices) > 1 })
}

const maxHeadSize = 128

// attention is one call: the dimensions of its tensors and the precision of its operands.
type attention struct {
	B, T, H, D int
	Precision
}

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
//
// With a Precision below FP32, q, k and v are rounded to it as they are loaded, and so are the probabilities that multiply v:
// what a matrix unit does with half operands. Sums, softmax and lse are fp32.
//
// The kernels are the rungs of shaders/attention. Which of them is for Program.Choose to say. Unmeasured, a CPU driver with
// subgroups of 8 or 16 and 64-bit integers gets 01_narrow, every other device 02_shared, and 03_coopmat for FP16 where it has the
// matrix unit; JITVK_RUNG names another.
func Attention(p *engine.Program, o, lse, q, k, v Tensor, opt AttentionOptions) {
	a, views := attentionViews("Attention", opt, lse, q, o, k, v)
	rung := chooseAttention(p.Info(), a, "forward", opt.Rung, p)
	for _, s := range spans(p, "Attention", a.B, 1, a.T*views[0].Ld, a.T*views[1].Ld, a.T*views[2].Ld, a.T*views[3].Ld, a.H*a.T) {
		part := func(i int) Tensor { return views[i].piece(span{s.first * a.T, s.n * a.T}) }
		q, o, k, v := part(0), part(1), part(2), part(3)
		a := a.batch(s.n)
		push := attentionPush{uint32(a.T), o.stride(), o.offset(), q.stride(), q.offset(), k.stride(), k.offset(), v.stride(), v.offset(),
			a.scale()}
		a.record(p, rung.fwd, rung.launch(p.Info(), a, false), 2, push, o.Write(), piece(lse, s, a.H*a.T).Write(), q.Read(), k.Read(),
			v.Read())
	}
}

// AttentionBackward is, with P = exp(q kᵀ/√D - lse), delta = Σ over D of do o and dS = P (do vᵀ - delta):
// dv = Pᵀ do, dk = dSᵀ q/√D, dq = dS k/√D. One dispatch for delta, one for dk and dv, one for dq; each sum is one
// invocation's, in the order of the tokens. Shapes as for Attention, gradients like what they are gradients of.
//
// With a Precision below FP32, q, k, v and do are rounded as they are loaded, P before it multiplies do and dS before it
// multiplies q and k. Sums, softmax, delta and the gradients are fp32. opt must be what Attention was given.
func AttentionBackward(p *engine.Program, dq, dk, dv, do, o, lse, q, k, v Tensor, opt AttentionOptions) {
	const op = "AttentionBackward"
	a, views := attentionViews(op, opt, lse, q, dq, dk, dv, do, o, k, v)
	rung := chooseAttention(p.Info(), a, "backward", opt.Rung, p)
	width := []int{a.H * a.T}
	for _, v := range views {
		width = append(width, a.T*v.Ld)
	}
	for _, s := range spans(p, op, a.B, 1, width...) {
		part := func(i int) Tensor { return views[i].piece(span{s.first * a.T, s.n * a.T}) }
		q, dq, dk, dv, do, o, k, v := part(0), part(1), part(2), part(3), part(4), part(5), part(6), part(7)
		a, T, lse := a.batch(s.n), uint32(a.T), piece(lse, s, a.H*a.T)
		launch := rung.launch(p.Info(), a, true)

		delta := Temp(p, "attention delta", a.B, a.H, a.T)
		rows := a.B * a.T * a.H
		push := attentionDeltaPush{uint32(rows), T, uint32(a.H), uint32(a.D), do.stride(), do.offset(), o.stride(), o.offset()}
		acrossRows(p, "attention/delta", rows, 2*float64(rows*a.D), push,
			[]uint32{uint32(a.Precision), fours(a.D, do.Ld, do.Off, o.Ld, o.Off)}, delta.Write(), do.Read(), o.Read())

		pushKV := attentionDKVPush{T, dk.stride(), dk.offset(), dv.stride(), dv.offset(), q.stride(), q.offset(),
			k.stride(), k.offset(), v.stride(), v.offset(), do.stride(), do.offset(), a.scale()}
		a.record(p, rung.dkv, launch, 4, pushKV, dk.Write(), dv.Write(), q.Read(), k.Read(), v.Read(), do.Read(), lse.Read(), delta.Read())
		pushQ := attentionDQPush{T, dq.stride(), dq.offset(), q.stride(), q.offset(),
			k.stride(), k.offset(), v.stride(), v.offset(), do.stride(), do.offset(), a.scale()}
		a.record(p, rung.dq, launch, 3, pushQ, dq.Write(), q.Read(), k.Read(), v.Read(), do.Read(), lse.Read(), delta.Read())
	}
}

// attentionViews checks that all tensors are like q and returns them as rows of a token each.
func attentionViews(op string, opt AttentionOptions, lse, q Tensor, others ...Tensor) (attention, []Tensor) {
	check(len(q.Shape) == 4, op, "q %v: (B,T,H,D) wanted", q)
	a := attention{q.Shape[0], q.Shape[1], q.Shape[2], q.Shape[3], opt.Precision}
	check(a.D%8 == 0 && a.D <= maxHeadSize, op, "q %v: head size %d, a multiple of 8 up to %d wanted", q, a.D, maxHeadSize)
	check(lse.Contiguous() && lse.Len() == a.B*a.H*a.T, op, "q %v, lse %v: lse (%d,%d,%d) wanted", q, lse, a.B, a.H, a.T)
	var views []Tensor
	for _, t := range append([]Tensor{q}, others...) {
		check(len(t.Shape) == 4 && [4]int(t.Shape) == [4]int(q.Shape), op, "q %v, another %v: one shape wanted", q, t)
		v := t.byRows(op, 2)
		check(v.Ld%4 == 0 && v.Off%4 == 0, op, "%v: a stride and an offset of multiples of 4 floats wanted: heads are read as vec4", t)
		views = append(views, v)
	}
	return a, views
}

// batch is the same call for n images.
func (a attention) batch(n int) attention { a.B = n; return a }

func (a attention) scale() float32 { return float32(1 / math.Sqrt(float64(a.D))) }

// record records one pass: a workgroup for each few tokens of each head. products is how many T x T x D products it computes.
func (a attention) record(p *engine.Program, shader string, l attentionLaunch, products float64, push any, bind ...engine.Binding) {
	p.Dispatch(engine.Dispatch{Shader: shader, Push: push, Bind: bind,
		Spec:   append([]uint32{uint32(l.local), uint32(a.D), uint32(a.Precision)}, l.spec...),
		Groups: [3]int{ceilDiv(a.T, l.rows), a.H, a.B},
		FLOPs:  2 * products * float64(a.B*a.H) * float64(a.T) * float64(a.T) * float64(a.D)})
}
