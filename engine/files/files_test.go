// SPDX-License-Identifier: MIT

package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"jitvk/engine/files/disktest"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	err := AtomicWrite(path, func(w io.Writer) error { _, err := io.WriteString(w, text); return err })
	if err != nil {
		t.Fatal(err)
	}
}

// holds fails unless folder holds exactly one file, name, with that text.
func holds(t *testing.T, folder, name, text string) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil || string(got) != text {
		t.Errorf("%s holds %q (%v), want %q", name, got, err, text)
	}
	list, err := os.ReadDir(folder)
	if err != nil || len(list) != 1 {
		t.Errorf("folder holds %v (%v), want only %s", list, err, name)
	}
}

func TestWriteReplaces(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	write(t, path, "a longer first text")
	write(t, path, "second")
	holds(t, dir, "a", "second")
}

func TestFailureLeavesTheOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	write(t, path, "old")
	boom := errors.New("boom")
	err := AtomicWrite(path, func(w io.Writer) error {
		if _, err := w.Write(make([]byte, 1<<20)); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Errorf("error %v, want boom", err)
	}
	holds(t, dir, "a", "old")
}

func TestPanicLeavesTheOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	write(t, path, "old")
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		_ = AtomicWrite(path, func(io.Writer) error { panic("boom") })
	}()
	holds(t, dir, "a", "old")
}

// A process that was killed while writing leaves its temporary file; the next write takes it over.
func TestLeftoverIsTakenOver(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := os.WriteFile(path+".tmp", make([]byte, 1000), 0o644); err != nil {
		t.Fatal(err)
	}
	write(t, path, "")
	holds(t, dir, "a", "")
}

func TestKilledWriter(t *testing.T) {
	if path := os.Getenv("JITVK_FILES_KILL"); path != "" { // the child: writes for ever
		err := AtomicWrite(path, func(w io.Writer) error {
			for i := 0; ; i++ {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return err
				}
				if i == 3 {
					fmt.Println("writing")
					select {}
				}
			}
		})
		t.Fatal(err)
	}
	if runtime.GOOS == "windows" {
		t.Skip("no locks here")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	write(t, path, "old")
	child := exec.Command(os.Args[0], "-test.run=^TestKilledWriter$")
	child.Env = append(os.Environ(), "JITVK_FILES_KILL="+path)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("writing"))); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(path); !errors.Is(err, ErrBusy) {
		t.Errorf("while another process writes: %v, want ErrBusy", err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // killed: an error by intent
	if got, err := os.ReadFile(path); err != nil || string(got) != "old" {
		t.Errorf("after the kill: %q, %v", got, err)
	}
	write(t, path, "new")
	holds(t, dir, "a", "new")
}

func TestBusy(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no locks here")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Create(path); !errors.Is(err, ErrBusy) || strings.Contains(err.Error(), "\n") {
		t.Errorf("second writer: %v, want ErrBusy in one line", err)
	}
	if _, err := f.Write([]byte("....tail")); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("head"), 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	f.Abort()
	holds(t, dir, "a", "headtail")
	write(t, path, "again")
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		path, say string
		is        error
	}{
		{dir, "choose another name", nil},
		{os.DevNull, "choose another name", nil},
		{filepath.Join(dir, "missing", "a"), "create the folder", fs.ErrNotExist},
	} {
		err := AtomicWrite(c.path, func(io.Writer) error { return nil })
		if err == nil || !strings.Contains(err.Error(), c.say) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v, want %q", c.path, err, c.say)
			continue
		}
		if strings.Contains(err.Error(), ".tmp") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: message %q names the temporary file or has two lines", c.path, err)
		}
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 0 {
		t.Errorf("left behind: %v %v", list, err)
	}
}

// A disk of 64 KiB. Needs the right to mount.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	disktest.Mount(t, dir, "64k")
	path := filepath.Join(dir, "a")
	write(t, path, "old")
	err := AtomicWrite(path, func(w io.Writer) error { _, err := w.Write(make([]byte, 1<<20)); return err })
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "free some space") {
		t.Errorf("full disk: %v", err)
	}
	holds(t, dir, "a", "old")
	t.Log(err)
}
