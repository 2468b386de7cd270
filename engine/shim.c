// SPDX-License-Identifier: MIT
//
// Declares the few Vulkan structures it needs by hand (sType values from the specification's registry), so that the
// engine builds with a C compiler and nothing else: no Vulkan headers, no loader at link time.
#include "shim.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#ifdef _WIN32
#include <windows.h>
#define VKAPI __stdcall
#else
#include <dlfcn.h>
#define VKAPI
#endif

typedef void (*vfn)(void);
typedef vfn(VKAPI *get_proc)(void *, const char *);
static get_proc get_instance_proc;

void *jitvk_load(void) {
#ifdef _WIN32
  HMODULE lib = LoadLibraryA("vulkan-1.dll");
  if (lib)
    get_instance_proc = (get_proc)GetProcAddress(lib, "vkGetInstanceProcAddr");
#else
  // The plain .so name comes only with development packages; the versioned one is what a driver installs.
  const char *names[] = {"libvulkan.so.1", "libvulkan.so", "libvulkan.1.dylib", "libvulkan.dylib",
                         "/opt/homebrew/lib/libvulkan.1.dylib", "/usr/local/lib/libvulkan.1.dylib", "libMoltenVK.dylib"};
  for (size_t i = 0; i < sizeof names / sizeof *names && !get_instance_proc; i++) {
    void *lib = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (lib)
      get_instance_proc = (get_proc)dlsym(lib, "vkGetInstanceProcAddr");
  }
#endif
  return (void *)get_instance_proc;
}

// ---- Validation -----------------------------------------------------------------------------------------------------

struct validation_features { // VkValidationFeaturesEXT
  uint32_t sType;
  const void *pNext;
  uint32_t enabled_count;
  const uint32_t *enabled;
  uint32_t disabled_count;
  const uint32_t *disabled;
};

const void *jitvk_validation_chain(void) {
  static const uint32_t enabled[] = {4}; // VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT
  static const struct validation_features v = {1000247000, NULL, 1, enabled, 0, NULL};
  return &v;
}

enum { KEPT = 64 };
static char *messages[KEPT];
static int message_count;
static pthread_mutex_t message_lock = PTHREAD_MUTEX_INITIALIZER;

struct callback_data { // VkDebugUtilsMessengerCallbackDataEXT, as far as the message
  uint32_t sType;
  const void *pNext;
  uint32_t flags;
  const char *id_name;
  int32_t id;
  const char *message;
};

static uint32_t VKAPI on_message(uint32_t severity, uint32_t types, const struct callback_data *data, void *user) {
  (void)severity, (void)types, (void)user;
  pthread_mutex_lock(&message_lock);
  if (message_count < KEPT)
    messages[message_count] = strdup(data->message ? data->message : "(no text)");
  message_count++;
  pthread_mutex_unlock(&message_lock);
  return 0;
}

int jitvk_message_count(void) {
  pthread_mutex_lock(&message_lock);
  int n = message_count;
  pthread_mutex_unlock(&message_lock);
  return n;
}

const char *jitvk_message(int i) { return i >= 0 && i < KEPT && messages[i] ? messages[i] : "(not kept)"; }

struct messenger_info { // VkDebugUtilsMessengerCreateInfoEXT
  uint32_t sType;
  const void *pNext;
  uint32_t flags, severity, type;
  uint32_t(VKAPI *callback)(uint32_t, uint32_t, const struct callback_data *, void *);
  void *user;
};

// ---- Properties -----------------------------------------------------------------------------------------------------

struct extension { // VkExtensionProperties
  char name[256];
  uint32_t version;
};
typedef int32_t(VKAPI *fn_instance_extensions)(const char *, uint32_t *, struct extension *);
typedef int32_t(VKAPI *fn_device_extensions)(void *, const char *, uint32_t *, struct extension *);
typedef void(VKAPI *fn_props2)(void *, void *);
struct coopmat_props;
static fn_device_extensions device_extensions;
static fn_props2 get_props2, get_features2;
static int32_t(VKAPI *get_coopmats)(void *, uint32_t *, struct coopmat_props *);
static get_proc get_device_proc;

static int32_t extensions(void *physical, uint32_t *n, struct extension *list) {
  if (physical)
    return device_extensions(physical, NULL, n, list);
  return ((fn_instance_extensions)get_instance_proc(NULL, "vkEnumerateInstanceExtensionProperties"))(NULL, n, list);
}

int jitvk_has_extension(void *physical, const char *name) {
  uint32_t n = 0;
  int found = 0;
  if (extensions(physical, &n, NULL) < 0)
    return 0;
  struct extension *list = calloc(n + 1, sizeof *list);
  if (list && extensions(physical, &n, list) >= 0)
    for (uint32_t i = 0; i < n; i++)
      found |= !strcmp(list[i].name, name);
  free(list);
  return found;
}

void jitvk_instance(void *instance, int validate) {
  device_extensions = (fn_device_extensions)get_instance_proc(instance, "vkEnumerateDeviceExtensionProperties");
  get_props2 = (fn_props2)get_instance_proc(instance, "vkGetPhysicalDeviceProperties2");
  get_features2 = (fn_props2)get_instance_proc(instance, "vkGetPhysicalDeviceFeatures2");
  *(vfn *)&get_coopmats = get_instance_proc(instance, "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR");
  get_device_proc = (get_proc)get_instance_proc(instance, "vkGetDeviceProcAddr");
  if (!validate)
    return;
  typedef int32_t(VKAPI * fn_create)(void *, const struct messenger_info *, const void *, uint64_t *);
  fn_create create = (fn_create)get_instance_proc(instance, "vkCreateDebugUtilsMessengerEXT");
  // Severity: warning (0x100) and error (0x1000). Type: validation (2) and performance (4) are not mixed: only validation.
  struct messenger_info info = {1000128004, NULL, 0, 0x1100, 0x2, on_message, NULL};
  uint64_t messenger;
  if (create)
    create(instance, &info, NULL, &messenger);
}

struct subgroup_props { // VkPhysicalDeviceSubgroupProperties
  uint32_t sType;
  void *pNext;
  uint32_t size, stages, operations, quad;
};
struct maintenance3_props { // VkPhysicalDeviceMaintenance3Properties
  uint32_t sType;
  void *pNext;
  uint32_t max_per_set;
  uint64_t max_allocation;
};
struct maintenance4_props { // VkPhysicalDeviceMaintenance4Properties
  uint32_t sType;
  void *pNext;
  uint64_t max_buffer;
};
struct subgroup_control_props { // VkPhysicalDeviceSubgroupSizeControlProperties
  uint32_t sType;
  void *pNext;
  uint32_t min, max, max_per_workgroup, stages;
};
struct driver_props { // VkPhysicalDeviceDriverProperties
  uint32_t sType;
  void *pNext;
  uint32_t id;
  char name[256], info[256];
  uint8_t conformance[4];
};

#define VERSION(major, minor) ((uint32_t)(major) << 22 | (uint32_t)(minor) << 12)

void jitvk_properties(void *physical, uint32_t version, jitvk_props *out) {
  memset(out, 0, sizeof *out);
  if (!get_props2 || version < VERSION(1, 1))
    return;
  struct subgroup_control_props control = {.sType = 1000225000};
  struct maintenance4_props m4 = {.sType = 1000413001, .pNext = &control};
  struct driver_props driver = {.sType = 1000196000, .pNext = version < VERSION(1, 3) ? NULL : &m4};
  struct maintenance3_props m3 = {.sType = 1000168000, .pNext = version < VERSION(1, 2) ? NULL : &driver};
  struct subgroup_props sub = {.sType = 1000094000, .pNext = &m3};
  // VkPhysicalDeviceProperties2: the 1.0 structure inside is 824 bytes; room is left for more.
  struct {
    uint32_t sType;
    void *pNext;
    uint64_t properties[256];
  } p2 = {.sType = 1000059001, .pNext = &sub};
  get_props2(physical, &p2);
  out->subgroup_size = sub.size;
  out->subgroup_stages = sub.stages;
  out->subgroup_operations = sub.operations;
  out->subgroup_pin = control.stages & 0x20 && control.min <= sub.size && sub.size <= control.max; // 0x20: compute
  out->max_allocation = m4.max_buffer && m4.max_buffer < m3.max_allocation ? m4.max_buffer : m3.max_allocation;
  memcpy(out->driver_name, driver.name, 256);
  memcpy(out->driver_info, driver.info, 256);
}

// ---- Features -------------------------------------------------------------------------------------------------------

// A feature structure is a type, a chain and booleans; on[] has room for the longest (VkPhysicalDeviceFeatures2, 55).
struct feature {
  uint32_t sType;
  void *pNext;
  uint32_t on[64];
};

void *jitvk_features(void *physical, uint32_t version, uint32_t *bits) {
  static struct feature core, v11, v12, v13, coop, coop2, bf16;
  *bits = 0;
  if (!get_features2 || version < VERSION(1, 2)) // the structures for 1.1 and 1.2 came with 1.2
    return NULL;
  core = (struct feature){.sType = 1000059000};
  v11 = (struct feature){.sType = 49};
  v12 = (struct feature){.sType = 51};
  v13 = (struct feature){.sType = 53};
  coop = (struct feature){.sType = 1000506000};
  coop2 = (struct feature){.sType = 1000593000};
  bf16 = (struct feature){.sType = 1000141000};
  core.pNext = &v11, v11.pNext = &v12;
  struct feature *last = &v12;
#define CHAIN(f) (last->pNext = &f, last = &f)
  if (version >= VERSION(1, 3))
    CHAIN(v13);
  if (jitvk_has_extension(physical, "VK_KHR_cooperative_matrix"))
    CHAIN(coop);
  if (jitvk_has_extension(physical, "VK_NV_cooperative_matrix2"))
    CHAIN(coop2);
  if (jitvk_has_extension(physical, "VK_KHR_shader_bfloat16"))
    CHAIN(bf16);
#undef CHAIN
  get_features2(physical, &core);
  // Keep what is wanted, by its place in the structure, and turn the rest off.
  uint32_t int64 = core.on[40], half = v11.on[0] && v12.on[7], model = v12.on[41];
  uint32_t sizes = v13.on[7], full = v13.on[8], maintenance4 = v13.on[14];
  uint32_t matrix = coop.on[0] && model && maintenance4, parts2 = 0;
  for (int i = 0; i < JITVK_COOPMAT2_PARTS; i++)
    parts2 |= (matrix && coop2.on[i]) << i;
  struct feature *all[] = {&core, &v11, &v12, &v13, &coop, &coop2, &bf16};
  uint32_t bfloat = bf16.on[0], bfloat_matrix = bf16.on[0] && bf16.on[2] && matrix;
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    memset(all[i]->on, 0, sizeof all[i]->on);
  core.on[40] = int64;
  v11.on[0] = v12.on[7] = half;
  v12.on[41] = model;
  v13.on[7] = sizes, v13.on[8] = full, v13.on[14] = maintenance4;
  coop.on[0] = matrix;
  for (int i = 0; i < JITVK_COOPMAT2_PARTS; i++)
    coop2.on[i] = parts2 >> i & 1;
  bf16.on[0] = bfloat, bf16.on[2] = bfloat_matrix;
  *bits = (half ? JITVK_FLOAT16 : 0) | (bfloat_matrix ? JITVK_BFLOAT16 : 0) | (model ? JITVK_MEMORY_MODEL : 0) |
          (matrix ? JITVK_COOPMAT : 0) | (int64 ? JITVK_INT64 : 0) |
          (sizes && full ? JITVK_SUBGROUPS : 0) | parts2 * JITVK_COOPMAT2;
  return &core;
}

struct coopmat_props { // VkCooperativeMatrixPropertiesKHR
  uint32_t sType;
  void *pNext;
  uint32_t m, n, k, a, b, c, r, saturating, scope;
};

uint32_t jitvk_coopmats(void *physical, jitvk_coopmat *out, uint32_t max) {
  struct coopmat_props list[128];
  uint32_t n = 0, found = 0;
  for (int i = 0; i < 128; i++)
    list[i] = (struct coopmat_props){.sType = 1000506001};
  if (!get_coopmats || get_coopmats(physical, &n, NULL) < 0)
    return 0;
  n = n < 128 ? n : 128;
  if (get_coopmats(physical, &n, list) < 0)
    return 0;
  for (uint32_t i = 0; i < n && found < max; i++)
    if (list[i].scope == 3 && !list[i].saturating) // 3: subgroup
      out[found++] = (jitvk_coopmat){list[i].m, list[i].n, list[i].k, list[i].a, list[i].b, list[i].c, list[i].r};
  return found;
}

// ---- Device ---------------------------------------------------------------------------------------------------------

struct spec_entry { // VkSpecializationMapEntry
  uint32_t id, offset;
  size_t size;
};
struct spec_info { // VkSpecializationInfo
  uint32_t count;
  const struct spec_entry *entries;
  size_t bytes;
  const void *data;
};
struct stage_info { // VkPipelineShaderStageCreateInfo
  uint32_t sType;
  const void *pNext;
  uint32_t flags, stage;
  uint64_t module;
  const char *name;
  const struct spec_info *spec;
};
struct subgroup_info { // VkPipelineShaderStageRequiredSubgroupSizeCreateInfo
  uint32_t sType;
  const void *pNext;
  uint32_t size;
};
struct compute_info { // VkComputePipelineCreateInfo
  uint32_t sType;
  const void *pNext;
  uint32_t flags;
  struct stage_info stage;
  uint64_t layout, base;
  int32_t base_index;
};
struct module_info { // VkShaderModuleCreateInfo
  uint32_t sType;
  const void *pNext;
  uint32_t flags;
  size_t bytes;
  const void *code;
};
struct buffer_info { // VkDescriptorBufferInfo
  uint64_t buffer, offset, range;
};
struct write_set { // VkWriteDescriptorSet
  uint32_t sType;
  const void *pNext;
  uint64_t set;
  uint32_t binding, element, count, type;
  const void *image;
  const struct buffer_info *buffer;
  const void *texel;
};
struct begin_info { // VkCommandBufferBeginInfo
  uint32_t sType;
  const void *pNext;
  uint32_t flags;
  const void *inheritance;
};
struct memory_barrier { // VkMemoryBarrier
  uint32_t sType;
  const void *pNext;
  uint32_t src, dst;
};
struct copy_region { // VkBufferCopy
  uint64_t src, dst, size;
};
struct submit_info { // VkSubmitInfo
  uint32_t sType;
  const void *pNext;
  uint32_t wait_count;
  const void *wait, *wait_stages;
  uint32_t count;
  void *const *buffers;
  uint32_t signal_count;
  const void *signal;
};

struct jitvk_fns {
  void *device;
  int32_t(VKAPI *create_module)(void *, const struct module_info *, const void *, uint64_t *);
  void(VKAPI *destroy_module)(void *, uint64_t, const void *);
  int32_t(VKAPI *create_pipelines)(void *, uint64_t, uint32_t, const struct compute_info *, const void *, uint64_t *);
  void(VKAPI *update_sets)(void *, uint32_t, const struct write_set *, uint32_t, const void *);
  int32_t(VKAPI *begin)(void *, const struct begin_info *);
  int32_t(VKAPI *end)(void *);
  void(VKAPI *bind_pipeline)(void *, uint32_t, uint64_t);
  void(VKAPI *bind_sets)(void *, uint32_t, uint64_t, uint32_t, uint32_t, const uint64_t *, uint32_t, const uint32_t *);
  void(VKAPI *push)(void *, uint64_t, uint32_t, uint32_t, uint32_t, const void *);
  void(VKAPI *dispatch)(void *, uint32_t, uint32_t, uint32_t);
  void(VKAPI *barrier)(void *, uint32_t, uint32_t, uint32_t, uint32_t, const struct memory_barrier *, uint32_t,
                       const void *, uint32_t, const void *);
  void(VKAPI *copy)(void *, uint64_t, uint64_t, uint32_t, const struct copy_region *);
  void(VKAPI *fill)(void *, uint64_t, uint64_t, uint64_t, uint32_t);
  void(VKAPI *stamp)(void *, uint32_t, uint64_t, uint32_t);
  void(VKAPI *reset_pool)(void *, uint64_t, uint32_t, uint32_t);
  int32_t(VKAPI *submit)(void *, uint32_t, const struct submit_info *, uint64_t);
};

jitvk_fns *jitvk_device(void *device) {
  jitvk_fns *f = calloc(1, sizeof *f);
  f->device = device;
#define GET(field, name) *(vfn *)&f->field = get_device_proc(device, name)
  GET(create_module, "vkCreateShaderModule");
  GET(destroy_module, "vkDestroyShaderModule");
  GET(create_pipelines, "vkCreateComputePipelines");
  GET(update_sets, "vkUpdateDescriptorSets");
  GET(begin, "vkBeginCommandBuffer");
  GET(end, "vkEndCommandBuffer");
  GET(bind_pipeline, "vkCmdBindPipeline");
  GET(bind_sets, "vkCmdBindDescriptorSets");
  GET(push, "vkCmdPushConstants");
  GET(dispatch, "vkCmdDispatch");
  GET(barrier, "vkCmdPipelineBarrier");
  GET(copy, "vkCmdCopyBuffer");
  GET(fill, "vkCmdFillBuffer");
  GET(stamp, "vkCmdWriteTimestamp");
  GET(reset_pool, "vkCmdResetQueryPool");
  GET(submit, "vkQueueSubmit");
#undef GET
  return f;
}

int32_t jitvk_pipeline(jitvk_fns *f, uint64_t cache, const void *code, size_t bytes, uint64_t layout, const uint32_t *spec,
                       uint32_t nspec, uint32_t subgroup, uint64_t *module, uint64_t *pipeline) {
  struct module_info mi = {16, NULL, 0, bytes, code};
  int32_t r = f->create_module(f->device, &mi, NULL, module);
  if (r < 0)
    return r;
  struct spec_entry entries[JITVK_MAX_SPEC];
  for (uint32_t i = 0; i < nspec; i++)
    entries[i] = (struct spec_entry){i, 4 * i, 4};
  struct spec_info si = {nspec, entries, 4 * (size_t)nspec, spec};
  struct subgroup_info ri = {1000225001, NULL, subgroup};
  struct stage_info stage = {18, subgroup ? &ri : NULL, subgroup ? 2 : 0, 0x20, *module, "main", &si}; // 2: full subgroups
  struct compute_info ci = {29, NULL, 0, stage, layout, 0, -1};
  r = f->create_pipelines(f->device, cache, 1, &ci, NULL, pipeline);
  f->destroy_module(f->device, *module, NULL); // a pipeline does not need its module once it exists
  return r;
}

void jitvk_update_sets(jitvk_fns *f, const jitvk_write *w, uint32_t n) {
  for (uint32_t i = 0; i < n; i++) {
    struct buffer_info bi = {w[i].buffer, w[i].offset, w[i].range};
    struct write_set ws = {35, NULL, w[i].set, w[i].binding, 0, 1, 7, NULL, &bi, NULL}; // 7: storage buffer
    f->update_sets(f->device, 1, &ws, 0, NULL);
  }
}

int32_t jitvk_record(jitvk_fns *f, void *cb, const jitvk_cmd *cmds, uint32_t n) {
  struct begin_info bi = {42, NULL, 4, NULL}; // 4: simultaneous use
  int32_t r = f->begin(cb, &bi);
  if (r < 0)
    return r;
  uint64_t bound = 0;
  for (uint32_t i = 0; i < n; i++) {
    const jitvk_cmd *c = &cmds[i];
    switch (c->kind) {
    case JITVK_DISPATCH:
      if (c->pipeline != bound)
        f->bind_pipeline(cb, 1, c->pipeline);
      bound = c->pipeline;
      f->bind_sets(cb, 1, c->layout, 0, 1, &c->set, 0, NULL);
      if (c->push_bytes)
        f->push(cb, c->layout, 0x20, 0, c->push_bytes, c->push);
      f->dispatch(cb, c->x, c->y, c->z);
      break;
    case JITVK_BARRIER: {
      // Shader and transfer writes before are visible to shader and transfer accesses, and to the host, after.
      struct memory_barrier mb = {46, NULL, 0x40 | 0x1000, 0x20 | 0x40 | 0x800 | 0x1000 | 0x2000};
      f->barrier(cb, 0x800 | 0x1000, 0x800 | 0x1000 | 0x4000, 0, 1, &mb, 0, NULL, 0, NULL);
      break;
    }
    case JITVK_COPY: {
      struct copy_region region = {c->src_off, c->dst_off, c->size};
      f->copy(cb, c->src, c->dst, 1, &region);
      break;
    }
    case JITVK_FILL:
      f->fill(cb, c->dst, c->dst_off, c->size, c->word);
      break;
    case JITVK_STAMP:
      f->stamp(cb, 0x2000, c->src, c->word); // 0x2000: bottom of pipe, when all before has finished
      break;
    case JITVK_RESET_STAMPS:
      f->reset_pool(cb, c->src, 0, c->word);
      break;
    }
  }
  return f->end(cb);
}

int32_t jitvk_submit(jitvk_fns *f, void *queue, void *const *cbs, uint32_t n, uint64_t fence) {
  struct submit_info si = {4, NULL, 0, NULL, NULL, n, cbs, 0, NULL};
  return f->submit(queue, 1, &si, fence);
}
