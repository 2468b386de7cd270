// SPDX-License-Identifier: MIT

package kernels

import (
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"jitvk/engine"
	"jitvk/shaders"
)

// A ladder is a folder of shaders whose names begin with two digits; a tier is a rung of it, whose shaders may end in
// _fwd, _bwd, ….
var rungName = regexp.MustCompile(`^([a-z]+/)(\d\d_)([a-z0-9]+)`)

// Tiers returns the names that JITVK_TIER can have: "matmul/04_narrow", ….
func Tiers() []string {
	var out []string
	for _, name := range shaders.Names() {
		out = append(out, rungName.FindString(name))
	}
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(s string) bool { return s == "" })
}

// CheckTier returns an error unless JITVK_TIER is empty or names tiers that there are. Programs call it first: an op that
// meets a wrong name panics with the same words.
func CheckTier() error {
	_, err := forced()
	return err
}

// forced returns the tiers that JITVK_TIER asks for: names separated by commas, each "matmul/04_narrow", or "04_narrow" or
// "narrow" for every ladder that has such a rung.
var forced = sync.OnceValues(func() (map[string]bool, error) { return parseTiers(os.Getenv("JITVK_TIER")) })

func parseTiers(list string) (map[string]bool, error) {
	out := map[string]bool{}
	for _, want := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' }) {
		found := false
		for _, tier := range Tiers() {
			if m := rungName.FindStringSubmatch(tier); want == tier || want == m[2]+m[3] || want == m[3] {
				out[tier], found = true, true
			}
		}
		if !found {
			return nil, fmt.Errorf("kernels: JITVK_TIER=%s: there is no tier %q; there are %s", list, want, strings.Join(Tiers(), ", "))
		}
	}
	return out, nil
}

// forcedTier reports whether JITVK_TIER asks for the tier that a shader belongs to.
func forcedTier(shader string) bool {
	tiers, err := forced()
	if err != nil {
		panic(err.Error())
	}
	return len(tiers) > 0 && tiers[path.Clean(rungName.FindString(shader))]
}

// chosenTier returns the tier of a ladder ("matmul/") that an op is to take: the one that is asked for, if any, which must
// run; else the one that JITVK_TIER names; else "", which leaves the choice to the op. A tier that runs with other precisions
// alone leaves the choice, too; one that cannot run here at all is a mistake.
func chosenTier(op string, info engine.Info, ladder, asked string, precision Precision, runs func(tier string, p Precision) bool) string {
	if asked != "" {
		check(runs(asked, precision), op, "%v has not what %s needs for %v operands", info, asked, precision)
		return asked
	}
	anyhow := func(tier string) bool { return runs(tier, FP32) || runs(tier, FP16) || runs(tier, BF16) }
	ours := slices.DeleteFunc(Tiers(), func(tier string) bool { return !strings.HasPrefix(tier, ladder) })
	for _, tier := range ours {
		if !forcedTier(tier) {
			continue
		}
		if runs(tier, precision) {
			return tier
		}
		if !anyhow(tier) {
			can := slices.DeleteFunc(ours, func(tier string) bool { return !anyhow(tier) })
			check(false, op, "JITVK_TIER asks for %s, which %v cannot run; it can: %s", tier, info, strings.Join(can, ", "))
		}
	}
	return ""
}
