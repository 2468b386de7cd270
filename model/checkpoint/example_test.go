// SPDX-License-Identifier: MIT

package checkpoint_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"jitvk/model/checkpoint"
)

// A file with one tensor and a line about it, written and read again. Asking for another shape is an error, not a panic: files come from
// anywhere.
func Example() {
	dir, err := os.MkdirTemp("", "checkpoint")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "weights.safetensors")
	weight := checkpoint.F32("layer.weight", []float32{1, 2, 3, 4, 5, 6}, 2, 3)
	if err := checkpoint.Save(path, map[string]string{"step": "7"}, []checkpoint.Tensor{weight}); err != nil {
		fmt.Println(err)
		return
	}
	f, err := checkpoint.Open(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Close()
	values, err := f.Float32("layer.weight", 2, 3)
	fmt.Println(f.Names(), f.Meta["step"], values, err)
	_, err = f.Float32("layer.weight", 3, 2)
	fmt.Println(errors.Is(err, checkpoint.ErrShape))
	// Output:
	// [layer.weight] 7 [1 2 3 4 5 6] <nil>
	// true
}
