// SPDX-License-Identifier: MIT

package faces

import "math/rand/v2"

// portrait is everything that is decided before anything is drawn. Lengths are
// design units, for a head about 58 wide and 64 high around the origin.
type portrait struct {
	Attributes

	// Pose: of the whole figure, then of the head.
	shiftX, shiftY, zoom float64
	tilt                 float64 // radians
	turn, nod            float64 // features slide on the head, units
	side                 float64 // where one-sided things are: -1 or 1

	// Head: half width, and the two control points that shape the jaw.
	w, jawX, jawY, chin float64

	eyeX, eyeRX, eyeRY     float64
	gazeX, gazeY           float64
	browThick, browTilt    float64
	noseKind               int
	mouthW                 float64
	skin, hair, iris       rgb
	back0, back1           rgb
	cloth, cloth1          rgb
	hatColor, hatColor1    rgb
	frame, shades, earring rgb
}

var skins = [...]rgb{
	{255, 223, 200}, {250, 204, 166}, {228, 172, 124}, {198, 134, 86}, {156, 100, 66}, {116, 72, 54},
}

var hairColors = [...]rgb{
	{40, 34, 46}, {96, 56, 36}, {212, 96, 36}, {244, 200, 96}, {146, 150, 162}, {244, 242, 238}, {240, 110, 168}, {70, 112, 220},
}

var irises = [...]rgb{{104, 60, 32}, {40, 122, 214}, {48, 146, 84}, {104, 118, 132}}

// backgrounds are pairs, a lighter and a deeper tone.
var backgrounds = [...][2]rgb{
	{{158, 212, 244}, {104, 172, 230}}, // sky
	{{176, 230, 204}, {112, 196, 166}}, // mint
	{{206, 190, 244}, {158, 138, 218}}, // lilac
	{{255, 168, 150}, {240, 122, 116}}, // coral
	{{252, 220, 126}, {240, 184, 76}},  // mustard
	{{84, 180, 182}, {44, 140, 152}},   // teal
	{{74, 96, 152}, {48, 64, 112}},     // navy
	{{252, 200, 216}, {238, 150, 182}}, // rose
	{{142, 160, 184}, {104, 122, 150}}, // slate
	{{164, 206, 124}, {112, 168, 96}},  // leaf
}

var cloths = [...]rgb{
	{214, 64, 66}, {58, 100, 194}, {56, 146, 100}, {246, 198, 70}, {246, 246, 242}, {58, 60, 74}, {126, 84, 174}, {240, 134, 58},
}

var frames = [...]rgb{{36, 32, 44}, {130, 50, 40}, {40, 70, 150}, {214, 60, 70}}

// dice is a seeded source with the draws that sampling needs.
type dice struct{ *rand.Rand }

// newDice mixes seed and index (splitmix64) so that neighbours share nothing.
func newDice(seed uint64, index int) dice {
	mix := func(x uint64) uint64 {
		x += 0x9e3779b97f4a7c15
		x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
		x = (x ^ x>>27) * 0x94d049bb133111eb
		return x ^ x>>31
	}
	return dice{rand.New(rand.NewPCG(mix(seed), mix(mix(seed)^uint64(index))))}
}

// pick draws an index with odds proportional to the weights.
func (d dice) pick(weights ...int) int {
	sum := 0
	for _, w := range weights {
		sum += w
	}
	n := d.IntN(sum)
	for i, w := range weights {
		if n -= w; n < 0 {
			return i
		}
	}
	panic("unreachable")
}

// percent is true p times in a hundred.
func (d dice) percent(p int) bool { return d.IntN(100) < p }

// between is uniform in [a, b].
func (d dice) between(a, b float64) float64 { return a + float64(d.Float64()*(b-a)) }

// apart draws from n colours until one is far enough from all others, and
// settles for the farthest after a few tries.
func (d dice) apart(n int, color func(i int) rgb, others ...rgb) int {
	const enough, tries = 170, 8
	best, far := 0, -1
	for range tries {
		i := d.IntN(n)
		least := 1 << 20
		for _, o := range others {
			least = min(least, color(i).distance(o))
		}
		if least > far {
			best, far = i, least
		}
		if far >= enough {
			break
		}
	}
	return best
}

// sample decides a portrait.
func sample(seed uint64, index int) portrait {
	d := newDice(seed, index)
	var f portrait

	f.Skin = Skin(d.pick(16, 20, 18, 16, 16, 14))
	f.FaceShape = FaceShape(d.pick(26, 20, 18, 18, 18))
	f.HairColor = HairColor(d.pick(22, 22, 14, 18, 7, 6, 6, 5))
	for hairColors[f.HairColor].distance(skins[f.Skin]) < 120 { // or the face is lost in the hair
		f.HairColor = HairColor(d.pick(30, 20, 14, 14, 7, 6, 6, 5))
	}
	f.EyeColor = EyeColor(d.pick(40, 24, 22, 14))
	f.Expression = Expression(d.pick(20, 32, 22, 12, 14))
	f.Glasses = Glasses(d.pick(64, 14, 12, 10))
	f.Hat = Hat(d.pick(66, 9, 9, 6, 5, 5))
	f.Clothes = Clothes(d.pick(28, 18, 20, 16, 18))
	f.Background = Background(d.pick(30, 26, 24, 20))

	// A hat leaves only the styles that show beneath it.
	//                       bald buzz short part spiky mohawk curly fringe long bun pony pigtails
	if f.Hat == HatNone {
		f.Hair = Hair(d.pick(8, 6, 10, 11, 8, 5, 11, 10, 12, 8, 7, 6))
	} else {
		f.Hair = Hair(d.pick(8, 8, 22, 0, 0, 0, 14, 14, 18, 0, 8, 10))
	}
	lashes := 25 // percent
	switch f.Hair {
	case HairBald, HairBuzz, HairShort, HairMohawk:
		lashes = 8
	case HairFringe, HairLong, HairBun, HairPonytail, HairPigtails:
		lashes = 62
	}
	f.Lashes = d.percent(lashes)
	if !f.Lashes {
		f.Beard = Beard(d.pick(62, 12, 8, 18))
	}
	if f.Glasses != GlassesSun {
		f.EyesClosed = d.percent(4) || f.Expression == Laugh && d.percent(30)
	}
	earrings := 10
	if f.Lashes {
		earrings = 45
	}
	if f.Hair == HairLong || f.Hair == HairFringe || f.Hair == HairPigtails {
		earrings = 0 // the ears are covered
	}
	f.Earrings = d.percent(earrings)

	f.shiftX, f.shiftY = d.between(-2.5, 2.5), d.between(-2, 2)
	f.zoom = d.between(1.06, 1.15)
	f.tilt = d.between(-0.09, 0.09)
	f.turn, f.nod = d.between(-2.5, 2.5), d.between(-1.5, 1.5)
	f.side = 1
	if d.percent(50) {
		f.side = -1
	}

	f.setShape()
	f.w += d.between(-0.8, 0.8)
	f.chin += d.between(-0.8, 0.8)

	f.eyeX = d.between(12.3, 13.8)
	f.eyeRX = d.between(6.8, 7.8)
	f.eyeRY = float64(f.eyeRX * d.between(0.98, 1.16))
	f.gazeX, f.gazeY = d.between(-1, 1), d.between(-1, 1)
	f.browThick = d.between(2.8, 4.2)
	f.browTilt = d.between(-0.4, 1.4)
	f.noseKind = d.IntN(3)
	f.mouthW = d.between(9, 12)

	f.skin, f.hair, f.iris = skins[f.Skin], hairColors[f.HairColor], irises[f.EyeColor]
	shade := d.IntN(40) // no two heads of quite the same colour
	f.hair = f.hair.darker(shade)
	f.skin = f.skin.darker(d.IntN(20))

	b := d.apart(len(backgrounds), func(i int) rgb { return backgrounds[i][0].mix(backgrounds[i][1], 128) }, f.skin, f.hair)
	f.back0, f.back1 = backgrounds[b][0], backgrounds[b][1]
	if d.percent(50) {
		f.back0, f.back1 = f.back1, f.back0
	}
	back := f.back0.mix(f.back1, 128)
	cloth := func(i int) rgb { return cloths[i] }
	f.cloth = cloths[d.apart(len(cloths), cloth, back, f.skin)]
	f.cloth1 = cloths[d.apart(len(cloths), cloth, f.cloth, f.skin)]
	f.hatColor = cloths[d.apart(len(cloths), cloth, back, f.hair, f.skin)]
	f.hatColor1 = cloths[d.apart(len(cloths), cloth, f.hatColor, back)]
	f.frame = frames[d.pick(50, 18, 16, 16)]
	f.shades = []rgb{{30, 30, 44}, {40, 44, 84}, {92, 40, 52}}[d.IntN(3)]
	f.earring = []rgb{{252, 214, 90}, {240, 244, 250}, {230, 70, 110}}[d.IntN(3)]
	return f
}

// setShape sets the measures of the head to those of its shape.
func (f *portrait) setShape() {
	f.w, f.jawX, f.jawY, f.chin = 28, 15, 20, 34
	switch f.FaceShape {
	case FaceRound:
		f.w, f.jawX, f.jawY, f.chin = 30, 19, 22, 33
	case FaceSquare:
		f.w, f.jawX, f.jawY, f.chin = 28, 20, 28, 34
	case FaceHeart:
		f.w, f.jawX, f.jawY, f.chin = 29, 12, 17, 35.5
	case FaceLong:
		f.w, f.jawX, f.jawY, f.chin = 26, 16, 24, 37
	}
}
