// SPDX-License-Identifier: MIT

package kernels_test

import (
	"errors"
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
)

// TestBytes counts what kernels move, as profiles have it: each element that is read or written once, whatever else is bound,
// and of views only their own.
func TestBytes(t *testing.T) {
	h := kerneltest.New(t)
	const M, N, K, B, T, H, D = 24, 40, 16, 2, 6, 2, 8
	c, a, b := h.Output(M, N), h.Output(M, K), h.Output(K, N)
	qkv, heads, lse := h.Output(B, T, 3*H*D), h.Output(B, T, H, D), h.Output(B, H, T)
	view := func(i int) kernels.Tensor {
		return kernels.Tensor{Shape: []int{B, T, H, D}, Range: qkv.Range, Ld: 3 * H * D, Off: i * H * D}
	}
	ab, hidden, w2 := h.Output(M, 2*N), h.Output(M, N), h.Output(2*N, K)
	for name, x := range map[string]struct {
		floats float64
		record func(p *engine.Program)
	}{
		"product": {M*N + M*K + K*N, func(p *engine.Program) { kernels.MatMul(p, c, a, b, kernels.MatMulOptions{}) }},
		"product, added": {2*M*N + M*K + K*N,
			func(p *engine.Program) { kernels.MatMul(p, c, a, b, kernels.MatMulOptions{Accumulate: true}) }},
		"product, residual": {2*M*N + M*K + K*N,
			func(p *engine.Program) { kernels.MatMul(p, c, a, b, kernels.MatMulOptions{Residual: &hidden}) }},
		"products and SwiGLU": {2*M*K + 2*N*K + M*N + 2*M*N + M*N,
			func(p *engine.Program) { kernels.MatMulSwiGLU(p, hidden, &ab, a, w2, kernels.MatMulSwiGLUOptions{}) }},
		"attention of views": {4*B*T*H*D + B*H*T, func(p *engine.Program) {
			kernels.Attention(p, heads, lse, view(0), view(1), view(2), kernels.AttentionOptions{})
		}},
		"RMSNorm of a view": {2*B*T*H*D + B*T*H + D,
			func(p *engine.Program) { kernels.RMSNorm(p, heads, lse, view(1), h.Output(D), 1e-6) }},
		"Add in place": {3 * M * N, func(p *engine.Program) { kernels.Add(p, c, c, hidden) }},
	} {
		p := engine.NewProgram(kerneltest.Device(t), name)
		defer p.Close()
		p.Profile()
		x.record(p)
		if err := p.Build(); errors.Is(err, engine.ErrUnsupported) {
			t.Skip(err)
		} else if err != nil {
			t.Fatal(err)
		}
		sub, err := p.Submit(nil, nil)
		if err == nil {
			_, err = sub.Wait()
		}
		if err != nil {
			t.Fatal(err)
		}
		timings, err := p.Timings()
		if err != nil {
			t.Fatal(err)
		}
		bytes := 0.0
		for _, c := range timings {
			bytes += c.Bytes
		}
		if bytes != 4*x.floats {
			t.Errorf("%s: %g bytes, %g wanted", name, bytes, 4*x.floats)
		}
	}
}
