// SPDX-License-Identifier: MIT

package ref

// Guide is u = none + w (u - none).
func Guide[F float32 | float64](u, none []F, w F) {
	for i := range u {
		u[i] = none[i] + w*(u[i]-none[i])
	}
}
