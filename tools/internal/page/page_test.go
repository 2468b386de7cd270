// SPDX-License-Identifier: MIT

package page

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"jitvk/engine"
)

func TestTable(t *testing.T) {
	x := Table{Left: []string{"", "by"}, Right: []string{"rate"}}
	x.Add("a", "b", "1")
	x.Add("", "c", "")
	if got, want := x.String(), "| | by | rate |\n| --- | --- | ---: |\n| a | b | 1 |\n| | c | |\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	defer func() {
		if message, _ := recover().(string); !strings.Contains(message, "2 cells in a table of 3 columns") {
			t.Errorf("panic %q", message)
		}
	}()
	x.Add("a", "b")
}

func TestInsert(t *testing.T) {
	const page = "top\n<!-- k: more -->\nbottom\n"
	insert := func(text, key, block string) string {
		t.Helper()
		text, err := Insert(text, "k", key, block)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	one := insert(page, "one", "1\n")
	if want := "top\n<!-- k: one -->\n1\n<!-- end -->\n\n<!-- k: more -->\nbottom\n"; one != want {
		t.Errorf("got\n%swant\n%s", one, want)
	}
	if again := insert(one, "one", "1\n"); again != one {
		t.Errorf("the same block again changes the page:\n%s", again)
	}
	if got := insert(insert(one, "two", "2\n"), "one", "3\n"); !strings.Contains(got, "one -->\n3\n") ||
		!strings.Contains(got, "two -->\n2\n") ||
		strings.Contains(got, "1\n<") {
		t.Errorf("a block replaced beside another:\n%s", got)
	}
	for _, bad := range []string{"no place", strings.ReplaceAll(one, "<!-- end -->\n", "")} {
		if _, err := Insert(bad, "k", "one", "1\n"); err == nil {
			t.Errorf("no error for\n%s", bad)
		}
	}
}

func TestSource(t *testing.T) {
	s := Source{Device: "D", Driver: "V", Date: "2026-01-02", Cores: 2, Load: "0.1"}
	if got, want := s.String(), "D, V, 2026-01-02, commit unknown, 2 cores, load 0.1 before the run"; got != want {
		t.Errorf("%q, %q wanted", got, want)
	}
	if s := Here(engine.Info{Name: "D", Driver: "V"}); s.Device != "D" || s.Driver != "V" || len(s.Date) != 10 || s.Cores < 1 {
		t.Errorf("%+v", s)
	}
}

// TestCommit: code that is not the commit's makes it dirty, and pages do not.
func TestCommit(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip(err)
	}
	t.Chdir(t.TempDir())
	git := func(args ...string) {
		t.Helper()
		out, err := exec.Command("git", append([]string{"-c", "user.name=n", "-c", "user.email=e"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
	write := func(file, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if got := commit(); got != "" {
		t.Errorf("outside of a checkout: %q", got)
	}
	git("init", "-q")
	write("main.go", "1")
	write("docs/page.json", "1")
	git("add", ".")
	git("commit", "-qm", "one")
	clean := commit()
	if clean == "" || strings.Contains(clean, "dirty") {
		t.Errorf("a clean checkout is %q", clean)
	}
	write("docs/page.json", "2")
	write("docs/new.md", "2")
	if got := commit(); got != clean {
		t.Errorf("with other pages it is %q, and %q without", got, clean)
	}
	write("main.go", "2")
	if got := commit(); got != clean+"-dirty" {
		t.Errorf("with other code it is %q", got)
	}
}
