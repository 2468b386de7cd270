// SPDX-License-Identifier: MIT

package files

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// ErrBusy says that another process is writing the same file at this moment.
var ErrBusy = errors.New("another process is writing it: wait for that one to end, or choose another place")

// AtomicWrite makes the file path hold exactly what write writes. If write or the disk fails, the temporary file is removed, an
// earlier file stays as it was, and the error says what to do. Writes are buffered.
func AtomicWrite(path string, write func(io.Writer) error) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	defer f.Abort() // does nothing after Commit
	w := bufio.NewWriterSize(f, 1<<16)
	if err := write(w); err != nil {
		return explain(path, err)
	}
	if err := w.Flush(); err != nil {
		return explain(path, err)
	}
	return f.Commit()
}

// WriteFile is AtomicWrite of these bytes.
func WriteFile(path string, data []byte) error {
	return AtomicWrite(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// ReadFile returns what a file of at most so many bytes holds: for what somebody else may have put there. It opens no pipes.
func ReadFile(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > most {
		return nil, fmt.Errorf("%s is no file of at most %d bytes", path, most)
	}
	return os.ReadFile(path)
}

// File is a file on its way: written under PATH.tmp until Commit gives it its name.
type File struct {
	f    *os.File // nil after Commit or Abort
	path string
}

// Create opens path+".tmp", empty. Either Commit or Abort must follow; a deferred Abort after a Commit does no harm.
func Create(path string) (*File, error) {
	// Renaming onto /dev/null or a folder would do harm or fail late.
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("cannot write %s: it is there and is not a file: choose another name", path)
	}
	tmp := path + ".tmp"
	for {
		f, err := os.OpenFile(tmp, os.O_RDWR|os.O_CREATE, 0o644) // not truncated before the lock is ours
		if err != nil {
			return nil, explain(path, err)
		}
		if err := lock(f); err != nil {
			return nil, explain(path, errors.Join(err, f.Close()))
		}
		// Whoever held the lock may have renamed or removed the file between our open and our lock.
		mine, err := f.Stat()
		if err != nil {
			return nil, explain(path, errors.Join(err, f.Close()))
		}
		if now, err := os.Lstat(tmp); err != nil || !os.SameFile(mine, now) {
			if err := f.Close(); err != nil {
				return nil, explain(path, err)
			}
			if err == nil && now.Mode()&fs.ModeSymlink != 0 {
				return nil, fmt.Errorf("cannot write %s: %s is a symbolic link: remove it", path, tmp)
			}
			continue
		}
		if err := f.Truncate(0); err != nil {
			return nil, explain(path, errors.Join(err, f.Close()))
		}
		return &File{f: f, path: path}, nil
	}
}

// Write appends to the file.
func (f *File) Write(p []byte) (int, error) { return f.f.Write(p) }

// WriteAt writes at a byte offset, and leaves the place where Write goes on as it was.
func (f *File) WriteAt(p []byte, offset int64) (int, error) { return f.f.WriteAt(p, offset) }

// Commit flushes the file to the disk and gives it its name. On an error it aborts.
func (f *File) Commit() error {
	defer f.Abort()
	if err := f.f.Sync(); err != nil {
		return explain(f.path, err)
	}
	if closeBeforeRename {
		if err := f.f.Close(); err != nil {
			return explain(f.path, err)
		}
	}
	if err := os.Rename(f.f.Name(), f.path); err != nil {
		return explain(f.path, err)
	}
	file := f.f
	f.f = nil
	if !closeBeforeRename {
		if err := file.Close(); err != nil { // gives the lock back; the bytes are on the disk since Sync
			return explain(f.path, err)
		}
	}
	return syncFolder(filepath.Dir(f.path))
}

// Abort removes the temporary file. An earlier file of that name stays.
func (f *File) Abort() {
	if f.f == nil {
		return
	}
	// Removed before the lock is given back, so that it is certainly ours. Nothing can be done about an error here:
	// the caller is already returning the first one.
	if !closeBeforeRename {
		_ = os.Remove(f.f.Name())
	}
	_ = f.f.Close()
	if closeBeforeRename {
		_ = os.Remove(f.f.Name())
	}
	f.f = nil
}

// explain adds to an error of writing path what to do about it, in one line. errors.Is still finds the cause.
func explain(path string, err error) error {
	cause := err
	var at *fs.PathError
	var link *os.LinkError
	switch { // the path is named once: the caller's, not that of the temporary file
	case errors.As(err, &at) && at.Path == path+".tmp":
		cause = at.Err
	case errors.As(err, &link):
		cause = link.Err
	}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		return fmt.Errorf("cannot write %s: %w: free some space there or choose another place", path, cause)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("cannot write %s: %w: choose a place that you may write to", path, cause)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("cannot write %s: %w: create the folder first", path, cause)
	}
	return fmt.Errorf("cannot write %s: %w", path, cause)
}
