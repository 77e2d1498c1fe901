/* SPDX-License-Identifier: GPL-2.0 */
/*
 * C that Rust cannot reach: inline functions, macros, and fields of i915's private structures. Hardly any is more than
 * one expression or one call, and none decides anything. What they mean is told where rust/ wraps them.
 */

#ifndef _GVT_HELPERS_H_
#define _GVT_HELPERS_H_

#include <linux/types.h>

struct atomic_notifier_head;
struct dentry;
struct device;
struct dma_fence;
struct drm_i915_private;
struct drm_mm_node;
struct file_operations;
struct i915_fence_reg;
struct i915_ppgtt;
struct i915_request;
struct dma_fence_cb;
struct intel_context;
struct intel_engine_cs;
struct kvm;
struct notifier_block;
struct page;
struct pci_dev;
struct ratelimit_state;
struct ref_tracker;
struct vm_area_struct;

/* The platforms that i915 offers to a device model. */
enum gvt_helper_platform {
	GVT_HELPER_PLATFORM_OTHER,
	GVT_HELPER_PLATFORM_BROADWELL,
	GVT_HELPER_PLATFORM_SKYLAKE,
	GVT_HELPER_PLATFORM_KABYLAKE,
	GVT_HELPER_PLATFORM_BROXTON,
	GVT_HELPER_PLATFORM_COFFEELAKE,
	GVT_HELPER_PLATFORM_COMETLAKE,
};

/* ratelimit.c */
void gvt_helper_ratelimit_init(struct ratelimit_state *state);

/* kthread.c */
void gvt_helper_allow_kill(void);
void gvt_helper_kill(struct task_struct *task);
bool gvt_helper_is_killed(void);
void gvt_helper_forget_kill(void);

/* pages.c */
void gvt_helper_get_page(struct page *page);
bool gvt_helper_page_is_popular(struct page *page);
void gvt_helper_put_page(struct page *page);
bool gvt_helper_page_is_memory(struct page *page);
int gvt_helper_dma_mapping_error(struct device *dev, dma_addr_t address);
void gvt_helper_read_page(void *to, struct page *page, size_t offset, size_t length);
void gvt_helper_write_page(struct page *page, size_t offset, const void *from, size_t length);
int gvt_helper_remap_page(struct vm_area_struct *vma, unsigned long address, struct page *page);
void *gvt_helper_vmap(struct page **pages, unsigned int count);
void gvt_helper_vunmap(const void *address);
void gvt_helper_flush(void *address, unsigned long length);

/* misc.c */
void gvt_helper_kvm_get(struct kvm *kvm);
void gvt_helper_kvm_put(struct kvm *kvm);
void gvt_helper_device_lock(struct device *dev);
void gvt_helper_device_unlock(struct device *dev);
int gvt_helper_pm_get(struct device *dev);
void gvt_helper_pm_put(struct device *dev);
struct pci_dev *gvt_helper_next_display(struct pci_dev *from);
struct device *gvt_helper_pci_device(struct pci_dev *pdev);
const char *gvt_helper_driver_name(struct pci_dev *pdev);
void gvt_helper_debugfs_folder(const char *name, struct dentry *parent);
struct dentry *gvt_helper_debugfs_find(const char *name, struct dentry *parent);
void gvt_helper_debugfs_file(const char *name, umode_t mode, struct dentry *parent, void *data,
			     const struct file_operations *ops);
bool gvt_helper_debugfs_is_file(struct dentry *entry);
void gvt_helper_debugfs_remove(struct dentry *entry);
int gvt_helper_pm_notifier_add(struct notifier_block *block);
void gvt_helper_pm_notifier_remove(struct notifier_block *block);

/* misc.c: tracepoints */
void gvt_helper_trace_mmio(u32 vgpu, bool write, u64 offset, u64 value, u32 width);
void gvt_helper_trace_write_ir(u32 vgpu, const char *name, u32 offset, u32 new, u32 old);
void gvt_helper_trace_propagate_event(u32 vgpu, const char *event, u32 bit);
void gvt_helper_trace_inject_msi(u32 vgpu, bool sent);
void gvt_helper_trace_workload_submit(u32 vgpu, const char *engine, u32 len);
void gvt_helper_trace_workload_complete(u32 vgpu, const char *engine, u32 len, bool done, u64 time);

/* i915.c: the device */
struct drm_i915_private *gvt_helper_i915_of(struct pci_dev *pdev);
enum gvt_helper_platform gvt_helper_i915_platform(struct drm_i915_private *i915);
struct pci_dev *gvt_helper_i915_pdev(struct drm_i915_private *i915);
u16 gvt_helper_i915_device_id(struct drm_i915_private *i915);
u8 gvt_helper_i915_msi_cap(struct drm_i915_private *i915);
bool gvt_helper_i915_has_llc(struct drm_i915_private *i915);
u64 gvt_helper_i915_bar_size(struct drm_i915_private *i915, u32 bar);
const u8 *gvt_helper_i915_initial_config(struct drm_i915_private *i915);
const u8 *gvt_helper_i915_initial_registers(struct drm_i915_private *i915);
bool gvt_helper_i915_enable_gvt(struct drm_i915_private *i915);
bool gvt_helper_i915_is_guest(struct drm_i915_private *i915);
bool gvt_helper_i915_wants_guc(struct drm_i915_private *i915);
bool gvt_helper_i915_is_wedged(struct drm_i915_private *i915);
u32 gvt_helper_i915_resets(struct drm_i915_private *i915);
bool gvt_helper_i915_is_resetting(struct drm_i915_private *i915);
void *gvt_helper_i915_gvt(struct drm_i915_private *i915);
void gvt_helper_i915_set_gvt(struct drm_i915_private *i915, void *gvt);
bool gvt_helper_i915_enter(struct drm_i915_private *i915, int *section);
void gvt_helper_i915_exit(int section);
struct dentry *gvt_helper_i915_debugfs(struct drm_i915_private *i915);

/* i915.c: runtime power management, registers */
struct ref_tracker *gvt_helper_i915_rpm_get(struct drm_i915_private *i915);
void gvt_helper_i915_rpm_put(struct drm_i915_private *i915, struct ref_tracker *wakeref);
u32 gvt_helper_i915_read(struct drm_i915_private *i915, u32 offset);
void gvt_helper_i915_write(struct drm_i915_private *i915, u32 offset, u32 value);
u32 gvt_helper_i915_read_fw(struct drm_i915_private *i915, u32 offset);
void gvt_helper_i915_write_fw(struct drm_i915_private *i915, u32 offset, u32 value);
void gvt_helper_i915_posting_read(struct drm_i915_private *i915, u32 offset);
void gvt_helper_i915_forcewake_get(struct drm_i915_private *i915, u32 domains);
void gvt_helper_i915_forcewake_put(struct drm_i915_private *i915, u32 domains);

/* i915.c: GGTT, aperture, fences */
u64 gvt_helper_i915_ggtt_total(struct drm_i915_private *i915);
u64 gvt_helper_i915_aperture_size(struct drm_i915_private *i915);
u64 gvt_helper_i915_aperture_base(struct drm_i915_private *i915);
u32 gvt_helper_i915_fence_count(struct drm_i915_private *i915);
void gvt_helper_i915_ggtt_lock(struct drm_i915_private *i915);
void gvt_helper_i915_ggtt_unlock(struct drm_i915_private *i915);
int gvt_helper_i915_ggtt_insert(struct drm_i915_private *i915, struct drm_mm_node *node, u64 size, u64 start, u64 end,
				bool high);
u64 gvt_helper_i915_scratch_pte(struct drm_i915_private *i915);
void gvt_helper_i915_pte_write(struct drm_i915_private *i915, u64 index, u64 pte);
void gvt_helper_i915_ggtt_flush(struct drm_i915_private *i915);
void *gvt_helper_i915_aperture_map(struct drm_i915_private *i915, u64 offset, u64 size);
void gvt_helper_i915_aperture_unmap(void *map);
struct i915_fence_reg *gvt_helper_i915_fence_reserve(struct drm_i915_private *i915);
void gvt_helper_i915_fence_unreserve(struct i915_fence_reg *fence);
u32 gvt_helper_i915_fence_register(struct i915_fence_reg *fence);

/* i915.c: engines */
struct intel_engine_cs *gvt_helper_i915_engine(struct drm_i915_private *i915, u32 id);
u32 gvt_helper_engine_mmio_base(struct intel_engine_cs *engine);
u32 gvt_helper_engine_context_size(struct intel_engine_cs *engine);
const char *gvt_helper_engine_name(struct intel_engine_cs *engine);
struct atomic_notifier_head *gvt_helper_engine_notifier(struct intel_engine_cs *engine);
u32 gvt_helper_engine_resets(struct intel_engine_cs *engine);

/* submission.c: contexts */
void *gvt_helper_engine_map_default(struct intel_engine_cs *engine);
void gvt_helper_engine_unmap_default(struct intel_engine_cs *engine, void *state);
struct i915_ppgtt *gvt_helper_ppgtt_create(struct drm_i915_private *i915);
void gvt_helper_ppgtt_put(struct i915_ppgtt *ppgtt);
struct intel_context *gvt_helper_context_create(struct intel_engine_cs *engine);
u32 gvt_helper_context_size(struct intel_context *context);
void gvt_helper_context_get(struct intel_context *context);
void gvt_helper_context_put(struct intel_context *context);
void gvt_helper_context_set_ppgtt(struct intel_context *context, struct i915_ppgtt *ppgtt);
void gvt_helper_context_set_ring_size(struct intel_context *context, u32 size);
void gvt_helper_context_run_alone(struct intel_context *context);
int gvt_helper_context_pin(struct intel_context *context);
void gvt_helper_context_unpin(struct intel_context *context);
u32 *gvt_helper_context_state(struct intel_context *context);
void gvt_helper_context_ban(struct intel_context *context);
void gvt_helper_context_set_addressing(struct intel_context *context, u32 mode);
u64 gvt_helper_context_root(struct intel_context *context);

/* submission.c: requests */
struct i915_request *gvt_helper_request_create(struct intel_context *context);
int gvt_helper_request_begin(struct i915_request *request);
u32 *gvt_helper_request_room(struct i915_request *request, u32 words);
void gvt_helper_request_add(struct i915_request *request);
void gvt_helper_request_get(struct i915_request *request);
void gvt_helper_request_put(struct i915_request *request);
void gvt_helper_request_prioritise(struct i915_request *request, int priority);
int gvt_helper_request_notify(struct i915_request *request, struct dma_fence_cb *callback,
			      void (*done)(struct dma_fence *fence, struct dma_fence_cb *callback));
bool gvt_helper_request_forget(struct i915_request *request, struct dma_fence_cb *callback);
bool gvt_helper_request_is_done(struct i915_request *request);
int gvt_helper_request_error(struct i915_request *request);
struct intel_context *gvt_helper_request_context(struct i915_request *request);

#endif
