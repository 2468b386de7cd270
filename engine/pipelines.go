// SPDX-License-Identifier: MIT

package engine

/*
#include "shim.h"
*/
import "C"

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"

	"jitvk/engine/files"
	"jitvk/shaders"
)

// layout returns the layouts for shaders with n storage buffers and up to 128 bytes of push constants.
func (d *Device) layout(n int) (layout, error) {
	if l, ok := d.layouts[n]; ok {
		return l, nil
	}
	var l layout
	var err error
	if l.set, err = d.createSetLayout(n); err != nil {
		return l, err
	}
	if l.pipeline, err = d.createPipelineLayout(l.set); err != nil {
		d.destroy(kindSetLayout, l.set)
		return l, err
	}
	d.layouts[n] = l
	return l, nil
}

// A pipelineOrder is a pipeline to be made: a shader for a number of bindings, with specialization constants 0, 1, 2, …
type pipelineOrder struct {
	shader   string
	bindings int
	spec     []uint32

	code     []byte
	layout   layout
	subgroup uint32 // 0, or the size that subgroups must have, all of them full
	made     handle
	err      error
}

// key names the pipeline in Device.pipelines.
func (o *pipelineOrder) key() string { return fmt.Sprintf("%s %d %v", o.shader, o.bindings, o.spec) }

func orderFor(c *command) *pipelineOrder {
	return &pipelineOrder{shader: c.Shader, bindings: len(c.Bind), spec: c.Spec}
}

// makePipelines makes those pipelines of a program that the device does not have yet.
func (d *Device) makePipelines(commands []command) error {
	var orders []*pipelineOrder
	for _, o := range d.missing(commands) {
		if err := d.prepare(o); err != nil {
			return err
		}
		orders = append(orders, o)
	}
	return d.make(orders, func() bool { return false })
}

// missing returns orders for those pipelines of commands that the device does not have yet, each once.
func (d *Device) missing(commands []command) (orders []*pipelineOrder) {
	ordered := map[string]bool{}
	for i := range commands {
		if commands[i].kind != C.JITVK_DISPATCH {
			continue
		}
		o := orderFor(&commands[i])
		if _, made := d.pipelines[o.key()]; !made && !ordered[o.key()] {
			orders, ordered[o.key()] = append(orders, o), true
		}
	}
	return orders
}

// make makes pipelines on all cores, as most drivers compile here, in their order until it is late: the device's pipeline cache may be
// used by several threads at once. It returns the first error; what could be made is there all the same.
func (d *Device) make(orders []*pipelineOrder, late func() bool) error {
	queue := make(chan *pipelineOrder, len(orders))
	for _, o := range orders {
		queue <- o
	}
	close(queue)
	workers := runtime.NumCPU()
	if d.announce != nil {
		workers = 1
	}
	var wait sync.WaitGroup
	for range min(workers, len(orders)) {
		wait.Go(func() {
			for o := range queue {
				if late() {
					return
				}
				if d.announce != nil {
					d.announce(fmt.Sprint(o.shader, " ", o.spec))
				}
				d.compile(o)
				if d.compiled != nil && o.err == nil {
					d.compiled(fmt.Sprint(o.shader, " ", o.spec), d.statistics(o.made))
				}
			}
		})
	}
	wait.Wait()
	var err error
	for _, o := range orders {
		if o.made != 0 {
			d.pipelines[o.key()] = o.made
		} else if err == nil {
			err = o.err
		}
	}
	return err
}

// Missing returns how many pipelines the device would have to make for programs of its own or of another device like it, one that only
// plans, say.
func (d *Device) Missing(of ...*Program) int { return len(d.missing(commandsOf(of))) }

// MakePipelines makes those pipelines, in the order of the programs, on all cores, until it is late. What a driver refuses is for Build
// to report.
func (d *Device) MakePipelines(late func() bool, of ...*Program) {
	d.alive("MakePipelines on", d.info.Name)
	var orders []*pipelineOrder
	for _, o := range d.missing(commandsOf(of)) {
		if d.prepare(o) == nil {
			orders = append(orders, o)
		}
	}
	_ = d.make(orders, late)
}

func commandsOf(programs []*Program) (all []command) {
	for _, p := range programs {
		all = append(all, p.commands...)
	}
	return all
}

// prepare completes an order.
func (d *Device) prepare(o *pipelineOrder) (err error) {
	code, ok := shaders.SPIRV(o.shader)
	if !ok {
		misuse("no shader %q is embedded; after adding a source run `make spv`", o.shader)
	}
	o.code = code
	operations, matrix := capabilities(code)
	if lacking := operations &^ d.info.subgroupOperations; lacking != 0 {
		return fmt.Errorf("engine: %s needs subgroup operations that %s lacks (VkSubgroupFeatureFlags %#x): %w; update its driver or "+
			"choose another device",
			o.shader, d.info.Name, lacking, ErrUnsupported)
	}
	// A matrix is shared out among a subgroup's lanes, and its kernels count subgroups: their size must be the one that Info
	// says. Without this SPIR-V 1.6, which they are compiled to, lets the driver choose another.
	if matrix && d.info.pinsSubgroups {
		o.subgroup = uint32(d.info.SubgroupSize)
	}
	o.layout, err = d.layout(o.bindings)
	return err
}

// compile makes the pipeline; several may be under way at once.
func (d *Device) compile(o *pipelineOrder) {
	var err error
	if o.made, err = d.createPipeline(o.code, o.layout.pipeline, o.spec, o.subgroup); err != nil {
		o.err = fmt.Errorf("%w (%s %v)", err, o.shader, o.spec)
	}
}

// capabilities returns what a SPIR-V module asks of the device's subgroups, as VkSubgroupFeatureFlags, and whether it
// multiplies cooperative matrices. Capabilities (OpCapability, opcode 17) stand first in a module; those from
// GroupNonUniform, 61, to GroupNonUniformQuad, 68, are in the order of the flags; CooperativeMatrixKHR is 6022 (SPIR-V
// specification, 2.3 and 3.31).
func capabilities(code []byte) (operations uint32, matrix bool) {
	for at := 20; at+8 <= len(code) && binary.LittleEndian.Uint32(code[at:]) == 2<<16|17; at += 8 {
		switch c := binary.LittleEndian.Uint32(code[at+4:]); {
		case c >= 61 && c <= 68:
			operations |= 1 << (c - 61)
		case c == 6022:
			matrix = true
		}
	}
	return operations, matrix
}

// A pipeline cache (VkPipelineCache) holds what a driver compiled shaders to. Between runs it lies in Options.Cache: the
// SHA-256 of the driver's bytes, then these, which begin with whose they are. Drivers may crash on bytes that are not their
// own, so a file that is damaged, of another device or of another driver is as none. It costs compile time, no more, and so
// does one that cannot be written: neither is an error.
type pipelineCache struct {
	handle handle
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
	file, err := files.ReadFile(path, maxPipelines)
	if err != nil || len(file) < sha256.Size {
		return nil
	}
	sum, data := file[:sha256.Size], file[sha256.Size:]
	if want := sha256.Sum256(data); !bytes.Equal(sum, want[:]) || !pipelinesOf(data, cacheID) {
		return nil
	}
	return data
}

// pipelinesOf reports whether a driver's bytes begin with a device's VkPipelineCacheHeaderVersionOne: its length, its version,
// vendor, device and UUID.
func pipelinesOf(data []byte, cacheID [24]byte) bool {
	header := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, 32), 1)
	return bytes.HasPrefix(data, append(header, cacheID[:]...))
}

// open makes the device's cache, from the file in a folder if there is one.
func (c *pipelineCache) open(d *Device, folder string) (err error) {
	var data []byte
	path := ""
	if folder != "" {
		path = filepath.Join(folder, "pipelines-"+d.info.Key())
		if data = readPipelines(path, d.info.cacheID); data != nil {
			c.sum = sha256.Sum256(data)
		}
	}
	if c.handle, err = d.createPipelineCache(data); err == nil {
		c.path = path
	}
	return err
}

// KeepPipelines writes the pipelines made so far into Options.Cache, as Close does: a long run may be killed before that.
func (d *Device) KeepPipelines() {
	c := &d.cache
	if c.path == "" {
		return
	}
	data := d.pipelineCacheData(c.handle)
	sum := sha256.Sum256(data)
	// Mesa 26.2.6's lavapipe gives 20 bytes of its header and nothing else.
	if sum == c.sum || !pipelinesOf(data, d.info.cacheID) || os.MkdirAll(filepath.Dir(c.path), 0o755) != nil {
		return
	}
	// Where this fails, or another process writes at this moment, the next run compiles again.
	if files.WriteFile(c.path, append(sum[:], data...)) == nil {
		c.sum = sum
	}
}
