// SPDX-License-Identifier: MIT

package kerneltest

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
)

// The summary: one line an op and rung, from every comparison that the package's tests made.

type line struct{ op, rung string }

type tally struct {
	cases, elements int
	worst           float64 // error in units of the bound
	where           string
}

var summary struct {
	sync.Mutex
	ops   []string
	lines map[line]*tally
}

// Ops tells the summary which ops there are, so that it can read them from the names of tests and outputs.
func Ops(names ...string) { summary.ops = names }

var (
	rungName     = regexp.MustCompile(`^[0-9][0-9]_\w+$`)
	gradientName = regexp.MustCompile(`^d[a-z]+,?$`)
)

// note counts a comparison.
func note(test string, c Case, w Worst, elements int) {
	summary.Lock()
	defer summary.Unlock()
	key := line{c.Op, c.Rung}
	if key.op == "" {
		key.op = opOf(test, c.Name)
	}
	for _, part := range strings.Split(test, "/") {
		switch {
		case c.Rung != "":
		case rungName.MatchString(part):
			key.rung = part
		case part == "fp16" || part == "bf16": // operands of a rung
			key.rung += " " + part
		}
	}
	if summary.lines == nil {
		summary.lines = map[line]*tally{}
	}
	n := summary.lines[key]
	if n == nil {
		n = &tally{worst: -1}
		summary.lines[key] = n
	}
	n.cases++
	n.elements += elements
	if !(w.Ratio <= n.worst) && !math.IsNaN(n.worst) {
		n.worst, n.where = w.Ratio, fmt.Sprintf("%s: %s[%s]", test, c.Name, index(w.At, c.Shape))
	}
}

// opOf is the op that an output is of: the one that its name begins with ("unfold", "rmsnorm dx"), or else the test's name.
// Where the op has a backward, dx and the like are its outputs.
func opOf(test, output string) string {
	words := strings.Fields(output)
	name, _, _ := strings.Cut(strings.TrimPrefix(test, "Test"), "/")
	op := ""
	for _, o := range summary.ops {
		if strings.HasPrefix(name, o) && len(o) > len(op) {
			op = o
		}
	}
	for _, o := range summary.ops {
		if len(words) > 0 && strings.EqualFold(words[0], o) {
			op, words = o, words[1:]
		}
	}
	if op == "" {
		return name
	}
	if slices.Contains(summary.ops, op+"Backward") && slices.ContainsFunc(words, gradientName.MatchString) {
		op += "Backward"
	}
	return op
}

// Summary returns the table: for each op and rung how many outputs were compared with a reference, how many elements they
// had, and which came closest to its bound, 1.00 being the bound itself. It is empty where nothing was compared.
func Summary() string {
	summary.Lock()
	defer summary.Unlock()
	if len(summary.lines) == 0 {
		return ""
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nop\ttier\tcases\telements\terror/bound\twhere")
	keys := slices.SortedFunc(maps.Keys(summary.lines), func(x, y line) int {
		return cmp.Or(cmp.Compare(x.op, y.op), cmp.Compare(x.rung, y.rung))
	})
	total, ops := tally{}, map[string]bool{}
	for _, k := range keys {
		n := summary.lines[k]
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%.2f\t%s\n", k.op, cmp.Or(k.rung, "-"), n.cases, n.elements, n.worst,
			n.where[:min(len(n.where), 100)])
		total.cases += n.cases
		total.elements += n.elements
		if slices.Contains(summary.ops, k.op) {
			ops[k.op] = true
		}
	}
	w.Flush()
	fmt.Fprintf(&b, "%d ops, %d cases, %d elements; a case is one output held against its float64 reference\n", len(ops), total.cases,
		total.elements)
	return b.String()
}
