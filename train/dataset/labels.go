// SPDX-License-Identifier: MIT

package dataset

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Folders, alone in Options.Labels, makes folders the classes.
const Folders = "folders"

// attributeFile is CelebA's table of attributes.
const attributeFile = "list_attr_celeba.txt"

// maxTable bounds its size in bytes; CelebA's own has 27 MB.
const maxTable = 1 << 26

// maxClasses bounds the combinations of values.
const maxClasses = 1 << 16

// Attribute is something by which pictures are told apart, such as whether a face smiles.
type Attribute struct {
	Name   string
	Values []string              // as a class's name has them: "not Smiling" and "Smiling"
	Value  func(picture int) int // an index into Values; negative where it is not known
}

// Class is one combination of values.
type Class struct {
	Name     string // such as "Smiling, not Male"
	Pictures int
}

// Classes are the names of the classes, in the order of their numbers; nil without labels.
func (d *Dataset) Classes() []string {
	var names []string
	for _, c := range d.Report.Classes {
		names = append(names, c.Name)
	}
	return names
}

// Label is the class of picture i. One without a label, and every one of a data set without labels, has the number after the
// last class: the model's class "none".
func (d *Dataset) Label(i int) int {
	if i < 0 || i >= d.Len() {
		panic(fmt.Sprintf("dataset: picture %d of %d", i, d.Len()))
	}
	if d.labels == nil {
		return 0
	}
	return int(d.labels[i])
}

// Labels gathers the classes of the pictures that Batch gathers for the same order, step and n. dst is (n).
func (d *Dataset) Labels(dst []uint32, o Order, step int64, n int) {
	if n < 1 || len(dst) != n || o.N != d.Len() || step < 0 {
		panic(fmt.Sprintf("dataset: Labels: dst of %d for (%d), order of %d for %d pictures, step %d", len(dst), n, o.N, d.Len(), step))
	}
	for i := range n {
		dst[i] = uint32(d.Label(o.Index(step*int64(n) + int64(i))))
	}
}

// label numbers the combinations of the attributes' values that occur, the last attribute running fastest, and gives each picture
// its class. A combination without a picture is no class: nothing could be learnt about it.
func (d *Dataset) label(attributes []Attribute) error {
	combinations := 1
	for _, a := range attributes {
		if combinations *= len(a.Values); combinations > maxClasses {
			return fmt.Errorf("%w: more than %d combinations of values: name fewer attributes", ErrLabels, maxClasses)
		}
	}
	counts := make([]int, combinations+1) // the last: pictures without a label
	labels := make([]uint32, d.Len())
	for i := range labels {
		c := 0
		for _, a := range attributes {
			v := a.Value(i)
			if v < 0 {
				c = combinations
				break
			}
			c = c*len(a.Values) + v
		}
		labels[i] = uint32(c)
		counts[c]++
	}
	r := &d.Report
	class := make([]uint32, len(counts))
	for c, n := range counts[:combinations] {
		class[c] = uint32(len(r.Classes))
		if name := combination(attributes, c); n > 0 {
			r.Classes = append(r.Classes, Class{name, n})
		} else {
			r.Absent = append(r.Absent, name)
		}
	}
	r.Unlabelled = counts[combinations]
	class[combinations] = uint32(len(r.Classes))
	if len(r.Classes) == 1 {
		return fmt.Errorf("%w: only one class occurs, %q: choose labels that tell the pictures apart", ErrLabels, r.Classes[0].Name)
	}
	for i, c := range labels {
		labels[i] = class[c]
	}
	d.labels = labels
	return nil
}

// combination is the name of combination c.
func combination(attributes []Attribute, c int) string {
	values := make([]string, len(attributes))
	for k, a := range slices.Backward(attributes) {
		values[k] = a.Values[c%len(a.Values)]
		c /= len(a.Values)
	}
	return strings.Join(values, ", ")
}

// choose takes the labels from the attributes of drawn pictures.
func (drawn Drawn) choose(labels []string) ([]Attribute, error) {
	names := make([]string, len(drawn.Attributes))
	for i, a := range drawn.Attributes {
		names[i] = a.Name
	}
	columns, err := choose(labels, names, drawn.Name)
	if err != nil {
		return nil, err
	}
	chosen := make([]Attribute, len(columns))
	for k, c := range columns {
		chosen[k] = drawn.Attributes[c]
	}
	return chosen, nil
}

// choose finds the labels among the attributes of a source.
func choose(labels, attributes []string, source string) ([]int, error) {
	chosen := make([]int, len(labels))
	for k, name := range labels {
		chosen[k] = slices.Index(attributes, name)
		switch {
		case chosen[k] < 0:
			return nil, fmt.Errorf("%w: %s: no attribute %q: choose from %s", ErrLabels, source, name, nearest(attributes, name))
		case slices.Contains(labels[:k], name):
			return nil, fmt.Errorf("%w: %q is named twice: name each attribute once", ErrLabels, name)
		case slices.Contains(attributes[chosen[k]+1:], name):
			return nil, fmt.Errorf("%w: %s: two columns %q: rename one of them", ErrLabels, source, name)
		}
	}
	return chosen, nil
}

// nearest lists names, those most like the wanted one first.
func nearest(names []string, want string) string {
	const compared, shown = 1000, 50 // the file may be something else and hold anything
	var list []string
	for _, name := range names[:min(len(names), compared)] {
		list = append(list, fmt.Sprintf("%.40s", name))
	}
	slices.SortStableFunc(list, func(a, b string) int {
		return cmp.Or(cmp.Compare(likeness(b, want), likeness(a, want)), cmp.Compare(len(a), len(b)))
	})
	if len(list) > shown {
		list = append(list[:shown], "...")
	}
	return strings.Join(list, ", ")
}

// likeness is the length of the longest text that both hold, in lower case.
func likeness(a, b string) int {
	a, b = strings.ToLower(a), strings.ToLower(b)
	longest := 0
	ending := make([]int, len(b)+1) // (j) of what ends before byte i of a and byte j of b
	for i := range len(a) {
		for j := len(b); j > 0; j-- {
			if a[i] == b[j-1] {
				ending[j] = ending[j-1] + 1
			} else {
				ending[j] = 0
			}
			longest = max(longest, ending[j])
		}
	}
	return longest
}

// byFolder is the attribute "folder" of files: the first folder in which their paths differ.
func byFolder(names []string) (Attribute, error) {
	var common []string // folders that all paths begin with
	paths := make([][]string, len(names))
	for i, name := range names {
		p := strings.Split(name, "/")
		paths[i] = p[:len(p)-1]
		if i == 0 {
			common = paths[i]
		}
		for k := range common {
			if k == len(paths[i]) || paths[i][k] != common[k] {
				common = common[:k]
				break
			}
		}
	}
	var values []string
	for _, p := range paths {
		if len(p) > len(common) {
			values = append(values, p[len(common)])
		}
	}
	slices.Sort(values)
	values = slices.Compact(values)
	if len(values) == 0 {
		return Attribute{}, fmt.Errorf("%w: all pictures lie in one folder: give a folder or a .zip with a folder for each class",
			ErrLabels)
	}
	return Attribute{Name: "folder", Values: values, Value: func(i int) int {
		if len(paths[i]) == len(common) {
			return -1
		}
		v, _ := slices.BinarySearch(values, paths[i][len(common)])
		return v
	}}, nil
}

// table is the chosen columns of a table of attributes.
type table struct {
	name   string         // of the file
	labels []string       // (K) the columns
	rows   map[string]int // from a picture's stem to its row
	has    []bool         // (rows,K)
}

// stem is a file's name without folder and ending: pictures that were converted keep their attributes.
func stem(name string) string {
	base := path.Base(name)
	return strings.TrimSuffix(base, path.Ext(base))
}

// attributes are the table's columns for pictures of these names. A row is for every picture of its name, in whatever folder.
func (t *table) attributes(names []string) ([]Attribute, error) {
	row := make([]int, len(names))
	found := false
	for i, name := range names {
		r, ok := t.rows[stem(name)]
		if !ok {
			r = -1
		}
		row[i], found = r, found || ok
	}
	if !found {
		return nil, fmt.Errorf("%w: %s has no row for any picture, such as %s: its rows must begin with the pictures' names", ErrLabels,
			t.name, names[0])
	}
	attributes := make([]Attribute, len(t.labels))
	for k, name := range t.labels {
		attributes[k] = Attribute{Name: name, Values: []string{"not " + name, name}, Value: func(i int) int {
			switch {
			case row[i] < 0:
				return -1
			case t.has[row[i]*len(t.labels)+k]:
				return 1
			}
			return 0
		}}
	}
	return attributes, nil
}

// parseTable reads CelebA's format: the number of rows, which is often wrong and not looked at; the attributes' names; and a row per
// picture: its name, then 1 or -1 for each attribute. A damaged row is an error: a wrong label would go unnoticed for ever.
func parseTable(text []byte, name string, labels []string) (*table, error) {
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("%w: %s is not UTF-8 text: take CelebA's own file", ErrLabels, name)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	t := &table{name: name, labels: labels, rows: map[string]int{}}
	var chosen []int // (columns) the place of a column in labels, or -1
	var lines []int  // (rows)
	number := 0
	for line := range bytes.Lines(text) {
		number++
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		if chosen == nil {
			if _, err := strconv.Atoi(string(line)); err == nil {
				continue // the number of rows
			}
			names := strings.Fields(string(line))
			columns, err := choose(labels, names, name)
			if err != nil {
				return nil, err
			}
			chosen = slices.Repeat([]int{-1}, len(names))
			for k, c := range columns {
				chosen[c] = k
			}
			continue
		}
		bad := func(format string, args ...any) (*table, error) {
			return nil, fmt.Errorf("%w: %s, line %d: %s", ErrLabels, name, number, fmt.Sprintf(format, args...))
		}
		row, picture, column := make([]bool, len(labels)), "", -1 // of the field: -1 is the name's
		for field := range bytes.FieldsSeq(line) {
			switch {
			case column < 0:
				picture = stem(string(field))
			case column < len(chosen) && chosen[column] >= 0:
				value := string(field)
				if value != "1" && value != "-1" {
					return bad("%s is %.20q: write 1 or -1", labels[chosen[column]], value)
				}
				row[chosen[column]] = value == "1"
			}
			column++
		}
		if column != len(chosen) {
			return bad("%d values for %d attributes: mend the row or take it out; if it is the last, the file was cut short", column,
				len(chosen))
		}
		if r, ok := t.rows[picture]; !ok {
			t.rows[picture] = len(lines)
			lines = append(lines, number)
			t.has = append(t.has, row...)
		} else if !slices.Equal(row, t.has[r*len(labels):(r+1)*len(labels)]) {
			return bad("%s has other values in line %d: take one of them out", picture, lines[r])
		}
	}
	if len(lines) == 0 {
		return nil, fmt.Errorf("%w: %s has no rows: take CelebA's own file", ErrLabels, name)
	}
	return t, nil
}

// findTable reads the table of attributes among the files of a source, or beside it.
func findTable(root string, files []file, labels []string) (*table, error) {
	beside := filepath.Join(filepath.Dir(root), attributeFile)
	name := beside
	open := func() (io.ReadCloser, error) { return os.Open(beside) }
	if i := slices.IndexFunc(files, func(f file) bool { return path.Base(f.name) == attributeFile }); i >= 0 {
		f := files[i]
		if f.err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrLabels, f.name, f.err)
		}
		name, open = filepath.Join(root, filepath.FromSlash(f.name)), f.open
	} else if info, err := os.Stat(beside); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: no %s in %s or beside it: put CelebA's there, or label by %q", ErrLabels, attributeFile, root, Folders)
	} else if err == nil && !info.Mode().IsRegular() { // a pipe would be waited for
		return nil, fmt.Errorf("%w: %s is not a file: put CelebA's there", ErrLabels, beside)
	}
	r, err := open()
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrLabels, name, err)
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, maxTable+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrLabels, name, err)
	}
	if len(text) > maxTable {
		return nil, fmt.Errorf("%w: %s is larger than %d MB: take CelebA's own file", ErrLabels, name, maxTable>>20)
	}
	return parseTable(text, name, labels)
}
