// SPDX-License-Identifier: MIT

package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"jitvk/engine/files/disktest"
)

// small is a file with everything: an odd number of bytes, a scalar, an empty tensor, names to be escaped.
func small() (map[string]string, []Tensor) {
	return map[string]string{"step": "12", "b\"\n": "é<&>", "a": ""}, []Tensor{
		{"flags", "U8", []int{3}, []byte{1, 2, 3}},
		F32("w", []float32{1, -2, float32(math.Inf(1)), math.MaxFloat32, 5, 6}, 2, 3),
		F32("scalar", []float32{7}),
		F32("empty", nil, 4, 0),
		{"half \"q\" é", "F16", []int{2}, []byte{0, 0x3c, 0, 0xc0}},
		{"brain", "BF16", []int{2}, []byte{0x80, 0x3f, 0x00, 0xc0}},
		{"double", "F64", []int{1}, binary.LittleEndian.AppendUint64(nil, math.Float64bits(0.5))},
	}
}

func save(t *testing.T, meta map[string]string, tensors []Tensor) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.safetensors")
	if err := Save(path, meta, tensors); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, path string) *File {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func same(a, b Tensor) bool {
	return a.Name == b.Name && a.DType == b.DType && slices.Equal(a.Shape, b.Shape) && bytes.Equal(a.Data, b.Data)
}

func TestRoundTrip(t *testing.T) {
	meta, tensors := small()
	f := open(t, save(t, meta, tensors))
	if !maps.Equal(f.Meta, meta) {
		t.Errorf("meta %v, want %v", f.Meta, meta)
	}
	if got, want := len(f.Names()), len(tensors); got != want {
		t.Errorf("%d tensors, want %d", got, want)
	}
	for _, want := range tensors {
		got, err := f.Tensor(want.Name)
		if err != nil || !same(got, want) {
			t.Errorf("%q: %v (%v), want %v", want.Name, got, err, want)
		}
	}
	for name, want := range map[string][]float32{"half \"q\" é": {1, -2}, "brain": {1, -2}, "double": {0.5}, "scalar": {7}, "empty": {}} {
		if got, err := f.Float32(name); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v (%v), want %v", name, got, err, want)
		}
	}
}

// The layout, byte by byte, and the same bytes for any order of the tensors.
func TestBytes(t *testing.T) {
	tensors := []Tensor{{"u", "U8", []int{1}, []byte{9}}, F32("z", []float32{1}, 1), F32("a", []float32{2}, 1, 1)}
	header := `{"__metadata__":{"a":"1","b":"2"},"a":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]},` +
		`"z":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},"u":{"dtype":"U8","shape":[1],"data_offsets":[8,9]}}`
	header += strings.Repeat(" ", (8-len(header)%8)%8)
	want := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
	want = append(want, 0, 0, 0, 0x40, 0, 0, 0x80, 0x3f, 9)
	for range 2 {
		got, err := os.ReadFile(save(t, map[string]string{"b": "2", "a": "1"}, tensors))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("file\n%q (%v), want\n%q", got, err, want)
		}
		slices.Reverse(tensors)
	}
}

func TestTruncatedAtEveryByte(t *testing.T) {
	meta, tensors := small()
	whole, err := os.ReadFile(save(t, meta, tensors))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := read(bytes.NewReader(whole), int64(len(whole))); err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		_, err := read(bytes.NewReader(whole[:n]), int64(n))
		if !errors.Is(err, ErrDamaged) || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "take an earlier") {
			t.Fatalf("cut at %d of %d: %v", n, len(whole), err)
		}
	}
	path := filepath.Join(t.TempDir(), "cut")
	if err := os.WriteFile(path, whole[:len(whole)-1], 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), path) {
		t.Errorf("cut file: %v", err)
	} else {
		t.Log(err)
	}
}

// file puts a header before n bytes of data.
func file(header string, n int) []byte {
	b := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
	return append(b, make([]byte, n)...)
}

func TestDamage(t *testing.T) {
	const a = `"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}`
	good := []struct {
		name string
		b    []byte
	}{
		{"plain", file(`{`+a+`}`, 4)},
		{"no tensor", file(`{}`, 0)},
		{"spaces", file(`{`+a+`}  `, 4)},
		{"null metadata", file(`{"__metadata__":null,`+a+`}`, 4)},
		{"any order", file(`{"b":{"dtype":"U8","shape":[2],"data_offsets":[4,6]},`+a+`}`, 6)},
	}
	for _, c := range good {
		if f, err := read(bytes.NewReader(c.b), int64(len(c.b))); err != nil || f.Meta == nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	bad := []struct {
		name string
		b    []byte
		say  string
	}{
		{"empty", nil, "cut short"},
		{"header too long", append(bytes.Repeat([]byte{255}, 8), '{', '}'), "ask for a header"},
		{"a PNG", []byte("\x89PNG\r\n\x1a\n0123"), "ask for a header"},
		{"header behind the end", append(binary.LittleEndian.AppendUint64(nil, 99), '{', '}'), "inside its header"},
		{"no object", file(`[]`, 0), "not a JSON object"},
		{"no JSON", file(`{"a"`, 0), "header"},
		{"two objects", file(`{}{}`, 0), "after its closing brace"},
		{"trailing bytes", file(`{`+a+`}`, 5), "1 bytes after its last tensor"},
		{"too few bytes", file(`{`+a+`}`, 3), "3 of 4 bytes"},
		{"twice", file(`{`+a+`,`+a+`}`, 4), "twice"},
		{"metadata twice", file(`{"__metadata__":{},"__metadata__":{}}`, 0), "twice"},
		{"metadata number", file(`{"__metadata__":{"a":1}}`, 0), "metadata"},
		{"overlap", file(`{`+a+`,"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}`, 6), "begins at byte 2"},
		{"same place", file(`{`+a+`,"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4), "begins at byte 0"},
		{"gap", file(`{`+a+`,"b":{"dtype":"F32","shape":[1],"data_offsets":[5,9]}}`, 9), "begins at byte 5"},
		{"not from 0", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}}`, 5), "begins at byte 1"},
		{"out of range", file(`{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,36]}}`, 4), "4 of 36"},
		{"length", file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 4), "cannot lie"},
		{"backwards", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}`, 4), "cannot lie"},
		{"negative offset", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}`, 4), "cannot lie"},
		{"negative dimension", file(`{"a":{"dtype":"F32","shape":[-1,-1],"data_offsets":[0,4]}}`, 4), "cannot lie"},
		{"overflow", file(`{"a":{"dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4]}}`, 4), "cannot lie"},
		{"fraction", file(`{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}`, 4), "header"},
		{"dtype", file(`{"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}}`, 4), "unknown dtype"},
		{"no shape", file(`{"a":{"dtype":"F32","data_offsets":[0,4]}}`, 4), "no shape"},
		{"no offsets", file(`{"a":{"dtype":"F32","shape":[1]}}`, 4), "no shape or not two"},
		{"unknown field", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}`, 4), "unknown field"},
	}
	for _, c := range bad {
		_, err := read(bytes.NewReader(c.b), int64(len(c.b)))
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), c.say) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", c.name, err, c.say)
		}
	}
}

func TestErrors(t *testing.T) {
	meta, tensors := small()
	f := open(t, save(t, meta, tensors))
	_, err := f.Float32("w", 3, 3)
	if !errors.Is(err, ErrShape) || !strings.Contains(err.Error(), "expected (3,3), found (2,3)") {
		t.Errorf("another shape: %v", err)
	}
	if got, err := f.Float32("w", 2, 3); err != nil || len(got) != 6 {
		t.Errorf("its shape: %v, %v", got, err)
	}
	if _, err := f.Float32("nope", 1); !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), `"nope"`) {
		t.Errorf("missing: %v", err)
	}
	if _, err := f.Float32("flags"); !errors.Is(err, ErrDType) {
		t.Errorf("dtype: %v", err)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := Open(t.TempDir()); !errors.Is(err, ErrDamaged) {
		t.Errorf("a folder: %v", err)
	}
}

func TestMisusePanics(t *testing.T) {
	for name, do := range map[string]func(){
		"shape": func() { F32("a", []float32{1, 2}, 3) },
		"dtype": func() { _ = Write(&bytes.Buffer{}, nil, []Tensor{{"a", "F31", nil, nil}}) },
		"twice": func() {
			_ = Write(&bytes.Buffer{}, nil, []Tensor{F32("a", []float32{1}, 1), F32("a", []float32{1}, 1)})
		},
		"metadata": func() { _ = Write(&bytes.Buffer{}, nil, []Tensor{F32(metadataKey, []float32{1}, 1)}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			do()
		}()
	}
}

// On a full disk the earlier checkpoint stays. Needs the right to mount.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	disktest.Mount(t, dir, "64k")
	path := filepath.Join(dir, "a.safetensors")
	if err := Save(path, map[string]string{"step": "1"}, nil); err != nil {
		t.Fatal(err)
	}
	err := Save(path, nil, []Tensor{F32("w", make([]float32, 1<<18), 1<<18)})
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "free some space") {
		t.Errorf("full disk: %v", err)
	}
	if _, err := os.Stat(path + ".tmp"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("temporary file: %v", err)
	}
	f, err := Open(path)
	if err != nil || f.Meta["step"] != "1" {
		t.Fatalf("the earlier file: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// FuzzRead: no input panics, and what is accepted reads whole and survives a round trip.
func FuzzRead(f *testing.F) {
	meta, tensors := small()
	var b bytes.Buffer
	if err := Write(&b, meta, tensors); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := read(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("two lines: %q", err)
			}
			return
		}
		total := file.start
		var all []Tensor
		for _, name := range file.Names() {
			tensor, err := file.Tensor(name)
			if err != nil {
				t.Fatal(err)
			}
			total += int64(len(tensor.Data))
			all = append(all, tensor)
		}
		if total != int64(len(b)) {
			t.Fatalf("tensors and header take %d of %d bytes", total, len(b))
		}
		var again bytes.Buffer
		if err := Write(&again, file.Meta, all); err != nil {
			t.Fatal(err)
		}
		second, err := read(bytes.NewReader(again.Bytes()), int64(again.Len()))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range all {
			if got, err := second.Tensor(want.Name); err != nil || !same(got, want) {
				t.Fatalf("%v (%v), want %v", got, err, want)
			}
		}
	})
}

func BenchmarkSave(b *testing.B) {
	path := filepath.Join(b.TempDir(), "a")
	x := make([]float32, 1<<24)
	b.SetBytes(4 << 24)
	for b.Loop() {
		if err := Save(path, nil, []Tensor{F32("w", x, 1<<24)}); err != nil {
			b.Fatal(err)
		}
	}
}
