// SPDX-License-Identifier: MIT

// Command compare trains the same model in several ways, one after the other, and draws what came of it: the losses in one
// plot, and a row of samples from each. It may import everything. What the network predicts, for one:
//
//	go run ./tools/compare -out docs/images/predict -all "-preset quick -steps 1000" -- "-predict x" "-predict eps" "-predict v"
//
// writes docs/images/predict-losses.png and docs/images/predict-samples.png, whose rows are in the order of the arguments.
package main

import (
	"context"
	"flag"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"

	"jitvk/model/cli"
	"jitvk/model/grid"
	"jitvk/model/report"
	"jitvk/model/run"
	"jitvk/train/trainer"
)

func main() { os.Exit(cli.Main("compare", command)) }

func command(ctx context.Context, args []string, out io.Writer) error {
	fs := flag.NewFlagSet("compare", flag.ContinueOnError)
	to := fs.String("out", "", "where the pictures go: OUT-losses.png and OUT-samples.png")
	all := fs.String("all", "", "options of `go run ./train` for all runs, in quotes")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if *to == "" || fs.NArg() < 2 {
		return fmt.Errorf("compare: name the pictures with -out, and after -- at least two runs, each by its own options of " +
			"`go run ./train` in quotes")
	}
	var configs []run.Config // all of them before any takes its time
	for _, own := range fs.Args() {
		c, err := run.Parse(append(strings.Fields(*all), strings.Fields(own)...))
		if err != nil {
			return fmt.Errorf("compare: run %q: %w", own, err)
		}
		configs = append(configs, c)
	}
	runs, err := os.MkdirTemp("", "jitvk-compare")
	if err != nil {
		return err
	}
	defer os.RemoveAll(runs)
	fmt.Fprintln(out, "the runs' own files are gone when both pictures are drawn")
	var curves []report.Curve
	var samples []image.Image
	for i, c := range configs {
		fmt.Fprintf(out, "\n== %s\n", fs.Arg(i))
		c.Out = filepath.Join(runs, fmt.Sprint(i))
		dir, err := trainer.Run(ctx, c, out)
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		rows, err := report.ReadLog(filepath.Join(dir, "log.csv"))
		if err != nil {
			return err
		}
		curves = append(curves, report.Curve{Name: fs.Arg(i), Rows: rows})
		m, err := load(filepath.Join(dir, "samples.png"))
		if err != nil {
			return err
		}
		samples = append(samples, m)
	}
	if err := report.SaveLosses(*to+"-losses.png", *all, curves); err != nil {
		return err
	}
	if err := grid.Save(*to+"-samples.png", firstRows(samples)); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "\n%s-losses.png\n%s-samples.png\n", *to, *to)
	return err
}

func load(path string) (image.Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return png.Decode(f)
}

// firstRows puts the first row of pictures of each grid below that of the one before. The grids of short runs have less in
// them; all have about as many rows as columns.
func firstRows(grids []image.Image) image.Image {
	const rows = 4 // of the trainer's grid
	width, height := 0, 0
	for _, g := range grids {
		width = max(width, g.Bounds().Dx())
		height += g.Bounds().Dy() / rows
	}
	dst := image.NewRGBA(image.Rect(0, 0, width, height))
	y := 0
	for _, g := range grids {
		h := g.Bounds().Dy() / rows
		draw.Draw(dst, image.Rect(0, y, width, y+h), g, g.Bounds().Min, draw.Src)
		y += h
	}
	return dst
}
