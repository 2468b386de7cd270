// SPDX-License-Identifier: MIT

package tune

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"jitvk/engine"
	"jitvk/engine/files"
	"jitvk/kernels"
	"jitvk/shaders"
)

// A table is what has been measured on a device, as its file in the cache folder has it.
type table struct {
	Device  string         `json:"device"`
	Driver  string         `json:"driver"`
	Kernels string         `json:"kernels"` // the checksum of those that were measured: a changed one is measured anew
	Choices engine.Choices `json:"choices"`
	// Measured is how they were found, for people: what won and by how much, what was wrong, what was not tried.
	Measured map[string]Result `json:"measured,omitempty"`
}

// maxTable bounds a table's file, in bytes: a class takes less than a thousand.
const maxTable = 1 << 20

// checksum is that of the ladders' modules, and of how a device's products are launched, which choices count through.
func checksum(info engine.Info) string {
	sum := sha256.New()
	for p := kernels.FP32; p <= kernels.BF16; p++ {
		fmt.Fprintln(sum, kernels.MatMulLaunches(info, p))
	}
	for _, name := range shaders.Names() {
		if strings.HasPrefix(name, "matmul/") || strings.HasPrefix(name, "attention/") {
			code, _ := shaders.SPIRV(name)
			fmt.Fprintf(sum, "%s %d\n", name, len(code))
			sum.Write(code)
		}
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:8])
}

func tablePath(info engine.Info) (string, error) {
	dir, err := files.CacheDir()
	return filepath.Join(dir, "choices-"+info.Key()+".json"), err
}

// readTable returns what is known of a device: nothing where the file is not there or cannot be used.
func readTable(info engine.Info) engine.Choices { return readWhole(info).Choices }

func readWhole(info engine.Info) (t table) {
	path, err := tablePath(info)
	if err != nil {
		return table{}
	}
	text, err := files.ReadFile(path, maxTable)
	if err != nil {
		return table{}
	}
	if json.Unmarshal(text, &t) != nil || t.Device != info.Name || t.Driver != info.Driver || t.Kernels != checksum(info) {
		return table{}
	}
	return t
}

// writeTable adds to what is known of a device. Where it cannot, the next run measures again.
func writeTable(info engine.Info, found map[string]Result) {
	path, err := tablePath(info)
	if err != nil || len(found) == 0 || os.MkdirAll(filepath.Dir(path), 0o755) != nil {
		return
	}
	f, err := files.Create(path) // from here to Commit no other process can write it
	if err != nil {
		return
	}
	defer f.Abort()
	t := readWhole(info)
	t.Device, t.Driver, t.Kernels = info.Name, info.Driver, checksum(info)
	if t.Choices == nil {
		t.Choices = engine.Choices{}
	}
	if t.Measured == nil {
		t.Measured = map[string]Result{}
	}
	for class, r := range found {
		t.Choices[class], t.Measured[class] = r.Choice, r
	}
	text, err := json.MarshalIndent(t, "", " ")
	if err != nil {
		return
	}
	if _, err := f.Write(append(text, '\n')); err == nil {
		_ = f.Commit()
	}
}
