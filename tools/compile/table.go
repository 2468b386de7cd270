// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"jitvk/engine/files"
	"jitvk/tools/internal/page"
)

// table is every pipeline of the models, by one version of a compiler. The page is made of it.
type table struct {
	Driver    string      `json:"driver"`
	Date      string      `json:"date"`
	Pipelines []*pipeline `json:"pipelines"`
}

// column is a number that is kept of each pipeline.
type column struct {
	title string
	stat  string // the driver's name; "" where it is read from the code
	code  func(a *assembly) int
	worse int // 1: more is worse, -1: less is worse, 0: neither
}

var columns = []column{
	{"instructions", "Instructions", nil, 1},
	{"latency", "Latency", nil, 1}, // the compiler's own estimate, in clocks
	{"registers", "VGPRs", nil, 1}, // of a lane
	{"spilled", "Spilled VGPRs", nil, 1},
	{"scratch", "Scratch size", nil, 1}, // bytes a subgroup
	{"shared memory", "LDS size", nil, 1},
	{"subgroups a SIMD", "Subgroups per SIMD", nil, -1},
	{"matrix", "", func(a *assembly) int { return a.Matrix }, 0},
	{"loads", "", func(a *assembly) int { return a.Loads }, 1},
	{"full waits", "", func(a *assembly) int { return a.Waits }, 1},
	{"bytes in flight", "", func(a *assembly) int { return a.Flight }, -1},
	{"shared loads", "", func(a *assembly) int { return sum(slices.Collect(maps.Values(a.LDS))) }, 1},
	{"selects", "", func(a *assembly) int { return a.Selects }, 1},
}

// wanted are the driver's names of what is kept.
var wanted = func() map[string]bool {
	names := map[string]bool{}
	for _, c := range columns {
		names[c.stat] = true
	}
	return names
}()

func (c column) of(p *pipeline) int {
	if c.stat != "" {
		return p.Stats[c.stat]
	}
	return c.code(&p.Code)
}

// byWidth writes loads from shared memory by their widths, widest first: "32 x 16, 4 x 2".
func byWidth(loads map[int]int) string {
	if len(loads) == 0 {
		return "0"
	}
	var words []string
	for _, w := range slices.Backward(slices.Sorted(maps.Keys(loads))) {
		words = append(words, fmt.Sprintf("%d x %d", loads[w], w))
	}
	return strings.Join(words, ", ")
}

func (c column) text(p *pipeline) string {
	if c.title == "shared loads" {
		return byWidth(p.Code.LDS)
	}
	return strconv.Itoa(c.of(p))
}

// summary has a line for each shader: the worst of its pipelines. Those with the most spills come first, then the most registers.
func (t *table) summary() string {
	of := map[string][]*pipeline{}
	for _, p := range t.Pipelines {
		of[p.Shader] = append(of[p.Shader], p)
	}
	worst := func(shader string, c column) int {
		n := c.of(of[shader][0])
		for _, p := range of[shader] {
			if v := c.of(p); c.worse < 0 && v < n || c.worse >= 0 && v > n {
				n = v
			}
		}
		return n
	}
	out := page.Table{Left: []string{"shader"}, Right: []string{"pipelines"}}
	for _, c := range columns {
		out.Right = append(out.Right, c.title)
	}
	order := slices.SortedFunc(maps.Keys(of), func(x, y string) int {
		for _, title := range []string{"spilled", "registers"} {
			c := columns[slices.IndexFunc(columns, func(c column) bool { return c.title == title })]
			if d := cmp.Compare(worst(y, c), worst(x, c)); d != 0 {
				return d
			}
		}
		return cmp.Compare(x, y)
	})
	for _, shader := range order {
		row := []string{shader, strconv.Itoa(len(of[shader]))}
		for _, c := range columns {
			row = append(row, strconv.Itoa(worst(shader, c)))
		}
		out.Add(row...)
	}
	return fmt.Sprintf("%d pipelines of %d shaders compile; of a shader's pipelines the worst:\n\n%s", len(t.Pipelines), len(of), &out)
}

// beside is what drivers call numbers that ought to be 0: registers that lie in memory.
var beside = regexp.MustCompile(`(?i)spill|scratch|local|stack`)

// others is what a driver says of pipelines by names of its own, a line each; at the end those with registers in memory.
func others(pipelines []*pipeline) string {
	var names []string
	for _, p := range pipelines {
		for _, name := range slices.Sorted(maps.Keys(p.Stats)) {
			if !slices.Contains(names, name) && !strings.Contains(strings.ToLower(name), "hash") {
				names = append(names, name)
			}
		}
	}
	text := fmt.Sprintf("%d pipelines compile\n", len(pipelines))
	if names == nil {
		return text + "the driver says nothing of them\n"
	}
	out := page.Table{Left: []string{"pipeline"}, Right: names}
	var bad []string
	for _, p := range pipelines {
		row := []string{p.name()}
		for _, name := range names {
			row = append(row, strconv.Itoa(p.Stats[name]))
			if beside.MatchString(name) && p.Stats[name] > 0 {
				bad = append(bad, fmt.Sprintf("%s: %s %d", p.name(), name, p.Stats[name]))
			}
		}
		out.Add(row...)
	}
	text += "\n" + out.String() + "\n"
	if bad == nil {
		return text + "the driver tells of no registers in memory\n"
	}
	return text + fmt.Sprintf("%d numbers tell of registers in memory:\n%s\n", len(bad), strings.Join(bad, "\n"))
}

// details has a line for each pipeline; where old has other numbers, old -> new.
func details(pipelines []*pipeline, old map[string]*pipeline) string {
	out := page.Table{Left: []string{"pipeline", "first for"}}
	for _, c := range columns {
		out.Right = append(out.Right, c.title)
	}
	for _, p := range pipelines {
		row := []string{p.name(), p.For}
		for _, c := range columns {
			cell := c.text(p)
			if o := old[p.name()]; o != nil && c.text(o) != cell {
				cell = c.text(o) + " -> " + cell
			}
			row = append(row, cell)
		}
		out.Add(row...)
	}
	return out.String()
}

// rung is the part of a name that differs between rungs of a ladder: "matmul/06_prefetch", "attention/04_pipelined" of …_fwd.
var rung = regexp.MustCompile(`^(\w+/)\d\d_[a-z0-9]+`)

// sameWork finds for each pipeline, by name, the one of another rung that does the same work: whose constants are the same, of those that
// both shaders have.
func sameWork(pipelines, others []*pipeline) map[string]*pipeline {
	has := map[string]map[string]bool{} // names of constants by shader
	for _, p := range append(slices.Clone(pipelines), others...) {
		if has[p.Shader] == nil {
			has[p.Shader] = map[string]bool{}
			for _, c := range declared(p.Shader) {
				has[p.Shader][c.name] = true
			}
		}
	}
	work := func(p *pipeline, other string) string {
		words := []string{rung.ReplaceAllString(p.Shader, "$1")}
		for _, word := range strings.Fields(p.Constants) {
			if name, _, _ := strings.Cut(word, "="); has[other][name] {
				words = append(words, word)
			}
		}
		return strings.Join(words, " ")
	}
	found := map[string]*pipeline{}
	for _, p := range pipelines {
		for _, o := range others {
			if o.Shader != p.Shader && work(p, o.Shader) == work(o, p.Shader) {
				found[p.name()] = o
			}
		}
	}
	return found
}

// show prints some pipelines, with their old numbers where those were others.
func show(out io.Writer, old map[string]*pipeline, now *table, pick *regexp.Regexp, asm bool) error {
	var some []*pipeline
	for _, p := range now.sorted() {
		if pick.MatchString(p.name()) {
			some = append(some, p)
		}
	}
	fmt.Fprint(out, "\n", details(some, old))
	if asm {
		for _, p := range some {
			fmt.Fprintf(out, "\n%s\n%s\n", p.name(), strings.Join(p.text, "\n"))
		}
	}
	return nil
}

func (t *table) sorted() []*pipeline {
	return slices.SortedFunc(slices.Values(t.Pipelines), func(x, y *pipeline) int { return cmp.Compare(x.name(), y.name()) })
}

func (t *table) byName() map[string]*pipeline {
	names := map[string]*pipeline{}
	for _, p := range t.Pipelines {
		names[p.name()] = p
	}
	return names
}

var mesa = regexp.MustCompile(`Mesa \d+\.\d+\.\d+`)

// compare holds today's pipelines against the table's: none may be worse in any column. Of the whole set, all must be in the table and
// the table must have no other.
func compare(out io.Writer, kept, now *table, whole bool) error {
	if len(kept.Pipelines) == 0 {
		return errors.New("compile: no table of this chip is committed; -write makes one")
	}
	if was, is := mesa.FindString(kept.Driver), mesa.FindString(now.Driver); was != is {
		fmt.Fprintf(out, "\n--- SKIPPED: the committed table is by %s, this is %s: their numbers cannot be compared\n", was, is)
		return nil
	}
	old := kept.byName()
	var wrong []string
	for _, p := range now.sorted() {
		o := old[p.name()]
		delete(old, p.name())
		if o == nil {
			wrong = append(wrong, p.name()+": is not in the table")
			continue
		}
		for _, c := range columns {
			if was, is := c.of(o), c.of(p); (is-was)*c.worse > 0 {
				wrong = append(wrong, fmt.Sprintf("%s: %s %s -> %s", p.name(), c.title, c.text(o), c.text(p)))
			}
		}
	}
	if whole {
		for _, name := range slices.Sorted(maps.Keys(old)) {
			wrong = append(wrong, name+": is in the table, and compiled no more")
		}
	}
	if len(wrong) > 0 {
		fmt.Fprintf(out, "\n%s\n", strings.Join(wrong, "\n"))
		const advice = "if that is meant: make compile ARGS=-write"
		return fmt.Errorf("compile: %d lines above: worse than in the table, or not to be compared; %s", len(wrong), advice)
	}
	fmt.Fprintf(out, "\nnone is worse than in the committed table (%s, %s)\n", kept.Driver, kept.Date)
	return nil
}

// readTable reads a table; one that is not there is empty.
func readTable(file string) (*table, error) {
	t := &table{}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err == nil {
		err = json.Unmarshal(data, t)
	}
	if err != nil {
		return nil, fmt.Errorf("compile: %s: %w", file, err)
	}
	return t, nil
}

// write writes the table, a line for each pipeline, and the page.
func (t *table) write(file string) error {
	var data bytes.Buffer
	t.Date = time.Now().UTC().Format(time.DateOnly)
	fmt.Fprintf(&data, "{\n \"driver\": %q,\n \"date\": %q,\n \"pipelines\": [\n", t.Driver, t.Date)
	for n, p := range t.sorted() {
		line, err := json.Marshal(p)
		if err != nil {
			return err
		}
		if n > 0 {
			data.WriteString(",\n")
		}
		data.Write(line)
	}
	data.WriteString("\n ]\n}\n")
	if err := files.WriteFile(file+".json", data.Bytes()); err != nil {
		return err
	}
	return files.WriteFile(file+".md", []byte(fmt.Sprintf(pageText, t.Driver, t.Date, t.summary(), details(t.sorted(), nil))))
}

const pageText = `# AMD's compiler on the kernels

What Mesa's driver for AMD makes of every pipeline that training ` + "`blog256` and `jit-b16`" + ` in three precisions may take,
guessed or tried by the tuner, for a Radeon RX 7900 (Navi 31). Compiled without such a GPU, and run on none. ` +
	"`make compile`" + ` compiles them again and fails where a number became worse; ` + "`make compile ARGS=-write`" + ` renews this page
and the JSON beside it, which is what is compared. ` + "[Reading compiled code](../kernels/compiled.md)" + ` explains the columns.

%s, %s

%s
## Every pipeline

Constants by their names in the shader; those that are false or 0 are left out.

%s`
