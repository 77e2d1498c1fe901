// SPDX-License-Identifier: GPL-2.0

//! What registers do besides keeping their value (gvt-spec 4.3).
//!
//! A handler sees a whole register, after read-only bits and mask were applied, and returns the
//! value that is accepted. That one is stored, and everyone who comes later gets it.

mod command;
mod display;
pub(super) mod fence;
pub(super) mod follow;
mod pcode;
mod ring;
mod sbi;

pub(crate) use command::{
    copies,
    moves, //
};
pub(super) use ring::open_to_users;
pub(super) use sbi::Sideband;

use super::{
    pvinfo,
    registers::Registers,
    row::Handler, //
};
use crate::{
    effect::{
        Failsafe,
        Refusal, //
    },
    interrupt,
    vgpu::Host,
};

/// A write to a register.
#[derive(Clone, Copy)]
pub(super) struct Write {
    /// Offset of the register, a multiple of 4.
    pub(super) offset: u32,
    /// What it has now.
    pub(super) old: u32,
    /// What it would have if it were an ordinary register.
    pub(super) value: u32,
}

impl Write {
    /// Whether bits are set that were not.
    fn sets(&self, bits: u32) -> bool {
        self.value & !self.old & bits != 0
    }
}

const GUC_STATUS: u32 = 0xc000;
const GUC_IN_RESET: u32 = 1 << 0;
/// Bits of GEN8_GAMW_ECO_DEV_RW_IA: pages of 64 KiB, one for each level that could have them.
const GAMW_64K_PAGES: u32 = 0xf;
const GAMW_NO_64K_PAGES: u32 = 0;
const TRTTE_ENABLE: u32 = 1 << 0;
const TRTTE_VIRTUAL: u32 = 1 << 1;
const LOCKED: u32 = 1 << 31;

/// Private PAT of Broxton: snooped for the indices that i915 uses cached memory with.
const BXT_PPAT_LOW: u32 = 0x4000_0040;

/// What a guest reads. Out of line: registers that are only kept do not come here, and are most.
#[inline(never)]
pub(super) fn read(
    handler: Handler,
    registers: &mut Registers,
    offset: u32,
    host: &mut Host<'_>,
) -> u32 {
    let value = registers.file.get(offset);
    match handler {
        Handler::Pvinfo => {
            registers.knows_vgpus = true;
            value
        }
        Handler::Fence => registers.read_fence(offset),
        // A clock that stands still is the best there is without the hardware's.
        Handler::Timestamp => host.env.read_register(offset).unwrap_or(value),
        Handler::GucStatus => {
            registers.file.set(offset, value & !GUC_IN_RESET);
            value
        }
        Handler::DpllStatus => dpll_status(registers),
        Handler::Plain
        | Handler::ForcedZero(_)
        | Handler::Follow(_)
        | Handler::Forcewake { .. }
        | Handler::Gdrst
        | Handler::ResetCtl
        | Handler::HwsPga
        | Handler::ForceNonpriv
        | Handler::RingMode
        | Handler::Elsp
        | Handler::CsfeChicken1
        | Handler::GamwEco
        | Handler::Trtte
        | Handler::PcodeMailbox
        | Handler::SbiControl
        | Handler::BxtPpat
        | Handler::Interrupts => value,
        Handler::InterruptIdentity => {
            if interrupt::concerns_pipes(offset) {
                registers.run_display(host);
            }
            registers.file.get(offset)
        }
        Handler::Display(slot) => display::read(slot, registers, offset, host),
    }
}

/// What becomes of a write: the accepted value. Out of line, as [`read`] is.
#[inline(never)]
pub(super) fn write(
    handler: Handler,
    registers: &mut Registers,
    write: &Write,
    host: &mut Host<'_>,
) -> Result<u32, Refusal> {
    let value = write.value;
    Ok(match handler {
        Handler::Plain | Handler::Timestamp | Handler::DpllStatus | Handler::GucStatus => value,
        Handler::Display(slot) => display::write(slot, registers, write, host),
        Handler::ForcedZero(bits) => value & !bits,
        Handler::Follow(rule) => rule.apply(value),
        Handler::Pvinfo => {
            if pvinfo::tells_shortage(write.offset) {
                registers.fail_safe(Failsafe::InsufficientResources, host.effects);
            }
            pvinfo::accept(write)
        }
        Handler::Fence => registers.write_fence_half(write, host)?,
        Handler::Forcewake { ack } => {
            registers.file.set(ack, value & 0xffff);
            value
        }
        Handler::Gdrst => registers.reset_engines(value, host),
        Handler::ResetCtl => ring::reset_ctl(value),
        Handler::HwsPga => registers.hws_pga(value)?,
        Handler::ForceNonpriv => ring::force_nonpriv(value, host.registers.platform())?,
        Handler::RingMode => registers.ring_mode(write, host),
        Handler::Elsp => registers.write_port(write),
        Handler::CsfeChicken1 => registers.csfe_chicken1(write, host),
        Handler::GamwEco => match value & GAMW_64K_PAGES {
            GAMW_64K_PAGES | GAMW_NO_64K_PAGES => value,
            _ => return Err(Refusal::MixedPageSizes),
        },
        Handler::Trtte if value & (TRTTE_ENABLE | TRTTE_VIRTUAL) == TRTTE_ENABLE => {
            return Err(Refusal::PhysicalAddresses);
        }
        Handler::Trtte => value,
        Handler::PcodeMailbox => pcode::mailbox(registers, value, host.registers.platform()),
        Handler::SbiControl => sbi::control(registers, value),
        Handler::BxtPpat => BXT_PPAT_LOW,
        Handler::InterruptIdentity => {
            registers
                .interrupts
                .acknowledge(write.offset, write.old, value)
        }
        Handler::Interrupts => {
            if interrupt::concerns_pipes(write.offset) {
                // What has passed until now is not for who enables it now.
                registers.run_display(host);
                host.effects.retime();
            }
            value
        }
    })
}

/// DPLL_STATUS of Gen9: a bit in each byte for LCPLL1, LCPLL2 and both WRPLLs.
fn dpll_status(registers: &Registers) -> u32 {
    [0x4_6010, 0x4_6014, 0x4_6040, 0x4_6060]
        .into_iter()
        .zip([1 << 0, 1 << 8, 1 << 16, 1 << 24])
        .filter(|(pll, _)| registers.file.get(*pll) & LOCKED != 0)
        .fold(0, |status, (_, bit)| status | bit)
}
