// SPDX-License-Identifier: MIT

package engine

import (
	"cmp"
	"fmt"
	"slices"
)

const (
	// align is where every buffer and every temporary starts: 256 bytes is the largest value that Vulkan allows for
	// minStorageBufferOffsetAlignment, so that any of them can be bound on any device.
	align = 256
	// blockBytes is the size of a block of device memory; larger buffers get a block of their own.
	blockBytes = 64 << 20
)

func alignUp(n int64) int64 { return (n + align - 1) / align * align }

// Stats counts a device's memory. On a dry run the same numbers are reached without allocating.
type Stats struct {
	Buffers  int   // live buffers, arenas included
	Bytes    int64 // in live buffers
	Peak     int64 // largest Bytes so far
	Reserved int64 // in blocks taken from the driver
}

// Stats returns the device's memory counters.
func (d *Device) Stats() Stats { return d.stats }

// A memoryMap lists the kinds of memory that a device has.
type memoryMap struct {
	types []memoryType
	heaps []int64 // bytes
}

type memoryType struct {
	flags memoryFlags
	heap  int // index in heaps
}

type memoryFlags uint32 // VkMemoryPropertyFlags

const (
	deviceLocal memoryFlags = 1 << iota
	hostVisible
	hostCoherent
	hostCached
)

// describe is a line for each type: the size of its heap and its flags.
func (m memoryMap) describe() (lines []string) {
	for _, t := range m.types {
		line := fmt.Sprintf("%.1f GB", float64(m.heaps[t.heap])/1e9)
		for i, name := range []string{"device local", "host visible", "coherent", "cached"} {
			if t.flags>>i&1 == 1 {
				line += ", " + name
			}
		}
		if other := t.flags &^ (deviceLocal | hostVisible | hostCoherent | hostCached); other != 0 {
			line += fmt.Sprintf(", flags %#x", uint32(other))
		}
		lines = append(lines, line)
	}
	return lines
}

// A heap hands out pieces of large blocks of one kind of memory, first fit.
type heap struct {
	dev    *Device
	host   bool
	blocks []*block
}

// A block is one VkDeviceMemory with one VkBuffer over all of it.
type block struct {
	size   int64
	memory handle
	buffer handle
	mapped []byte // host-visible blocks stay mapped
	free   []span // sorted by offset, never adjacent
}

type span struct{ offset, size int64 }

// Buffer is a piece of device memory. A temporary of a Program has no place until the program is built.
type Buffer struct {
	dev    *Device
	label  string
	size   int64 // bytes asked for
	block  *block
	offset int64
	closed bool

	temporaryOf *Program // nil for one that lasts
}

// Range is a part of a buffer, in bytes. Buffer.All, Buffer.Range and Range.Sub make one, which then lies inside its buffer; the
// zero Range is no part of any buffer, and no command takes it.
type Range struct {
	buffer       *Buffer
	offset, size int64
}

// Size returns the buffer's size in bytes.
func (b *Buffer) Size() int64 { return b.size }

// All returns the range of the whole buffer.
func (b *Buffer) All() Range {
	if b == nil {
		misuse("a range of no buffer")
	}
	return Range{b, 0, b.size}
}

// Range returns a part of the buffer. It panics when the part does not lie inside.
func (b *Buffer) Range(offset, size int64) Range { return b.All().Sub(offset, size) }

// Sub returns a part of the range, offset counted from the range's start.
func (r Range) Sub(offset, size int64) Range {
	if offset < 0 || size < 0 || offset > r.size || size > r.size-offset {
		misuse("%d bytes from %d on do not lie inside the %d bytes of %v", size, offset, r.size, r)
	}
	return Range{r.buffer, r.offset + offset, size}
}

// Size returns the range's size in bytes.
func (r Range) Size() int64 { return r.size }

// Buffer returns the buffer that the range is a part of, nil for the zero Range.
func (r Range) Buffer() *Buffer { return r.buffer }

// NewBuffer allocates device memory that lives until Close; its contents are undefined.
func (d *Device) NewBuffer(label string, size int64) (*Buffer, error) {
	return d.heaps[0].alloc(label, size)
}

// newHost allocates memory that the host sees, mapped for as long as it lives.
func (d *Device) newHost(label string, size int64) (*Buffer, error) {
	return d.heaps[1].alloc(label, size)
}

func (h *heap) alloc(label string, size int64) (*Buffer, error) {
	h.dev.alive("buffer", label)
	if size <= 0 {
		misuse("buffer %q of %d bytes: at least 1 wanted", label, size)
	}
	if err := h.dev.fits(label, size); err != nil {
		return nil, err
	}
	want := alignUp(size)
	b := &Buffer{dev: h.dev, label: label, size: size}
	for _, blk := range h.blocks {
		for i, s := range blk.free {
			if s.size >= want {
				b.block, b.offset = blk, s.offset
				if s.size == want {
					blk.free = slices.Delete(blk.free, i, i+1)
				} else {
					blk.free[i] = span{s.offset + want, s.size - want}
				}
				h.dev.count(1, want)
				return b, nil
			}
		}
	}
	blk, err := h.grow(label, want)
	if err != nil {
		return nil, err
	}
	b.block = blk
	if blk.size > want {
		blk.free = []span{{want, blk.size - want}}
	}
	h.dev.count(1, want)
	return b, nil
}

// fits returns an error unless the device allows a buffer of so many bytes.
func (d *Device) fits(label string, size int64) error {
	if limit := d.info.MaxAllocation / align * align; size > limit {
		return &LimitError{LimitAllocation, fmt.Sprintf("%q", label), size, limit, d.info.Name}
	}
	return nil
}

func (d *Device) count(buffers int, bytes int64) {
	d.stats.Buffers += buffers
	d.stats.Bytes += bytes
	d.stats.Peak = max(d.stats.Peak, d.stats.Bytes)
}

// Close gives the buffer's memory back. The caller sees to it that no submission still uses it.
func (b *Buffer) Close() {
	if b == nil || b.closed || b.temporaryOf != nil {
		return
	}
	b.closed = true
	s, blk := span{b.offset, alignUp(b.size)}, b.block
	b.block = nil
	blk.free = append(blk.free, s)
	slices.SortFunc(blk.free, func(a, b span) int { return cmp.Compare(a.offset, b.offset) })
	joined := blk.free[:1]
	for _, s := range blk.free[1:] {
		if last := &joined[len(joined)-1]; last.offset+last.size == s.offset {
			last.size += s.size
		} else {
			joined = append(joined, s)
		}
	}
	blk.free = joined
	b.dev.count(-1, -s.size)
}

// grow takes a block of at least want bytes from the driver.
func (h *heap) grow(label string, want int64) (*block, error) {
	d := h.dev
	blk := &block{size: max(want, min(blockBytes, d.info.MaxAllocation))}
	if d.dryRun {
		h.blocks = append(h.blocks, blk)
		d.stats.Reserved += blk.size
		return blk, nil
	}
	var err error
	if blk.buffer, err = d.createBuffer(blk.size); err != nil {
		return nil, err
	}
	size, allowed := d.bufferNeeds(blk.buffer)
	err = ErrOutOfMemory
	for _, t := range h.types(allowed) {
		if blk.memory, err = d.allocateMemory(size, t); err == nil {
			break
		}
	}
	if err != nil {
		d.destroy(kindBuffer, blk.buffer)
		return nil, fmt.Errorf("%w: %q needs %s more on %s, which holds %s in all and %s of ours",
			err, label, bytesString(blk.size), d.info.Name, bytesString(d.info.MemoryBytes), bytesString(d.stats.Reserved))
	}
	if err = d.bindBuffer(blk.buffer, blk.memory); err == nil && h.host {
		blk.mapped, err = d.mapMemory(blk.memory, blk.size)
	}
	if err != nil {
		d.destroy(kindBuffer, blk.buffer)
		d.destroy(kindMemory, blk.memory)
		return nil, err
	}
	h.blocks = append(h.blocks, blk)
	d.stats.Reserved += blk.size
	return blk, nil
}

// types returns the memory types of this heap's kind among those that allowed permits, best first. Device memory comes
// from the largest heap: on a discrete GPU the small window of it that the host sees (256 MiB) is the last resort, and
// host memory, behind the bus, is none. Host memory is coherent (so that nothing needs flushing) and cached where
// possible, as it is read back too.
func (h *heap) types(allowed uint32) []uint32 {
	const (
		local    = deviceLocal
		coherent = hostVisible | hostCoherent
		cached   = hostCached
		known    = local | coherent | cached // other kinds need features or are not for buffers
	)
	want := []memoryFlags{local}
	switch {
	case h.host:
		want = []memoryFlags{coherent | cached, coherent}
	case h.dev.info.Type != "discrete":
		want = append(want, 0) // one memory by several names
	}
	var out []uint32
	for _, w := range want {
		n := len(out)
		for i, t := range h.dev.memory.types {
			if allowed>>i&1 == 1 && t.flags&w == w && t.flags&^known == 0 && !slices.Contains(out, uint32(i)) {
				out = append(out, uint32(i))
			}
		}
		if !h.host {
			size := func(t uint32) int64 { return h.dev.memory.heaps[h.dev.memory.types[t].heap] }
			slices.SortStableFunc(out[n:], func(a, b uint32) int { return cmp.Compare(size(b), size(a)) })
		}
	}
	return out
}

func (h *heap) close() {
	for _, b := range h.blocks {
		h.dev.destroy(kindBuffer, b.buffer)
		h.dev.destroy(kindMemory, b.memory)
	}
	h.blocks = nil
}

// bytesString prints a size for people: 1.5 GiB.
func bytesString(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d bytes", n)
}
