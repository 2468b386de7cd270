// SPDX-License-Identifier: MIT

package kernels

// What Peak repeats, for its tests.
const (
	PeakA, PeakB, PeakFill          = peakA, peakB, peakFill
	PeakChainsFMA, PeakChainsMatrix = peakChainsFMA, peakChainsMatrix
)
