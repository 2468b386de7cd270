// SPDX-License-Identifier: MIT

// Command devices lists the Vulkan devices of this machine, the one that programs and tests take first; with -all what each is and
// can do.
package main

import (
	"flag"
	"fmt"
	"os"

	"jitvk/engine"
	"jitvk/tools/internal/about"
)

func main() {
	all := flag.Bool("all", false, "limits, features, matrix shapes and types of memory, too")
	flag.Parse()
	infos, err := engine.Devices()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, info := range infos {
		fmt.Println("device", info)
		if !*all {
			continue
		}
		for _, line := range about.Device(info) {
			fmt.Println("   ", line)
		}
	}
}
