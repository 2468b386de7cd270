// SPDX-License-Identifier: MIT

package engine

import (
	"maps"
	"slices"
)

// Choices say by which way work of a class is done on a device, for work that can be done in several. Both are names that
// kernels give: "matmul fp32 nt 1x832x384x128", "{matmul/03_vector 0 1}".
type Choices map[string]string

// A Decision is work of a class that can be done in several ways, the first of which is the guess.
type Decision struct {
	Class string
	Ways  []string
}

// Prefer makes programs of the device choose, from now on, as c says; nil leaves every choice to the kernels' guesses.
func (d *Device) Prefer(c Choices) { d.preferred = maps.Clone(c) }

// Chosen returns all that programs of the device have chosen so far, guesses included.
func (d *Device) Chosen() Choices { return maps.Clone(d.chosen) }

// Undecided returns what programs of the device have guessed so far, in the order of the first guesses: Prefer named no way
// for the class, or none that there is.
func (d *Device) Undecided() []Decision { return slices.Clone(d.undecided) }

// Choose returns the index in ways of the one that work of a class is to be done by: the one that Prefer has named, else the
// first, which is the guess.
func (p *Program) Choose(class string, ways []string) int {
	p.open()
	if len(ways) == 1 {
		return 0
	}
	d := p.dev
	way := slices.Index(ways, d.preferred[class])
	if way < 0 {
		way = 0
		if _, again := d.chosen[class]; !again {
			d.undecided = append(d.undecided, Decision{class, ways})
		}
	}
	d.chosen[class] = ways[way]
	return way
}
