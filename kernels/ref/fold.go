// SPDX-License-Identifier: MIT

package ref

import "math"

// Patches says how images of (3,ImgH,ImgW) are cut into patches; patch and stride in pixels.
type Patches struct {
	ImgH, ImgW, Patch, Stride int
	ChannelLast               bool // element order (i,j,c), else (c,i,j)
}

// Tokens returns the number of patches of one image: rows, columns.
func (g Patches) Tokens() (down, across int) {
	return (g.ImgH-g.Patch)/g.Stride + 1, (g.ImgW-g.Patch)/g.Stride + 1
}

// Unfold is tok[patch][c,i,j] = w[i] w[j] invNorm[y,x] img[c,y,x]. tok (B,T,3PP), img (B,3,ImgH,ImgW), window (P),
// invNorm (ImgH,ImgW); nil window or invNorm count as 1.
func Unfold[F float32 | float64](tok, img, window, invNorm []F, b int, g Patches) {
	g.each(b, func(t, p, i, j, yx int) { tok[t] = at(window, i) * at(window, j) * at(invNorm, yx) * img[p] })
}

// Fold is img[c,y,x] = invNorm[y,x] Σ over the patches that cover (y,x) of w[i] w[j] tok[patch][c,i,j].
func Fold[F float32 | float64](img, tok, window, invNorm []F, b int, g Patches) {
	clear(img)
	g.each(b, func(t, p, i, j, yx int) { img[p] += at(window, i) * at(window, j) * at(invNorm, yx) * tok[t] })
}

// each visits every element of every token: t its index in tok, p its pixel's in img, (i,j) its place in the patch, yx
// its pixel's place in the plane.
func (g Patches) each(b int, visit func(t, p, i, j, yx int)) {
	down, across := g.Tokens()
	for n := range b {
		for token := range down * across {
			for c := range 3 {
				for i := range g.Patch {
					for j := range g.Patch {
						k := (c*g.Patch+i)*g.Patch + j
						if g.ChannelLast {
							k = (i*g.Patch+j)*3 + c
						}
						yx := (token/across*g.Stride+i)*g.ImgW + token%across*g.Stride + j
						visit((n*down*across+token)*3*g.Patch*g.Patch+k, (n*3+c)*g.ImgH*g.ImgW+yx, i, j, yx)
					}
				}
			}
		}
	}
}

// at returns a weight, 1 where there are none.
func at[F float32 | float64](w []F, i int) F {
	if w == nil {
		return 1
	}
	return w[i]
}

// Hann is the symmetric Hann window, w[i] = (1 - cos(2π i/(P-1)))/2; a window of one is 1.
func Hann(patch int) []float64 {
	w := make([]float64, patch)
	for i := range w {
		w[i] = 1
		if patch > 1 {
			w[i] = 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(patch-1))
		}
	}
	return w
}

// FoldNorm is 1/max(Σ w[i] w[j], 1e-8) at each pixel, the sum over the patches that cover it. The result is (imgH,imgW).
func FoldNorm(window []float64, imgH, imgW, stride int) []float64 {
	out := make([]float64, imgH*imgW)
	for py := 0; py+len(window) <= imgH; py += stride {
		for px := 0; px+len(window) <= imgW; px += stride {
			for i, wi := range window {
				for j, wj := range window {
					out[(py+i)*imgW+px+j] += wi * wj
				}
			}
		}
	}
	for i, v := range out {
		out[i] = 1 / max(v, 1e-8)
	}
	return out
}
