// SPDX-License-Identifier: GPL-2.0

//! Folders in debugfs below that of a DRM device.
//!
//! The kernel crate's own `debugfs` makes folders at the root and below those of its own making only.
//! Without `CONFIG_DEBUG_FS` all of this does nothing.
//!
//! C header: `include/linux/debugfs.h`

use crate::{
    bindings,
    i915::Gpu, //
};
use core::marker::PhantomData;
use kernel::{
    error::from_result,
    module::this_module,
    page::PAGE_SIZE,
    prelude::*,
    seq_file::SeqFile,
    sync::Arc,
    uaccess::{
        UserPtr,
        UserSlice, //
    },
    ModuleMetadata, //
};

/// The longest text that can be written to a file.
const LONGEST: usize = 32;

/// A file about an `S`.
pub struct File<S: 'static> {
    /// Its name.
    pub name: &'static CStr,
    /// How long its text is about, in bytes; if it is longer it is made again. A
    /// page is the least.
    pub size: usize,
    /// Writes the text that a reader gets.
    pub show: fn(&S, &SeqFile) -> Result,
    /// Takes what was written; without this the file is read-only.
    pub store: Option<fn(&S, &[u8]) -> Result>,
}

/// A file, and whom it is about.
struct Node<S: 'static> {
    file: &'static File<S>,
    subject: S,
}

/// A folder with files. When this is dropped they disappear, and the drop waits for whoever reads or
/// writes one.
pub struct Folder<S: 'static> {
    // In this order: the files have the addresses of the nodes.
    _files: KVec<Entry>,
    place: Option<Place>,
    _nodes: KVec<Node<S>>,
}

impl<S: Clone + Send + Sync + 'static> Folder<S> {
    /// A folder below the one of the GPU's DRM device.
    ///
    /// # Errors
    ///
    /// `ENOMEM`. That a folder or a file cannot be made is none.
    pub fn of_gpu<M: ModuleMetadata + 'static>(
        gpu: &Arc<Gpu>,
        name: &CStr,
        files: &'static [File<S>],
        subject: &S,
    ) -> Result<Self> {
        let place = gpu.while_plugged(|gpu| {
            // SAFETY: The device is valid, and keeps its folder until it is unplugged.
            let parent = unsafe { bindings::gvt_helper_i915_debugfs(gpu.as_raw()) };
            // SAFETY: As above.
            unsafe { Place::new(gpu, name, parent) }
        });
        Self::fill::<M>(place.flatten(), files, subject)
    }

    /// A folder in this one.
    ///
    /// # Errors
    ///
    /// As for [`of_gpu`](Self::of_gpu).
    pub fn folder<M: ModuleMetadata + 'static, T: Clone + Send + Sync + 'static>(
        &self,
        name: &CStr,
        files: &'static [File<T>],
        subject: &T,
    ) -> Result<Folder<T>> {
        let place = self.place.as_ref().and_then(|place| {
            // SAFETY: By its type invariant this folder is valid.
            unsafe { Place::new(&place.gpu, name, place.entry.0) }
        });
        Folder::fill::<M>(place, files, subject)
    }

    fn fill<M: ModuleMetadata + 'static>(
        place: Option<Place>,
        wanted: &'static [File<S>],
        subject: &S,
    ) -> Result<Self> {
        let mut files = KVec::new();
        let mut nodes = KVec::new();
        if let Some(place) = &place {
            files.reserve(wanted.len(), GFP_KERNEL)?;
            nodes.reserve(wanted.len(), GFP_KERNEL)?;
            for file in wanted {
                let subject = subject.clone();
                nodes.push(Node { file, subject }, GFP_KERNEL)?;
            }
            for node in nodes.iter() {
                // SAFETY: The nodes are dropped after the files, and do not move in between.
                if let Some(file) = unsafe { place.file::<M, S>(node) } {
                    files.push(file, GFP_KERNEL)?;
                }
            }
        }
        Ok(Self {
            _files: files,
            place,
            _nodes: nodes,
        })
    }
}

/// A file or a folder.
///
/// # Invariants
///
/// The pointer is to an entry of debugfs to which this owns a reference: it is valid even after
/// i915 has removed its own folder with all that is in it.
struct Entry(*mut bindings::dentry);

// SAFETY: A dentry has locks of its own.
unsafe impl Send for Entry {}

// SAFETY: As above.
unsafe impl Sync for Entry {}

impl Entry {
    /// What has this name in `parent`.
    ///
    /// # Safety
    ///
    /// `parent` must be a valid folder of debugfs.
    unsafe fn find(name: &CStr, parent: *mut bindings::dentry) -> Option<Self> {
        // SAFETY: By the requirement of this function.
        let found = unsafe { bindings::gvt_helper_debugfs_find(name.as_char_ptr(), parent) };
        // INVARIANT: What is found comes with a reference.
        (!found.is_null()).then_some(Self(found))
    }

    fn remove(&self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::gvt_helper_debugfs_remove(self.0) };
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        if unsafe { bindings::gvt_helper_debugfs_is_file(self.0) } {
            // To remove a file that i915 has removed does nothing.
            self.remove();
        }
        // SAFETY: By the type invariant.
        unsafe { bindings::dput(self.0) };
    }
}

/// A folder below that of a GPU.
struct Place {
    entry: Entry,
    gpu: Arc<Gpu>,
}

impl Place {
    /// # Safety
    ///
    /// `parent` must be null or a valid folder of debugfs.
    unsafe fn new(gpu: &Arc<Gpu>, name: &CStr, parent: *mut bindings::dentry) -> Option<Self> {
        if parent.is_null() {
            return None;
        }
        // SAFETY: By the requirement of this function. That it fails shows in that it is not found.
        unsafe { bindings::gvt_helper_debugfs_folder(name.as_char_ptr(), parent) };
        let gpu = gpu.clone();
        // SAFETY: As above.
        unsafe { Entry::find(name, parent) }.map(|entry| Self { entry, gpu })
    }

    /// Makes a file.
    ///
    /// # Safety
    ///
    /// `node` must stay where it is until the result is dropped.
    unsafe fn file<M: ModuleMetadata + 'static, S: 'static>(
        &self,
        node: &Node<S>,
    ) -> Option<Entry> {
        let mode = if node.file.store.is_some() {
            0o600
        } else {
            0o400
        };
        let data = core::ptr::from_ref(node).cast_mut().cast();
        let ops: *const bindings::file_operations = &Operations::<M, S>::TABLE;
        let name = node.file.name;
        // SAFETY: The folder is valid. The operations are those of nodes as `data` is one, which by the
        // requirement of this function is there as long as the file.
        unsafe {
            bindings::gvt_helper_debugfs_file(name.as_char_ptr(), mode, self.entry.0, data, ops)
        };
        // SAFETY: The folder is valid.
        unsafe { Entry::find(name, self.entry.0) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Once i915 removes its device it removes the folder too, and nobody must do that twice.
        self.gpu.while_plugged(|_| self.entry.remove());
    }
}

/// The C callbacks of files about an `S`, in a module with the metadata `M`.
struct Operations<M, S>(PhantomData<(M, S)>);

impl<M: ModuleMetadata + 'static, S: 'static> Operations<M, S> {
    const TABLE: bindings::file_operations = bindings::file_operations {
        // Whoever has a file open keeps the module: debugfs calls `release` whenever that may be.
        owner: this_module::<M>().as_ptr(),
        open: Some(Self::open),
        read: Some(bindings::seq_read),
        write: Some(Self::write),
        llseek: Some(bindings::seq_lseek),
        release: Some(bindings::single_release),
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// Called by debugfs only, for a file whose data is a `Node<S>`.
    unsafe extern "C" fn open(
        inode: *mut bindings::inode,
        file: *mut bindings::file,
    ) -> kernel::ffi::c_int {
        // SAFETY: By the requirement of this function.
        let data = unsafe { (*inode).i_private };
        // SAFETY: As above; debugfs removes the file before its data.
        let node = unsafe { &*data.cast::<Node<S>>() };
        let size = node.file.size.max(PAGE_SIZE);
        // SAFETY: `file` is being opened, and `show` gets the same data.
        unsafe { bindings::single_open_size(file, Some(Self::show), data, size) }
    }

    /// # Safety
    ///
    /// Called by the kernel only, as [`open`](Self::open) asks it to.
    unsafe extern "C" fn show(
        text: *mut bindings::seq_file,
        _: *mut kernel::ffi::c_void,
    ) -> kernel::ffi::c_int {
        from_result(|| {
            // SAFETY: By the requirement of this function.
            let data = unsafe { (*text).private };
            // SAFETY: As for `open`: debugfs lets nobody read a file that is removed.
            let node = unsafe { &*data.cast::<Node<S>>() };
            // SAFETY: `text` is valid, and nobody else writes to it.
            let text = unsafe { SeqFile::from_raw(text) };
            (node.file.show)(&node.subject, text)?;
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// As for [`open`](Self::open); `length` bytes are at `from` in user space.
    unsafe extern "C" fn write(
        file: *mut bindings::file,
        from: *const kernel::ffi::c_char,
        length: usize,
        _: *mut bindings::loff_t,
    ) -> isize {
        from_result(|| {
            // SAFETY: By the requirement of this function.
            let inode = unsafe { (*file).f_inode };
            // SAFETY: An open file has an inode.
            let data = unsafe { (*inode).i_private };
            // SAFETY: As for `open`: debugfs lets nobody write a file that is removed.
            let node = unsafe { &*data.cast::<Node<S>>() };
            let store = node.file.store.ok_or(EINVAL)?;
            let mut text = [0; LONGEST];
            let text = text.get_mut(..length).ok_or(EINVAL)?;
            let from = UserPtr::from_ptr(from.cast_mut().cast());
            UserSlice::new(from, length).reader().read_slice(text)?;
            store(&node.subject, text)?;
            Ok(isize::try_from(length)?)
        })
    }
}
