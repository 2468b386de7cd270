// SPDX-License-Identifier: MIT

// Command train trains a Just-image-Transformer on pictures, on any Vulkan device. Without arguments it takes the built-in
// portraits and a model that suits the device; -help lists what can be chosen.
package main

import (
	"context"
	"io"
	"os"

	"jitvk/model/cli"
	"jitvk/model/run"
	"jitvk/train/trainer"
)

func main() {
	os.Exit(cli.Main("train", func(ctx context.Context, args []string, out io.Writer) error {
		c, err := run.Parse(args)
		if err != nil {
			return err
		}
		_, err = trainer.Run(ctx, c, out)
		return err
	}))
}
