// SPDX-License-Identifier: MIT

// Command kit spends ten minutes on a machine with a GPU and no Go: it runs the lines of lines.json one after another, each in a process
// group of its own and under its own time limit, and after each writes what is known by then. A line that crashes or hangs costs
// its own result and no other. At the end it puts what was measured beside what was predicted (predictions.json) and beside PyTorch.
//
//	./kit                     all lines, blog256, batch 32, fp16
//	./kit -only 'step|torch'  some of them
//	./kit -small              a rehearsal: the preset tiny in fp32, for CPU drivers
//
// It writes results.json, results.md and log.txt into -out, and touches nothing else. make gpu-kit puts its folder together.
package main

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/png"
	"io"
	"math/rand"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "kit:", err)
		os.Exit(1)
	}
}

// A report is what is written after each line.
type report struct {
	Kit      string   `json:"kit"` // the commit that it was made of
	Date     string   `json:"date"`
	Small    bool     `json:"small"`
	Device   string   `json:"device"`
	Found    string   `json:"found"` // with which settings the device was found
	Preset   string   `json:"preset"`
	Results  []result `json:"results"`
	Compared []row    `json:"compared,omitempty"`
	Notes    []string `json:"notes,omitempty"`
}

func command(ctx context.Context, args []string, out io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	fs := flag.NewFlagSet("kit", flag.ContinueOnError)
	home := fs.String("home", filepath.Dir(self), "the kit's `folder`")
	folder := fs.String("out", "out", "`folder` for results.json, results.md and log.txt")
	file := fs.String("lines", "", "`file` of lines instead of lines.json")
	only := fs.String("only", "", "run only lines whose names match this regular `expression`")
	total := fs.Duration("total", 10*time.Minute, "lines for which no time is left are skipped")
	s := settings{preset: "blog256", precision: "fp16", batch: 32}
	fs.BoolVar(&s.small, "small", false, "a rehearsal on a CPU driver: the preset tiny, batch 4, fp32; lines as they say under \"small\"")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if s.home, err = filepath.Abs(*home); err != nil {
		return err
	}
	if s.small {
		s.preset, s.precision, s.batch = "tiny", "fp32", 4
	}
	if *file == "" {
		*file = filepath.Join(s.home, "lines.json")
	}
	pick, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	lines, err := readLines(*file)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(*folder, 0o755); err != nil {
		return err
	}
	if s.work, err = os.MkdirTemp("", "kit"); err != nil {
		return err
	}
	defer os.RemoveAll(s.work)
	k := &kit{settings: s, out: out, folder: *folder, start: time.Now(), total: *total}
	return k.runAll(ctx, lines, pick)
}

// kit is one run.
type kit struct {
	settings
	out    io.Writer
	folder string
	start  time.Time
	total  time.Duration
	env    []string
	log    io.Writer
	report report
}

func (k *kit) runAll(ctx context.Context, lines []line, pick *regexp.Regexp) error {
	log, err := os.Create(filepath.Join(k.folder, "log.txt"))
	if err != nil {
		return err
	}
	defer log.Close()
	k.log = log
	commit, _ := os.ReadFile(filepath.Join(k.home, "commit"))
	k.report = report{Kit: strings.TrimSpace(string(commit)), Date: time.Now().UTC().Format(time.DateTime), Small: k.small,
		Preset: fmt.Sprintf("%s, batch %d, %s", k.preset, k.batch, k.precision)}
	if err := k.unpack(); err != nil {
		return err
	}
	if err := pictures(filepath.Join(k.work, "pictures")); err != nil {
		return err
	}
	k.find(ctx)
	fmt.Fprintf(k.out, "device      %s\n", k.report.Device)
	for _, l := range lines {
		if pick.MatchString(l.Name) {
			k.line(ctx, l)
			if err := k.save(); err != nil {
				return err
			}
		}
	}
	predictions, err := readPredictions(filepath.Join(k.home, "predictions.json"))
	if err != nil {
		k.report.Notes = append(k.report.Notes, err.Error())
	}
	k.report.Compared = k.report.compare(predictions)
	if err := k.save(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(k.out, "\n%s\nresults in %s: results.md, results.json, log.txt\n", comparison(k.report.Compared), k.folder)
	return err
}

// line runs a line, unless there is a reason not to.
func (k *kit) line(ctx context.Context, l line) {
	skip := ""
	if k.small {
		l, skip = l.rehearse()
	}
	if l.Needs != "" && skip == "" {
		if _, err := exec.LookPath(l.Needs); err != nil {
			skip = "there is no " + l.Needs + " here"
		}
	}
	at := time.Since(k.start)
	if left := int((k.total - at).Seconds()); left < 5 {
		skip = "no time is left"
	} else {
		l.Limit = min(l.Limit, left)
	}
	if ctx.Err() != nil {
		skip = "interrupted"
	}
	r := result{Name: l.Name, Decides: l.Decides, Command: strings.Join(l.Run, " "), Limit: l.Limit, Status: "skipped: " + skip}
	if skip == "" {
		args := k.expand(l)
		fmt.Fprintf(k.out, "%5.0f s  %-18s", at.Seconds(), l.Name)
		var output string
		l.Run = args
		in := k.work
		if l.In != "" {
			in = filepath.Join(k.home, l.In)
		}
		r, output = run(ctx, l, args, k.env, in, k.work, k.log)
		r.Command = strings.ReplaceAll(strings.ReplaceAll(r.Command, k.bin+"/", ""), k.work, "WORK")
		r.Data = k.kept(l, output)
		fmt.Fprintf(k.out, " %5.1f s  %s\n", r.Seconds, r.Status)
	} else {
		fmt.Fprintf(k.out, "%5.0f s  %-18s          %s\n", at.Seconds(), l.Name, r.Status)
	}
	r.At = at.Seconds()
	k.report.Results = append(k.report.Results, r)
}

// save writes what is known, so that it is there whatever comes next.
func (k *kit) save() error {
	data, err := json.MarshalIndent(k.report, "", " ")
	if err != nil {
		return err
	}
	for name, text := range map[string][]byte{"results.json": append(data, '\n'), "results.md": []byte(k.report.page())} {
		file := filepath.Join(k.folder, name)
		if err := os.WriteFile(file+".new", text, 0o644); err != nil {
			return err
		}
		if err := os.Rename(file+".new", file); err != nil {
			return err
		}
	}
	return nil
}

// unpack unpacks the programs, which the folder holds compressed.
func (k *kit) unpack() error {
	k.bin = filepath.Join(k.work, "bin")
	if err := os.Mkdir(k.bin, 0o755); err != nil {
		return err
	}
	packed, err := filepath.Glob(filepath.Join(k.home, "bin", "*.gz"))
	if err != nil {
		return err
	}
	for _, file := range packed {
		if err := unpackOne(file, filepath.Join(k.bin, strings.TrimSuffix(filepath.Base(file), ".gz"))); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

func unpackOne(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	z, err := gzip.NewReader(in)
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, z); err != nil {
		return errors.Join(err, out.Close())
	}
	return out.Close()
}

// pictures writes some pictures of noise for lines that train.
func pictures(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	r := rand.New(rand.NewSource(1))
	for n := range 32 {
		p := image.NewRGBA(image.Rect(0, 0, 256, 256))
		r.Read(p.Pix)
		for i := 3; i < len(p.Pix); i += 4 {
			p.Pix[i] = 255
		}
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%02d.png", n)))
		if err != nil {
			return err
		}
		if err := errors.Join((&png.Encoder{CompressionLevel: png.NoCompression}).Encode(f, p), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// drivers are manifests that a loader may have to be told of.
var drivers = []string{"/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json", "/usr/share/vulkan/icd.d/nvidia_icd.json",
	"/etc/vulkan/icd.d/nvidia_icd.json"}

// find tries settings until a GPU is listed: the machine's own, then with the kit's loader, then with NVIDIA's manifest named. The
// programs keep what they write in the work folder, so that nobody's cache is read or changed.
func (k *kit) find(ctx context.Context) {
	base := append(os.Environ(), "XDG_CACHE_HOME="+filepath.Join(k.work, "cache"))
	loader := "LD_LIBRARY_PATH=" + filepath.Join(k.home, "lib")
	if old := os.Getenv("LD_LIBRARY_PATH"); old != "" {
		loader += ":" + old
	}
	tries := [][]string{nil, {loader}}
	for _, file := range drivers {
		if _, err := os.Stat(file); err == nil {
			tries = append(tries, []string{"VK_DRIVER_FILES=" + file}, []string{loader, "VK_DRIVER_FILES=" + file})
		}
	}
	k.env, k.report.Device, k.report.Found = base, "none was found", "nothing helped"
	for _, extra := range tries {
		env := append(append([]string{}, base...), extra...)
		l := line{Name: "find", Run: []string{"devices"}, Limit: 15}
		r, output := run(ctx, l, k.expand(l), env, k.work, k.work, k.log)
		first, _, _ := strings.Cut(output, "\n")
		device, listed := strings.CutPrefix(first, "device ")
		if !r.ok() || !listed {
			continue
		}
		gpu := !strings.Contains(device, "(cpu, ")
		if gpu || k.report.Device == "none was found" {
			k.env, k.report.Device = env, device
			found := strings.Join(append([]string{"the machine's own settings"}, extra...), ", ")
			k.report.Found = strings.ReplaceAll(found, k.home, "KIT")
		}
		if gpu {
			return
		}
	}
}
