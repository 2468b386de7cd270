// SPDX-License-Identifier: MIT

// Package faces draws the built-in data set: portraits of cartoon faces, any
// number of them, at any size, with the attributes that were drawn.
//
// Nothing is read from disk and nothing was traced or copied: every shape is a
// path in this package, filled with golang.org/x/image/vector. A portrait is a
// pure function of (seed, index); its size only sets how finely it is drawn.
//
// The portraits are made to be learnt by a very small model at 32 px. The head
// is always near the centre and fills the picture, features are bold (eyes,
// mouth and glasses survive at 32 px), colours come from small palettes, and
// whatever is not symmetric falls on either side with equal odds, so that
// flipping a picture gives another likely one.
//
// Read attributes.go for what varies, sample.go for how often, draw.go, hair.go
// and hats.go for the drawing, painter.go for paths and fills. The package
// imports nothing else of this module. It panics on a size below 8.
package faces
