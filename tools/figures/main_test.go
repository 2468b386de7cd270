// SPDX-License-Identifier: MIT

package main

import (
	"image/png"
	"os"
	"path/filepath"
	"testing"
)

// TestFigures draws every figure: it is a picture with something on it, and it is in docs/images.
func TestFigures(t *testing.T) {
	root := filepath.Join("..", "..")
	for name, f := range figures {
		c, err := f(root)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		img := c.img.Image()
		colours := map[[3]uint32]int{}
		for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y += 2 {
			for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x += 2 {
				r, g, b, _ := img.At(x, y).RGBA()
				colours[[3]uint32{r, g, b}]++
			}
		}
		if len(colours) < 5 {
			t.Errorf("%s: %d colours", name, len(colours))
		}
		file, err := os.Open(filepath.Join(root, "docs", "images", name+".png"))
		if err != nil {
			t.Error(err)
			continue
		}
		if committed, err := png.DecodeConfig(file); err != nil || committed.Width != img.Bounds().Dx() ||
			committed.Height != img.Bounds().Dy() {
			t.Errorf("docs/images/%s.png is %d x %d (%v), this command draws %v: run go run ./tools/figures", name, committed.Width,
				committed.Height, err, img.Bounds().Size())
		}
		file.Close()
	}
}

func TestConstants(t *testing.T) {
	k, err := constants(filepath.Join("..", ".."), "matmul/02_register.comp")
	if err != nil || k["BM"] == 0 || k["TN"] == 0 {
		t.Errorf("%v, %v", k, err)
	}
}
