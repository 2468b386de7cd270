// SPDX-License-Identifier: MIT

package ref

// Velocity returns dz/dtau = x - eps of the flow z = tau x + (1 - tau) eps where u stands for x ("x"), eps ("eps") or the
// velocity itself ("v") (JiT, arXiv 2511.13720, table 1). Divisors are at least clamp.
func Velocity[F float32 | float64](predict string, z, u, tau, clamp F) F {
	switch predict {
	case "x":
		return (u - z) / max(1-tau, clamp)
	case "eps":
		return (z - u) / max(tau, clamp)
	}
	return u
}

// CleanImage is the image x that u implies, element by element.
func CleanImage[F float32 | float64](x, z, u []F, predict string, tau, clamp F) {
	for i := range x {
		switch predict {
		case "x":
			x[i] = u[i]
		case "eps":
			x[i] = (z[i] - (1-tau)*u[i]) / max(tau, clamp)
		default:
			x[i] = z[i] + (1-tau)*u[i]
		}
	}
}

// EulerStep is z += dt v.
func EulerStep[F float32 | float64](z, u []F, predict string, tau, dt, clamp F) {
	for i := range z {
		z[i] += dt * Velocity(predict, z[i], u[i], tau, clamp)
	}
}

// HeunStep is z = (start + z + dt v)/2, where z is already an Euler step past start.
func HeunStep[F float32 | float64](z, start, u []F, predict string, tau, dt, clamp F) {
	for i := range z {
		z[i] = (start[i] + z[i] + dt*Velocity(predict, z[i], u[i], tau, clamp)) / 2
	}
}
