// SPDX-License-Identifier: MIT

// Command report writes one file that can be attached to an issue: what the device is and can do, what was chosen for it, what it was
// measured to do, and the losses of the first steps of training beside those that are known. It holds no private data: no names
// of machine or user and no paths.
//
//	go run ./tools/report                     jitvk-report.md in this folder
//	go run ./tools/report -device 1 -out FILE
//
// One section failing is part of what the report tells; the others are there all the same.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"jitvk/engine"
	"jitvk/engine/files"
	"jitvk/kernels"
	"jitvk/kernels/measure"
	"jitvk/kernels/tune"
	"jitvk/model/cli"
	"jitvk/model/run"
	"jitvk/tools/internal/about"
	"jitvk/tools/internal/page"
	"jitvk/train/trainer"
)

func main() { os.Exit(cli.Main("report", command)) }

func command(ctx context.Context, args []string, out io.Writer) error {
	fs := flag.NewFlagSet("report", flag.ContinueOnError)
	device := fs.String("device", "", "index of the device, or part of its name")
	file := fs.String("out", "jitvk-report.md", "`file` to write")
	mode := tune.Auto
	fs.Var(&mode, "tune", tune.Usage)
	if err := cli.Parse(fs, args); err != nil {
		return err
	}
	secrets := private()
	save := func(text string) error { return files.WriteFile(*file, []byte(secrets.remove(text))) }
	text, err := report(ctx, *device, mode, save)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s\n%s holds this: no names of machine or user, no paths\n", secrets.remove(text), filepath.Base(*file))
	return err
}

// A section is a heading and what finds out what stands below it.
type section struct {
	title string
	find  func() (string, error)
}

// report is the file's text. It is saved before each section, too: a driver may take the process with it.
func report(ctx context.Context, device string, mode tune.Mode, save func(text string) error) (string, error) {
	text := fmt.Sprintf("# jitvk report\n\n%s, %s/%s, %d cores, %s UTC\n", runtime.Version(), runtime.GOOS, runtime.GOARCH,
		runtime.NumCPU(), time.Now().UTC().Format(time.DateTime))
	if commit := page.Here(engine.Info{}).Commit; commit != "" {
		text += "commit " + commit + "\n"
	}
	for _, s := range []section{
		{"devices", func() (string, error) { return devices() }},
		{"chosen for quick", func() (string, error) { return chosen(ctx, device, mode) }},
		{"measured peaks", func() (string, error) { return peaks(device) }},
		{"first losses", func() (string, error) { return losses(ctx, device) }},
	} {
		if err := ctx.Err(); err != nil {
			return text, err
		}
		text += "\n## " + s.title + "\n\n"
		if err := save(text + "under way; if the file ends here, so did the program\n"); err != nil {
			return text, err
		}
		body, err := s.find()
		if err != nil {
			body += fmt.Sprintf("failed: %v\n", err)
		}
		text += body
	}
	return text, save(text)
}

// devices is what each device of the machine is and can do.
func devices() (text string, err error) {
	infos, err := engine.Devices()
	for _, i := range infos {
		text += "- " + i.String() + "\n"
		for _, line := range about.Device(i) {
			text += "    - " + line + "\n"
		}
	}
	return text, err
}

// chosen is by which kernels quick would be trained, in the precision that training takes by itself.
func chosen(ctx context.Context, device string, mode tune.Mode) (string, error) {
	d, err := tune.Open(ctx, tune.Request{Device: device, Mode: mode}, func(plan *engine.Device) error {
		s, err := trainer.NewState(plan, config("auto"))
		if err == nil {
			s.Close()
		}
		return err
	})
	if err != nil {
		return "", err
	}
	defer d.Close()
	s, err := trainer.NewState(d, config("auto"))
	if err != nil {
		return "", err
	}
	defer s.Close()
	c := d.Chosen()
	if len(c) == 0 {
		return s.Precision + ": here no work has a choice\n", nil
	}
	t := page.Table{Left: []string{"work", "by"}}
	for _, class := range slices.Sorted(maps.Keys(c)) {
		t.Add(class, c[class])
	}
	return fmt.Sprintf("%s, tune %v\n\n%v", s.Precision, &mode, &t), nil
}

// peaks is what the device reaches when nothing holds it up.
func peaks(device string) (string, error) {
	d, err := engine.Open(engine.Options{Select: device})
	if err != nil {
		return "", err
	}
	defer d.Close()
	found, err := measure.Device(d, 3)
	if err != nil {
		return "", err
	}
	t := page.Table{Left: []string{""}, Right: []string{"rate"}}
	for _, p := range found {
		t.Add(p.Name, fmt.Sprintf("%.4g %s", p.Rate, p.Unit))
	}
	return t.String(), nil
}

// known are the losses of quick's first steps in fp32 on Mesa 25.0.7's lavapipe: seed 1, batch 32, on the pictures of noise below.
// TestKnown holds them to what the code gives.
var known = []float32{1.16137624, 1.00509262, 0.888839662, 0.989366949, 0.842155695}

// tolerated is by how much, relatively, losses may differ and the device still computes what it should: in fp32 by the order of sums,
// which five steps of training amplify; in halves by their rounding.
var tolerated = map[kernels.Precision]float64{kernels.FP32: 1e-4, kernels.FP16: 2e-2, kernels.BF16: 5e-2}

// losses are those of the first steps in fp32, and in halves where the device has units for them, beside the known ones.
func losses(ctx context.Context, device string) (string, error) {
	d, err := engine.Open(engine.Options{Select: device})
	if err != nil {
		return "", err
	}
	defer d.Close()
	precisions := []kernels.Precision{kernels.FP32}
	for _, p := range []kernels.Precision{kernels.FP16, kernels.BF16} {
		if _, ok := kernels.PeakFragment(d.Info(), p); ok && !d.Info().CPU() { // which imitates them, in minutes
			precisions = append(precisions, p)
		}
	}
	text := ""
	var all error
	for _, p := range precisions {
		got, err := firstLosses(ctx, d, p)
		if err != nil {
			all = errors.Join(all, fmt.Errorf("%v: %w", p, err))
		}
		text += compared(p, got)
	}
	return text, all
}

// firstLosses trains quick for as many steps as there are known losses.
func firstLosses(ctx context.Context, d *engine.Device, p kernels.Precision) (got []float32, err error) {
	s, err := trainer.NewState(d, config(p.String()))
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if err := s.Init(); err != nil {
		return nil, err
	}
	for range known {
		if err := ctx.Err(); err != nil {
			return got, err
		}
		step, err := s.Step(noise{})
		if err != nil {
			return got, err
		}
		result, err := step.Wait()
		if err != nil {
			return got, err
		}
		got = append(got, result.Loss)
	}
	return got, nil
}

// compared is a table of losses beside the known ones, and what it means.
func compared(p kernels.Precision, got []float32) string {
	t := page.Table{Left: []string{"step"}, Right: []string{"loss, " + p.String(), "lavapipe's, fp32", "difference"}}
	largest := 0.0
	for i, loss := range got {
		difference := float64(loss)/float64(known[i]) - 1
		largest = max(largest, math.Abs(difference)) // NaN where either is
		t.Add(fmt.Sprint(i+1), fmt.Sprintf("%.9g", loss), fmt.Sprintf("%.9g", known[i]), fmt.Sprintf("%.1e", difference))
	}
	verdict := "agree"
	if !(largest <= tolerated[p]) || len(got) < len(known) {
		verdict = "**differ**"
	}
	return fmt.Sprintf("%v\n%v: the losses %s (up to %.1e; %.0e is expected)\n\n", &t, p, verdict, largest, tolerated[p])
}

func config(precision string) run.Config {
	c, err := run.Preset("quick")
	if err != nil {
		panic(err) // the preset is this program's own
	}
	c.Precision, c.Seed = precision, 1
	return c
}

// noise is pictures that need no files; every step reads the same.
type noise struct{}

func (noise) Batch(dst []byte, _ int64) {
	for i := range dst {
		dst[i] = byte(uint32(i) * 2654435761 >> 24)
	}
}

func (noise) Labels([]uint32, int64) {}

// secrets are words that no report may hold.
type secrets []string

// private are those of this machine and user.
func private() (words secrets) {
	add := func(word string, err error) {
		if err == nil && len(word) > 1 { // "/" is in every path and says nothing
			words = append(words, word)
		}
	}
	add(os.Getwd())
	add(os.UserHomeDir())
	add(os.UserCacheDir())
	add(os.UserConfigDir())
	add(os.Executable())
	add(os.TempDir(), nil)
	add(os.Hostname())
	for _, name := range []string{"USER", "LOGNAME", "USERNAME", "SUDO_USER"} {
		add(os.Getenv(name), nil)
	}
	slices.SortFunc(words, func(x, y string) int { return len(y) - len(x) }) // paths before the names in them
	return words
}

// remove replaces them, and whatever else looks like a path below one of the folders where users' files lie.
func (s secrets) remove(text string) string {
	for _, word := range s {
		text = replaceWord(text, word)
	}
	for _, folder := range []string{"/home/", "/Users/", "/root/", "/tmp/", "/mnt/", "/media/", `C:\Users\`} {
		for {
			before, after, found := strings.Cut(text, folder)
			if !found {
				break
			}
			if end := strings.IndexAny(after, " \t\n:,;|\"'`)"); end >= 0 {
				after = after[end:]
			} else {
				after = ""
			}
			text = before + "PATH" + after
		}
	}
	return text
}

// replaceWord replaces a word where it stands by itself: a user called "an" must not take a device's name apart.
func replaceWord(text, word string) string {
	letter := func(b byte) bool { return b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' }
	var out strings.Builder
	for {
		i := strings.Index(text, word)
		if i < 0 {
			break
		}
		end := i + len(word)
		if i > 0 && letter(text[i-1]) && letter(word[0]) || end < len(text) && letter(text[end]) && letter(word[len(word)-1]) {
			out.WriteString(text[:end])
		} else {
			out.WriteString(text[:i] + "PRIVATE")
		}
		text = text[end:]
	}
	return out.String() + text
}
