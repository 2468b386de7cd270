// SPDX-License-Identifier: MIT

package kernels

import "fmt"

// Kind is one of the three quantities on the path z = tau x + (1 - tau) e that a network can predict and a loss can
// compare. Any of them and z give the other two (Table 1 of JiT, arXiv 2511.13720).
type Kind uint32

const (
	X   Kind = iota // the clean image x
	Eps             // the noise e, its scale included
	V               // the velocity v = x - e
)

// String is the kind as options and checkpoints have it: x, eps or v.
func (k Kind) String() string { return [...]string{"x", "eps", "v"}[k] }

// ParseKind is String's inverse.
func ParseKind(s string) (Kind, error) {
	for k := X; k <= V; k++ {
		if s == k.String() {
			return k, nil
		}
	}
	return 0, fmt.Errorf("%q: it is x, eps or v", s)
}
