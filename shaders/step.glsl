// SPDX-License-Identifier: MIT
//
// Purpose: the step buffer, the only words that a replayed training or sampling step changes.
// Use: #define STEP_BINDING 3 before #include "step.glsl", then now.lr, now.seed_lo, ...
// Shapes: 16 words of 4 bytes, as kernels.Step writes them.

#ifndef STEP_GLSL
#define STEP_GLSL

layout(set = 0, binding = STEP_BINDING, std430) readonly buffer StepBuffer {
    uint seed_lo, seed_hi;  // the run's 64-bit seed: Philox's key
    uint step_index;        // number of this step: third word of Philox's counter
    uint image0;            // number, within the step, of the batch's first image: second word of the counter is image0 + i
    float lr;               // learning rate
    float bias1, bias2;     // 1 - beta1^t, 1 - beta2^t, t = 1 at the first update
    float ema_decay, ema_decay2; // of two averages
    float loss_scale;       // gradients are this many times too large; never 0
    float tau, dt;          // sampling: flow time now, and how far this step goes
    float guidance;         // sampling: weight of classifier-free guidance, 1 is none
    float skip_bias1, skip_bias2; // in place of bias1 and bias2 where the update before was skipped: t is one less
    uint reserved0;
} now;

#endif
