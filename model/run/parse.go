// SPDX-License-Identifier: MIT

package run

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"strings"

	"jitvk/engine"
	"jitvk/kernels/tune"
	"jitvk/model"
	"jitvk/model/cli"
)

var options = cli.Describe("train", Config{})

// Parse reads the command line: first comes what the preset says, then the file of -config, then the options. It opens no device
// unless the preset must be chosen by it. -help prints the options, with the preset's values, and gives flag.ErrHelp.
func Parse(args []string) (Config, error) {
	settings, err := options.Parse(args)
	help := errors.Is(err, flag.ErrHelp)
	if err != nil && !help {
		return Config{}, err
	}
	if from, ok := settings.Value("resume"); ok && !help {
		return resumed(from, settings)
	}
	p, err := choose(settings)
	if err != nil {
		return Config{}, err
	}
	c := p.config()
	c.Tune = tune.Auto
	settings.Apply(&c)
	c.follow(p, settings)
	settings.Apply(&c) // what the user names goes before what follows
	if help {
		options.Help(os.Stdout, &c)
		fmt.Printf("\nThe values shown are those of preset %s; -preset NAME -help shows another's. There is %s.\n", p.name,
			strings.Join(Presets(), ", "))
		return c, flag.ErrHelp
	}
	return c, c.Validate()
}

// choose finds the preset that the user names, or that the device suits.
func choose(settings cli.Settings) (preset, error) {
	if name, ok := settings.Value("preset"); ok {
		return find(name)
	}
	device, _ := settings.Value("device")
	d, err := engine.Open(engine.Options{Select: device, DryRun: true}) // only looks
	if err != nil {
		return preset{}, err
	}
	defer d.Close()
	return find(DefaultPreset(d.Info()))
}

// follow sets what follows from the user's settings, which c has.
func (c *Config) follow(p preset, settings cli.Settings) {
	if settings.Has("size", "patch") {
		c.Model.Stride = stride(c.Model, float64(p.model.Stride)/float64(p.model.Patch))
	}
	if settings.Has("dim") { // the hidden width keeps the preset's ratio, in multiples of 8
		c.Model.Hidden = int(math.Ceil(float64(p.model.Hidden)*float64(c.Model.Dim)/float64(p.model.Dim)/8)) * 8
	}
	if p.follow != nil {
		p.follow(c)
	}
}

// stride returns the stride that tiles the image with overlaps of at most half a patch and comes nearest to a share of the
// patch: the preset's, where -size or -patch change what tiles. Without such a stride it is that share, for Validate to refuse.
func stride(m model.Config, share float64) int {
	want := share * float64(m.Patch)
	best := max(int(want), 1)
	if m.Patch > m.Size || m.Size > 4096 {
		return best
	}
	off := math.Inf(1)
	for s := m.Patch; 2*s >= m.Patch && s > 0; s-- {
		if d := math.Abs(float64(s) - want); (m.Size-m.Patch)%s == 0 && d < off {
			best, off = s, d
		}
	}
	return best
}
