// SPDX-License-Identifier: MIT

package model

import (
	"fmt"
	"math"
	"strings"
)

// Config is a model's shape and what is fixed about its training: everything that must agree between a checkpoint and
// the program that loads it. A field with the tag help is an option of training (cli.Option).
type Config struct {
	Preset string `json:"preset" help:"model and recipe, which other options change (default quick on a CPU driver, faces64 on a GPU)"`
	Size   int    `json:"size" help:"side of the pictures, pixels"` // ImgH = ImgW
	Patch  int    `json:"patch" help:"side of a patch, pixels"`     // P
	Stride int    `json:"stride" help:"pixels from patch to patch; less than -patch makes patches overlap"`
	Dim    int    `json:"dim" help:"width of the transformer"` // C
	Depth  int    `json:"depth" help:"blocks of the transformer"`
	Heads  int    `json:"heads" help:"attention heads"` // H; the head size is Dim/Heads
	Hidden int    `json:"hidden"`                       // F, hidden width of the SwiGLU

	Norm       string  `json:"norm" of:"rms,derf" help:"in blocks and of queries and keys"`
	TimeDim    int     `json:"time_dim"`    // E, width of the time embedding that is joined to every patch
	TimeHidden int     `json:"time_hidden"` // hidden width of its MLP
	TimeScale  float64 `json:"time_scale"`  // tau is multiplied by this before it is embedded
	RoPEBase   float64 `json:"rope_base"`
	ValueFirst bool    `json:"value_first"` // SwiGLU's fused weight holds (value, gate) rather than (gate, value)
	// weight of a pixel in its patch where patches overlap: "hann" (the post's; 0 at the edge), "sine"
	Window     string `json:"window"`
	ZeroOutput bool   `json:"zero_output"` // the last layer starts at zero, so that the first prediction is a grey image

	Arch         string  `json:"arch"`                    // "post": the blog post's network; "jit": the paper's (adaLN-Zero, class labels)
	Classes      int     `json:"classes,omitempty"`       // labels 0 to Classes-1, and Classes for "none"; 0: the model knows no classes
	Bottleneck   int     `json:"bottleneck,omitempty"`    // jit: width between the two layers of the patch embedding
	Context      int     `json:"context,omitempty"`       // jit: in-context class tokens, put before the patches'
	ContextStart int     `json:"context_start,omitempty"` // jit: the first block that sees them
	Dropout      float64 `json:"dropout,omitempty"`       // jit: in the middle half of the blocks
	LabelDrop    float64 `json:"label_drop,omitempty"`    // share of labels replaced by "none" in training, for guidance

	Predict    string  `json:"predict" of:"x,eps,v" help:"what the network predicts: the image, the noise or the velocity"`
	Loss       string  `json:"loss" of:"x,eps,v" help:"in which of them the error is squared"`
	NoiseScale float64 `json:"noise_scale" help:"standard deviation of the noise"` // Size/256 in the paper, 1 in the post

	Mu    float64 `json:"mu" help:"mean of logit(tau) in training"` // before the shift
	Sigma float64 `json:"sigma"`                                    // its standard deviation
	Shift bool    `json:"shift" help:"shift that mean by -ln(size/256), the post's resolution shift; ruins small pictures"`
}

// TauClamp is the least 1 - tau that the velocity divides by (JiT, arXiv 2511.13720, section 4.3).
const TauClamp = 0.05

// normEps is the eps of every RMSNorm (official JiT code).
const normEps = 1e-6

// Defaults is what presets share unless they say otherwise, and what fields mean that an older checkpoint does not have.
func Defaults() Config {
	return Config{Arch: "post", Norm: "rms", TimeDim: 64, TimeHidden: 256, TimeScale: 1000, RoPEBase: 20000, Window: "sine",
		ZeroOutput: true,
		Predict:    "x", Loss: "v", NoiseScale: 1,
		Mu: -0.8, Sigma: 0.8}
}

// Validate says what is impossible about the configuration and which values would do.
func (c Config) Validate() error {
	for _, v := range []struct {
		name  string
		value int
	}{{"-size", c.Size}, {"-patch", c.Patch}, {"-stride", c.Stride}, {"-dim", c.Dim}, {"-depth", c.Depth}, {"-heads", c.Heads},
		{"hidden", c.Hidden}} {
		if v.value < 1 {
			return fmt.Errorf("model: %s %d: it must be at least 1", v.name, v.value)
		}
	}
	switch {
	case c.Dim > 1<<16: // this and the next would take for ever to look at before they are found to be too large
		return fmt.Errorf("model: -dim %d: at most %d", c.Dim, 1<<16)
	case c.Depth > 1000:
		return fmt.Errorf("model: -depth %d: at most 1000 blocks", c.Depth)
	case c.Size > 4096:
		return fmt.Errorf("model: -size %d: images of up to 4096 pixels are supported", c.Size)
	case c.Patch > c.Size:
		return fmt.Errorf("model: -patch %d is larger than the image (-size %d)", c.Patch, c.Size)
	case c.Stride > c.Patch:
		return fmt.Errorf("model: -stride %d is larger than -patch %d: pixels between the patches would never be seen; use at most %d",
			c.Stride, c.Patch, c.Patch)
	case (c.Size-c.Patch)%c.Stride != 0:
		var ok []int
		for s := 1; s <= c.Patch; s++ {
			if (c.Size-c.Patch)%s == 0 {
				ok = append(ok, s)
			}
		}
		return fmt.Errorf("model: -stride %d does not tile %d pixels with patches of %d (%d - %d is not a multiple of it); strides that "+
			"do: %s", c.Stride, c.Size, c.Patch, c.Size, c.Patch, list(ok))
	case c.Dim%c.Heads != 0 || !headSizeOK(c.Dim/c.Heads):
		var ok []int
		for h := 1; h <= c.Dim; h++ {
			if c.Dim%h == 0 && headSizeOK(c.Dim/h) {
				ok = append(ok, h)
			}
		}
		if len(ok) == 0 {
			return fmt.Errorf("model: -dim %d: no number of heads gives a head size that is a multiple of 8 and at most 128; use a "+
				"multiple of 8, such as %d", c.Dim, (c.Dim+63)/64*64)
		}
		return fmt.Errorf("model: -heads %d does not cut -dim %d into head sizes that are multiples of 8 and at most 128; numbers of "+
			"heads that do: %s", c.Heads, c.Dim, list(ok))
	case c.Arch != "post" && c.Arch != "jit":
		return fmt.Errorf("model: architecture %q: it is post or jit", c.Arch)
	case c.Arch == "post" && (c.Classes != 0 || c.Bottleneck != 0 || c.Context != 0 || c.Dropout != 0 || c.LabelDrop != 0):
		return fmt.Errorf("model: the post's network knows no classes, bottleneck, in-context tokens or dropout; take a preset jit-…")
	case c.Arch == "jit" && (c.Norm != "rms" || c.ValueFirst || c.Bottleneck < 1 || c.Classes < 0 || c.Classes > 1<<20):
		return fmt.Errorf("model: the paper's network has RMSNorm, the gate before the value, a bottleneck of at least 1 and up to %d "+
			"classes", 1<<20)
	case c.Arch == "jit" && c.Dim%4 != 0:
		return fmt.Errorf("model: -dim %d: a multiple of 4 for the paper's positions; such as %d", c.Dim, (c.Dim+3)/4*4)
	case c.Context < 0 || c.Context > 1024 || c.ContextStart < 0 || c.Context > 0 && c.ContextStart >= c.Depth:
		return fmt.Errorf("model: %d in-context tokens from block %d of %d on: up to 1024, from one of the blocks 0 to %d", c.Context,
			c.ContextStart, c.Depth, c.Depth-1)
	case !(c.Dropout >= 0 && c.Dropout < 1) || !(c.LabelDrop >= 0 && c.LabelDrop <= 1):
		return fmt.Errorf("model: dropout %g and label drop %g: shares from 0 to 1", c.Dropout, c.LabelDrop)
	case !kinds[c.Predict] || !kinds[c.Loss]:
		return fmt.Errorf("model: -predict %q, -loss %q: each is x, eps or v", c.Predict, c.Loss)
	case !(c.NoiseScale >= 1e-3 && c.NoiseScale <= 1e3):
		return fmt.Errorf("model: -noise-scale %g: between 0.001 and 1000; the paper takes -size/256", c.NoiseScale)
	case c.Norm != "rms" && c.Norm != "derf":
		return fmt.Errorf("model: norm %q: it is rms or derf", c.Norm)
	case c.Window != "hann" && c.Window != "sine":
		return fmt.Errorf("model: window %q: it is hann or sine", c.Window)
	case !(c.Sigma >= 1e-3 && c.Sigma <= 1e3):
		return fmt.Errorf("model: sigma %g: between 0.001 and 1000", c.Sigma)
	case math.IsNaN(c.Mu) || math.Abs(c.Mu) > 20:
		return fmt.Errorf("model: -mu %g: it is the mean of logit(tau), between -20 and 20", c.Mu)
	case !(c.RoPEBase > 0) || math.IsInf(c.RoPEBase, 0) || math.IsNaN(c.TimeScale) || math.IsInf(c.TimeScale, 0):
		return fmt.Errorf("model: RoPE base %g and time scale %g: finite numbers, the first above 0", c.RoPEBase, c.TimeScale)
	case c.TimeDim < 2 || c.TimeDim%2 != 0 || c.TimeDim > 8192 || c.TimeHidden < 1:
		return fmt.Errorf("model: a time embedding of %d and %d: the first must be even and at most 8192", c.TimeDim, c.TimeHidden)
	case c.Tokens()*c.Dim > 1<<28: // tables of tokens are computed on the host, in a dry run too
		return fmt.Errorf("model: -size %d, -patch %d, -stride %d: %d tokens of width %d are too many; use a larger -patch and -stride "+
			"or a smaller -size", c.Size, c.Patch, c.Stride, c.Tokens(), c.Dim)
	}
	return nil
}

// kinds are what a network can predict and a loss can compare.
var kinds = map[string]bool{"x": true, "eps": true, "v": true}

// headSizeOK tells which head sizes the attention kernels and the two axes of RoPE take.
func headSizeOK(d int) bool { return d%8 == 0 && d <= 128 }

func list(n []int) string {
	return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(n)), ", "), "[]")
}

// Grid returns the number of patches along one side.
func (c Config) Grid() int { return (c.Size-c.Patch)/c.Stride + 1 }

// Tokens returns T, the number of patches of an image.
func (c Config) Tokens() int { return c.Grid() * c.Grid() }

// HeadSize returns D.
func (c Config) HeadSize() int { return c.Dim / c.Heads }

// PatchDim returns the number of values of a patch, 3PP.
func (c Config) PatchDim() int { return 3 * c.Patch * c.Patch }

// LogitMean returns the mean of logit(tau), with the resolution's shift where the configuration has it.
func (c Config) LogitMean() float64 {
	if c.Shift {
		return c.Mu - math.Log(float64(c.Size)/256)
	}
	return c.Mu
}

// Param describes one parameter tensor.
type Param struct {
	Name  string
	Shape []int
	init  func(r *normalSource, shape []int) float32
}

// Len returns the number of elements.
func (p Param) Len() int {
	n := 1
	for _, d := range p.Shape {
		n *= d
	}
	return n
}

// Params lists the model's parameters in the order in which they lie in memory. Weights are (out,in), as in PyTorch.
func (c Config) Params() []Param {
	if c.Arch == "jit" {
		return c.jitParams()
	}
	return c.postParams()
}

// ParamCount returns the number of trained parameters.
func (c Config) ParamCount() int {
	n := 0
	for _, p := range c.Params() {
		n += p.Len()
	}
	return n
}

// ForwardMACs returns the multiply-adds of one forward pass over one image: those of the matrix products and of
// attention, which is how the paper counts ("Gflops").
func (c Config) ForwardMACs() float64 {
	if c.Arch == "jit" {
		return c.jitMACs()
	}
	return c.postMACs()
}
