// SPDX-License-Identifier: GPL-2.0
/*
 * Sizes and offsets as the compiler of this kernel lays them out. rust/bindings/generated.rs asserts that the Rust
 * types made by bindgen agree, so that a difference between the two compilers stops the build. Never linked.
 */

#include <drm/drm_mm.h>
#include <linux/kbuild.h>
#include <linux/mdev.h>
#include <linux/vfio.h>

#include <asm/kvm_page_track.h>

#include "intel_gvt.h"

#define SIZE(type) DEFINE(GVT_LAYOUT_SIZE_##type, sizeof(struct type))
#define FIELD(type, member) DEFINE(GVT_LAYOUT_##type##_##member, offsetof(struct type, member))

int main(void)
{
	SIZE(vfio_device);
	FIELD(vfio_device, dev);
	FIELD(vfio_device, kvm);
	FIELD(vfio_device, device);
	SIZE(vfio_device_ops);
	FIELD(vfio_device_ops, dma_unmap);
	SIZE(mdev_device);
	/* bindgen renames a field that is called as a keyword of Rust. */
	DEFINE(GVT_LAYOUT_mdev_device_type_, offsetof(struct mdev_device, type));
	SIZE(mdev_driver);
	FIELD(mdev_driver, driver);
	SIZE(mdev_parent);
	FIELD(mdev_parent, dev);
	SIZE(mdev_type);
	FIELD(mdev_type, parent);
	SIZE(kvm_page_track_notifier_node);
	FIELD(kvm_page_track_notifier_node, track_write);
	FIELD(kvm_page_track_notifier_node, track_remove_region);
	SIZE(intel_vgpu_ops);
	FIELD(intel_vgpu_ops, pm_resume);
	SIZE(drm_mm_node);
	FIELD(drm_mm_node, start);
	FIELD(drm_mm_node, size);
	return 0;
}
