// SPDX-License-Identifier: MIT

package dataset

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Reasons, for errors.Is. A path that is not there is fs.ErrNotExist, a full disk syscall.ENOSPC.
var (
	ErrNoPictures = errors.New("no pictures")
	ErrNotData    = errors.New("neither a folder nor a whole .zip")
	ErrLabels     = errors.New("labels")
	ErrCache      = errors.New("the cache of packed pictures cannot be written")
)

// Options say how pictures are packed.
type Options struct {
	Size     int                   // side of the square pictures, in pixels
	CacheDir string                // where the packed pictures are kept; "" is files.CacheDir()
	NoCache  bool                  // keep them in memory instead
	Progress func(done, total int) // files looked at so far, called from one goroutine while packing; may be nil
	Log      func(line string)     // what a user should know while it lasts: a cache rebuilt; may be nil

	// Labels are the attributes whose combinations are the classes: columns of CelebA's list_attr_celeba.txt, which is looked for
	// inside and beside the folder or .zip; attributes of a Drawn; or Folders alone. Nil: no classes.
	Labels []string
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

	// Labels are found again each time, never cached.
	Classes    []Class  `json:"-"` // by number; nil without labels
	Absent     []string `json:"-"` // combinations of values that no picture has: no classes
	Unlabelled int      `json:"-"` // pictures that no attribute is known of
	Table      string   `json:"-"` // the file of attributes; "" without one
}

// Skipped is a picture that could not be read.
type Skipped struct{ Name, Reason string }

const (
	maxNamed  = 5  // skipped files and absent classes that a report names
	maxCounts = 16 // classes that it counts one by one
)

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
	if len(r.Classes) > 0 {
		s.WriteString(", " + r.classesLine())
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

// classesLine counts the pictures of each class, or the smallest and the largest of many.
func (r Report) classesLine() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%d classes", len(r.Classes))
	if r.Table != "" {
		fmt.Fprintf(&s, " by %s", r.Table)
	}
	if byCount := func(a, b Class) int { return cmp.Compare(a.Pictures, b.Pictures) }; len(r.Classes) > maxCounts {
		least, most := slices.MinFunc(r.Classes, byCount), slices.MaxFunc(r.Classes, byCount)
		fmt.Fprintf(&s, " (from %d %s to %d %s)", least.Pictures, least.Name, most.Pictures, most.Name)
	} else {
		counts := make([]string, len(r.Classes))
		for i, c := range r.Classes {
			counts[i] = fmt.Sprintf("%d %s", c.Pictures, c.Name)
		}
		fmt.Fprintf(&s, " (%s)", strings.Join(counts, "; "))
	}
	if n := len(r.Absent); n > 0 {
		named := slices.Clone(r.Absent[:min(n, maxNamed)])
		if n > maxNamed {
			named = append(named, "...")
		}
		fmt.Fprintf(&s, ", %d without a picture left out (%s)", n, strings.Join(named, "; "))
	}
	if r.Unlabelled > 0 {
		fmt.Fprintf(&s, ", %d pictures without a label", r.Unlabelled)
	}
	return s.String()
}

// Dataset is N pictures of one size. It may be read from several goroutines.
type Dataset struct {
	Source string // the path it came from, or the drawn source's name
	Report Report

	size   int
	names  []string // (N); nil for drawn pictures
	pixels []byte   // (N,Size,Size,3)
	sums   sums     // over all pixels
	labels []uint32 // (N); nil without labels
	unmap  func() error
}

// Drawn is a source of pictures that a function draws.
type Drawn struct {
	Name string // shown to the user, and in the cache file's name
	Key  string // what the pictures depend on: seed and version of the drawing code. Another key packs again
	N    int    // how many
	Draw func(index, size int) image.Image

	Attributes []Attribute // what Options.Labels can name; may be nil
}

// Open packs the pictures of a folder or a .zip, or maps them from the cache. Pictures come in the order of their names
// (with / as the separator), the same for a folder and a .zip of it. Cancelling ctx stops the packing and leaves nothing behind.
func Open(ctx context.Context, path string, o Options) (*Dataset, error) {
	s, err := openPath(path, o)
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	d, err := openSource(ctx, s, o)
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
	s := &source{
		name: drawn.Name,
		id:   key,
		key:  []byte("drawn " + key),
		n:    drawn.N,
		picture: func(i int, dst []byte) error {
			pack(dst, drawn.Draw(i, o.Size), o.Size, upright)
			return nil
		},
	}
	if len(o.Labels) > 0 {
		chosen, err := drawn.choose(o.Labels)
		if err != nil {
			return nil, fmt.Errorf("dataset: %w", err)
		}
		s.attributes = func(*Dataset) ([]Attribute, error) { return chosen, nil }
	}
	d, err := openSource(ctx, s, o)
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	return d, nil
}

// openSource loads the pictures of a source and labels them.
func openSource(ctx context.Context, s *source, o Options) (*Dataset, error) {
	d, err := load(ctx, s, o)
	if err != nil || s.attributes == nil {
		return d, err
	}
	attributes, err := s.attributes(d)
	if err == nil {
		err = d.label(attributes)
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
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

// Fingerprint tells whether two data sets have the same pictures in the same order with the same labels, wherever they lie.
func (d *Dataset) Fingerprint() string {
	sum := d.sums.CRC
	for _, label := range d.labels {
		sum = crc32.Update(sum, castagnoli, binary.LittleEndian.AppendUint32(nil, label))
	}
	return fmt.Sprintf("%d pictures, CRC-32C %08x", d.Len(), sum)
}

// Mean is the mean picture (3,Size,Size) in [-1,1], and the mean square of what is left over when it is taken from every picture:
// the loss, before any weight by time, of always predicting the mean picture. With flip every picture counts mirrored as well.
func (d *Dataset) Mean(flip bool) (mean []float32, mse float64) {
	side, n := d.size, d.size*d.size*3
	sum := d.sums.Values
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
	return mean, (float64(d.sums.Squares)/count - ofMeans) / float64(n) / (127.5 * 127.5)
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
