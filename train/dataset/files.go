// SPDX-License-Identifier: MIT

package dataset

import (
	"archive/zip"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// errIgnored says that a file neither is a picture nor claims to be one.
var errIgnored = errors.New("no picture")

// maxFile bounds a picture file in bytes: what a .zip unpacks to, above all.
const maxFile = 1 << 28

// file is one file of a folder or a .zip.
type file struct {
	name  string // relative, with /
	size  int64
	stamp uint64 // a folder's: time of change in ns; a .zip's: CRC-32 of the content
	err   error  // why it cannot be opened, known already
	open  func() (io.ReadCloser, error)
}

// picturesIn makes a source of the picture files that list finds below a path.
func picturesIn(list func(path string) ([]file, func() error, error)) func(given, abs string, o Options) (*source, error) {
	return func(given, abs string, o Options) (*source, error) {
		files, closeAll, err := list(abs)
		if err != nil {
			return nil, err
		}
		if len(files) == 0 {
			return nil, errors.Join(noPictures(given, 0), closeAll())
		}
		slices.SortStableFunc(files, func(a, b file) int { return cmp.Compare(a.name, b.name) })
		key := fmt.Appendf(nil, "files %q\n", abs)
		for _, f := range files {
			key = fmt.Appendf(key, "%q %d %d\n", f.name, f.size, f.stamp)
		}
		s := &source{
			name:    given,
			id:      abs,
			key:     key,
			n:       len(files),
			picture: func(i int, dst []byte) error { return files[i].pack(dst, o.Size) },
			file:    func(i int) string { return files[i].name },
			close:   closeAll,
		}
		if s.attributes, err = attributesOf(abs, files, o.Labels); err != nil {
			return nil, errors.Join(err, closeAll())
		}
		return s, nil
	}
}

// attributesOf finds labels in the files' folders or in a table among the files or beside them; nil without labels.
func attributesOf(abs string, files []file, labels []string) (func(d *Dataset) ([]Attribute, error), error) {
	switch {
	case len(labels) == 0:
		return nil, nil
	case len(labels) == 1 && labels[0] == Folders:
		return func(d *Dataset) ([]Attribute, error) {
			folder, err := byFolder(d.names)
			return []Attribute{folder}, err
		}, nil
	}
	t, err := findTable(abs, files, labels)
	if err != nil {
		return nil, err
	}
	return func(d *Dataset) ([]Attribute, error) {
		d.Report.Table = t.name
		return t.attributes(d.names)
	}, nil
}

func noPictures(root string, others int) error {
	return fmt.Errorf("%s: %w in it (%d other files): give %s of JPEG, PNG or WebP pictures", root, ErrNoPictures, others, kindsInWords())
}

// hidden files are no data: .git, .DS_Store, thumbnails, and the ._name twins that macOS puts into a .zip.
func hidden(name string) bool { return strings.HasPrefix(name, ".") || name == "__MACOSX" }

// listFolder finds all files below root. Symbolic links are followed; a folder reached twice counts once, so that loops end.
func listFolder(root string) ([]file, func() error, error) {
	var files []file
	seen := map[string]bool{}
	var walk func(folder, name string) error
	walk = func(folder, name string) error {
		real, err := filepath.EvalSymlinks(folder)
		if err != nil {
			return err
		}
		if seen[real] {
			return nil
		}
		seen[real] = true
		list, err := os.ReadDir(folder)
		if err != nil {
			return err
		}
		for _, e := range list {
			if hidden(e.Name()) {
				continue
			}
			full, name := filepath.Join(folder, e.Name()), path.Join(name, e.Name())
			info, err := os.Stat(full) // through links
			switch {
			case err != nil:
				files = append(files, file{name: name, size: -1, err: err})
			case info.IsDir():
				if err := walk(full, name); err != nil {
					files = append(files, file{name: name + "/", size: -1, err: err})
				}
			case info.Mode().IsRegular(): // not a pipe, which would wait for ever
				files = append(files, file{name: name, size: info.Size(), stamp: uint64(info.ModTime().UnixNano()),
					open: func() (io.ReadCloser, error) { return os.Open(full) }})
			}
		}
		return nil
	}
	return files, func() error { return nil }, walk(root, "")
}

// listZip finds all files in a .zip.
func listZip(name string) ([]file, func() error, error) {
	r, err := zip.OpenReader(name)
	if err != nil {
		return nil, nil, notZip(name, err)
	}
	var files []file
	for _, e := range r.File {
		inside := path.Clean(strings.ReplaceAll(e.Name, `\`, "/")) // some programs for Windows write backslashes
		if e.FileInfo().IsDir() || slices.ContainsFunc(strings.Split(inside, "/"), hidden) {
			continue
		}
		f := file{name: inside, size: int64(e.UncompressedSize64), stamp: uint64(e.CRC32), open: e.Open}
		if e.Flags&1 != 0 {
			f.err = errors.New("encrypted: unpack the .zip with its password and give the folder")
		}
		files = append(files, f)
	}
	return files, r.Close, nil
}

// notZip says what a file is that the zip package cannot read.
func notZip(name string, err error) error {
	if !errors.Is(err, zip.ErrFormat) {
		return err // no permission, a broken disk: the message has the path
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	var head [16]byte
	n, err := io.ReadFull(f, head[:])
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return err
	}
	switch {
	case bytes.HasPrefix(head[:n], []byte("PK\x03\x04")):
		return fmt.Errorf("%s: %w: it begins as a .zip but its table of contents is missing: cut short, so copy or download it again", name,
			ErrNotData)
	case sniff(head[:n]) != "":
		return fmt.Errorf("%s: %w but one picture: give the folder it is in", name, ErrNotData)
	}
	return fmt.Errorf("%s: %w: unpack it and give the folder", name, ErrNotData)
}

// pack reads the file into dst (size,size,3).
func (f file) pack(dst []byte, size int) error {
	claims := pictureName(f.name)
	if f.err != nil {
		if !claims && !strings.HasSuffix(f.name, "/") {
			return errIgnored
		}
		return f.err
	}
	r, err := f.open()
	if err != nil {
		if !claims {
			return errIgnored
		}
		return err
	}
	defer r.Close()
	head := make([]byte, 16)
	n, err := io.ReadFull(r, head)
	head = head[:n]
	if !claims && sniff(head) == "" {
		return errIgnored // other files are not read to their end
	}
	switch {
	case err == io.EOF:
		return errors.New("empty file")
	case err != nil && err != io.ErrUnexpectedEOF:
		return err
	}
	var all bytes.Buffer
	all.Grow(int(min(max(f.size, 0), maxFile)) + bytes.MinRead)
	all.Write(head)
	if _, err := io.Copy(&all, io.LimitReader(r, maxFile)); err != nil {
		return err
	}
	if all.Len() > maxFile {
		return fmt.Errorf("larger than %d MB", maxFile>>20)
	}
	img, o, err := decode(all.Bytes())
	if err != nil {
		return err
	}
	pack(dst, img, size, o)
	return nil
}
