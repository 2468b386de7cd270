// SPDX-License-Identifier: MIT

package page

import (
	"encoding/json"
	"fmt"
	"strings"

	"jitvk/engine/files"
)

// A Table is rows under a heading. Left columns hold words, right ones numbers.
type Table struct {
	Left, Right []string
	rows        [][]string
}

// Add adds a row, a cell for each column.
func (t *Table) Add(cells ...string) {
	if want := len(t.Left) + len(t.Right); len(cells) != want {
		panic(fmt.Sprintf("page: a row of %d cells in a table of %d columns", len(cells), want))
	}
	t.rows = append(t.rows, cells)
}

// String is the table in Markdown.
func (t *Table) String() string {
	text := line(append(append([]string{}, t.Left...), t.Right...)) +
		"|" + strings.Repeat(" --- |", len(t.Left)) + strings.Repeat(" ---: |", len(t.Right)) + "\n"
	for _, r := range t.rows {
		text += line(r)
	}
	return text
}

func line(cells []string) string {
	text := "|"
	for _, c := range cells {
		if c != "" {
			text += " " + c
		}
		text += " |"
	}
	return text + "\n"
}

// Insert puts a block into a page. A block stands between the lines <!-- KIND: KEY --> and <!-- end -->; one of the same kind and
// key is replaced, a new one goes before the line <!-- KIND: more -->.
func Insert(text, kind, key, block string) (string, error) {
	begin, end, more := fmt.Sprintf("<!-- %s: %s -->\n", kind, key), "<!-- end -->\n", fmt.Sprintf("<!-- %s: more -->\n", kind)
	block = begin + block + end
	if before, rest, found := strings.Cut(text, begin); found {
		_, after, found := strings.Cut(rest, end)
		if !found {
			return "", fmt.Errorf("the block %q has no line %q", strings.TrimSpace(begin), strings.TrimSpace(end))
		}
		return before + block + after, nil
	}
	before, after, found := strings.Cut(text, more)
	if !found {
		return "", fmt.Errorf("no line %q says where tables go", strings.TrimSpace(more))
	}
	return before + block + "\n" + more + after, nil
}

// JSON is a report as its file has it.
func JSON(report any) ([]byte, error) {
	data, err := json.MarshalIndent(report, "", " ")
	return append(data, '\n'), err
}

// WriteJSON puts a report into a file.
func WriteJSON(file string, report any) error {
	data, err := JSON(report)
	if err != nil {
		return err
	}
	return files.WriteFile(file, data)
}
