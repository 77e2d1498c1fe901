// SPDX-License-Identifier: GPL-2.0

//! Attributes that the driver of a device shows in the device's folder.
//!
//! C header: `include/linux/device.h`

use crate::bindings;
use core::slice;
use kernel::{
    error::from_result,
    fmt,
    page::PAGE_SIZE,
    prelude::*,
    str::Formatter, //
};

/// An attribute of a device whose driver data is an `I`.
pub struct Attribute<I: 'static> {
    /// Name of the file.
    pub name: &'static CStr,
    /// Writes the text that a reader gets, its end of line included.
    pub show: fn(&I, &mut Formatter<'_>) -> fmt::Result,
    /// Takes what was written; without this the file is read-only.
    pub store: Option<fn(&I, &[u8]) -> Result>,
}

/// Some attributes, in a folder of their own if `name` is not empty.
pub struct Group<I: 'static> {
    /// Name of the folder.
    pub name: &'static CStr,
    /// The files in it.
    pub attributes: &'static [Attribute<I>],
}

/// A C attribute, and the one that it stands for.
#[repr(C)]
struct Node<I: 'static> {
    raw: bindings::device_attribute,
    attribute: &'static Attribute<I>,
}

/// The C form of a list of groups, which `struct device_driver` wants.
///
/// # Invariants
///
/// Each list of pointers ends with a null pointer; the others point into allocations that this
/// owns, none of which is changed or moved before this is dropped.
pub(crate) struct Groups<I: 'static> {
    _nodes: KVec<KVec<Node<I>>>,
    _lists: KVec<KVec<*mut bindings::attribute>>,
    _groups: KVec<bindings::attribute_group>,
    pointers: KVec<*const bindings::attribute_group>,
}

// SAFETY: The pointers are to allocations that move with this, and are not written through.
unsafe impl<I: 'static> Send for Groups<I> {}

// SAFETY: As above.
unsafe impl<I: 'static> Sync for Groups<I> {}

impl<I: 'static> Groups<I> {
    pub(crate) fn new(wanted: &'static [Group<I>]) -> Result<Self> {
        let mut nodes = KVec::with_capacity(wanted.len(), GFP_KERNEL)?;
        let mut lists = KVec::with_capacity(wanted.len(), GFP_KERNEL)?;
        let mut groups = KVec::with_capacity(wanted.len(), GFP_KERNEL)?;
        for group in wanted {
            let mut files = KVec::with_capacity(group.attributes.len(), GFP_KERNEL)?;
            for attribute in group.attributes {
                files.push(
                    Node {
                        raw: Self::raw(attribute),
                        attribute,
                    },
                    GFP_KERNEL,
                )?;
            }
            let mut list = KVec::with_capacity(files.len() + 1, GFP_KERNEL)?;
            for node in files.iter_mut() {
                list.push(&raw mut node.raw.attr, GFP_KERNEL)?;
            }
            list.push(core::ptr::null_mut(), GFP_KERNEL)?;
            groups.push(
                bindings::attribute_group {
                    name: if group.name.is_empty() {
                        core::ptr::null()
                    } else {
                        group.name.as_char_ptr()
                    },
                    __bindgen_anon_2: bindings::attribute_group__bindgen_ty_2 {
                        attrs: list.as_mut_ptr(),
                    },
                    ..pin_init::zeroed()
                },
                GFP_KERNEL,
            )?;
            nodes.push(files, GFP_KERNEL)?;
            lists.push(list, GFP_KERNEL)?;
        }
        let mut pointers = KVec::with_capacity(groups.len() + 1, GFP_KERNEL)?;
        for group in groups.iter() {
            pointers.push(core::ptr::from_ref(group), GFP_KERNEL)?;
        }
        pointers.push(core::ptr::null(), GFP_KERNEL)?;
        // INVARIANT: Both kinds of lists were ended above, and vectors that are not pushed to do
        // not move.
        Ok(Self {
            _nodes: nodes,
            _lists: lists,
            _groups: groups,
            pointers,
        })
    }

    /// The null-terminated list of groups.
    pub(crate) fn as_ptr(&self) -> *mut *const bindings::attribute_group {
        self.pointers.as_ptr().cast_mut()
    }

    fn raw(attribute: &'static Attribute<I>) -> bindings::device_attribute {
        let mut attr: bindings::attribute = pin_init::zeroed();
        attr.name = attribute.name.as_char_ptr();
        attr.mode = if attribute.store.is_some() {
            0o644
        } else {
            0o444
        };
        // A lock class of its own would have to be static.
        #[cfg(CONFIG_DEBUG_LOCK_ALLOC)]
        attr.set_ignore_lockdep(true);
        let mut store = bindings::device_attribute__bindgen_ty_2 { store: None };
        if attribute.store.is_some() {
            store.store = Some(Self::store);
        }
        bindings::device_attribute {
            attr,
            __bindgen_anon_1: bindings::device_attribute__bindgen_ty_1 {
                show: Some(Self::show),
            },
            __bindgen_anon_2: store,
        }
    }

    /// # Safety
    ///
    /// Called by the driver core only, for an attribute of a `Groups<I>` and a device whose driver
    /// data is an `I`.
    unsafe extern "C" fn show(
        dev: *mut bindings::device,
        attr: *mut bindings::device_attribute,
        page: *mut kernel::ffi::c_char,
    ) -> isize {
        from_result(|| {
            // SAFETY: By the requirement of this function; sysfs removes the file before the data.
            let (instance, attribute) = unsafe { Self::resolve(dev, attr) };
            // SAFETY: sysfs gives a page.
            let page = unsafe { slice::from_raw_parts_mut(page.cast::<u8>(), PAGE_SIZE) };
            let mut text = Formatter::new(page);
            (attribute.show)(instance, &mut text).map_err(|_| EMSGSIZE)?;
            Ok(isize::try_from(text.bytes_written())?)
        })
    }

    /// # Safety
    ///
    /// As for [`Self::show`]; `count` bytes are at `data`.
    unsafe extern "C" fn store(
        dev: *mut bindings::device,
        attr: *mut bindings::device_attribute,
        data: *const kernel::ffi::c_char,
        count: usize,
    ) -> isize {
        from_result(|| {
            // SAFETY: By the requirement of this function; sysfs removes the file before the data.
            let (instance, attribute) = unsafe { Self::resolve(dev, attr) };
            // SAFETY: By the requirement of this function.
            let data = unsafe { slice::from_raw_parts(data.cast::<u8>(), count) };
            attribute.store.ok_or(EIO)?(instance, data)?;
            Ok(isize::try_from(count)?)
        })
    }

    /// # Safety
    ///
    /// As for [`Self::show`].
    unsafe fn resolve<'a>(
        dev: *mut bindings::device,
        attr: *mut bindings::device_attribute,
    ) -> (&'a I, &'static Attribute<I>) {
        // SAFETY: By the requirement of this function.
        let instance = unsafe { bindings::dev_get_drvdata(dev) };
        // SAFETY: By the requirement of this function.
        let instance = unsafe { &*instance.cast::<I>() };
        // SAFETY: The C attribute is the first field of its node.
        let node = unsafe { &*attr.cast::<Node<I>>() };
        (instance, node.attribute)
    }
}
