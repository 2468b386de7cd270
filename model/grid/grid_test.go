// SPDX-License-Identifier: MIT

package grid

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"testing"
)

func TestLevels(t *testing.T) {
	for k := range 256 { // every byte survives the way to [-1,1] and back, as train does it
		if got := level(float32(k)/255*2 - 1); int(got) != k {
			t.Errorf("byte %d came back as %d", k, got)
		}
	}
	step := float32(2.0 / 255)
	for _, c := range []struct {
		v    float32
		want uint8
	}{
		{-1, 0}, {1, 255}, {-1.5, 0}, {7, 255}, {-1e30, 0}, {1e30, 255},
		{-1 + 0.49*step, 0}, {-1 + 0.51*step, 1}, {1 - 0.49*step, 255}, {1 - 0.51*step, 254}, {0, 128},
	} {
		if got := level(c.v); got != c.want {
			t.Errorf("level(%g) = %d, want %d", c.v, got, c.want)
		}
	}
}

// Two rows of three with five pictures (5,3,2,3), every pixel different, drawn at scale 2.
func TestLayout(t *testing.T) {
	const n, h, w, cols, scale, gap = 5, 2, 3, 3, 2, 1
	images := make([]float32, n*3*h*w)
	for i := range images {
		images[i] = float32(i)/255*2 - 1
	}
	m := Draw(images, n, h, w, cols, Options{Scale: scale, Gap: gap, Background: color.White})
	if got := m.Rect.Size(); got.X != cols*(w*scale+gap)+gap || got.Y != 2*(h*scale+gap)+gap {
		t.Fatalf("size %v", got)
	}
	want := map[[2]int]color.RGBA{}
	for i := range n {
		for y := range h {
			for x := range w {
				v := func(c int) uint8 { return uint8(((i*3+c)*h+y)*w + x) }
				for s := range scale * scale {
					at := [2]int{gap + i%cols*(w*scale+gap) + x*scale + s%scale, gap + i/cols*(h*scale+gap) + y*scale + s/scale}
					want[at] = color.RGBA{v(0), v(1), v(2), 255}
				}
			}
		}
	}
	if len(want) != n*h*w*scale*scale {
		t.Fatalf("the test itself overlaps: %d pixels", len(want))
	}
	for y := range m.Rect.Dy() {
		for x := range m.Rect.Dx() {
			c, ok := want[[2]int{x, y}]
			if !ok {
				c = color.RGBA{255, 255, 255, 255}
			}
			if got := m.RGBAAt(x, y); got != c {
				t.Errorf("(%d,%d): %v, want %v", x, y, got, c)
			}
		}
	}
}

// Names make margins: the pictures move, and are otherwise as without.
func TestNames(t *testing.T) {
	const n, size, cols = 8, 4, 4
	images := make([]float32, n*3*size*size)
	for i := range images {
		images[i] = float32(i%200)/100 - 1
	}
	plain := Draw(images, n, size, size, cols, Options{})
	named := Draw(images, n, size, size, cols,
		Options{Rows: []string{"not Smiling, Male", "α"}, Cols: []string{"guidance 1", "guidance 2"}})
	left, top := named.Rect.Dx()-plain.Rect.Dx(), named.Rect.Dy()-plain.Rect.Dy()
	if left < 50 || left > 120 || top < textSize || top > 3*textSize {
		t.Fatalf("margins %d and %d", left, top)
	}
	inked := func(r image.Rectangle) (n int) {
		for y := r.Min.Y; y < r.Max.Y; y++ {
			for x := r.Min.X; x < r.Max.X; x++ {
				if named.RGBAAt(x, y) != background {
					n++
				}
			}
		}
		return n
	}
	for y := range plain.Rect.Dy() {
		for x := range plain.Rect.Dx() {
			if named.RGBAAt(left+x, top+y) != plain.RGBAAt(x, y) {
				t.Fatalf("(%d,%d) is not where it belongs", x, y)
			}
		}
	}
	half, block := plain.Rect.Dy()/2, plain.Rect.Dx()/2
	for name, r := range map[string]image.Rectangle{
		"first row": image.Rect(0, top, left, top+half), "second row": image.Rect(0, top+half, left, top+2*half),
		"first column": image.Rect(left, 0, left+block, top), "second column": image.Rect(left+block, 0, left+2*block, top),
	} {
		if n := inked(r); n < 20 {
			t.Errorf("%s: %d pixels of a name", name, n)
		}
	}
	if inked(image.Rect(0, 0, left, top)) > 0 {
		t.Error("a name runs into the corner")
	}
}

func TestBrokenPixelsAreMagenta(t *testing.T) {
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
		for c := range 3 {
			images := make([]float32, 3*4)
			images[c*4+2] = bad
			m := Draw(images, 1, 2, 2, 0, Options{Scale: 1, Gap: -1})
			if m.Rect.Dx() != 2 || m.Rect.Dy() != 2 {
				t.Fatalf("size %v, want 2 x 2", m.Rect)
			}
			for i := range 4 {
				want := color.RGBA{128, 128, 128, 255}
				if i == 2 {
					want = broken
				}
				if got := m.RGBAAt(i%2, i/2); got != want {
					t.Errorf("%g in channel %d: pixel %d is %v, want %v", bad, c, i, got, want)
				}
			}
		}
	}
}

func TestDefaults(t *testing.T) {
	for _, c := range []struct{ n, size, dx, dy int }{
		{16, 32, 4*98 + 2, 4*98 + 2}, // 32 pixels show as 96
		{64, 64, 8*130 + 2, 8*130 + 2},
		{1, 256, 260, 260},
		{3, 100, 3*102 + 2, 104},
	} {
		m := Draw(make([]float32, c.n*3*c.size*c.size), c.n, c.size, c.size, 0, Options{})
		if m.Rect.Dx() != c.dx || m.Rect.Dy() != c.dy {
			t.Errorf("%d of %d pixels: %v, want %d x %d", c.n, c.size, m.Rect, c.dx, c.dy)
		}
		if got := m.RGBAAt(0, 0); got != background {
			t.Errorf("corner %v", got)
		}
	}
	want := map[int]int{1: 1, 2: 2, 3: 3, 4: 2, 5: 3, 6: 3, 7: 3, 8: 4, 9: 3, 10: 5, 12: 4, 16: 4, 18: 6, 20: 5, 25: 5, 32: 8, 36: 6, 49: 7,
		64: 8, 100: 10}
	for n, cols := range want {
		if got := Cols(n); got != cols {
			t.Errorf("Cols(%d) = %d, want %d", n, got, cols)
		}
	}
	for n := 1; n < 500; n++ {
		c := Cols(n)
		if rows := (n + c - 1) / c; rows*c < n || (rows-1)*c >= n || n > 3 && (c < rows || 2*c > 5*rows) {
			t.Errorf("Cols(%d) = %d with %d rows", n, c, rows)
		}
	}
}

func TestSave(t *testing.T) {
	m := Draw(make([]float32, 3*4), 1, 2, 2, 0, Options{})
	dir := t.TempDir()
	path := filepath.Join(dir, "grid.png")
	if err := Save(path, m); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	back, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if back.Bounds() != m.Bounds() || color.RGBAModel.Convert(back.At(5, 5)) != m.At(5, 5) {
		t.Errorf("read back %v with %v", back.Bounds(), back.At(5, 5))
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 1 {
		t.Errorf("folder holds %v, %v", list, err)
	}
	if err := Save(filepath.Join(dir, "missing", "grid.png"), m); err == nil {
		t.Error("saved into a folder that is not there")
	}
}

func TestMisusePanics(t *testing.T) {
	for name, f := range map[string]func(){
		"length": func() { Draw(make([]float32, 11), 1, 2, 2, 0, Options{}) },
		"none":   func() { Draw(nil, 0, 2, 2, 0, Options{}) },
		"cols":   func() { Draw(make([]float32, 12), 1, 2, 2, -1, Options{}) },
		"scale":  func() { Draw(make([]float32, 12), 1, 2, 2, 1, Options{Scale: -1}) },
		"Cols":   func() { Cols(0) },
		"rows":   func() { Draw(make([]float32, 12), 1, 2, 2, 1, Options{Rows: []string{"a", "b"}}) },
		"names":  func() { Draw(make([]float32, 36), 3, 2, 2, 3, Options{Cols: []string{"a", "b"}}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}
