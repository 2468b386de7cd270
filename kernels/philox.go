// SPDX-License-Identifier: MIT

package kernels

import "jitvk/engine"

// Streams keep the uses of random numbers apart: one seed, step and image give independent numbers in each.
const (
	StreamNoise   = iota // noise mixed into training images
	StreamTau            // flow times
	StreamFlip           // mirrored images
	StreamSample         // the noise that samples start from
	StreamLabels         // labels dropped for guidance
	StreamDropout        // the first of as many streams as a model has dropouts: keep it last
)

// Normal fills x with normal numbers of mean 0 and standard deviation sigma from Philox4x32-10 by Box-Muller. Value j of
// image i depends only on the step buffer's seed and step, on Image0 + i, on j and on the stream. x (B,…).
func Normal(p *engine.Program, x, step Tensor, sigma float32, stream uint32) {
	finite("Normal", sigma)
	b, width := x.Shape[0], same("Normal", x)/x.Shape[0]
	for _, s := range spans(p, "Normal", b, 1, width) {
		push := struct {
			Images, Count, Blocks, First, Stream uint32
			Sigma                                float32
		}{uint32(s.n), uint32(width), uint32(ceilDiv(width, blockSize(p))), uint32(s.first), stream, sigma}
		blocked(p, "normal", s.n, width, push, []uint32{fours(width)}, piece(x, s, width).Write(), step.stepBuffer("Normal"))
	}
}

// LogitNormal is tau = sigmoid(mu + sigma n), n the first normal number of each image in this stream. tau (B).
func LogitNormal(p *engine.Program, tau, step Tensor, mu, sigma float32, stream uint32) {
	finite("LogitNormal", mu, sigma)
	b := same("LogitNormal", tau)
	push := struct {
		Images    uint32
		Mu, Sigma float32
		Stream    uint32
	}{uint32(b), mu, sigma, stream}
	single(p, "logitnormal", b, push, nil, tau.Write(), step.stepBuffer("LogitNormal"))
}
