// SPDX-License-Identifier: MIT

package trainer

import (
	"context"
	"fmt"
	"image"
	"io"
	"time"

	"jitvk/model/report"
	"jitvk/model/run"
	"jitvk/train/dataset"
	"jitvk/train/faces"
)

const (
	builtinFaces = 20000   // portraits of the built-in data set, fewer where they would
	builtinBytes = 1 << 29 // take more than this
	builtinSeed  = 1
	packingGap   = 5 * time.Second
)

// openData opens the pictures that the user named, or draws the built-in portraits.
func openData(ctx context.Context, c run.Config, out io.Writer) (*dataset.Dataset, error) {
	o := dataset.Options{Size: c.Model.Size, Labels: c.Attributes(), Log: func(line string) { fmt.Fprintln(out, line) }}
	shown := time.Now()
	o.Progress = func(done, total int) {
		if t := time.Now(); t.Sub(shown) >= packingGap {
			shown = t
			fmt.Fprintf(out, "packing     %s of %s pictures\n", report.Count(int64(done)), report.Count(int64(total)))
		}
	}
	if c.Data != "" {
		return dataset.Open(ctx, c.Data, o)
	}
	n := max(1, min(builtinFaces, builtinBytes/(3*c.Model.Size*c.Model.Size)))
	portraits := dataset.Drawn{Name: "built-in portraits", Key: fmt.Sprintf("faces %d", builtinSeed), N: n,
		Draw: func(index, size int) image.Image { m, _ := faces.Draw(builtinSeed, index, size); return m }}
	for _, name := range faces.AttributeNames() {
		portraits.Attributes = append(portraits.Attributes, dataset.Attribute{Name: name, Values: faces.AttributeLabels(name),
			Value: func(i int) int { v, _ := faces.Describe(builtinSeed, i).Value(name); return v }})
	}
	return dataset.OpenDrawn(ctx, portraits, o)
}
