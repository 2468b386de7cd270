// SPDX-License-Identifier: MIT

package dataset

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"jitvk/engine/files"
)

// The cache file, all numbers little endian:
//
//	0               header, see below, filled up with zeros
//	headerLen       pixels, uint8 (Count,Size,Size,3)
//	headerLen+...   tail, JSON: the report, the names, and sums over the pixels, so that no start has to read them all
const headerLen = 4096 // a page, so that the pixels are aligned in memory

// cacheVersion changes with the layout, the crop or the resizing: older caches are packed again.
const cacheVersion = 2

var cacheMagic = [8]byte{'J', 'I', 'T', 'V', 'K', 'P', 'I', 'X'}

// header is the first bytes of a cache.
type header struct {
	Magic   [8]byte
	Version uint32
	Size    uint32 // side of the pictures in pixels
	Count   uint64 // pictures
	Tail    uint64 // bytes
	Key     [32]byte
	TailSum uint32 // CRC-32C of the tail
	Self    uint32 // CRC-32C of the fields above
}

// tail is what follows the pixels.
type tail struct {
	Report Report
	Names  []string // nil for drawn pictures
	Sums   sums
}

// maxCheck is how many bytes of pixels are checked against their sum when a cache is opened: a tenth of a second's worth. Of a
// larger one (ImageNet's takes minutes to read) only the header, the length and the tail are: the disk is trusted with the rest.
const maxCheck = 1 << 28

// load maps the source's cache, packing it first if need be.
func load(ctx context.Context, s *source, o Options) (*Dataset, error) {
	if o.Size < 1 || o.Size > 1<<13 {
		panic(fmt.Sprintf("dataset: Size %d", o.Size))
	}
	start := time.Now()
	say := func(format string, args ...any) {
		if o.Log != nil {
			o.Log(fmt.Sprintf(format, args...))
		}
	}
	if o.NoCache {
		var pixels []byte
		t, err := packAll(ctx, s, o, func(picture []byte) error {
			pixels = append(pixels, picture...)
			return nil
		})
		if err != nil {
			return nil, err
		}
		t.Report.Took = time.Since(start)
		return &Dataset{Source: s.name, Report: t.Report, size: o.Size, names: t.Names, pixels: pixels, sums: t.Sums,
			unmap: func() error { return nil }}, nil
	}
	dir := o.CacheDir
	if dir == "" {
		var err error
		if dir, err = files.CacheDir(); err != nil {
			return nil, fmt.Errorf("%w: %w: set JITVK_CACHE to a folder", ErrCache, err)
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, cacheError(dir, err)
	}
	path := filepath.Join(dir, cacheName(s.id, o.Size))
	key := sha256.Sum256(fmt.Appendf(nil, "v%d size %d centre crop, CatmullRom\n%s", cacheVersion, o.Size, s.key))
	written := false
	for waiting := false; ; {
		d, err := openCache(path, key, o.Size)
		if err == nil {
			d.Source = s.name
			d.Report.Cached, d.Report.Cache, d.Report.Took = !written, path, time.Since(start)
			return d, nil
		}
		if written {
			return nil, fmt.Errorf("%w: %s does not read back: %w: set JITVK_CACHE to a folder on another disk", ErrCache, path, err)
		}
		if !errors.Is(err, fs.ErrNotExist) && !waiting {
			say("%s: %v: packing again", path, err)
		}
		written, err = writeCache(ctx, s, o, path, key)
		switch {
		case errors.Is(err, files.ErrBusy):
			if !waiting {
				say("another process is packing %s: waiting for it", s.name)
			}
			waiting = true
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(200 * time.Millisecond):
			}
		case err != nil:
			return nil, err
		}
	}
}

// cacheError names the place and the way out.
func cacheError(place string, err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) { // without the paths and the advice around it
		err = errno
	}
	return fmt.Errorf("%w: %s: %w: free some space, or set JITVK_CACHE to a folder with room that you may write to", ErrCache, place, err)
}

// writeCache packs the source into a cache file; false when another process has done it in the meantime.
func writeCache(ctx context.Context, s *source, o Options, path string, key [32]byte) (written bool, err error) {
	f, err := files.Create(path)
	if errors.Is(err, files.ErrBusy) {
		return false, err
	}
	if err != nil {
		return false, cacheError(path, err)
	}
	defer f.Abort()
	if d, err := openCache(path, key, o.Size); err == nil {
		return false, d.Close()
	}
	write := func(b []byte) error {
		if _, err := f.Write(b); err != nil {
			return cacheError(path, err)
		}
		return nil
	}
	if err := write(make([]byte, headerLen)); err != nil { // the place of the header
		return false, err
	}
	t, err := packAll(ctx, s, o, write)
	if err != nil {
		return false, err
	}
	text, err := json.Marshal(t)
	if err != nil {
		return false, err
	}
	if err := write(text); err != nil {
		return false, err
	}
	h := header{Magic: cacheMagic, Version: cacheVersion, Size: uint32(o.Size), Count: uint64(t.Report.Used), Tail: uint64(len(text)),
		Key: key, TailSum: checksum(text)}
	if _, err := f.WriteAt(h.encode(), 0); err != nil {
		return false, cacheError(path, err)
	}
	if err := f.Commit(); err != nil {
		return false, cacheError(path, err)
	}
	return true, nil
}

// encode is the header with its own sum filled in.
func (h header) encode() []byte {
	b, err := binary.Append(nil, binary.LittleEndian, h)
	if err != nil {
		panic(err) // the struct has fixed sizes only
	}
	binary.LittleEndian.PutUint32(b[len(b)-4:], checksum(b[:len(b)-4]))
	return b
}

// openCache maps a cache and checks it. An error that is not fs.ErrNotExist says why it is not to be used.
func openCache(path string, key [32]byte, size int) (*Dataset, error) {
	content, unmap, err := mapFile(path)
	if err != nil {
		return nil, err
	}
	d, err := checkCache(content, key, size)
	if err != nil {
		return nil, errors.Join(err, unmap())
	}
	d.unmap = unmap
	return d, nil
}

func checkCache(b []byte, key [32]byte, size int) (*Dataset, error) {
	if len(b) < headerLen {
		return nil, errors.New("cut short")
	}
	var h header
	if _, err := binary.Decode(b, binary.LittleEndian, &h); err != nil {
		return nil, err
	}
	self := h.encode()
	switch {
	case h.Magic != cacheMagic:
		return nil, errors.New("not a cache of pictures")
	case !bytes.Equal(self, b[:len(self)]):
		return nil, errors.New("damaged in its header")
	case h.Version != cacheVersion || h.Key != key || h.Size != uint32(size):
		return nil, errors.New("made from other files, or by another version")
	}
	picture := uint64(size) * uint64(size) * 3
	content := b[headerLen:]
	if h.Count < 1 || h.Count > uint64(len(content))/picture || h.Tail != uint64(len(content))-h.Count*picture {
		return nil, errors.New("not as long as its header says")
	}
	pixels, text := content[:h.Count*picture], content[h.Count*picture:]
	var t tail
	if checksum(text) != h.TailSum || json.Unmarshal(text, &t) != nil || t.Report.Used != int(h.Count) ||
		t.Names != nil && len(t.Names) != int(h.Count) || uint64(len(t.Sums.Values)) != picture {
		return nil, errors.New("damaged at its end")
	}
	if len(pixels) <= maxCheck && checksum(pixels) != t.Sums.CRC {
		return nil, errors.New("damaged")
	}
	return &Dataset{Report: t.Report, size: size, names: t.Names, pixels: pixels, sums: t.Sums}, nil
}

// packed is one picture on its way to the file.
type packed struct {
	pixels []byte
	err    error
}

// packAll packs every picture of the source, on all cores, and writes them in order.
func packAll(ctx context.Context, s *source, o Options, write func(picture []byte) error) (tail, error) {
	ctx, cancel := context.WithCancel(ctx)
	workers := runtime.NumCPU()
	type job struct {
		index int
		done  chan packed // holds one
	}
	jobs := make(chan job)
	inOrder := make(chan chan packed, 8*workers) // bounds what is decoded and not yet written
	var wait sync.WaitGroup
	defer func() { cancel(); wait.Wait() }() // nobody reads the source after we return
	for range workers {
		wait.Go(func() {
			for j := range jobs {
				p := packed{pixels: make([]byte, o.Size*o.Size*3)}
				p.err = s.picture(j.index, p.pixels)
				j.done <- p
			}
		})
	}
	wait.Go(func() {
		defer close(jobs)
		defer close(inOrder)
		for i := range s.n {
			j := job{i, make(chan packed, 1)}
			select {
			case jobs <- j:
			case <-ctx.Done():
				return
			}
			select {
			case inOrder <- j.done:
			case <-ctx.Done():
				return
			}
		}
	})

	var t tail
	r := &t.Report
	i := 0
	for done := range inOrder {
		p := <-done
		switch {
		case p.err == errIgnored:
			r.Ignored++
		case p.err != nil:
			r.Skipped++
			if len(r.First) < maxNamed {
				r.First = append(r.First, Skipped{s.file(i), reason(p.err)})
			}
		default:
			if err := write(p.pixels); err != nil {
				return tail{}, err
			}
			t.Sums.add(p.pixels)
			r.Used++
			if s.file != nil {
				t.Names = append(t.Names, s.file(i))
			}
		}
		i++
		if o.Progress != nil {
			o.Progress(i, s.n)
		}
	}
	if i < s.n {
		return tail{}, ctx.Err()
	}
	switch {
	case r.Used == 0 && r.Skipped == 0:
		return tail{}, noPictures(s.name, r.Ignored)
	case r.Used == 0:
		return tail{}, fmt.Errorf("%s: %w in it that can be read, %d cannot (first %s: %s): give JPEG, PNG or WebP pictures",
			s.name, ErrNoPictures, r.Skipped, r.First[0].Name, r.First[0].Reason)
	}
	return t, nil
}

// reason is an error in one line and without the path, which is named already.
func reason(err error) string {
	var at *fs.PathError
	switch {
	case errors.As(err, &at):
		err = at.Err
	case errors.Is(err, zip.ErrFormat), errors.Is(err, zip.ErrChecksum):
		return "damaged inside the .zip"
	}
	return strings.ReplaceAll(err.Error(), "\n", " ")
}
