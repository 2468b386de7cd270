// SPDX-License-Identifier: MIT

// Command devices lists the Vulkan devices of this machine, the one that programs and tests take first.
package main

import (
	"fmt"
	"os"

	"jitvk/engine"
)

func main() {
	infos, err := engine.Devices()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, info := range infos {
		fmt.Println("device", info)
	}
}
