// SPDX-License-Identifier: MIT

package model

import "math"

// This file is the model in plain Go and float64, written from the formulas of the paper and the blog post and not from
// the kernels: what the tests hold the device to. One image at a time, no tape, nothing shared with the package but Config.

type mat struct {
	rows, cols int
	v          []float64
}

func newMat(r, c int) mat         { return mat{r, c, make([]float64, r*c)} }
func (m mat) at(i, j int) float64 { return m.v[i*m.cols+j] }
func (m mat) row(i int) []float64 { return m.v[i*m.cols : (i+1)*m.cols] }
func (m mat) plus(o mat) mat      { return m.each(func(i int, x float64) float64 { return x + o.v[i] }) }
func (m mat) each(f func(int, float64) float64) mat {
	out := newMat(m.rows, m.cols)
	for i, x := range m.v {
		out.v[i] = f(i, x)
	}
	return out
}

// linear is x Wᵀ + b with W (out,in) row-major; b may be nil.
func linear(x mat, w, b []float64) mat {
	out := newMat(x.rows, len(w)/x.cols)
	for i := range out.rows {
		for o := range out.cols {
			sum := 0.0
			if b != nil {
				sum = b[o]
			}
			for k := range x.cols {
				sum += x.at(i, k) * w[o*x.cols+k]
			}
			out.v[i*out.cols+o] = sum
		}
	}
	return out
}

func silu(x float64) float64 { return x / (1 + math.Exp(-x)) }

type refModel struct {
	Config
	w map[string][]float64
}

// normRow normalises one row of d values; for derf, channel is where the row's parameters start.
func (m refModel) normRow(name string, x []float64, channel int) []float64 {
	out := make([]float64, len(x))
	if m.Norm == "derf" {
		for i, v := range x {
			out[i] = math.Erf(m.w[name+".alpha"][channel+i]*v + m.w[name+".shift"][channel+i])
		}
		return out
	}
	sum := 0.0
	for _, v := range x {
		sum += v * v
	}
	r := 1 / math.Sqrt(sum/float64(len(x))+1e-6)
	for i, v := range x {
		out[i] = v * r * m.w[name+".weight"][i]
	}
	return out
}

func (m refModel) norm(name string, x mat) mat {
	out := newMat(x.rows, x.cols)
	for i := range x.rows {
		copy(out.row(i), m.normRow(name, x.row(i), 0))
	}
	return out
}

// rotate turns one head's vector of token (row, col). The first half of the vector belongs to the column's place, the
// second to the row's; within a half, channel i pairs with channel i + D/4. Places are patch centres in [-1,1].
func (m refModel) rotate(x []float64, row, col int) []float64 {
	out := make([]float64, len(x))
	quarter := len(x) / 4
	for half, place := range []int{col, row} {
		centre := (float64(place*m.Stride)+float64(m.Patch)/2)/float64(m.Size)*2 - 1
		for i := range quarter {
			angle := centre * math.Pow(m.RoPEBase, -float64(i)/float64(quarter))
			a, b := x[2*quarter*half+i], x[2*quarter*half+quarter+i]
			out[2*quarter*half+i] = a*math.Cos(angle) - b*math.Sin(angle)
			out[2*quarter*half+quarter+i] = a*math.Sin(angle) + b*math.Cos(angle)
		}
	}
	return out
}

// attention is softmax(q kᵀ / sqrt(D)) v for every head, on the fused projection (T,3C).
func (m refModel) attention(block string, qkv mat) mat {
	d, grid := m.Dim/m.Heads, (m.Size-m.Patch)/m.Stride+1
	out := newMat(qkv.rows, m.Dim)
	for h := range m.Heads {
		q, k := newMat(qkv.rows, d), newMat(qkv.rows, d)
		for t := range qkv.rows {
			r := qkv.row(t)
			copy(q.row(t), m.rotate(m.normRow(block+"q_norm", r[h*d:(h+1)*d], h*d), t/grid, t%grid))
			copy(k.row(t), m.rotate(m.normRow(block+"k_norm", r[m.Dim+h*d:m.Dim+(h+1)*d], h*d), t/grid, t%grid))
		}
		for i := range qkv.rows {
			p := make([]float64, qkv.rows)
			sum := 0.0
			for j := range p {
				s := 0.0
				for c := range d {
					s += q.at(i, c) * k.at(j, c)
				}
				p[j] = math.Exp(s / math.Sqrt(float64(d)))
				sum += p[j]
			}
			for j := range p {
				for c := range d {
					out.v[i*m.Dim+h*d+c] += p[j] / sum * qkv.at(j, 2*m.Dim+h*d+c)
				}
			}
		}
	}
	return out
}

// forward predicts one image (3,Size,Size) from z at time tau; the paper's network for a label.
func (m refModel) forward(z []float64, tau float64, label int) []float64 {
	if m.Arch == "jit" {
		return m.forwardJiT(z, tau, label)
	}
	e := newMat(1, m.TimeDim)
	for i := range m.TimeDim / 2 {
		a := m.TimeScale * tau * math.Exp(-math.Log(10000)*float64(i)/float64(m.TimeDim/2))
		e.v[i], e.v[m.TimeDim/2+i] = math.Sin(a), math.Cos(a)
	}
	e = linear(e, m.w["time.0.weight"], m.w["time.0.bias"]).each(func(_ int, x float64) float64 { return silu(x) })
	e = linear(e, m.w["time.2.weight"], m.w["time.2.bias"])

	grid := (m.Size-m.Patch)/m.Stride + 1
	pd := 3 * m.Patch * m.Patch
	x := newMat(grid*grid, pd+m.TimeDim)
	place := func(t, k int) int { // where value k of patch t lies in the image
		c, i, j := k/(m.Patch*m.Patch), k/m.Patch%m.Patch, k%m.Patch
		return (c*m.Size+t/grid*m.Stride+i)*m.Size + t%grid*m.Stride + j
	}
	for t := range x.rows {
		for k := range pd {
			x.row(t)[k] = z[place(t, k)]
		}
		copy(x.row(t)[pd:], e.v)
	}
	x = linear(x, m.w["in.weight"], nil)
	for b := range m.Depth {
		n := "blocks." + string(rune('0'+b)) + "."
		o := m.attention(n, linear(m.norm(n+"norm1", x), m.w[n+"qkv.weight"], nil))
		x = x.plus(linear(o, m.w[n+"proj.weight"], m.w[n+"proj.bias"]))
		ab := linear(m.norm(n+"norm2", x), m.w[n+"w12.weight"], nil)
		h := newMat(ab.rows, m.Hidden)
		for t := range ab.rows {
			for f := range m.Hidden {
				a, b := ab.at(t, f), ab.at(t, m.Hidden+f)
				if m.ValueFirst {
					a, b = b, a
				}
				h.row(t)[f] = silu(a) * b
			}
		}
		x = x.plus(linear(h, m.w[n+"w3.weight"], nil))
	}
	y := linear(x, m.w["out.weight"], nil)
	return m.fold(y)
}

// fold puts the patches y (T,3PP) together: where they overlap, their mean weighted by the window.
func (m refModel) fold(y mat) []float64 {
	grid, pd := (m.Size-m.Patch)/m.Stride+1, 3*m.Patch*m.Patch
	place := func(t, k int) int { // where value k of patch t lies in the image
		c, i, j := k/(m.Patch*m.Patch), k/m.Patch%m.Patch, k%m.Patch
		return (c*m.Size+t/grid*m.Stride+i)*m.Size + t%grid*m.Stride + j
	}
	img, weight := make([]float64, 3*m.Size*m.Size), make([]float64, 3*m.Size*m.Size)
	for t := range y.rows {
		for k := range pd {
			w := 1.0
			if m.Stride < m.Patch {
				window := func(i int) float64 { return 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(m.Patch-1)) }
				if m.Window == "sine" {
					window = func(i int) float64 { return math.Sin(math.Pi * (float64(i) + 0.5) / float64(m.Patch)) }
				}
				w = window(k/m.Patch%m.Patch) * window(k%m.Patch)
			}
			img[place(t, k)] += w * y.at(t, k)
			weight[place(t, k)] += w
		}
	}
	for i := range img {
		img[i] /= math.Max(weight[i], 1e-8)
	}
	return img
}

// loss is the mean over the batch of the squared error, in what Loss says, of a prediction of what Predict says, from the
// paper's table 1: with z = tau x + (1 - tau) e, each of x, e and v = x - e is computed from the network's output and z, and
// what is divided by is kept at 0.05 or above.
func (m refModel) loss(z, x, e, tau []float64, labels []int) float64 {
	n := len(x) / len(tau)
	sum := 0.0
	for b, tb := range tau {
		up, down := math.Max(tb, 0.05), math.Max(1-tb, 0.05)
		all := func(u, z float64, kind string) map[string]float64 {
			switch kind {
			case "x":
				return map[string]float64{"x": u, "eps": (z - tb*u) / down, "v": (u - z) / down}
			case "eps":
				return map[string]float64{"x": (z - (1-tb)*u) / up, "eps": u, "v": (z - u) / up}
			}
			return map[string]float64{"x": z + (1-tb)*u, "eps": z - tb*u, "v": u}
		}
		pred := m.forward(z[b*n:(b+1)*n], tb, labels[b])
		for i, u := range pred {
			zi, xi, ei := z[b*n+i], x[b*n+i], m.NoiseScale*e[b*n+i]
			target := map[string]float64{"x": xi, "eps": ei, "v": xi - ei}[m.Predict]
			d := all(target, zi, m.Predict)[m.Loss] - all(u, zi, m.Predict)[m.Loss]
			sum += d * d
		}
	}
	return sum / float64(len(x))
}
