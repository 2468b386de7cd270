// SPDX-License-Identifier: MIT

// Command compile has a driver's compiler make every pipeline that training may take, and allocates and runs nothing. Mesa's driver for
// AMD (RADV) compiles for chips that are not there and says what came out, so that registers, spills and occupancy on such a
// GPU can be known on any machine:
//
//	go run ./tools/compile                                  quick and blog256 in three precisions for a Radeon RX 7900 (Navi 31)
//	go run ./tools/compile -chip navi21 -presets jit-b16    others; navi21, navi33, vega10, gfx1201, … as Mesa names them
//	go run ./tools/compile -chip ""                         by the driver of the device at hand, without statistics
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"jitvk/engine"
	"jitvk/model/cli"
	"jitvk/model/run"
	"jitvk/tools/internal/page"
	"jitvk/train/trainer"
)

func main() { os.Exit(cli.Main("compile", command)) }

// The child, which has Mesa's variables in its environment before it loads a driver, writes a line for each pipeline to standard
// error, where the driver writes, too.
const child, announced = "JITVK_COMPILE", "pipeline: "

func command(ctx context.Context, args []string, out io.Writer) error {
	fs := flag.NewFlagSet("compile", flag.ContinueOnError)
	chip := fs.String("chip", "navi31", "AMD's `name` of a GPU, as Mesa has it; \"\": the device at hand")
	presets := fs.String("presets", "quick,blog256", "models, `names` separated by commas")
	precisions := fs.String("precisions", "fp32,fp16,bf16", "of products, separated by commas")
	if err := cli.Parse(fs, args); err != nil {
		return err
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
		return compile(ctx, configs, out)
	}
	log, err := inChild(ctx, args, *chip, out)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(out, table(read(log)))
	return err
}

// inChild runs this program again, with the driver for a chip, and returns what it wrote to standard error.
func inChild(ctx context.Context, args []string, chip string, out io.Writer) (*bytes.Buffer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append(os.Environ(), child+"=1")
	if chip != "" {
		drivers, err := filepath.Glob("/usr/share/vulkan/icd.d/radeon_icd*.json")
		if err != nil || len(drivers) == 0 {
			return nil, fmt.Errorf("compile: no Mesa driver for AMD (/usr/share/vulkan/icd.d/radeon_icd*.json); " +
				"install mesa-vulkan-drivers, or give -chip \"\"")
		}
		cmd.Env = append(cmd.Env, "VK_DRIVER_FILES="+drivers[0], "VK_ICD_FILENAMES="+drivers[0], "RADV_FORCE_FAMILY="+chip,
			"RADV_DEBUG=shaderstats", "MESA_SHADER_CACHE_DISABLE=1")
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
func compile(ctx context.Context, configs []run.Config, out io.Writer) error {
	d, err := engine.Open(engine.Options{DryRun: true, Compile: func(pipeline string) { fmt.Fprintln(os.Stderr, announced+pipeline) }})
	if err != nil {
		return err
	}
	defer d.Close()
	fmt.Fprintf(out, "%s, %s\n", d.Info().Name, d.Info().Driver)
	for _, c := range configs {
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

// stats are what the driver says of a pipeline, by the names that it uses.
type stats struct {
	shader string
	values map[string]int
}

// read takes a child's standard error apart.
func read(r io.Reader) (all []stats) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if name, ok := strings.CutPrefix(lines.Text(), announced); ok {
			shader, _, _ := strings.Cut(name, " ")
			all = append(all, stats{shader, map[string]int{}})
		} else if name, value, ok := strings.Cut(lines.Text(), ": "); ok && len(all) > 0 {
			if n, err := strconv.Atoi(value); err == nil {
				all[len(all)-1].values[name] = n
			}
		}
	}
	return all
}

// table has a line for each shader: the worst of its pipelines. Those with the most spills come first.
func table(all []stats) string {
	shaders := map[string][]stats{}
	for _, s := range all {
		shaders[s.shader] = append(shaders[s.shader], s)
	}
	extreme := func(shader, value string, pick func(x ...int) int) int {
		worst := shaders[shader][0].values[value]
		for _, s := range shaders[shader] {
			worst = pick(worst, s.values[value])
		}
		return worst
	}
	most := func(shader, value string) int {
		return extreme(shader, value, func(x ...int) int { return slices.Max(x) })
	}
	least := func(shader, value string) int {
		return extreme(shader, value, func(x ...int) int { return slices.Min(x) })
	}
	text := fmt.Sprintf("%d pipelines of %d shaders compile\n", len(all), len(shaders))
	if len(all) == 0 || len(all[0].values) == 0 {
		return text
	}
	t := page.Table{Left: []string{"shader"},
		Right: []string{"pipelines", "spilled registers", "registers a lane", "subgroups a SIMD", "shared memory", "instructions"}}
	names := slices.SortedFunc(maps.Keys(shaders), func(x, y string) int {
		return cmp.Or(cmp.Compare(most(y, "Spilled VGPRs"), most(x, "Spilled VGPRs")), cmp.Compare(most(y, "VGPRs"), most(x, "VGPRs")),
			cmp.Compare(x, y))
	})
	for _, n := range names {
		t.Add(n, strconv.Itoa(len(shaders[n])), strconv.Itoa(most(n, "Spilled VGPRs")), strconv.Itoa(most(n, "VGPRs")),
			strconv.Itoa(least(n, "Subgroups per SIMD")), strconv.Itoa(most(n, "LDS size")), strconv.Itoa(most(n, "Instructions")))
	}
	return text + "\n" + t.String()
}
