// SPDX-License-Identifier: MIT

package engine

// Rows are n runs of width bytes, one every stride bytes, the first of them at first: the columns that a launch touches of a
// matrix. Bytes that lie together are one row. The queries of three heads in a buffer of (q | k | v), say, are rows of a third of
// the stride; what is left of the buffer without them are the rows of k and v.
//
// This file is the arithmetic of such sets of bytes. It is exact: plan.go reads from it whether all that a command reads was
// written before.
type rows struct{ first, width, stride, n int64 }

// oneRow is one row: the bytes from first to end-1.
func oneRow(first, end int64) rows { return rows{first, end - first, end - first, 1} }

// rowsOf returns rows in the one form that they have here: those that touch are one, none have n 0.
func rowsOf(first, width, stride, n int64) rows {
	switch {
	case n <= 0 || width <= 0:
		return rows{}
	case n == 1 || width >= stride:
		return oneRow(first, first+(n-1)*stride+width)
	}
	return rows{first, width, stride, n}
}

func (a rows) none() bool   { return a.n == 0 }
func (a rows) bytes() int64 { return a.n * a.width }
func (a rows) end() int64   { return a.at(a.n-1) + a.width }

// at returns where row i begins.
func (a rows) at(i int64) int64 { return a.first + i*a.stride }

// moved returns the same rows by so many bytes further on.
func (a rows) moved(by int64) rows {
	a.first += by
	return a
}

// holds reports whether all of b lies within one row of a.
func (a rows) holds(b rows) bool { return a.n == 1 && a.first <= b.first && b.end() <= a.end() }

// clip returns what of a lies from lo to hi-1: whole rows, and perhaps a part of the first and one of the last.
func (a rows) clip(lo, hi int64) []rows {
	if a.none() || lo >= hi {
		return nil
	}
	i := max(0, floorDiv(lo-a.width-a.first, a.stride)+1) // the first row that ends behind lo
	j := min(a.n-1, floorDiv(hi-1-a.first, a.stride))     // the last that begins before hi
	if i > j {
		return nil
	}
	if i == j {
		return []rows{oneRow(max(lo, a.at(i)), min(hi, a.at(i)+a.width))}
	}
	var out []rows
	if a.at(i) < lo {
		out = append(out, oneRow(lo, a.at(i)+a.width))
		i++
	}
	if a.at(j)+a.width > hi {
		out = append(out, oneRow(a.at(j), hi))
		j--
	}
	if i <= j {
		out = append(out, rowsOf(a.at(i), a.width, a.stride, j-i+1))
	}
	return out
}

// and returns the bytes that are both a's and b's.
func (a rows) and(b rows) []rows {
	switch {
	case a.none() || b.none() || a.end() <= b.first || b.end() <= a.first:
		return nil
	case b.n == 1:
		return a.clip(b.first, b.end())
	case a.n == 1:
		return b.clip(a.first, a.end())
	case a.stride != b.stride: // row by row
		if a.n > b.n {
			a, b = b, a
		}
		var out []rows
		for i := range a.n {
			out = append(out, b.clip(a.at(i), a.at(i)+a.width)...)
		}
		return out
	}
	// With one stride each row of a meets the same two of b: row i begins skip bytes behind the beginning of b's row i+ahead, and
	// may reach into the next.
	ahead := floorDiv(a.first-b.first, a.stride)
	skip := a.first - b.at(ahead)
	meet := func(ahead, from, width int64) rows { // rows from bytes into a's, where b has a row i+ahead
		i, end := max(0, -ahead), min(a.n, b.n-ahead)
		return rowsOf(a.at(i)+from, width, a.stride, end-i)
	}
	var out []rows
	for _, m := range []rows{
		meet(ahead, 0, min(a.width, b.width-skip)),
		meet(ahead+1, a.stride-skip, min(b.width, a.width-(a.stride-skip))),
	} {
		if !m.none() {
			out = append(out, m)
		}
	}
	return out
}

// without returns the bytes that are a's and not b's: those before b's rows, those between and those behind.
func (a rows) without(b rows) []rows {
	if b.none() || a.none() || a.end() <= b.first || b.end() <= a.first {
		return []rows{a}
	}
	out := append(a.clip(a.first, b.first), a.clip(b.end(), a.end())...)
	return append(out, a.and(rowsOf(b.first+b.width, b.stride-b.width, b.stride, b.n-1))...)
}

// missing returns what of a none of the others holds.
func missing(a rows, others []rows) []rows {
	if a.none() {
		return nil
	}
	left := []rows{a}
	for _, o := range others {
		var rest []rows
		for _, l := range left {
			if !o.holds(l) {
				rest = append(rest, l.without(o)...)
			}
		}
		if left = rest; len(left) == 0 {
			break
		}
	}
	return left
}

// floorDiv is a / b rounded down, b > 0.
func floorDiv(a, b int64) int64 {
	if a < 0 {
		return -((-a + b - 1) / b)
	}
	return a / b
}
