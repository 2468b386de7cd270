// SPDX-License-Identifier: MIT

package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// classesOf lists a data set's pictures with their classes: "1.png=Smiling".
func classesOf(d *Dataset) string {
	classes := append(d.Classes(), "none")
	var all []string
	for i := range d.Len() {
		all = append(all, d.Name(i)+"="+classes[d.Label(i)])
	}
	return strings.Join(all, " ")
}

// withPictures adds one small picture under each name.
func withPictures(t testing.TB, files map[string][]byte, names ...string) map[string][]byte {
	t.Helper()
	one := asPNG(t, plain(2, 2, red))
	files = maps.Clone(files)
	for _, name := range names {
		files[name] = one
	}
	return files
}

// attributesText is a table of two attributes; its first line is wrong, as CelebA's is in the wild.
const attributesText = "202599\nSmiling Male\n1.jpg  1 -1\n2.jpg -1  1\n3.jpg  1  1\n9.jpg -1 -1\n"

// Wherever the table lies, it is found; pictures that were converted, or lie in folders, keep their rows; those without a row
// have no class; rows without a picture do not count.
func TestTablePlaces(t *testing.T) {
	text := []byte(attributesText)
	pictures := withPictures(t, map[string][]byte{}, "sub/1.png", "sub/2.jpg", "3.jpg", "4.jpg")
	const want = "3.jpg=Smiling, Male 4.jpg=none sub/1.png=Smiling, not Male sub/2.jpg=not Smiling, Male"
	beside := func(p string) string {
		if err := os.WriteFile(filepath.Join(filepath.Dir(p), attributeFile), text, 0o644); err != nil {
			t.Fatal(err)
		}
		return p
	}
	inside, deep := maps.Clone(pictures), maps.Clone(pictures)
	inside[attributeFile] = text
	deep["Anno/"+attributeFile] = text
	below := map[string][]byte{}
	for name, b := range pictures {
		below["img/"+name] = b
	}
	for place, p := range map[string]string{
		"in the folder":      folder(t, inside),
		"deep in the folder": folder(t, deep),
		"in the parent":      beside(filepath.Join(folder(t, below), "img")),
		"in the zip":         zipped(t, inside),
		"deep in the zip":    zipped(t, deep),
		"beside the zip":     beside(zipped(t, pictures)),
	} {
		d := open(t, p, Options{Size: 2, NoCache: true, Labels: []string{"Smiling", "Male"}})
		if got := classesOf(d); got != want {
			t.Errorf("%s: %s, want %s", place, got, want)
		}
		line := d.Report.String()
		for _, says := range []string{"4 pictures", "3 classes by ", attributeFile,
			"(1 not Smiling, Male; 1 Smiling, not Male; 1 Smiling, Male)",
			"1 without a picture left out (not Smiling, not Male)", "1 pictures without a label"} {
			if !strings.Contains(line, says) {
				t.Errorf("%s: report %q does not say %q", place, line, says)
			}
		}
		if d := open(t, p, Options{Size: 2, NoCache: true}); d.Classes() != nil || d.Label(0) != 0 ||
			strings.Contains(d.Report.String(), "class") {
			t.Errorf("%s: without labels: classes %v, label %d, %s", place, d.Classes(), d.Label(0), d.Report)
		}
	}
}

func TestTableForms(t *testing.T) {
	const rows = "1.jpg 1 -1\n2.jpg -1 1\n"
	for name, text := range map[string]string{
		"as it is":         "2\nSmiling Male\n" + rows,
		"count too large":  "202599\nSmiling Male\n" + rows,
		"count too small":  "0\nSmiling Male\n" + rows,
		"no count":         "Smiling Male\n" + rows,
		"CRLF":             strings.ReplaceAll("202599\nSmiling Male \n"+rows, "\n", "\r\n"),
		"tabs":             strings.ReplaceAll("2\nSmiling Male\n"+rows, " ", "\t\t"),
		"BOM":              "\ufeff2\nSmiling Male\n" + rows,
		"BOM, no count":    "\ufeffSmiling Male\n" + rows,
		"blank lines":      "\n2\n\nSmiling Male\n\n" + rows + "\n\n",
		"no last newline":  strings.TrimSpace("2\nSmiling Male\n" + rows),
		"a row twice":      "2\nSmiling Male\n" + rows + rows,
		"other columns":    "2\nBald Male Bald Smiling\n1.jpg 7 -1 x 1\n2.jpg ? 1 0 -1\n",
		"other endings":    "2\nSmiling Male\n1.png 1 -1\n2 -1 1\n",
		"folders in names": "2\nSmiling Male\nimg/1.jpg 1 -1\n./2.jpg -1 1\n",
		"other pictures":   "2\nSmiling Male\n0.jpg 1 1\n" + rows + "3.jpg -1 -1\n",
	} {
		table, err := parseTable([]byte(text), "list", []string{"Smiling", "Male"})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		attributes, err := table.attributes([]string{"a/2.jpg", "1.webp", "4.jpg"})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got [][]int
		for _, a := range attributes {
			got = append(got, []int{a.Value(0), a.Value(1), a.Value(2)})
		}
		if fmt.Sprint(got) != "[[0 1 -1] [1 0 -1]]" {
			t.Errorf("%s: values %v", name, got)
		}
	}
}

// A damaged table is refused in one short line that says what to do.
func TestTableRefused(t *testing.T) {
	huge := filepath.Join(t.TempDir(), attributeFile)
	if err := os.WriteFile(huge, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, maxTable+1); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ text, labels, says string }{
		"unknown": {"2\nYoung Male Smiling\n1.jpg 1 1 1\n", "smilin",
			`list: no attribute "smilin": choose from Smiling, Male, Young`},
		"named twice":      {attributesText, "Male,Smiling,Male", `"Male" is named twice: name each attribute once`},
		"two columns":      {"2\nMale Male\n1.jpg 1 1\n", "Male", `two columns "Male"`},
		"no name":          {attributesText, "Male,", `no attribute ""`},
		"folders and more": {attributesText, "folders,Male", `no attribute "folders"`},
		"zero":             {"2\nSmiling Male\n1.jpg 1 0\n", "Male", `line 3: Male is "0": write 1 or -1`},
		"two":              {"2\nSmiling Male\n1.jpg 2 1\n", "Smiling", `line 3: Smiling is "2"`},
		"a word": {"2\nSmiling Male\n1.jpg " + strings.Repeat("x", 1000) + " 1\n", "Smiling",
			`Smiling is "xxxxxxxxxxxxxxxxxxxx"`},
		"a short row": {"2\nSmiling Male\n1.jpg 1 1\n2.jpg 1\n", "Male",
			`line 4: 1 values for 2 attributes: mend the row or take it out; if it is the last, the file was cut short`},
		"a name alone":   {"2\nSmiling Male\n1.jpg\n", "Male", "line 3: 0 values for 2"},
		"a long row":     {"2\nSmiling Male\n1.jpg 1 1 1\n", "Male", "line 3: 3 values for 2"},
		"other values":   {"2\nSmiling Male\n1.jpg 1 1\n2.jpg 1 1\n1.jpg 1 -1\n", "Male", "line 5: 1 has other values in line 3"},
		"other ending":   {"2\nSmiling Male\n1.jpg 1 1\n1.png 1 -1\n", "Male", "line 4: 1 has other values in line 3"},
		"no rows":        {"2\nSmiling Male\n", "Male", "list has no rows"},
		"empty":          {"", "Male", "list has no rows"},
		"a number":       {"202599", "Male", "list has no rows"},
		"no header":      {"1.jpg 1 -1\n2.jpg 1 -1\n", "Male", `no attribute "Male": choose from 1, -1, 1.jpg`},
		"UTF-16":         {"\xff\xfeS\x00m\x00", "Male", "not UTF-8"},
		"a long word":    {strings.Repeat("x", 1<<20), "Male", `no attribute "Male"`},
		"many words":     {strings.Repeat("x ", 1<<20), "Male", `no attribute "Male": choose from x, x`},
		"other pictures": {"2\nSmiling Male\n7.jpg 1 1\n8.jpg -1 1\n", "Male", "no row for any picture, such as 1.jpg"},
		"only one class": {"2\nSmiling Male\n1.jpg 1 1\n2.jpg 1 1\n", "Smiling,Male", `only one class occurs, "Smiling, Male"`},
		"too many classes": {"1\n" + letters(17) + "\n1.jpg" + strings.Repeat(" 1", 17) + "\n", strings.ReplaceAll(letters(17), " ", ","),
			"more than 65536 combinations of values: name fewer"},
		"larger than memory": {"", "", "larger than 64 MB"},
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			if name == "larger than memory" {
				_, err = findTable(filepath.Join(filepath.Dir(huge), "pictures.zip"), nil, []string{"Male"})
			} else {
				err = tryTable(test.text, strings.Split(test.labels, ","), "1.jpg", "2.jpg")
			}
			if !errors.Is(err, ErrLabels) || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "\n") ||
				len(err.Error()) > 2500 {
				t.Errorf("error %.3000v\nwant it to say %q", err, test.says)
			}
		})
	}
}

// tryTable labels pictures of these names by a table.
func tryTable(text string, labels []string, names ...string) error {
	table, err := parseTable([]byte(text), "list", labels)
	if err != nil {
		return err
	}
	attributes, err := table.attributes(names)
	if err != nil {
		return err
	}
	return (&Dataset{Report: Report{Used: len(names)}, names: names}).label(attributes)
}

// letters is n words: "A B C".
func letters(n int) string {
	var s []string
	for i := range n {
		s = append(s, string(rune('A'+i)))
	}
	return strings.Join(s, " ")
}

// What is wrong with the labels is said before minutes go into packing, and leaves nothing behind.
func TestLabelsRefused(t *testing.T) {
	dir := folder(t, withPictures(t, map[string][]byte{"in/" + attributeFile: []byte(attributesText), "odd/" + attributeFile + "/x": nil},
		"in/1.jpg", "in/2.jpg", "no/1.jpg", "odd/pictures/1.jpg"))
	broken := folder(t, withPictures(t, map[string][]byte{}, "1.jpg"))
	if err := os.Symlink("gone", filepath.Join(broken, attributeFile)); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ path, label, says string }{
		"no table": {filepath.Join(dir, "no"), "Male",
			`no list_attr_celeba.txt in ` + filepath.Join(dir, "no") + ` or beside it: put CelebA's there, or label by "folders"`},
		"unknown":      {filepath.Join(dir, "in"), "Mole", `list_attr_celeba.txt: no attribute "Mole": choose from Male, Smiling`},
		"not a file":   {filepath.Join(dir, "odd", "pictures"), "Male", "is not a file"},
		"broken link":  {broken, "Male", attributeFile},
		"no such path": {filepath.Join(dir, "gone"), "Male", "gone"},
	} {
		cache := t.TempDir()
		_, err := Open(context.Background(), test.path, Options{Size: 2, CacheDir: cache, Labels: []string{test.label},
			Progress: func(int, int) { t.Errorf("%s: packed", name) }})
		if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want it to say %q", name, err, test.says)
		}
		if list, err := os.ReadDir(cache); err != nil || len(list) != 0 {
			t.Errorf("%s: left behind %v (%v)", name, list, err)
		}
	}
}

func TestFolders(t *testing.T) {
	for name, test := range map[string]struct{ files, want string }{
		"folders": {"b/1.png a/2.png a/1.png", "a/1.png=a a/2.png=a b/1.png=b"},
		"ImageNet": {"train/n02/x.jpeg train/n01/y.jpeg train/n01/z.jpeg",
			"train/n01/y.jpeg=n01 train/n01/z.jpeg=n01 train/n02/x.jpeg=n02"},
		"deeper":               {"p/a/x/1.png p/b/1.png p/a/2.png", "p/a/2.png=a p/a/x/1.png=a p/b/1.png=b"},
		"beside the folders":   {"a/1.png b/1.png 0.png", "0.png=none a/1.png=a b/1.png=b"},
		"equal names below":    {"a/c/1.png b/c/1.png", "a/c/1.png=a b/c/1.png=b"},
		"one begins the other": {"ab/1.png a/1.png", "a/1.png=a ab/1.png=ab"},
		"one folder":           {"a/1.png a/2.png", ""},
		"no folder":            {"1.png 2.png", ""},
		"one picture":          {"a/1.png", ""},
		"one and none":         {"a/1.png 1.png", ""},
	} {
		files := withPictures(t, map[string][]byte{"notes.txt": nil, "zz/more.txt": nil}, strings.Fields(test.files)...)
		for kind, p := range map[string]string{"folder": folder(t, files), "zip": zipped(t, files)} {
			d, err := Open(context.Background(), p, Options{Size: 2, NoCache: true, Labels: []string{Folders}})
			if test.want == "" {
				if !errors.Is(err, ErrLabels) || strings.Contains(err.Error(), "\n") {
					t.Errorf("%s, %s: error %v", name, kind, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s, %s: %v", name, kind, err)
				continue
			}
			if got := classesOf(d); got != test.want || !slices.IsSorted(d.Classes()) {
				t.Errorf("%s, %s: %s, want %s", name, kind, got, test.want)
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// Many classes are not all counted in one line.
func TestManyClasses(t *testing.T) {
	source := stripes(300)
	values := strings.Fields(letters(20))
	source.Attributes = []Attribute{{Name: "Letter", Values: values, Value: func(i int) int { return min(i/10, 19) }}}
	d, err := OpenDrawn(context.Background(), source, Options{Size: 1, NoCache: true, Labels: []string{"Letter"}})
	if err != nil {
		t.Fatal(err)
	}
	if line := d.Report.String(); !strings.Contains(line, "20 classes (from 10 A to 110 T)") {
		t.Error(line)
	}
}

// Pictures and labels agree in every batch, classes count what they hold, and one cache serves any labels.
func TestDrawnLabels(t *testing.T) {
	source := stripes(100) // picture i has the grey i
	third := func(i int) int { return i % 3 }
	half := func(i int) int { return i / 50 }
	source.Attributes = []Attribute{
		{"Half", []string{"not Half", "Half"}, half},
		{"Third", []string{"zero", "one", "two", "never"}, third},
		{"Known", []string{"no", "yes"}, func(i int) int { return i%10 - 8 }}, // for a tenth of them no, for another yes
	}
	cache := t.TempDir()
	for _, test := range []struct {
		labels  string
		classes string
		absent  int
		none    int
		of      func(grey int) int
	}{
		{"Half", "not Half; Half", 0, 0, half},
		{"Third", "zero; one; two", 1, 0, third},
		{"Third,Half", "zero, not Half; zero, Half; one, not Half; one, Half; two, not Half; two, Half", 2, 0,
			func(i int) int { return third(i)*2 + half(i) }},
		{"Half,Third", "not Half, zero; not Half, one; not Half, two; Half, zero; Half, one; Half, two", 2, 0,
			func(i int) int { return half(i)*3 + third(i) }},
		{"Known", "no; yes", 0, 80, func(i int) int {
			if i%10 < 8 {
				return 2
			}
			return i%10 - 8
		}},
	} {
		d, err := OpenDrawn(context.Background(), source, Options{Size: 2, CacheDir: cache, Labels: strings.Split(test.labels, ",")})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(d.Classes(), "; "); got != test.classes || len(d.Report.Absent) != test.absent ||
			d.Report.Unlabelled != test.none {
			t.Errorf("%s: classes %q, want %q; %d absent, %d without a label, want %d and %d", test.labels, got, test.classes,
				len(d.Report.Absent), d.Report.Unlabelled, test.absent, test.none)
		}
		counts := make([]int, len(d.Classes())+1)
		order := Order{N: d.Len(), Seed: 5}
		pixels, labels := make([]byte, 10*12), make([]uint32, 10)
		for step := range int64(30) { // three epochs
			d.Batch(pixels, order, step, 10)
			d.Labels(labels, order, step, 10)
			for i, label := range labels {
				if want := test.of(int(pixels[i*12])); int(label) != want {
					t.Fatalf("%s: step %d: picture %d has label %d, want %d", test.labels, step, pixels[i*12], label, want)
				}
				counts[label]++
			}
		}
		for c, class := range d.Report.Classes {
			if counts[c] != 3*class.Pictures {
				t.Errorf("%s: three epochs show class %s %d times, it has %d pictures", test.labels, class.Name, counts[c], class.Pictures)
			}
		}
		if list, err := os.ReadDir(cache); err != nil || len(list) != 1 {
			t.Errorf("cache holds %v (%v), want one file for any labels", list, err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	_, err := OpenDrawn(context.Background(), source, Options{Size: 2, NoCache: true, Labels: []string{"Thirds"}})
	if !errors.Is(err, ErrLabels) || !strings.Contains(err.Error(), `stripes: no attribute "Thirds": choose from Third, Half, Known`) {
		t.Errorf("unknown: %v", err)
	}
	d := drawn(t, 7, 2)
	plain := d.Fingerprint()
	if d.labels = []uint32{0, 1, 0, 1, 0, 1, 0}; d.Fingerprint() == plain || drawn(t, 7, 2).Fingerprint() != plain ||
		drawn(t, 6, 2).Fingerprint() == plain {
		t.Error("the fingerprint does not tell data sets apart by pictures and labels alone")
	}
	d.labels = nil
	labels := []uint32{9, 9}
	if d.Labels(labels, Order{N: 7}, 1, 2); !slices.Equal(labels, []uint32{0, 0}) {
		t.Errorf("without labels: %v, want the class none, 0", labels)
	}
	for name, do := range map[string]func(){
		"length": func() { d.Labels(labels, Order{N: 7}, 0, 3) },
		"order":  func() { d.Labels(labels, Order{N: 8}, 0, 2) },
		"step":   func() { d.Labels(labels, Order{N: 7}, -1, 2) },
		"label":  func() { d.Label(7) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			do()
		}()
	}
}

// A cache that was packed without labels, or with others, serves.
func TestLabelsAreNotCached(t *testing.T) {
	dir := folder(t, withPictures(t, map[string][]byte{attributeFile: []byte(attributesText)}, "a/1.jpg", "a/2.jpg", "b/3.jpg"))
	o := Options{Size: 2, CacheDir: t.TempDir()}
	for i, test := range []struct{ labels, want string }{
		{"", "a/1.jpg=none a/2.jpg=none b/3.jpg=none"},
		{"Smiling", "a/1.jpg=Smiling a/2.jpg=not Smiling b/3.jpg=Smiling"},
		{Folders, "a/1.jpg=a a/2.jpg=a b/3.jpg=b"},
		{"", "a/1.jpg=none a/2.jpg=none b/3.jpg=none"},
	} {
		o.Labels = nil
		if test.labels != "" {
			o.Labels = []string{test.labels}
		}
		d := open(t, dir, o)
		if got := classesOf(d); got != test.want || d.Report.Cached != (i > 0) {
			t.Errorf("%q: %s, want %s; cached %v", test.labels, got, test.want, d.Report.Cached)
		}
	}
}

// Random tables, written in random ways, against the values that were drawn.
func TestTableProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z0-9_]{1,6}`), 1, 20, rapid.ID[string]).Draw(t, "pictures")
		columns := rapid.SliceOfNDistinct(rapid.StringMatching(`[A-Z0-9][A-Za-z_]{1,8}`), 1, 8, rapid.ID[string]).Draw(t, "attributes")
		labels := rapid.Permutation(columns).Draw(t, "labels")[:rapid.IntRange(1, len(columns)).Draw(t, "chosen")]
		space := rapid.SampledFrom([]string{" ", "  ", "\t"}).Draw(t, "space")
		end := rapid.SampledFrom([]string{"\n", "\r\n", " \n"}).Draw(t, "end")
		text := strings.Join(columns, space) + end
		values := map[string]map[string]int{} // picture, attribute
		for _, name := range names {
			values[name] = map[string]int{}
			row := name + rapid.SampledFrom([]string{".jpg", ".png"}).Draw(t, "ending")
			for _, c := range columns {
				v := rapid.IntRange(0, 1).Draw(t, "value")
				values[name][c] = v
				row += space + fmt.Sprint(2*v-1)
			}
			text += row + end
		}
		if rapid.Bool().Draw(t, "count") {
			text = "202599" + end + text
		}
		table, err := parseTable([]byte(text), "list", labels)
		if err != nil {
			t.Fatal(err)
		}
		shown := append(rapid.SliceOf(rapid.SampledFrom(names)).Draw(t, "shown"), names[0], "NO ROW")
		attributes, err := table.attributes(shown)
		if err != nil {
			t.Fatal(err)
		}
		d := &Dataset{Report: Report{Used: len(shown)}, names: shown}
		err = d.label(attributes)
		seen := map[string]int{} // class names and their pictures, the slow way
		for i, name := range shown {
			var parts []string
			for _, l := range labels {
				parts = append(parts, []string{"not ", ""}[values[name][l]]+l)
			}
			if name == "NO ROW" {
				continue
			}
			want := strings.Join(parts, ", ")
			seen[want]++
			if err == nil && d.Classes()[d.Label(i)] != want {
				t.Fatalf("%s is %s, want %s", name, d.Classes()[d.Label(i)], want)
			}
		}
		if len(seen) == 1 {
			if !errors.Is(err, ErrLabels) {
				t.Fatalf("one class: %v", err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if d.Label(len(shown)-1) != len(seen) || d.Report.Unlabelled != 1 || len(d.Report.Classes)+len(d.Report.Absent) != 1<<len(labels) {
			t.Fatalf("picture without a row: label %d of %d; %+v", d.Label(len(shown)-1), len(seen), d.Report)
		}
		for _, c := range d.Report.Classes {
			if seen[c.Name] != c.Pictures {
				t.Fatalf("%d pictures of %s, want %d", c.Pictures, c.Name, seen[c.Name])
			}
		}
	})
}

// Random bytes where the table should be never do more than give an error.
func FuzzTable(f *testing.F) {
	for _, s := range []string{attributesText, "", "Smiling", "\ufeff1\nSmiling\na 1", "1\r\nSmiling Male\r\na -1"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if table, err := parseTable(text, "list", []string{"Smiling"}); err == nil {
			if _, err := table.attributes([]string{"1.jpg"}); err != nil && !errors.Is(err, ErrLabels) {
				t.Error(err)
			}
		} else if !errors.Is(err, ErrLabels) {
			t.Error(err)
		}
	})
}

// Random trees against the definition: the common folders are those of every path, the class is the one that follows.
func TestFoldersProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		root := rapid.SampledFrom([]string{"", "r/", "r/s/"}).Draw(t, "root")
		names := rapid.SliceOfN(rapid.StringMatching(`([ab]/){0,3}[0-9]\.png`), 1, 8).Draw(t, "names")
		for i := range names {
			names[i] = root + names[i]
		}
		common := path.Dir(names[0]) + "/"
		for _, name := range names {
			for !strings.HasPrefix(path.Dir(name)+"/", common) {
				if common = path.Dir(strings.TrimSuffix(common, "/")) + "/"; common == "./" {
					common = ""
				}
			}
		}
		if common == "./" {
			common = ""
		}
		want := make([]string, len(names))
		some := false
		for i, name := range names {
			if folder, _, ok := strings.Cut(strings.TrimPrefix(name, common), "/"); ok {
				want[i], some = folder, true
			}
		}
		a, err := byFolder(names)
		if !some {
			if !errors.Is(err, ErrLabels) {
				t.Fatalf("%v: %v", names, err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range names {
			got := ""
			if v := a.Value(i); v >= 0 {
				got = a.Values[v]
			}
			if got != want[i] {
				t.Fatalf("%s of %v: folder %q, want %q", names[i], names, got, want[i])
			}
		}
	})
}

// The real table: its first line says 202599, it has 10,000 rows.
func TestCelebALabels(t *testing.T) {
	zipPath := celeba(t)
	if testing.Short() {
		t.Skip("SKIP: -short")
	}
	text, err := os.ReadFile(filepath.Join(filepath.Dir(zipPath), attributeFile))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.ReplaceAll(string(text), "\r", ""), "\n")
	if lines[0] != "202599" {
		t.Errorf("first line %q", lines[0])
	}
	columns := strings.Fields(lines[1])
	male, smiling := 1+slices.Index(columns, "Male"), 1+slices.Index(columns, "Smiling")
	o := Options{Size: 8, CacheDir: t.TempDir(), Labels: []string{"Smiling", "Male"}}
	d := open(t, zipPath, o)
	if got := strings.Join(d.Classes(), "; "); got != "not Smiling, not Male; not Smiling, Male; Smiling, not Male; Smiling, Male" {
		t.Fatalf("classes %s", got)
	}
	sum := 0
	counts := make([]int, 4)
	for i := range d.Len() {
		row := strings.Fields(lines[2+i])
		want := 0
		if row[smiling] == "1" {
			want += 2
		}
		if row[male] == "1" {
			want++
		}
		if d.Name(i) != "img_align_celeba/"+row[0] || d.Label(i) != want {
			t.Fatalf("picture %s has label %d, row %s says %d", d.Name(i), d.Label(i), row[0], want)
		}
		counts[want]++
	}
	for c, class := range d.Report.Classes {
		sum += class.Pictures
		if class.Pictures != counts[c] {
			t.Errorf("%s: %d pictures, want %d", class.Name, class.Pictures, counts[c])
		}
	}
	if sum != 10_000 || d.Report.Unlabelled != 0 || len(d.Report.Absent) != 0 {
		t.Errorf("%d pictures in classes; %s", sum, d.Report)
	}
	t.Log(d.Report)

	o.Labels = []string{"Male", "Mustache"}
	d = open(t, zipPath, o)
	t.Log(d.Report)
	if !d.Report.Cached {
		t.Error("other labels packed again")
	}
	o.Labels = []string{"smile"}
	_, err = Open(context.Background(), zipPath, o)
	if !errors.Is(err, ErrLabels) || !strings.Contains(err.Error(), `no attribute "smile": choose from Smiling, `) ||
		!strings.Contains(err.Error(), "Wearing_Lipstick") {
		t.Errorf("unknown attribute: %v", err)
	}
	t.Log(err)
}

// BenchmarkLabels labels as many pictures as CelebA has, by two attributes of its 40.
func BenchmarkLabels(b *testing.B) {
	const n, columns = 202_599, 40
	var text bytes.Buffer
	fmt.Fprintln(&text, n)
	for k := range columns {
		fmt.Fprintf(&text, "Attribute_%d ", k)
	}
	names := make([]string, n)
	for i := range n {
		names[i] = fmt.Sprintf("img_align_celeba/%06d.jpg", i+1)
		fmt.Fprintf(&text, "\n%06d.jpg", i+1)
		for k := range columns {
			fmt.Fprintf(&text, " %2d", 2*int(mix(uint64(i*columns+k))&1)-1)
		}
	}
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		table, err := parseTable(text.Bytes(), "list", []string{"Attribute_31", "Attribute_20"})
		if err != nil {
			b.Fatal(err)
		}
		attributes, err := table.attributes(names)
		if err != nil {
			b.Fatal(err)
		}
		d := &Dataset{Report: Report{Used: n}, names: names}
		if err := d.label(attributes); err != nil || len(d.Report.Classes) != 4 {
			b.Fatal(err, d.Report)
		}
	}
}
