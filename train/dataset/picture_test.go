// SPDX-License-Identifier: MIT

package dataset

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"math"
	"slices"
	"testing"
)

// packedAs packs one picture.
func packedAs(img image.Image, size int) []byte {
	dst := make([]byte, size*size*3)
	pack(dst, img, size, upright)
	return dst
}

// Every kind of picture that the decoders return comes out in its colour, at, below and above its size.
func TestColourModels(t *testing.T) {
	b := image.Rect(3, 2, 11, 12) // not at the origin
	fill := func(img interface {
		image.Image
		Set(x, y int, c color.Color)
	}, c color.Color) image.Image {
		for y := b.Min.Y; y < b.Max.Y; y++ {
			for x := b.Min.X; x < b.Max.X; x++ {
				img.Set(x, y, c)
			}
		}
		return img
	}
	ycbcr := image.NewYCbCr(b, image.YCbCrSubsampleRatio420)
	for i := range ycbcr.Y {
		ycbcr.Y[i] = 100
	}
	for i := range ycbcr.Cb {
		ycbcr.Cb[i], ycbcr.Cr[i] = 128, 128
	}
	alphaYCbCr := image.NewNYCbCrA(b, image.YCbCrSubsampleRatio420) // lossy WebP; all transparent
	orange := color.RGBA{255, 128, 0, 255}
	for _, c := range []struct {
		name string
		img  image.Image
		want [3]byte
	}{
		{"RGBA", fill(image.NewRGBA(b), orange), [3]byte{255, 128, 0}},
		{"NRGBA", fill(image.NewNRGBA(b), orange), [3]byte{255, 128, 0}},
		{"RGBA64", fill(image.NewRGBA64(b), orange), [3]byte{255, 128, 0}},
		{"NRGBA64", fill(image.NewNRGBA64(b), orange), [3]byte{255, 128, 0}},
		{"Gray", fill(image.NewGray(b), grey), [3]byte{100, 100, 100}},
		{"Gray16", fill(image.NewGray16(b), color.Gray16{0x8080}), [3]byte{128, 128, 128}},
		{"CMYK", fill(image.NewCMYK(b), color.CMYK{0, 127, 255, 0}), [3]byte{255, 128, 0}},
		{"Paletted", fill(image.NewPaletted(b, color.Palette{color.White, orange}), orange), [3]byte{255, 128, 0}},
		{"YCbCr", ycbcr, [3]byte{100, 100, 100}},
		{"transparent", image.NewNRGBA(b), [3]byte{255, 255, 255}},
		{"transparent WebP", alphaYCbCr, [3]byte{255, 255, 255}},
		{"half transparent", fill(image.NewNRGBA(b), color.NRGBA{0, 0, 0, 128}), [3]byte{127, 127, 127}},
		{"half transparent 16", fill(image.NewNRGBA64(b), color.NRGBA64{0, 0, 0, 0x8080}), [3]byte{127, 127, 127}},
	} {
		for _, size := range []int{1, 3, 8, 20} {
			for i, got := range packedAs(c.img, size) {
				if want := c.want[i%3]; max(got, want)-min(got, want) > 1 {
					t.Errorf("%s at %d: byte %d is %d, want %d", c.name, size, i, got, want)
					break
				}
			}
		}
	}
}

func TestCentreCrop(t *testing.T) {
	for _, tall := range []bool{false, true} {
		img := image.NewRGBA(image.Rect(0, 0, 10, 4))
		if tall {
			img = image.NewRGBA(image.Rect(0, 0, 4, 10))
		}
		for i := range 40 { // the number of the column (row) in green
			x, y := i%img.Rect.Dx(), i/img.Rect.Dx()
			if tall {
				img.Set(x, y, color.RGBA{255, uint8(y * 10), 0, 255})
			} else {
				img.Set(x, y, color.RGBA{255, uint8(x * 10), 0, 255})
			}
		}
		got := packedAs(img, 4)
		for y := range 4 {
			for x := range 4 {
				want := byte((3 + x) * 10)
				if tall {
					want = byte((3 + y) * 10)
				}
				if got[(y*4+x)*3+1] != want {
					t.Errorf("tall %v: (%d,%d) is %v, want %d", tall, x, y, got[(y*4+x)*3:][:3], want)
				}
			}
		}
	}
}

// A fine checkerboard reduced is grey, not black or white: no aliasing.
func TestReductionAverages(t *testing.T) {
	img := image.NewGray(image.Rect(0, 0, 512, 512))
	for i := range img.Pix {
		img.Pix[i] = uint8((i%512 + i/512) % 2 * 255)
	}
	for _, v := range packedAs(img, 7) {
		if v < 120 || v > 135 {
			t.Fatalf("pixels %v, want about 127", packedAs(img, 7))
		}
	}
}

// withOrientation puts an EXIF segment into a JPEG.
func withOrientation(jpeg []byte, order binary.AppendByteOrder, letters string, v uint16) []byte {
	exif := append([]byte("Exif\x00\x00"), letters...)
	exif = order.AppendUint16(exif, 42)
	exif = order.AppendUint32(exif, 8)
	exif = order.AppendUint16(exif, 2)
	exif = append(order.AppendUint32(order.AppendUint16(order.AppendUint16(exif, 0x010f), 2), 4), "abc\x00"...) // the maker, before it
	exif = order.AppendUint32(order.AppendUint16(order.AppendUint16(exif, 0x0112), 3), 1)
	exif = order.AppendUint16(order.AppendUint16(exif, v), 0)
	exif = order.AppendUint32(exif, 0)
	out := append([]byte{}, jpeg[:2]...)
	out = append(out, 0xff, 0xe0, 0, 4, 1, 2) // another segment, before it
	out = append(out, 0xff, 0xe1)
	out = binary.BigEndian.AppendUint16(out, uint16(len(exif)+2))
	return append(append(out, exif...), jpeg[2:]...)
}

// All eight orientations of one scene come out alike: its corners are red, green, blue and white, clockwise from the upper left.
func TestOrientation(t *testing.T) {
	scene := [4]color.Color{red, green, blue, color.White}
	// stored[v]: which corners of the scene the stored picture shows, clockwise from its upper left. 6, say, has the scene's right
	// side in row 0 and its top in column 0: the upper right corner first, then down the right side.
	stored := [9][4]int{
		1: {0, 1, 2, 3}, 2: {1, 0, 3, 2}, 3: {2, 3, 0, 1}, 4: {3, 2, 1, 0},
		5: {0, 3, 2, 1}, 6: {1, 2, 3, 0}, 7: {2, 1, 0, 3}, 8: {3, 0, 1, 2},
	}
	for v := 1; v <= 8; v++ {
		for letters, order := range map[string]binary.AppendByteOrder{"II": binary.LittleEndian, "MM": binary.BigEndian} {
			img := image.NewRGBA(image.Rect(0, 0, 48, 32))
			for y := range 32 {
				for x := range 48 {
					corner := [2][2]int{{0, 1}, {3, 2}}[y/16][x/24]
					img.Set(x, y, scene[stored[v][corner]])
				}
			}
			got, o, err := decode(withOrientation(asJPEG(t, img), order, letters, uint16(v)))
			if err != nil {
				t.Fatal(err)
			}
			dst := make([]byte, 4*4*3)
			pack(dst, got, 4, o)
			for i, p := range [4]image.Point{{0, 0}, {3, 0}, {3, 3}, {0, 3}} {
				r, g, b, _ := scene[i].RGBA()
				want := [3]byte{byte(r >> 8), byte(g >> 8), byte(b >> 8)}
				pixel := dst[(p.Y*4+p.X)*3:][:3]
				for c := range 3 {
					if max(pixel[c], want[c])-min(pixel[c], want[c]) > 20 {
						t.Errorf("orientation %d %s: corner %d is %v, want %v", v, letters, i, pixel, want)
						break
					}
				}
			}
		}
	}
}

// Broken EXIF is no reason to lose a picture.
func TestBrokenEXIF(t *testing.T) {
	plainJPEG := asJPEG(t, plain(8, 8, red))
	whole := withOrientation(plainJPEG, binary.LittleEndian, "II", 6)
	for i := 2; i < len(whole); i++ {
		exifOrientation(whole[:i]) // does not panic
	}
	for _, v := range []uint16{0, 9, 65535} {
		o := exifOrientation(withOrientation(plainJPEG, binary.BigEndian, "MM", v))
		if got := o(1, 2, 7); got != image.Pt(1, 2) {
			t.Errorf("orientation %d turns (1,2) to %v", v, got)
		}
	}
	if got := exifOrientation(whole)(1, 2, 7); got != image.Pt(2, 6) {
		t.Errorf("orientation 6 takes (1,2) from %v, want (2,6)", got)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(asPNG(f, plain(4, 4, red)))
	f.Add(withOrientation(asJPEG(f, plain(8, 8, red)), binary.LittleEndian, "II", 6))
	f.Add(webP(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<16 {
			return
		}
		// A tiny file may be a large picture and slow to decode: not what is looked for here.
		if img, o, err := decode(b); err == nil && img.Bounds().Dx()*img.Bounds().Dy() < 1<<20 {
			pack(make([]byte, 4*4*3), img, 4, o)
		}
	})
}

func TestOrder(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 63, 64, 65, 100, 255, 256, 257, 1000, 4095, 4096, 4097, 10_000} {
		o := Order{N: n, Seed: 5}
		var before []int
		for epoch := range 3 {
			order := make([]int, n)
			for i := range order {
				order[i] = o.Index(int64(epoch*n + i))
			}
			sorted := slices.Sorted(slices.Values(order))
			for i, v := range sorted {
				if v != i {
					t.Fatalf("N %d, epoch %d: not a permutation at %d: %d", n, epoch, i, v)
				}
			}
			if n > 8 && slices.Equal(order, before) {
				t.Errorf("N %d: epochs %d and %d are alike", n, epoch-1, epoch)
			}
			before = order
		}
	}
	// Far along, and the same again.
	o := Order{N: 10_000, Seed: 5}
	far := int64(1) << 60
	if a, b := o.Index(far), o.Index(far); a != b || a < 0 || a >= o.N {
		t.Errorf("position 2^60: %d and %d", a, b)
	}
	if (Order{N: 10_000, Seed: 6}).Index(0) == o.Index(0) && (Order{N: 10_000, Seed: 6}).Index(1) == o.Index(1) {
		t.Error("two seeds begin alike")
	}
	for name, do := range map[string]func(){"N": func() { Order{}.Index(0) }, "position": func() { o.Index(-1) }} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			do()
		}()
	}
}

// Over many epochs every picture is as often at every place, and neighbours are independent: chi-square tests.
func TestOrderIsUniform(t *testing.T) {
	for _, n := range []int{3, 4, 5, 10, 16, 23} {
		const epochs = 20_000
		place := make([]float64, n*n)
		pair := make([]float64, n*n) // picture b right after picture a
		o := Order{N: n, Seed: 9}
		for epoch := range epochs {
			last := -1
			for i := range n {
				v := o.Index(int64(epoch*n + i))
				place[i*n+v]++
				if last >= 0 {
					pair[last*n+v]++
				}
				last = v
			}
		}
		chi := func(count []float64, want float64, diagonal bool) (sum float64, cells int) {
			for i, c := range count {
				if !diagonal && i/n == i%n {
					continue
				}
				sum += (c - want) * (c - want) / want
				cells++
			}
			return sum, cells
		}
		// Mean at most the number of cells, variance at most twice that, if all permutations are equally likely; six sigma.
		for name, c := range map[string]struct {
			count    []float64
			want     float64
			diagonal bool
		}{"place": {place, epochs / float64(n), true}, "pair": {pair, epochs / float64(n), false}} {
			sum, cells := chi(c.count, c.want, c.diagonal)
			if sum > float64(cells)+6*math.Sqrt(2*float64(cells)) {
				t.Errorf("N %d, %s: chi-square %.0f of %d cells", n, name, sum, cells)
			}
			t.Logf("N %d, %s: chi-square %.1f of %d cells", n, name, sum, cells)
		}
	}
}

func BenchmarkBatch(b *testing.B) {
	d := drawn(b, 1000, 32)
	dst := make([]byte, 64*32*32*3)
	o := Order{N: d.Len(), Seed: 1}
	b.SetBytes(int64(len(dst)))
	for step := int64(0); b.Loop(); step++ {
		d.Batch(dst, o, step, 64)
	}
	if bytes.Equal(dst, make([]byte, len(dst))) {
		b.Error("nothing gathered")
	}
}
