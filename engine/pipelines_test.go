// SPDX-License-Identifier: MIT

package engine

import (
	"bytes"
	"crypto/sha256"
	"os"
	"path/filepath"
	"testing"

	"jitvk/engine/files"
)

// cached opens the test device with a cache folder, makes a pipeline, and closes it: what a run does.
func cached(t *testing.T, folder string) (path string, id [24]byte) {
	t.Helper()
	d, err := Open(Options{Select: os.Getenv("JITVK_DEVICE"), Cache: folder})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.makePipelines([]command{{Dispatch: Dispatch{Shader: "add", Spec: []uint32{64, 1}, Bind: make([]Binding, 3)}}}); err != nil {
		t.Fatal(err)
	}
	return d.cache.path, d.info.cacheID
}

// keeper is a device whose driver has something to keep.
func keeper(t *testing.T) {
	t.Helper()
	if d := testDevice(t); !pipelinesOf(d.pipelineCacheData(d.cache.handle), d.info.cacheID) {
		t.Skipf("SKIP: %s gives no pipeline cache that could be kept", d.info.Driver)
	}
}

// TestPipelinesAreKept: a run leaves a file that the next one reads, and a damaged or foreign one is as none and is replaced.
func TestPipelinesAreKept(t *testing.T) {
	keeper(t)
	folder := filepath.Join(t.TempDir(), "new", "folder")
	path, id := cached(t, folder)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Dir(path) != folder || !bytes.Equal(readPipelines(path, id), file[sha256.Size:]) {
		t.Errorf("%s, %d bytes, does not read back", path, len(file))
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if d, err := Open(Options{Select: os.Getenv("JITVK_DEVICE"), Cache: folder}); err != nil {
		t.Fatal(err)
	} else {
		d.KeepPipelines()
		if readPipelines(path, id) == nil {
			t.Error("nothing is kept before the device is closed")
		}
		d.Close()
	}
	t.Logf("%s: %d bytes", filepath.Base(path), len(file))
	other := id
	other[23]++
	if readPipelines(path, other) != nil {
		t.Error("another driver is given our pipelines")
	}
	flipped := bytes.Clone(file)
	flipped[0] ^= 1 // of the checksum: lavapipe's pipelines are a header and nothing else
	short := file[:len(file)-1]
	alien := append(bytes.Repeat([]byte{0}, sha256.Size), "a driver's bytes without their header"...)
	sum := sha256.Sum256(alien[sha256.Size:])
	copy(alien, sum[:])
	for name, damaged := range map[string][]byte{"empty": {}, "of a few bytes": {1, 2, 3}, "cut short": short, "with a bit turned": flipped,
		"of another kind": alien} {
		if err := os.WriteFile(path, damaged, 0o666); err != nil {
			t.Fatal(err)
		}
		if readPipelines(path, id) != nil {
			t.Errorf("a file %s is used", name)
		}
		cached(t, folder)
		if readPipelines(path, id) == nil {
			t.Errorf("a file %s is not replaced", name)
		}
	}
	if err := os.Truncate(path, maxPipelines+1); err != nil { // a hole: it takes no room
		t.Fatal(err)
	}
	if readPipelines(path, id) != nil {
		t.Error("a file without bounds is used")
	}
}

// TestPipelinesNeedNoDisk: a cache that cannot be written, or that another process is writing, is no error.
func TestPipelinesNeedNoDisk(t *testing.T) {
	keeper(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	cached(t, file)                       // a file where the folder should be
	cached(t, filepath.Join(file, "sub")) // nor can it be made
	cached(t, "/proc/none")               // nor written
	folder := t.TempDir()
	path, id := cached(t, folder)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	f, err := files.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Abort()
	cached(t, folder)
	if _, err := os.Stat(path); err == nil {
		t.Error("two processes wrote one file")
	}
	f.Abort()
	cached(t, folder)
	if readPipelines(path, id) == nil {
		t.Error("nothing is written once the other process is done")
	}
	path, _ = cached(t, "")
	if path != "" {
		t.Errorf("%s is kept unasked", path)
	}
	dry, err := Open(Options{DryRun: true, Cache: folder})
	if err != nil {
		t.Fatal(err)
	}
	dry.Close()
}

// TestMakePipelines: pipelines of programs that only a plan has are made once each, until it is late; what cannot be made is no error
// before Build.
func TestMakePipelines(t *testing.T) {
	d, plan := testDevice(t), dry(t)
	x := buffer(t, plan, 4096)
	program := func(local uint32) *Program {
		p := NewProgram(plan, "planned")
		for range 2 {
			p.Dispatch(Dispatch{Shader: "add", Spec: []uint32{local, 1}, Push: [1]uint32{64},
				Bind: []Binding{Write(x.Range(512, 256)), Read(x.Range(0, 256)), Read(x.Range(256, 256))}})
		}
		return p
	}
	a, b := program(64), program(32)
	if n := d.Missing(a, b, a); n != 2 {
		t.Errorf("%d of 2 pipelines are missing", n)
	}
	d.MakePipelines(func() bool { return true }, a, b)
	if n := d.Missing(a, b); n != 2 {
		t.Errorf("it was late, and %d of 2 pipelines are missing", n)
	}
	d.MakePipelines(func() bool { return false }, a, b)
	if n := d.Missing(a, b); n != 0 || len(d.pipelines) != 2 {
		t.Errorf("%d pipelines are missing, %d are there", n, len(d.pipelines))
	}
	d.info.subgroupOperations = 0
	c := NewProgram(plan, "refused")
	bind := []Binding{Write(x.Range(0, 256)), Write(x.Range(256, 256)), Read(x.Range(512, 256)), Read(x.Range(768, 256))}
	c.Dispatch(Dispatch{Shader: "rmsnorm_fwd", Spec: []uint32{8}, Push: [9]uint32{}, Bind: bind})
	if d.MakePipelines(func() bool { return false }, c); d.Missing(c) != 1 {
		t.Error("a pipeline was made of what the device lacks")
	}
}
