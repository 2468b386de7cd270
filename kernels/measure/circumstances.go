// SPDX-License-Identifier: MIT

package measure

import (
	"os"
	"os/exec"
	"strings"
)

// Commit names the checkout that the program runs in; "" outside of one.
func Commit() string {
	text, err := exec.Command("git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// Load is what else the machine does: how many processes wanted a core in the last minute; "" where the system does not say.
func Load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	return strings.Fields(string(text))[0]
}
