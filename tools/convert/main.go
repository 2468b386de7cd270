// SPDX-License-Identifier: MIT

// Command convert reads the official JiT code's weights and writes them as a checkpoint of ours, and back. It may import
// everything; read official.go for the two layouts.
//
//	go run ./tools/convert import official.safetensors checkpoint.safetensors
//	go run ./tools/convert export checkpoint.safetensors official.safetensors
//
// The official file is the state dict ("model", "model_ema1" or "model_ema2" in a .pth) exported to safetensors:
//
//	weights = torch.load("checkpoint-last.pth", weights_only=False)["model_ema1"]
//	save_file({k: v.contiguous() for k, v in weights.items()}, "official.safetensors")
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"

	"jitvk/model/cli"
)

func main() { os.Exit(cli.Main("convert", command)) }

func command(_ context.Context, args []string, out io.Writer) error {
	fs := flag.NewFlagSet("convert", flag.ContinueOnError)
	weights := fs.String("weights", "", "which weights to export: raw, ema or ema2 (default ema where there is one)")
	start := fs.Int("context-start", 0, "first block that sees the in-context tokens, of a model that is no preset")
	fs.Usage = func() {
		fmt.Fprintln(fs.Output(), "convert [flags] import OFFICIAL.safetensors CHECKPOINT.safetensors\nconvert [flags] export "+
			"CHECKPOINT.safetensors OFFICIAL.safetensors")
		fs.PrintDefaults()
	}
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() != 3 {
		return fmt.Errorf("convert: say import or export, the file to read and the file to write")
	}
	from, to := fs.Arg(1), fs.Arg(2)
	if _, err := os.Lstat(to); err == nil {
		return fmt.Errorf("convert: %s exists; name a new file or remove it", to)
	}
	switch fs.Arg(0) {
	case "import":
		c, err := importOfficial(from, to, *start)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "%s: %s, %d parameters, %d classes, written to %s\n", from, c.Preset, c.ParamCount(), c.Classes, to)
		return err
	case "export":
		kind, err := exportOfficial(from, to, *weights)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "%s: its %s weights, written to %s\n", from, kind, to)
		return err
	}
	return fmt.Errorf("convert: %q is neither import nor export", fs.Arg(0))
}
