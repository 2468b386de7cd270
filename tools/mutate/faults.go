// SPDX-License-Identifier: MIT

package main

// faults are mistakes that somebody could make, and the test that must notice each. Most are noticed by several; the one
// named is narrow and quick.
var faults = []fault{
	// Elementwise shaders and what they share.
	{"shaders/common.glsl", "min((block + 1) * gl_WorkGroupSize.x * items, count)", "(block + 1) * gl_WorkGroupSize.x * items", "kernels ^TestProperties$/^Add$"},
	{"shaders/common.glsl", "min((block + 1) * gl_WorkGroupSize.x * items, count)", "min((block + 1) * gl_WorkGroupSize.x * items, count - 1)", "kernels ^TestProperties$/^EMA$"},
	{"shaders/common.glsl", "return gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x;", "return gl_WorkGroupID.x;", "kernels ^TestNoiseMix$"},
	{"shaders/add.comp", "a[e] + b[e]", "a[e] - b[e]", "kernels ^TestProperties$/^Add$"},
	{"shaders/silu_fwd.comp", "x[e] * sigmoid_(x[e])", "x[e] * sigmoid_(-x[e])", "kernels ^TestProperties$/^SiLU$"},
	{"shaders/silu_bwd.comp", "dy[e] * s * (1.0 + x[e] * (1.0 - s))", "dy[e] * s", "kernels ^TestProperties$/^SiLUBackward$"},
	{"shaders/silu_bwd.comp", "ACC ? dx[e] + g : g", "g", "kernels ^TestProperties$/^SiLUBackward$"},
	{"shaders/swiglu_fwd.comp", "uint gate = row * 2 * width", "uint gate = row * width", "kernels ^TestProperties$/^SwiGLU$"},
	{"shaders/swiglu_bwd.comp", "dab[value + f] = d * g * s;", "dab[value + f] = d * s;", "kernels ^TestProperties$/^SwiGLUBackward$"},
	{"shaders/swiglu_bwd.comp", "(1.0 + g * (1.0 - s))", "(1.0 - g * (1.0 - s))", "kernels ^TestProperties$/^SwiGLUBackward$"},
	{"shaders/ema.comp", "1.0 - now.ema_decay", "now.ema_decay", "kernels ^TestProperties$/^EMA$"},
	{"shaders/eulerstep.comp", "max(1.0 - now.tau, tau_clamp)", "(1.0 - now.tau)", "kernels ^TestProperties$/^EulerStep$"},
	{"shaders/adamw.comp", "min(1.0, clip / (norm[0] * scale + 1e-6))", "clip / (norm[0] * scale + 1e-6)", "kernels ^TestAdamW$"},
	{"shaders/adamw.comp", "(norm[0] * scale + 1e-6)", "(norm[0] + 1e-6)", "kernels ^TestAdamW$"},
	{"shaders/adamw.comp", "sqrt(v1) * root2 + eps", "sqrt(v1) * root2", "kernels ^TestAdamWZero$"},
	{"shaders/adamw.comp", "(1.0 - beta2) * d * d", "(1.0 - beta2) * d", "kernels ^TestProperties$/^AdamW$"},
	{"shaders/adamw.comp", "keep * w[e]", "w[e]", "kernels ^TestProperties$/^AdamW$"},
	{"shaders/noisemix.comp", "(1.0 - to_image) * noise_scale", "1.0 - to_image", "kernels ^TestProperties$/^NoiseMix$"},
	{"shaders/noisemix.comp", "tau[first + image]", "tau[image]", "kernels ^TestNoiseMix$"},
	{"shaders/vloss_fwd.comp", "workgroup_add(sum) / (scale * scale)", "workgroup_add(sum) / scale", "kernels ^TestProperties$/^VLoss$"},
	{"shaders/vloss_bwd.comp", "(pred[at + e] - x[at + e]) * f", "(x[at + e] - pred[at + e]) * f", "kernels ^TestProperties$/^VLoss$"},
	{"shaders/vloss_bwd.comp", "SCALED ? factor * now.loss_scale : factor", "factor", "kernels ^TestProperties$/^VLoss$"},
	{"shaders/concattime_fwd.comp", "e[image * extra + c - cols]", "e[image * extra + c - cols + 1]", "kernels ^TestProperties$/^ConcatTime$"},
	{"shaders/concattime_bwd_e.comp", "for (; t < tokens; t++, at += ld) s0 += dy[at];", "", "kernels ^TestProperties$/^ConcatTimeBackward$"},
	{"shaders/concattime_bwd.comp", "dy[row * (cols + extra) + c]", "dy[row * cols + c]", "kernels ^TestProperties$/^ConcatTimeBackward$"},
	{"shaders/timeembedding.comp", "sc = vec2(sc.x + angle.y * sc.y, sc.y - angle.y * sc.x);", "", "kernels ^TestProperties$/^TimeEmbedding$"},
	{"shaders/timeembedding.comp", "e[row + i + (COS_FIRST ? half_ : 0)] = sc.x;", "e[row + i] = sc.x;", "kernels ^TestProperties$/^TimeEmbedding$"},
	{"shaders/images.comp", "(imgW - 1 - col)", "(imgW - col)", "kernels ^TestProperties$/^Images$"},
	{"shaders/normal.comp", "first + image, stream", "image, stream", "kernels ^TestNormal$"},
	{"shaders/philox.glsl", "round_ < 10", "round_ < 9", "kernels ^TestPhilox$"},
	{"shaders/logitnormal.comp", "mu + sigma *", "sigma *", "kernels ^TestProperties$/^LogitNormal$"},
	{"shaders/math.glsl", "-2.12194440e-4", "-2.1219e-4", "kernels ^TestMath$"},
	{"shaders/math.glsl", "x < 0.0 ? -large : large", "large", "kernels ^TestMath$"},

	{"shaders/peak/fma.comp", "float(e % 64 + c)", "float(e % 64)", "kernels ^TestPeak$/^fp32$"},
	{"shaders/peak/fma.comp", "n += UNROLL", "n += UNROLL + 1", "kernels ^TestPeak$/^fp32$"},
	{"shaders/peak/fma.comp", "if (e >= count) return;", "", "kernels ^TestPeak$/^fp32$"},

	// Sums.
	{"shaders/gradnorm.comp", "g[e] * g[e]", "abs(g[e])", "kernels ^TestProperties$/^GradNorm$"},
	{"shaders/reduce.comp", "ROOT ? sqrt(sum) : sum", "sum", "kernels ^TestProperties$/^GradNorm$"},
	{"shaders/reduce.comp", "factor * workgroup_add(sum)", "workgroup_add(sum)", "kernels ^TestProperties$/^VLoss$"},
	{"shaders/colsum.comp", "for (; r < end; r++, at += ld) s0 += src[at];", "", "kernels ^TestProperties$/^ColSum$"},
	{"shaders/colsum.comp", "ACC ? sum[to] + total : total", "total", "kernels ^TestProperties$/^ColSum$"},
	{"shaders/colsum.comp", "uint at = off + first * ld + c", "uint at = first * ld + c", "kernels ^TestProperties$/^ColSum$"},

	// Rows.
	{"shaders/rmsnorm_fwd.comp", "sum / float(cols) + eps", "sum / float(cols)", "kernels ^TestRMSNorm$"},
	{"shaders/rmsnorm_fwd.comp", "offX + token * ldX + head * cols;", "offX + token * ldX + head;", "kernels ^TestProperties$/^RMSNorm$"},
	{"shaders/rmsnorm_fwd.comp", "y[to + c] = w[c] * x[at + c] * r", "y[to + c] = x[at + c] * r", "kernels ^TestProperties$/^RMSNorm$"},
	{"shaders/rmsnorm_bwd.comp", "wc * g - v * dot_[r]", "wc * g", "kernels ^TestProperties$/^RMSNormBackward$"},
	{"shaders/rmsnorm_bwd.comp", "dw += g * v * s;", "dw += g * v;", "kernels ^TestProperties$/^RMSNormBackward$"},
	{"shaders/rmsnorm_bwd.comp", "offX + token * ldX + at", "offX + token * ldDY + at", "kernels ^TestProperties$/^RMSNormBackward$"},
	{"shaders/rmsnorm_bwd_dot.comp", "* rstd[row] * rstd[row] / float(cols)", "* rstd[row] / float(cols)", "kernels ^TestProperties$/^RMSNormBackward$"},
	{"shaders/derf_fwd.comp", "erf_(a * x[offX + r * ldX + c] + s)", "erf_(a * x[offX + r * ldX + c])", "kernels ^TestProperties$/^Derf$"},
	{"shaders/derf_bwd.comp", "exp_(-u * u)", "exp_(-u)", "kernels ^TestProperties$/^DerfBackward$"},
	{"shaders/derf_bwd.comp", "dx[to] + a * g : a * g", "dx[to] + a * g : g", "kernels ^TestProperties$/^DerfBackward$"},
	{"shaders/rope.comp", "INVERSE ? -sin_[t * half_ + j] : sin_[t * half_ + j]", "sin_[t * half_ + j]", "kernels ^TestProperties$/^RoPE$"},
	{"shaders/rope.comp", "uint t = first % T;", "uint t = 0;", "kernels ^TestRoPE$"},
	{"shaders/rope.comp", "INTERLEAVED ? 1 : quarter", "quarter", "kernels ^TestProperties$/^RoPE$"},

	// Patches.
	{"shaders/fold.comp", "(at - PATCH) / STRIDE + 1", "(at - PATCH) / STRIDE", "kernels ^TestProperties$/^Fold$"},
	{"shaders/fold.comp", "uint last_y = min(y / STRIDE, down - 1)", "uint last_y = y / STRIDE", "kernels ^TestProperties$/^Fold$"},
	{"shaders/fold.comp", "window[i] * window[j]", "window[i] * window[i]", "kernels ^TestProperties$/^Fold$"},
	{"shaders/fold.comp", "NORM ? sum * inv_norm[yx] : sum", "sum", "kernels ^TestProperties$/^Fold$"},
	{"shaders/unfold.comp", "CHANNEL_LAST ? k / IMG_C : k % (PATCH * PATCH)", "k % (PATCH * PATCH)", "kernels ^TestProperties$/^Unfold$"},
	{"shaders/unfold.comp", "t % across * STRIDE + j", "t % across * PATCH + j", "kernels ^TestProperties$/^Unfold$"},

	// Attention.
	{"shaders/attention/00_naive_fwd.comp", "exp_(score(i, j) - top)", "exp_(score(i, j))", "kernels ^TestAttentionExtremes$"},
	{"shaders/attention/01_narrow_fwd.comp", "return off + (gl_WorkGroupID.z * T + token) * ld", "return off + token * ld", "kernels ^TestProperties$/^Attention$"},
	{"shaders/attention/01_narrow_fwd.comp", "acc[r * D + d + l] * shrink[r] + p[r] * vd", "acc[r * D + d + l] + p[r] * vd", "kernels ^TestProperties$/^Attention$"},
	{"shaders/attention/01_narrow_fwd.comp", "top[r] + log_(total[r])", "log_(total[r])", "kernels ^TestProperties$/^Attention$"},
	{"shaders/attention/01_narrow_bwd_dq.comp", "- deltar[r]) * scale;", ") * scale;", "kernels ^TestProperties$/^AttentionBackward$"},
	{"shaders/attention/01_narrow_bwd_dq.comp", "- deltar[r]) * scale;", "- deltar[r]);", "kernels ^TestProperties$/^AttentionBackward$"},
	{"shaders/attention/01_narrow_bwd_dkv.comp", "dvr[r * D + d + l] += p[r] * dod;", "dvr[r * D + d + l] += ds[r] * dod;", "kernels ^TestProperties$/^AttentionBackward$"},
	{"shaders/attention/02_shared_fwd.comp", "p[r * SUB + b] = j0 + j + b < T ? scale * whole : LOWEST;", "p[r * SUB + b] = scale * whole;", "kernels ^TestAttention$/02_shared"},
	{"shaders/attention/02_shared_fwd.comp", "        // The tile has been written by all before any of it is read.\n        barrier();", "", "kernels ^TestAttention$/02_shared"},
	{"shaders/attention/02_shared_bwd_dkv.comp", "j < T && d < D / 4) {", "d < D / 4) {", "kernels ^TestProperties$/^AttentionBackward$"},
	{"shaders/attention/02_shared_bwd_dkv.comp", "        // The tile has been written by all before any of it is read.\n        barrier();", "", "kernels ^TestAttention$/02_shared"},
	{"shaders/attention/delta.comp", "do_[from + d] * o[fromo + d]", "do_[from + d] * o[from + d]", "kernels ^TestAttention$/01_narrow"},

	// Matmul: what all rungs share.
	{"shaders/matmul/matmul.glsl", "TRANS_A ? k * ldA + m : m * ldA + k", "m * ldA + k", "kernels ^TestMatMulSizes$/^01_tiled$/^fp32$"},
	{"shaders/matmul/matmul.glsl", "if (ACCUMULATE) v += c[index_c(m, n)];", "", "kernels ^TestMatMulEpilogues$/^01_tiled$"},
	{"shaders/matmul/matmul.glsl", "if (BIAS) v += bias[offBias + n];", "if (BIAS) v += bias[offBias + m];", "kernels ^TestMatMulEpilogues$/^01_tiled$"},
	{"shaders/precision.glsl", "(1u << (drop - 1)) - 1u + ((u >> drop) & 1u)", "(1u << (drop - 1))", "kernels ^TestMatMulRounding$/^01_tiled$"},
	{"shaders/precision.glsl", "UNITS = 16777216", "UNITS = 8388608", "kernels ^TestMatMulRounding$/^01_tiled$"},

	// Wrappers in Go.
	{"kernels/chunk.go", "most -= most % quantum", "most -= 0", "kernels ^TestRangeLimit$"},
	{"kernels/colsum.go", "acc || i > 0)", "acc || i < 0)", "kernels ^TestRowwiseCut$"},
	{"kernels/rmsnorm.go", "accW || i > 0)", "accW || i < 0)", "kernels ^TestRowwiseCut$"},
	{"kernels/rowwise.go", "v.rows = s.n\n", "v.rows = s.n\n\tv.off = 0\n", "kernels ^TestRowwiseCut$"},
	{"kernels/attention.go", "float32(1 / math.Sqrt(float64(a.D)))", "float32(1 / math.Sqrt(float64(a.D+1)))", "kernels ^TestProperties$/^Attention$"},
	{"kernels/flow.go", "float32(2 / float64(b*width))", "float32(1 / float64(b*width))", "kernels ^TestProperties$/^VLoss$"},
	{"kernels/reduce.go", "push.Factor = float32(factor)", "push.Factor = 1", "kernels ^TestProperties$/^VLoss$"},
	{"kernels/concattime.go", "[]uint32{flag(accE)}", "[]uint32{0}", "kernels ^TestProperties$/^ConcatTimeBackward$"},

	// The tape.
	{"autograd/linear.go", "t.give(r, y.Grad)", "", "autograd ^TestGradients$/^linear"},
	{"autograd/linear.go", "kernels.MatMul(t.P, dw, dy, xs, kernels.MatMulOptions{TransA: true, Accumulate: acc})", "kernels.MatMul(t.P, dw, dy, xs, kernels.MatMulOptions{TransA: true, Accumulate: acc && false})", "autograd ^TestGradients$/^linear"},
	{"autograd/linear.go", "kernels.ColSum(t.P, db, dy, acc)", "kernels.ColSum(t.P, db, dy, acc && false)", "autograd ^TestGradients$/^linear"},
	{"autograd/norm.go", "y.Grad, x.Value, w.Value, rstd, accX, accW)", "y.Grad, y.Value, w.Value, rstd, accX, accW)", "autograd ^TestGradients$/^rmsnorm"},
	{"autograd/rope.go", "Interleaved: interleaved, Inverse: true", "Interleaved: interleaved", "autograd ^TestGradients$/^attention"},
	{"autograd/attention.go", "kernels.AttentionBackward(t.P, dq, dk, dv,", "kernels.AttentionBackward(t.P, dk, dq, dv,", "autograd ^TestGradients$/^attention"},
	{"autograd/time.go", "kernels.ConcatTimeBackward(t.P, dx, de, y.Grad, accX, accE)", "kernels.ConcatTimeBackward(t.P, dx, de, y.Grad, accX, accE && false)", "autograd ^TestGradients$/^time"},
	{"autograd/tape.go", "kernels.Add(t.P, grad, grad, g)", "t.P.Copy(grad.Range, g.Range)", "autograd ^TestGradients$"},
	{"autograd/tape.go", "t.P.Fill(x.Grad.Range, 0)", "", "autograd ^TestVLoss$"},
	{"autograd/view.go", "Off: i * h * d", "Off: 0", "autograd ^TestGradients$/^attention"},
	{"autograd/fold.go", "kernels.Unfold(t.P, dtok, y.Grad, o)", "kernels.Unfold(t.P, dtok, y.Grad, kernels.FoldOptions{Patch: o.Patch, Stride: o.Stride})", "autograd ^TestGradients$/^fold"},
	{"autograd/swiglu.go", "kernels.SwiGLUBackward(t.P, dab.Reshape(n, width), h.Grad.Reshape(n, width/2), ab.Value.Reshape(n, width), o)", "kernels.SwiGLUBackward(t.P, dab.Reshape(n, width), h.Grad.Reshape(n, width/2), ab.Value.Reshape(n, width), kernels.SwiGLUOptions{})", "autograd ^TestGradients$/^swiglu"},
}
