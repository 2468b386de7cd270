// SPDX-License-Identifier: MIT

package dataset

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"jitvk/engine/files/disktest"
)

// plain is a w x h picture of one colour.
func plain(w, h int, c color.Color) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		img.Set(i%w, i/w, c)
	}
	return img
}

func asPNG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asJPEG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 100}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// webP is 4 x 4, left half red, right half blue, lossless.
func webP(t testing.TB) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString("UklGRh4AAABXRUJQVlA4TBIAAAAvA8AAAA8Q87//8x8OOhDR/wA=")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var (
	red, green, blue = color.RGBA{255, 0, 0, 255}, color.RGBA{0, 255, 0, 255}, color.RGBA{0, 0, 255, 255}
	grey             = color.Gray{100}
)

// folder writes files below a new folder.
func folder(t testing.TB, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, b := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// zipped writes a .zip of files.
func zipped(t testing.TB, files map[string][]byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.zip")
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, content := range files { // in any order: the data set sorts
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t testing.TB, path string, o Options) *Dataset {
	t.Helper()
	d, err := Open(context.Background(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// names lists a data set's pictures.
func names(d *Dataset) string {
	var all []string
	for i := range d.Len() {
		all = append(all, d.Name(i))
	}
	return strings.Join(all, " ")
}

// at is one pixel.
func at(d *Dataset, i, x, y int) [3]byte {
	return [3]byte(d.Pixels(i)[(y*d.Size()+x)*3:])
}

// mixed is pictures, other files, and files that only claim to be pictures.
func mixed(t testing.TB) map[string][]byte {
	return map[string][]byte{
		"b/2.PNG":              asPNG(t, plain(9, 5, green)),
		"b/1.jpg":              asJPEG(t, plain(20, 30, red)),
		"a.webp":               webP(t),
		"b/c/no-extension":     asPNG(t, plain(3, 3, blue)),
		"c.jpeg":               asPNG(t, plain(3, 3, blue)), // the content counts
		"b/labels.txt":         []byte("1.jpg Smiling\n"),
		"empty.dat":            nil,
		".hidden.jpg":          []byte("x"),
		"__MACOSX/b/._1.jpg":   []byte("not a picture"),
		"broken.jpg":           asJPEG(t, plain(20, 30, red))[:200],
		"text.png":             []byte("hello"),
		"zero.jpg":             nil,
		"b/animated.gif":       []byte("GIF89a"),
		"z-cut-without-a-name": asPNG(t, plain(30, 30, red))[:40],
	}
}

const mixedNames = "a.webp b/1.jpg b/2.PNG b/c/no-extension c.jpeg"

func checkMixed(t *testing.T, d *Dataset) {
	t.Helper()
	if got := names(d); got != mixedNames {
		t.Errorf("pictures %s, want %s", got, mixedNames)
	}
	if d.Report.Used != 5 || d.Report.Skipped != 5 || d.Report.Ignored != 2 {
		t.Errorf("report %+v, want 5 used, 5 skipped, 2 ignored", d.Report)
	}
	var skipped []string
	for _, s := range d.Report.First {
		skipped = append(skipped, s.Name)
		if s.Reason == "" || strings.Contains(s.Reason, "\n") {
			t.Errorf("skipped %s for %q", s.Name, s.Reason)
		}
	}
	if got, want := strings.Join(skipped, " "), "b/animated.gif broken.jpg text.png z-cut-without-a-name zero.jpg"; got != want {
		t.Errorf("skipped %s, want %s", got, want)
	}
	for i, want := range [][3]byte{1: {254, 0, 0}, 2: {0, 255, 0}, 3: {0, 0, 255}} {
		if i > 0 && at(d, i, 1, 1) != want { // 254: what JPEG makes of red
			t.Errorf("picture %d is %v, want %v", i, at(d, i, 1, 1), want)
		}
	}
	if got := []any{at(d, 0, 0, 0), at(d, 0, 3, 3)}; got[0] != [3]byte{255, 0, 0} || got[1] != [3]byte{0, 0, 255} {
		t.Errorf("WebP is %v, want red and blue", got)
	}
}

func TestFolderAndZip(t *testing.T) {
	files := mixed(t)
	for kind, path := range map[string]string{"folder": folder(t, files), "zip": zipped(t, files)} {
		var lines []string
		var last, calls int
		cache := t.TempDir()
		o := Options{Size: 4, CacheDir: cache, Log: func(s string) { lines = append(lines, s) },
			Progress: func(done, total int) {
				if calls++; done != last+1 || total != 12 {
					t.Errorf("%s: progress %d of %d after %d", kind, done, total, last)
				}
				last = done
			}}
		d := open(t, path, o)
		checkMixed(t, d)
		if last != 12 || d.Report.Cached || d.Source != path {
			t.Errorf("%s: first time: progress to %d, %+v", kind, last, d.Report)
		}
		if line := d.Report.String(); len(lines) != 0 || !strings.Contains(line, "5 skipped (b/animated.gif: not a JPEG") {
			t.Errorf("%s: report %q, log %q: skipped files are the report's", kind, line, lines)
		}
		t.Log(kind, d.Report)
		again := open(t, path, o)
		checkMixed(t, again)
		if last != 12 || !again.Report.Cached {
			t.Errorf("%s: second time: progress to %d, %+v", kind, last, again.Report)
		}
		o.NoCache, o.Progress = true, nil
		memory := open(t, path, o)
		checkMixed(t, memory)
		for i := range d.Len() {
			if !bytes.Equal(d.Pixels(i), again.Pixels(i)) || !bytes.Equal(d.Pixels(i), memory.Pixels(i)) {
				t.Errorf("%s: picture %d differs between file and memory", kind, i)
			}
		}
		if list, err := os.ReadDir(cache); err != nil || len(list) != 1 {
			t.Errorf("%s: cache folder holds %v (%v), want one file", kind, list, err)
		}
	}
}

// Whatever spoils a cache, the pictures are packed again and right.
func TestCacheRebuilt(t *testing.T) {
	dir := folder(t, map[string][]byte{"1.png": asPNG(t, plain(4, 4, red)), "2.png": asPNG(t, plain(4, 4, green))})
	o := Options{Size: 4, CacheDir: t.TempDir()}
	d := open(t, dir, o)
	path := d.Report.Cache
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, cached bool) {
		t.Helper()
		var lines []string
		o.Log = func(s string) { lines = append(lines, s) }
		d := open(t, dir, o)
		if d.Report.Cached != cached || !cached && len(lines) == 0 {
			t.Errorf("%s: cached %v, want %v; log %q", what, d.Report.Cached, cached, lines)
		}
		if at(d, 0, 1, 1) != [3]byte{255, 0, 0} {
			t.Errorf("%s: wrong pixels %v", what, at(d, 0, 1, 1))
		}
	}
	check("untouched", true)
	for _, n := range []int{0, 1, 71, 72, headerLen - 1, headerLen, headerLen + 50, len(whole) - 1} {
		if err := os.WriteFile(path, whole[:n], 0o644); err != nil {
			t.Fatal(err)
		}
		check(fmt.Sprintf("cut at %d of %d", n, len(whole)), false)
	}
	for _, i := range []int{0, 8, 12, 16, 24, 32, 64, 68, headerLen, len(whole) - 1} {
		b := bytes.Clone(whole)
		b[i] ^= 1
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		check(fmt.Sprintf("byte %d changed", i), false)
	}
	if err := os.WriteFile(path, append(bytes.Clone(whole), 0), 0o644); err != nil {
		t.Fatal(err)
	}
	check("a byte more", false)
	check("rebuilt", true)

	now := time.Now().Add(time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "2.png"), now, now); err != nil {
		t.Fatal(err)
	}
	check("newer file", false)
	if err := os.WriteFile(filepath.Join(dir, "3.png"), asPNG(t, plain(4, 4, blue)), 0o644); err != nil {
		t.Fatal(err)
	}
	check("another file", false)
	if err := os.Remove(filepath.Join(dir, "2.png")); err != nil {
		t.Fatal(err)
	}
	check("a file fewer", false)
	o.Size = 5
	if d := open(t, dir, o); d.Report.Cached || d.Size() != 5 || d.Len() != 2 {
		t.Errorf("another size: %+v", d.Report)
	}
	if list, err := os.ReadDir(o.CacheDir); err != nil || len(list) != 2 {
		t.Errorf("cache folder holds %v (%v), want a file per size", list, err)
	}
}

// The header says what the file holds, at any length of tail.
func TestCheckCacheLies(t *testing.T) {
	key := [32]byte{1}
	text := fmt.Appendf(nil, `{"Report":{"Used":1},"Names":null,"Sums":{"CRC":%d,"Values":[0,0,0,0,0,0,0,0,0,0,0,0],"Squares":0}}`,
		checksum(make([]byte, 12)))
	content := append(make([]byte, 12), text...)
	h := header{Magic: cacheMagic, Version: cacheVersion, Size: 2, Count: 1, Tail: uint64(len(text)), Key: key, TailSum: checksum(text)}
	build := func(h header) []byte { return append(append(h.encode(), make([]byte, headerLen-72)...), content...) }
	if _, err := checkCache(build(h), key, 2); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*header){
		"count 0":    func(h *header) { h.Count, h.Tail = 0, uint64(len(content)) },
		"count huge": func(h *header) { h.Count = math.MaxUint64 / 4 },
		"count 2":    func(h *header) { h.Count, h.Tail = 2, uint64(len(text)-12) },
		"tail":       func(h *header) { h.Tail++ },
		"size":       func(h *header) { h.Size = 1 },
		"version":    func(h *header) { h.Version++ },
		"key":        func(h *header) { h.Key[31]++ },
		"tail's sum": func(h *header) { h.TailSum++ },
	} {
		bad := h
		change(&bad)
		if _, err := checkCache(build(bad), key, 2); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// speckled are pictures of pixels without a pattern.
func speckled(n int) Drawn {
	return Drawn{Name: "speckled", N: n, Draw: func(i, size int) image.Image {
		img := image.NewRGBA(image.Rect(0, 0, size, size))
		for j := range img.Pix {
			img.Pix[j] = byte(mix(uint64(i*1000 + j)))
			if j%4 == 3 {
				img.Pix[j] = 255
			}
		}
		return img
	}}
}

// TestSums: packed, in memory and from the cache, the sums are those of the pixels, to the bit, and the fingerprint is the one that
// older checkpoints hold.
func TestSums(t *testing.T) {
	cache := t.TempDir()
	for i, name := range []string{"memory", "packed", "cached"} {
		d, err := OpenDrawn(context.Background(), speckled(7), Options{Size: 3, CacheDir: cache, NoCache: i == 0})
		if err != nil || d.Report.Cached != (i == 2) {
			t.Fatalf("%s: %+v (%v)", name, d.Report, err)
		}
		var all []byte
		values, squares := make([]uint64, 27), uint64(0)
		for i := range d.Len() {
			all = append(all, d.Pixels(i)...)
			for j, v := range d.Pixels(i) {
				values[j] += uint64(v)
				squares += uint64(v) * uint64(v)
			}
		}
		if !slices.Equal(d.sums.Values, values) || d.sums.Squares != squares {
			t.Errorf("%s: sums %+v, want %d and %d", name, d.sums, values, squares)
		}
		const known = "7 pictures, CRC-32C 6736240a" // since the first version
		want := fmt.Sprintf("7 pictures, CRC-32C %08x", crc32.Checksum(all, castagnoli))
		if got := d.Fingerprint(); got != want || got != known {
			t.Errorf("%s: fingerprint %s, want %s", name, got, want)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestLargeCacheIsNotRead: a cache of a TiB, a hole in its file, opens at once and knows its sums: nothing reads the pixels, which
// would take minutes.
func TestLargeCacheIsNotRead(t *testing.T) {
	const size, count = 1024, 1 << 40 / (3 * 1024 * 1024)
	pixels := int64(3*size*size) * count
	path, key := filepath.Join(t.TempDir(), "large.pixels"), [32]byte{1}
	kept := tail{Report: Report{Used: count}, Sums: sums{CRC: 0x1234, Values: make([]uint64, 3*size*size), Squares: 5 * count}}
	text, err := json.Marshal(kept)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := header{Magic: cacheMagic, Version: cacheVersion, Size: size, Count: count, Tail: uint64(len(text)), Key: key,
		TailSum: checksum(text)}
	if _, err := f.Write(h.encode()); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(text, headerLen+pixels); err != nil {
		t.Skip("SKIP: no file of a TiB here:", err)
	}
	start := time.Now()
	d, err := openCache(path, key, size)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	_, mse := d.Mean(true)
	want := fmt.Sprintf("%d pictures, CRC-32C 00001234", count)
	if d.Fingerprint() != want || mse != 5.0/float64(3*size*size)/(127.5*127.5) {
		t.Errorf("%s and %g, want the sums of the tail", d.Fingerprint(), mse)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("opening took %s", took)
	}
}

func TestSymlinks(t *testing.T) {
	dir := folder(t, map[string][]byte{"a/1.png": asPNG(t, plain(4, 4, red)), "b/2.png": asPNG(t, plain(4, 4, green))})
	outside := folder(t, map[string][]byte{"3.png": asPNG(t, plain(4, 4, blue))})
	for name, to := range map[string]string{"a/loop": "..", "b/self": ".", "b/a": "../a", "c": outside, "d.png": "a/1.png",
		"gone.jpg": "nothing", "gone": "nothing"} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Skip("SKIP: no symbolic links here:", err)
		}
	}
	d := open(t, dir, Options{Size: 4, NoCache: true})
	if got, want := names(d), "a/1.png b/2.png c/3.png d.png"; got != want {
		t.Errorf("found %s, want %s", got, want)
	}
	if d.Report.Skipped != 1 || d.Report.First[0].Name != "gone.jpg" || d.Report.Ignored != 1 {
		t.Errorf("report %+v: want gone.jpg skipped and gone ignored", d.Report)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if d := open(t, link, Options{Size: 4, NoCache: true}); d.Len() != 4 {
		t.Errorf("through a link: %d pictures, want 4", d.Len())
	}
}

func TestBadInput(t *testing.T) {
	good := zipped(t, map[string][]byte{"1.jpg": asJPEG(t, plain(50, 50, red)), "2.jpg": asJPEG(t, plain(50, 50, red))})
	b, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	dir := folder(t, map[string][]byte{
		"cut.zip":        b[:len(b)/2],
		"almost.zip":     b[:len(b)-1],
		"text.zip":       []byte("hello"),
		"picture.jpg":    asJPEG(t, plain(5, 5, red)),
		"empty/x.txt":    []byte("x"),
		"bad/1.jpg":      []byte("x"),
		"bad/2.gif":      []byte("y"),
		"nothing/.git/a": nil,
		"empty.file":     nil,
	})
	nothing := zipped(t, nil)
	for _, c := range []struct {
		path string
		is   error
		say  string
	}{
		{filepath.Join(dir, "none"), fs.ErrNotExist, "give " + kindsInWords()},
		{filepath.Join(dir, "text.zip", "x"), syscall.ENOTDIR, "not a directory"},
		{filepath.Join(dir, "cut.zip"), ErrNotData, "copy or download it again"},
		{filepath.Join(dir, "almost.zip"), ErrNotData, "copy or download it again"},
		{filepath.Join(dir, "text.zip"), ErrNotData, "unpack it"},
		{filepath.Join(dir, "empty.file"), ErrNotData, "unpack it"},
		{filepath.Join(dir, "picture.jpg"), ErrNotData, "give the folder it is in"},
		{filepath.Join(dir, "empty"), ErrNoPictures, "(1 other files)"},
		{filepath.Join(dir, "nothing"), ErrNoPictures, "(0 other files)"},
		{filepath.Join(dir, "bad"), ErrNoPictures, "2 cannot (first 1.jpg"},
		{nothing, ErrNoPictures, "give " + kindsInWords()},
	} {
		cache := t.TempDir()
		d, err := Open(context.Background(), c.path, Options{Size: 4, CacheDir: cache})
		if err == nil {
			t.Errorf("%s: no error, %v", c.path, d.Report)
			continue
		}
		if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.say) || !strings.Contains(err.Error(), c.path) ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", c.path, err, c.say)
		}
		t.Log(err)
		if list, err := os.ReadDir(cache); err != nil || len(list) != 0 {
			t.Errorf("%s: left behind %v (%v)", c.path, list, err)
		}
	}
}

// A .zip whose table of contents is whole and one of whose files is damaged.
func TestZipDamagedInside(t *testing.T) {
	path := zipped(t, map[string][]byte{"1.png": asPNG(t, plain(50, 50, red)), "2.png": asPNG(t, plain(50, 50, blue))})
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[bytes.Index(b, []byte("1.png"))+60] ^= 0xff
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	d := open(t, path, Options{Size: 4, NoCache: true})
	if names(d) != "2.png" || d.Report.Skipped != 1 || d.Report.First[0].Name != "1.png" {
		t.Errorf("%+v, want 1.png skipped", d.Report)
	}
	t.Log(d.Report)
}

func TestZipEncryptedAndBackslashes(t *testing.T) {
	path := zipped(t, map[string][]byte{`dir\1.png`: asPNG(t, plain(50, 50, red)), "2.png": asPNG(t, plain(50, 50, blue))})
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	entry := bytes.LastIndex(b, []byte("2.png")) - 46 // in the table of contents
	b[entry+8] |= 1
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	d := open(t, path, Options{Size: 4, NoCache: true})
	if names(d) != "dir/1.png" || d.Report.Skipped != 1 || !strings.Contains(d.Report.First[0].Reason, "encrypted") {
		t.Errorf("%+v of %s, want 2.png skipped", d.Report, names(d))
	}
}

// A few bytes that claim to be 20,000 x 20,000 pixels are refused before they are decoded.
func TestBomb(t *testing.T) {
	b := asPNG(t, plain(4, 4, red))
	binary.BigEndian.PutUint32(b[16:], 20_000)
	binary.BigEndian.PutUint32(b[20:], 20_000)
	binary.BigEndian.PutUint32(b[29:], crc32.ChecksumIEEE(b[12:29]))
	d := open(t, folder(t, map[string][]byte{"bomb.png": b, "good.png": asPNG(t, plain(4, 4, red))}), Options{Size: 4, NoCache: true})
	if d.Len() != 1 || len(d.Report.First) != 1 ||
		!strings.Contains(d.Report.First[0].Reason, "20000 x 20000 pixels, more than 100 million") {
		t.Errorf("%+v", d.Report)
	}
}

func TestCacheFolder(t *testing.T) {
	dir := folder(t, map[string][]byte{"1.png": asPNG(t, plain(4, 4, red))})
	cache := filepath.Join(t.TempDir(), "new", "folder")
	t.Setenv("JITVK_CACHE", cache)
	if d := open(t, dir, Options{Size: 4}); filepath.Dir(d.Report.Cache) != cache {
		t.Errorf("cache %s, want it in %s", d.Report.Cache, cache)
	}
	t.Setenv("JITVK_CACHE", filepath.Join(dir, "1.png", "x"))
	_, err := Open(context.Background(), dir, Options{Size: 4})
	if !errors.Is(err, ErrCache) || !strings.Contains(err.Error(), "JITVK_CACHE") {
		t.Errorf("a file where the folder should be: %v", err)
	}
	t.Setenv("JITVK_CACHE", "")
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("HOME", "")
	if _, err := Open(context.Background(), dir, Options{Size: 4}); !errors.Is(err, ErrCache) ||
		!strings.Contains(err.Error(), "set JITVK_CACHE") {
		t.Errorf("no home: %v", err)
	}
}

// Needs the right to mount.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	disktest.Mount(t, dir, "64k")
	_, err := OpenDrawn(context.Background(), stripes(100), Options{Size: 32, CacheDir: dir})
	if !errors.Is(err, ErrCache) || !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "set JITVK_CACHE") ||
		strings.Contains(err.Error(), "\n") {
		t.Errorf("full disk: %v", err)
	}
	t.Log(err)
	if list, err := os.ReadDir(dir); err != nil || len(list) != 0 {
		t.Errorf("left behind: %v (%v)", list, err)
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cache := t.TempDir()
	_, err := OpenDrawn(ctx, stripes(10_000), Options{Size: 8, CacheDir: cache, Progress: func(done, total int) {
		if done == 50 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if list, err := os.ReadDir(cache); err != nil || len(list) != 0 {
		t.Errorf("left behind: %v (%v)", list, err)
	}
}

// stripes draws picture i in the grey i.
func stripes(n int) Drawn {
	return Drawn{Name: "stripes", Key: "1", N: n, Draw: func(i, size int) image.Image { return plain(size, size, color.Gray{uint8(i)}) }}
}

func drawn(t testing.TB, n, size int) *Dataset {
	t.Helper()
	d, err := OpenDrawn(context.Background(), stripes(n), Options{Size: size, NoCache: true})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDrawn(t *testing.T) {
	cache := t.TempDir()
	source := stripes(200)
	for _, want := range []struct {
		key    string
		cached bool
	}{{"1", false}, {"1", true}, {"2", false}, {"1", true}} {
		source.Key = want.key
		d, err := OpenDrawn(context.Background(), source, Options{Size: 3, CacheDir: cache})
		if err != nil {
			t.Fatal(err)
		}
		if d.Report.Cached != want.cached || d.Len() != 200 || d.Source != "stripes" || d.Name(7) != "7" {
			t.Errorf("key %s: %+v, want cached %v", want.key, d.Report, want.cached)
		}
		for i := range 200 {
			if got := at(d, i, 2, 2); got != [3]byte{byte(i), byte(i), byte(i)} {
				t.Fatalf("picture %d is %v", i, got)
			}
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Several at once: one packs, the others wait for it, all get the same.
func TestConcurrentOpen(t *testing.T) {
	cache := t.TempDir()
	var wait sync.WaitGroup
	var lock sync.Mutex
	packed := 0
	for range 4 {
		wait.Go(func() {
			d, err := OpenDrawn(context.Background(), stripes(2000), Options{Size: 16, CacheDir: cache})
			if err != nil {
				t.Error(err)
				return
			}
			lock.Lock()
			defer lock.Unlock()
			if !d.Report.Cached {
				packed++
			}
			for i := range d.Len() {
				if d.Pixels(i)[0] != byte(i) {
					t.Errorf("picture %d is %d", i, d.Pixels(i)[0])
					break
				}
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if packed != 1 {
		t.Errorf("packed %d times, want once", packed)
	}
}

func TestBatch(t *testing.T) {
	d := drawn(t, 7, 2)
	o := Order{N: 7, Seed: 3}
	var seen []int
	for step := range int64(7) {
		dst := make([]byte, 3*12)
		d.Batch(dst, o, step, 3)
		for i := range 3 {
			want := bytes.Repeat([]byte{byte(o.Index(step*3 + int64(i)))}, 12)
			if !bytes.Equal(dst[i*12:(i+1)*12], want) {
				t.Fatalf("step %d, picture %d: %v, want %v", step, i, dst[i*12:(i+1)*12], want)
			}
			seen = append(seen, int(dst[i*12]))
		}
	}
	for epoch := range 3 {
		one := slices.Sorted(slices.Values(seen[epoch*7 : epoch*7+7]))
		if !slices.Equal(one, []int{0, 1, 2, 3, 4, 5, 6}) {
			t.Errorf("epoch %d visits %v", epoch, one)
		}
	}
	for name, do := range map[string]func(){
		"length":   func() { d.Batch(make([]byte, 35), o, 0, 3) },
		"order":    func() { d.Batch(make([]byte, 36), Order{N: 8}, 0, 3) },
		"step":     func() { d.Batch(make([]byte, 36), o, -1, 3) },
		"picture":  func() { d.Pixels(7) },
		"negative": func() { d.Name(-1) },
		"size":     func() { drawn(t, 1, 0) },
		"count":    func() { drawn(t, 0, 1) },
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

func TestMean(t *testing.T) {
	d, err := OpenDrawn(context.Background(), speckled(5), Options{Size: 3, NoCache: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, flip := range []bool{false, true} {
		// The definition: every picture, and with flip its mirror image, in [-1,1].
		var all [][]float64
		for i := range d.Len() {
			for mirror := range 2 {
				if mirror == 1 && !flip {
					continue
				}
				x := make([]float64, 27)
				for c := range 3 {
					for y := range 3 {
						for col := range 3 {
							from := col
							if mirror == 1 {
								from = 2 - col
							}
							x[(c*3+y)*3+col] = float64(d.Pixels(i)[(y*3+from)*3+c])/127.5 - 1
						}
					}
				}
				all = append(all, x)
			}
		}
		want := make([]float64, 27)
		for _, x := range all {
			for j := range x {
				want[j] += x[j] / float64(len(all))
			}
		}
		wantMSE := 0.0
		for _, x := range all {
			for j := range x {
				wantMSE += (x[j] - want[j]) * (x[j] - want[j]) / float64(27*len(all))
			}
		}
		mean, mse := d.Mean(flip)
		for j := range mean {
			if !(math.Abs(float64(mean[j])-want[j]) < 1e-6) {
				t.Errorf("flip %v: mean[%d] = %v, want %v", flip, j, mean[j], want[j])
			}
		}
		if !(math.Abs(mse-wantMSE) < 1e-9) {
			t.Errorf("flip %v: mse %v, want %v", flip, mse, wantMSE)
		}
	}
}

// celeba is the path of the test data, which is not everywhere.
func celeba(t testing.TB) string {
	t.Helper()
	path := filepath.Join("..", "..", "..", "shared", "data", "celeba10k", "img_align_celeba.zip")
	if _, err := os.Stat(path); err != nil {
		t.Skip("SKIP: celeba10k is not here:", err)
	}
	return path
}

func TestCelebA(t *testing.T) {
	path := celeba(t)
	if testing.Short() {
		t.Skip("SKIP: -short")
	}
	o := Options{Size: 32, CacheDir: t.TempDir()}
	d := open(t, path, o)
	if d.Len() != 10_000 || d.Report.Skipped != 0 || d.Name(0) != "img_align_celeba/000001.jpg" ||
		d.Name(9999) != "img_align_celeba/010000.jpg" {
		t.Errorf("%v, first %s, last %s", d.Report, d.Name(0), d.Name(d.Len()-1))
	}
	t.Log(d.Report)
	again := open(t, path, o)
	if !again.Report.Cached {
		t.Error("not cached")
	}
	t.Log(again.Report, again.Report.Took)
	mean, mse := d.Mean(true)
	if mean[0] != mean[31] || mse < 0.1 || mse > 0.4 { // symmetric; colours of faces
		t.Errorf("mean %v, mse %v", mean[:2], mse)
	}
	t.Logf("mse of the mean picture %.4f", mse)
}

func BenchmarkCelebA(b *testing.B) {
	path := celeba(b)
	for _, size := range []int{32, 64} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			for b.Loop() {
				d := open(b, path, Options{Size: size, CacheDir: b.TempDir()})
				b.ReportMetric(float64(d.Len())/d.Report.Took.Seconds(), "pictures/s")
			}
		})
	}
}
