// SPDX-License-Identifier: MIT

// Command bench measures what users wait for, beside what else could do the work, all in one run:
//
//	go run ./tools/bench                                  the presets quick, tiny and faces64
//	go run ./tools/bench -all                             blog256 too, a picture at a time on a CPU driver
//	go run ./tools/bench -only matmul,step -presets tiny  some of it
//	go run ./tools/bench -json FILE                       keep the numbers
//	go run ./tools/bench -write NAME                      docs/benchmarks/NAME.json, and NAME.md made from it
//
// matmul is the products of a block's four layers in the three transpose cases of training, and 512 x 512 x 512; attention is one
// block's; memory is kernels that do little arithmetic, on tensors larger than caches; step is a training step; sample is
// drawing pictures. Each op takes the kernel that it would take in training.
//
// What ours is compared with, where this machine has it:
//
//   - the measured peaks of the device (package measure), always;
//   - on a CPU driver, numpy's sgemm (OpenBLAS) and a memcpy, both on all cores;
//   - on a GPU, PyTorch's matmul (cuBLAS, hipBLASLt) and scaled_dot_product_attention;
//   - the same model in PyTorch (-peer): on a GPU eager and compiled, on a CPU the better of one thread and one a core.
//
// All but the last take turns with ours in one process. The last runs in a process of its own, right after ours.
//
// Read main.go, then session.go; each group has a file: products.go, attention.go, memory.go, network.go. library.go and torch.go
// run the Python that ours is compared with; report.go is what comes of it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"jitvk/engine/files"
	"jitvk/model/cli"
	"jitvk/tools/internal/page"
)

func main() { os.Exit(cli.Main("bench", command)) }

// folder is where -write puts its pages, from the repository's root.
var folder = filepath.Join("docs", "benchmarks")

func command(ctx context.Context, args []string, out io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	if err := o.writable(); err != nil {
		return err
	}
	d, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer d.Close()
	r, err := bench(ctx, d, o)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprint(out, r.page()); err != nil {
		return err
	}
	return o.keep(r)
}

// writable finds out before minutes of measuring whether its results can be kept.
func (o options) writable() error {
	if o.write != "" {
		if _, err := os.Stat(folder); err != nil {
			return fmt.Errorf("bench: -write: %w; run it in the repository's root", err)
		}
	}
	if o.json == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(o.json), 0o777); err != nil {
		return fmt.Errorf("bench: -json: %w; name a file in a folder that can be written", err)
	}
	f, err := files.Create(o.json)
	if err != nil {
		return err
	}
	f.Abort()
	return nil
}

// keep writes the files that the options name.
func (o options) keep(r *report) error {
	var err error
	if o.json != "" {
		err = page.WriteJSON(o.json, r)
	}
	if o.write == "" {
		return err
	}
	base := filepath.Join(folder, o.write)
	return errors.Join(err, page.WriteJSON(base+".json", r), files.WriteFile(base+".md", []byte("# "+o.write+"\n\n"+r.page())))
}
