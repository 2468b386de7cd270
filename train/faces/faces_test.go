// SPDX-License-Identifier: MIT

package faces

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"image"
	"math"
	"slices"
	"sync"
	"testing"
)

func TestSameSeedSameBytes(t *testing.T) {
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Add(1)
		go func() { // at once, and not in order
			defer wg.Done()
			a, attrA := Draw(7, i, 32)
			b, attrB := Draw(7, i, 32)
			if !bytes.Equal(a.Pix, b.Pix) || attrA != attrB {
				t.Errorf("portrait %d differs between two draws", i)
			}
			if got := Describe(7, i); got != attrA {
				t.Errorf("Describe(7, %d) = %v, Draw says %v", i, got, attrA)
			}
		}()
	}
	wg.Wait()
}

// TestGolden fails when the data set changes, on purpose or because a machine
// computes it differently. After a change on purpose, paste the new sum.
func TestGolden(t *testing.T) {
	const want = "f8e284c700f36921"
	h := sha256.New()
	for i := range 64 {
		for _, size := range []int{32, 64} {
			m, a := Draw(1, i, size)
			h.Write(m.Pix)
			fmt.Fprintln(h, a)
		}
	}
	m, _ := Draw(1, 64, 600) // more than one tile
	h.Write(m.Pix)
	if got := fmt.Sprintf("%x", h.Sum(nil)[:8]); got != want {
		t.Errorf("portraits of seed 1 hash to %s, want %s", got, want)
	}
}

func TestSizes(t *testing.T) {
	for _, size := range []int{8, 9, 16, 31, 32, 64, 100, 257, 513} {
		m, a := Draw(3, 5, size)
		if m.Rect != image.Rect(0, 0, size, size) {
			t.Errorf("size %d: bounds %v", size, m.Rect)
		}
		for i := 3; i < len(m.Pix); i += 4 {
			if m.Pix[i] != 255 {
				t.Fatalf("size %d: pixel %d is not opaque: alpha %d", size, i/4, m.Pix[i])
			}
		}
		if a != Describe(3, 5) {
			t.Errorf("size %d changes the attributes", size)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("size 7 did not panic")
		}
	}()
	Draw(3, 5, 7)
}

// TestDownscale checks that size only sets the resolution: a portrait drawn
// large and averaged is the one drawn small, but for edge pixels where two
// shapes meet (coverage of the same edge is blended more than once). 1024 px
// also crosses the rasterizer's tiles.
func TestDownscale(t *testing.T) {
	for _, c := range []struct{ big, small, n int }{{256, 32, 60}, {1024, 128, 4}} {
		k := c.big / c.small
		var total float64
		for i := range c.n {
			a, _ := Draw(11, i, c.big)
			b, _ := Draw(11, i, c.small)
			var sum, sq float64
			for y := range c.small {
				for x := range c.small {
					for ch := range 3 {
						var s int
						for j := range k * k {
							s += int(a.Pix[(y*k+j/k)*a.Stride+(x*k+j%k)*4+ch])
						}
						d := float64(s)/float64(k*k) - float64(b.Pix[y*b.Stride+x*4+ch])
						sum += d
						sq += d * d
					}
				}
			}
			m := float64(c.small * c.small * 3)
			rms := math.Sqrt(sq / m)
			total += rms
			if math.Abs(sum/m) > 1 || rms > 9 {
				t.Errorf("portrait %d: %d px averaged to %d is off by %.2f in the mean, %.2f rms (of 255)", i, c.big, c.small, sum/m, rms)
			}
		}
		t.Logf("%d to %d px: mean rms difference %.2f of 255", c.big, c.small, total/float64(c.n))
	}
}

func TestAllValuesOccur(t *testing.T) {
	const n = 5000
	names := AttributeNames()
	for _, name := range names {
		counts := make([]int, len(AttributeValues(name)))
		for i := range n {
			v, ok := Describe(1, i).Value(name)
			if !ok || v < 0 || v >= len(counts) {
				t.Fatalf("%s of portrait %d: value %d, %v; there are %d", name, i, v, ok, len(counts))
			}
			counts[v]++
		}
		for v, c := range counts {
			if c < n/50 { // a class that a model is to learn needs 2 %
				t.Errorf("%s=%s occurs %d times in %d", name, AttributeValues(name)[v], c, n)
			}
		}
		t.Log(name, AttributeValues(name), counts)
	}
	if u := slices.Compact(slices.Sorted(slices.Values(names))); len(u) != len(names) {
		t.Errorf("a name occurs twice in %v", names)
	}
	if _, ok := (Attributes{}).Value("no such"); ok || AttributeValues("no such") != nil {
		t.Error("an unknown attribute has values")
	}
}

// TestLabels asks that a label says something by itself, and that no two of an attribute are one.
func TestLabels(t *testing.T) {
	for _, name := range AttributeNames() {
		labels, values := AttributeLabels(name), AttributeValues(name)
		if u := slices.Compact(slices.Sorted(slices.Values(labels))); len(u) != len(values) {
			t.Errorf("%s: labels %v for values %v", name, labels, values)
		}
		for _, l := range labels {
			if l == "" || l == "yes" || l == "no" || l == "none" {
				t.Errorf("%s: label %q", name, l)
			}
		}
	}
	for name, want := range map[string]string{"Hat": "no Hat", "Lashes": "not Lashes", "Expression": "neutral"} {
		if got := AttributeLabels(name)[0]; got != want {
			t.Errorf("%s: the first label is %q, want %q", name, got, want)
		}
	}
	if AttributeLabels("no such") != nil {
		t.Error("an unknown attribute has labels")
	}
}

// TestVisible draws one portrait with each value of each attribute in turn and
// asks that no two values look the same, or the labels would be empty words.
func TestVisible(t *testing.T) {
	f := sample(1, 3)
	f.Attributes = Attributes{Skin: SkinTan, Expression: Smile}
	draw := func(a Attributes) []byte {
		g := f
		g.Attributes = a
		g.skin, g.hair, g.iris = skins[a.Skin], hairColors[a.HairColor], irises[a.EyeColor]
		g.setShape()
		p := newPainter(32)
		g.paint(p)
		return p.dst.Pix
	}
	base := f.Attributes
	change := func(name string, n int, set func(a *Attributes, v int)) {
		seen := map[string]int{}
		for v := range n {
			a := base
			set(&a, v)
			pix := string(draw(a))
			if w, ok := seen[pix]; ok {
				t.Errorf("%s: values %d and %d look the same at 32 px", name, w, v)
			}
			seen[pix] = v
		}
	}
	change("Skin", len(AttributeValues("Skin")), func(a *Attributes, v int) { a.Skin = Skin(v) })
	change("FaceShape", len(AttributeValues("FaceShape")), func(a *Attributes, v int) { a.FaceShape = FaceShape(v) })
	change("Hair", len(AttributeValues("Hair")), func(a *Attributes, v int) { a.Hair = Hair(v) })
	change("HairColor", len(AttributeValues("HairColor")), func(a *Attributes, v int) { a.HairColor = HairColor(v) })
	change("EyeColor", len(AttributeValues("EyeColor")), func(a *Attributes, v int) { a.EyeColor = EyeColor(v) })
	change("EyesClosed", 2, func(a *Attributes, v int) { a.EyesClosed = v == 1 })
	change("Lashes", 2, func(a *Attributes, v int) { a.Lashes = v == 1 })
	change("Expression", len(AttributeValues("Expression")), func(a *Attributes, v int) { a.Expression = Expression(v) })
	change("Glasses", len(AttributeValues("Glasses")), func(a *Attributes, v int) { a.Glasses = Glasses(v) })
	change("Hat", len(AttributeValues("Hat")), func(a *Attributes, v int) { a.Hat = Hat(v) })
	change("Beard", len(AttributeValues("Beard")), func(a *Attributes, v int) { a.Beard = Beard(v) })
	change("Earrings", 2, func(a *Attributes, v int) { a.Earrings = v == 1 })
	change("Clothes", len(AttributeValues("Clothes")), func(a *Attributes, v int) { a.Clothes = Clothes(v) })
	change("Background", len(AttributeValues("Background")), func(a *Attributes, v int) { a.Background = Background(v) })
}

// TestVaried checks the statistics of the set: no two portraits alike, seeds
// and indices unrelated, contrast in every picture, and a mean picture that is
// balanced left to right, as horizontal flips assume.
func TestVaried(t *testing.T) {
	const n, size = 800, 32
	seen := map[string]int{}
	mean := make([]float64, size*size*3)
	var spread float64
	for i := range n {
		m, _ := Draw(2, i, size)
		if j, ok := seen[string(m.Pix)]; ok {
			t.Errorf("portraits %d and %d are the same", j, i)
		}
		seen[string(m.Pix)] = i
		var s, q float64
		for j := range size * size {
			for c := range 3 {
				v := float64(m.Pix[j*4+c])
				mean[j*3+c] += v / n
				s += v
				q += v * v
			}
		}
		k := float64(size * size * 3)
		sd := math.Sqrt(q/k - s/k*s/k)
		spread += sd / n
		if sd < 25 {
			t.Errorf("portrait %d has little contrast: standard deviation %.1f of 255", i, sd)
		}
	}
	other, _ := Draw(3, 0, size)
	if _, ok := seen[string(other.Pix)]; ok {
		t.Error("seeds 2 and 3 share a portrait")
	}
	var lopsided float64
	for y := range size {
		for x := range size / 2 {
			for c := range 3 {
				l, r := mean[(y*size+x)*3+c], mean[(y*size+size-1-x)*3+c]
				lopsided = max(lopsided, math.Abs(l-r))
			}
		}
	}
	if lopsided > 15 {
		t.Errorf("the mean portrait differs from its mirror image by %.1f of 255", lopsided)
	}
	t.Logf("contrast %.1f, mean picture off its mirror image by at most %.1f", spread, lopsided)
}

// TestNeighbours checks that the index is mixed well: whether two portraits
// agree on an attribute does not depend on how near their indices are.
func TestNeighbours(t *testing.T) {
	const n = 4000
	agree := func(step int) float64 {
		same := 0
		for i := range n {
			if Describe(5, i).Skin == Describe(5, i+step).Skin {
				same++
			}
		}
		return float64(same) / n
	}
	for _, step := range []int{1, 2, 16, 1024, 1 << 20} {
		// Six skins of nearly equal odds agree 1 time in 6; sigma is 0.006.
		if p := agree(step); p < 0.14 || p > 0.2 {
			t.Errorf("portraits %d apart share their skin with odds %.3f, want about 0.168", step, p)
		}
	}
}

func BenchmarkDraw(b *testing.B) {
	for _, size := range []int{32, 64, 256} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				Draw(1, i, size)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "portraits/s")
		})
	}
}

func ExampleDraw() {
	m, a := Draw(1, 0, 32)
	fmt.Println(m.Rect.Dx(), AttributeValues("Expression")[a.Expression], a.Smiling())
	// Output: 32 surprised false
}
