// SPDX-License-Identifier: MIT

package grid

import (
	"image"
	"image/color"
	"strings"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

const (
	textSize = 15 // pixels
	textPad  = 6  // pixels between a name and what is around it
)

var textColor = color.RGBA{0xe8, 0xe8, 0xe8, 0xff}

// face is the Go project's font (BSD licence, part of golang.org/x/image).
var face = sync.OnceValue(func() font.Face {
	f, err := opentype.Parse(goregular.TTF)
	if err != nil {
		panic(err) // the font is compiled in
	}
	const dpi = 72 // so that points are pixels
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: textSize, DPI: dpi, Hinting: font.HintingFull})
	if err != nil {
		panic(err)
	}
	return face
})

// lines breaks a name after its commas.
func lines(name string) []string {
	l := strings.SplitAfter(name, ",")
	for i := range l {
		l[i] = strings.TrimSpace(l[i])
	}
	return l
}

// margins returns the room that names take on the left and at the top.
func margins(o Options) (left, top int) {
	for _, name := range o.Rows {
		for _, line := range lines(name) {
			left = max(left, font.MeasureString(face(), line).Ceil()+2*textPad)
		}
	}
	if o.Cols != nil {
		top = face().Metrics().Height.Ceil() + 2*textPad
	}
	return left, top
}

// write puts a name into r, from its left edge on and half way down. What does not fit is cut off.
func write(dst *image.RGBA, r image.Rectangle, name string) {
	m := face().Metrics()
	l := lines(name)
	y := fixed.I(r.Min.Y+r.Max.Y)/2 - m.Height*fixed.Int26_6(len(l))/2 + m.Ascent
	d := font.Drawer{Dst: dst.SubImage(r).(*image.RGBA), Src: image.NewUniform(textColor), Face: face()}
	for i, line := range l {
		d.Dot = fixed.Point26_6{X: fixed.I(r.Min.X + textPad), Y: fixed.I((y + m.Height*fixed.Int26_6(i)).Round())}
		d.DrawString(line)
	}
}
