// SPDX-License-Identifier: MIT

package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Header is what a program says of itself before it begins: one fact a line, values aligned.
//
//	device      llvmpipe (LLVM 19.1.7, 256 bits), a CPU driver
//	parameters  1,234,567
type Header struct{ names, values []string }

// Add appends a fact. Further lines of a value are put below its first.
func (h *Header) Add(name, format string, args ...any) {
	h.names = append(h.names, name)
	h.values = append(h.values, fmt.Sprintf(format, args...))
}

// String returns the header, each line ended.
func (h *Header) String() string {
	width := 0
	for _, name := range h.names {
		width = max(width, utf8.RuneCountInString(name))
	}
	var b strings.Builder
	for i, name := range h.names {
		value := strings.ReplaceAll(h.values[i], "\n", "\n"+strings.Repeat(" ", width+2))
		fmt.Fprintf(&b, "%-*s  %s\n", width, name, value)
	}
	return b.String()
}

// Print writes the header to w.
func (h *Header) Print(w io.Writer) error {
	_, err := io.WriteString(w, h.String())
	return err
}

// Count writes n with commas: 114,591,040.
func Count(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// Bytes writes a number of bytes in the largest decimal unit, three digits: 268 MB.
func Bytes(n int64) string { return si(float64(n), "B") }

// Ops writes a number of floating-point operations, or of them per second with unit "FLOP/s": 12.3 GFLOP.
func Ops(n float64, unit string) string { return si(n, unit) }

// si writes v with three digits and an SI prefix before the unit.
func si(v float64, unit string) string {
	prefixes := []string{"", "k", "M", "G", "T", "P", "E"}
	i := 0
	for ; v >= 999.5 && i < len(prefixes)-1; i++ {
		v /= 1000
	}
	digits := 0
	if i > 0 {
		switch {
		case v < 9.995:
			digits = 2
		case v < 99.95:
			digits = 1
		}
	}
	return fmt.Sprintf("%.*f %s%s", digits, v, prefixes[i], unit)
}

// Duration writes d as people say it, the two largest units: 8s, 1m52s, 2h05m, 3d04h.
func Duration(d time.Duration) string {
	s := int64(max(d, 0).Round(time.Second) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case s < 24*3600:
		return fmt.Sprintf("%dh%02dm", s/3600, s%3600/60)
	}
	return fmt.Sprintf("%dd%02dh", s/86400, s%86400/3600)
}
