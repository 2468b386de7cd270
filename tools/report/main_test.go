// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
)

func open(t *testing.T) *engine.Device {
	t.Helper()
	infos, err := engine.Devices()
	if err != nil || len(infos) == 0 {
		if os.Getenv("REQUIRE_GPU") == "1" {
			t.Fatalf("no Vulkan device: %v", err)
		}
		t.Skip("no Vulkan device")
	}
	d, err := engine.Open(engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// TestKnown: the committed losses are those that training gives, on any device within what is tolerated.
func TestKnown(t *testing.T) {
	d := open(t)
	got, err := firstLosses(context.Background(), d, kernels.FP32)
	if err != nil {
		t.Fatal(err)
	}
	text := compared(kernels.FP32, got)
	if !strings.Contains(text, "the losses agree") {
		t.Errorf("%.9g; where the model has changed on purpose these are the new known losses\n%s", got, text)
	}
}

// TestCompared: losses that are off, missing or no numbers are called different.
func TestCompared(t *testing.T) {
	if text := compared(kernels.FP32, known); !strings.Contains(text, "the losses agree (up to 0.0e+00") {
		t.Error(text)
	}
	for name, change := range map[string]func(x []float32) []float32{
		"off":     func(x []float32) []float32 { x[3] *= 1.001; return x },
		"missing": func(x []float32) []float32 { return x[:4] },
		"NaN":     func(x []float32) []float32 { x[0] -= x[0]; x[0] /= x[0]; return x },
	} {
		if text := compared(kernels.FP32, change(append([]float32{}, known...))); !strings.Contains(text, "**differ**") {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// TestPrivate: names of machine and user and their paths are removed, wherever they stand; words that only contain one are not.
func TestPrivate(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CACHE_HOME", home+"/cache")
	t.Setenv("USER", "ada")
	t.Setenv("LOGNAME", "ada")
	s := private()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("open %s/cache/jitvk/x: denied; %s/report.go:3 by ada on %s. Radeon Nadarada, /home/bob/y and `/Users/eve/z`, "+
		`C:\Users\mallory\a`, home, folder, host)
	got := s.remove(text)
	for _, secret := range []string{home, folder, "ada on", "on " + host, "bob", "eve", "mallory"} {
		if strings.Contains(got, secret) {
			t.Errorf("%q is in %q", secret, got)
		}
	}
	if !strings.Contains(got, "Radeon Nadarada") || !strings.Contains(got, "denied") {
		t.Errorf("took too much: %q", got)
	}
}

// TestReport: the whole file, of a machine whose owner's names are planted in every place where the system has them.
func TestReport(t *testing.T) {
	open(t)
	if os.Getenv("JITVK_TESTS") != "all" {
		t.Skip("measures peaks, 20 s on a CPU driver: JITVK_TESTS=all")
	}
	home := t.TempDir()
	for name, value := range map[string]string{"HOME": home + "/zaphod", "XDG_CACHE_HOME": home + "/zaphod/cache", "USER": "zaphod",
		"LOGNAME": "zaphod"} {
		t.Setenv(name, value)
	}
	file := t.TempDir() + "/report.md"
	var out strings.Builder
	if err := command(context.Background(), []string{"-out", file, "-tune", "off"}, &out); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	all := string(data) + out.String()
	for _, secret := range []string{"zaphod", folder, home} {
		if strings.Contains(all, secret) {
			t.Errorf("%q is in the report\n%s", secret, data)
		}
	}
	if replaceWord(all, host) != all { // "vm" may be, inside "llvmpipe"
		t.Errorf("%q is in the report\n%s", host, data)
	}
	for _, want := range []string{"## devices", "driver: ", "## chosen", "## measured peaks", "multiply-adds", "the losses agree"} {
		if !strings.Contains(string(data), want) {
			t.Errorf("no %q in\n%s", want, data)
		}
	}
	if strings.Contains(string(data), "failed") || strings.Contains(string(data), "under way") {
		t.Errorf("%s", data)
	}
}

// TestFails: a section that fails is told, and the rest is there.
func TestFails(t *testing.T) {
	open(t)
	saved := 0
	text, err := report(context.Background(), "no such card", "off", func(string) error { saved++; return nil })
	if err != nil || strings.Count(text, "failed: ") != 3 || !strings.Contains(text, "## first losses") || saved != 5 {
		t.Errorf("%v, saved %d times\n%s", err, saved, text)
	}
}
