// SPDX-License-Identifier: MIT

package kernels

import (
	"math"
	"slices"
	"strings"

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
	shapes       func(info engine.Info, D int) []coopMatShape            // of one on matrix units: what fits a device, the guess first
	launch       func(info engine.Info, a attention, backward bool, shape coopMatShape) attentionLaunch
}

// An attentionWay is a rung and, for those on matrix units, the shape that it is cut into. As text it is a choice.
type attentionWay struct {
	attentionRung
	shape coopMatShape
}

func (w attentionWay) String() string {
	if w.shape == (coopMatShape{}) {
		return w.name
	}
	return w.name + " " + w.shape.String()
}

// ways returns the ways of a rung on a device, the guess first; none where the device cannot run it.
func (r attentionRung) ways(info engine.Info, a attention) (ways []attentionWay) {
	if !r.runs(info, a.Precision, a.D) {
		return nil
	}
	if r.shapes == nil {
		return []attentionWay{{r, coopMatShape{}}}
	}
	for _, s := range r.shapes(info, a.D) {
		ways = append(ways, attentionWay{r, s})
	}
	return ways
}

func (w attentionWay) launch(info engine.Info, a attention, backward bool) attentionLaunch {
	return w.attentionRung.launch(info, a, backward, w.shape)
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
		anyHeads, nil, launchNaive},
	{"attention/01_narrow", "attention/01_narrow_fwd", "attention/01_narrow_bwd_dq", "attention/01_narrow_bwd_dkv",
		func(i engine.Info, _ Precision, _ int) bool { return i.SubgroupSize == narrowLanes && i.Int64 }, nil, launchNarrow},
	{"attention/02_shared", "attention/02_shared_fwd", "attention/02_shared_bwd_dq", "attention/02_shared_bwd_dkv",
		func(i engine.Info, _ Precision, _ int) bool { return i.SubgroupSize%sharedSlices == 0 }, nil, launchShared},
	{"attention/03_coopmat", "attention/03_coopmat_fwd", "attention/03_coopmat_bwd_dq", "attention/03_coopmat_bwd_dkv",
		runsOn(coopMatShapes), coopMatShapes, launchCoopMat},
	{"attention/04_pipelined", "attention/04_pipelined_fwd", "attention/04_pipelined_bwd_dq", "attention/04_pipelined_bwd_dkv",
		runsOn(pipelinedShapes), pipelinedShapes, launchPipelined},
}

func anyHeads(engine.Info, Precision, int) bool { return true }

// launchNaive gives each invocation a row.
func launchNaive(info engine.Info, _ attention, _ bool, _ coopMatShape) attentionLaunch {
	return attentionLaunch{info.SubgroupSize, info.SubgroupSize, nil}
}

const narrowLanes = 8

// launchNarrow gives each of 8 lanes up to four rows, as evenly as it can: a load of the other side serves them all. But a
// lane's arrays, of which the backward pass has twice as many, are code too, and that should stay in the CPU's first cache.
func launchNarrow(_ engine.Info, a attention, backward bool, _ coopMatShape) attentionLaunch {
	floats := 256 // of one array
	if backward {
		floats = 128
	}
	most := min(max(floats/a.D, 2), 4)
	each := ceilDiv(a.T, narrowLanes) // rows a lane if there were one workgroup
	rows := ceilDiv(each, ceilDiv(each, most))
	return attentionLaunch{narrowLanes, narrowLanes * rows, []uint32{uint32(rows)}}
}

const sharedSlices = 4 // lanes to a row

// launchShared gives each four lanes one or two rows and stages the other side in shared memory, as many rows of it at a
// time as fit. A GPU's invocation has 255 or 256 registers: the rows and their gradients have to fit, and so has what is
// unrolled. For dk and dv at D = 64, AMD's compiler (RADV of Mesa 25.0.7, Navi 31) needs 252 with 2 rows and 2 queries at a
// time; with 8 it is 347 short.
func launchShared(info engine.Info, a attention, backward bool, _ coopMatShape) attentionLaunch {
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

// chooseAttention returns the way for a device and a call: of the rung that is asked for the guess, else what has been measured,
// else the guess.
func chooseAttention(info engine.Info, a attention, pass, rung string, choose chooser) attentionWay {
	find := func(name string) attentionRung {
		i := slices.IndexFunc(attentionRungs, func(r attentionRung) bool { return r.name == name })
		check(i >= 0, "Attention", "no rung %s", name)
		return attentionRungs[i]
	}
	runs := func(name string, precision Precision) bool {
		b := a
		b.Precision = precision
		return len(find(name).ways(info, b)) > 0
	}
	if rung = requestedRung("Attention", info, "attention/", rung, a.Precision, runs, choose.Fail); rung != "" {
		return find(rung).ways(info, a)[0]
	}
	var names []string
	choices := attentionChoices(info, a)
	for _, w := range choices {
		names = append(names, w.String())
	}
	return choices[choose.Choose(a.class(pass), names)]
}

// attentionChoices returns the ways that are worth measuring, the guess first: on a CPU driver that alone, as there the other
// rungs are known to be slower and take seconds to compile; on a GPU all that can win. 03_coopmat does what 04_pipelined does, and
// waits for memory: it is measured where that does not run.
func attentionChoices(info engine.Info, a attention) (choices []attentionWay) {
	order := []string{"attention/04_pipelined", "attention/03_coopmat", "attention/02_shared", "attention/01_narrow", "attention/00_naive"}
	if info.CPU() { // whose matrix units are loops
		order = []string{"attention/01_narrow", "attention/02_shared", "attention/00_naive"}
	}
	has := func(name string) bool {
		return slices.ContainsFunc(choices, func(w attentionWay) bool { return w.name == name })
	}
	for _, name := range order {
		if name == "attention/03_coopmat" && has("attention/04_pipelined") || name == "attention/00_naive" && len(choices) > 0 {
			continue
		}
		for _, r := range attentionRungs {
			if r.name == name {
				choices = append(choices, r.ways(info, a)...)
			}
		}
	}
	if info.CPU() {
		return choices[:1]
	}
	return choices
}

const maxHeadSize = 128

// attention is one call: the dimensions of its tensors, the precision of its operands, and which tensors lie in it.
type attention struct {
	B, T, H, D int
	Precision
	halves string // the names of the tensors that lie in halves, separated by commas
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
// what a matrix unit does with half operands. Sums, softmax and lse are fp32. q, k, v and o may lie in halves of it.
//
// The kernels are the rungs of shaders/attention. Which of them is for Program.Choose to say. Unmeasured, a CPU driver with
// subgroups of 8 and 64-bit integers gets 01_narrow, every other device 02_shared, and 04_pipelined for FP16 where it has the
// matrix unit; JITVK_RUNG names another.
func Attention(p *engine.Program, o, lse, q, k, v Tensor, opt AttentionOptions) {
	a, views := attentionViews("Attention", opt, lse, "q o k v", q, o, k, v)
	rung := chooseAttention(p.Info(), a, "forward", opt.Rung, p)
	for _, s := range spans(p, "Attention", a.B, 1, a.words(views)...) {
		part := func(i int) Tensor { return views[i].piece(span{s.first * a.T, s.n * a.T}) }
		q, o, k, v := part(0), part(1), part(2), part(3)
		a := a.batch(s.n)
		push := attentionPush{uint32(a.T), o.stride(), o.offset(), q.stride(), q.offset(), k.stride(), k.offset(), v.stride(), v.offset(),
			a.scale()}
		a.record(p, rung.fwd, rung.launch(p.Info(), a, false), 2, push, 2, o, piece(lse, s, a.H*a.T), q, k, v)
	}
}

// AttentionBackward is, with P = exp(q kᵀ/√D - lse), delta = Σ over D of do o and dS = P (do vᵀ - delta):
// dv = Pᵀ do, dk = dSᵀ q/√D, dq = dS k/√D. One dispatch for delta, one for dk and dv, one for dq; each sum is one
// invocation's, in the order of the tokens. Shapes as for Attention, gradients like what they are gradients of.
//
// With a Precision below FP32, q, k, v and do are rounded as they are loaded, P before it multiplies do and dS before it
// multiplies q and k. Sums, softmax, delta and the gradients are fp32. opt must be what Attention was given. All but lse may lie in
// halves of it; delta then is that of o as it was rounded.
func AttentionBackward(p *engine.Program, dq, dk, dv, do, o, lse, q, k, v Tensor, opt AttentionOptions) {
	const op = "AttentionBackward"
	a, views := attentionViews(op, opt, lse, "q dq dk dv do o k v", q, dq, dk, dv, do, o, k, v)
	rung := chooseAttention(p.Info(), a, "backward", opt.Rung, p)
	for _, s := range spans(p, op, a.B, 1, a.words(views)...) {
		part := func(i int) Tensor { return views[i].piece(span{s.first * a.T, s.n * a.T}) }
		q, dq, dk, dv, do, o, k, v := part(0), part(1), part(2), part(3), part(4), part(5), part(6), part(7)
		a, T, lse := a.batch(s.n), uint32(a.T), piece(lse, s, a.H*a.T)
		launch := rung.launch(p.Info(), a, true)

		delta := Temp(p, "attention delta", a.B, a.H, a.T)
		rows := a.B * a.T * a.H
		push := attentionDeltaPush{uint32(rows), T, uint32(a.H), uint32(a.D), do.stride(), do.offset(), o.stride(), o.offset()}
		acrossRows(p, "attention/delta", rows, 2*float64(rows*a.D), push,
			[]uint32{uint32(a.Precision), fours(a.D, do.Ld, do.Off, o.Ld, o.Off), inHalves(delta, do, o)},
			delta.Write(), do.read(), o.read())

		pushKV := attentionDKVPush{T, dk.stride(), dk.offset(), dv.stride(), dv.offset(), q.stride(), q.offset(),
			k.stride(), k.offset(), v.stride(), v.offset(), do.stride(), do.offset(), a.scale()}
		a.record(p, rung.dkv, launch, 4, pushKV, 2, dk, dv, q, k, v, do, lse, delta)
		pushQ := attentionDQPush{T, dq.stride(), dq.offset(), q.stride(), q.offset(),
			k.stride(), k.offset(), v.stride(), v.offset(), do.stride(), do.offset(), a.scale()}
		a.record(p, rung.dq, launch, 3, pushQ, 1, dq, q, k, v, do, lse, delta)
	}
}

// attentionViews checks that all tensors, q first, are like q and returns them as rows of a token each. names are theirs.
func attentionViews(op string, opt AttentionOptions, lse Tensor, names string, tensors ...Tensor) (attention, []Tensor) {
	q := tensors[0]
	check(len(q.Shape) == 4, op, "q %v: (B,T,H,D) wanted", q)
	a := attention{B: q.Shape[0], T: q.Shape[1], H: q.Shape[2], D: q.Shape[3], Precision: opt.Precision}
	check(a.D%8 == 0 && a.D <= maxHeadSize, op, "q %v: head size %d, a multiple of 8 up to %d wanted", q, a.D, maxHeadSize)
	check(lse.Contiguous() && lse.Len() == a.B*a.H*a.T && lse.Precision == FP32, op, "q %v, lse %v: lse (%d,%d,%d) in fp32 wanted", q, lse,
		a.B, a.H, a.T)
	var views []Tensor
	var halves []string
	for i, t := range tensors {
		name := strings.Split(names, " ")[i]
		check(len(t.Shape) == 4 && [4]int(t.Shape) == [4]int(q.Shape), op, "q %v, another %v: one shape wanted", q, t)
		check(t.Precision == FP32 || t.Precision == opt.Precision, op, "%s %v: fp32 or %v wanted", name, t, opt.Precision)
		v := t.byRows(op, 2)
		check(v.Ld%4 == 0 && v.Off%4 == 0, op, "%v: a stride and an offset of multiples of 4 floats wanted: heads are read as vec4", t)
		if views = append(views, v); t.Precision != FP32 {
			halves = append(halves, name)
		}
	}
	a.halves = strings.Join(halves, ",")
	return a, views
}

// batch is the same call for n images.
func (a attention) batch(n int) attention { a.B = n; return a }

func (a attention) scale() float32 { return float32(1 / math.Sqrt(float64(a.D))) }

// words returns how many 32-bit words an image has in each of some tensors, and in lse.
func (a attention) words(views []Tensor) []int {
	words := []int{a.H * a.T}
	for _, v := range views {
		words = append(words, v.words(a.T*v.Ld))
	}
	return words
}

// inHalves has a bit for each of the tensors that a shader binds: whether it lies in halves.
func inHalves(tensors ...Tensor) (bits uint32) {
	for i, t := range tensors {
		bits |= flag(t.Precision != FP32) << i
	}
	return bits
}

// record records one pass: a workgroup for each few tokens of each head. products is how many T x T x D products it computes. The
// first `written` of the tensors are written, the others read.
func (a attention) record(p *engine.Program, shader string, l attentionLaunch, products float64, push any, written int, tensors ...Tensor) {
	var bind []engine.Binding
	for i, t := range tensors {
		if i < written {
			bind = append(bind, t.write())
		} else {
			bind = append(bind, t.read())
		}
	}
	p.Dispatch(engine.Dispatch{Shader: shader, Push: push, Bind: bind,
		Spec:   slices.Concat([]uint32{uint32(l.local), uint32(a.D), uint32(a.Precision)}, l.spec, []uint32{inHalves(tensors...)}),
		Groups: [3]int{ceilDiv(a.T, l.rows), a.H, a.B},
		FLOPs:  2 * products * float64(a.B*a.H) * float64(a.T) * float64(a.T) * float64(a.D)})
}
