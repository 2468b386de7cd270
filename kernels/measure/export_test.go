// SPDX-License-Identifier: MIT

package measure

import "jitvk/engine"

// What the tests see of the peaks.
var (
	LongEnough = longEnough
	Highest    = highest
	PeakSizes  = func(info engine.Info) (lanes, fragments, floats int) {
		s := peakSizes(info)
		return s.lanes, s.fragments, s.floats
	}
)
