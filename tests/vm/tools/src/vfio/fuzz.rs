// SPDX-License-Identifier: GPL-2.0
//! Random requests to one device, through its real descriptor: whatever is asked, the answer is one that the request may
//! have, and the device works as before.

use std::collections::BTreeMap;
use std::fmt;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use fastrand::Rng;
use rustix::event::{eventfd, EventfdFlags};
use serde_json::Value;

use super::machine::Machine;
use super::opened::Opened;
use super::request::Base;
use super::{errno_name, ioctl, Failure};
use crate::mapping::Mapping;

const MEMORY: u64 = 64 << 20;
/// A single read or write is at most this long.
const LONGEST: usize = 64 << 10;
const CONFIG: u32 = 7;
const APERTURE: u32 = 2;
const PAGE: u64 = 4096;
/// More mappings than this are not kept.
const MAPPINGS: usize = 16;
/// Failures that are kept to be shown.
const SHOWN: usize = 10;

/// Offsets at which something is, or ends.
const PLACES: &[u64] = &[
    0,
    0x40,
    0x80,
    0xac,
    0xe8,
    0xfc,
    0x100,
    0x200,
    0x7f8,
    0x800,
    0x900,
    0x1000,
    0x2000,
    0x78000,
    0x78818,
    0x20_0000,
    0x80_0000,
    0x100_0000,
    0x2000_0000,
    1 << 32,
    (1 << 40) - 8,
];

/// The kinds of requests; each has its own set of errors that it may answer with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Read,
    Write,
    Memory,
    Ioctl,
    SetIrqs,
    Map,
    Unmap,
    Touch,
    Reset,
    Reopen,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Read => "read",
            Kind::Write => "write",
            Kind::Memory => "memory",
            Kind::Ioctl => "ioctl",
            Kind::SetIrqs => "set-irqs",
            Kind::Map => "map",
            Kind::Unmap => "unmap",
            Kind::Touch => "touch",
            Kind::Reset => "reset",
            Kind::Reopen => "reopen",
        }
    }

    /// Of a thousand requests so many are of this kind.
    const SHARES: [(Kind, u32); 10] = [
        (Kind::Read, 380),
        (Kind::Write, 320),
        (Kind::Memory, 60),
        (Kind::Ioctl, 110),
        (Kind::SetIrqs, 70),
        (Kind::Map, 25),
        (Kind::Unmap, 15),
        (Kind::Touch, 17),
        (Kind::Reset, 2),
        (Kind::Reopen, 1),
    ];

    fn choose(random: &mut Rng) -> Kind {
        let mut place = random.u32(..1000);
        for (kind, share) in Kind::SHARES {
            match place.checked_sub(share) {
                Some(rest) => place = rest,
                None => return kind,
            }
        }
        Kind::Read
    }
}

/// How the requests of one kind went.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// How many there were.
    pub requests: u64,
    /// How many of those were refused, by the name of the error.
    pub refused: BTreeMap<String, u64>,
    /// What should not have happened, the first few.
    pub wrong: Vec<String>,
    /// How often something happened that should not.
    pub failures: u64,
    /// How long they took.
    pub took: Duration,
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} requests", self.requests)?;
        for (errno, count) in &self.refused {
            write!(formatter, ", {count} {errno}")?;
        }
        Ok(())
    }
}

/// What a request came to, when it is not as it must be.
enum Wrong {
    /// The kernel's error is looked up in what the kind of request may answer.
    Failure(Failure),
    /// It went through, or gave what it must not.
    Text(String),
}

impl<T: Into<Failure>> From<T> for Wrong {
    fn from(failure: T) -> Wrong {
        Wrong::Failure(failure.into())
    }
}

type Outcome = Result<(), Wrong>;

fn wrong(text: impl Into<String>) -> Outcome {
    Err(Wrong::Text(text.into()))
}

/// A device under random requests.
pub struct Fuzz {
    random: Rng,
    uuid: String,
    // Dropped before the machine.
    opened: Option<Opened>,
    /// Start and size of what the device has of the aperture.
    low: (u64, u64),
    mappings: Vec<Mapping>,
    machine: Machine,
    eventfds: Vec<OwnedFd>,
    tallies: BTreeMap<Kind, Tally>,
}

impl Fuzz {
    /// Opens the device in a machine of its own.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn new(uuid: &str, seed: u64) -> Result<Fuzz, Failure> {
        let mut machine = Machine::new(MEMORY, true)?;
        let opened = Opened::new(uuid, "0", &mut machine, true)?;
        let eventfds = (0..3)
            .map(|_| eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK))
            .collect::<Result<Vec<OwnedFd>, _>>()?;
        let low = (opened.counted(Base::Low, 0)?, opened.low_size()?);
        Ok(Fuzz {
            low,
            random: Rng::with_seed(seed),
            uuid: uuid.to_owned(),
            opened: Some(opened),
            mappings: Vec::new(),
            machine,
            eventfds,
            tallies: BTreeMap::new(),
        })
    }

    /// Makes so many requests, and gives how those of each kind went.
    ///
    /// # Errors
    ///
    /// The device could not be opened again.
    pub fn run(&mut self, requests: u64) -> Result<Vec<(&'static str, Tally)>, Failure> {
        for number in 0..requests {
            let kind = Kind::choose(&mut self.random);
            let begin = Instant::now();
            let (asked, outcome) = self.one(kind)?;
            let tally = self.tallies.entry(kind).or_default();
            tally.requests += 1;
            tally.took += begin.elapsed();
            let complaint = match outcome {
                Ok(()) => None,
                Err(Wrong::Failure(Failure::Errno(errno))) => {
                    *tally.refused.entry(errno_name(errno)).or_default() += 1;
                    None
                }
                Err(Wrong::Failure(Failure::Text(text)) | Wrong::Text(text)) => Some(text),
            };
            if let Some(text) = complaint {
                tally.failures += 1;
                if tally.wrong.len() < SHOWN {
                    tally.wrong.push(format!("request {number}: {asked}: {text}"));
                }
            }
        }
        Ok(self.tallies.iter().map(|(kind, tally)| (kind.name(), tally.clone())).collect())
    }

    /// Whether the device still is what it was, after a reset.
    ///
    /// # Errors
    ///
    /// What it is not.
    pub fn sane(&self) -> Result<(), Failure> {
        let opened = self.opened()?;
        ioctl::vfio_number(opened.device(), "DEVICE_RESET", 0)?;
        let info = opened.info()?;
        let same = |name: &str, found: Option<&Value>, wanted: Value| match found {
            Some(found) if *found == wanted => Ok(()),
            found => Err(Failure::Text(format!("{name} is {found:?} instead of {wanted}"))),
        };
        same("the number of regions", info.get("num_regions"), 11.into())?;
        same("the number of interrupts", info.get("num_irqs"), 5.into())?;
        same("the size of BAR 0", opened.region_info(0, false)?.get("size"), "0x1000000".into())?;
        for (region, offset, wanted) in [
            (CONFIG, 0x00, &[0x86, 0x80][..]),
            (CONFIG, 0x10, &[4, 0, 0, 0]),
            (CONFIG, 0xfc, &[0, 0, 0, 0]),
            (0, 0x7_8000, &[0x76, 0x47, 0x54, 0x76, 0x47, 0x54, 0x76, 0x47]),
            (9, 0, b"IntelGraphicsMem"),
            // The monitor is the VMM's: a reset leaves it.
            (10, 0, &[0, 8, 0, 0]),
        ] {
            let found = opened.read(region, offset, wanted.len())?;
            if found != wanted {
                return Err(Failure::Text(format!("region {region} has {found:02x?} at {offset:#x}")));
            }
        }
        Ok(())
    }

    fn opened(&self) -> Result<&Opened, Failure> {
        self.opened.as_ref().map_or_else(|| super::text("the device is closed"), Ok)
    }

    /// One request: what was asked, and what came of it. The outer error ends the run.
    fn one(&mut self, kind: Kind) -> Result<(String, Outcome), Failure> {
        Ok(match kind {
            Kind::Read => self.read(),
            Kind::Write => self.write()?,
            Kind::Memory => self.write_memory(),
            Kind::Ioctl => self.any_ioctl()?,
            Kind::SetIrqs => self.set_irqs()?,
            Kind::Map => self.map()?,
            Kind::Unmap => {
                if !self.mappings.is_empty() {
                    let place = self.random.usize(..self.mappings.len());
                    self.mappings.swap_remove(place);
                }
                ("unmap".to_owned(), Ok(()))
            }
            Kind::Touch => self.touch(),
            Kind::Reset => {
                let result = ioctl::vfio_number(self.opened()?.device(), "DEVICE_RESET", 0);
                ("reset".to_owned(), only(result.map(|_| ()).map_err(Wrong::from), &[]))
            }
            Kind::Reopen => {
                self.reopen()?;
                ("close, open".to_owned(), Ok(()))
            }
        })
    }

    /// A number with a bias towards what is special.
    fn number(&mut self) -> u32 {
        match self.random.u32(..8) {
            0..=3 => self.random.u32(..16),
            4 => u32::MAX,
            5 => 1 << self.random.u32(..32),
            6 => self.random.u32(..256),
            _ => self.random.u32(..),
        }
    }

    fn region(&mut self) -> u32 {
        match self.random.u32(..16) {
            0..=4 => CONFIG,
            5..=7 => 0,
            8..=9 => APERTURE,
            10 => 9,
            11..=12 => 10,
            13..=14 => self.random.u32(..12),
            _ => self.number(),
        }
    }

    fn offset(&mut self) -> u64 {
        let place = self.random.choice(PLACES).copied().unwrap_or_default();
        match self.random.u32(..8) {
            0..=3 => place.wrapping_add(self.random.u64(..64)).wrapping_sub(16),
            4 => self.random.u64(..4096),
            5 => self.random.u64(..1 << 24),
            6 => self.random.u64(..1 << 30),
            _ => self.random.u64(..) >> self.random.u32(..64),
        }
    }

    fn length(&mut self) -> usize {
        match self.random.u32(..32) {
            0..=27 => [1, 2, 4, 8][self.random.usize(..4)],
            28..=30 => self.random.usize(..=16),
            _ => self.random.usize(..=LONGEST) >> self.random.u32(..12),
        }
    }

    /// Region, offset in it, length: mostly counted from the start of the region, at times from what the device has.
    fn place(&mut self) -> (u32, u64, usize) {
        let (region, length) = (self.region(), self.length());
        let mut offset = self.offset();
        if matches!(region, 0 | APERTURE) && self.random.u32(..4) != 0 {
            let base = match region {
                0 if self.random.bool() => Base::LowPte,
                0 => Base::HighPte,
                _ => Base::Low,
            };
            let counted = self.opened().and_then(|opened| opened.counted(base, offset));
            offset = counted.unwrap_or(offset);
        }
        (region, offset, length)
    }

    fn read(&mut self) -> (String, Outcome) {
        let (region, offset, length) = self.place();
        let result = self.opened().and_then(|opened| opened.read(region, offset, length)).map(|bytes| bytes.len());
        let outcome = self.judged(position(region, offset), length, Access::Read, result);
        (format!("read {length} bytes at {offset:#x} of region {region}"), outcome)
    }

    fn write(&mut self) -> Result<(String, Outcome), Failure> {
        let (region, offset, length) = self.place();
        let mut bytes = vec![0; length];
        self.random.fill(&mut bytes);
        if self.random.bool() {
            // Small numbers mean more than others.
            bytes.iter_mut().skip(1).for_each(|byte| *byte = 0);
        }
        let result = self.opened()?.write(region, offset, &bytes);
        let outcome = self.judged(position(region, offset), length, Access::Write, result);
        Ok((format!("write {length} bytes at {offset:#x} of region {region}"), outcome))
    }

    /// Changes guest memory where an OpRegion may be.
    fn write_memory(&mut self) -> (String, Outcome) {
        let offset = self.random.u64(..MEMORY / PAGE) * PAGE + 0x200;
        let value = self.random.u64(..);
        let outcome = self.machine.memory().write(offset, 8, value).map_err(Wrong::from);
        (format!("guest memory {offset:#x}"), outcome)
    }

    /// A structure for an ioctl: its size mostly right, the rest random.
    fn structure(&mut self, size: u32) -> Vec<u8> {
        let length = match self.random.u32(..8) {
            0 => self.random.usize(..128),
            1 => size as usize,
            _ => 128,
        };
        let mut bytes = vec![0; length];
        for place in bytes.chunks_mut(4) {
            let value = self.number().to_le_bytes();
            place.copy_from_slice(&value[..place.len()]);
        }
        let argsz = match self.random.u32(..4) {
            0 => self.number(),
            _ => size,
        };
        for (byte, value) in bytes.iter_mut().zip(argsz.to_le_bytes()) {
            *byte = value;
        }
        bytes
    }

    fn any_ioctl(&mut self) -> Result<(String, Outcome), Failure> {
        const KNOWN: &[(&str, u32, &[i32])] = &[
            ("DEVICE_GET_INFO", 16, &[libc::EINVAL, libc::EFAULT]),
            ("DEVICE_GET_REGION_INFO", 32, &[libc::EINVAL, libc::EFAULT]),
            ("DEVICE_GET_IRQ_INFO", 16, &[libc::EINVAL, libc::EFAULT]),
            ("DEVICE_GET_PCI_HOT_RESET_INFO", 12, &[libc::ENOTTY]),
            ("DEVICE_PCI_HOT_RESET", 12, &[libc::ENOTTY]),
            ("DEVICE_QUERY_GFX_PLANE", 64, &[libc::EINVAL, libc::EFAULT]),
            ("DEVICE_GET_GFX_DMABUF", 4, &[libc::EINVAL, libc::EFAULT]),
            ("DEVICE_IOEVENTFD", 32, &[libc::ENOTTY]),
            ("DEVICE_FEATURE", 8, &[libc::ENOTTY, libc::EINVAL, libc::EFAULT]),
            ("DEVICE_BIND_IOMMUFD", 16, &[libc::ENOTTY, libc::EINVAL, libc::EFAULT]),
            ("DEVICE_ATTACH_IOMMUFD_PT", 12, &[libc::ENOTTY, libc::EINVAL]),
        ];
        let (name, size, errors) = KNOWN[self.random.usize(..KNOWN.len())];
        let (request, errors) = match self.random.u32(..8) {
            // A number that the kernel does not answer before the driver sees it: those are of other types.
            0 => (
                u32::from(b';') << 8 | self.random.u32(64..256) | self.random.u32(..1 << 16) << 16,
                &[libc::ENOTTY][..],
            ),
            _ => (ioctl::number(name).unwrap_or_default(), errors),
        };
        let asked = format!("ioctl {name} or {request:#x}");
        let result = if self.random.u32(..16) == 0 {
            // Nothing of this process, so that nothing of it can be overwritten.
            let nowhere = [0, 1, 0xffff_8880_0000_0000, 0x8000_0000_0000, u64::MAX][self.random.usize(..5)];
            ioctl::with_number(self.opened()?.device(), request, nowhere)
        } else {
            let mut structure = self.structure(size);
            ioctl::with_struct(self.opened()?.device(), request, &mut structure)
        };
        let outcome = match result {
            Ok(0) => Ok(()),
            Ok(result) => wrong(format!("the result is {result}")),
            Err(failure) => Err(failure.into()),
        };
        Ok((asked, only(outcome, errors)))
    }

    fn set_irqs(&mut self) -> Result<(String, Outcome), Failure> {
        let flags = match self.random.u32(..4) {
            0 => self.number(),
            _ => 1 << self.random.u32(..3) | 8 << self.random.u32(..3),
        };
        let index = if self.random.bool() { self.random.u32(..6) } else { self.number() };
        let (start, count) = match self.random.u32(..4) {
            0 => (self.number(), self.number()),
            _ => (0, self.random.u32(..2)),
        };
        let payload = match self.random.u32(..6) {
            0 => self.number(),
            1 => u32::MAX,
            _ => self.eventfds[self.random.usize(..self.eventfds.len())].as_raw_fd() as u32,
        };
        let argsz = if self.random.u32(..8) == 0 { self.number() } else { 24 };
        let mut structure = ioctl::dwords(&[argsz, flags, index, start, count, payload]);
        structure.truncate(if self.random.u32(..16) == 0 { self.random.usize(..24) } else { 24 });
        let asked = format!("set_irqs argsz {argsz} flags {flags:#x} index {index} start {start} count {count}");
        let result = ioctl::vfio(self.opened()?.device(), "DEVICE_SET_IRQS", &mut structure);
        let outcome = result.map(|_| ()).map_err(Wrong::from);
        Ok((asked, only(outcome, &[libc::EINVAL, libc::ENOTTY, libc::EFAULT, libc::EBADF])))
    }

    fn map(&mut self) -> Result<(String, Outcome), Failure> {
        let region = if self.random.u32(..4) == 0 { self.region() } else { APERTURE };
        let pages = match self.random.u32(..4) {
            0 => self.random.u64(..1 << 16),
            _ => self.random.u64(..8),
        };
        let base = if self.random.bool() { Base::Low } else { Base::Region };
        let offset = self.offset() & !(PAGE - 1);
        let (write, private) = (self.random.bool(), self.random.u32(..8) == 0);
        let opened = self.opened()?;
        let offset = opened.counted(base, offset)?;
        let asked = format!("map {pages} pages at {offset:#x} of region {region}, private: {private}");
        let made = match opened.map(region, offset, pages * PAGE, write, private) {
            Ok(made) => made,
            Err(failure) => {
                return Ok((asked, only(Err(failure.into()), &[libc::EINVAL, libc::EOVERFLOW, libc::ENOMEM])))
            }
        };
        if private || pages == 0 || !exists(self.low, position(region, offset), pages * PAGE, Access::Map) {
            return Ok((asked, wrong("this cannot be mapped")));
        }
        if write && self.mappings.len() < MAPPINGS {
            self.mappings.push(made);
        }
        Ok((asked, Ok(())))
    }

    /// Uses memory that is mapped.
    fn touch(&mut self) -> (String, Outcome) {
        let Some(mapping) = self.random.choice(&self.mappings) else {
            return ("touch nothing".to_owned(), Ok(()));
        };
        let offset = self.random.u64(..mapping.len() / 8) * 8;
        let outcome = mapping.write(offset, 8, self.random.u64(..)).and_then(|()| mapping.read(offset, 4).map(|_| ()));
        (format!("touch {offset:#x} of a mapping"), outcome.map_err(Wrong::from))
    }

    fn reopen(&mut self) -> Result<(), Failure> {
        self.mappings.clear();
        if let Some(opened) = self.opened.take() {
            self.machine.tell_kvm(opened.group(), false)?;
        }
        self.machine.emptied();
        self.opened = Some(Opened::new(&self.uuid, "0", &mut self.machine, true)?);
        Ok(())
    }

    /// What a read or write of the file came to.
    fn judged(&self, position: i64, length: usize, access: Access, result: Result<usize, Failure>) -> Outcome {
        let errors = if position < 0 || position.checked_add(length as i64).is_none() {
            &[libc::EINVAL]
        } else {
            &[libc::EFAULT]
        };
        match result {
            Ok(count) if count != length => wrong(format!("only {count} bytes were done")),
            Ok(0) => Ok(()),
            Ok(_) if !exists(self.low, position, length as u64, access) => wrong("this does not exist"),
            Ok(_) => Ok(()),
            Err(failure) => only(Err(failure.into()), errors),
        }
    }
}

/// How something is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Read,
    Write,
    Map,
}

/// Whether an access is of something that a device has that has `low` of the aperture, from its start on so many bytes.
fn exists(low: (u64, u64), position: i64, length: u64, access: Access) -> bool {
    let Ok(position) = u64::try_from(position) else {
        return false;
    };
    let (index, offset) = (position >> 40, position & ((1 << 40) - 1));
    let (low, size) = low;
    let (begin, end) = match (index, access) {
        (2, _) => (low, low + size),
        (0, Access::Read | Access::Write) => (0, 16 << 20),
        (7, Access::Read | Access::Write) => (0, 4096),
        (9, Access::Read) => (0, 8192),
        (10, Access::Read | Access::Write) => (0, 2048 + 256),
        _ => return false,
    };
    offset >= begin && length <= end - begin && offset - begin <= end - begin - length
}

/// Where an offset in a region is in the device's file.
fn position(region: u32, offset: u64) -> i64 {
    (u64::from(region) << 40).wrapping_add(offset) as i64
}

/// Turns an error that the request must not have into a complaint.
fn only(outcome: Outcome, errors: &[i32]) -> Outcome {
    match outcome {
        Err(Wrong::Failure(Failure::Errno(errno))) if !errors.contains(&errno) => {
            wrong(format!("{} is no error of this", errno_name(errno)))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up() {
        assert_eq!(Kind::SHARES.iter().map(|(_, share)| share).sum::<u32>(), 1000);
    }

    #[test]
    fn what_exists_ends_somewhere() {
        let low = (0x8000, 0x1000);
        for (region, offset, length, access, wanted) in [
            (7, 0xffc, 4, Access::Write, true),
            (7, 0xffd, 4, Access::Read, false),
            (7, 0xffff_fffc, 4, Access::Read, false),
            (6, 1 << 40, 4, Access::Read, true),
            (2, 0x8ff8, 8, Access::Map, true),
            (2, 0x8ff9, 8, Access::Read, false),
            (2, 0x7fff, 1, Access::Read, false),
            (2, 0x8000, u64::MAX, Access::Read, false),
            (9, 0, 8192, Access::Read, true),
            (9, 0, 1, Access::Write, false),
            (7, 0, 4096, Access::Map, false),
            (1, 0, 1, Access::Read, false),
            (0x80_0000, 0, 1, Access::Read, false),
        ] {
            let found = exists(low, position(region, offset), length, access);
            assert_eq!(found, wanted, "{access:?} of {length:#x} bytes at {offset:#x} of region {region}");
        }
    }

    #[test]
    fn an_error_of_another_kind_is_a_complaint() {
        let refused = || Err(Wrong::Failure(Failure::Errno(libc::EFAULT)));
        assert!(matches!(only(refused(), &[libc::EFAULT]), Err(Wrong::Failure(_))));
        assert!(matches!(only(refused(), &[libc::EINVAL]), Err(Wrong::Text(_))));
        assert!(only(Ok(()), &[]).is_ok());
    }

    #[test]
    fn a_device_that_is_not_there_is_an_error() {
        assert!(Fuzz::new("no-such-device", 1).is_err());
    }
}
