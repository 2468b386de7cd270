// SPDX-License-Identifier: MIT

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A result is what became of a line.
type result struct {
	Name    string          `json:"name"`
	Decides string          `json:"decides"`
	Command string          `json:"command"`
	At      float64         `json:"at"`      // seconds after the kit's start
	Seconds float64         `json:"seconds"` // that it took
	Limit   int             `json:"limit"`
	Status  string          `json:"status"` // "ok", "exit status 1", "crashed: …", "hung: …", "skipped: …"
	Clocks  string          `json:"clocks,omitempty"`
	Tail    string          `json:"tail,omitempty"` // the end of its output; all of it is in log.txt
	Data    json.RawMessage `json:"data,omitempty"`
}

func (r result) ok() bool { return r.Status == "ok" }

// patience is how long a killed process may take to be gone. A GPU's driver may hold one for ever; the kit goes on without it.
const patience = 5 * time.Second

// run runs a line in a process group of its own, in the folder in, and appends its output to log. What it prints goes into a file in
// dir and not through a pipe, as a pipe stays open while any grandchild lives.
func run(ctx context.Context, l line, args, env []string, in, dir string, log io.Writer) (r result, output string) {
	r = result{Name: l.Name, Decides: l.Decides, Command: strings.Join(append(slices.Clone(l.Env), l.Run...), " "), Limit: l.Limit}
	start := time.Now()
	defer func() { r.Seconds = time.Since(start).Seconds() }()
	file, err := os.CreateTemp(dir, "output")
	if err != nil {
		r.Status = err.Error()
		return r, ""
	}
	defer os.Remove(file.Name())
	defer file.Close()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = in, append(slices.Clone(env), l.Env...), file, file
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		r.Status = "could not be started: " + err.Error()
		return r, ""
	}
	var clocks *exec.Cmd
	var clocksFile *os.File
	if l.Clocks {
		clocks, clocksFile = startClocks(dir)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	limit := time.NewTimer(time.Duration(l.Limit) * time.Second)
	defer limit.Stop()
	select {
	case err = <-done:
		r.Status = status(err)
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what it left behind
	case <-limit.C:
		r.Status = fmt.Sprintf("hung: killed after %d s", l.Limit) + kill(cmd, done)
	case <-ctx.Done():
		r.Status = "interrupted" + kill(cmd, done)
	}
	r.Clocks = stopClocks(clocks, clocksFile)
	data, _ := os.ReadFile(file.Name())
	output = strings.ToValidUTF8(string(data), "?")
	fmt.Fprintf(log, "\n=== %s: %s\n%s\n--- %s, %.1f s\n", l.Name, r.Command, output, r.Status, time.Since(start).Seconds())
	r.Tail = tail(output, 12)
	return r, output
}

// status says how a process ended.
func status(err error) string {
	var exit *exec.ExitError
	if err == nil {
		return "ok"
	}
	if errors.As(err, &exit) {
		if w, ok := exit.Sys().(syscall.WaitStatus); ok && w.Signaled() {
			return "crashed: " + w.Signal().String()
		}
	}
	return err.Error()
}

// kill ends a process and all of its group, and says so where that cannot be done.
func kill(cmd *exec.Cmd, done chan error) string {
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	select {
	case <-done:
		return ""
	case <-time.After(patience):
		return ", and it is still there"
	}
}

// tail is the last lines of a text.
func tail(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// startClocks has nvidia-smi write clocks and power once a second; nil where it is not.
func startClocks(dir string) (*exec.Cmd, *os.File) {
	file, err := os.CreateTemp(dir, "clocks")
	if err != nil {
		return nil, nil
	}
	cmd := exec.Command("nvidia-smi", "--query-gpu=clocks.sm,clocks.mem,power.draw,temperature.gpu", "--format=csv,noheader,nounits",
		"-lms", "1000")
	cmd.Stdout = file
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if cmd.Start() != nil {
		file.Close()
		os.Remove(file.Name())
		return nil, nil
	}
	return cmd, file
}

// stopClocks returns the least, the median and the most of each number.
func stopClocks(cmd *exec.Cmd, file *os.File) string {
	if cmd == nil {
		return ""
	}
	defer os.Remove(file.Name())
	defer file.Close()
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	go func() { _ = cmd.Wait() }() // it may hang with the driver
	data, _ := os.ReadFile(file.Name())
	return clockText(string(data))
}

func clockText(csv string) string {
	titles := []string{"SM clock %s MHz", "memory clock %s MHz", "power %s W", "%s °C"}
	columns := make([][]float64, len(titles))
	for _, row := range strings.Split(csv, "\n") {
		cells := strings.Split(row, ",")
		for i := range titles {
			if len(cells) == len(titles) {
				if v, err := strconv.ParseFloat(strings.TrimSpace(cells[i]), 64); err == nil {
					columns[i] = append(columns[i], v)
				}
			}
		}
	}
	var words []string
	for i, c := range columns {
		if slices.SortFunc(c, cmp.Compare[float64]); len(c) > 0 {
			words = append(words, fmt.Sprintf(titles[i], fmt.Sprintf("%g/%g/%g", c[0], c[len(c)/2], c[len(c)-1])))
		}
	}
	return strings.Join(words, ", ")
}
