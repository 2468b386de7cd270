// SPDX-License-Identifier: MIT

package kernels

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"

	"jitvk/engine"
	"jitvk/shaders"
)

// A ladder is a folder of shaders whose names begin with two digits. A rung is one step of it, "matmul/03_vector"; where it has
// several shaders they end in _fwd, _bwd, ….
var rungName = regexp.MustCompile(`^([a-z]+/)(\d\d_)([a-z0-9]+)`)

// Rungs returns the names that JITVK_RUNG can have: "matmul/04_narrow", ….
func Rungs() []string { return slices.Clone(rungs()) }

var rungs = sync.OnceValue(func() []string {
	var out []string
	for _, name := range shaders.Names() {
		out = append(out, rungName.FindString(name))
	}
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(s string) bool { return s == "" })
})

// CheckRung returns an error unless JITVK_RUNG is empty or names rungs that there are. Programs call it first: a
// program that meets a wrong name does not build, and says the same.
func CheckRung() error {
	_, err := forced()
	return err
}

// forced returns the rungs that JITVK_RUNG asks for: names separated by commas, each "matmul/04_narrow", or "04_narrow" or
// "narrow" for every ladder that has such a rung.
var forced = sync.OnceValues(func() (map[string]bool, error) { return parseRungs(os.Getenv("JITVK_RUNG")) })

func parseRungs(list string) (map[string]bool, error) {
	out := map[string]bool{}
	for _, want := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' }) {
		found := false
		for _, rung := range Rungs() {
			if m := rungName.FindStringSubmatch(rung); want == rung || want == m[2]+m[3] || want == m[3] {
				out[rung], found = true, true
			}
		}
		if !found {
			return nil, fmt.Errorf("kernels: JITVK_RUNG=%s: there is no rung %q; there are %s", list, want, strings.Join(Rungs(), ", "))
		}
	}
	return out, nil
}

// requestedRung returns the rung of a ladder ("matmul/") that an op must take: the one that its caller asks for, which has to
// run here, else the one that JITVK_RUNG names, else "", which leaves the op its choice. A rung in JITVK_RUNG that runs here, but
// not in this precision, leaves the op its choice, too; one that cannot run here at all is an error of who set it, which fails the
// program.
func requestedRung(op string, info engine.Info, ladder, asked string, precision Precision, runs func(rung string, p Precision) bool,
	fail func(error)) string {
	if asked != "" {
		check(runs(asked, precision), op, "%v has not what %s needs for %v operands", info, asked, precision)
		return asked
	}
	named, err := forced()
	if err != nil {
		fail(err)
	}
	if len(named) == 0 {
		return ""
	}
	anyhow := func(rung string) bool { return runs(rung, FP32) || runs(rung, FP16) || runs(rung, BF16) }
	ours := slices.DeleteFunc(Rungs(), func(rung string) bool { return !strings.HasPrefix(rung, ladder) })
	for _, rung := range ours {
		if !named[rung] {
			continue
		}
		if runs(rung, precision) {
			return rung
		}
		if !anyhow(rung) {
			can := slices.DeleteFunc(ours, func(rung string) bool { return !anyhow(rung) })
			fail(fmt.Errorf("kernels: %s: JITVK_RUNG asks for %s, which %v cannot run; it can: %s", op, rung, info,
				strings.Join(can, ", ")))
		}
	}
	return ""
}
