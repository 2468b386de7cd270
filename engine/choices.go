// SPDX-License-Identifier: MIT

package engine

import (
	"maps"
	"slices"
)

// Some work can be done in several ways, say a product by several shaders, that differ in speed and in the order of their sums. A
// program that records such work names its class and its choices, all of them text that means something to the kernels alone:
// "matmul fp32 nt 1x832x384x128" can be done as "{matmul/03_vector 0 1}" or "{matmul/06_prefetch 2 1}". The device says which.

// Choices are choices by their classes.
type Choices map[string]string

// A Guess is a class of work for which Prefer named no choice, or none that there is. The first of its choices was taken.
type Guess struct {
	Class   string
	Choices []string
	Uses    int // how often
}

// Prefer makes programs of the device choose as c says from now on; nil leaves every class to its guess.
func (d *Device) Prefer(c Choices) { d.preferred = maps.Clone(c) }

// Chosen returns all that programs of the device have chosen so far, guesses included.
func (d *Device) Chosen() Choices { return maps.Clone(d.chosen) }

// Guessed returns what programs of the device have guessed so far, in the order of the first guesses.
func (d *Device) Guessed() []Guess { return slices.Clone(d.guessed) }

// Choose returns which of the choices work of a class is to be done by, as an index: the one that Prefer has named, else the first.
// A class with one choice is not counted among the chosen.
func (p *Program) Choose(class string, choices []string) int {
	p.open()
	if len(choices) == 1 {
		return 0
	}
	d := p.dev
	i := slices.Index(choices, d.preferred[class])
	if i < 0 {
		i = 0
		at := slices.IndexFunc(d.guessed, func(g Guess) bool { return g.Class == class })
		if _, again := d.chosen[class]; !again && at < 0 {
			d.guessed, at = append(d.guessed, Guess{class, choices, 0}), len(d.guessed)
		}
		if at >= 0 {
			d.guessed[at].Uses++
		}
	}
	d.chosen[class] = choices[i]
	return i
}
