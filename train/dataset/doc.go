// SPDX-License-Identifier: MIT

// Package dataset turns pictures into batches of packed bytes.
//
//	Open(ctx, PATH, options)       a folder (searched recursively) or a .zip of JPEG, PNG or WebP pictures
//	OpenDrawn(ctx, drawn, options) pictures that a function draws
//
// Every picture is turned upright (EXIF), composited on white, cropped to its central square and resized once to Size x Size by
// Catmull-Rom; the bytes (N,Size,Size,3), RGB interleaved, go into one cache file, which later runs only map into memory. The
// cache belongs to the very files, their sizes and times: a changed folder, another size or a damaged cache packs again.
// What is to be known of all pixels (fingerprint, mean) is added up while they are packed and kept in the cache's tail, so that a start
// reads none of them; only a small cache, up to 256 MiB, is checked as a whole.
//
// Files that are no pictures are ignored; pictures that cannot be read are skipped, counted and named in the Report.
//
// Options.Labels makes classes of the combinations of attributes: CelebA's, those of drawn pictures, or the folders of the files.
// Labels are no part of the cache.
//
// The order of training is a function of (seed, position) and has no state (Order), so a resumed run needs only its step number.
// Flips and the conversion to [-1,1] are the device's work.
//
// Everything that can go wrong is of the environment and comes as an error in one line that says what to do; only a wrong index or
// a wrong length panics. Imports files only. Read dataset.go, then source.go, files.go, picture.go, cache.go, sums.go, order.go, labels.go.
package dataset
