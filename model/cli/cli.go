// SPDX-License-Identifier: MIT

// Package cli is what the project's programs share: signals, exit status, and errors in one line.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"jitvk/engine"
)

// Main runs a program and returns its exit status: 0, 1 after an error (one line on standard error that says what to
// do) or a message of the validation layer, 130 after an interrupt that run reports as an error. The first interrupt
// cancels run's context, so that it can save what it has; the second kills the process.
func Main(name string, run func(ctx context.Context, args []string, out io.Writer) error) (status int) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	halt := context.AfterFunc(ctx, func() {
		stop()
		if info, err := os.Stderr.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			fmt.Fprintln(os.Stderr) // below the progress bar
		}
		fmt.Fprintf(os.Stderr, "%s: interrupted: it ends after what is under way; once more ends it at once\n", name)
	})
	defer halt()
	defer func() {
		if r := recover(); r != nil {
			fmt.Fprintln(os.Stderr, oneLine(name, r))
			if os.Getenv("JITVK_TRACE") == "1" {
				os.Stderr.Write(debug.Stack())
			}
			status = 1
		}
		for _, m := range engine.ValidationMessages() { // JITVK_VALIDATE=1
			fmt.Fprintln(os.Stderr, strings.ReplaceAll(m, "\n", " "))
			status = 1
		}
	}()
	err := run(ctx, os.Args[1:], os.Stdout)
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, context.Canceled):
		return 130
	}
	fmt.Fprintln(os.Stderr, strings.ReplaceAll(err.Error(), "\n", "; ")+advice(err))
	return 1
}

// less is the advice where memory lacks.
const less = "; use a smaller -batch (train's -accumulate makes up for it) or model, or train with -checkpoint-blocks"

// advice says what a user can do about work that is too much for the device.
func advice(err error) string {
	var limit *engine.LimitError
	switch {
	case errors.As(err, &limit) && limit.Limit == engine.LimitBinding: // kernels cut their tensors for a device, but no picture in two
		return "; use a smaller -size, or a larger -patch and -stride"
	case errors.As(err, &limit) && limit.Limit == engine.LimitGroups:
		return "; use a smaller -batch"
	case errors.As(err, &limit) && limit.Limit == engine.LimitAllocation:
		return less
	case errors.Is(err, engine.ErrOutOfMemory):
		return less + ", or close other programs"
	}
	return ""
}

// oneLine says what a panic means to a user.
func oneLine(name string, panicked any) string {
	text := strings.ReplaceAll(fmt.Sprint(panicked), "\n", "; ")
	return fmt.Sprintf("%s: this is a mistake in the program, please report it with what JITVK_TRACE=1 prints: %s", name, text)
}

// Parse parses a program's command line. -help prints the options and gives flag.ErrHelp; anything unknown is an error in
// one line.
func Parse(fs *flag.FlagSet, args []string) error {
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Printf("usage: go run ./%s [options]\n", fs.Name())
		fs.SetOutput(os.Stdout)
		fs.PrintDefaults()
	case err != nil:
		err = fmt.Errorf("%s: %w%s (-help lists the options)", fs.Name(), err, misspelt(fs, err))
	case fs.NArg() > 0:
		err = fmt.Errorf("%s: unexpected argument %q: every option starts with a dash (-help lists them)", fs.Name(), fs.Arg(0))
	}
	return err
}

// misspelt is what an error adds for an option that there is not.
func misspelt(fs *flag.FlagSet, err error) string {
	_, word, unknown := strings.Cut(err.Error(), "flag provided but not defined: -")
	if !unknown {
		return ""
	}
	var names []string
	fs.VisitAll(func(f *flag.Flag) { names = append(names, "-"+f.Name) })
	return guess("-"+word, names)
}
