// SPDX-License-Identifier: MIT

package dataset

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// source is pictures by number, before they are packed.
type source struct {
	name    string // for the user
	id      string // names the cache: one source, one cache per size
	key     []byte // what the pictures depend on
	n       int
	picture func(i int, dst []byte) error // fills dst (Size,Size,3); errIgnored for a file that is no picture
	file    func(i int) string            // its name; nil for drawn pictures
	close   func() error

	// attributes finds the chosen ones' values for the pictures of a data set; nil without labels.
	attributes func(d *Dataset) ([]Attribute, error)
}

// A kind is what the path of a data set can be.
type kind struct {
	what  string // for errors that say what to give
	knows func(path fs.FileInfo) bool
	open  func(given, abs string, o Options) (*source, error) // given is the path as the user wrote it
}

// kinds is the table of all. The first that knows a path opens it. A new kind is one row here and a file with what the row calls.
func kinds() []kind {
	return []kind{
		{"a folder", fs.FileInfo.IsDir, picturesIn(listFolder)},
		// A .zip whatever its name; listZip says what it is otherwise.
		{"a .zip", func(fs.FileInfo) bool { return true }, picturesIn(listZip)},
	}
}

// kindsInWords is "a folder or a .zip".
func kindsInWords() string {
	var words []string
	for _, k := range kinds() {
		words = append(words, k.what)
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// openPath makes a source of what lies at a path.
func openPath(path string, o Options) (*source, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(abs)
	if err != nil {
		return nil, fmt.Errorf("%w: give %s of pictures", err, kindsInWords())
	}
	for _, k := range kinds() {
		if k.knows(info) {
			return k.open(path, abs, o)
		}
	}
	return nil, fmt.Errorf("%s: %w: give %s of pictures", path, ErrNotData, kindsInWords())
}
