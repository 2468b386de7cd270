// SPDX-License-Identifier: MIT

package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"jitvk/engine"
)

// run calls Main with a program's arguments and returns its status and what it wrote to standard error.
func run(t *testing.T, program func(ctx context.Context, args []string, out io.Writer) error, args ...string) (int, string) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	oldArgs, oldErr := os.Args, os.Stderr
	os.Args, os.Stderr = append([]string{"test"}, args...), w
	status := Main("test", program)
	os.Args, os.Stderr = oldArgs, oldErr
	w.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return status, string(text)
}

func TestStatusAndOneLine(t *testing.T) {
	for name, test := range map[string]struct {
		program func(ctx context.Context, args []string, out io.Writer) error
		status  int
		says    string
	}{
		"success": {func(context.Context, []string, io.Writer) error { return nil }, 0, ""},
		"help":    {func(context.Context, []string, io.Writer) error { return flag.ErrHelp }, 0, ""},
		"two errors": {func(context.Context, []string, io.Writer) error { return errors.Join(errors.New("a"), errors.New("b")) }, 1,
			"a; b\n"},
		"panic": {func(context.Context, []string, io.Writer) error { panic("odd\nshape") }, 1,
			"test: this is a mistake in the program, please report it with what JITVK_TRACE=1 prints: odd; shape\n"},
		"a picture too large for the device": {func(context.Context, []string, io.Writer) error {
			return &engine.LimitError{Limit: engine.LimitBinding, Who: "Images", Asked: 9, Allows: 8, Device: "D"}
		}, 1, "engine: Images needs 9 bytes a binding, D allows 8: not supported by this device; use a smaller -size, or"},
		"a batch too large for it": {func(context.Context, []string, io.Writer) error {
			return fmt.Errorf("step: %w",
				&engine.LimitError{Limit: engine.LimitGroups, Who: "add", Asked: 70000, Allows: 65535, Device: "D"})
		}, 1, "; use a smaller -batch\n"},
		"no memory in one piece": {func(context.Context, []string, io.Writer) error {
			return &engine.LimitError{Limit: engine.LimitAllocation, Who: "weights", Asked: 3 << 30, Allows: 2 << 30, Device: "D"}
		}, 1, "weights needs 3.0 GiB in one piece, D allows 2.0 GiB: out of device memory; use a smaller -batch (train's"},
		"no memory": {func(context.Context, []string, io.Writer) error { return engine.ErrOutOfMemory }, 1, "or close other programs\n"},
	} {
		status, text := run(t, test.program)
		if status != test.status || !strings.Contains(text, test.says) || strings.Count(text, "\n") > 1 || test.says == "" && text != "" {
			t.Errorf("%s: status %d, %q", name, status, text)
		}
	}
}

func TestFirstInterruptCancels(t *testing.T) {
	status, text := run(t, func(ctx context.Context, _ []string, _ io.Writer) error {
		if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			time.Sleep(50 * time.Millisecond) // the message comes from a goroutine
			return ctx.Err()
		case <-time.After(10 * time.Second):
			return errors.New("not cancelled")
		}
	})
	if status != 130 || !strings.Contains(text, "interrupted") {
		t.Errorf("status %d, %q", status, text)
	}
}

func TestParse(t *testing.T) {
	for args, says := range map[string]string{
		"-n 3":   "",
		"-n":     "-n",
		"-n x":   `"x"`,
		"-m 1":   "-m",
		"-n 3 4": `"4"`,
	} {
		fs := flag.NewFlagSet("test", flag.ContinueOnError)
		n := fs.Int("n", 0, "a number")
		err := Parse(fs, strings.Fields(args))
		if says == "" {
			if err != nil || *n != 3 {
				t.Errorf("%s: %d, %v", args, *n, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "-help") ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v does not say %s and -help in one line", args, err, says)
		}
	}
}
