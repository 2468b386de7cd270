// SPDX-License-Identifier: MIT

package trainer

import (
	"fmt"
	"os"
	"path/filepath"

	"jitvk/engine/files"
	"jitvk/model/run"
)

// freeFolder refuses a folder that the user named for a run and that already holds one, or that is none; "" names none.
func freeFolder(dir string) error {
	if dir == "" {
		return nil
	}
	for _, name := range []string{"log.csv", run.CheckpointName} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return fmt.Errorf("train: -out %s already holds a run; name a new folder or remove it", dir)
		}
	}
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return fmt.Errorf("train: -out %s is a file; name a new folder", dir)
	}
	return nil
}

// newFolder makes the folder that the user named for a run.
func newFolder(dir string) error {
	if err := freeFolder(dir); err != nil { // another run may have taken it in the meantime
		return err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("train: -out: %w; name a folder that can be written", err)
	}
	return nil
}

// takeFolder makes a run's folder, or finds the one that it goes on in, and keeps other processes out until it is released: they
// would take each other's log away. A folder into which nothing was written is gone then.
func takeFolder(c run.Config) (dir string, release func(), err error) {
	switch dir = c.Out; {
	case dir != "":
		err = newFolder(dir)
	case c.Resume != "":
		dir = filepath.Dir(c.Resume)
	default:
		dir, err = run.NextDir("runs", c.Model.Preset)
	}
	if err != nil {
		return "", nil, err
	}
	running, err := files.Create(filepath.Join(dir, "running"))
	if err != nil {
		os.Remove(dir) // does nothing if it holds anything
		return "", nil, err
	}
	return dir, func() {
		running.Abort()
		os.Remove(dir)
	}, nil
}
