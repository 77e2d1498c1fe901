// SPDX-License-Identifier: GPL-2.0

//! A vGPU in the hands of a VMM.

use std::fmt::{self, Write as _};
use std::sync::{Mutex, PoisonError};

use gvt_model::addr::GmRange;
use gvt_model::cfg::MsiState;
use gvt_model::effect::Effects;
use gvt_model::engine::{EngineId, EngineMap, Engines};
use gvt_model::fault::Fault;
use gvt_model::irq::{irq_info, SetIrqs};
use gvt_model::mmio::map::RegisterMap;
use gvt_model::platform::{Platform, CONFIG_SIZE};
use gvt_model::region::{Position, REGION_COUNT};
use gvt_model::types::{HostResources, Pool, Resolution, TYPES};
use gvt_model::vgpu::{mmap_range, Host, Setup, Vgpu};
use kernel::alloc::KBox;
use kernel::error::Error;

use crate::env::Env;
use crate::op::Op;

const MB: u64 = 1 << 20;

/// Start and size of the mappable graphics memory of the vGPU.
pub const LOW: (u64, u64) = (64 * MB, 64 * MB);
/// Start and size of its other graphics memory.
pub const HIGH: (u64, u64) = (1024 * MB, 384 * MB);

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Done.
    Done,
    /// Refused.
    Refused,
}

/// Configuration space of a GPU that has capabilities of all kinds, and values of the host everywhere else.
pub fn host_config() -> [u8; CONFIG_SIZE] {
    let mut config = [0xa5; CONFIG_SIZE];
    let parts: [(usize, &[u8]); 11] = [
        (0x00, &[0x86, 0x80, 0x12, 0x19, 0x07, 0x04, 0x10, 0x00, 0x06, 0x00, 0x00, 0x03]),
        (0x10, &[0x04, 0x00, 0x00, 0xde]),
        (0x18, &[0x0c, 0x00, 0x00, 0xc0]),
        (0x34, &[0x40]),
        (0x40, &[0x09, 0x70, 0x0c, 0x01]),
        (0x70, &[0x10, 0xac, 0x92, 0x00]),
        (0xac, &[0x05, 0xd0, 0x01, 0x00]),
        (0xd0, &[0x01, 0x00, 0x22, 0x00]),
        (0x100, &[0x1b, 0x00, 0x01, 0x20]),
        (0x200, &[0x0f, 0x00, 0x01, 0x30]),
        (0x300, &[0x13, 0x00, 0x01, 0x00]),
    ];
    for (offset, bytes) in parts {
        config[offset..offset + bytes.len()].copy_from_slice(bytes);
    }
    config
}

/// The registers of a GPU, with values of the host in all of them.
fn registers(platform: Platform) -> &'static RegisterMap {
    static MAPS: Mutex<Vec<&'static RegisterMap>> = Mutex::new(Vec::new());
    let mut maps = MAPS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(map) = maps.iter().copied().find(|map| map.platform() == platform) {
        return map;
    }
    let engines = EngineId::ALL.into_iter().filter(|id| platform != Platform::Broxton || *id != EngineId::Vcs1);
    let engines = engines.fold(Engines::NONE, Engines::with);
    let map = RegisterMap::new(platform, engines, &[0xa5; 2 << 20]).expect("memory for the registers");
    let map = &*Box::leak(Box::new(map));
    maps.push(map);
    map
}

/// A vGPU with what is around it.
pub struct Rig {
    /// The vGPU.
    pub vgpu: KBox<Vgpu>,
    /// The registers of its GPU.
    pub registers: &'static RegisterMap,
    /// What is around it.
    pub env: Env,
}

impl Rig {
    /// A vGPU after a reset.
    ///
    /// # Errors
    ///
    /// Those of [`Vgpu::new`].
    pub fn new() -> Result<Self, Error> {
        Self::on(Platform::Skylake)
    }

    /// The same, on a platform.
    ///
    /// # Errors
    ///
    /// Those of [`Vgpu::new`].
    pub fn on(platform: Platform) -> Result<Self, Error> {
        let host = HostResources { aperture: 1024 * MB, ggtt_total: 4096 * MB, fences: 32 };
        let low = GmRange::new(LOW.0, LOW.1)?;
        let registers = registers(platform);
        let setup = Setup {
            registers,
            id: Pool::new(&host).take(&TYPES[0])?,
            host_config: &host_config(),
            bar0_size: 16 * MB,
            bar2_size: 1024 * MB,
            msi_cap: 0xac,
            low,
            high: GmRange::new(HIGH.0, HIGH.1)?,
            fences: 4,
            resolution: Resolution::Xga,
            context_sizes: &EngineMap::new(|_| 2 * 4096),
        };
        Ok(Self { vgpu: Vgpu::new(&setup)?, registers, env: Env::new(low) })
    }

    /// Calls `body` with the vGPU and what it needs of the host; nothing becomes of the effects.
    pub fn with<R>(&mut self, body: impl FnOnce(&mut Vgpu, &mut Host<'_>) -> R) -> R {
        let mut effects = Effects::new();
        let mut host = Host { registers: self.registers, env: &mut self.env, effects: &mut effects };
        body(&mut self.vgpu, &mut host)
    }

    /// Writes into BAR0, whatever comes of it.
    pub fn put(&mut self, offset: u64, data: &[u8]) {
        let at = Position::new(0, offset).expect("a place");
        let _ = self.write_piece(at, data);
    }

    /// Writes a register, whatever comes of it.
    pub fn set(&mut self, register: u32, value: u32) {
        self.put(register.into(), &value.to_le_bytes());
    }

    /// Reads what the model takes at once.
    ///
    /// # Errors
    ///
    /// Those of [`Vgpu::read`].
    pub fn read_piece(&mut self, at: Position, data: &mut [u8]) -> Result<(), Fault> {
        self.with(|vgpu, host| vgpu.read(at, data, host))
    }

    /// Writes what the model takes at once.
    ///
    /// # Errors
    ///
    /// Those of [`Vgpu::write`].
    pub fn write_piece(&mut self, at: Position, data: &[u8]) -> Result<(), Fault> {
        self.with(|vgpu, host| vgpu.write(at, data, host))
    }

    /// `VFIO_DEVICE_RESET`.
    pub fn reset(&mut self) {
        self.vgpu.reset(self.registers, &mut self.env);
    }

    /// Does what the driver does for a `pread` into `data`.
    ///
    /// # Errors
    ///
    /// What the driver answers.
    pub fn read(&mut self, position: i64, data: &mut [u8]) -> Result<(), Error> {
        let at = Position::decode(position)?;
        for piece in at.pieces(data.len())? {
            let part = Position::new(at.index(), piece.offset)?;
            self.read_piece(part, &mut data[piece.bytes]).map_err(|fault| answer(&fault))?;
        }
        Ok(())
    }

    /// Does what the driver does for a `pwrite` of `data`.
    ///
    /// # Errors
    ///
    /// What the driver answers.
    pub fn write(&mut self, position: i64, data: &[u8]) -> Result<(), Error> {
        let at = Position::decode(position)?;
        for piece in at.pieces(data.len())? {
            let part = Position::new(at.index(), piece.offset)?;
            self.write_piece(part, &data[piece.bytes]).map_err(|fault| answer(&fault))?;
        }
        Ok(())
    }

    /// The bytes at a position that can be read.
    ///
    /// # Errors
    ///
    /// What the driver answers.
    pub fn bytes<const N: usize>(&mut self, index: u32, offset: u64) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        self.read((u64::from(index) << 40 | offset) as i64, &mut bytes)?;
        Ok(bytes)
    }

    /// Does a request and checks what must hold of its answer.
    pub fn apply(&mut self, op: &Op) -> Outcome {
        let done = match op {
            Op::Read { position, length } => self.read(*position, &mut vec![0; *length]).is_ok(),
            Op::Write { position, data } => self.write(*position, data).is_ok(),
            Op::Map { pgoff, length } => self.map(*pgoff, *length),
            Op::RegionInfo(index) => {
                let info = self.vgpu.region_info(*index);
                assert_eq!(info.is_some(), *index < REGION_COUNT);
                info.is_some()
            }
            Op::IrqInfo(index) => irq_info(*index).is_ok_and(|info| info.count == 1),
            Op::SetIrqs(header, payload) => SetIrqs::parse(header).is_ok_and(|request| {
                assert!(request.payload_len() <= payload.len());
                request.action(&payload[..request.payload_len()]).is_ok()
            }),
            Op::Reset => {
                self.reset();
                self.env.scrub();
                assert_eq!(self.vgpu.msi(), MsiState::Off);
                assert!(!self.vgpu.d3_entered());
                true
            }
            Op::GuestWrite { word, value } => {
                let words = self.env.memory().len() / 4;
                let start = word % words * 4;
                self.env.memory()[start..start + 4].copy_from_slice(&value.to_le_bytes());
                true
            }
        };
        if done {
            Outcome::Done
        } else {
            Outcome::Refused
        }
    }

    fn map(&mut self, pgoff: u64, length: u64) -> bool {
        let Ok(offset) = mmap_range(self.vgpu.aperture_slice(), pgoff, length) else {
            return false;
        };
        let slice = self.vgpu.aperture_slice();
        assert!(offset % 4096 == 0 && offset >= slice.start());
        assert!(length != 0 && length <= slice.end() - offset);
        true
    }

    /// Checks what no request can change.
    ///
    /// # Errors
    ///
    /// If what can always be read cannot be read.
    pub fn check(&mut self) -> Result<(), Error> {
        assert_eq!(self.bytes(7, 0)?, [0x86, 0x80, 0x12, 0x19]);
        assert_eq!(self.bytes(7, 8)?, [0x06, 0x00, 0x00, 0x03]);
        assert_eq!(self.bytes(9, 0)?, *b"IntelGraphicsMem");
        // A guest that cannot work has nothing but memory.
        if self.vgpu.failsafe().is_none() {
            assert_eq!(u64::from_le_bytes(self.bytes(0, 0x7_8000)?), 0x4776_5447_7654_4776);
            assert_eq!(u32::from_le_bytes(self.bytes(0, 0x7_8040)?), LOW.0 as u32);
        }
        Ok(())
    }
}

/// What the driver answers to a fault, which it can also print.
fn answer(fault: &Fault) -> Error {
    let mut length = Length(0);
    let printed = write!(length, "{fault}");
    assert!(printed.is_ok() && (1..200).contains(&length.0));
    fault.errno()
}

/// Counts the bytes that are printed to it.
struct Length(usize);

impl fmt::Write for Length {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.0 += part.len();
        Ok(())
    }
}
