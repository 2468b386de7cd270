// SPDX-License-Identifier: MIT

package faces

import (
	"flag"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/image/draw"
)

var (
	sheetDir  = flag.String("sheet", "", "write contact sheets of portraits to this folder")
	sheetFrom = flag.Int("sheet-from", 0, "first portrait on the sheets")
)

// TestSheet writes contact sheets to look at, when asked:
//
//	go test ./train/faces -run TestSheet -sheet /tmp
func TestSheet(t *testing.T) {
	if *sheetDir == "" {
		t.Skip("no -sheet folder given")
	}
	for _, s := range []struct {
		name             string
		side, size, zoom int
	}{
		{"faces_256.png", 4, 256, 1},
		{"faces_64.png", 8, 64, 2},
		{"faces_32.png", 8, 32, 6},
		{"faces_32_raw.png", 24, 32, 1},
	} {
		cell := s.size * s.zoom
		sheet := image.NewRGBA(image.Rect(0, 0, s.side*cell, s.side*cell))
		for i := range s.side * s.side {
			m, _ := Draw(1, *sheetFrom+i, s.size)
			at := image.Rect(0, 0, cell, cell).Add(image.Pt(i%s.side*cell, i/s.side*cell))
			draw.NearestNeighbor.Scale(sheet, at, m, m.Rect, draw.Src, nil)
		}
		name := filepath.Join(*sheetDir, s.name)
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := png.Encode(f, sheet); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		t.Log("wrote", name)
	}
}
