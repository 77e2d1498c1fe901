// SPDX-License-Identifier: GPL-2.0
//! The smallest driver of a virtual GPU: it gives the blitter the work of one context, and is told when that is done.
//!
//! The device is a guest's, without a guest: this process has the guest's memory, does what its driver does through the
//! descriptor of the device, and waits for interrupts at their eventfd.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::event::{eventfd, poll, EventfdFlags, PollFd, PollFlags, Timespec};
use rustix::io::{pread, pwrite};

use super::machine::Machine;
use super::opened::Opened;
use super::request::Base;
use super::space::{Space, PAGE};
use super::{ioctl, text, Failure};

const BAR0: u64 = 0;
const CONFIG: u64 = 7 << 40;

/// Memory of the guest, page by page the first of its graphics memory too. Nothing is at 0.
const STATUS: u64 = PAGE;
const CONTEXT: u64 = 2 * PAGE;
const RING: u64 = 4 * PAGE;
/// A batch that only ends, for page tables to lead to.
pub(super) const EMPTY_BATCH: u64 = 36 * PAGE;
/// Room for a batch that is in graphics memory itself.
const BATCH: u64 = 37 * PAGE;
const MAPPED: u64 = 69;
/// Where memory begins that is not the driver's.
pub(super) const FREE: u64 = 1 << 20;

const RING_BYTES: u64 = 32 * PAGE;
/// Bytes of the room for a batch.
pub(super) const BATCH_ROOM: u64 = 32 * PAGE;

/// Registers of the blitter.
const BLITTER: u64 = 0x2_2000;
const STATUS_PAGE: u64 = BLITTER + 0x80;
const INTERRUPT_MASK: u64 = BLITTER + 0xa8;
const PORT: u64 = BLITTER + 0x230;
const MODE: u64 = BLITTER + 0x29c;
const EXECLISTS: u32 = 0x8000_8000;

/// The interrupts of render engine and blitter, and the register of all of them.
const GT_IMR: u64 = 0x4_4304;
const GT_IIR: u64 = 0x4_4308;
const GT_IER: u64 = 0x4_430c;
const MASTER: u64 = 0x4_4200;
const MASTER_ENABLE: u32 = 1 << 31;

/// What a guest says of address spaces.
const NOTIFY: u64 = 0x7_8818;
const NOTIFY_ROOT: u64 = 0x7_8838;
const CREATED: u32 = 4;
const DESTROYED: u32 = 5;

/// Where the status page has the number of the last batch that is done, the status buffer, and its last entry.
const DONE: u64 = STATUS + 0x200;
const STATUS_BUFFER: u64 = STATUS + 0x40;
const STATUS_LAST: u64 = STATUS + 0x7c;
const STATUS_ENTRIES: u64 = 6;
/// No entry yet.
const STATUS_NONE: u64 = 7;

/// Events of an entry of the status buffer.
const IDLE_TO_ACTIVE: u64 = 1 << 0;
const ACTIVE_TO_IDLE: u64 = 1 << 3;
const LITE_RESTORE: u64 = 1 << 15;

/// Words of the page of a context that has its state.
const STATE: u64 = CONTEXT + PAGE;
const CONTROL: u64 = STATE + 4 * 3;
const TAIL: u64 = STATE + 4 * 7;
const START: u64 = STATE + 4 * 9;
const RING_CONTROL: u64 = STATE + 4 * 11;
const ROOT_UPPER: u64 = STATE + 4 * 49;
const ROOT: u64 = STATE + 4 * 51;
/// The context has no state yet: the hardware is to load the ring's registers only.
const FRESH: u64 = 0x9_0009;
/// It has page tables of four levels.
const DESCRIPTOR: u32 = 0x119;
/// The number of the context.
const NUMBER: u32 = 7;

/// Commands, in groups of four words that never lie across the end of the ring.
pub(super) const NOTHING: [u32; 4] = [NOOP; 4];
const NOOP: u32 = 0;
const USER_INTERRUPT: u32 = 0x02 << 23;
const BATCH_END: u32 = 0x0a << 23;
const STORE: u32 = 0x20 << 23 | 1 << 22 | 2;
const BATCH_START: u32 = 0x31 << 23 | 1;
const IN_PAGE_TABLES: u32 = 1 << 8;
/// Bytes that say that a batch is done.
const BREADCRUMB: u64 = 32;

const PATIENCE: Timespec = Timespec { tv_sec: 60, tv_nsec: 0 };

/// A device with an open descriptor and memory, and how far its work is.
///
/// Fields are dropped in order: the device before the machine.
pub(super) struct Driver {
    opened: Opened,
    machine: Machine,
    interrupt: OwnedFd,
    /// Where the device's graphics memory begins.
    low: u64,
    tail: u64,
    /// How many batches there are.
    made: u32,
    /// Something is in the ring that was not submitted.
    unsent: bool,
    /// The device has not said yet that it has what was submitted last.
    unanswered: bool,
    /// Nothing runs.
    idle: bool,
    /// The entry of the status buffer that was read last.
    read: u64,
}

impl Driver {
    /// Opens a device for a machine, and sets up its blitter with a context of that address space.
    pub(super) fn new(mut machine: Machine, uuid: &str, space: &Space) -> Result<Driver, Failure> {
        let opened = Opened::new(uuid, "0", &mut machine, true)?;
        let low = opened.counted(Base::Low, 0)?;
        let interrupt = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let driver = Driver {
            opened,
            machine,
            interrupt,
            low,
            tail: 0,
            made: 0,
            unsent: false,
            unanswered: false,
            idle: true,
            read: STATUS_NONE,
        };
        let entries = driver.opened.counted(Base::LowPte, 0)?;
        for page in 0..MAPPED {
            pwrite(driver.opened.device(), &(page * PAGE | 1).to_le_bytes(), BAR0 + entries + 8 * page)?;
        }
        driver.enable_messages()?;
        driver.set(GT_IMR, 0)?;
        driver.set(GT_IER, u32::MAX)?;
        driver.set(MASTER, MASTER_ENABLE)?;
        driver.set(INTERRUPT_MASK, 0)?;
        driver.set(STATUS_PAGE, driver.address(STATUS))?;
        driver.set(MODE, EXECLISTS)?;
        driver.put(STATUS_LAST, &[STATUS_NONE as u32])?;
        driver.put(CONTROL, &[FRESH as u32])?;
        driver.put(START, &[driver.address(RING)])?;
        driver.put(RING_CONTROL, &[(RING_BYTES - PAGE) as u32 | 1])?;
        driver.put(EMPTY_BATCH, &[BATCH_END, NOOP])?;
        driver.created(space)?;
        driver.enter(space)?;
        Ok(driver)
    }

    /// The guest.
    pub(super) fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }

    /// Where a page of the driver's memory is in graphics memory.
    fn address(&self, gpa: u64) -> u32 {
        (self.low + gpa) as u32
    }

    fn set(&self, register: u64, value: u32) -> Result<(), Failure> {
        pwrite(self.opened.device(), &value.to_le_bytes(), BAR0 + register)?;
        Ok(())
    }

    fn get(&self, register: u64) -> Result<u32, Failure> {
        let mut value = [0; 4];
        pread(self.opened.device(), &mut value, BAR0 + register)?;
        Ok(u32::from_le_bytes(value))
    }

    /// Writes words to memory.
    pub(super) fn put(&self, gpa: u64, words: &[u32]) -> Result<(), Failure> {
        for (place, word) in (gpa..).step_by(4).zip(words) {
            self.machine.memory().write(place, 4, (*word).into())?;
        }
        Ok(())
    }

    /// Has messages sent to the eventfd.
    fn enable_messages(&self) -> Result<(), Failure> {
        const CAPABILITIES: u64 = 0x34;
        const MESSAGES: u8 = 5;
        const EVENTFD_TRIGGER: u32 = 1 << 2 | 1 << 5;
        let fd = self.interrupt.as_fd().as_raw_fd() as u32;
        let mut request = ioctl::dwords(&[24, EVENTFD_TRIGGER, 1, 0, 1, fd]);
        ioctl::vfio(self.opened.device(), "DEVICE_SET_IRQS", &mut request)?;
        let mut next = [0; 2];
        pread(self.opened.device(), &mut next[..1], CONFIG + CAPABILITIES)?;
        let mut place = u64::from(next[0]);
        for _ in 0..48 {
            pread(self.opened.device(), &mut next, CONFIG + place)?;
            if next[0] == MESSAGES {
                pwrite(self.opened.device(), &[1], CONFIG + place + 2)?;
                return Ok(());
            }
            place = next[1].into();
        }
        text("the device has no message signalled interrupts")
    }

    /// Has the context use this address space from the next submission on.
    pub(super) fn enter(&self, space: &Space) -> Result<(), Failure> {
        self.put(ROOT, &[space.root() as u32])?;
        self.put(ROOT_UPPER, &[(space.root() >> 32) as u32])
    }

    fn notify(&self, space: &Space, what: u32) -> Result<(), Failure> {
        self.set(NOTIFY_ROOT, space.root() as u32)?;
        self.set(NOTIFY_ROOT + 4, (space.root() >> 32) as u32)?;
        self.set(NOTIFY, what)
    }

    /// Tells the device that there is such an address space.
    pub(super) fn created(&self, space: &Space) -> Result<(), Failure> {
        self.notify(space, CREATED)
    }

    /// Tells it that there is none any more.
    pub(super) fn destroyed(&self, space: &Space) -> Result<(), Failure> {
        self.notify(space, DESTROYED)
    }

    fn emit(&mut self, group: [u32; 4]) -> Result<(), Failure> {
        self.put(RING + self.tail, &group)?;
        self.tail = (self.tail + 16) % RING_BYTES;
        self.unsent = true;
        Ok(())
    }

    /// A store of a number to the status page.
    pub(super) fn store(&self, number: u32) -> [u32; 4] {
        [STORE, self.address(DONE), 0, number]
    }

    /// Puts what says that a batch is done into the ring.
    fn breadcrumb(&mut self) -> Result<(), Failure> {
        self.made += 1;
        self.emit(self.store(self.made))?;
        self.emit([USER_INTERRUPT, NOOP, NOOP, NOOP])
    }

    /// Puts a batch that does nothing into the ring.
    pub(super) fn nothing(&mut self) -> Result<(), Failure> {
        self.emit([BATCH_START | IN_PAGE_TABLES, 0, 0, NOOP])?;
        self.breadcrumb()
    }

    /// Puts that batch into the ring which lies in graphics memory, and has privilege.
    pub(super) fn privileged(&mut self) -> Result<(), Failure> {
        self.emit([BATCH_START, self.address(BATCH), 0, NOOP])?;
        self.breadcrumb()
    }

    /// Fills so many bytes of the ring, a multiple of 16, with a group of commands, and what says that this is done.
    pub(super) fn repeat(&mut self, group: [u32; 4], bytes: u64) -> Result<(), Failure> {
        for _ in 0..bytes.saturating_sub(BREADCRUMB) / 16 {
            self.emit(group)?;
        }
        self.breadcrumb()
    }

    /// Writes a batch to where [`privileged`](Self::privileged) finds it.
    pub(super) fn write_batch(&self, group: [u32; 4], bytes: u64) -> Result<(), Failure> {
        let end = BATCH + bytes.min(BATCH_ROOM) - 16;
        for place in (BATCH..end).step_by(16) {
            self.put(place, &group)?;
        }
        self.put(end, &[BATCH_END, NOOP, NOOP, NOOP])
    }

    /// Submits what is in the ring.
    pub(super) fn submit(&mut self) -> Result<(), Failure> {
        self.machine.memory().write(TAIL, 4, self.tail)?;
        for word in [0, 0, NUMBER] {
            self.set(PORT, word)?;
        }
        self.unsent = false;
        self.unanswered = true;
        self.idle = false;
        self.set(PORT, self.address(CONTEXT) | DESCRIPTOR)
    }

    /// Waits for an interrupt, handles it as a driver does, and reads what happened.
    fn wait(&mut self) -> Result<(), Failure> {
        let mut polled = [PollFd::new(&self.interrupt, PollFlags::IN)];
        if poll(&mut polled, Some(&PATIENCE))? == 0 {
            return text("the device does not get through with its work");
        }
        rustix::io::read(&self.interrupt, &mut [0; 8])?;
        self.set(MASTER, 0)?;
        let raised = self.get(GT_IIR)?;
        self.set(GT_IIR, raised)?;
        self.set(MASTER, MASTER_ENABLE)?;
        let last = self.machine.memory().read(STATUS_LAST, 4)?;
        while self.read != last {
            self.read = if self.read == STATUS_NONE { 0 } else { (self.read + 1) % STATUS_ENTRIES };
            let event = self.machine.memory().read(STATUS_BUFFER + 8 * self.read, 4)?;
            if event & (IDLE_TO_ACTIVE | LITE_RESTORE) != 0 {
                self.unanswered = false;
                self.idle = false;
            }
            if event & ACTIVE_TO_IDLE != 0 {
                self.idle = true;
            }
        }
        Ok(())
    }

    /// How many batches are done.
    fn done(&self) -> Result<u32, Failure> {
        Ok(self.machine.memory().read(DONE, 4)? as u32)
    }

    /// Waits until all is done and nothing runs.
    pub(super) fn finish(&mut self) -> Result<(), Failure> {
        while self.done()? != self.made || self.unanswered || !self.idle {
            self.wait()?;
        }
        Ok(())
    }

    /// Does so many batches that do nothing, of which `depth` are queued as long as there are that many.
    pub(super) fn keep_busy(&mut self, batches: u32, depth: u32) -> Result<(), Failure> {
        let first = self.made;
        while self.done()? < first + batches {
            while self.made < (self.done()? + depth).min(first + batches) {
                self.nothing()?;
            }
            if self.unsent && !self.unanswered {
                self.submit()?;
            }
            self.wait()?;
        }
        self.finish()
    }
}
