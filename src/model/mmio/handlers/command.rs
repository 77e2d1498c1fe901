// SPDX-License-Identifier: GPL-2.0

//! Registers that commands write (gvt-spec 8.4).

use super::{
    ring,
    TRTTE_ENABLE,
    TRTTE_VIRTUAL, //
};
use crate::{
    cmd::{
        Flip,
        Load, //
    },
    display::flip::FlipRegister,
    engine::EngineId,
    mmio::{
        map::RegisterMap,
        registers::Registers,
        row::Handler,
        switched::stays, //
    },
    platform::Platform,
    vgpu::Host, //
};

/// Registers that drivers write from their rings, though they are the display's and the power control
/// unit's: the vGPU's own have no effect.
const ABSORBED: [u32; 2] = [0x4_4050, 0xa188];
/// Registers of an engine with the root of its page tables.
const RING_PDP: core::ops::Range<u32> = 0x270..0x290;
const RING_MI_MODE: u32 = 0x9c;
/// Of RING_MI_MODE: the engine stops, whoever's work it has.
const STOP_RING: u32 = 1 << 8;

/// Of the control registers of planes: how the picture is tiled, on Broadwell and later.
const DISPLAY_TILED: u32 = 1 << 10;
const PLANE_TILING: u32 = 7 << 10;

/// What commands may move between memory and registers: GEN8_L3SQCREG4 and 0x21f0, of the workarounds
/// that i915 has in its contexts.
const MOVED: [u32; 2] = [0xb118, 0x21f0];
/// And on Broadwell RCS_INSTPM.
const MOVED_ON_BROADWELL: u32 = 0x20c0;
/// The one register that is copied, on Broadwell: to itself, as for the C driver.
const COPIED_ON_BROADWELL: u32 = 0x215c;

impl Registers {
    /// What becomes of a write by a command of an engine; `None` if it may not be. What would stay in the hardware
    /// for the host and other guests is the vGPU's own value only.
    pub(crate) fn load_by_command(
        &mut self,
        offset: u32,
        mut value: u32,
        engine: EngineId,
        map: &RegisterMap,
    ) -> Option<Load> {
        if ABSORBED.contains(&offset) {
            return Some(Load::Nothing);
        }
        if offset
            .checked_sub(engine.mmio_base())
            .is_some_and(|inside| RING_PDP.contains(&inside))
        {
            return Some(Load::Root);
        }
        let row = map.find(offset)?;
        if !map.writers(offset).contains(engine) {
            return None;
        }
        let mut refused = row.read_only;
        match row.handler {
            // How the engine is driven is the host's business, and its clock is everyone's.
            Handler::RingMode if value & ring::absent_modes(map.platform()) != 0 => return None,
            Handler::RingMode | Handler::Timestamp => return Some(Load::Nothing),
            Handler::CsfeChicken1 => refused |= ring::CHICKEN_PREEMPTION,
            Handler::ForceNonpriv => value = ring::force_nonpriv(value, map.platform()).ok()?,
            Handler::Trtte if value & (TRTTE_ENABLE | TRTTE_VIRTUAL) == TRTTE_ENABLE => {
                return None;
            }
            _ => {}
        }
        if offset == engine.mmio_base() | RING_MI_MODE {
            refused |= STOP_RING;
        }
        let old = self.file.get(offset);
        let accepted = if row.masked {
            value & !(refused | refused << 16)
        } else {
            (value & !refused) | (old & refused)
        };
        self.file.set(offset, row.accept(old, accepted, u32::MAX));
        Some(if stays(map.platform(), engine, offset) {
            Load::Value(accepted)
        } else {
            Load::Nothing
        })
    }

    /// A flip that a command asked for: as if the registers of the plane had been written.
    pub(crate) fn flip_by_command(&mut self, flip: &Flip, host: &mut Host<'_>) {
        let register = FlipRegister::of(flip.pipe, flip.plane);
        let control = register.control();
        let (tiling, bits) = match host.registers.platform() {
            Platform::Broadwell => (DISPLAY_TILED, 10),
            _ => (PLANE_TILING, 10),
        };
        let old = self.file.get(control);
        let tiled = old & !tiling | (flip.tiling << bits & tiling);
        self.write(control, &tiled.to_le_bytes(), host);
        self.write(register.stride(), &flip.stride.to_le_bytes(), host);
        let (surface, value) = if flip.immediate {
            (register.alone(), flip.surface | 1)
        } else {
            (register.surface(), flip.surface)
        };
        self.write(surface, &value.to_le_bytes(), host);
    }
}

/// Whether commands of an engine may write what is in memory to a register, and the other way round.
pub(crate) fn moves(register: u32, engine: EngineId, platform: Platform) -> bool {
    let known = MOVED.contains(&register)
        || (platform == Platform::Broadwell && register == MOVED_ON_BROADWELL);
    known && engine == EngineId::Rcs0
}

/// Whether commands of an engine may copy a register to another one, which then gets a value that nobody has
/// looked at.
pub(crate) fn copies(from: u32, to: u32, engine: EngineId, platform: Platform) -> bool {
    platform == Platform::Broadwell
        && engine == EngineId::Rcs0
        && from == COPIED_ON_BROADWELL
        && to == COPIED_ON_BROADWELL
}
