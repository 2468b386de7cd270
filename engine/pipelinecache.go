// SPDX-License-Identifier: MIT

package engine

// #include <stdlib.h>
import "C"

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unsafe"

	vk "github.com/vulkan-go/vulkan"

	"jitvk/engine/atomicfile"
)

// A pipeline cache (VkPipelineCache) holds what a driver compiled shaders to. Between runs it lies in Options.Cache: the
// SHA-256 of the driver's bytes, then these, which begin with whose they are. Drivers may crash on bytes that are not their
// own, so a file that is damaged, of another device or of another driver is as none. It costs compile time, no more, and so
// does one that cannot be written: neither is an error.
type pipelineCache struct {
	handle vk.PipelineCache
	path   string            // "" keeps none
	sum    [sha256.Size]byte // of what the file holds
}

// maxPipelines bounds the file. Drivers only ever add to a cache; past this size it begins anew.
const maxPipelines = 256 << 20

// Key names a device with its driver, as a part of file names: what was compiled or measured for one key is of no use to
// another.
func (i Info) Key() string {
	slug := strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(i.Name), "-"), "-")
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%x", i.Name, i.Driver, i.cacheID))
	return fmt.Sprintf("%.40s-%x", slug, sum[:4])
}

// readPipelines returns the driver's bytes of a file, nil where they cannot be used.
func readPipelines(path string, cacheID [24]byte) []byte {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxPipelines {
		return nil
	}
	file, err := os.ReadFile(path)
	if err != nil || len(file) < sha256.Size {
		return nil
	}
	sum, data := file[:sha256.Size], file[sha256.Size:]
	// VkPipelineCacheHeaderVersionOne: its length, its version, vendor, device, UUID.
	header := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, 32), 1)
	if want := sha256.Sum256(data); !bytes.Equal(sum, want[:]) || !bytes.HasPrefix(data, append(header, cacheID[:]...)) {
		return nil
	}
	return data
}

// open makes the device's cache, from the file in a folder if there is one.
func (c *pipelineCache) open(d *Device, folder string) (err error) {
	info, path := &vk.PipelineCacheCreateInfo{SType: vk.StructureTypePipelineCacheCreateInfo}, ""
	if folder != "" {
		path = filepath.Join(folder, "pipelines-"+d.info.Key())
		if data := readPipelines(path, d.info.cacheID); data != nil {
			c.sum = sha256.Sum256(data)
			info.InitialDataSize, info.PInitialData = uint(len(data)), C.CBytes(data)
			defer C.free(info.PInitialData)
		}
	}
	if c.handle, err = create("vkCreatePipelineCache", func(h *vk.PipelineCache) vk.Result {
		return vk.CreatePipelineCache(d.device, info, nil, h)
	}); err == nil {
		c.path = path
	}
	return err
}

// close writes the file, if there is anything new for it, and destroys the cache.
func (c *pipelineCache) close(d *Device) {
	if c.path != "" {
		data := c.data(d)
		// Where this fails, or another process writes at this moment, the next run compiles again.
		if sum := sha256.Sum256(data); data != nil && sum != c.sum && os.MkdirAll(filepath.Dir(c.path), 0o755) == nil {
			_ = atomicfile.WriteFile(c.path, append(sum[:], data...))
		}
	}
	vk.DestroyPipelineCache(d.device, c.handle, nil)
}

// data returns the driver's bytes, nil where it gives none.
func (c *pipelineCache) data(d *Device) []byte {
	var size uint
	if vk.GetPipelineCacheData(d.device, c.handle, &size, nil) != vk.Success || size == 0 {
		return nil
	}
	data := make([]byte, size)
	if vk.GetPipelineCacheData(d.device, c.handle, &size, unsafe.Pointer(&data[0])) != vk.Success {
		return nil
	}
	return data[:size]
}
