// SPDX-License-Identifier: MIT
//
// Purpose: exp, log, sine, cosine, erf and sigmoid in fp32 that give the same few-ulp answer on every driver.
//   GLSL's own functions may be off by 2^-11 absolute (sin, cos) or 3 + 2|x| ulp (exp) and still conform
//   (Vulkan specification, "Precision and Operation of SPIR-V Instructions"); erf does not exist there.
// Use: #include "math.glsl" after #version; trailing underscore = ours.
// Computes: range reduction to a short interval, then a polynomial, then the way back.
//   Coefficients: Remez exchange in 40-digit arithmetic (mpmath) for the relative error of the whole function on the
//   interval beside each polynomial, rounded to fp32 from the lowest power up, the rest refitted after each rounding.
// Precision: worst error against float64, measured by TestMath (kernels/math_test.go) on lavapipe 25.0.7:
//   exp_      0.98 ulp on [-87.3, 88.7]; 0 below, +inf above
//   log_      0.79 ulp on every normal x > 0; -inf at 0 (and at denormals where they are flushed), NaN below
//   sincos_   1.1e-7 absolute on |x| <= 1100 rad
//   sincospi_ 1.1e-7 absolute on |x| <= 2^20
//   erf_      1.34 ulp everywhere, tiny x included
//   sigmoid_  2.4 ulp on [-87, inf)
//   NaN in, NaN out.
// `precise` marks the steps whose roundings cancel: a compiler must not contract or reorder them.

#ifndef MATH_GLSL
#define MATH_GLSL

#define INF_ uintBitsToFloat(0x7f800000u)
#define NAN_ uintBitsToFloat(0x7fc00000u)

// int(k) of a whole number, |k| < 2^22: added to 1.5 2^23 it stands in the sum's lowest bits. Mesa 25's CPU driver makes
// a true conversion lane by lane, eight instructions each, since it has to saturate.
int whole(float k) {
    precise float shifted = k + 12582912.0;
    return floatBitsToInt(shifted) - 0x4b400000;
}

// e^x = 2^k e^r with k = round(x / ln 2), |r| <= ln(2)/2; e^r = 1 + r + r^2 Q(r), Q off by 3.3e-9 relative to e^r.
float exp_(float x) {
    float k = roundEven(x * 1.44269504);
    // ln 2 = 355/512 - 2.12e-4: the first has 9 bits, so that k times it is exact.
    precise float r = (x - k * 0.693359375) - k * -2.12194440e-4;
    float q = 0.00138438726;
    q = q * r + 0.00836954918;
    q = q * r + 0.0416680612;
    q = q * r + 0.166665137;
    q = q * r + 0.49999994;
    precise float y = 1.0 + (r + r * r * q);
    // 2^k in two halves: at k = 128 one factor alone would overflow.
    int e = whole(k);
    int half_e = e >> 1;
    y *= intBitsToFloat((half_e + 127) << 23);
    y *= intBitsToFloat((e - half_e + 127) << 23);
    y = x < -87.3365479 ? 0.0 : y;
    return x > 88.7228317 ? INF_ : y;
}

// log x = e ln 2 + log(1 + f), sqrt(1/2) <= 1 + f < sqrt(2); s = f/(2+f), log(1+f) = 2s + s R(s^2) (fdlibm's form),
// R off by 5e-11 relative to the sum.
float log_(float x) {
    uint bits = floatBitsToUint(x) + (0x3f800000u - 0x3f3504f3u); // moves the cut of the exponent from 1 to sqrt(1/2)
    float e = float(int(bits >> 23) - 127);
    float f = uintBitsToFloat((bits & 0x007fffffu) + 0x3f3504f3u) - 1.0;
    float s = f / (2.0 + f);
    float z = s * s;
    float r = 0.242788568;
    r = r * z + 0.284987926;
    r = r * z + 0.400009722;
    r = r * z + 0.666666627;
    r *= z;
    // f - (h - s (h + R)), h = f^2/2, keeps the leading f exact; ln 2 in two parts, the first with 16 bits.
    precise float h = 0.5 * f * f;
    precise float y = ((s * (h + r) + e * 9.05800061e-6) - h) + f + e * 0.693138123;
    y = x == INF_ ? x : y;
    y = x > 0.0 ? y : NAN_;
    return x == 0.0 ? -INF_ : y;
}

// sin r and cos r for |r| <= pi/4: sin r = r + r^3 S(r^2), off by 3.8e-9; cos r = 1 - r^2/2 + r^4 C(r^2), off by 1.1e-10.
vec2 sincos_quadrant(float r, int quadrant) {
    float z = r * r;
    float s = r + r * z * ((-0.00019518008 * z + 0.00833218824) * z - 0.166666552);
    float c = 1.0 - 0.5 * z + z * z * ((2.44306702e-5 * z - 0.00138873013) * z + 0.0416666456);
    // A quarter turn sends (sin, cos) to (cos, -sin).
    vec2 sc = (quadrant & 1) == 0 ? vec2(s, c) : vec2(c, -s);
    return (quadrant & 2) == 0 ? sc : -sc;
}

// (sin x, cos x), x in radians. k = round(x / (pi/2)); pi/2 in three parts (Cody and Waite), the first two of 12
// bits each, so that k times them is exact to |k| = 2^11, three times what 1100 rad needs.
vec2 sincos_(float x) {
    float k = roundEven(x * 0.636619772);
    precise float r = ((x - k * 1.57080078125) - k * -4.45358455181e-6) - k * -8.70551575e-10;
    return sincos_quadrant(r, whole(k));
}

// (sin pi x, cos pi x): the reduction is exact.
vec2 sincospi_(float x) {
    float k = roundEven(2.0 * x);
    precise float r = (x - 0.5 * k) * 3.14159265;
    return sincos_quadrant(r, whole(k));
}

// erf x: below 1, x + x E(x^2), off by 1.4e-9; from 1 to 4, 1 - exp(G(x)), G = log(erfc x), off by 3.7e-11; beyond, 1.
float erf_(float x) {
    float a = abs(x);
    float z = x * x;
    float p = 7.80690389e-5;
    p = p * z - 0.00079978531;
    p = p * z + 0.0051871622;
    p = p * z - 0.0268533472;
    p = p * z + 0.112835787;
    p = p * z - 0.37612626;
    p = p * z + 0.128379166;
    precise float small = x + x * p;
    float t = a > 4.0 ? 4.0 : a; // erfc(4) = 1.5e-8 is below half an ulp of 1
    float g = -2.16930766e-5;
    g = g * t + 0.000441427954;
    g = g * t - 0.00420511048;
    g = g * t + 0.0252099894;
    g = g * t - 0.108421713;
    g = g * t - 0.633216619;
    g = g * t - 1.12958026;
    g = g * t + 0.000188468097;
    float large = 1.0 - exp_(g);
    return a < 1.0 ? small : (x < 0.0 ? -large : large);
}

// 1 / (1 + e^-x); below -87 the answer is 1.6e-38 and stays there, so that no infinity is made on the way.
float sigmoid_(float x) {
    return 1.0 / (1.0 + exp_(x < -87.0 ? 87.0 : -x));
}

vec4 sigmoid4(vec4 x) { return vec4(sigmoid_(x.x), sigmoid_(x.y), sigmoid_(x.z), sigmoid_(x.w)); }

#endif
