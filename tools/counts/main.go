// SPDX-License-Identifier: MIT

// Command counts prints what the README says of the kernels and their tests. It runs the kernels' tests for it.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
)

func main() {
	shaders := 0
	for _, pattern := range []string{"shaders/*.comp", "shaders/*/*.comp"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			fail(err)
		}
		shaders += len(files)
	}
	os.Setenv("JITVK_TESTS", "all") // CI's tests: the whole sweep
	tests := last("go", "test", "-count=1", "-timeout", "40m", "-v", "./kernels")
	found := regexp.MustCompile(`(?m)^(\d+) ops, (\d+) cases, (\d+) elements`).FindStringSubmatch(tests)
	faults := regexp.MustCompile(`(?m)^(\d+) planted faults$`).FindStringSubmatch(last("go", "run", "./tools/mutate", "-list"))
	if shaders == 0 || found == nil || faults == nil {
		fail(fmt.Errorf("run this in the repository's root"))
	}
	fmt.Printf("%d shaders, %s ops, %s outputs of %s elements held against float64 (make test-all), %s planted faults (make mutate)\n",
		shaders, found[1], found[2], found[3], faults[1])
}

func last(name string, args ...string) string {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		os.Stderr.Write(out[max(0, len(out)-4000):])
		fail(fmt.Errorf("%s %v: %w", name, args, err))
	}
	return string(out)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "counts:", err)
	os.Exit(1)
}
