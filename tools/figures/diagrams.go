// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"jitvk/kernels"
	"jitvk/kernels/ref"
	"jitvk/model/run"
)

// constants reads the numbers that a shader's source gives to "const uint NAME = 64, …" and to its specialization constants.
func constants(root, shader string) (map[string]int, error) {
	text, err := os.ReadFile(filepath.Join(root, "shaders", shader))
	if err != nil {
		return nil, err
	}
	out := map[string]int{}
	for _, m := range regexp.MustCompile(`\b([A-Z]{2,}) = (\d+)[,;]`).FindAllStringSubmatch(string(text), -1) {
		if out[m[1]], err = strconv.Atoi(m[2]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// drawMatMul: where a tile of C comes from, and an invocation's part of it.
func drawMatMul(root string) (*canvas, error) {
	k, err := constants(root, "matmul/02_register.comp")
	if err != nil {
		return nil, err
	}
	BM, BN, BK, TM, TN := k["BM"], k["BN"], k["BK"], k["TM"], k["TN"]
	if BM*BN*BK*TM*TN == 0 {
		return nil, fmt.Errorf("matmul/02_register.comp names no tile: %v", k)
	}
	c := newCanvas(780, 410)
	const unit = 0.9 // points an element
	bm, bn, bk := float64(BM)*unit, float64(BN)*unit, float64(BK)*unit
	const K, ax, ay = 160.0, 30.0, 222.0 // K in points; A's top left corner
	cx, by := ax+K+20, ay-K-20           // C's left, B's top
	m, n := 2.5*bm, 3*bn
	k0 := 5 * bk // of the slice that is being multiplied
	c.rect(ax, ay, K, m, pale, rule)
	c.rect(cx, by, n, K, pale, rule)
	c.rect(cx, ay, n, m, pale, rule)
	for i := 1.0; i*bm < m; i++ {
		c.path(rule, 1, cx, ay+i*bm, cx+n, ay+i*bm)
	}
	for i := 1.0; i*bn < n; i++ {
		c.path(rule, 1, cx+i*bn, ay, cx+i*bn, ay+m)
	}
	// The tile, the band of A and the band of B that it is made of, and the slices in shared memory.
	c.rect(ax, ay+bm, K, bm, sky, nil)
	c.rect(cx+bn, by, bn, K, peach, nil)
	c.rect(ax+k0, ay+bm, bk, bm, blue, nil)
	c.rect(cx+bn, by+k0, bn, bk, orange, nil)
	c.rect(cx+bn, ay+bm, bn, bm, mint, green)
	c.arrow(blue, ax+k0+bk+6, ay+bm*1.5, ax+k0+bk+46, ay+bm*1.5)
	c.arrow(orange, cx+bn*1.5, by+k0+bk+6, cx+bn*1.5, by+k0+bk+46)
	c.bold(ax+6, ay+16, 12, 0, ink, "A  (M,K)")
	c.bold(cx+6, by+16, 12, 0, ink, "B  (K,N)")
	c.bold(cx+6, ay+16, 12, 0, ink, "C  (M,N)")
	c.write(ax, by+16, 11, 0, soft, "A workgroup owns a tile of C")
	c.write(ax, by+32, 11, 0, soft, fmt.Sprintf("of %d x %d elements. It walks", BM, BN))
	c.write(ax, by+48, 11, 0, soft, fmt.Sprintf("along K in steps of %d: loads a", BK))
	c.write(ax, by+64, 11, 0, soft, "slice of A and one of B into")
	c.write(ax, by+80, 11, 0, soft, "shared memory, multiplies them.")
	c.write(cx+bn*1.5, ay+bm*1.5+4, 11, 0.5, green, fmt.Sprintf("%d x %d", BM, BN))

	// The tile enlarged: a square an invocation, with one invocation's operands.
	x, y, side := 540.0, 130.0, 220.0
	down, across := BM/TM, BN/TN
	sy, sx := side/float64(down), side/float64(across)
	i, j := down/3, across/2
	c.rect(x, y, side, side, mint, nil)
	for s := 0; s <= down; s++ {
		c.path(rule, 0.5, x, y+float64(s)*sy, x+side, y+float64(s)*sy)
	}
	for s := 0; s <= across; s++ {
		c.path(rule, 0.5, x+float64(s)*sx, y, x+float64(s)*sx, y+side)
	}
	c.rect(x, y, side, side, nil, green)
	c.path(green, 0.75, cx+2*bn, ay+bm, x, y)
	c.path(green, 0.75, cx+2*bn, ay+2*bm, x, y+side)
	fi, fj := float64(i), float64(j)
	c.rect(x-40, y, 22, side, sky, nil)
	c.rect(x, y-40, side, 22, peach, nil)
	c.rect(x-40, y+fi*sy, 22, sy, blue, nil)
	c.rect(x+fj*sx, y-40, sx, 22, orange, nil)
	c.path(blue, 1, x-18, y+fi*sy+sy/2, x+fj*sx, y+fi*sy+sy/2)
	c.path(orange, 1, x+fj*sx+sx/2, y-18, x+fj*sx+sx/2, y+fi*sy)
	c.rect(x+fj*sx, y+fi*sy, sx, sy, green, nil)
	c.write(x+side, y-48, 11, 1, soft, "a row of B's slice")
	c.write(x-40, y-8, 11, 0, soft, "a column of A's slice")
	c.write(x+side, y+side+18, 11, 1, soft, fmt.Sprintf("%d x %d invocations; each holds %d x %d sums", down, across, TM, TN))
	c.bold(x+side, y+side+36, 12, 1, ink, fmt.Sprintf("a step: %d reads of shared memory, %d multiply-adds", TM+TN, TM*TN))
	c.bold(30, 24, 13, 0, ink, "02_register: tiles that move along K")
	return c, nil
}

// drawAttention: the scores that nobody stores, and who walks over them.
func drawAttention(root string) (*canvas, error) {
	k, err := constants(root, "attention/02_shared_fwd.comp")
	if err != nil {
		return nil, err
	}
	keys := k["KEYS"]
	if keys == 0 {
		return nil, fmt.Errorf("attention/02_shared_fwd.comp names no KEYS: %v", k)
	}
	preset, err := run.Preset("blog256")
	if err != nil {
		return nil, err
	}
	p := preset.Model
	T, H := p.Tokens(), p.Heads
	tiles := (T + keys - 1) / keys
	c := newCanvas(780, 404)
	c.bold(30, 24, 13, 0, ink, fmt.Sprintf("The scores of %d tokens: %d x %d numbers a head, of which only a tile exists at a time "+
		"(02_shared)", T, T, T))
	const side, y = 200.0, 76.0
	step := side / float64(tiles)
	pass := func(x float64, name string, byColumn bool, own, tile string, lines ...string) {
		c.bold(x+side/2, y-28, 12, 0.5, ink, name)
		c.rect(x, y, side, side, pale, rule)
		for i := 1; i < tiles; i++ {
			f := float64(i) * step
			c.path(rule, 0.5, x+f, y, x+f, y+side)
			c.path(rule, 0.5, x, y+f, x+side, y+f)
		}
		at := 5.0 // the tile now
		if byColumn {
			c.rect(x+4*step, y, 2*step, side, peach, nil)
			c.rect(x+4*step, y, 2*step, at*step, color.RGBA{0xec, 0xb8, 0x91, 0xff}, nil)
			c.rect(x+4*step, y+at*step, 2*step, step, orange, nil)
			c.arrow(orange, x+5*step, y+(at+1)*step+4, x+5*step, y+(at+4)*step)
		} else {
			c.rect(x, y+4*step, side, 2*step, sky, nil)
			c.rect(x, y+4*step, at*step, 2*step, color.RGBA{0x9a, 0xc0, 0xe6, 0xff}, nil)
			c.rect(x+at*step, y+4*step, step, 2*step, blue, nil)
			c.arrow(blue, x+(at+1)*step+4, y+5*step, x+(at+4)*step, y+5*step)
		}
		c.write(x+side/2, y-8, 10.5, 0.5, soft, "keys and values")
		c.write(x-6, y+side+14, 10.5, 0, soft, "queries down")
		c.write(x+side, y+side+14, 10.5, 1, soft, tile)
		for i, l := range lines {
			c.write(x, y+side+36+15*float64(i), 11, 0, ink, l)
		}
		c.write(x, y+side+36+15*float64(len(lines)), 11, 0, soft, own)
	}
	tile := fmt.Sprintf("%d tiles of %d", tiles, keys)
	pass(36, "forward", false, "stored: o, lse", tile, "a row of queries keeps its largest", "score, its sum and its output; a",
		"larger score rescales both")
	pass(292, "backward: dq", false, "stored: dq", tile, "P = exp(s - lse) again, no maximum", "to find; dS = P (do v - delta);",
		"dq adds up along the row")
	pass(548, "backward: dk and dv", true, "stored: dk, dv", fmt.Sprintf("%d tiles of queries", tiles),
		"the same P and dS by columns: a key's", "gradients add up in its own", "registers, so no two ever collide")
	scores, lse := 4*float64(T)*float64(T)*float64(H), 4*float64(T)*float64(H)
	c.bold(36, 390, 11.5, 0, green, fmt.Sprintf("blog256, one image, one block: %.1f MB of probabilities not stored; lse and delta take "+
		"%.0f KB each", scores/1e6, lse/1e3))
	return c, nil
}

// drawFold: patches that overlap, how often each pixel is covered, and what the windows add up to.
func drawFold(string) (*canvas, error) {
	small, err := run.Preset("quick")
	if err != nil {
		return nil, err
	}
	large, err := run.Preset("blog256")
	if err != nil {
		return nil, err
	}
	quick, blog := small.Model, large.Model
	c := newCanvas(780, 400)
	// Left: the pixels, by how many patches cover each.
	c.bold(30, 24, 13, 0, ink, fmt.Sprintf("quick: %d px, patches of %d every %d: %d tokens", quick.Size, quick.Patch, quick.Stride,
		quick.Tokens()))
	const x, y, side = 30.0, 44.0, 280.0
	px := side / float64(quick.Size)
	ones := make([]float64, quick.Patch)
	for i := range ones {
		ones[i] = 1
	}
	shade := map[int]color.Color{1: pale, 2: sky, 4: color.RGBA{0x8f, 0xb9, 0xe3, 0xff}}
	for i, v := range ref.FoldNorm(ones, quick.Size, quick.Size, quick.Stride) {
		c.rect(x+float64(i%quick.Size)*px, y+float64(i/quick.Size)*px, px, px, shade[int(math.Round(1/v))], rule)
	}
	patch := func(row, col int, edge color.Color) {
		at := func(n int) float64 { return float64(n*quick.Stride) * px }
		for d := range 3 { // a thick edge
			o := float64(d) - 1
			c.rect(x+at(col)+o, y+at(row)+o, float64(quick.Patch)*px-2*o, float64(quick.Patch)*px-2*o, nil, edge)
		}
	}
	patch(1, 1, orange)
	patch(1, 2, green)
	patch(2, 1, blue)
	for i, n := range []int{1, 2, 4} {
		at := x + float64(i)*95
		c.rect(at, y+side+14, 12, 12, shade[n], rule)
		c.write(at+18, y+side+24, 11, 0, ink, fmt.Sprintf("in %d %s", n, map[bool]string{true: "patch", false: "patches"}[n == 1]))
	}
	c.write(x, y+side+48, 11, 0, soft, "A pixel of the folded image gathers from each patch that covers it,")
	c.write(x, y+side+63, 11, 0, soft, "so no two invocations add to one place.")

	// Right: the windows along one axis, and their sum.
	sine := make([]float32, quick.Patch)
	for i := range sine {
		sine[i] = float32(math.Sin(math.Pi * (float64(i) + 0.5) / float64(quick.Patch)))
	}
	curves := func(top float64, title, note string, window []float32, size, stride, patches int) {
		const left, width, height = 400.0, 350.0, 110.0
		step := width / float64(size)
		place := func(n int, v float64) (x, y float64) { return left + (float64(n)+0.5)*step, top + height*(1-v) }
		c.bold(left, top-14, 12, 0, ink, title)
		for _, v := range []float64{0, 1} {
			_, y := place(0, v)
			c.path(rule, 0.75, left, y, left+width, y)
			c.write(left-6, y+4, 10, 1, soft, fmt.Sprint(v))
		}
		sum := make([]float64, size)
		colours := []color.Color{orange, green, blue}
		for p := range patches {
			var xy []float64
			for i, w := range window {
				if n := p*stride + i; n < size {
					sum[n] += float64(w)
					x, y := place(n, float64(w))
					xy = append(xy, x, y)
				}
			}
			if len(xy) > 2 {
				c.path(colours[p%3], 1.25, xy...)
			}
		}
		var xy []float64
		for n, v := range sum {
			x, y := place(n, v)
			xy = append(xy, x, y)
		}
		c.path(ink, 2, xy...)
		c.write(left, top+height+18, 11, 0, soft, note)
	}
	curves(56, "quick: a sine, nowhere zero", "thin: the windows of the patches; thick: their sum", sine, quick.Size, quick.Stride,
		quick.Grid())
	hann := kernels.Hann(blog.Patch)
	shown := blog.Patch + 3*blog.Stride // the first patches of a row
	curves(238, fmt.Sprintf("blog256: Hann over %d, every %d (the first 4 of %d)", blog.Patch, blog.Stride, blog.Grid()),
		"zero at its ends: the first pixel's sum is 0 and its value stays grey", hann, shown, blog.Stride, 5)
	return c, nil
}

// drawRowwise: who adds what, across rows and down columns.
func drawRowwise(string) (*canvas, error) {
	c := newCanvas(780, 330)
	const lanes, cols, rows = 8, 24, 8
	colours := []color.Color{blue, orange, green, color.RGBA{0x7a, 0x4f, 0xa3, 0xff}, color.RGBA{0x1b, 0x8a, 0x8f, 0xff},
		color.RGBA{0xa8, 0x32, 0x5e, 0xff},
		color.RGBA{0x8a, 0x7a, 0x14, 0xff}, soft}
	cell := 12.0
	c.bold(30, 24, 13, 0, ink, "Across rows: a subgroup owns a row")
	x, y := 30.0, 46.0
	for r := range rows {
		for k := range cols {
			var fill color.Color = pale
			if r == 2 {
				fill = colours[k%lanes]
			}
			c.rect(x+float64(k)*cell, y+float64(r)*cell, cell, cell, fill, rule)
		}
	}
	c.write(x+cols*cell+8, y+2.5*cell+4, 11, 0, ink, "x")
	// Each lane's own sum, and the sum of lanes.
	for l := range lanes {
		at := x + float64(l)*36
		c.rect(at, 176, 30, 18, colours[l], nil)
		c.write(at+15, 189, 10, 0.5, color.White, fmt.Sprintf("lane %d", l))
		c.path(soft, 0.75, at+15, 194, x+126+15, 224)
	}
	c.write(x, 166, 11, 0, soft, fmt.Sprintf("each lane adds every %dth element (here: subgroups of %d)", lanes, lanes))
	c.rect(x+96, 224, 90, 20, mint, green)
	c.write(x+141, 238, 10.5, 0.5, green, "subgroupAdd")
	c.write(x, 266, 11, 0, ink, "One answer for the row: rstd, dot, delta. No shared memory,")
	c.write(x, 281, 11, 0, ink, "no barrier, and right for any subgroup size.")
	c.write(x, 302, 11, 0, soft, "On a CPU driver an invocation owns a row and adds it alone.")

	c.bold(420, 24, 13, 0, ink, "Down columns: an invocation owns a column of a chunk")
	x = 420
	const tall, chunk = 12, 4
	cell = 11
	for r := range tall {
		for k := range cols {
			var fill color.Color = []color.Color{sky, peach, mint}[r/chunk]
			if k == 9 {
				fill = []color.Color{blue, orange, green}[r/chunk]
			}
			c.rect(x+float64(k)*cell, y+float64(r)*cell, cell, cell, fill, rule)
		}
	}
	for g := range tall / chunk {
		c.write(x+cols*cell+8, y+(float64(g*chunk)+chunk/2)*cell+4, 10.5, 0, soft, fmt.Sprintf("chunk %d", g))
		for k := range cols {
			var fill color.Color = []color.Color{sky, peach, mint}[g]
			if k == 9 {
				fill = []color.Color{blue, orange, green}[g]
			}
			c.rect(x+float64(k)*cell, 204+float64(g)*cell, cell, cell, fill, rule)
		}
	}
	mid := x + 9.5*cell
	c.arrow(soft, mid, y+tall*cell+2, mid, 202)
	c.write(x+cols*cell+8, 204+1.5*cell+4, 10.5, 0, soft, "partial sums")
	c.arrow(soft, mid, 204+3*cell+2, mid, 260)
	for k := range cols {
		var fill color.Color = pale
		if k == 9 {
			fill = ink
		}
		c.rect(x+float64(k)*cell, 262, cell, cell, fill, rule)
	}
	c.write(x+cols*cell+8, 272, 10.5, 0, ink, "dw, db")
	c.write(x, 294, 11, 0, ink, "Two passes of about the root of the rows each, always in the")
	c.write(x, 309, 11, 0, ink, "same order: the same bits every run, and a small rounding error.")
	return c, nil
}

// drawRandom: one value's way from its counter, and what many of them look like.
func drawRandom(string) (*canvas, error) {
	c := newCanvas(780, 350)
	c.bold(30, 24, 13, 0, ink, "Values 40 to 43 of image 3, step 7, seed 1: no state, no order, no neighbour")
	r := ref.Random{Seed: 1, Step: 7, Image0: 3, Stream: kernels.StreamNoise}
	const quad = 10
	words := r.Words(quad, 0)
	normals := ref.BoxMuller[float64](words)
	box := func(x, y, w float64, fill, edge color.Color, name, value string) {
		c.rect(x, y, w, 36, fill, edge)
		c.write(x+w/2, y+14, 10, 0.5, soft, name)
		c.write(x+w/2, y+30, 11, 0.5, ink, value)
	}
	c.write(30, 54, 11, 0, ink, "counter")
	for i, v := range []string{"j / 4", "image", "step", "stream"} {
		box(30+88*float64(i), 62, 82, sky, blue, v, fmt.Sprint([]uint32{quad, r.Image0, r.Step, r.Stream}[i]))
	}
	c.write(30, 126, 11, 0, ink, "key")
	box(30, 134, 170, peach, orange, "seed, low word", fmt.Sprint(uint32(r.Seed)))
	box(206, 134, 170, peach, orange, "seed, high word", fmt.Sprint(uint32(r.Seed>>32)))
	c.rect(410, 84, 120, 64, pale, soft)
	c.bold(470, 110, 12, 0.5, ink, "Philox4x32")
	c.write(470, 128, 11, 0.5, ink, "10 rounds")
	c.arrow(blue, 380, 90, 408, 104)
	c.arrow(orange, 380, 148, 408, 130)
	c.arrow(soft, 532, 116, 562, 116)
	for i, w := range words {
		box(566, 48+40*float64(i), 92, pale, soft, fmt.Sprintf("word %d", i), fmt.Sprintf("%08x", w))
		box(678, 48+40*float64(i), 76, mint, green, fmt.Sprintf("value %d", 4*quad+i), fmt.Sprintf("%+.4f", normals[i]))
		for _, v := range []int{i, i ^ 1} { // a pair of values from a pair of words
			c.path(soft, 0.75, 658, 66+40*float64(i), 678, 66+40*float64(v))
		}
	}
	c.write(716, 224, 10.5, 0.5, soft, "Box-Muller, in pairs")

	// A histogram against the density.
	const n, bins, lo, hi = 1 << 18, 80, -4.0, 4.0
	x := make([]float64, n)
	ref.Normal(x, 4, n/4, ref.Random{Seed: 1})
	var count [bins]float64
	for _, v := range x {
		if b := int((v - lo) / (hi - lo) * bins); v >= lo && b < bins {
			count[b]++
		}
	}
	const left, base, width, height = 30.0, 322.0, 500.0, 116.0
	density := func(v float64) float64 { return math.Exp(-v*v/2) / math.Sqrt(2*math.Pi) }
	scale := height / 0.42
	step := width / bins
	for b, k := range count {
		h := k / n / ((hi - lo) / bins) * scale
		c.rect(left+float64(b)*step, base-h, step-1, h, sky, nil)
	}
	var curve []float64
	for i := 0; i <= 200; i++ {
		v := lo + (hi-lo)*float64(i)/200
		curve = append(curve, left+width*float64(i)/200, base-density(v)*scale)
	}
	c.path(blue, 1.5, curve...)
	c.path(soft, 0.75, left, base, left+width, base)
	for v := lo; v <= hi; v += 2 {
		c.write(left+width*(v-lo)/(hi-lo), base+16, 10, 0.5, soft, fmt.Sprint(v))
	}
	c.write(left+6, base-height+26, 11, 0, soft, fmt.Sprintf("%d values of step 0", n))
	c.write(left+6, base-height+41, 11, 0, soft, "and the density of N(0,1)")
	for i, l := range []string{"Cut the batch another way, or", "begin at another step: image 3 of", "step 7 gets the same numbers."} {
		c.write(560, 270+16*float64(i), 11.5, 0, ink, l)
	}
	return c, nil
}
