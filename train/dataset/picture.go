// SPDX-License-Identifier: MIT

package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"path"
	"strings"

	"golang.org/x/image/draw"
	"golang.org/x/image/webp"
)

// maxPixels bounds a picture before it is decoded: a small file may claim to be a huge picture.
const maxPixels = 100_000_000

// sniff names the format of a file by its first bytes, "" for one that we do not read.
func sniff(head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xd8\xff")):
		return "JPEG"
	case bytes.HasPrefix(head, []byte("\x89PNG\r\n\x1a\n")):
		return "PNG"
	case len(head) >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WEBP":
		return "WebP"
	}
	return ""
}

// pictureName says whether a file claims to be a picture, of whatever format.
func pictureName(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif", ".jxl", ".jp2":
		return true
	}
	return false
}

// decode reads a picture and how it is to be turned.
func decode(b []byte) (img image.Image, o orientation, err error) {
	// The decoders work on what strangers wrote, in a goroutine whose panic nobody could catch: one bad file of many
	// thousands must not end the run.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the decoder failed: %v", p)
		}
	}()
	var config image.Config
	format := sniff(b)
	switch format {
	case "JPEG":
		config, err = jpeg.DecodeConfig(bytes.NewReader(b))
	case "PNG":
		config, err = png.DecodeConfig(bytes.NewReader(b))
	case "WebP":
		config, err = webp.DecodeConfig(bytes.NewReader(b))
	default:
		return nil, upright, errors.New("not a JPEG, PNG or WebP picture")
	}
	if err != nil {
		return nil, upright, err
	}
	if config.Width < 1 || config.Height < 1 {
		return nil, upright, errors.New("has no pixels")
	}
	if int64(config.Width)*int64(config.Height) > maxPixels {
		return nil, upright, fmt.Errorf("%d x %d pixels, more than %d million", config.Width, config.Height, maxPixels/1_000_000)
	}
	o = upright
	switch format {
	case "JPEG":
		o = exifOrientation(b)
		img, err = jpeg.Decode(bytes.NewReader(b))
	case "PNG":
		img, err = png.Decode(bytes.NewReader(b))
	case "WebP":
		img, err = webp.Decode(bytes.NewReader(b))
	}
	return img, o, err
}

// pack fills dst (size,size,3) with the central square of img: on white, resized, turned upright.
func pack(dst []byte, img image.Image, size int, o orientation) {
	b := img.Bounds()
	side := min(b.Dx(), b.Dy())
	crop := image.Rect(0, 0, side, side).Add(b.Min).Add(image.Pt((b.Dx()-side)/2, (b.Dy()-side)/2))
	square := image.NewRGBA(image.Rect(0, 0, size, size))
	op := draw.Src
	if opaque, ok := img.(interface{ Opaque() bool }); !ok || !opaque.Opaque() {
		op = draw.Over
		draw.Draw(square, square.Rect, image.NewUniform(color.White), image.Point{}, draw.Src)
	}
	if side == size {
		draw.Draw(square, square.Rect, img, crop.Min, op)
	} else {
		draw.CatmullRom.Scale(square, square.Rect, img, crop, op, nil) // its support grows with the reduction: no aliasing
	}
	for y := range size {
		for x := range size {
			at := o(x, y, size-1)
			copy(dst[(y*size+x)*3:][:3], square.Pix[square.PixOffset(at.X, at.Y):])
		}
	}
}

// orientation says which pixel of a square as stored, with last index n, belongs at (x,y) of the upright one.
type orientation func(x, y, n int) image.Point

func upright(x, y, _ int) image.Point { return image.Pt(x, y) }

// orientations by the value of EXIF's tag 0x0112 (Exif 2.3, 4.6.4 A): which side of the scene row 0 and column 0 are.
var orientations = [9]orientation{
	1: upright,                                                     // top, left
	2: func(x, y, n int) image.Point { return image.Pt(n-x, y) },   // top, right
	3: func(x, y, n int) image.Point { return image.Pt(n-x, n-y) }, // bottom, right
	4: func(x, y, n int) image.Point { return image.Pt(x, n-y) },   // bottom, left
	5: func(x, y, n int) image.Point { return image.Pt(y, x) },     // left, top
	6: func(x, y, n int) image.Point { return image.Pt(y, n-x) },   // right, top
	7: func(x, y, n int) image.Point { return image.Pt(n-y, n-x) }, // right, bottom
	8: func(x, y, n int) image.Point { return image.Pt(n-y, x) },   // left, bottom
}

// exifOrientation reads the orientation of a JPEG; upright when it has none or a broken one.
func exifOrientation(b []byte) orientation {
	for b = b[2:]; len(b) >= 4 && b[0] == 0xff && b[1] != 0xda; { // segments up to the start of scan
		if b[1] == 0xff { // a fill byte
			b = b[1:]
			continue
		}
		n := 2 + int(binary.BigEndian.Uint16(b[2:]))
		if n < 4 || n > len(b) {
			return upright
		}
		if exif, ok := bytes.CutPrefix(b[4:n], []byte("Exif\x00\x00")); ok && b[1] == 0xe1 {
			return tiffOrientation(exif)
		}
		b = b[n:]
	}
	return upright
}

// tiffOrientation looks for tag 0x0112 in the first directory of a TIFF structure.
func tiffOrientation(b []byte) orientation {
	if len(b) < 8 {
		return upright
	}
	var order binary.ByteOrder = binary.BigEndian
	if b[0] == 'I' {
		order = binary.LittleEndian
	}
	at := int64(order.Uint32(b[4:]))
	if at+2 > int64(len(b)) {
		return upright
	}
	count := int(order.Uint16(b[at:]))
	for b = b[at+2:]; count > 0 && len(b) >= 12; count, b = count-1, b[12:] {
		if order.Uint16(b) == 0x0112 {
			if v := order.Uint16(b[8:]); v >= 1 && v <= 8 {
				return orientations[v]
			}
			break
		}
	}
	return upright
}
