// SPDX-License-Identifier: MIT

package command

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"jitvk/model"
	"jitvk/model/cli"
)

// A class is one that is drawn. Label is -1 where the model knows none.
type class struct {
	label int
	name  string
}

// classes finds what -class names.
func (c Config) classes(m model.Config, names []string) ([]class, error) {
	if c.Classes == nil {
		return []class{{-1, ""}}, nil
	}
	if m.Classes == 0 {
		return nil, fmt.Errorf("-class %q: the model knows no classes; it would have to be trained with -labels", c.Classes[0])
	}
	name := func(i int) class {
		if i < len(names) {
			return class{i, names[i]}
		}
		return class{i, fmt.Sprintf("class %d", i)}
	}
	plain := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, " ", "")) }
	var out []class
	for _, want := range c.Classes {
		i := slices.IndexFunc(names, func(s string) bool { return plain(s) == plain(want) })
		if n, err := strconv.Atoi(want); i < 0 && err == nil {
			i = n
		}
		switch {
		case i >= 0 && i < m.Classes:
			out = append(out, name(i))
		case want == "all":
			for i := range m.Classes {
				out = append(out, name(i))
			}
		case want == "none":
			out = append(out, class{m.Classes, "none"})
		default:
			const most = 20 // names in one line
			known := fmt.Sprintf("0 to %d", m.Classes-1)
			if len(names) > 0 {
				known += ": " + strings.Join(names[:min(len(names), most)], "; ")
			}
			if like, ok := cli.Nearest(want, names); ok {
				known = fmt.Sprintf("did you mean %q? There are %s", like, known)
			}
			return nil, fmt.Errorf("-class %q is none of the model's %d: %s", want, m.Classes, known)
		}
	}
	return out, nil
}
