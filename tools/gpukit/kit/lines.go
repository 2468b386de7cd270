// SPDX-License-Identifier: MIT

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A line is one run of a program. The kit's lines lie in lines.json, so that they can be changed where there is no Go.
type line struct {
	Name    string   `json:"name"`
	Decides string   `json:"decides"`      // what its result is for
	Run     []string `json:"run"`          // program and arguments; {words} see expand
	In      string   `json:"in,omitempty"` // folder of the kit that it runs in: tests look for the shaders' sources beside them
	Env     []string `json:"env,omitempty"`
	Limit   int      `json:"limit"`           // seconds, then it is killed with all that it started
	Needs   string   `json:"needs,omitempty"` // a program without which the line is skipped: "python3"
	// Data says what of its results is kept as JSON: "json" the file {json}, "last" the last line of its output, "trace" the file
	// trace.json in the folder {dir}.
	Data   string `json:"data,omitempty"`
	Clocks bool   `json:"clocks,omitempty"` // note the GPU's clocks and power meanwhile, where nvidia-smi is
	Small  *small `json:"small,omitempty"`  // what -small does instead
}

// small is a line of a rehearsal on a CPU driver.
type small struct {
	Run   []string `json:"run,omitempty"`
	Limit int      `json:"limit,omitempty"`
	Skip  string   `json:"skip,omitempty"` // why it is left out
}

// settings are the {words} that are the same in all lines.
type settings struct {
	preset, precision string
	batch             int
	small             bool
	home, bin, work   string // the kit's folder, its programs unpacked, a folder for what they write
}

// readLines reads a list of lines.
func readLines(file string) (lines []line, err error) {
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, &lines)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	names := map[string]bool{}
	for i, l := range lines {
		if l.Name == "" || len(l.Run) == 0 || l.Limit <= 0 || names[l.Name] {
			return nil, fmt.Errorf("%s: line %d wants a name of its own, something to run and a limit in seconds", file, i)
		}
		names[l.Name] = true
	}
	return lines, nil
}

// rehearse returns the line as -small has it, and why it is skipped, "" if it is not.
func (l line) rehearse() (line, string) {
	if l.Small == nil {
		return l, ""
	}
	if l.Small.Run != nil {
		l.Run = l.Small.Run
	}
	if l.Small.Limit > 0 {
		l.Limit = l.Small.Limit
	}
	return l, l.Small.Skip
}

// expand puts what is known only here into a line's words. A program without a slash is one of the kit's, if it has it.
func (s settings) expand(l line) (args []string) {
	dir := filepath.Join(s.work, l.Name)
	words := strings.NewReplacer("{preset}", s.preset, "{precision}", s.precision, "{batch}", strconv.Itoa(s.batch), "{home}", s.home,
		"{dir}", dir, "{json}", dir+".json", "{pictures}", filepath.Join(s.work, "pictures"))
	for _, word := range l.Run {
		args = append(args, words.Replace(word))
	}
	if own := filepath.Join(s.bin, args[0]); !strings.Contains(args[0], "/") {
		if _, err := os.Stat(own); err == nil {
			args[0] = own
		}
	}
	return args
}

// kept returns what a line's Data says of its results, nil where there is none.
func (s settings) kept(l line, output string) json.RawMessage {
	var data []byte
	dir := filepath.Join(s.work, l.Name)
	switch l.Data {
	case "json":
		data, _ = os.ReadFile(dir + ".json") // a program that did not get so far has written none
	case "trace":
		data, _ = os.ReadFile(filepath.Join(dir, "trace.json"))
	case "last":
		lines := strings.Split(strings.TrimSpace(output), "\n")
		data = []byte(lines[len(lines)-1])
	}
	if !json.Valid(data) {
		return nil
	}
	return data
}
