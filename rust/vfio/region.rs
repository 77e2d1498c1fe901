// SPDX-License-Identifier: GPL-2.0

//! What `VFIO_DEVICE_GET_REGION_INFO` tells of a region.

use crate::bindings;
use kernel::{
    error::to_result,
    prelude::*, //
};

/// Distance of two regions in the device's file, as a power of two; a convention of vfio-pci that
/// VMMs know.
pub const INDEX_SHIFT: u32 = 40;

/// A region: `VFIO_REGION_INFO_FLAG_*` in `flags`, sizes and offsets in bytes.
pub struct Info {
    /// Size of the region.
    pub size: u64,
    /// `VFIO_REGION_INFO_FLAG_*`; the core adds the one for capabilities.
    pub flags: u32,
    /// What else there is to say.
    pub capability: Option<Capability>,
}

/// A capability of a region.
pub enum Capability {
    /// Only this part of the region can be mapped.
    SparseMmap {
        /// Start of the part in the region.
        offset: u64,
        /// Size of the part.
        size: u64,
    },
    /// The region is of a vendor's kind.
    Type {
        /// `VFIO_REGION_TYPE_*`.
        ty: u32,
        /// Its meaning belongs to `ty`.
        subtype: u32,
    },
}

/// `struct vfio_region_info_cap_sparse_mmap` with its one area.
#[repr(C)]
struct SparseMmap {
    header: bindings::vfio_info_cap_header,
    nr_areas: u32,
    reserved: u32,
    area: bindings::vfio_region_sparse_mmap_area,
}

impl Info {
    /// Fills the core's structures in.
    pub(super) fn fill(
        self,
        info: &mut bindings::vfio_region_info,
        caps: &mut bindings::vfio_info_cap,
    ) -> Result {
        info.offset = u64::from(info.index) << INDEX_SHIFT;
        info.size = self.size;
        info.flags = self.flags;
        match self.capability {
            None => Ok(()),
            Some(Capability::SparseMmap { offset, size }) => {
                let mut sparse = SparseMmap {
                    header: header(bindings::VFIO_REGION_INFO_CAP_SPARSE_MMAP),
                    nr_areas: 1,
                    reserved: 0,
                    area: bindings::vfio_region_sparse_mmap_area { offset, size },
                };
                add(caps, &mut sparse)
            }
            Some(Capability::Type { ty, subtype }) => {
                let mut kind = bindings::vfio_region_info_cap_type {
                    header: header(bindings::VFIO_REGION_INFO_CAP_TYPE),
                    type_: ty,
                    subtype,
                };
                add(caps, &mut kind)
            }
        }
    }
}

fn header(id: u32) -> bindings::vfio_info_cap_header {
    // CAST: The identifiers of capabilities are 16 bits wide.
    bindings::vfio_info_cap_header {
        id: id as u16,
        version: 1,
        next: 0,
    }
}

/// Appends a copy of `capability`, a structure that begins with a header.
fn add<T>(caps: &mut bindings::vfio_info_cap, capability: &mut T) -> Result {
    let size = size_of::<T>();
    let header = core::ptr::from_mut(capability).cast();
    // SAFETY: `caps` is the core's, and `header` the beginning of a structure of `size` bytes.
    to_result(unsafe { bindings::vfio_info_add_capability(caps, header, size) })
}
