// SPDX-License-Identifier: MIT
//
// Instances and what the devices of one have: the loader, validation messages, properties and features (shim.h).
#include "shim.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#ifdef _WIN32
#include <windows.h>
#else
#include <dlfcn.h>
#endif
#ifdef __GLIBC__
#include <malloc.h>
#endif

#define VERSION(major, minor) ((uint32_t)(major) << 22 | (uint32_t)(minor) << 12)

typedef jitvk_function(VKAPI *get_proc)(void *, const char *);
static get_proc get_instance_proc; // the loader, once jitvk_load has found it

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

struct extension { // VkExtensionProperties
  char name[256];
  uint32_t version;
};
struct coopmat_props { // VkCooperativeMatrixPropertiesKHR
  uint32_t sType;
  void *pNext;
  uint32_t m, n, k, a, b, c, r, saturating, scope;
};

struct jitvk_instance {
  void *instance;
  uint64_t messenger; // 0 without validation
  void(VKAPI *destroy_messenger)(void *, uint64_t, const void *);
  int32_t(VKAPI *extensions)(void *, const char *, uint32_t *, struct extension *);
  void(VKAPI *properties2)(void *, void *);
  void(VKAPI *features2)(void *, void *);
  void(VKAPI *families)(void *, uint32_t *, jitvk_family *);
  int32_t(VKAPI *coopmats)(void *, uint32_t *, struct coopmat_props *);
  get_proc device_proc;
};

// ---- Extensions -----------------------------------------------------------------------------------------------------

// listed looks for an extension of a device or, where i is NULL, of instances.
static int listed(const jitvk_instance *i, void *physical, const char *name) {
  typedef int32_t(VKAPI * fn_extensions)(const char *, uint32_t *, struct extension *);
  fn_extensions of_instances = (fn_extensions)get_instance_proc(NULL, "vkEnumerateInstanceExtensionProperties");
  struct extension *list = NULL;
  uint32_t n = 0;
  int found = 0;
  if ((i ? i->extensions(physical, NULL, &n, NULL) : of_instances(NULL, &n, NULL)) < 0 || !(list = calloc(n + 1, sizeof *list)))
    return 0;
  if ((i ? i->extensions(physical, NULL, &n, list) : of_instances(NULL, &n, list)) < 0)
    n = 0;
  for (uint32_t k = 0; k < n; k++) // the second call says how many it has written, which may be fewer
    found |= !strcmp(list[k].name, name);
  free(list);
  return found;
}

int jitvk_instance_can(const char *extension) { return listed(NULL, NULL, extension); }

int jitvk_device_can(const jitvk_instance *i, void *physical, const char *extension) { return listed(i, physical, extension); }

// ---- Validation -----------------------------------------------------------------------------------------------------

enum { KEPT = 64 };
static pthread_mutex_t message_lock = PTHREAD_MUTEX_INITIALIZER; // of the two below
static char *messages[KEPT];
static int message_count;

struct callback_data { // VkDebugUtilsMessengerCallbackDataEXT, as far as the message
  uint32_t sType;
  const void *pNext;
  uint32_t flags;
  const char *id_name;
  int32_t id;
  const char *message;
};

// on_message is called by the validation layer, on whatever thread made the call that it is about.
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

void jitvk_message(int i, char *out, size_t size) {
  pthread_mutex_lock(&message_lock);
  const char *text = i >= 0 && i < KEPT && messages[i] ? messages[i] : "(not kept)";
  size_t n = strlen(text) < size ? strlen(text) : size - 1;
  memcpy(out, text, n);
  out[n] = 0;
  pthread_mutex_unlock(&message_lock);
}

size_t jitvk_allocated(void) {
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
  return mallinfo2().uordblks;
#else
  return 0;
#endif
}

// ---- Instance -------------------------------------------------------------------------------------------------------

struct app_info { // VkApplicationInfo
  uint32_t sType;
  const void *pNext;
  const char *name;
  uint32_t version;
  const char *engine;
  uint32_t engine_version, api;
};
struct instance_info { // VkInstanceCreateInfo
  uint32_t sType;
  const void *pNext;
  uint32_t flags;
  const struct app_info *app;
  uint32_t layers;
  const char *const *layer_names;
  uint32_t extensions;
  const char *const *extension_names;
};
struct validation_features { // VkValidationFeaturesEXT
  uint32_t sType;
  const void *pNext;
  uint32_t enabled_count;
  const uint32_t *enabled;
  uint32_t disabled_count;
  const uint32_t *disabled;
};

void *jitvk_instance_request(const char *const *extensions, uint32_t n, int validate, int portable) {
  static const uint32_t enabled[] = {4}; // VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT
  static const struct validation_features features = {1000247000, NULL, 1, enabled, 0, NULL};
  static const char *const layers[] = {"VK_LAYER_KHRONOS_validation"};
  static const struct app_info app = {0, NULL, "jitvk", 0, "jitvk", 0, VERSION(1, 3)};
  struct instance_info *info = malloc(sizeof *info);
  if (info)
    *info = (struct instance_info){1, validate ? &features : NULL, portable ? 1 : 0, &app, validate ? 1 : 0, layers, n, extensions};
  return info;
}

struct messenger_info { // VkDebugUtilsMessengerCreateInfoEXT
  uint32_t sType;
  const void *pNext;
  uint32_t flags, severity, type;
  uint32_t(VKAPI *callback)(uint32_t, uint32_t, const struct callback_data *, void *);
  void *user;
};

jitvk_instance *jitvk_instance_open(void *instance, int validate) {
  jitvk_instance *i = calloc(1, sizeof *i);
  if (!i)
    return NULL;
  i->instance = instance;
#define GET(field, name) *(jitvk_function *)&i->field = get_instance_proc(instance, name)
  GET(extensions, "vkEnumerateDeviceExtensionProperties");
  GET(properties2, "vkGetPhysicalDeviceProperties2");
  GET(features2, "vkGetPhysicalDeviceFeatures2");
  GET(families, "vkGetPhysicalDeviceQueueFamilyProperties");
  GET(coopmats, "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR");
  GET(device_proc, "vkGetDeviceProcAddr");
  GET(destroy_messenger, "vkDestroyDebugUtilsMessengerEXT");
  int32_t(VKAPI *create_messenger)(void *, const struct messenger_info *, const void *, uint64_t *);
  *(jitvk_function *)&create_messenger = get_instance_proc(instance, "vkCreateDebugUtilsMessengerEXT");
#undef GET
  // Severity: warning (0x100) and error (0x1000). Type: validation (2) and performance (4) are not mixed: only validation.
  struct messenger_info info = {1000128004, NULL, 0, 0x1100, 0x2, on_message, NULL};
  if (validate && create_messenger && create_messenger(instance, &info, NULL, &i->messenger) < 0)
    i->messenger = 0;
  return i;
}

void jitvk_instance_close(jitvk_instance *i) {
  if (i && i->messenger)
    i->destroy_messenger(i->instance, i->messenger, NULL);
  free(i);
}

// ---- Properties -----------------------------------------------------------------------------------------------------

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

struct sm_props { // VkPhysicalDeviceShaderSMBuiltinsPropertiesNV
  uint32_t sType;
  void *pNext;
  uint32_t count, warps;
};
struct core_props { // VkPhysicalDeviceShaderCoreProperties2AMD
  uint32_t sType;
  void *pNext;
  uint32_t features, active;
};

void jitvk_properties(const jitvk_instance *i, void *physical, uint32_t version, jitvk_props *out) {
  memset(out, 0, sizeof *out);
  if (!i->properties2 || version < VERSION(1, 1))
    return;
  struct sm_props sm = {.sType = 1000154001};
  struct core_props core = {.sType = 1000227000};
  void *vendor = NULL; // what a device's maker alone says
  if (jitvk_device_can(i, physical, "VK_NV_shader_sm_builtins"))
    vendor = &sm;
  else if (jitvk_device_can(i, physical, "VK_AMD_shader_core_properties2"))
    vendor = &core;
  struct subgroup_control_props control = {.sType = 1000225000};
  struct maintenance4_props m4 = {.sType = 1000413001, .pNext = &control};
  struct driver_props driver = {.sType = 1000196000, .pNext = version < VERSION(1, 3) ? NULL : &m4};
  struct maintenance3_props m3 = {.sType = 1000168000, .pNext = version < VERSION(1, 2) ? NULL : &driver};
  struct subgroup_props sub = {.sType = 1000094000, .pNext = &m3};
  if (version < VERSION(1, 2))
    m3.pNext = vendor;
  else if (version < VERSION(1, 3))
    driver.pNext = vendor;
  else
    control.pNext = vendor;
  // VkPhysicalDeviceProperties2: the 1.0 structure inside is 824 bytes; room is left for more.
  struct {
    uint32_t sType;
    void *pNext;
    uint64_t properties[256];
  } p2 = {.sType = 1000059001, .pNext = &sub};
  i->properties2(physical, &p2);
  out->subgroup_size = sub.size;
  out->cores = sm.count + core.active;
  out->subgroup_stages = sub.stages;
  out->subgroup_operations = sub.operations;
  out->subgroup_pin = control.stages & 0x20 && control.min <= sub.size && sub.size <= control.max; // 0x20: compute
  out->max_allocation = m4.max_buffer && m4.max_buffer < m3.max_allocation ? m4.max_buffer : m3.max_allocation;
  memcpy(out->driver_name, driver.name, 256);
  memcpy(out->driver_info, driver.info, 256);
}

uint32_t jitvk_families(const jitvk_instance *i, void *physical, jitvk_family *out, uint32_t max) {
  uint32_t n = max;
  i->families(physical, &n, out);
  return n;
}

uint32_t jitvk_coopmats(const jitvk_instance *i, void *physical, jitvk_coopmat *out, uint32_t max) {
  struct coopmat_props list[128];
  uint32_t n = 128, found = 0;
  for (int k = 0; k < 128; k++)
    list[k] = (struct coopmat_props){.sType = 1000506001};
  if (!i->coopmats || i->coopmats(physical, &n, list) < 0)
    return 0;
  for (uint32_t k = 0; k < n && found < max; k++)
    if (list[k].scope == 3 && !list[k].saturating) // 3: subgroup
      out[found++] = (jitvk_coopmat){list[k].m, list[k].n, list[k].k, list[k].a, list[k].b, list[k].c, list[k].r};
  return found;
}

// ---- Features -------------------------------------------------------------------------------------------------------

// A feature structure is a type, a chain and booleans; on[] has room for the longest (VkPhysicalDeviceFeatures2, 55).
struct feature {
  uint32_t sType;
  void *pNext;
  uint32_t on[64];
};
// The structures that features are asked for and enabled with, chained from core on.
struct features {
  struct feature core, v11, v12, v13, coop, coop2, bf16;
};

// ask fills f with those features that are there and wanted, and returns them as bits: 0, and no chain, on Vulkan 1.1.
static uint32_t ask(const jitvk_instance *i, void *physical, uint32_t version, struct features *f) {
  *f = (struct features){.core.sType = 1000059000, .v11.sType = 49, .v12.sType = 51, .v13.sType = 53, .coop.sType = 1000506000,
                         .coop2.sType = 1000593000, .bf16.sType = 1000141000};
  if (!i->features2 || version < VERSION(1, 2)) // the structures for 1.1 and 1.2 came with 1.2
    return 0;
  f->core.pNext = &f->v11, f->v11.pNext = &f->v12;
  struct feature *last = &f->v12;
#define CHAIN(next) (last->pNext = &next, last = &next)
  if (version >= VERSION(1, 3))
    CHAIN(f->v13);
  if (jitvk_device_can(i, physical, "VK_KHR_cooperative_matrix"))
    CHAIN(f->coop);
  if (jitvk_device_can(i, physical, "VK_NV_cooperative_matrix2"))
    CHAIN(f->coop2);
  if (jitvk_device_can(i, physical, "VK_KHR_shader_bfloat16"))
    CHAIN(f->bf16);
#undef CHAIN
  i->features2(physical, &f->core);
  // Keep what is wanted, by its place in the structure, and turn the rest off.
  uint32_t int64 = f->core.on[40], half = f->v11.on[0] && f->v12.on[7], model = f->v12.on[41];
  uint32_t sizes = f->v13.on[7], full = f->v13.on[8], maintenance4 = f->v13.on[14];
  uint32_t matrix = f->coop.on[0] && model && maintenance4, parts2 = 0;
  for (int part = 0; part < JITVK_COOPMAT2_PARTS; part++)
    parts2 |= (matrix && f->coop2.on[part]) << part;
  uint32_t bfloat = f->bf16.on[0], bfloat_matrix = f->bf16.on[0] && f->bf16.on[2] && matrix;
  struct feature *all[] = {&f->core, &f->v11, &f->v12, &f->v13, &f->coop, &f->coop2, &f->bf16};
  for (size_t k = 0; k < sizeof all / sizeof *all; k++)
    memset(all[k]->on, 0, sizeof all[k]->on);
  f->core.on[40] = int64;
  f->v11.on[0] = f->v12.on[7] = half;
  f->v12.on[41] = model;
  f->v13.on[7] = sizes, f->v13.on[8] = full, f->v13.on[14] = maintenance4;
  f->coop.on[0] = matrix;
  for (int part = 0; part < JITVK_COOPMAT2_PARTS; part++)
    f->coop2.on[part] = parts2 >> part & 1;
  f->bf16.on[0] = bfloat, f->bf16.on[2] = bfloat_matrix;
  return (half ? JITVK_FLOAT16 : 0) | (bfloat_matrix ? JITVK_BFLOAT16 : 0) | (model ? JITVK_MEMORY_MODEL : 0) |
         (matrix ? JITVK_COOPMAT : 0) | (int64 ? JITVK_INT64 : 0) | (sizes && full ? JITVK_SUBGROUPS : 0) | parts2 * JITVK_COOPMAT2;
}

uint32_t jitvk_features(const jitvk_instance *i, void *physical, uint32_t version) {
  struct features f;
  return ask(i, physical, version, &f);
}

// ---- Device ---------------------------------------------------------------------------------------------------------

struct queue_info { // VkDeviceQueueCreateInfo
  uint32_t sType;
  const void *pNext;
  uint32_t flags, family, count;
  const float *priorities;
};
struct device_info { // VkDeviceCreateInfo
  uint32_t sType;
  const void *pNext;
  uint32_t flags, queue_count;
  const struct queue_info *queues;
  uint32_t layers;
  const char *const *layer_names;
  uint32_t extensions;
  const char *const *extension_names;
  const void *features;
};

struct statistics_feature { // VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR
  uint32_t sType;
  const void *pNext;
  uint32_t on;
};

void *jitvk_device_request(const jitvk_instance *i, void *physical, uint32_t version, uint32_t family, const char *const *extensions,
                           uint32_t n, uint32_t statistics) {
  static const float priority = 1;
  struct request {
    struct device_info info; // first, as the caller sees and frees nothing else
    struct queue_info queue;
    struct features features;
    struct statistics_feature statistics;
  } *r = malloc(sizeof *r);
  if (!r)
    return NULL;
  ask(i, physical, version, &r->features);
  r->queue = (struct queue_info){2, NULL, 0, family, 1, &priority};
  r->info = (struct device_info){3, r->features.core.pNext ? &r->features.core : NULL, 0, 1, &r->queue, 0, NULL, n, extensions, NULL};
  if (statistics) {
    r->statistics = (struct statistics_feature){1000269000, r->info.pNext, 1};
    r->info.pNext = &r->statistics;
  }
  return r;
}

jitvk_function jitvk_device_function(const jitvk_instance *i, void *device, const char *name) { return i->device_proc(device, name); }
