// SPDX-License-Identifier: MIT
//
// The part of Vulkan that vulkan-go (headers of 2018) does not reach, and every call on an open device. Nothing here is
// global but the loader and the list of validation messages: an instance and a device each have a table of their own.
//
// Structures of Vulkan are declared by hand where they are used (sType values from the specification's registry), so that
// the engine builds with a C compiler and nothing else: no Vulkan headers, no loader at link time.
//
// Dispatchable handles (instance, device, queue, command buffer) travel as void *, all others as uint64_t, 0 for none. An
// int32_t result is a VkResult: negative where the call failed. No pointer may be NULL where its comment does not say so.
// Nothing that the caller owns is kept after a call has returned.
#ifndef JITVK_SHIM_H
#define JITVK_SHIM_H
#include <stddef.h>
#include <stdint.h>
#ifdef _WIN32
#define VKAPI __stdcall // how Vulkan's functions are called
#else
#define VKAPI
#endif

// ---- Instances (instance.c) ---------------------------------------------------------------------------------------------

// Returns vkGetInstanceProcAddr from the first Vulkan loader found, NULL without one. One call at a time.
void *jitvk_load(void);

// Whether instances can have an extension. After jitvk_load.
int jitvk_instance_can(const char *extension);

// Returns what vkCreateInstance is to be given (VkInstanceCreateInfo), with n extensions, which stay the caller's and must
// outlive it; the caller frees it. validate turns the Khronos validation layer on, synchronization validation included;
// portable asks for drivers on top of another API as well. NULL where memory is short; extensions may be NULL if n is 0.
void *jitvk_instance_request(const char *const *extensions, uint32_t n, int validate, int portable);

typedef struct jitvk_instance jitvk_instance;
// Returns the table of an instance, NULL where memory is short. validate collects what the validation layer says.
jitvk_instance *jitvk_instance_open(void *instance, int validate);
// Frees the table and what it has made in the instance, which is destroyed after it. i may be NULL.
void jitvk_instance_close(jitvk_instance *i);

// Number of validation messages (warnings and errors) of the process so far; the first 64 of them are kept as text.
int jitvk_message_count(void);
// Copies message i, cut to size bytes with its final zero, to out; "(not kept)" where there is none.
void jitvk_message(int i, char *out, size_t size);

// Bytes that the process has allocated with malloc, as its C library counts them; 0 where it does not. Tests look for leaks by it.
size_t jitvk_allocated(void);

// ---- Devices that an instance has (instance.c) --------------------------------------------------------------------------

// Whether a device has an extension.
int jitvk_device_can(const jitvk_instance *i, void *physical, const char *extension);

typedef struct {
  uint32_t subgroup_size, subgroup_stages, subgroup_operations;
  uint32_t cores;          // multiprocessors or compute units; 0 where nothing is known
  uint32_t subgroup_pin;   // 1 if a compute pipeline can ask for subgroups of subgroup_size
  uint64_t max_allocation; // bytes; 0 where nothing is known
  char driver_name[256], driver_info[256];
} jitvk_props;
// Asks for what the device's own Vulkan version (as VkPhysicalDeviceProperties::apiVersion) knows; the rest is zero.
void jitvk_properties(const jitvk_instance *i, void *physical, uint32_t version, jitvk_props *out);

// Optional features, as bits; VK_NV_cooperative_matrix2 takes 7 of them, in its structure's order.
enum { JITVK_FLOAT16 = 1, JITVK_BFLOAT16 = 2, JITVK_MEMORY_MODEL = 4, JITVK_COOPMAT = 8, JITVK_INT64 = 16,
       JITVK_SUBGROUPS = 32, JITVK_COOPMAT2 = 64, JITVK_COOPMAT2_PARTS = 7 };
// Returns those that the device has.
uint32_t jitvk_features(const jitvk_instance *i, void *physical, uint32_t version);

typedef struct {
  uint32_t m, n, k, a, b, c, r; // sizes; VkComponentTypeKHR of A, B, C and of the result
} jitvk_coopmat;
// The shapes of cooperative matrices that a subgroup can multiply; returns how many, at most max.
uint32_t jitvk_coopmats(const jitvk_instance *i, void *physical, jitvk_coopmat *out, uint32_t max);

typedef struct {
  uint32_t flags, count, stamp_bits, granularity[3];
} jitvk_family; // VkQueueFamilyProperties
// The device's queue families; returns how many, at most max.
uint32_t jitvk_families(const jitvk_instance *i, void *physical, jitvk_family *out, uint32_t max);

// Returns what vkCreateDevice is to be given (VkDeviceCreateInfo): one queue of a family, all of the features above that the
// device has, and n extensions, which stay the caller's and must outlive it; the caller frees it. NULL where memory is
// short; extensions may be NULL if n is 0. statistics asks for the feature pipelineExecutableInfo, too.
void *jitvk_device_request(const jitvk_instance *i, void *physical, uint32_t version, uint32_t family, const char *const *extensions,
                           uint32_t n, uint32_t statistics);

// ---- Open devices (device.c) --------------------------------------------------------------------------------------------

// Returns one of a device's functions, NULL where it has none of the name or its extension was not asked for.
typedef void (*jitvk_function)(void);
jitvk_function jitvk_device_function(const jitvk_instance *i, void *device, const char *name);

typedef struct jitvk_device jitvk_device;
// Returns the table of a device that was made in the instance, NULL where memory is short. With statistics its pipelines are made so
// that the driver can say what came out.
jitvk_device *jitvk_device_open(const jitvk_instance *i, void *device, uint32_t statistics);
// Destroys the device and frees its table. d may be NULL.
void jitvk_device_close(jitvk_device *d);
// Waits until nothing runs on the device.
int32_t jitvk_wait_idle(jitvk_device *d);
// Returns queue 0 of a family that the device was made with.
void *jitvk_queue(jitvk_device *d, uint32_t family);

// Kinds of objects, for jitvk_destroy.
enum { JITVK_BUFFER, JITVK_MEMORY, JITVK_SET_LAYOUT, JITVK_PIPELINE_LAYOUT, JITVK_PIPELINE, JITVK_PIPELINE_CACHE, JITVK_SET_POOL,
       JITVK_QUERY_POOL, JITVK_COMMAND_POOL, JITVK_FENCE, JITVK_KINDS };
// Destroys an object of the kind; 0 is none.
void jitvk_destroy(jitvk_device *d, uint32_t kind, uint64_t object);

// Each makes one object and writes its handle to out.
int32_t jitvk_create_buffer(jitvk_device *d, uint64_t size, uint64_t *out); // for storage and transfers
int32_t jitvk_create_set_layout(jitvk_device *d, uint32_t bindings, uint64_t *out); // so many storage buffers
int32_t jitvk_create_pipeline_layout(jitvk_device *d, uint64_t set_layout, uint32_t push_bytes, uint64_t *out);
int32_t jitvk_create_pipeline_cache(jitvk_device *d, const void *data, size_t size, uint64_t *out); // data may be NULL if size is 0
int32_t jitvk_create_set_pool(jitvk_device *d, uint32_t sets, uint32_t bindings, uint64_t *out);
int32_t jitvk_create_query_pool(jitvk_device *d, uint32_t stamps, uint64_t *out);
int32_t jitvk_create_command_pool(jitvk_device *d, uint32_t family, uint64_t *out);
int32_t jitvk_create_fence(jitvk_device *d, uint64_t *out);

// What a buffer asks of its memory: how many bytes, and of which types (a bit each).
void jitvk_buffer_needs(jitvk_device *d, uint64_t buffer, uint64_t *size, uint32_t *types);
// Allocates device memory of a type.
int32_t jitvk_allocate(jitvk_device *d, uint64_t size, uint32_t type, uint64_t *memory);
// Puts a buffer into memory, at its start.
int32_t jitvk_bind(jitvk_device *d, uint64_t buffer, uint64_t memory);
// Maps host-visible memory; it stays mapped until it is destroyed.
int32_t jitvk_map(jitvk_device *d, uint64_t memory, uint64_t size, void **out);

enum { JITVK_MAX_SPEC = 32 }; // specialization constants of a shader
// Makes a compute pipeline of SPIR-V. spec may be NULL if nspec is 0; subgroup, if not 0, is the size that subgroups must
// have, all of them full. Several threads may be in it at once.
int32_t jitvk_pipeline(jitvk_device *d, uint64_t cache, const void *code, size_t bytes, uint64_t layout, const uint32_t *spec,
                       uint32_t nspec, uint32_t subgroup, uint64_t *pipeline);
typedef struct {
  char name[256];
  double value;
} jitvk_statistic;
// What the driver says of a pipeline, of a device with statistics: up to max numbers. Returns how many.
uint32_t jitvk_pipeline_statistics(jitvk_device *d, uint64_t pipeline, jitvk_statistic *out, uint32_t max);
// The bytes of a pipeline cache: data NULL asks for their number.
int32_t jitvk_pipeline_cache_data(jitvk_device *d, uint64_t cache, size_t *size, void *data);

// Allocates n descriptor sets, one of each layout, from a pool that has room for them.
int32_t jitvk_allocate_sets(jitvk_device *d, uint64_t pool, const uint64_t *layouts, uint32_t n, uint64_t *sets);
typedef struct {
  uint64_t set, buffer, offset, range;
  uint32_t binding, pad;
} jitvk_write;
// Puts n storage buffers into descriptor sets.
void jitvk_update_sets(jitvk_device *d, const jitvk_write *w, uint32_t n);

// Allocates n primary command buffers from a pool.
int32_t jitvk_allocate_commands(jitvk_device *d, uint64_t pool, uint32_t n, void **out);
// Gives n command buffers back to their pool.
void jitvk_free_commands(jitvk_device *d, uint64_t pool, uint32_t n, void *const *commands);

enum { JITVK_DISPATCH, JITVK_BARRIER, JITVK_COPY, JITVK_FILL, JITVK_STAMP, JITVK_RESET_STAMPS };

typedef struct {
  uint32_t kind;
  uint32_t x, y, z;                          // dispatch: workgroups; barrier: x, y are VkPipelineStageFlags before and after it
  uint64_t pipeline, layout, set;            // dispatch
  uint64_t src, dst, src_off, dst_off, size; // copy, fill: buffers and bytes; stamp: src is the query pool
  uint32_t word;                             // fill: the word; stamp: query index; reset: number of queries
  uint32_t push_bytes;                       // dispatch
  unsigned char push[128];                   // dispatch
} jitvk_cmd;
// Begins, records and ends one primary command buffer that may be submitted again while it is pending. cmds may be NULL if
// n is 0.
int32_t jitvk_record(jitvk_device *d, void *cb, const jitvk_cmd *cmds, uint32_t n);

// One vkQueueSubmit of n command buffers; fence 0 for none.
int32_t jitvk_submit(jitvk_device *d, void *queue, void *const *cbs, uint32_t n, uint64_t fence);
// Waits for a fence and resets it.
int32_t jitvk_wait(jitvk_device *d, uint64_t fence);
// Reads the first n timestamps of a pool; VK_NOT_READY (1) where they have not been written.
int32_t jitvk_read_stamps(jitvk_device *d, uint64_t pool, uint32_t n, uint64_t *out);
#endif
