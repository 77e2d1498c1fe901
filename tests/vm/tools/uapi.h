/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel interfaces that the tools speak; bindgen turns them into Rust at build time. */
#include <drm/drm.h>
#include <drm/i915_drm.h>
