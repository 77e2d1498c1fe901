// SPDX-License-Identifier: GPL-2.0

//! VFIO devices whose I/O address space is emulated, as those of mediated devices are.
//!
//! C header: `include/linux/vfio.h`

use crate::{
    bindings,
    kvm::Kvm, //
};
use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    mem::MaybeUninit,
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    device,
    error::{
        from_err_ptr,
        from_result,
        to_result, //
    },
    mm::virt::VmaNew,
    prelude::*,
    sync::{
        aref::{
            ARef,
            AlwaysRefCounted, //
        },
        Arc,
        Completion, //
    },
    types::Opaque,
    uaccess::{
        UserPtr,
        UserSlice,
        UserSliceReader,
        UserSliceWriter, //
    },
};

pub mod pin;
pub mod region;

/// Numbers of the requests that [`Operations::ioctl`] is called with, from
/// `include/uapi/linux/vfio.h`.
pub mod request {
    use crate::bindings;

    /// `VFIO_DEVICE_GET_INFO`.
    pub const GET_INFO: u32 = bindings::RUST_CONST_HELPER_VFIO_DEVICE_GET_INFO;
    /// `VFIO_DEVICE_GET_IRQ_INFO`.
    pub const GET_IRQ_INFO: u32 = bindings::RUST_CONST_HELPER_VFIO_DEVICE_GET_IRQ_INFO;
    /// `VFIO_DEVICE_SET_IRQS`.
    pub const SET_IRQS: u32 = bindings::RUST_CONST_HELPER_VFIO_DEVICE_SET_IRQS;
    /// `VFIO_DEVICE_RESET`.
    pub const RESET: u32 = bindings::RUST_CONST_HELPER_VFIO_DEVICE_RESET;
    /// `VFIO_DEVICE_QUERY_GFX_PLANE`.
    pub const QUERY_GFX_PLANE: u32 = bindings::RUST_CONST_HELPER_VFIO_DEVICE_QUERY_GFX_PLANE;
    /// `VFIO_DEVICE_GET_GFX_DMABUF`.
    pub const GET_GFX_DMABUF: u32 = bindings::RUST_CONST_HELPER_VFIO_DEVICE_GET_GFX_DMABUF;
}

/// What a driver does with its VFIO devices.
///
/// The implementing type is the private data of one device. All callbacks but [`open`](Self::open)
/// and [`close`](Self::close) may run at the same time as others.
#[vtable]
pub trait Operations: Sized + Send + Sync + 'static {
    /// The first descriptor of the device is opened; `kvm` is the machine that it was given to, if
    /// any. `session` is what guest memory is reached through; all that is made of it must be
    /// dropped in [`close`](Self::close), which is not over before.
    fn open(device: &Device<Self>, session: Arc<Session<Self>>, kvm: Option<Kvm>) -> Result;

    /// The last descriptor is closed.
    fn close(device: &Device<Self>);

    /// Reads at position `pos` of the device's file, and returns how many bytes it wrote to `data`.
    fn read(device: &Device<Self>, pos: i64, data: &mut UserSliceWriter) -> Result<usize>;

    /// Writes at position `pos` of the device's file, and returns how many bytes it took from
    /// `data`.
    fn write(device: &Device<Self>, pos: i64, data: &mut UserSliceReader) -> Result<usize>;

    /// Answers a request that the VFIO core does not handle by itself; see [`request`].
    fn ioctl(device: &Device<Self>, request: u32, argument: UserPtr) -> Result<isize>;

    /// Describes the region with this index.
    fn region(device: &Device<Self>, index: u32) -> Result<region::Info>;

    /// Maps a part of the device's file.
    fn mmap(device: &Device<Self>, vma: &VmaNew) -> Result;

    /// The device is to be removed, and something has it open: the user space is to be told.
    ///
    /// Called again and again until the device is closed; `count` says how often it was called
    /// before.
    fn request(device: &Device<Self>, count: u32);

    /// The device is gone from user space, and no other callback will run: what belongs to the
    /// parent is given back. Somebody may still have a reference to the device, so this may be long
    /// before it is dropped.
    fn removed(device: &Device<Self>);

    /// The user space takes `length` bytes at `iova` out of the I/O address space; pages in it must
    /// be unpinned.
    fn dma_unmap(_device: &Device<Self>, _iova: u64, _length: u64) {}
}

/// A VFIO device with the driver's private data behind it.
///
/// # Invariants
///
/// - `vdev` is at offset 0 of an allocation made by `_vfio_alloc_device()`, whose reference count
///   owns it.
/// - `data` is initialised from the return of [`Registration::new`]'s initialiser until the release
///   callback, if `ready` is true; `ready` is written before any other thread can see the device.
/// - `over`, zero bytes at first, which is `None`, is set while the device is open, and touched by
///   open and close only.
#[repr(C)]
pub struct Device<T: Operations> {
    vdev: Opaque<bindings::vfio_device>,
    ready: UnsafeCell<bool>,
    over: UnsafeCell<Option<Arc<Completion>>>,
    data: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: A device is reference-counted by the VFIO core and may be released by any thread; `T` is
// `Send`.
unsafe impl<T: Operations> Send for Device<T> {}

// SAFETY: The core serialises its own access to `vdev`; `data` is only shared, and `T` is `Sync`.
unsafe impl<T: Operations> Sync for Device<T> {}

impl<T: Operations> Device<T> {
    /// Allocates a device below `parent` and initialises its private data.
    fn new(parent: &device::Device, data: impl PinInit<T, Error>) -> Result<ARef<Self>> {
        const {
            assert!(core::mem::offset_of!(Self, vdev) == 0);
            // What kvzalloc() guarantees for every size.
            assert!(core::mem::align_of::<Self>() <= 8);
        }
        let parent = core::ptr::from_ref(parent).cast_mut().cast();
        let ops: *const bindings::vfio_device_ops = &VTable::<T>::OPS;
        // SAFETY: `parent` is a live device, `ops` is static, and the size holds a `vfio_device`
        // and more.
        let raw = unsafe { bindings::_vfio_alloc_device(size_of::<Self>(), parent, ops) };
        let this = NonNull::new(from_err_ptr(raw)?.cast::<Self>()).ok_or(ENOMEM)?;
        // SAFETY: The allocation was just made, and its one reference is ours. All of it is zeroed:
        // `ready` is false.
        let device = unsafe { ARef::from_raw(this) };
        // SAFETY: The slot is inside the allocation, does not move, and nobody else knows of the
        // device yet.
        unsafe { pin_init::raw_try_init(device.data.get().cast::<T>(), data) }?;
        // INVARIANT: `data` is initialised now.
        // SAFETY: Nobody else knows of the device yet.
        unsafe { device.ready.get().write(true) };
        Ok(device)
    }

    fn as_raw(&self) -> *mut bindings::vfio_device {
        self.vdev.get()
    }

    /// Borrows the device that a callback was given.
    ///
    /// # Safety
    ///
    /// `vdev` must be the C part of a live, initialised `Device<T>`.
    unsafe fn from_raw<'a>(vdev: *mut bindings::vfio_device) -> &'a Self {
        // SAFETY: By the type invariant the C part is at offset 0.
        unsafe { &*vdev.cast::<Self>() }
    }
}

impl<T: Operations> Deref for Device<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: By the type invariant `data` is initialised: a `Device` is handed out after that
        // only.
        unsafe { &*self.data.get().cast::<T>() }
    }
}

// SAFETY: The embedded `struct device` counts the references of the allocation.
unsafe impl<T: Operations> AlwaysRefCounted for Device<T> {
    fn inc_ref(&self) {
        // SAFETY: `self` is live, so its `struct device` is.
        let dev = unsafe { &raw mut (*self.as_raw()).device };
        // SAFETY: `dev` is live.
        unsafe { bindings::get_device(dev) };
    }

    unsafe fn dec_ref(this: NonNull<Self>) {
        let vdev = this.cast::<bindings::vfio_device>().as_ptr();
        // SAFETY: The caller owns a reference, so the device is live.
        let dev = unsafe { &raw mut (*vdev).device };
        // SAFETY: The caller gives up this reference.
        unsafe { bindings::put_device(dev) };
    }
}

/// What lasts from the first open of a device to its last close: it has an I/O address space.
///
/// The close waits until the last reference to it is dropped, so that what was reached through it
/// is given back before the address space goes.
pub struct Session<T: Operations> {
    device: ARef<Device<T>>,
    over: Arc<Completion>,
}

impl<T: Operations> Session<T> {
    /// The device that is open.
    pub fn device(&self) -> &Device<T> {
        &self.device
    }

    /// Reads guest memory at `iova` into `data`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if `data` is empty; `EFAULT`, `ENOENT` and others of the container where `iova` is
    /// not mapped.
    pub fn dma_read(&self, iova: u64, data: &mut [u8]) -> Result {
        self.dma_rw(iova, data.as_mut_ptr(), data.len(), false)
    }

    /// Writes `data` to guest memory at `iova`.
    ///
    /// # Errors
    ///
    /// As for [`dma_read`](Self::dma_read); also `EPERM` and the like where `iova` is mapped
    /// read-only.
    pub fn dma_write(&self, iova: u64, data: &[u8]) -> Result {
        self.dma_rw(iova, data.as_ptr().cast_mut(), data.len(), true)
    }

    fn dma_rw(&self, iova: u64, data: *mut u8, length: usize, write: bool) -> Result {
        // The core warns of an empty access.
        if length == 0 {
            return Err(EINVAL);
        }
        let vdev = self.device.as_raw();
        // SAFETY: The device is open while the session lasts. `data` is valid for `length` bytes,
        // which are only read if `write`.
        to_result(unsafe { bindings::vfio_dma_rw(vdev, iova, data.cast(), length, write) })
    }
}

impl<T: Operations> Drop for Session<T> {
    fn drop(&mut self) {
        self.over.complete_all();
    }
}

/// A device that user space can open.
///
/// When this is dropped the device disappears: its user is told by [`Operations::request`], and the
/// drop waits until the last descriptor is closed. No callback runs afterwards.
pub struct Registration<T: Operations> {
    device: ARef<Device<T>>,
}

impl<T: Operations> Registration<T> {
    /// Makes a device below `parent` with `data`, and shows it to user space.
    ///
    /// # Errors
    ///
    /// Those of `data`; `ENOMEM`; those of `vfio_register_emulated_iommu_dev()`.
    pub fn new(parent: &device::Device, data: impl PinInit<T, Error>) -> Result<Self> {
        let device = Device::new(parent, data)?;
        // SAFETY: The device is initialised and not registered yet.
        to_result(unsafe { bindings::vfio_register_emulated_iommu_dev(device.as_raw()) })?;
        Ok(Self { device })
    }
}

impl<T: Operations> Deref for Registration<T> {
    type Target = Device<T>;

    fn deref(&self) -> &Device<T> {
        &self.device
    }
}

impl<T: Operations> Drop for Registration<T> {
    fn drop(&mut self) {
        // SAFETY: The device was registered by `new`, and is unregistered here only.
        unsafe { bindings::vfio_unregister_group_dev(self.device.as_raw()) };
        T::removed(&self.device);
    }
}

/// The C callbacks: each converts its arguments and calls the trait.
struct VTable<T: Operations>(PhantomData<T>);

impl<T: Operations> VTable<T> {
    const OPS: bindings::vfio_device_ops = bindings::vfio_device_ops {
        release: Some(Self::release),
        open_device: Some(Self::open),
        close_device: Some(Self::close),
        read: Some(Self::read),
        write: Some(Self::write),
        ioctl: Some(Self::ioctl),
        get_region_info_caps: Some(Self::region),
        mmap: Some(Self::mmap),
        request: Some(Self::request),
        dma_unmap: if T::HAS_DMA_UNMAP {
            Some(Self::dma_unmap)
        } else {
            None
        },
        // With IOMMUFD the core refuses a device without these.
        #[cfg(CONFIG_IOMMUFD)]
        bind_iommufd: Some(bindings::vfio_iommufd_emulated_bind),
        #[cfg(CONFIG_IOMMUFD)]
        unbind_iommufd: Some(bindings::vfio_iommufd_emulated_unbind),
        #[cfg(CONFIG_IOMMUFD)]
        attach_ioas: Some(bindings::vfio_iommufd_emulated_attach_ioas),
        #[cfg(CONFIG_IOMMUFD)]
        detach_ioas: Some(bindings::vfio_iommufd_emulated_detach_ioas),
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// `vdev` must be the C part of a `Device<T>` whose last reference is gone.
    unsafe extern "C" fn release(vdev: *mut bindings::vfio_device) {
        let this = vdev.cast::<Device<T>>();
        // SAFETY: The allocation is freed after this callback only.
        let ready = unsafe { (*this).ready.get() };
        // SAFETY: As above.
        if unsafe { ready.read() } {
            // SAFETY: As above.
            let data = unsafe { (*this).data.get() };
            // SAFETY: By the type invariant it is initialised, and with the last reference all
            // users are gone.
            unsafe { core::ptr::drop_in_place(data.cast::<T>()) };
        }
    }

    /// # Safety
    ///
    /// `vdev` must be the C part of a registered `Device<T>`.
    unsafe extern "C" fn open(vdev: *mut bindings::vfio_device) -> kernel::ffi::c_int {
        from_result(|| {
            // SAFETY: By the requirement of this function.
            let device = unsafe { Device::<T>::from_raw(vdev) };
            let over = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
            let (device_ref, over_ref) = (device.into(), over.clone());
            let session = Arc::new(
                Session {
                    device: device_ref,
                    over: over_ref,
                },
                GFP_KERNEL,
            );
            // SAFETY: The core sets this before it opens a device, and keeps it until the device is
            // closed.
            let kvm = unsafe { (*vdev).kvm };
            // SAFETY: The core holds a reference to the machine now.
            let kvm = unsafe { Kvm::from_raw(kvm) };
            if let Err(error) = session
                .map_err(Error::from)
                .and_then(|session| T::open(device, session, kvm))
            {
                over.wait_for_completion();
                return Err(error);
            }
            // SAFETY: The core opens and closes under a lock, and nobody else looks at this.
            unsafe { device.over.get().write(Some(over)) };
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// `vdev` must be the C part of an open `Device<T>`.
    unsafe extern "C" fn close(vdev: *mut bindings::vfio_device) {
        // SAFETY: By the requirement of this function.
        let device = unsafe { Device::from_raw(vdev) };
        T::close(device);
        // SAFETY: The core opens and closes under a lock, and nobody else looks at this.
        if let Some(over) = unsafe { device.over.get().replace(None) } {
            over.wait_for_completion();
        }
    }

    /// # Safety
    ///
    /// `vdev` must be the C part of an open `Device<T>`, `pos` valid, and `data` a user pointer.
    unsafe extern "C" fn read(
        vdev: *mut bindings::vfio_device,
        data: *mut kernel::ffi::c_char,
        count: usize,
        pos: *mut bindings::loff_t,
    ) -> isize {
        let user = UserSlice::new(UserPtr::from_ptr(data.cast()), count);
        // SAFETY: By the requirement of this function.
        unsafe {
            Self::transfer(vdev, pos, |device, at| {
                T::read(device, at, &mut user.writer())
            })
        }
    }

    /// # Safety
    ///
    /// As for [`Self::read`].
    unsafe extern "C" fn write(
        vdev: *mut bindings::vfio_device,
        data: *const kernel::ffi::c_char,
        count: usize,
        pos: *mut bindings::loff_t,
    ) -> isize {
        let user = UserSlice::new(UserPtr::from_ptr(data.cast_mut().cast()), count);
        // SAFETY: By the requirement of this function.
        unsafe {
            Self::transfer(vdev, pos, |device, at| {
                T::write(device, at, &mut user.reader())
            })
        }
    }

    /// Carries a read or write out, and moves the file position.
    ///
    /// # Safety
    ///
    /// `vdev` must be the C part of an open `Device<T>`, and `pos` valid.
    unsafe fn transfer(
        vdev: *mut bindings::vfio_device,
        pos: *mut bindings::loff_t,
        body: impl FnOnce(&Device<T>, i64) -> Result<usize>,
    ) -> isize {
        from_result(|| {
            // SAFETY: By the requirement of this function;
            let device = unsafe { Device::from_raw(vdev) };
            // SAFETY: By the requirement of this function.
            let at = unsafe { pos.read() };
            let done = body(device, at)?;
            let moved = at.checked_add(i64::try_from(done)?).ok_or(EOVERFLOW)?;
            // SAFETY: By the requirement of this function.
            unsafe { pos.write(moved) };
            Ok(isize::try_from(done)?)
        })
    }

    /// # Safety
    ///
    /// `vdev` must be the C part of an open `Device<T>`.
    unsafe extern "C" fn ioctl(
        vdev: *mut bindings::vfio_device,
        request: kernel::ffi::c_uint,
        argument: kernel::ffi::c_ulong,
    ) -> kernel::ffi::c_long {
        from_result(|| {
            // SAFETY: By the requirement of this function.
            let device = unsafe { Device::<T>::from_raw(vdev) };
            T::ioctl(device, request, UserPtr::from_addr(argument))
        })
    }

    /// # Safety
    ///
    /// `vdev` must be the C part of an open `Device<T>`; `info` and `caps` must be valid and ours alone.
    unsafe extern "C" fn region(
        vdev: *mut bindings::vfio_device,
        info: *mut bindings::vfio_region_info,
        caps: *mut bindings::vfio_info_cap,
    ) -> kernel::ffi::c_int {
        from_result(|| {
            // SAFETY: By the requirement of this function.
            let device = unsafe { Device::<T>::from_raw(vdev) };
            // SAFETY: By the requirement of this function.
            let info = unsafe { &mut *info };
            // SAFETY: By the requirement of this function.
            let caps = unsafe { &mut *caps };
            T::region(device, info.index)?.fill(info, caps)?;
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// `vdev` must be the C part of an open `Device<T>`, and `vma` an area that is being set up.
    unsafe extern "C" fn mmap(
        vdev: *mut bindings::vfio_device,
        vma: *mut bindings::vm_area_struct,
    ) -> kernel::ffi::c_int {
        from_result(|| {
            // SAFETY: By the requirement of this function.
            let device = unsafe { Device::<T>::from_raw(vdev) };
            // SAFETY: By the requirement of this function.
            T::mmap(device, unsafe { VmaNew::from_raw(vma) })?;
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// `vdev` must be the C part of a registered `Device<T>`.
    unsafe extern "C" fn request(vdev: *mut bindings::vfio_device, count: kernel::ffi::c_uint) {
        // SAFETY: By the requirement of this function.
        T::request(unsafe { Device::from_raw(vdev) }, count);
    }

    /// # Safety
    ///
    /// `vdev` must be the C part of a registered `Device<T>`.
    unsafe extern "C" fn dma_unmap(vdev: *mut bindings::vfio_device, iova: u64, length: u64) {
        // SAFETY: By the requirement of this function.
        T::dma_unmap(unsafe { Device::from_raw(vdev) }, iova, length);
    }
}
