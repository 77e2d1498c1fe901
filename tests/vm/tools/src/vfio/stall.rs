// SPDX-License-Identifier: GPL-2.0
//! Memory that does not come at once, or never: `userfaultfd(2)`.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread::{sleep, JoinHandle};
use std::time::Duration;

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::ioctl::opcode;
use rustix::mm::UserfaultfdFlags;

use super::{ioctl, Failure};

// What `linux/userfaultfd.h` has of structures of `u64`.
const UFFD_API: u64 = 0xaa;
const UFFDIO_API: u32 = opcode::read_write::<[u64; 3]>(0xaa, 0x3f);
const UFFDIO_REGISTER: u32 = opcode::read_write::<[u64; 4]>(0xaa, 0x00);
const UFFDIO_ZEROPAGE: u32 = opcode::read_write::<[u64; 4]>(0xaa, 0x04);
const UFFDIO_REGISTER_MODE_MISSING: u64 = 1;
const UFFD_EVENT_PAGEFAULT: u8 = 0x12;
/// Of `struct uffd_msg`, and where that has the address.
const MESSAGE: usize = 32;
const ADDRESS: usize = 16;
const PAGE: u64 = 4096;
/// How often whoever brings pages looks whether that is to end.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Pages of this process that are missing. When this is dropped they are as others are.
pub(super) struct Stall {
    /// Brings pages; without it none comes.
    server: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
    _faults: Arc<OwnedFd>,
}

impl Stall {
    /// Whoever touches a page of these that is not there waits: for so long, and then finds zeroes, or for as long as this
    /// lives.
    pub(super) fn new(address: u64, size: u64, pause: Option<Duration>) -> Result<Stall, Failure> {
        let flags = UserfaultfdFlags::CLOEXEC | UserfaultfdFlags::NONBLOCK;
        // SAFETY: The descriptor catches no faults yet.
        let faults = Arc::new(unsafe { rustix::mm::userfaultfd(flags) }?);
        let mut api = [UFFD_API, 0, 0].map(u64::to_le_bytes).concat();
        ioctl::with_struct(faults.as_fd(), UFFDIO_API, &mut api)?;
        let mut range = [address, size, UFFDIO_REGISTER_MODE_MISSING, 0].map(u64::to_le_bytes).concat();
        ioctl::with_struct(faults.as_fd(), UFFDIO_REGISTER, &mut range)?;
        let server = pause.map(|pause| {
            let ends = Arc::new(AtomicBool::new(false));
            let (end, from) = (ends.clone(), faults.clone());
            (ends, std::thread::spawn(move || serve(&from, pause, &end)))
        });
        Ok(Stall { server, _faults: faults })
    }
}

impl Drop for Stall {
    fn drop(&mut self) {
        if let Some((ends, thread)) = self.server.take() {
            ends.store(true, Ordering::Relaxed);
            // It does not panic, and if it did the pages would come all the same.
            let _ = thread.join();
        }
    }
}

/// Brings a page for each fault, one after the other, as late as that.
fn serve(faults: &OwnedFd, pause: Duration, end: &AtomicBool) {
    while !end.load(Ordering::Relaxed) {
        let mut message = [0; MESSAGE];
        let mut files = [PollFd::new(faults, PollFlags::IN)];
        let read = poll(&mut files, Some(&TICK)).and_then(|_| rustix::io::read(faults, &mut message));
        if read != Ok(MESSAGE) || message.first() != Some(&UFFD_EVENT_PAGEFAULT) {
            continue;
        }
        sleep(pause);
        let page = ioctl::u64_at(&message, ADDRESS) / PAGE * PAGE;
        let mut range = [page, PAGE, 0, 0].map(u64::to_le_bytes).concat();
        // It is there already if two have waited for it.
        let _ = ioctl::with_struct(faults.as_fd(), UFFDIO_ZEROPAGE, &mut range);
    }
}
