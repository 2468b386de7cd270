// SPDX-License-Identifier: MIT

// Package page is what the tools that publish measurements have in common: where a measurement comes from, tables in Markdown,
// blocks of a page that a later run replaces, and JSON files. It knows no kernel and measures nothing.
package page

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"jitvk/engine"
)

// A Source says where a measurement comes from. It is part of a report, and of the report's JSON.
type Source struct {
	Device string `json:"device"`
	Driver string `json:"driver"`
	Commit string `json:"commit"`
	Date   string `json:"date"`
	Go     string `json:"go,omitempty"`
	Cores  int    `json:"cores,omitempty"`
	Load   string `json:"load,omitempty"` // before the run: processes that wanted a core in the last minute
}

// Here is a measurement of a device, by this program, now.
func Here(device engine.Info) Source {
	return Source{device.Name, device.Driver, commit(), time.Now().Format(time.DateOnly), runtime.Version(), runtime.NumCPU(), load()}
}

// String is the source as a page's first sentence has it.
func (s Source) String() string {
	text := fmt.Sprintf("%s, %s, %s, commit %s", s.Device, s.Driver, s.Date, cmp.Or(s.Commit, "unknown"))
	if s.Go != "" {
		text += ", " + s.Go
	}
	if s.Cores > 0 {
		text += fmt.Sprintf(", %d cores", s.Cores)
	}
	if s.Load != "" {
		text += fmt.Sprintf(", load %s before the run", s.Load)
	}
	return text
}

// commit names the checkout that the program runs in: "" outside of one, with "-dirty" where its code is not the commit's. Pages do
// not count: a second device's run would find those of the first changed.
func commit() string {
	name, err := exec.Command("git", "describe", "--always").Output()
	if err != nil {
		return ""
	}
	text := strings.TrimSpace(string(name))
	changed, err := exec.Command("git", "status", "--porcelain", "--", ":/", ":(top,exclude)docs", ":(top,exclude)*.md").Output()
	if err != nil || len(changed) > 0 {
		text += "-dirty"
	}
	return text
}

// load is what else the machine does; "" where the system does not say.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	return strings.Fields(string(text))[0]
}
