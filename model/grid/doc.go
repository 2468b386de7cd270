// SPDX-License-Identifier: MIT

// Package grid draws many small pictures as one, in rows and columns, and writes it as a PNG.
//
// Pictures come as the model holds them: fp32 (N,ImgC,ImgH,ImgW) in [-1,1], ImgC = 3. A pixel that is not finite is painted
// magenta: a broken sampler must not pass for a dark picture. Rows and columns may have names. Wrong lengths panic; Save
// returns what the disk says. Imports engine/files.
package grid
