// SPDX-License-Identifier: MIT

package tune

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
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
}

// maxTable bounds a table's file, in bytes: a class takes some 80.
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
func readTable(info engine.Info) engine.Choices {
	path, err := tablePath(info)
	if err != nil {
		return nil
	}
	text, err := files.ReadFile(path, maxTable)
	if err != nil {
		return nil
	}
	var t table
	if json.Unmarshal(text, &t) != nil || t.Device != info.Name || t.Driver != info.Driver || t.Kernels != checksum(info) {
		return nil
	}
	return t.Choices
}

// writeTable adds to what is known of a device. Where it cannot, the next run measures again.
func writeTable(info engine.Info, found engine.Choices) {
	path, err := tablePath(info)
	if err != nil || len(found) == 0 || os.MkdirAll(filepath.Dir(path), 0o755) != nil {
		return
	}
	f, err := files.Create(path) // from here to Commit no other process can write it
	if err != nil {
		return
	}
	defer f.Abort()
	t := table{info.Name, info.Driver, checksum(info), readTable(info)}
	if t.Choices == nil {
		t.Choices = engine.Choices{}
	}
	maps.Copy(t.Choices, found)
	text, err := json.MarshalIndent(t, "", " ")
	if err != nil {
		return
	}
	if _, err := f.Write(append(text, '\n')); err == nil {
		_ = f.Commit()
	}
}
