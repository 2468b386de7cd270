// SPDX-License-Identifier: MIT

// Command sample draws pictures from a trained model. Without arguments it takes the newest run; -help lists what can be
// chosen.
package main

import (
	"context"
	"io"
	"os"

	"jitvk/model/cli"
	"jitvk/sample/command"
)

func main() {
	os.Exit(cli.Main("sample", func(ctx context.Context, args []string, out io.Writer) error {
		c, err := command.Parse(args)
		if err != nil {
			return err
		}
		return command.Run(ctx, c, out)
	}))
}
