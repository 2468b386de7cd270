// SPDX-License-Identifier: MIT

// Package checkpoint writes and reads safetensors files (https://github.com/huggingface/safetensors, "Format"), by hand:
//
//	8 bytes   N, the header's length, little endian
//	N bytes   JSON {"__metadata__": {string: string}, NAME: {"dtype": "F32", "shape": [4,64], "data_offsets": [begin, end]}, ...}
//	the rest  the tensors' bytes, little endian, row-major; offsets count from here and leave no gap
//
// Save writes a whole file or none (see files) and the same bytes for the same content. Open trusts nothing: a file that it
// returns has every tensor where its header says, and no byte besides. Tensors are read only when asked for, so a sampler does
// not read the optimizer's state. Misuse of Save (a shape that is not the data's, a name twice) panics; everything about files
// is an error in one line that says what to do. Imports files, and kernels for
// the bytes of numbers. Read checkpoint.go, then read.go.
package checkpoint
