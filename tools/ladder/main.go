// SPDX-License-Identifier: MIT

// Command ladder times every rung of a ladder of kernels on this machine's device, all in one run, and prints how far each
// step up carries.
//
//	go run ./tools/ladder matmul                       print a table for each shape
//	go run ./tools/ladder -shapes 512x512x512 matmul   M x N x K, separated by commas
//	go run ./tools/ladder -json FILE matmul            write what was measured, too
//	go run ./tools/ladder -write matmul                put the tables into docs/kernels/matmul.md
//
// The rungs take turns, round after round, and each keeps its best time, so that what else the machine does slows all of
// them alike or none. docs/kernels/matmul.md holds one block of tables for each device and driver; -write replaces the block
// of this one, or adds it.
package main

import (
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"runtime"
	"strconv"
	"strings"
	"time"

	"jitvk/engine"
	"jitvk/kernels"
)

func main() {
	shapes := flag.String("shapes", "512x512x512,1024x384x128,2048x1152x384", "products to time, `MxNxK` separated by commas")
	device := flag.String("device", "", "index of the device, or part of its name")
	rounds := flag.Int("rounds", 5, "how often each rung has its turn")
	file := flag.String("json", "", "write the measurements to this `file`")
	write := flag.Bool("write", false, "put the tables into docs/kernels/OP.md")
	flag.Parse()
	if err := run(flag.Args(), *shapes, *device, *rounds, *file, *write); err != nil {
		fmt.Fprintln(os.Stderr, "ladder:", err)
		os.Exit(1)
	}
}

// A report is what one run measured.
type report struct {
	Op     string  `json:"op"`
	Device string  `json:"device"`
	Driver string  `json:"driver"`
	Commit string  `json:"commit"`
	Date   string  `json:"date"`
	Load   string  `json:"load"` // before the run: processes that wanted a core in the last minute; "" where the system does not say
	Shapes []shape `json:"shapes"`
}

type shape struct {
	Name  string `json:"shape"`
	Rungs []rung `json:"rungs"`
}

type rung struct {
	Name     string  `json:"rung"`
	Operands string  `json:"operands"`
	GFLOPs   float64 `json:"gflops"` // a second
}

func run(ops []string, list, device string, rounds int, file string, write bool) error {
	if len(ops) != 1 || ops[0] != "matmul" {
		return fmt.Errorf("name a ladder: matmul")
	}
	products, err := parseShapes(list)
	if err != nil {
		return err
	}
	if err := kernels.CheckTier(); err != nil {
		return err
	}
	d, err := engine.Open(engine.Options{Select: device})
	if err != nil {
		return err
	}
	defer d.Close()
	commit, _ := exec.Command("git", "describe", "--always", "--dirty").Output() // none outside a checkout
	r := report{Op: ops[0], Device: d.Info().Name, Driver: d.Info().Driver, Commit: strings.TrimSpace(string(commit)),
		Date: time.Now().Format(time.DateOnly)}
	if data, err := os.ReadFile("/proc/loadavg"); err == nil {
		words := strings.Fields(string(data))
		r.Load = fmt.Sprintf("load %s on %d cores", words[0], runtime.NumCPU())
	}
	for _, p := range products {
		s, err := matmul(d, p, rounds)
		if err != nil {
			return err
		}
		r.Shapes = append(r.Shapes, s)
	}
	text := r.table()
	fmt.Print(text)
	if file != "" {
		data, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(file, append(data, '\n'), 0o666); err != nil {
			return err
		}
	}
	if write {
		return document(path.Join("docs", "kernels", r.Op+".md"), r)
	}
	return nil
}

// parseShapes reads "512x512x512,…".
func parseShapes(list string) (out [][3]int, err error) {
	for _, s := range strings.Split(list, ",") {
		var p [3]int
		words := strings.Split(s, "x")
		ok := len(words) == len(p)
		for i := 0; ok && i < len(p); i++ {
			p[i], err = strconv.Atoi(words[i])
			ok = err == nil && p[i] > 0
		}
		if !ok {
			return nil, fmt.Errorf("-shapes %s: %q is not MxNxK, such as 512x512x512", list, s)
		}
		out = append(out, p)
	}
	return out, nil
}

// matmul times c (M,N) = a (M,K) bᵀ (N,K), which is what a layer's forward pass asks for.
func matmul(d *engine.Device, size [3]int, rounds int) (shape, error) {
	M, N, K := size[0], size[1], size[2]
	s := shape{Name: fmt.Sprintf("%d x %d x %d", M, N, K)}
	buf, err := d.NewBuffer("ladder", int64(4*(M*K+N*K+M*N)+3*256))
	if err != nil {
		return s, err
	}
	defer buf.Close()
	offset := int64(0)
	tensor := func(rows, cols int) kernels.Tensor {
		t := kernels.View(buf.Range(offset, int64(4*rows*cols)), rows, cols)
		offset += (int64(4*rows*cols) + 255) / 256 * 256
		return t
	}
	a, b, c := tensor(M, K), tensor(N, K), tensor(M, N)
	rnd := rand.New(rand.NewPCG(1, 2)) // zeros would draw less power, and run faster, than numbers
	for _, t := range []kernels.Tensor{a, b} {
		data := make([]byte, 0, t.Range.Size)
		for range t.Len() {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(rnd.NormFloat64())))
		}
		if err := d.Upload(t.Range, data); err != nil {
			return s, err
		}
	}
	var programs []*engine.Program
	for _, precision := range []kernels.Precision{kernels.FP32, kernels.FP16} {
		for _, tier := range kernels.MatMulTiers(d.Info(), precision) {
			p := engine.NewProgram(d, tier)
			defer p.Close()
			kernels.MatMul(p, c, a, b, kernels.MatMulOptions{TransB: true, Precision: precision, Tier: tier})
			if err := p.Build(); err != nil {
				return s, err
			}
			programs = append(programs, p)
			s.Rungs = append(s.Rungs, rung{Name: path.Base(tier), Operands: precision.String()})
		}
	}
	const turn = 30 * time.Millisecond // at least, so that waiting for a submission does not count
	for range rounds {
		for i, p := range programs {
			start, n := time.Now(), 0
			for time.Since(start) < turn {
				sub, err := p.Submit(nil, nil)
				if err == nil {
					_, err = sub.Wait()
				}
				if err != nil {
					return s, err
				}
				n++
			}
			s.Rungs[i].GFLOPs = max(s.Rungs[i].GFLOPs, float64(n)*p.FLOPs()/1e9/time.Since(start).Seconds())
		}
	}
	return s, nil
}

// table is the report as Markdown.
func (r report) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s, %s, commit %s", r.Device, r.Driver, r.Date, r.Commit)
	if r.Load != "" {
		fmt.Fprintf(&b, ", %s before the run", r.Load)
	}
	b.WriteString(":\n")
	for _, s := range r.Shapes {
		best := 0.0
		for _, x := range s.Rungs {
			best = max(best, x.GFLOPs)
		}
		fmt.Fprintf(&b, "\n| %s | operands | GFLOP/s | share of the best | times the rung below |\n| --- | --- | ---: | ---: | ---: |\n", s.Name)
		for i, x := range s.Rungs {
			step := ""
			if i > 0 && s.Rungs[i-1].Operands == x.Operands {
				step = fmt.Sprintf("%.2f", x.GFLOPs/s.Rungs[i-1].GFLOPs)
			}
			fmt.Fprintf(&b, "| %s | %s | %.3g | %.0f %% | %s |\n", x.Name, x.Operands, x.GFLOPs, 100*x.GFLOPs/best, step)
		}
	}
	return b.String()
}

// document replaces a file's block of this device and driver, or puts one before the line that says where blocks go.
func document(file string, r report) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	text, err := insert(string(data), r)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if err := os.WriteFile(file+".new", []byte(text), 0o666); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

func insert(text string, r report) (string, error) {
	begin, end := fmt.Sprintf("<!-- ladder %s: %s; %s -->\n", r.Op, r.Device, r.Driver), "<!-- end -->\n"
	block := begin + r.table() + end
	if before, rest, found := strings.Cut(text, begin); found {
		_, after, found := strings.Cut(rest, end)
		if !found {
			return "", fmt.Errorf("the block %q has no line %q", strings.TrimSpace(begin), strings.TrimSpace(end))
		}
		return before + block + after, nil
	}
	next := fmt.Sprintf("<!-- ladder %s: more -->\n", r.Op)
	before, after, found := strings.Cut(text, next)
	if !found {
		return "", fmt.Errorf("no line %q says where tables go", strings.TrimSpace(next))
	}
	return before + block + "\n" + next + after, nil
}
