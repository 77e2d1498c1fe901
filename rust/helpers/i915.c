// SPDX-License-Identifier: GPL-2.0

#include <linux/io-mapping.h>
#include <linux/pci.h>

#include "i915_drv.h"
#include "i915_reg.h"
#include "gem/i915_gem_object.h"
#include "gt/intel_engine.h"
#include "gt/intel_ggtt_fencing.h"
#include "gt/intel_gt.h"
#include "gt/intel_gt_regs.h"
#include "gt/intel_gtt.h"
#include "gt/uc/intel_uc.h"
#include "i915_gem_gtt.h"
#include "i915_vma.h"
#include "intel_uncore.h"

#include "helpers.h"

struct drm_i915_private *gvt_helper_i915_of(struct pci_dev *pdev)
{
	return pdev_to_i915(pdev);
}

enum gvt_helper_platform gvt_helper_i915_platform(struct drm_i915_private *i915)
{
	return IS_BROADWELL(i915)  ? GVT_HELPER_PLATFORM_BROADWELL :
	       IS_SKYLAKE(i915)    ? GVT_HELPER_PLATFORM_SKYLAKE :
	       IS_KABYLAKE(i915)   ? GVT_HELPER_PLATFORM_KABYLAKE :
	       IS_BROXTON(i915)    ? GVT_HELPER_PLATFORM_BROXTON :
	       IS_COFFEELAKE(i915) ? GVT_HELPER_PLATFORM_COFFEELAKE :
	       IS_COMETLAKE(i915)  ? GVT_HELPER_PLATFORM_COMETLAKE :
				     GVT_HELPER_PLATFORM_OTHER;
}

struct pci_dev *gvt_helper_i915_pdev(struct drm_i915_private *i915)
{
	return to_pci_dev(i915->drm.dev);
}

u16 gvt_helper_i915_device_id(struct drm_i915_private *i915)
{
	return to_pci_dev(i915->drm.dev)->device;
}

u8 gvt_helper_i915_msi_cap(struct drm_i915_private *i915)
{
	return to_pci_dev(i915->drm.dev)->msi_cap;
}

bool gvt_helper_i915_has_llc(struct drm_i915_private *i915)
{
	return HAS_LLC(i915);
}

u64 gvt_helper_i915_bar_size(struct drm_i915_private *i915, u32 bar)
{
	return pci_resource_len(to_pci_dev(i915->drm.dev), bar);
}

const u8 *gvt_helper_i915_initial_config(struct drm_i915_private *i915)
{
	return i915->vgpu.initial_cfg_space;
}

const u8 *gvt_helper_i915_initial_registers(struct drm_i915_private *i915)
{
	return (const u8 *)i915->vgpu.initial_mmio;
}

bool gvt_helper_i915_enter(struct drm_i915_private *i915, int *section)
{
	return drm_dev_enter(&i915->drm, section);
}

void gvt_helper_i915_exit(int section)
{
	drm_dev_exit(section);
}

struct dentry *gvt_helper_i915_debugfs(struct drm_i915_private *i915)
{
	return i915->drm.debugfs_root;
}

bool gvt_helper_i915_enable_gvt(struct drm_i915_private *i915)
{
	return i915->params.enable_gvt;
}

bool gvt_helper_i915_is_guest(struct drm_i915_private *i915)
{
	return i915->vgpu.active;
}

bool gvt_helper_i915_wants_guc(struct drm_i915_private *i915)
{
	return intel_uc_wants_guc_submission(&to_gt(i915)->uc);
}

bool gvt_helper_i915_is_wedged(struct drm_i915_private *i915)
{
	return intel_gt_is_wedged(to_gt(i915));
}

u32 gvt_helper_i915_resets(struct drm_i915_private *i915)
{
	return i915_reset_count(&i915->gpu_error);
}

bool gvt_helper_i915_is_resetting(struct drm_i915_private *i915)
{
	return test_bit(I915_RESET_BACKOFF, &to_gt(i915)->reset.flags);
}

void *gvt_helper_i915_gvt(struct drm_i915_private *i915)
{
	return i915->gvt;
}

void gvt_helper_i915_set_gvt(struct drm_i915_private *i915, void *gvt)
{
	i915->gvt = gvt;
}

struct ref_tracker *gvt_helper_i915_rpm_get(struct drm_i915_private *i915)
{
	return intel_runtime_pm_get(&i915->runtime_pm);
}

void gvt_helper_i915_rpm_put(struct drm_i915_private *i915, struct ref_tracker *wakeref)
{
	intel_runtime_pm_put(&i915->runtime_pm, wakeref);
}

u32 gvt_helper_i915_read(struct drm_i915_private *i915, u32 offset)
{
	return intel_uncore_read(to_gt(i915)->uncore, _MMIO(offset));
}

void gvt_helper_i915_write(struct drm_i915_private *i915, u32 offset, u32 value)
{
	intel_uncore_write(to_gt(i915)->uncore, _MMIO(offset), value);
}

u32 gvt_helper_i915_read_fw(struct drm_i915_private *i915, u32 offset)
{
	return intel_uncore_read_fw(to_gt(i915)->uncore, _MMIO(offset));
}

void gvt_helper_i915_write_fw(struct drm_i915_private *i915, u32 offset, u32 value)
{
	intel_uncore_write_fw(to_gt(i915)->uncore, _MMIO(offset), value);
}

void gvt_helper_i915_posting_read(struct drm_i915_private *i915, u32 offset)
{
	intel_uncore_posting_read(to_gt(i915)->uncore, _MMIO(offset));
}

void gvt_helper_i915_forcewake_get(struct drm_i915_private *i915, u32 domains)
{
	intel_uncore_forcewake_get(to_gt(i915)->uncore, domains);
}

void gvt_helper_i915_forcewake_put(struct drm_i915_private *i915, u32 domains)
{
	intel_uncore_forcewake_put(to_gt(i915)->uncore, domains);
}

u64 gvt_helper_i915_ggtt_total(struct drm_i915_private *i915)
{
	return to_gt(i915)->ggtt->vm.total;
}

u64 gvt_helper_i915_aperture_size(struct drm_i915_private *i915)
{
	return to_gt(i915)->ggtt->mappable_end;
}

u64 gvt_helper_i915_aperture_base(struct drm_i915_private *i915)
{
	return to_gt(i915)->ggtt->gmadr.start;
}

u32 gvt_helper_i915_fence_count(struct drm_i915_private *i915)
{
	return to_gt(i915)->ggtt->num_fences;
}

void gvt_helper_i915_ggtt_lock(struct drm_i915_private *i915)
{
	mutex_lock(&to_gt(i915)->ggtt->vm.mutex);
}

void gvt_helper_i915_ggtt_unlock(struct drm_i915_private *i915)
{
	mutex_unlock(&to_gt(i915)->ggtt->vm.mutex);
}

int gvt_helper_i915_ggtt_insert(struct drm_i915_private *i915, struct drm_mm_node *node, u64 size, u64 start, u64 end,
				bool high)
{
	return i915_gem_gtt_insert(&to_gt(i915)->ggtt->vm, NULL, node, size, I915_GTT_PAGE_SIZE,
				   I915_COLOR_UNEVICTABLE, start, end, high ? PIN_HIGH : PIN_MAPPABLE);
}

u64 gvt_helper_i915_scratch_pte(struct drm_i915_private *i915)
{
	return to_gt(i915)->ggtt->vm.scratch[0]->encode;
}

void gvt_helper_i915_pte_write(struct drm_i915_private *i915, u64 index, u64 pte)
{
	writeq(pte, (u64 __iomem *)to_gt(i915)->ggtt->gsm + index);
}

void gvt_helper_i915_ggtt_flush(struct drm_i915_private *i915)
{
	intel_uncore_write(to_gt(i915)->uncore, GFX_FLSH_CNTL_GEN6, GFX_FLSH_CNTL_EN);
}

void *gvt_helper_i915_aperture_map(struct drm_i915_private *i915, u64 offset, u64 size)
{
	return (void __force *)io_mapping_map_wc(&to_gt(i915)->ggtt->iomap, offset, size);
}

void gvt_helper_i915_aperture_unmap(void *map)
{
	io_mapping_unmap((void __iomem __force *)map);
}

struct i915_fence_reg *gvt_helper_i915_fence_reserve(struct drm_i915_private *i915)
{
	return i915_reserve_fence(to_gt(i915)->ggtt);
}

void gvt_helper_i915_fence_unreserve(struct i915_fence_reg *fence)
{
	i915_unreserve_fence(fence);
}

u32 gvt_helper_i915_fence_register(struct i915_fence_reg *fence)
{
	return i915_mmio_reg_offset(FENCE_REG_GEN6_LO(fence->id));
}

struct intel_engine_cs *gvt_helper_i915_engine(struct drm_i915_private *i915, u32 id)
{
	return id < I915_NUM_ENGINES ? to_gt(i915)->engine[id] : NULL;
}

u32 gvt_helper_engine_mmio_base(struct intel_engine_cs *engine)
{
	return engine->mmio_base;
}

u32 gvt_helper_engine_context_size(struct intel_engine_cs *engine)
{
	return engine->context_size;
}

const char *gvt_helper_engine_name(struct intel_engine_cs *engine)
{
	return engine->name;
}

struct atomic_notifier_head *gvt_helper_engine_notifier(struct intel_engine_cs *engine)
{
	return &engine->context_status_notifier;
}

u32 gvt_helper_engine_resets(struct intel_engine_cs *engine)
{
	return i915_reset_count(&engine->i915->gpu_error) + i915_reset_engine_count(&engine->i915->gpu_error, engine);
}
