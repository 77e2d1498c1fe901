// SPDX-License-Identifier: GPL-2.0

//! Commands without privilege on an engine that does not look whether they have it.
//!
//! The blitter of Gen9 lets a batch without privilege write any register (CVE-2019-0155), so i915 runs none there that
//! its parser has not seen (`i915_cmd_parser.c`). Nor do we: such a batch is copied into the ring, as one with privilege
//! is, and judged by what an engine that looks would let it do. That leaves out silently what is not for users.

use super::{
    audit::{
        Verdict,
        COPY_TO_GLOBAL,
        FLUSH_GLOBAL,
        GLOBAL,
        INDEXED,
        LOAD_BYTES,
        LOAD_RELATIVE,
        POST_SYNC,
        REGISTER,
        RING_NOPID, //
    },
    table::Rule,
    Flaw, //
};
use crate::{
    engine::EngineId,
    platform::Platform, //
};

/// Whether an engine carries out for anybody what is for those with privilege.
pub(super) fn are_obeyed(engine: EngineId, platform: Platform) -> bool {
    engine == EngineId::Bcs0 && platform.info().graphics_version == 9
}

/// BCS_SWCTRL: how the blitter tiles.
const BCS_SWCTRL: u32 = 0x2_2200;
/// Of each engine: the general purpose registers, the clock, and the time of the context.
const GPR: core::ops::Range<u32> = 0x600..0x680;
const TIMESTAMP: [u32; 2] = [0x358, 0x35c];
const CONTEXT_TIMESTAMP: u32 = 0x3a8;

fn may_write(register: u32, engine: EngineId) -> bool {
    let general = register.checked_sub(engine.mmio_base());
    register == BCS_SWCTRL || general.is_some_and(|inside| GPR.contains(&inside))
}

fn may_read(register: u32, engine: EngineId) -> bool {
    let clocks = [EngineId::Rcs0, EngineId::Vcs0, EngineId::Bcs0];
    let mut clocks = clocks.iter().map(|clock| clock.mmio_base());
    may_write(register, engine)
        || register == engine.mmio_base() | CONTEXT_TIMESTAMP
        || clocks.any(|base| TIMESTAMP.contains(&(register ^ base)))
}

/// What becomes of a command, where that is not what becomes of one with privilege: the GGTT is not for users, and few
/// registers are.
///
/// # Errors
///
/// The [`Flaw`] that it has.
pub(super) fn look(
    rule: Rule,
    words: &mut [u32],
    engine: EngineId,
) -> Result<Option<Verdict>, Flaw> {
    let may = match (rule, &mut *words) {
        (Rule::LoadRegisterImm, _) => return load(words, engine).map(|()| Some(Verdict::Keep)),
        (Rule::LoadRegisterMem, [header, to, ..]) => {
            *header & GLOBAL == 0 && may_write(*to, engine)
        }
        (Rule::StoreRegisterMem, [header, from, ..]) => {
            *header & GLOBAL == 0 && may_read(*from, engine)
        }
        (Rule::LoadRegisterReg, [_, from, to]) => may_read(*from, engine) && may_write(*to, engine),
        (Rule::FlushDw, [header, low, ..]) => {
            if *low & FLUSH_GLOBAL != 0 || *header & INDEXED != 0 {
                *header &= !(POST_SYNC | INDEXED);
            }
            return Ok(None);
        }
        (Rule::StoreDataIndex | Rule::DisplayFlip, _) => false,
        (Rule::CopyMemMem, [header, ..]) => {
            return Ok((*header & (GLOBAL | COPY_TO_GLOBAL) != 0).then_some(Verdict::Drop));
        }
        (Rule::StoreDataImm | Rule::Atomic | Rule::SemaphoreWait, [header, ..]) => {
            return Ok((*header & GLOBAL != 0).then_some(Verdict::Drop));
        }
        _ => return Ok(None),
    };
    Ok(Some(if may { Verdict::Keep } else { Verdict::Drop }))
}

/// Leaves out of MI_LOAD_REGISTER_IMM what users may not write.
///
/// # Errors
///
/// [`Flaw::Length`] if a value is missing.
fn load(words: &mut [u32], engine: EngineId) -> Result<(), Flaw> {
    let Some((header, pairs)) = words.split_first_mut() else {
        return Err(Flaw::Length { header: 0 });
    };
    let flaw = Flaw::Length { header: *header };
    // Without the flags that leave bytes out, or have registers be those of another engine.
    *header &= !(LOAD_BYTES | LOAD_RELATIVE);
    let mut pairs = pairs.chunks_exact_mut(2);
    for pair in &mut pairs {
        if let [register, value] = pair {
            if *register & !REGISTER != 0 || !may_write(*register, engine) {
                (*register, *value) = (engine.mmio_base() | RING_NOPID, 0);
            }
        }
    }
    if pairs.into_remainder().is_empty() {
        Ok(())
    } else {
        Err(flaw)
    }
}
