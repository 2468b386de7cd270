// SPDX-License-Identifier: MIT

package engine

import (
	"bytes"
	"fmt"
	"io"
)

// Transfers go through a program without commands, whose two slots take turns: while the device copies into or out of one slot's
// staging memory, the host reads or writes the other's. However much is moved, two pieces of it are on the host at a time.

// transferBytes is how much a slot stages at a time, if the device allocates so much.
const transferBytes = 16 << 20

// Upload copies data to device memory and waits until it is there.
func (d *Device) Upload(to Range, data []byte) error {
	if int64(len(data)) != to.size {
		misuse("upload of %d bytes to the %d of %v", len(data), to.size, to)
	}
	return d.UploadFrom(bytes.NewReader(data), to)
}

// UploadFrom fills the ranges, one after another, with what r gives, and waits until it is there. An error of r ends it; what came
// before stays.
func (d *Device) UploadFrom(r io.Reader, to ...Range) error {
	var failed error
	return d.transfer("upload", to, func(p *Program, batch []Range) (*Submission, error) {
		var updates []Update
		for _, part := range batch {
			updates = append(updates, Update{To: part, Fill: func(dst []byte) {
				if failed == nil {
					_, failed = io.ReadFull(r, dst)
				}
			}})
		}
		s, err := p.Submit(updates, nil)
		if err == nil && failed != nil {
			err = fmt.Errorf("engine: upload: %w", failed)
		}
		return s, err
	}, func([][]byte) error { return nil })
}

// Download copies device memory to the host.
func (d *Device) Download(from Range) ([]byte, error) {
	out := bytes.NewBuffer(make([]byte, 0, from.size))
	err := d.DownloadTo(out, from)
	return out.Bytes(), err
}

// DownloadTo writes the ranges, one after another, to w. The bytes that w is given are staging memory, good until its Write returns.
func (d *Device) DownloadTo(w io.Writer, from ...Range) error {
	return d.transfer("download", from, func(p *Program, batch []Range) (*Submission, error) {
		s, err := p.Submit(nil, batch)
		if err == nil {
			s.views = true
		}
		return s, err
	}, func(parts [][]byte) error {
		for _, part := range parts {
			if _, err := w.Write(part); err != nil {
				return err
			}
		}
		return nil
	})
}

// transfer submits the ranges in batches, and has done take what each read back once the next is under way.
func (d *Device) transfer(label string, ranges []Range, submit func(*Program, []Range) (*Submission, error),
	done func([][]byte) error) error {
	p := NewProgram(d, label)
	for _, r := range ranges {
		p.lasting(label, r)
	}
	defer p.Close() // waits for what is still under way
	if err := p.Build(); err != nil {
		return err
	}
	finish := func(s *Submission) error {
		read, err := s.Wait()
		if err != nil {
			return err
		}
		return done(read)
	}
	var before *Submission
	for _, batch := range batches(ranges, min(transferBytes, d.info.MaxAllocation/align*align)) {
		s, err := submit(p, batch)
		if err != nil {
			return err
		}
		if before != nil {
			if err := finish(before); err != nil {
				return err
			}
		}
		before = s
	}
	if before == nil {
		return nil
	}
	return finish(before)
}

// batches cuts ranges so that each batch of their parts, in order, fits into so many bytes of staging memory.
func batches(ranges []Range, staging int64) (out [][]Range) {
	room := int64(0)
	for _, r := range ranges {
		for at := int64(0); at < r.size; {
			if room == 0 {
				out, room = append(out, nil), staging
			}
			part := r.Sub(at, min(r.size-at, room))
			out[len(out)-1] = append(out[len(out)-1], part)
			at, room = at+part.size, room-alignUp(part.size)
		}
	}
	return out
}
