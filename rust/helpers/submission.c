// SPDX-License-Identifier: GPL-2.0

#include <linux/dma-fence.h>

#include "i915_drv.h"
#include "i915_request.h"
#include "i915_scheduler.h"
#include "gem/i915_gem_object.h"
#include "gt/gen8_ppgtt.h"
#include "gt/intel_context.h"
#include "gt/intel_engine.h"
#include "gt/intel_gt.h"
#include "gt/intel_gtt.h"
#include "gt/intel_lrc.h"
#include "gt/intel_ring.h"
#include "gt/shmem_utils.h"

#include "helpers.h"

void *gvt_helper_engine_map_default(struct intel_engine_cs *engine)
{
	return engine->default_state ? shmem_pin_map(engine->default_state) : NULL;
}

void gvt_helper_engine_unmap_default(struct intel_engine_cs *engine, void *state)
{
	shmem_unpin_map(engine->default_state, state);
}

struct i915_ppgtt *gvt_helper_ppgtt_create(struct drm_i915_private *i915)
{
	return i915_ppgtt_create(to_gt(i915), I915_BO_ALLOC_PM_EARLY);
}

void gvt_helper_ppgtt_put(struct i915_ppgtt *ppgtt)
{
	i915_vm_put(&ppgtt->vm);
}

struct intel_context *gvt_helper_context_create(struct intel_engine_cs *engine)
{
	return intel_context_create(engine);
}

u32 gvt_helper_context_size(struct intel_context *context)
{
	return context->engine->context_size;
}

void gvt_helper_context_get(struct intel_context *context)
{
	intel_context_get(context);
}

void gvt_helper_context_put(struct intel_context *context)
{
	intel_context_put(context);
}

/* Before the context is pinned first; takes a reference in place of the one that the context has. */
void gvt_helper_context_set_ppgtt(struct intel_context *context, struct i915_ppgtt *ppgtt)
{
	i915_vm_put(context->vm);
	context->vm = i915_vm_get(&ppgtt->vm);
}

void gvt_helper_context_set_ring_size(struct intel_context *context, u32 size)
{
	context->ring_size = size;
}

void gvt_helper_context_run_alone(struct intel_context *context)
{
	intel_context_set_single_submission(context);
}

int gvt_helper_context_pin(struct intel_context *context)
{
	return intel_context_pin(context);
}

void gvt_helper_context_unpin(struct intel_context *context)
{
	intel_context_unpin(context);
}

u32 *gvt_helper_context_state(struct intel_context *context)
{
	return context->lrc_reg_state;
}

void gvt_helper_context_ban(struct intel_context *context)
{
	intel_context_set_banned(context);
}

void gvt_helper_context_set_addressing(struct intel_context *context, u32 mode)
{
	context->lrc.lrca = (context->lrc.lrca & ~(3u << GEN8_CTX_ADDRESSING_MODE_SHIFT)) |
			    mode << GEN8_CTX_ADDRESSING_MODE_SHIFT;
}

u64 gvt_helper_context_root(struct intel_context *context)
{
	return px_dma(i915_vm_to_ppgtt(context->vm)->pd);
}

struct i915_request *gvt_helper_request_create(struct intel_context *context)
{
	return i915_request_create(context);
}

int gvt_helper_request_begin(struct i915_request *request)
{
	return request->engine->emit_init_breadcrumb(request);
}

u32 *gvt_helper_request_room(struct i915_request *request, u32 words)
{
	return intel_ring_begin(request, words);
}

void gvt_helper_request_add(struct i915_request *request)
{
	i915_request_add(request);
}

void gvt_helper_request_get(struct i915_request *request)
{
	i915_request_get(request);
}

void gvt_helper_request_put(struct i915_request *request)
{
	i915_request_put(request);
}

void gvt_helper_request_prioritise(struct i915_request *request, int priority)
{
	const struct i915_sched_attr attr = { .priority = priority };

	/* What this may kick runs when it is let go. */
	local_bh_disable();
	request->engine->sched_engine->schedule(request, &attr);
	local_bh_enable();
}

int gvt_helper_request_notify(struct i915_request *request, struct dma_fence_cb *callback,
			      void (*done)(struct dma_fence *fence, struct dma_fence_cb *callback))
{
	return dma_fence_add_callback(&request->fence, callback, done);
}

bool gvt_helper_request_forget(struct i915_request *request, struct dma_fence_cb *callback)
{
	return dma_fence_remove_callback(&request->fence, callback);
}

bool gvt_helper_request_is_done(struct i915_request *request)
{
	return dma_fence_is_signaled(&request->fence);
}

int gvt_helper_request_error(struct i915_request *request)
{
	return request->fence.error;
}

struct intel_context *gvt_helper_request_context(struct i915_request *request)
{
	return request->context;
}
