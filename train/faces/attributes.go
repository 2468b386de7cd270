// SPDX-License-Identifier: MIT

package faces

import "fmt"

// Attributes says what a portrait shows. A label can be seen in the picture: a
// hair style that a hat would hide is never drawn under one, and the hair
// colour of a bald head shows in the brows. Only the eye colour can be hidden,
// by sunglasses or closed eyes.
type Attributes struct {
	Skin       Skin
	FaceShape  FaceShape
	Hair       Hair
	HairColor  HairColor // of the brows and the beard too
	EyeColor   EyeColor
	EyesClosed bool // arcs instead of eyes
	Lashes     bool // lashes and lipstick
	Expression Expression
	Glasses    Glasses
	Hat        Hat
	Beard      Beard
	Earrings   bool
	Clothes    Clothes
	Background Background
}

// The values of the attributes.
type (
	Skin       uint8
	FaceShape  uint8
	Hair       uint8
	HairColor  uint8
	EyeColor   uint8
	Expression uint8
	Glasses    uint8
	Hat        uint8
	Beard      uint8
	Clothes    uint8
	Background uint8
)

const (
	SkinPale Skin = iota
	SkinLight
	SkinTan
	SkinBronze
	SkinBrown
	SkinDark
)

const (
	FaceOval FaceShape = iota
	FaceRound
	FaceSquare
	FaceHeart
	FaceLong
)

const (
	HairBald Hair = iota
	HairBuzz
	HairShort
	HairSidePart
	HairSpiky
	HairMohawk
	HairCurly
	HairFringe
	HairLong
	HairBun
	HairPonytail
	HairPigtails
)

const (
	HairBlack HairColor = iota
	HairBrown
	HairGinger
	HairBlonde
	HairGrey
	HairWhite
	HairPink
	HairBlue
)

const (
	EyesBrown EyeColor = iota
	EyesBlue
	EyesGreen
	EyesGrey
)

const (
	Neutral Expression = iota
	Smile
	Laugh
	Sad
	Surprised
)

const (
	GlassesNone Glasses = iota
	GlassesRound
	GlassesSquare
	GlassesSun
)

const (
	HatNone Hat = iota
	HatCap
	HatBeanie
	HatTop
	HatSun
	HatCrown
)

const (
	BeardNone Beard = iota
	BeardMoustache
	BeardGoatee
	BeardFull
)

const (
	ClothesCrew Clothes = iota
	ClothesVNeck
	ClothesShirt
	ClothesTurtleneck
	ClothesHoodie
)

const (
	BackgroundPlain Background = iota
	BackgroundGradient
	BackgroundDisc
	BackgroundHorizon
)

// Smiling is a smile or a laugh.
func (a Attributes) Smiling() bool { return a.Expression == Smile || a.Expression == Laugh }

// attribute is one row of the table by which portraits are labelled.
type attribute struct {
	name   string
	values []string
	get    func(a Attributes) int
}

var noYes = []string{"no", "yes"}

func yes(b bool) int {
	if b {
		return 1
	}
	return 0
}

var attributes = []attribute{
	{"Skin", []string{"pale", "light", "tan", "bronze", "brown", "dark"}, func(a Attributes) int { return int(a.Skin) }},
	{"FaceShape", []string{"oval", "round", "square", "heart", "long"}, func(a Attributes) int { return int(a.FaceShape) }},
	{"Hair", []string{"bald", "buzz", "short", "side-part", "spiky", "mohawk", "curly", "fringe", "long", "bun", "ponytail", "pigtails"},
		func(a Attributes) int { return int(a.Hair) }},
	{"HairColor", []string{"black", "brown", "ginger", "blonde", "grey", "white", "pink", "blue"},
		func(a Attributes) int { return int(a.HairColor) }},
	{"EyeColor", []string{"brown", "blue", "green", "grey"}, func(a Attributes) int { return int(a.EyeColor) }},
	{"EyesClosed", noYes, func(a Attributes) int { return yes(a.EyesClosed) }},
	{"Lashes", noYes, func(a Attributes) int { return yes(a.Lashes) }},
	{"Expression", []string{"neutral", "smile", "laugh", "sad", "surprised"}, func(a Attributes) int { return int(a.Expression) }},
	{"Glasses", []string{"none", "round", "square", "sun"}, func(a Attributes) int { return int(a.Glasses) }},
	{"Hat", []string{"none", "cap", "beanie", "top", "sun", "crown"}, func(a Attributes) int { return int(a.Hat) }},
	{"Beard", []string{"none", "moustache", "goatee", "full"}, func(a Attributes) int { return int(a.Beard) }},
	{"Earrings", noYes, func(a Attributes) int { return yes(a.Earrings) }},
	{"Clothes", []string{"crew", "v-neck", "shirt", "turtleneck", "hoodie"}, func(a Attributes) int { return int(a.Clothes) }},
	{"Background", []string{"plain", "gradient", "disc", "horizon"}, func(a Attributes) int { return int(a.Background) }},
	// Two-valued readings of the above, for labels with few classes.
	{"Smiling", noYes, func(a Attributes) int { return yes(a.Smiling()) }},
	{"WearingGlasses", noYes, func(a Attributes) int { return yes(a.Glasses != GlassesNone) }},
	{"WearingHat", noYes, func(a Attributes) int { return yes(a.Hat != HatNone) }},
	{"Bearded", noYes, func(a Attributes) int { return yes(a.Beard != BeardNone) }},
	{"Bald", noYes, func(a Attributes) int { return yes(a.Hair == HairBald) }},
}

// AttributeNames lists the names that Value and AttributeValues know.
func AttributeNames() []string {
	names := make([]string, len(attributes))
	for i, a := range attributes {
		names[i] = a.name
	}
	return names
}

// AttributeValues lists the values of an attribute, in the order of Value's
// numbers; nil for a name that is not an attribute's.
func AttributeValues(name string) []string {
	for _, a := range attributes {
		if a.name == name {
			return append([]string(nil), a.values...)
		}
	}
	return nil
}

// AttributeLabels lists the values of an attribute as they read where its name
// is not beside them: "not Lashes" and "Lashes", "no Hat" and "cap".
func AttributeLabels(name string) []string {
	labels := AttributeValues(name)
	for i, v := range labels {
		switch v {
		case "none":
			labels[i] = "no " + name
		case "no":
			labels[i] = "not " + name
		case "yes":
			labels[i] = name
		}
	}
	return labels
}

// Value returns the number of the portrait's value of an attribute, an index
// into AttributeValues(name); false for a name that is not an attribute's.
func (a Attributes) Value(name string) (int, bool) {
	for _, b := range attributes {
		if b.name == name {
			return b.get(a), true
		}
	}
	return 0, false
}

// String lists the attributes as name=value.
func (a Attributes) String() string {
	s := ""
	for i, b := range attributes {
		if i > 0 {
			s += " "
		}
		s += fmt.Sprintf("%s=%s", b.name, b.values[b.get(a)])
	}
	return s
}
