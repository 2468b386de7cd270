// SPDX-License-Identifier: MIT

package dataset

import (
	"context"
	"errors"
	"fmt"
	"image"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Reasons, for errors.Is. A path that is not there is fs.ErrNotExist, a full disk syscall.ENOSPC.
var (
	ErrNoPictures = errors.New("no pictures")
	ErrNotData    = errors.New("neither a folder nor a whole .zip")
	ErrCache      = errors.New("the cache of packed pictures cannot be written")
)

// Options say how pictures are packed.
type Options struct {
	Size     int                   // side of the square pictures, in pixels
	CacheDir string                // where the packed pictures are kept; "" is CacheDir()
	NoCache  bool                  // keep them in memory instead
	Progress func(done, total int) // files looked at so far, called from one goroutine while packing; may be nil
	Log      func(line string)     // what a user should know: files skipped, a cache rebuilt; may be nil
}

// Report says what became of the files of a source.
type Report struct {
	Used    int       // pictures in the data set
	Skipped int       // files that should be pictures and could not be read
	First   []Skipped // the first few of them
	Ignored int       // files of other kinds
	Cached  bool      // nothing was decoded: the cache was good
	Cache   string    // the cache file; "" without one
	Took    time.Duration
}

// Skipped is a picture that could not be read.
type Skipped struct{ Name, Reason string }

// maxNamed is how many skipped files a report names.
const maxNamed = 5

// String is the report in one line.
func (r Report) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%d pictures", r.Used)
	if r.Skipped > 0 {
		s.WriteString(", " + r.skippedLine())
	}
	if r.Ignored > 0 {
		fmt.Fprintf(&s, ", %d other files ignored", r.Ignored)
	}
	if r.Cached {
		fmt.Fprintf(&s, ", from %s", r.Cache)
	} else {
		fmt.Fprintf(&s, ", packed in %.1f s", r.Took.Seconds())
	}
	return s.String()
}

// skippedLine names what was skipped.
func (r Report) skippedLine() string {
	named := make([]string, len(r.First), maxNamed+1)
	for i, one := range r.First {
		named[i] = one.Name + ": " + one.Reason
	}
	if r.Skipped > len(r.First) {
		named = append(named, "...")
	}
	return fmt.Sprintf("%d skipped (%s)", r.Skipped, strings.Join(named, "; "))
}

// Dataset is N pictures of one size. It may be read from several goroutines.
type Dataset struct {
	Source string // the path it came from, or the drawn source's name
	Report Report

	size   int
	names  []string // (N); nil for drawn pictures
	pixels []byte   // (N,Size,Size,3)
	unmap  func() error
}

// Drawn is a source of pictures that a function draws.
type Drawn struct {
	Name string // shown to the user, and in the cache file's name
	Key  string // what the pictures depend on: seed and version of the drawing code. Another key packs again
	N    int    // how many
	Draw func(index, size int) image.Image
}

// Open packs the pictures of a folder or a .zip, or maps them from the cache. Pictures come in the order of their names
// (with / as the separator), the same for a folder and a .zip of it. Cancelling ctx stops the packing and leaves nothing behind.
func Open(ctx context.Context, path string, o Options) (*Dataset, error) {
	s, err := openFiles(path, o.Size)
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	d, err := load(ctx, s, o)
	if err != nil {
		err = fmt.Errorf("dataset: %w", errors.Join(err, s.close()))
		return nil, err
	}
	if err := s.close(); err != nil {
		return nil, fmt.Errorf("dataset: %w", errors.Join(err, d.Close()))
	}
	return d, nil
}

// OpenDrawn draws the pictures, or maps them from the cache.
func OpenDrawn(ctx context.Context, drawn Drawn, o Options) (*Dataset, error) {
	if drawn.N < 1 {
		panic(fmt.Sprintf("dataset: OpenDrawn: %d pictures", drawn.N))
	}
	key := fmt.Sprintf("%s %q %d", drawn.Name, drawn.Key, drawn.N)
	d, err := load(ctx, &source{
		name: drawn.Name,
		id:   key,
		key:  []byte("drawn " + key),
		n:    drawn.N,
		picture: func(i int, dst []byte) error {
			pack(dst, drawn.Draw(i, o.Size), o.Size, upright)
			return nil
		},
	}, o)
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	return d, nil
}

// Close unmaps the pictures: slices from Pixels end with it.
func (d *Dataset) Close() error {
	d.pixels = nil
	return d.unmap()
}

// Len is the number of pictures N.
func (d *Dataset) Len() int { return d.Report.Used }

// Size is the side of every picture in pixels.
func (d *Dataset) Size() int { return d.size }

// Pixels is picture i, (Size,Size,3) RGB. It must not be written to and lives until Close.
func (d *Dataset) Pixels(i int) []byte {
	if i < 0 || i >= d.Len() {
		panic(fmt.Sprintf("dataset: picture %d of %d", i, d.Len()))
	}
	n := d.size * d.size * 3
	return d.pixels[i*n : (i+1)*n : (i+1)*n]
}

// Name is the file of picture i, relative to the folder or inside the .zip, with / as the separator; a drawn picture's is its index.
func (d *Dataset) Name(i int) string {
	if i < 0 || i >= d.Len() {
		panic(fmt.Sprintf("dataset: picture %d of %d", i, d.Len()))
	}
	if d.names == nil {
		return strconv.Itoa(i)
	}
	return d.names[i]
}

// Batch gathers batch number step of n pictures: those at positions step*n ... step*n+n-1 of the order. dst is (n,Size,Size,3).
func (d *Dataset) Batch(dst []byte, o Order, step int64, n int) {
	picture := d.size * d.size * 3
	if n < 1 || len(dst) != n*picture || o.N != d.Len() || step < 0 {
		panic(fmt.Sprintf("dataset: Batch: dst %d bytes for (%d,%d,%d,3), order of %d for %d pictures, step %d",
			len(dst), n, d.size, d.size, o.N, d.Len(), step))
	}
	for i := range n {
		copy(dst[i*picture:], d.Pixels(o.Index(step*int64(n)+int64(i))))
	}
}

// Mean is the mean picture (3,Size,Size) in [-1,1], and the mean square of what is left over when it is taken from every picture:
// the loss, before any weight by time, of always predicting the mean picture. With flip every picture counts mirrored as well.
func (d *Dataset) Mean(flip bool) (mean []float32, mse float64) {
	side, n := d.size, d.size*d.size*3
	sum := make([]uint64, n) // sums of integers: exact, in any order
	var squares uint64
	for i := range d.Len() {
		for j, v := range d.Pixels(i) {
			sum[j] += uint64(v)
			squares += uint64(v) * uint64(v)
		}
	}
	mean = make([]float32, n)
	count := float64(d.Len())
	var ofMeans float64
	for y := range side {
		for x := range side {
			for c := range 3 {
				m := float64(sum[(y*side+x)*3+c]) / count
				if flip {
					m = (m + float64(sum[(y*side+side-1-x)*3+c])/count) / 2
				}
				mean[(c*side+y)*side+x] = float32(m/127.5 - 1)
				ofMeans += m * m
			}
		}
	}
	// E|v - m|^2 = E v^2 - m^2
	return mean, (float64(squares)/count - ofMeans) / float64(n) / (127.5 * 127.5)
}

// cacheName is the cache file's name for a source and size: stable, so that a stale cache is replaced and not added to.
func cacheName(source string, size int) string {
	base := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, filepath.Base(source))
	base = base[:min(len(base), 40)]
	return fmt.Sprintf("%s-%d-%x.pixels", base, size, checksum([]byte(source)))
}
