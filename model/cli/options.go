// SPDX-License-Identifier: MIT

package cli

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// An Option is a field of a program's configuration that the user can set. The field says all that there is to say of it, once:
//
//	Batch int `json:"batch" help:"pictures a step"`
//
// is -batch on the command line, a line of -help with the value that it has otherwise, and batch in the file that -config names.
// The tags are
//
//	help  what -help says; a field without it is no option
//	json  its name, with dashes for underscores
//	name  its name where json has none
//	of    all values that it can have, with commas between
//
// and whatever else the program wants to know of it (Tag). Fields are numbers, texts, truths, lists with commas between, lists of
// texts that are named one by one, and any flag.Value.
type Option struct {
	Name, Help string
	Of         []string
	Tag        reflect.StructTag
	field      []int
}

// A Description is all that a program can be told.
type Description struct {
	Options []Option
	program string
	config  reflect.Type
}

// Describe finds the options in the fields of config, a struct, and in those of the structs in it, in their order.
func Describe(program string, config any) *Description {
	t := reflect.TypeOf(config)
	return &Description{options(t, nil), program, t}
}

func options(t reflect.Type, at []int) (all []Option) {
	for i := range t.NumField() {
		f, field := t.Field(i), append(slices.Clone(at), i)
		help, ok := f.Tag.Lookup("help")
		if !ok {
			if f.Type.Kind() == reflect.Struct {
				all = append(all, options(f.Type, field)...)
			}
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			name = f.Tag.Get("name")
		}
		o := Option{Name: strings.ReplaceAll(name, "_", "-"), Help: help, Tag: f.Tag, field: field}
		if of := f.Tag.Get("of"); of != "" {
			o.Of = strings.Split(of, ",")
			o.Help = help + " (" + either(o.Of) + ")"
		}
		all = append(all, o)
	}
	return all
}

// In is the option's field in a configuration, to which config points.
func (o Option) In(config any) reflect.Value {
	return reflect.ValueOf(config).Elem().FieldByIndex(o.field)
}

// set gives the option's field what the user wrote.
func (o Option) set(config any, text string) error {
	if o.Of != nil && !slices.Contains(o.Of, text) {
		return fmt.Errorf("it is %s%s", either(o.Of), guess(text, o.Of))
	}
	v := o.In(config)
	if f, ok := v.Addr().Interface().(flag.Value); ok {
		return f.Set(text)
	}
	switch v.Interface().(type) {
	case string:
		v.SetString(text)
		return nil
	case []string:
		v.Set(reflect.Append(v, reflect.ValueOf(text)))
		return nil
	case []float64:
		list, err := numbers(text)
		v.Set(reflect.ValueOf(list))
		return err
	}
	var err error
	switch v.Kind() {
	case reflect.Bool:
		var b bool
		if b, err = strconv.ParseBool(text); err != nil {
			return errors.New("it is true or false")
		}
		v.SetBool(b)
	case reflect.Int:
		var n int64
		if n, err = strconv.ParseInt(text, 10, 64); err != nil {
			return wanted("a whole number", err)
		}
		v.SetInt(n)
	case reflect.Uint64:
		var n uint64
		if n, err = strconv.ParseUint(text, 10, 64); err != nil {
			return wanted("a whole number from 0 on", err)
		}
		v.SetUint(n)
	case reflect.Float64:
		var x float64
		if x, err = strconv.ParseFloat(text, 64); err != nil {
			return wanted("a number", err)
		}
		v.SetFloat(x)
	default:
		panic(fmt.Sprintf("cli: option -%s: a field of type %v", o.Name, v.Type()))
	}
	return nil
}

// wanted says what a text that is no number, or one that has no room, should have been.
func wanted(what string, err error) error {
	if errors.Is(err, strconv.ErrRange) {
		return errors.New("the number is too large")
	}
	return errors.New(what + " is wanted")
}

// numbers reads numbers with commas between them.
func numbers(text string) ([]float64, error) {
	var list []float64
	for _, part := range strings.Split(text, ",") {
		x, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not a number", part)
		}
		list = append(list, x)
	}
	return list, nil
}

// A Setting is what the user wants an option to be.
type Setting struct {
	Option Option
	Text   string
	file   string // where it stands; "": on the command line
}

func (s Setting) String() string {
	if s.file != "" {
		return fmt.Sprintf("%s (in %s)", s.Option.Name, s.file)
	}
	return "-" + s.Option.Name
}

// Settings are in the order in which they are made: the file's, then the command line's, which count.
type Settings []Setting

// Value returns what the user has written for an option.
func (s Settings) Value(name string) (text string, ok bool) {
	for _, x := range s {
		if x.Option.Name == name {
			text, ok = x.Text, true
		}
	}
	return text, ok
}

// Has reports whether the user has set any of these options.
func (s Settings) Has(names ...string) bool {
	return slices.ContainsFunc(s, func(x Setting) bool { return slices.Contains(names, x.Option.Name) })
}

// Apply makes the settings in a configuration, to which config points. All have been tried on one of its type.
func (s Settings) Apply(config any) {
	seen := map[string]bool{}
	for _, x := range s {
		if v := x.Option.In(config); v.Kind() == reflect.Slice && !seen[x.Option.Name] {
			v.SetZero() // a list is what the user names, not that and what was there
		}
		seen[x.Option.Name] = true
		if err := x.Option.set(config, x.Text); err != nil {
			panic(fmt.Sprintf("cli: %v: %v", x, err))
		}
	}
}

// Parse reads a program's command line, and the file of -config if that is an option. With -help the error is flag.ErrHelp; the
// settings are those beside it, and Help is the program's to call, with a configuration that has what it sets by itself.
func (d *Description) Parse(args []string) (Settings, error) {
	fs := flag.NewFlagSet(d.program, flag.ContinueOnError)
	var line Settings
	var bad error
	for _, o := range d.Options {
		fs.Var(recorder{d.kind(o), func(text string) error {
			if err := d.try(o, text); err != nil {
				bad = fmt.Errorf("%s: -%s %s: %w (-help lists the options)", d.program, o.Name, text, err)
				return bad
			}
			line = append(line, Setting{Option: o, Text: text})
			return nil
		}}, o.Name, o.Help)
	}
	rest := slices.DeleteFunc(slices.Clone(args), func(s string) bool { return slices.Contains([]string{"-h", "-help", "--help"}, s) })
	if err := Parse(fs, rest); err != nil {
		return nil, cmp.Or(bad, err)
	}
	all := line
	if path, ok := line.Value("config"); ok {
		file, err := d.file(path)
		if err != nil {
			return nil, fmt.Errorf("%s: -config %s: %w", d.program, path, err)
		}
		all = append(slices.DeleteFunc(file, func(s Setting) bool { return line.Has(s.Option.Name) }), line...)
	}
	if len(rest) < len(args) {
		return all, flag.ErrHelp
	}
	return all, nil
}

// try says what is wrong with a value.
func (d *Description) try(o Option, text string) error {
	return o.set(reflect.New(d.config).Interface(), text)
}

func (d *Description) kind(o Option) reflect.Kind { return d.config.FieldByIndex(o.field).Type.Kind() }

// A recorder is an option as package flag wants it.
type recorder struct {
	kind   reflect.Kind
	record func(text string) error
}

func (r recorder) String() string        { return "" }
func (r recorder) Set(text string) error { return r.record(text) }
func (r recorder) IsBoolFlag() bool      { return r.kind == reflect.Bool }

// file reads the settings of a TOML file: a line for each, NAME = VALUE.
func (d *Description) file(path string) (Settings, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, err
	}
	values := map[string]any{}
	meta, err := toml.Decode(text, &values)
	if err != nil {
		return nil, err
	}
	var names []string // of options that a file can set
	for _, o := range d.Options {
		if o.Name != "config" {
			names = append(names, o.Name)
		}
	}
	var all Settings
	for _, key := range meta.Keys() {
		name := key[0]
		if isTable(values[name]) {
			return nil, fmt.Errorf("[%s] is a table: options stand in none, write NAME = VALUE without it", name)
		}
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("there is no option %s%s", key, guess(name, names))
		}
		o := d.Options[slices.IndexFunc(d.Options, func(o Option) bool { return o.Name == name })]
		texts, err := d.texts(o, values[name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for _, text := range texts {
			if err := d.try(o, text); err != nil {
				return nil, fmt.Errorf("%s = %s: %w", name, text, err)
			}
			all = append(all, Setting{o, text, path})
		}
	}
	return all, nil
}

// maxFile is far more than all options take; /dev/zero has no end.
const maxFile = 1 << 20

func readFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("it is longer than %d bytes; name a file with lines such as batch = 16", maxFile)
	}
	return string(text), err
}

func isTable(value any) bool {
	switch value.(type) {
	case map[string]any, []map[string]any:
		return true
	}
	return false
}

// texts are a file's value as the command line has it: a list is repeated or has commas, as the option wants it.
func (d *Description) texts(o Option, value any) ([]string, error) {
	switch v := value.(type) {
	case string, bool, int64:
		return []string{fmt.Sprint(v)}, nil
	case float64:
		return []string{strconv.FormatFloat(v, 'g', -1, 64)}, nil
	case []any:
		var list []string
		for _, part := range v {
			text, err := d.texts(o, part)
			if err != nil {
				return nil, err
			}
			list = append(list, text...)
		}
		if d.kind(o) == reflect.Slice && d.config.FieldByIndex(o.field).Type.Elem().Kind() == reflect.String {
			return list, nil
		}
		return []string{strings.Join(list, ",")}, nil
	}
	return nil, errors.New("a number, a text in quotes, true, false or a list of these is wanted")
}

// Help lists the options, each with the value that config, a pointer, has.
func (d *Description) Help(out io.Writer, config any) {
	fmt.Fprintf(out, "usage: go run ./%s [options]\n", d.program)
	for _, o := range d.Options {
		fmt.Fprintf(out, "  -%s%s\n        %s\n", o.Name, d.value(o, config), o.Help)
	}
}

// value is what -help shows behind an option's name: its value, or else what kind of value it takes.
func (d *Description) value(o Option, config any) string {
	v := o.In(config)
	switch {
	case v.Kind() == reflect.Bool && !v.Bool():
		return ""
	case v.Kind() == reflect.Bool:
		return "=true"
	case !v.IsZero():
		if text, ok := v.Addr().Interface().(fmt.Stringer); ok {
			return " " + text.String()
		}
		if v.Kind() == reflect.Slice {
			return " " + strings.ReplaceAll(strings.Trim(fmt.Sprint(v.Interface()), "[]"), " ", ",")
		}
		return " " + fmt.Sprint(v.Interface())
	case v.Kind() == reflect.String || v.Kind() == reflect.Slice:
		return " TEXT"
	}
	return " NUMBER"
}
