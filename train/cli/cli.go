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
)

// Main runs a program and returns its exit status: 0, 1 after an error (one line on standard error that says what to
// do), 130 after an interrupt that run reports as an error. The first interrupt cancels run's context, so that it can save
// what it has; the second kills the process.
func Main(name string, run func(ctx context.Context, args []string, out io.Writer) error) (status int) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	defer func() {
		if r := recover(); r != nil {
			fmt.Fprintf(os.Stderr, "%s: this is a mistake in the program, please report it: %v\n", name, r)
			if os.Getenv("JITVK_TRACE") == "1" {
				os.Stderr.Write(debug.Stack())
			} else {
				fmt.Fprintln(os.Stderr, "JITVK_TRACE=1 prints where it happened")
			}
			status = 1
		}
	}()
	err := run(ctx, os.Args[1:], os.Stdout)
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, context.Canceled):
		fmt.Fprintf(os.Stderr, "%s: interrupted\n", name)
		return 130
	}
	fmt.Fprintln(os.Stderr, strings.ReplaceAll(err.Error(), "\n", "; "))
	return 1
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
		err = fmt.Errorf("%s: %w (-help lists the options)", fs.Name(), err)
	case fs.NArg() > 0:
		err = fmt.Errorf("%s: unexpected argument %q: every option starts with a dash (-help lists them)", fs.Name(), fs.Arg(0))
	}
	return err
}
