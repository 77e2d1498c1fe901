// SPDX-License-Identifier: GPL-2.0

//! Mediated devices: a parent that offers types, and a driver for the devices that user space
//! creates of them.
//!
//! C header: `include/linux/mdev.h`

use crate::{
    bindings,
    sysfs::{
        Group,
        Groups, //
    }, //
};
use core::{
    slice, //
};
use kernel::{
    device,
    error::{
        from_result,
        to_result, //
    },
    fmt,
    page::PAGE_SIZE,
    prelude::*,
    str::{
        CString,
        Formatter, //
    },
    sync::{
        aref::ARef,
        Arc, //
    },
    types::{
        ForeignOwnable,
        Opaque, //
    },
};

/// A driver of mediated devices.
pub trait Driver: Sized + 'static {
    /// Name of the driver in sysfs.
    const NAME: &'static CStr;
    /// What the files `device_api` say: the VFIO interface that devices have.
    const DEVICE_API: &'static CStr;
    /// What is in the folder of a device.
    const GROUPS: &'static [Group<Self::Instance>];

    /// What a type knows of itself and its parent.
    type Kind: Send + Sync;
    /// One device; it is dropped when the device is removed.
    type Instance: Send + Sync;

    /// User space created a device of this type.
    fn probe(device: &device::Device, kind: &Self::Kind) -> Result<Self::Instance>;

    /// How many more devices of this type can be created.
    fn available(kind: &Self::Kind) -> u32;

    /// Writes the text of the type's file `description`.
    fn describe(kind: &Self::Kind, text: &mut Formatter<'_>) -> fmt::Result;
}

/// A registered driver.
///
/// # Invariants
///
/// `raw` is registered with the mdev bus, and `groups`, which it points to, outlives it.
#[pin_data(PinnedDrop)]
pub struct Registration<D: Driver> {
    #[pin]
    raw: Opaque<bindings::mdev_driver>,
    _groups: Groups<D::Instance>,
}

// SAFETY: The driver core has its own locks; nothing here is changed after initialisation.
unsafe impl<D: Driver> Send for Registration<D> {}

// SAFETY: As above.
unsafe impl<D: Driver> Sync for Registration<D> {}

impl<D: Driver> Registration<D> {
    /// Registers the driver.
    ///
    /// # Errors
    ///
    /// `EBUSY` if there is a driver of this name; `ENOMEM`.
    pub fn new(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            let groups = Groups::new(D::GROUPS)?;
            let list = groups.as_ptr();
            Ok(try_pin_init!(Self {
                _groups: groups,
                raw <- Opaque::try_ffi_init(|slot: *mut bindings::mdev_driver| {
                    let mut driver = bindings::mdev_driver {
                        device_api: D::DEVICE_API.as_char_ptr(),
                        probe: Some(Self::probe),
                        remove: Some(Self::remove),
                        get_available: Some(Self::available),
                        show_description: Some(Self::describe),
                        ..pin_init::zeroed()
                    };
                    driver.driver.name = D::NAME.as_char_ptr();
                    // An open device keeps the module through this.
                    driver.driver.owner = module.as_ptr();
                    driver.driver.dev_groups = list;
                    // SAFETY: The slot is ours.
                    unsafe { slot.write(driver) };
                    // SAFETY: The driver stays here until it is unregistered in drop.
                    to_result(unsafe { bindings::mdev_register_driver(slot) })
                }),
            }))
        })
    }

    /// # Safety
    ///
    /// Called by the mdev bus only, for a device that has no driver yet.
    unsafe extern "C" fn probe(mdev: *mut bindings::mdev_device) -> kernel::ffi::c_int {
        from_result(|| {
            // SAFETY: The bus gives a live device.
            let kind = unsafe { (*mdev).type_ };
            // SAFETY: The type that a device was created of is part of a registered `Parent<D>`.
            let kind = unsafe { Node::<D>::from_raw(kind) };
            // SAFETY: The bus gives a live device.
            let dev = unsafe { &raw mut (*mdev).dev };
            // SAFETY: As above.
            let instance = D::probe(unsafe { device::Device::from_raw(dev) }, &kind.kind)?;
            let instance = KBox::new(instance, GFP_KERNEL)?;
            // SAFETY: The device is live, and the driver data belongs to its driver.
            unsafe { bindings::dev_set_drvdata(dev, instance.into_foreign()) };
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// Called by the mdev bus only, for a device that [`Self::probe`] accepted.
    unsafe extern "C" fn remove(mdev: *mut bindings::mdev_device) {
        // SAFETY: The bus gives a live device.
        let dev = unsafe { &raw mut (*mdev).dev };
        // SAFETY: As above.
        let instance = unsafe { bindings::dev_get_drvdata(dev) };
        // SAFETY: `probe` put it there, and nobody uses it any more: the attributes are gone.
        drop(unsafe { KBox::<D::Instance>::from_foreign(instance) });
    }

    /// # Safety
    ///
    /// Called by the mdev core only, with a type of a registered `Parent<D>`.
    unsafe extern "C" fn available(kind: *mut bindings::mdev_type) -> kernel::ffi::c_uint {
        // SAFETY: By the requirement of this function.
        D::available(unsafe { &Node::<D>::from_raw(kind).kind })
    }

    /// # Safety
    ///
    /// Called by the mdev core only, with a type of a registered `Parent<D>` and a page.
    unsafe extern "C" fn describe(
        kind: *mut bindings::mdev_type,
        page: *mut kernel::ffi::c_char,
    ) -> isize {
        from_result(|| {
            // SAFETY: By the requirement of this function.
            let kind = unsafe { &Node::<D>::from_raw(kind).kind };
            // SAFETY: By the requirement of this function.
            let page = unsafe { slice::from_raw_parts_mut(page.cast::<u8>(), PAGE_SIZE) };
            let mut text = Formatter::new(page);
            D::describe(kind, &mut text).map_err(|_| EMSGSIZE)?;
            Ok(isize::try_from(text.bytes_written())?)
        })
    }
}

#[pinned_drop]
impl<D: Driver> PinnedDrop for Registration<D> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariant it is registered.
        unsafe { bindings::mdev_unregister_driver(self.raw.get()) };
    }
}

/// A type, as the core knows it, and what the driver knows of it.
#[repr(C)]
struct Node<D: Driver> {
    raw: Opaque<bindings::mdev_type>,
    // `raw` points to it.
    _name: CString,
    kind: D::Kind,
}

impl<D: Driver> Node<D> {
    /// # Safety
    ///
    /// `raw` must be part of a `Node<D>` that lives throughout `'a`.
    unsafe fn from_raw<'a>(raw: *mut bindings::mdev_type) -> &'a Self {
        // SAFETY: The C part is the first field.
        unsafe { &*raw.cast::<Self>() }
    }
}

/// The types that a parent device offers. When this is dropped they are gone, and so are all
/// devices of them; the drop waits for devices that are open.
///
/// # Invariants
///
/// `raw` is registered; `types` points to the nodes, and neither is changed or moved before it is unregistered.
#[pin_data(PinnedDrop)]
pub struct Parent<D: Driver> {
    #[pin]
    raw: Opaque<bindings::mdev_parent>,
    types: KVec<*mut bindings::mdev_type>,
    _nodes: KVec<KBox<Node<D>>>,
    _driver: Arc<Registration<D>>,
    _device: ARef<device::Device>,
}

// SAFETY: The core has its own locks; nothing here is changed after initialisation.
unsafe impl<D: Driver> Send for Parent<D> {}

// SAFETY: As above.
unsafe impl<D: Driver> Sync for Parent<D> {}

impl<D: Driver> Parent<D> {
    /// Offers types below `parent`, for the driver: each has a name and what the driver knows of
    /// it.
    ///
    /// # Errors
    ///
    /// `EEXIST` if two types have the same name; `ENOMEM`, and that too if the device offers types already.
    pub fn new<'a>(
        parent: &'a device::Device<device::Bound>,
        driver: Arc<Registration<D>>,
        kinds: KVec<(CString, D::Kind)>,
    ) -> impl PinInit<Self, Error> + use<'a, D> {
        pin_init::pin_init_scope(move || {
            let mut nodes = KVec::with_capacity(kinds.len(), GFP_KERNEL)?;
            let mut types = KVec::with_capacity(kinds.len(), GFP_KERNEL)?;
            for (name, kind) in kinds {
                let raw = Opaque::new(bindings::mdev_type {
                    sysfs_name: name.as_char_ptr(),
                    ..pin_init::zeroed()
                });
                let node = Node {
                    raw,
                    _name: name,
                    kind,
                };
                let node = KBox::new(node, GFP_KERNEL)?;
                types.push(node.raw.get(), GFP_KERNEL)?;
                nodes.push(node, GFP_KERNEL)?;
            }
            let list = types.as_mut_ptr();
            let count = u32::try_from(types.len())?;
            let device: &device::Device = parent;
            let dev = core::ptr::from_ref(parent).cast_mut().cast();
            let bus = driver.raw.get();
            Ok(try_pin_init!(Self {
                types,
                _nodes: nodes,
                _driver: driver,
                _device: device.into(),
                raw <- Opaque::try_ffi_init(move |slot| {
                    // SAFETY: `dev` is bound; the list, its types and the driver live until drop
                    // has unregistered.
                    to_result(unsafe { bindings::mdev_register_parent(slot, dev, bus, list, count) })
                }),
            }))
        })
    }
}

#[pinned_drop]
impl<D: Driver> PinnedDrop for Parent<D> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariant it is registered.
        unsafe { bindings::mdev_unregister_parent(self.raw.get()) };
    }
}
