// SPDX-License-Identifier: MIT

package report

import (
	"encoding/csv"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// curveRows makes rows as a run would: falling, noisy.
func curveRows(n int) []Row {
	r := rand.New(rand.NewPCG(1, 2))
	rows := make([]Row, n)
	for i := range rows {
		loss := float32((0.17 + 1.4*math.Pow(float64(i+1), -0.6)) * math.Exp(0.13*r.NormFloat64()))
		rows[i] = Row{Step: i + 1, Loss: loss, GradNorm: 3 * r.Float32(), LR: float32(i) * 1e-5, ImagesPerSecond: 412.345,
			Seconds: float64(i) / 7}
	}
	return rows
}

func fill(t *testing.T, path string, after int, rows []Row) *Log {
	t.Helper()
	l, err := OpenLog(path, after)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if _, err := l.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestLogText(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.csv")
	l := fill(t, path, 0, []Row{
		{Step: 1, Loss: 0.1, GradNorm: 16777216, LR: 1e-4, ImagesPerSecond: 412.345, Seconds: 0.25},
		{Step: 10, Loss: float32(math.NaN()), GradNorm: float32(math.Inf(1)), LR: 2e-3},
	})
	want := logHeader + "1,0.1,0.1,1.6777216e+07,0.0001,412.35,0.250\n10,NaN,NaN,+Inf,0.002,0.00,0.000\n"
	if got := read(t, path); got != want { // before Close: every row is there at once
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	table, err := csv.NewReader(strings.NewReader(want)).ReadAll()
	if err != nil || len(table) != 3 || table[0][1] != "loss" || table[0][5] != "images_per_s" || table[0][6] != "seconds" {
		t.Errorf("as CSV: %v, %v", table, err)
	}
}

// Any float32 comes back as the same bits.
func TestLogKeepsBits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.csv")
	r := rand.New(rand.NewPCG(3, 4))
	rows := []Row{{Step: 1, Loss: math.MaxFloat32, GradNorm: math.SmallestNonzeroFloat32, LR: float32(math.Copysign(0, -1))}}
	for i := range 2000 {
		rows = append(rows, Row{Step: i + 2, Loss: math.Float32frombits(r.Uint32()), GradNorm: math.Float32frombits(r.Uint32()),
			LR: r.Float32()})
	}
	l := fill(t, path, 0, rows)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	back, err := ReadLog(path)
	if err != nil || len(back) != len(rows) {
		t.Fatalf("%d rows, %v", len(back), err)
	}
	same := func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b }
	for i, b := range back {
		a := l.Rows()[i]
		if a.Step != rows[i].Step || !same(a.Loss, rows[i].Loss) {
			t.Fatalf("row %d kept as %+v", i, a)
		}
		if a.Step != b.Step || !same(a.Loss, b.Loss) || !same(a.Smoothed, b.Smoothed) || !same(a.GradNorm, b.GradNorm) ||
			!same(a.LR, b.LR) {
			t.Fatalf("row %d: %+v came back as %+v", i, a, b)
		}
	}
}

// A run that was killed after step 70, in the middle of a row, and goes on from its checkpoint at step 50 leaves the same log as
// one that never stopped.
func TestLogResumes(t *testing.T) {
	rows := curveRows(100)
	rows[20].Loss = float32(math.NaN())
	dir := t.TempDir()
	whole, parts := filepath.Join(dir, "whole.csv"), filepath.Join(dir, "parts.csv")
	if err := fill(t, whole, 0, rows).Close(); err != nil {
		t.Fatal(err)
	}
	if err := fill(t, parts, 0, rows[:70]).Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(parts, []byte(read(t, parts)+"71,0.12"), 0o644); err != nil {
		t.Fatal(err)
	}
	l := fill(t, parts, 50, rows[50:])
	defer l.Close()
	if got, want := read(t, parts), read(t, whole); got != want {
		t.Errorf("resumed log differs:\n%s\nwant\n%s", got, want)
	}
	if len(l.Rows()) != 100 || l.Rows()[49].Step != 50 || l.Rows()[50].Step != 51 {
		t.Errorf("%d rows", len(l.Rows()))
	}
	if err := fill(t, parts, 0, nil).Close(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, parts); got != logHeader {
		t.Errorf("a new run kept %q", got)
	}
	if err := fill(t, filepath.Join(dir, "other.csv"), 50, rows[50:]).Close(); err != nil {
		t.Error(err) // resumed into another folder
	}
}

func TestReadLogRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.csv")
	for _, c := range []struct{ text, say string }{
		{"", "first line"},
		{"a,b\n1,2\n", "first line"},
		{logHeader + "1,2,3\n", "line 2"},
		{logHeader + "1,1,1,1,1,1,1\nx,1,1,1,1,1,1\n", "line 3"},
		{logHeader + "1,1,1,1,y,1,1\n", "line 2"},
		{logHeader + "1,1,1,1,1,1,z\n", "line 2"},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadLog(path); err == nil || !strings.Contains(err.Error(), c.say) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", c.text, err)
		}
		if _, err := OpenLog(path, 5); err == nil || read(t, path) != c.text {
			t.Errorf("%q: resumed, or the file was changed to %q", c.text, read(t, path))
		}
	}
	if _, err := ReadLog(path + "x"); err == nil {
		t.Error("read a log that is not there")
	}
}

func TestLogFullDisk(t *testing.T) {
	l := fill(t, filepath.Join(t.TempDir(), "log.csv"), 0, nil)
	if err := l.f.Close(); err != nil {
		t.Fatal(err)
	}
	var err error
	if l.f, err = os.OpenFile("/dev/full", os.O_WRONLY, 0); err != nil {
		t.Skip(err)
	}
	defer l.Close()
	if _, err := l.Add(Row{Step: 1}); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "-out") {
		t.Errorf("full disk: %v", err)
	}
}

func TestLogStepsRise(t *testing.T) {
	l := fill(t, filepath.Join(t.TempDir(), "log.csv"), 0, []Row{{Step: 5}})
	defer l.Close()
	defer func() {
		if recover() == nil {
			t.Error("step 5 twice: no panic")
		}
	}()
	_, _ = l.Add(Row{Step: 5})
}

func TestSmoother(t *testing.T) {
	var s smoother
	for i := range 300 { // a constant stays itself
		if got := s.add(0.3); math.Abs(float64(got)-0.3) > 1e-7 {
			t.Fatalf("value %d: %g", i, got)
		}
	}
	before := s
	if got := s.add(float32(math.NaN())); got == got || s != before {
		t.Errorf("NaN gave %g and changed the average to %+v", got, s)
	}
	// By now a new value counts for 1/50: after 50 steps at 0 about 1/e is left.
	got := float32(0)
	for range 50 {
		got = s.add(0)
	}
	if want := 0.3 * math.Pow(0.98, 50); math.Abs(float64(got)-want) > 1e-6 {
		t.Errorf("after 50 zeros: %g, want %g", got, want)
	}
	s = smoother{}
	s.add(1)
	if got, want := float64(s.add(0)), 1-5.0/6; math.Abs(got-want) > 1e-7 { // the second counts for 5/6
		t.Errorf("after 1, 0: %g, want %g", got, want)
	}
}
