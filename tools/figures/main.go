// SPDX-License-Identifier: MIT

// Command figures draws the pictures of docs/kernels: diagrams, whose numbers come from the shaders, the presets and the
// references, and bars of what tools/ladder measured.
//
//	go run ./tools/figures            into docs/images
//	go run ./tools/figures -out DIR
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"jitvk/engine/files"
)

// figures are the pictures by name. Each is drawn from the files of the repository's root.
var figures = map[string]func(root string) (*canvas, error){
	"matmul":           drawMatMul,
	"attention":        drawAttention,
	"fold":             drawFold,
	"rowwise":          drawRowwise,
	"random":           drawRandom,
	"ladder-matmul":    func(root string) (*canvas, error) { return drawLadder(root, "matmul") },
	"ladder-attention": func(root string) (*canvas, error) { return drawLadder(root, "attention") },
}

func main() {
	out := flag.String("out", filepath.Join("docs", "images"), "where the pictures go")
	flag.Parse()
	for name, f := range figures {
		if err := save(filepath.Join(*out, name+".png"), f); err != nil {
			fmt.Fprintln(os.Stderr, "figures:", err)
			os.Exit(1)
		}
	}
}

func save(file string, figure func(root string) (*canvas, error)) error {
	c, err := figure(".")
	if err != nil {
		return err
	}
	return files.AtomicWrite(file, c.png)
}
