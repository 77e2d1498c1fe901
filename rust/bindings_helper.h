/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What bindgen reads: the C interfaces of which the kernel crate has no bindings. rust/bindgen_parameters says
 * which of their items are wanted.
 */

#include <drm/drm_mm.h>
#include <linux/eventfd.h>
#include <linux/mdev.h>
#include <linux/suspend.h>
#include <linux/vfio.h>

#include <asm/kvm_page_track.h>

#include "intel_gvt.h"

#include "helpers.h"
#include "trace.h"
#include "layout_generated.h"

/* bindgen drops a cast in a macro. */
const u32 RUST_CONST_HELPER_VFIO_DEVICE_GET_INFO = VFIO_DEVICE_GET_INFO;
const u32 RUST_CONST_HELPER_VFIO_DEVICE_GET_IRQ_INFO = VFIO_DEVICE_GET_IRQ_INFO;
const u32 RUST_CONST_HELPER_VFIO_DEVICE_SET_IRQS = VFIO_DEVICE_SET_IRQS;
const u32 RUST_CONST_HELPER_VFIO_DEVICE_RESET = VFIO_DEVICE_RESET;
const u32 RUST_CONST_HELPER_VFIO_DEVICE_QUERY_GFX_PLANE = VFIO_DEVICE_QUERY_GFX_PLANE;
const u32 RUST_CONST_HELPER_VFIO_DEVICE_GET_GFX_DMABUF = VFIO_DEVICE_GET_GFX_DMABUF;
