// SPDX-License-Identifier: MIT

// Command compile has a driver's compiler make every pipeline that training may take, and allocates and runs nothing. Mesa's driver for
// AMD (RADV) compiles for chips that are not there and shows what came out, so that registers, spills, waits and loads on such a
// GPU can be known on any machine; docs/kernels/compiled.md explains the numbers:
//
//	go run ./tools/compile                                  blog256 and jit-b16 in three precisions for a Radeon RX 7900 (Navi 31),
//	                                                        beside the committed table: what became worse fails
//	go run ./tools/compile -write                           renews the table, docs/benchmarks/compile-navi31.json and .md
//	go run ./tools/compile -presets blog256 -precisions fp16 -only matmul/05   some pipelines, the table's number -> today's
//	go run ./tools/compile … -only 'matmul/06.*BM=128 BN=128' -beside 05_coopmat   the numbers of a rung that is guessed no more ->
//	                                                        those of the one that took its place, at the same work
//	go run ./tools/compile … -only 'matmul/05.*TRANS_A.*BM=128' -asm           and what the compiler wrote
//	go run ./tools/compile -chip navi21 -presets quick      others; navi21, navi33, vega10, gfx1201, … as Mesa names them
//	go run ./tools/compile -chip ""                         by the driver of the device at hand, with what that says of them
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"jitvk/engine"
	"jitvk/model/cli"
	"jitvk/model/run"
	"jitvk/shaders"
	"jitvk/train/trainer"
)

func main() { os.Exit(cli.Main("compile", command)) }

// The child, which has Mesa's variables in its environment before it loads a driver, writes a line for each configuration and
// pipeline to standard error, where the driver writes, too.
const child, configured, announced, stated = "JITVK_COMPILE", "configuration: ", "pipeline: ", "statistic: "

const everyPreset, everyPrecision = "blog256,jit-b16", "fp32,fp16,bf16" // of the committed table

func command(ctx context.Context, args []string, out io.Writer) error {
	fs := flag.NewFlagSet("compile", flag.ContinueOnError)
	chip := fs.String("chip", "navi31", "AMD's `name` of a GPU, as Mesa has it; \"\": the device at hand")
	icd := fs.String("icd", "/usr/share/vulkan/icd.d/radeon_icd*.json", "manifest of Mesa's driver for AMD")
	presets := fs.String("presets", everyPreset, "models, `names` separated by commas")
	precisions := fs.String("precisions", everyPrecision, "of products, separated by commas")
	only := fs.String("only", "", "print pipelines whose name and constants match a regular `expression`, with their old numbers")
	beside := fs.String("beside", "", "with -only: the old numbers are those of these `rungs` at the same work, compiled now")
	asm := fs.Bool("asm", false, "with -only: print what the compiler wrote, too")
	write := fs.Bool("write", false, "renew the committed table")
	if err := cli.Parse(fs, args); err != nil {
		return err
	}
	pick, err := regexp.Compile(*only)
	if err != nil {
		return fmt.Errorf("compile: -only: %w", err)
	}
	whole := *presets == everyPreset && *precisions == everyPrecision && *only == ""
	if *write && (!whole || *chip == "") {
		return fmt.Errorf("compile: -write renews the whole table: give it without -presets, -precisions, -only and with a chip")
	}
	if (*asm || *beside != "") && *only == "" {
		return fmt.Errorf("compile: -asm and -beside want -only")
	}
	var configs []run.Config
	for _, preset := range strings.Split(*presets, ",") {
		for _, precision := range strings.Split(*precisions, ",") {
			c, err := run.Parse([]string{"-preset", preset, "-precision", precision})
			if err != nil {
				return fmt.Errorf("compile: %w", err)
			}
			configs = append(configs, c)
		}
	}
	if os.Getenv(child) == "1" {
		return compile(ctx, configs, *chip != "", out)
	}
	var device bytes.Buffer
	log, err := inChild(ctx, args, *chip, *icd, os.Getenv("JITVK_RUNG"), &device)
	if err != nil {
		return err
	}
	fmt.Fprint(out, &device)
	all := read(log)
	if *chip == "" {
		_, err = fmt.Fprint(out, others(all))
		return err
	}
	if len(all) == 0 {
		const text = "no pipeline was compiled: this driver compiles for no absent chip (Mesa 26 and newer do not), or is none"
		if *write {
			return errors.New("compile: " + text)
		}
		_, err = fmt.Fprintf(out, "\n--- SKIPPED: %s\n", text)
		return err
	}
	now := &table{Driver: strings.TrimSpace(device.String()), Pipelines: all}
	file := "docs/benchmarks/compile-" + *chip
	if *write {
		fmt.Fprint(out, now.summary())
		return now.write(file)
	}
	kept, err := readTable(file + ".json")
	if err != nil {
		return err
	}
	old := kept.byName()
	if *beside != "" {
		log, err := inChild(ctx, args, *chip, *icd, *beside, io.Discard)
		if err != nil {
			return err
		}
		old = sameWork(all, read(log))
	}
	if *only != "" {
		return show(out, old, now, pick, *asm)
	}
	fmt.Fprint(out, now.summary())
	return compare(out, kept, now, whole)
}

// inChild runs this program again, with the driver for a chip, and returns what it wrote to standard error.
func inChild(ctx context.Context, args []string, chip, icd, rung string, out io.Writer) (*bytes.Buffer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append(os.Environ(), child+"=1", "JITVK_RUNG="+rung)
	if chip != "" {
		drivers, err := filepath.Glob(icd)
		if err != nil || len(drivers) == 0 {
			return nil, fmt.Errorf("compile: no Mesa driver for AMD (%s); install mesa-vulkan-drivers, or give -chip \"\"", icd)
		}
		cmd.Env = append(cmd.Env, "VK_DRIVER_FILES="+drivers[0], "VK_ICD_FILENAMES="+drivers[0], "RADV_FORCE_FAMILY="+chip,
			"RADV_DEBUG=shaderstats,asm", "MESA_SHADER_CACHE_DISABLE=1")
	}
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = out, &log
	if err := cmd.Run(); err != nil {
		if chip != "" {
			return nil, fmt.Errorf("compile: the driver for %q ended with %w; is that a chip that this Mesa can compile for? "+
				"(navi31, navi21, vega10, gfx1201, …)", chip, err)
		}
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		return nil, fmt.Errorf("compile: %w: %s", err, lines[len(lines)-1])
	}
	return &log, nil
}

// compile plans training runs on a device that makes their pipelines.
func compile(ctx context.Context, configs []run.Config, amd bool, out io.Writer) error {
	o := engine.Options{DryRun: true, Compile: func(pipeline string) { fmt.Fprintln(os.Stderr, announced+pipeline) }}
	if !amd { // whose own log says more
		o.Compiled = func(_ string, statistics []engine.Statistic) {
			for _, s := range statistics {
				fmt.Fprintf(os.Stderr, "%s%s: %.0f\n", stated, s.Name, s.Value)
			}
		}
	}
	d, err := engine.Open(o)
	if err != nil {
		return err
	}
	defer d.Close()
	fmt.Fprintf(out, "%s, %s\n", d.Info().Name, d.Info().Driver)
	for _, c := range configs {
		fmt.Fprintf(os.Stderr, "%s%s %s\n", configured, c.Model.Preset, c.Precision)
		if err := everyChoice(ctx, d, c); err != nil {
			return err
		}
	}
	return nil
}

// everyChoice plans a run by guesses first, then by each of the other choices that a tuner would try.
func everyChoice(ctx context.Context, d *engine.Device, c run.Config) error {
	d.Prefer(nil)
	for n := 1; ; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		s, err := trainer.NewState(d, c)
		if err != nil {
			return fmt.Errorf("compile: %s, %s: %w", c.Model.Preset, c.Precision, err)
		}
		s.Close()
		prefer := engine.Choices{}
		for _, g := range d.Guessed() {
			if n < len(g.Choices) {
				prefer[g.Class] = g.Choices[n]
			}
		}
		if len(prefer) == 0 {
			return nil
		}
		d.Prefer(prefer)
	}
}

// pipeline is what a compiler made of a shader and its constants.
type pipeline struct {
	Shader    string         `json:"shader"`
	Constants string         `json:"constants"` // by the names in the source; those that are false or 0 are left out
	For       string         `json:"for"`       // the first configuration that needs it
	Stats     map[string]int `json:"stats"`     // by the driver's names, see columns
	Code      assembly       `json:"code"`

	text []string // the assembly
}

func (p *pipeline) name() string { return strings.TrimSpace(p.Shader + " " + p.Constants) }

// read takes a child's standard error apart.
func read(r io.Reader) (all []*pipeline) {
	lines := bufio.NewScanner(r)
	configuration, inText := "", false
	var p *pipeline
	for lines.Scan() {
		line := lines.Text()
		if c, ok := strings.CutPrefix(line, configured); ok {
			configuration = c
		} else if name, ok := strings.CutPrefix(line, announced); ok {
			shader, constants, _ := strings.Cut(name, " ")
			p = &pipeline{Shader: shader, Constants: readable(shader, constants), For: configuration, Stats: map[string]int{}}
			all, inText = append(all, p), false
		} else if p == nil {
			continue
		} else if line == "disasm:" {
			inText = true
		} else if strings.HasPrefix(line, "*** SHADER STATS") {
			inText = false
		} else if inText {
			p.text = append(p.text, line)
		} else if name, value, ok := strings.Cut(strings.TrimPrefix(line, stated), ": "); ok &&
			(wanted[name] || strings.HasPrefix(line, stated)) {
			if n, err := strconv.Atoi(value); err == nil {
				p.Stats[name] = n
			}
		}
	}
	for _, p := range all {
		if p.text != nil {
			p.Code = measure(parse(p.text))
		}
	}
	return all
}

// constants finds declarations of specialization constants; a number may be a macro's, which another source of the shader defines.
var (
	constants = regexp.MustCompile(`(?m)^\s*layout\s*\(.*?constant_id\s*=\s*(\w+)\s*\)\s*const\s+(\w+)\s+(\w+)`)
	macros    = regexp.MustCompile(`(?m)^\s*#\s*define\s+(\w+)\s+(\d+)\b`)
)

// A constant is how a source declares one.
type constant struct{ kind, name string }

// declared are the specialization constants of a shader, by their numbers.
func declared(shader string) map[int]constant {
	names := map[int]constant{0: {"uint", "LOCAL"}}
	for _, m := range shaders.Manifest().Modules {
		if m.Name != shader {
			continue
		}
		text, defined := "", map[string]string{}
		for source := range m.Sources {
			part, err := os.ReadFile(filepath.Join("shaders", source))
			if err == nil { // not in the checkout: constants by number
				text += string(part) + "\n"
			}
		}
		for _, d := range macros.FindAllStringSubmatch(text, -1) {
			defined[d[1]] = d[2]
		}
		for _, d := range constants.FindAllStringSubmatch(text, -1) {
			if n, err := strconv.Atoi(cmp.Or(defined[d[1]], d[1])); err == nil {
				names[n] = constant{d[2], d[3]}
			}
		}
	}
	return names
}

// readable names the values of a shader's constants, "[256 0 1]", as its sources do: "LOCAL=256 TRANS_B".
func readable(shader, values string) string {
	names := declared(shader)
	var words []string
	for n, value := range strings.Fields(strings.Trim(values, "[]")) {
		d, ok := names[n]
		if !ok {
			d.name = strconv.Itoa(n)
		}
		if d.kind == "bool" && value == "1" {
			words = append(words, d.name)
		} else if value != "0" {
			words = append(words, d.name+"="+value)
		}
	}
	return strings.Join(words, " ")
}
