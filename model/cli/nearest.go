// SPDX-License-Identifier: MIT

package cli

import "strings"

// Nearest returns the name that a misspelt word is most like. It is not ok where none is like it.
func Nearest(word string, names []string) (name string, ok bool) {
	best := max(1, len(word)/3) + 1 // letters that may be wrong, and one more
	for _, n := range names {
		if d := distance(strings.ToLower(word), strings.ToLower(n)); d < best {
			best, name, ok = d, n, true
		}
	}
	return name, ok
}

// guess is what an error adds for a misspelt word.
func guess(word string, names []string) string {
	if name, ok := Nearest(word, names); ok {
		return "; did you mean " + name + "?"
	}
	return ""
}

// either lists names: a, b or c.
func either(names []string) string {
	last := len(names) - 1
	if last < 1 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// distance counts the letters that must be put in, left out, replaced, or swapped with their neighbours to turn a into b.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replaced := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, replaced)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
