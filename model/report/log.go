// SPDX-License-Identifier: MIT

package report

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"strconv"
	"strings"

	"jitvk/engine/files"
)

// Row is one line of log.csv.
type Row struct {
	Step            int     // steps done, 1 after the first
	Loss            float32 // of this step's batch
	Smoothed        float32 // Loss averaged over the last rows; Log.Add fills it in
	GradNorm        float32 // L2 norm of all gradients, before clipping
	LR              float32 // learning rate
	ImagesPerSecond float64 // the two that differ from run to run
	Seconds         float64 // since the run began
}

const logHeader = "step,loss,loss_smoothed,grad_norm,lr,images_per_s,seconds\n"

// text is the row as CSV. Each float32 is written with the fewest digits that read back as the same bits.
func (r Row) text() string {
	var b strings.Builder
	b.WriteString(strconv.Itoa(r.Step))
	for _, v := range [...]float32{r.Loss, r.Smoothed, r.GradNorm, r.LR} {
		b.WriteString("," + strconv.FormatFloat(float64(v), 'g', -1, 32))
	}
	fmt.Fprintf(&b, ",%.2f,%.3f\n", r.ImagesPerSecond, r.Seconds)
	return b.String()
}

// parseRow reads what text wrote, newline included.
func parseRow(line string) (r Row, err error) {
	line, whole := strings.CutSuffix(line, "\n")
	cells := strings.Split(line, ",")
	if !whole || len(cells) != 7 {
		return r, fmt.Errorf("%q is not a whole row", line)
	}
	if r.Step, err = strconv.Atoi(cells[0]); err != nil {
		return r, err
	}
	for i, to := range [...]*float32{&r.Loss, &r.Smoothed, &r.GradNorm, &r.LR} {
		v, err := strconv.ParseFloat(cells[1+i], 32)
		if err != nil {
			return r, err
		}
		*to = float32(v)
	}
	for i, to := range [...]*float64{&r.ImagesPerSecond, &r.Seconds} {
		if *to, err = strconv.ParseFloat(cells[5+i], 64); err != nil {
			return r, err
		}
	}
	return r, nil
}

// Log is a log.csv that grows by a row at a time. Every row is in the file as soon as Add returns.
type Log struct {
	path   string
	f      *os.File
	size   int64 // bytes of whole rows in the file
	rows   []Row
	smooth smoother
}

// OpenLog opens the log of a run that goes on after step after: rows up to it are kept, later ones (written between the last
// checkpoint and the end) are cut off. With after = 0 the log starts empty.
func OpenLog(path string, after int) (*Log, error) {
	l := &Log{path: path}
	text := bytes.NewBufferString(logHeader)
	if after > 0 {
		rows, err := ReadLog(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // a run may go on elsewhere, without its log
			return nil, err
		}
		for _, r := range rows {
			if r.Step <= after {
				r.Smoothed = l.smooth.add(r.Loss)
				l.rows = append(l.rows, r)
				text.WriteString(r.text())
			}
		}
	}
	l.size = int64(text.Len())
	err := files.WriteFile(path, text.Bytes())
	if err != nil {
		return nil, err
	}
	if l.f, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0); err != nil {
		return nil, CannotWrite(path, err)
	}
	return l, nil
}

// ReadLog returns the rows of a log. A last row that was not written to its end is left out.
func ReadLog(path string) ([]Row, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the log: %w", err)
	}
	text, ok := strings.CutPrefix(string(data), logHeader)
	if !ok {
		return nil, fmt.Errorf("%s is not a log of this program: its first line should be %q: move it away", path,
			strings.TrimSpace(logHeader))
	}
	var rows []Row
	number := 1
	for line := range strings.Lines(text) {
		number++
		if !strings.HasSuffix(line, "\n") {
			break // only the last can be so
		}
		r, err := parseRow(line)
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w: correct it or move the log away", path, number, err)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// Add appends r, with Smoothed filled in, and returns it. Steps must rise. If the disk refuses the row, nothing of it stays.
func (l *Log) Add(r Row) (Row, error) {
	if n := len(l.rows); n > 0 && r.Step <= l.rows[n-1].Step {
		panic(fmt.Sprintf("report: Log.Add: step %d after step %d", r.Step, l.rows[n-1].Step))
	}
	r.Smoothed = l.smooth.add(r.Loss)
	l.rows = append(l.rows, r)
	text := r.text()
	if _, err := l.f.WriteString(text); err != nil {
		return r, errors.Join(CannotWrite(l.path, err), l.f.Truncate(l.size))
	}
	l.size += int64(len(text))
	return r, nil
}

// Rows returns all rows, those before a resumed run's start included. It is a view: do not change it.
func (l *Log) Rows() []Row { return l.rows }

// Close closes the file.
func (l *Log) Close() error {
	if err := l.f.Close(); err != nil {
		return CannotWrite(l.path, err)
	}
	return nil
}

// smoother is an exponential moving average of the loss. The share of the new value falls from 1 to 1/50, so that the average
// follows the steep start of a run and still calms its long tail.
type smoother struct {
	n     int // finite values so far
	value float64
}

// add takes one value and returns the average. A value that is not finite is returned and otherwise ignored.
func (s *smoother) add(v float32) float32 {
	x := float64(v)
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return v
	}
	s.n++
	// The rounding written out: no platform may fuse multiply and add here, the column must be the same everywhere.
	s.value += float64((x - s.value) * max(1/(1+float64(s.n-1)/5), 1.0/50))
	return float32(s.value)
}

// CannotWrite says what to do about an error of writing path; errors.Is still finds the cause.
func CannotWrite(path string, err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err // the path is named once
	}
	return fmt.Errorf("cannot write %s: %w: make room and rights there, or choose another place with -out", path, err)
}
