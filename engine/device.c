// SPDX-License-Identifier: MIT
//
// Calls on an open device (shim.h), each through the pointer that this device gave for it.
#include "shim.h"
#include <stdlib.h>
#include <string.h>

enum { OUT_OF_HOST_MEMORY = -1 };                      // VK_ERROR_OUT_OF_HOST_MEMORY
enum { STORAGE_BUFFER = 7, COMPUTE_STAGE = 0x20 };     // VkDescriptorType, VkShaderStageFlagBits
enum { USAGE = 0x1 | 0x2 | 0x20 };                     // VkBufferUsageFlags: source and destination of transfers, storage buffer

struct buffer_create_info { // VkBufferCreateInfo
  uint32_t sType;
  const void *pNext;
  uint32_t flags;
  uint64_t size;
  uint32_t usage, sharing, family_count;
  const uint32_t *families;
};
struct memory_requirements { // VkMemoryRequirements
  uint64_t size, alignment;
  uint32_t types;
};
struct allocate_info { // VkMemoryAllocateInfo
  uint32_t sType;
  const void *pNext;
  uint64_t size;
  uint32_t type;
};
struct set_binding { // VkDescriptorSetLayoutBinding
  uint32_t binding, type, count, stages;
  const void *samplers;
};
struct set_layout_info { // VkDescriptorSetLayoutCreateInfo
  uint32_t sType;
  const void *pNext;
  uint32_t flags, count;
  const struct set_binding *bindings;
};
struct push_range { // VkPushConstantRange
  uint32_t stages, offset, size;
};
struct pipeline_layout_info { // VkPipelineLayoutCreateInfo
  uint32_t sType;
  const void *pNext;
  uint32_t flags, set_count;
  const uint64_t *sets;
  uint32_t push_count;
  const struct push_range *push;
};
struct cache_info { // VkPipelineCacheCreateInfo
  uint32_t sType;
  const void *pNext;
  uint32_t flags;
  size_t size;
  const void *data;
};
struct pool_size { // VkDescriptorPoolSize
  uint32_t type, count;
};
struct set_pool_info { // VkDescriptorPoolCreateInfo
  uint32_t sType;
  const void *pNext;
  uint32_t flags, sets, size_count;
  const struct pool_size *sizes;
};
struct set_info { // VkDescriptorSetAllocateInfo
  uint32_t sType;
  const void *pNext;
  uint64_t pool;
  uint32_t count;
  const uint64_t *layouts;
};
struct query_pool_info { // VkQueryPoolCreateInfo
  uint32_t sType;
  const void *pNext;
  uint32_t flags, type, count, statistics;
};
struct command_pool_info { // VkCommandPoolCreateInfo
  uint32_t sType;
  const void *pNext;
  uint32_t flags, family;
};
struct commands_info { // VkCommandBufferAllocateInfo
  uint32_t sType;
  const void *pNext;
  uint64_t pool;
  uint32_t level, count;
};
struct fence_info { // VkFenceCreateInfo
  uint32_t sType;
  const void *pNext;
  uint32_t flags;
};
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

struct executable_info { // VkPipelineExecutableInfoKHR
  uint32_t sType;
  const void *pNext;
  uint64_t pipeline;
  uint32_t index;
};
struct statistic { // VkPipelineExecutableStatisticKHR
  uint32_t sType;
  void *pNext;
  char name[256], description[256];
  uint32_t format; // 0 bool, 1 signed, 2 unsigned, 3 float
  union {
    uint32_t b;
    int64_t i;
    uint64_t u;
    double f;
  } value;
};

struct jitvk_device {
  void *device;
  int32_t(VKAPI *statistics)(void *, const struct executable_info *, uint32_t *, struct statistic *); // NULL where not asked for
  void(VKAPI *destroy_device)(void *, const void *);
  int32_t(VKAPI *wait_idle)(void *);
  void(VKAPI *queue)(void *, uint32_t, uint32_t, void **);
  void(VKAPI *destroy[JITVK_KINDS])(void *, uint64_t, const void *);
  int32_t(VKAPI *create_buffer)(void *, const struct buffer_create_info *, const void *, uint64_t *);
  int32_t(VKAPI *create_set_layout)(void *, const struct set_layout_info *, const void *, uint64_t *);
  int32_t(VKAPI *create_pipeline_layout)(void *, const struct pipeline_layout_info *, const void *, uint64_t *);
  int32_t(VKAPI *create_cache)(void *, const struct cache_info *, const void *, uint64_t *);
  int32_t(VKAPI *create_set_pool)(void *, const struct set_pool_info *, const void *, uint64_t *);
  int32_t(VKAPI *create_query_pool)(void *, const struct query_pool_info *, const void *, uint64_t *);
  int32_t(VKAPI *create_command_pool)(void *, const struct command_pool_info *, const void *, uint64_t *);
  int32_t(VKAPI *create_fence)(void *, const struct fence_info *, const void *, uint64_t *);
  void(VKAPI *buffer_needs)(void *, uint64_t, struct memory_requirements *);
  int32_t(VKAPI *allocate)(void *, const struct allocate_info *, const void *, uint64_t *);
  int32_t(VKAPI *bind)(void *, uint64_t, uint64_t, uint64_t);
  int32_t(VKAPI *map)(void *, uint64_t, uint64_t, uint64_t, uint32_t, void **);
  int32_t(VKAPI *create_module)(void *, const struct module_info *, const void *, uint64_t *);
  void(VKAPI *destroy_module)(void *, uint64_t, const void *);
  int32_t(VKAPI *create_pipelines)(void *, uint64_t, uint32_t, const struct compute_info *, const void *, uint64_t *);
  int32_t(VKAPI *cache_data)(void *, uint64_t, size_t *, void *);
  int32_t(VKAPI *allocate_sets)(void *, const struct set_info *, uint64_t *);
  void(VKAPI *update_sets)(void *, uint32_t, const struct write_set *, uint32_t, const void *);
  int32_t(VKAPI *allocate_commands)(void *, const struct commands_info *, void **);
  void(VKAPI *free_commands)(void *, uint64_t, uint32_t, void *const *);
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
  int32_t(VKAPI *wait_fences)(void *, uint32_t, const uint64_t *, uint32_t, uint64_t);
  int32_t(VKAPI *reset_fences)(void *, uint32_t, const uint64_t *);
  int32_t(VKAPI *query_results)(void *, uint64_t, uint32_t, uint32_t, size_t, void *, uint64_t, uint32_t);
};

jitvk_device *jitvk_device_open(const jitvk_instance *i, void *device, uint32_t statistics) {
  jitvk_device *d = calloc(1, sizeof *d);
  if (!d)
    return NULL;
  d->device = device;
#define GET(field, name) *(jitvk_function *)&d->field = jitvk_device_function(i, device, name)
  if (statistics)
    GET(statistics, "vkGetPipelineExecutableStatisticsKHR");
  GET(destroy_device, "vkDestroyDevice");
  GET(wait_idle, "vkDeviceWaitIdle");
  GET(queue, "vkGetDeviceQueue");
  GET(destroy[JITVK_BUFFER], "vkDestroyBuffer");
  GET(destroy[JITVK_MEMORY], "vkFreeMemory");
  GET(destroy[JITVK_SET_LAYOUT], "vkDestroyDescriptorSetLayout");
  GET(destroy[JITVK_PIPELINE_LAYOUT], "vkDestroyPipelineLayout");
  GET(destroy[JITVK_PIPELINE], "vkDestroyPipeline");
  GET(destroy[JITVK_PIPELINE_CACHE], "vkDestroyPipelineCache");
  GET(destroy[JITVK_SET_POOL], "vkDestroyDescriptorPool");
  GET(destroy[JITVK_QUERY_POOL], "vkDestroyQueryPool");
  GET(destroy[JITVK_COMMAND_POOL], "vkDestroyCommandPool");
  GET(destroy[JITVK_FENCE], "vkDestroyFence");
  GET(create_buffer, "vkCreateBuffer");
  GET(create_set_layout, "vkCreateDescriptorSetLayout");
  GET(create_pipeline_layout, "vkCreatePipelineLayout");
  GET(create_cache, "vkCreatePipelineCache");
  GET(create_set_pool, "vkCreateDescriptorPool");
  GET(create_query_pool, "vkCreateQueryPool");
  GET(create_command_pool, "vkCreateCommandPool");
  GET(create_fence, "vkCreateFence");
  GET(buffer_needs, "vkGetBufferMemoryRequirements");
  GET(allocate, "vkAllocateMemory");
  GET(bind, "vkBindBufferMemory");
  GET(map, "vkMapMemory");
  GET(create_module, "vkCreateShaderModule");
  GET(destroy_module, "vkDestroyShaderModule");
  GET(create_pipelines, "vkCreateComputePipelines");
  GET(cache_data, "vkGetPipelineCacheData");
  GET(allocate_sets, "vkAllocateDescriptorSets");
  GET(update_sets, "vkUpdateDescriptorSets");
  GET(allocate_commands, "vkAllocateCommandBuffers");
  GET(free_commands, "vkFreeCommandBuffers");
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
  GET(wait_fences, "vkWaitForFences");
  GET(reset_fences, "vkResetFences");
  GET(query_results, "vkGetQueryPoolResults");
#undef GET
  return d;
}

void jitvk_device_close(jitvk_device *d) {
  if (d)
    d->destroy_device(d->device, NULL);
  free(d);
}

int32_t jitvk_wait_idle(jitvk_device *d) { return d->wait_idle(d->device); }

void *jitvk_queue(jitvk_device *d, uint32_t family) {
  void *queue = NULL;
  d->queue(d->device, family, 0, &queue);
  return queue;
}

// ---- Objects --------------------------------------------------------------------------------------------------------

void jitvk_destroy(jitvk_device *d, uint32_t kind, uint64_t object) { d->destroy[kind](d->device, object, NULL); }

int32_t jitvk_create_buffer(jitvk_device *d, uint64_t size, uint64_t *out) {
  struct buffer_create_info info = {12, NULL, 0, size, USAGE, 0, 0, NULL};
  return d->create_buffer(d->device, &info, NULL, out);
}

int32_t jitvk_create_set_layout(jitvk_device *d, uint32_t bindings, uint64_t *out) {
  struct set_binding *list = calloc(bindings + 1, sizeof *list);
  if (!list)
    return OUT_OF_HOST_MEMORY;
  for (uint32_t i = 0; i < bindings; i++)
    list[i] = (struct set_binding){i, STORAGE_BUFFER, 1, COMPUTE_STAGE, NULL};
  struct set_layout_info info = {32, NULL, 0, bindings, list};
  int32_t r = d->create_set_layout(d->device, &info, NULL, out);
  free(list);
  return r;
}

int32_t jitvk_create_pipeline_layout(jitvk_device *d, uint64_t set_layout, uint32_t push_bytes, uint64_t *out) {
  struct push_range push = {COMPUTE_STAGE, 0, push_bytes};
  struct pipeline_layout_info info = {30, NULL, 0, 1, &set_layout, 1, &push};
  return d->create_pipeline_layout(d->device, &info, NULL, out);
}

int32_t jitvk_create_pipeline_cache(jitvk_device *d, const void *data, size_t size, uint64_t *out) {
  struct cache_info info = {17, NULL, 0, size, data};
  return d->create_cache(d->device, &info, NULL, out);
}

int32_t jitvk_create_set_pool(jitvk_device *d, uint32_t sets, uint32_t bindings, uint64_t *out) {
  struct pool_size size = {STORAGE_BUFFER, bindings};
  struct set_pool_info info = {33, NULL, 0, sets, 1, &size};
  return d->create_set_pool(d->device, &info, NULL, out);
}

int32_t jitvk_create_query_pool(jitvk_device *d, uint32_t stamps, uint64_t *out) {
  struct query_pool_info info = {11, NULL, 0, 2, stamps, 0}; // 2: timestamps
  return d->create_query_pool(d->device, &info, NULL, out);
}

int32_t jitvk_create_command_pool(jitvk_device *d, uint32_t family, uint64_t *out) {
  struct command_pool_info info = {39, NULL, 2, family}; // 2: its command buffers can be recorded again
  return d->create_command_pool(d->device, &info, NULL, out);
}

int32_t jitvk_create_fence(jitvk_device *d, uint64_t *out) {
  struct fence_info info = {8, NULL, 0};
  return d->create_fence(d->device, &info, NULL, out);
}

void jitvk_buffer_needs(jitvk_device *d, uint64_t buffer, uint64_t *size, uint32_t *types) {
  struct memory_requirements r;
  d->buffer_needs(d->device, buffer, &r);
  *size = r.size, *types = r.types;
}

int32_t jitvk_allocate(jitvk_device *d, uint64_t size, uint32_t type, uint64_t *memory) {
  struct allocate_info info = {5, NULL, size, type};
  return d->allocate(d->device, &info, NULL, memory);
}

int32_t jitvk_bind(jitvk_device *d, uint64_t buffer, uint64_t memory) { return d->bind(d->device, buffer, memory, 0); }

int32_t jitvk_map(jitvk_device *d, uint64_t memory, uint64_t size, void **out) { return d->map(d->device, memory, 0, size, 0, out); }

// ---- Pipelines ------------------------------------------------------------------------------------------------------

int32_t jitvk_pipeline(jitvk_device *d, uint64_t cache, const void *code, size_t bytes, uint64_t layout, const uint32_t *spec,
                       uint32_t nspec, uint32_t subgroup, uint64_t *pipeline) {
  uint64_t module;
  struct module_info mi = {16, NULL, 0, bytes, code};
  int32_t r = d->create_module(d->device, &mi, NULL, &module);
  if (r < 0)
    return r;
  struct spec_entry entries[JITVK_MAX_SPEC];
  for (uint32_t i = 0; i < nspec; i++)
    entries[i] = (struct spec_entry){i, 4 * i, 4};
  struct spec_info si = {nspec, entries, 4 * (size_t)nspec, spec};
  struct subgroup_info ri = {1000225001, NULL, subgroup};
  struct stage_info stage = {18, subgroup ? &ri : NULL, subgroup ? 2 : 0, COMPUTE_STAGE, module, "main", &si}; // 2: full subgroups
  struct compute_info ci = {29, NULL, d->statistics ? 0x40 : 0, stage, layout, 0, -1}; // 0x40: capture statistics
  r = d->create_pipelines(d->device, cache, 1, &ci, NULL, pipeline);
  d->destroy_module(d->device, module, NULL); // a pipeline does not need its module once it exists
  return r;
}

uint32_t jitvk_pipeline_statistics(jitvk_device *d, uint64_t pipeline, jitvk_statistic *out, uint32_t max) {
  enum { MOST = 64 };
  struct executable_info which = {1000269003, NULL, pipeline, 0}; // the first executable: compute pipelines have one
  uint32_t n = max < MOST ? max : MOST;
  struct statistic *all = calloc(MOST, sizeof *all);
  if (!all || !d->statistics) {
    free(all);
    return 0;
  }
  for (uint32_t i = 0; i < n; i++)
    all[i].sType = 1000269004;
  if (d->statistics(d->device, &which, &n, all) < 0)
    n = 0;
  for (uint32_t i = 0; i < n; i++) {
    memcpy(out[i].name, all[i].name, sizeof out[i].name);
    double values[] = {all[i].value.b, (double)all[i].value.i, (double)all[i].value.u, all[i].value.f};
    out[i].value = all[i].format < 4 ? values[all[i].format] : 0;
  }
  free(all);
  return n;
}

int32_t jitvk_pipeline_cache_data(jitvk_device *d, uint64_t cache, size_t *size, void *data) {
  return d->cache_data(d->device, cache, size, data);
}

// ---- Descriptor sets and command buffers ----------------------------------------------------------------------------

int32_t jitvk_allocate_sets(jitvk_device *d, uint64_t pool, const uint64_t *layouts, uint32_t n, uint64_t *sets) {
  struct set_info info = {34, NULL, pool, n, layouts};
  return d->allocate_sets(d->device, &info, sets);
}

void jitvk_update_sets(jitvk_device *d, const jitvk_write *w, uint32_t n) {
  for (uint32_t i = 0; i < n; i++) {
    struct buffer_info bi = {w[i].buffer, w[i].offset, w[i].range};
    struct write_set ws = {35, NULL, w[i].set, w[i].binding, 0, 1, STORAGE_BUFFER, NULL, &bi, NULL};
    d->update_sets(d->device, 1, &ws, 0, NULL);
  }
}

int32_t jitvk_allocate_commands(jitvk_device *d, uint64_t pool, uint32_t n, void **out) {
  struct commands_info info = {40, NULL, pool, 0, n}; // 0: primary
  return d->allocate_commands(d->device, &info, out);
}

void jitvk_free_commands(jitvk_device *d, uint64_t pool, uint32_t n, void *const *commands) {
  d->free_commands(d->device, pool, n, commands);
}

int32_t jitvk_record(jitvk_device *d, void *cb, const jitvk_cmd *cmds, uint32_t n) {
  struct begin_info bi = {42, NULL, 4, NULL}; // 4: simultaneous use
  int32_t r = d->begin(cb, &bi);
  if (r < 0)
    return r;
  uint64_t bound = 0;
  for (uint32_t i = 0; i < n; i++) {
    const jitvk_cmd *c = &cmds[i];
    switch (c->kind) {
    case JITVK_DISPATCH:
      if (c->pipeline != bound)
        d->bind_pipeline(cb, 1, c->pipeline);
      bound = c->pipeline;
      d->bind_sets(cb, 1, c->layout, 0, 1, &c->set, 0, NULL);
      if (c->push_bytes)
        d->push(cb, c->layout, COMPUTE_STAGE, 0, c->push_bytes, c->push);
      d->dispatch(cb, c->x, c->y, c->z);
      break;
    case JITVK_BARRIER: {
      // Writes of the stages before are visible to all accesses of the stages after: in shaders, transfers and on the host.
      struct memory_barrier mb = {46, NULL, (c->x & 0x800 ? 0x40 : 0) | (c->x & 0x1000 ? 0x1000 : 0),
                                  (c->y & 0x800 ? 0x20 | 0x40 : 0) | (c->y & 0x1000 ? 0x800 | 0x1000 : 0) | (c->y & 0x4000 ? 0x2000 : 0)};
      d->barrier(cb, c->x, c->y, 0, 1, &mb, 0, NULL, 0, NULL);
      break;
    }
    case JITVK_COPY: {
      struct copy_region region = {c->src_off, c->dst_off, c->size};
      d->copy(cb, c->src, c->dst, 1, &region);
      break;
    }
    case JITVK_FILL:
      d->fill(cb, c->dst, c->dst_off, c->size, c->word);
      break;
    case JITVK_STAMP:
      d->stamp(cb, 0x2000, c->src, c->word); // 0x2000: bottom of pipe, when all before has finished
      break;
    case JITVK_RESET_STAMPS:
      d->reset_pool(cb, c->src, 0, c->word);
      break;
    }
  }
  return d->end(cb);
}

int32_t jitvk_submit(jitvk_device *d, void *queue, void *const *cbs, uint32_t n, uint64_t fence) {
  struct submit_info si = {4, NULL, 0, NULL, NULL, n, cbs, 0, NULL};
  return d->submit(queue, 1, &si, fence);
}

int32_t jitvk_wait(jitvk_device *d, uint64_t fence) {
  int32_t r = d->wait_fences(d->device, 1, &fence, 1, UINT64_MAX);
  return r < 0 ? r : d->reset_fences(d->device, 1, &fence);
}

int32_t jitvk_read_stamps(jitvk_device *d, uint64_t pool, uint32_t n, uint64_t *out) {
  return d->query_results(d->device, pool, 0, n, n * sizeof *out, out, sizeof *out, 1); // 1: in 64 bits
}
