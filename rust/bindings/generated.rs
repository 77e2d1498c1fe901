// SPDX-License-Identifier: GPL-2.0

//! What bindgen makes of `bindings_helper.h`, on top of the kernel crate's own bindings.

#![allow(
    clippy::all,
    clippy::as_underscore,
    clippy::cast_lossless,
    clippy::multiple_unsafe_ops_per_block,
    clippy::ptr_as_ptr,
    clippy::ref_as_ptr,
    clippy::undocumented_unsafe_blocks,
    dead_code,
    improper_ctypes,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unreachable_pub,
    unsafe_op_in_unsafe_fn
)]

pub(crate) use kernel::bindings::*;
use kernel::ffi;
use pin_init::MaybeZeroable;

type __kernel_size_t = usize;
type __kernel_ssize_t = isize;
type __kernel_ptrdiff_t = isize;

/// Declares types that C only ever gives us pointers to.
macro_rules! opaque {
    ($($name:ident),* $(,)?) => {$(
        #[repr(C)]
        pub struct $name {
            _unused: [u8; 0],
        }
    )*};
}

opaque!(
    drm_i915_private,
    drm_mm,
    i915_fence_reg,
    i915_ppgtt,
    i915_request,
    intel_context,
    intel_engine_cs,
    iommufd_access,
    iommufd_ctx,
    iommufd_device,
    kvm,
    vfio_device_set,
    vfio_group,
    vfio_log_ops,
    vfio_migration_ops,
);

include!(concat!(env!("GVT_OBJ"), "/rust/bindings_generated.rs"));

/// Asserts that Rust types are laid out as the kernel's C compiler lays them out; see `layout.c`.
macro_rules! layout {
    ($($type:ident { $($member:ident),* $(,)? })*) => { ::kernel::macros::paste! {$(
        const _: () = assert!(core::mem::size_of::<$type>() == [<GVT_LAYOUT_SIZE_ $type>] as usize);
        $(const _: () = assert!(
            core::mem::offset_of!($type, $member) == [<GVT_LAYOUT_ $type _ $member>] as usize
        );)*
    )*}};
}

layout! {
    vfio_device { dev, kvm, device }
    vfio_device_ops { dma_unmap }
    mdev_device { type_ }
    mdev_driver { driver }
    mdev_parent { dev }
    mdev_type { parent }
    kvm_page_track_notifier_node { track_write, track_remove_region }
    intel_vgpu_ops { pm_resume }
    drm_mm_node { start, size }
}
