// SPDX-License-Identifier: MIT
//
// The part of Vulkan that vulkan-go (headers of 2018) does not reach, or reaches only by converting Go slices on every
// call: the loader, extended properties, validation messages, pipelines with specialization constants, and the path
// that records and submits command buffers. Handles travel as uint64_t; a Go slice of jitvk_cmd is recorded in one call.
#ifndef JITVK_SHIM_H
#define JITVK_SHIM_H
#include <stddef.h>
#include <stdint.h>

// Returns vkGetInstanceProcAddr from the first Vulkan loader found, NULL without one.
void *jitvk_load(void);

// Whether an instance extension (physical NULL) or an extension of a device is there.
int jitvk_has_extension(void *physical, const char *name);

// Instance level. The chain is an instance's pNext that turns on synchronization validation.
const void *jitvk_validation_chain(void);
void jitvk_instance(void *instance, int validate);
// Number of validation messages (warnings and errors) so far; the first 64 of them are kept as text.
int jitvk_message_count(void);
const char *jitvk_message(int i);

typedef struct {
  uint32_t subgroup_size, subgroup_stages, subgroup_operations;
  uint32_t subgroup_pin; // 1 if a compute pipeline can ask for subgroups of subgroup_size
  uint64_t max_allocation; // bytes; 0 where nothing is known
  char driver_name[256], driver_info[256];
} jitvk_props;
// Asks for what the device's own Vulkan version (as VkPhysicalDeviceProperties::apiVersion) knows; the rest stays zero.
void jitvk_properties(void *physical, uint32_t version, jitvk_props *out);

// Optional features. jitvk_features asks which of them the device has and returns them as bits, with the pNext chain that
// enables exactly those (static memory, overwritten by the next call; NULL where there are none).
enum { JITVK_FLOAT16 = 1, JITVK_BFLOAT16 = 2, JITVK_MEMORY_MODEL = 4, JITVK_COOPMAT = 8, JITVK_INT64 = 16,
       JITVK_SUBGROUPS = 32, JITVK_COOPMAT2 = 64, JITVK_COOPMAT2_PARTS = 7 }; // VK_NV_cooperative_matrix2 takes 7 bits, in its structure's order
void *jitvk_features(void *physical, uint32_t version, uint32_t *bits);

typedef struct {
  uint32_t m, n, k, a, b, c, r; // sizes; VkComponentTypeKHR of A, B, C and of the result
} jitvk_coopmat;
// The shapes of cooperative matrices that a subgroup can multiply; returns how many, at most max.
uint32_t jitvk_coopmats(void *physical, jitvk_coopmat *out, uint32_t max);

// Device level: the function table for everything below.
typedef struct jitvk_fns jitvk_fns;
jitvk_fns *jitvk_device(void *device);

enum { JITVK_MAX_SPEC = 32 }; // specialization constants of a shader
// subgroup, if not 0, is the size that subgroups must have, all of them full.
int32_t jitvk_pipeline(jitvk_fns *f, uint64_t cache, const void *code, size_t bytes, uint64_t layout, const uint32_t *spec,
                       uint32_t nspec, uint32_t subgroup, uint64_t *module, uint64_t *pipeline);

typedef struct {
  uint64_t set, buffer, offset, range;
  uint32_t binding, pad;
} jitvk_write;
void jitvk_update_sets(jitvk_fns *f, const jitvk_write *w, uint32_t n);

enum { JITVK_DISPATCH, JITVK_BARRIER, JITVK_COPY, JITVK_FILL, JITVK_STAMP, JITVK_RESET_STAMPS };

typedef struct {
  uint32_t kind;
  uint32_t x, y, z;                          // dispatch: workgroups
  uint64_t pipeline, layout, set;            // dispatch
  uint64_t src, dst, src_off, dst_off, size; // copy, fill: buffers and bytes; stamp: src is the query pool
  uint32_t word;                             // fill: the word; stamp: query index; reset: number of queries
  uint32_t push_bytes;                       // dispatch
  unsigned char push[128];                   // dispatch
} jitvk_cmd;
// Begins, records and ends one primary command buffer that may be submitted again while it is pending.
int32_t jitvk_record(jitvk_fns *f, void *cb, const jitvk_cmd *cmds, uint32_t n);

// One vkQueueSubmit of n command buffers; fence 0 for none.
int32_t jitvk_submit(jitvk_fns *f, void *queue, void *const *cbs, uint32_t n, uint64_t fence);
#endif
