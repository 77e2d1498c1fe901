// SPDX-License-Identifier: GPL-2.0

//! What is looked at in one command (gvt-spec 8.3, 8.4).

use super::{
    table::Rule,
    user,
    Flaw,
    Flip,
    Load,
    Policy,
    Space, //
};
use crate::{
    display::{
        flip::FlipPlane,
        Pipe, //
    },
    engine::EngineId,
    interrupt::EngineEvent,
    platform::Platform, //
};

/// A command concerns the GGTT, where it can do so.
pub(super) const GLOBAL: u32 = 1 << 22;
/// An address is one in the status page.
pub(super) const INDEXED: u32 = 1 << 21;

const STORE_QWORD: u32 = 1 << 21;
pub(super) const COPY_TO_GLOBAL: u32 = 1 << 21;
/// Of the header of MI_ATOMIC: the operands are in the command.
const INLINE_DATA: u32 = 1 << 18;
/// Of the header of MI_SEMAPHORE_WAIT: look at memory again and again, rather than wait for a signal.
const WAIT_POLLS: u32 = 1 << 15;
pub(super) const ARBITRATION_ON: u32 = 1 << 0;

/// Bits of the header of MI_BATCH_BUFFER_START.
const BATCH_PPGTT: u32 = 1 << 8;
const BATCH_PREDICATED: u32 = 1 << 15;
const BATCH_ADD_OFFSET: u32 = 1 << 16;
const BATCH_SECOND: u32 = 1 << 22;

/// Bits of MI_FLUSH_DW and PIPE_CONTROL: what is written after the flush, and that the processor is told.
pub(super) const POST_SYNC: u32 = 3 << 14;
const NOTIFY: u32 = 1 << 8;
/// In the address of MI_FLUSH_DW.
pub(super) const FLUSH_GLOBAL: u32 = 1 << 2;
/// Of the word with the address, what is none of it.
const FLUSH_FLAGS: u32 = 7;
const PIPE_FLAGS: u32 = 3;
/// Bits of the second word of PIPE_CONTROL.
const PIPE_REGISTER: u32 = 1 << 23;
const PIPE_GLOBAL: u32 = 1 << 24;

const MI_STORE_DATA_IMM: u32 = 0x20 << 23;
const MI_LOAD_REGISTER_IMM: u32 = 0x22 << 23;
/// Reserved: it would move the registers to those of another engine on later GPUs.
pub(super) const LOAD_RELATIVE: u32 = 1 << 19;
const LOAD_POSTED: u32 = 1 << 12;
/// Leaves bytes of the value out.
pub(super) const LOAD_BYTES: u32 = 0xf << 8;
/// The part of a register's word that is its offset.
pub(super) const REGISTER: u32 = 0x007f_fffc;
/// NOPID: has no effect on anything.
pub(super) const RING_NOPID: u32 = 0x94;

/// The part of an address that is one in a status page.
const INDEX: u32 = 0xffc;
/// The last place in a status page where two words fit.
const LAST_INDEX: u64 = 0xff8;

/// Where a command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Ring,
    First,
    Second,
    Workaround,
}

/// Where the next command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Next,
    /// The batch ends.
    End,
    /// A batch starts here.
    Call(Batch),
    /// The batch goes on there.
    Jump(Batch),
}

/// The next command of a batch that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) space: Space,
    pub(super) at: u64,
}

/// What becomes of a command.
pub(super) enum Verdict {
    /// It runs, as it stands now.
    Keep,
    /// It does not run.
    Drop,
    /// It does not run; what comes next was its whole purpose.
    Flow(Flow),
    /// It runs, and the batch ends.
    Leave,
    /// These words run.
    Instead { words: [u32; 5], count: usize },
    /// It runs, and then the root of the page tables is loaded.
    LoadRoot,
}

/// The header of MI_LOAD_REGISTER_IMM for so many registers.
pub(super) fn load_registers(count: usize) -> u32 {
    let length = u32::try_from(count).map_or(0, |count| count.saturating_mul(2).saturating_sub(1));
    MI_LOAD_REGISTER_IMM | LOAD_POSTED | (length & 0xff)
}

/// What surrounds a command.
pub(super) struct Site {
    pub(super) engine: EngineId,
    pub(super) platform: Platform,
    pub(super) level: Level,
    /// It is in a batch without privilege.
    pub(super) is_user: bool,
}

/// Address and what follows.
fn address(low: u32, high: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

impl Site {
    /// Looks at a command, and changes it where it has to.
    pub(super) fn look<P: Policy + ?Sized>(
        &self,
        rule: Rule,
        words: &mut [u32],
        policy: &mut P,
    ) -> Result<Verdict, Flaw> {
        let header = words.first().copied().unwrap_or(0);
        if self.is_user {
            if let Some(verdict) = user::look(rule, words, self.engine)? {
                return Ok(verdict);
            }
        }
        match rule {
            Rule::Drop => Ok(Verdict::Drop),
            Rule::UserInterrupt => {
                policy.event(EngineEvent::User);
                Ok(Verdict::Drop)
            }
            Rule::ArbOnOff => Ok(self.arbitration(header)),
            Rule::BatchStart => self.batch_start(words, policy),
            Rule::BatchEnd if self.level == Level::Ring => Err(Flaw::Command { header }),
            Rule::BatchEnd => Ok(Verdict::Flow(Flow::End)),
            Rule::DisplayFlip => self.flip(words, policy),
            Rule::SemaphoreWait => semaphore_wait(words, policy),
            Rule::StoreDataIndex => store_index(words, policy),
            Rule::LoadRegisterImm => self.load_registers(words, policy),
            Rule::FlushDw => flush(words, policy),
            Rule::PipeControl => pipe_control(words, policy),
            Rule::Free
            | Rule::FreeOnGen9
            | Rule::Refused
            | Rule::GlobalRefused
            | Rule::StoreDataImm
            | Rule::LoadRegisterReg
            | Rule::LoadRegisterMem
            | Rule::StoreRegisterMem
            | Rule::CopyMemMem
            | Rule::Atomic => judge(rule, words, policy).map(|()| Verdict::Keep),
        }
    }

    /// A guest's ring cannot keep the engine from being taken away. Only the render engine of Broadwell
    /// has work that does not bear it; i915 never takes that one away.
    fn arbitration(&self, header: u32) -> Verdict {
        let fragile = self.engine == EngineId::Rcs0 && self.platform == Platform::Broadwell;
        let keeps = fragile || self.level == Level::Workaround || header & ARBITRATION_ON != 0;
        if keeps {
            Verdict::Keep
        } else {
            Verdict::Drop
        }
    }

    fn batch_start<P: Policy + ?Sized>(
        &self,
        words: &mut [u32],
        policy: &mut P,
    ) -> Result<Verdict, Flaw> {
        let (header, low, high) = match words {
            [header, low, high] => (header, *low, *high),
            // An address of 32 bits, as before Gen8. What the hardware makes of it now nobody says.
            [header, low] if *header & BATCH_PPGTT == 0 => (header, *low, 0),
            _ => {
                let header = words.first().copied().unwrap_or(0);
                return Err(Flaw::Length { header });
            }
        };
        let second = *header & BATCH_SECOND != 0;
        let returns = match (self.level, second) {
            (Level::Ring, false) | (Level::First, true) => true,
            (Level::First, false) => false,
            _ => return Err(Flaw::Nesting),
        };
        let space = if *header & BATCH_PPGTT != 0 || self.is_user {
            Space::Context
        } else {
            Space::Global
        };
        if space == Space::Context && !user::are_obeyed(self.engine, self.platform) {
            // In the copy it is the ring that starts it.
            *header &= !BATCH_SECOND;
            return Ok(if returns {
                Verdict::Keep
            } else {
                Verdict::Leave
            });
        }
        if *header & (BATCH_PREDICATED | BATCH_ADD_OFFSET) != 0 {
            return Err(Flaw::Command { header: *header });
        }
        let at = address(low & !3, high);
        if space == Space::Global && !policy.owns(at, 4) {
            return Err(Flaw::Address {
                header: *header,
                address: at,
            });
        }
        let batch = Batch { space, at };
        Ok(Verdict::Flow(if returns {
            Flow::Call(batch)
        } else {
            Flow::Jump(batch)
        }))
    }

    fn load_registers<P: Policy + ?Sized>(
        &self,
        words: &mut [u32],
        policy: &mut P,
    ) -> Result<Verdict, Flaw> {
        let Some((header, pairs)) = words.split_first_mut() else {
            return Err(Flaw::Length { header: 0 });
        };
        let header = *header;
        if header & (LOAD_BYTES | LOAD_RELATIVE) != 0 {
            return Err(Flaw::Command { header });
        }
        let mut root = false;
        let mut pairs = pairs.chunks_exact_mut(2);
        for pair in &mut pairs {
            let [register, value] = pair else { continue };
            if *register & !REGISTER != 0 {
                return Err(Flaw::Register { offset: *register });
            }
            let load = policy.load(*register, *value)?;
            root |= load == Load::Root;
            match load {
                Load::Value(accepted) => *value = accepted,
                Load::Nothing | Load::Root => {
                    (*register, *value) = (self.engine.mmio_base() | RING_NOPID, 0);
                }
            }
        }
        if !pairs.into_remainder().is_empty() {
            return Err(Flaw::Length { header });
        }
        Ok(if root {
            Verdict::LoadRoot
        } else {
            Verdict::Keep
        })
    }

    /// MI_DISPLAY_FLIP: three words, or four for two eyes, of which there is a virtual one only.
    fn flip<P: Policy + ?Sized>(&self, words: &[u32], policy: &mut P) -> Result<Verdict, Flaw> {
        let header = words.first().copied().unwrap_or(0);
        let ([_, stride, surface] | [_, stride, surface, _]) = *words else {
            return Err(Flaw::Length { header });
        };
        let code = match self.platform {
            Platform::Broadwell => header >> 19 & 0x7,
            _ => header >> 8 & 0x1f,
        };
        let (pipe, plane) = match (self.platform, code) {
            (Platform::Broadwell, 0) | (_, 0) => (Pipe::A, FlipPlane::Primary),
            (Platform::Broadwell, 1) | (_, 1) => (Pipe::B, FlipPlane::Primary),
            (Platform::Broadwell, 2) => (Pipe::A, FlipPlane::Sprite),
            (Platform::Broadwell, 3) => (Pipe::B, FlipPlane::Sprite),
            (Platform::Broadwell, 4) | (_, 2) => (Pipe::C, FlipPlane::Primary),
            (Platform::Broadwell, 5) => (Pipe::C, FlipPlane::Sprite),
            (_, 4) => (Pipe::A, FlipPlane::Sprite),
            (_, 5) => (Pipe::B, FlipPlane::Sprite),
            (_, 6) => (Pipe::C, FlipPlane::Sprite),
            _ => return Err(Flaw::Command { header }),
        };
        let tiling = match self.platform {
            Platform::Broadwell => stride & 1,
            _ => stride & 7,
        };
        let stride = match self.platform {
            Platform::Broadwell => stride & 0xffc0,
            _ => stride >> 6 & 0x3ff,
        };
        policy.flip(Flip {
            pipe,
            plane,
            stride,
            tiling,
            surface: surface & 0xffff_f000,
            immediate: surface & 3 == 1,
        })?;
        Ok(Verdict::Drop)
    }
}

/// Looks at a command that runs as it stands, or not at all.
///
/// # Errors
///
/// The [`Flaw`] that it has; [`Flaw::Command`] for one of which something else may come.
pub(super) fn judge<P: Policy + ?Sized>(
    rule: Rule,
    words: &[u32],
    policy: &mut P,
) -> Result<(), Flaw> {
    let header = words.first().copied().unwrap_or(0);
    let global = header & GLOBAL;
    match (rule, words) {
        (Rule::Free | Rule::FreeOnGen9, _) => Ok(()),
        (Rule::GlobalRefused, _) if global == 0 => Ok(()),
        (Rule::StoreDataImm, [_, low, high, _]) if header & STORE_QWORD == 0 => {
            prove(header, global, address(*low, *high), 4, policy)
        }
        (Rule::StoreDataImm, [_, low, high, _, _]) => {
            prove(header, global, address(*low, *high), 8, policy)
        }
        (Rule::LoadRegisterReg, [_, from, to]) => {
            let copies = policy.copies(*from, *to);
            copies.then_some(()).ok_or(Flaw::Register { offset: *to })
        }
        (Rule::LoadRegisterMem | Rule::StoreRegisterMem, [_, register, low, high]) => {
            let offset = *register;
            let moves = policy.moves(offset);
            moves.then_some(()).ok_or(Flaw::Register { offset })?;
            prove(header, global, address(*low, *high), 4, policy)
        }
        (Rule::CopyMemMem, [_, to_low, to_high, from_low, from_high]) => {
            let to = address(*to_low, *to_high);
            prove(header, header & COPY_TO_GLOBAL, to, 4, policy)?;
            prove(header, global, address(*from_low, *from_high), 4, policy)
        }
        (Rule::Atomic, [_, low, high, values @ ..]) => {
            // Four values of 64 bits, or none.
            let inline = header & INLINE_DATA != 0;
            if values.len() != if inline { 8 } else { 0 } {
                return Err(Flaw::Length { header });
            }
            prove(header, global, address(*low, *high), 16, policy)
        }
        (Rule::Refused | Rule::GlobalRefused, _) => Err(Flaw::Command { header }),
        (
            Rule::StoreDataImm
            | Rule::LoadRegisterReg
            | Rule::LoadRegisterMem
            | Rule::StoreRegisterMem
            | Rule::CopyMemMem
            | Rule::Atomic,
            _,
        ) => Err(Flaw::Length { header }),
        _ => Err(Flaw::Command { header }),
    }
}

/// That an address is the guest's, if it is one of the GGTT at all.
fn prove<P: Policy + ?Sized>(
    header: u32,
    global: u32,
    address: u64,
    length: u64,
    policy: &P,
) -> Result<(), Flaw> {
    if global == 0 || policy.owns(address, length) {
        Ok(())
    } else {
        Err(Flaw::Address { header, address })
    }
}

fn semaphore_wait<P: Policy + ?Sized>(words: &mut [u32], policy: &P) -> Result<Verdict, Flaw> {
    let [header, _, low, high] = words else {
        let header = words.first().copied().unwrap_or(0);
        return Err(Flaw::Length { header });
    };
    *header |= WAIT_POLLS;
    let global = *header & GLOBAL;
    prove(*header, global, address(*low, *high), 4, policy)?;
    Ok(Verdict::Keep)
}

/// MI_STORE_DATA_INDEX: into a status page of the guest's rather than of the host's.
fn store_index<P: Policy + ?Sized>(words: &[u32], policy: &P) -> Result<Verdict, Flaw> {
    let (header, index, value, more) = match *words {
        [header, index, value] => (header, index, value, None),
        [header, index, value, more] => (header, index, value, Some(more)),
        _ => {
            let header = words.first().copied().unwrap_or(0);
            return Err(Flaw::Length { header });
        }
    };
    let page = if header & INDEXED != 0 {
        policy.context_page()
    } else {
        policy.status_page().ok_or(Flaw::Command { header })?
    };
    let to = page.saturating_add((index & INDEX).into());
    prove(header, GLOBAL, to, 8, policy)?;
    let low = u32::try_from(to).map_err(|_| Flaw::Address {
        header,
        address: to,
    })?;
    let store = MI_STORE_DATA_IMM | GLOBAL;
    Ok(match more {
        None => Verdict::Instead {
            words: [store | 2, low, 0, value, 0],
            count: 4,
        },
        Some(more) => Verdict::Instead {
            words: [store | STORE_QWORD | 3, low, 0, value, more],
            count: 5,
        },
    })
}

/// Proves the address of a write that follows a flush, and moves it to the guest's status page where it
/// is one in that. `other` are the bits of its lower word that are no part of it. Up to two words are
/// written, at any word: the hardware may take it that they have to be at an even one, or not.
fn post_sync<P: Policy + ?Sized>(
    header: u32,
    flags: &mut u32,
    global: bool,
    (low, high): (&mut u32, &mut u32),
    other: u32,
    policy: &P,
) -> Result<(), Flaw> {
    let offset = address(*low & !other, *high);
    if *flags & INDEXED != 0 {
        if offset > LAST_INDEX {
            return Err(Flaw::Address {
                header,
                address: offset,
            });
        }
        if !global {
            // In the status page of the context, which is the shadow's own.
            return Ok(());
        }
        let page = policy.status_page().ok_or(Flaw::Command { header })?;
        let to = page.saturating_add(offset);
        *flags &= !INDEXED;
        *low = u32::try_from(to).unwrap_or(0) | (*low & other);
        *high = 0;
    }
    let to = address(*low & !other, *high);
    prove(header, global.into(), to, 8, policy)
}

fn flush<P: Policy + ?Sized>(words: &mut [u32], policy: &mut P) -> Result<Verdict, Flaw> {
    let Some((header, rest)) = words.split_first_mut() else {
        return Err(Flaw::Length { header: 0 });
    };
    let whole = *header;
    if *header & NOTIFY != 0 {
        policy.event(EngineEvent::Flush);
        *header &= !NOTIFY;
    }
    if *header & POST_SYNC == 0 {
        return Ok(Verdict::Keep);
    }
    let [low, high, _, ..] = rest else {
        return Err(Flaw::Length { header: whole });
    };
    let global = *low & FLUSH_GLOBAL != 0;
    post_sync(whole, header, global, (low, high), FLUSH_FLAGS, policy)?;
    Ok(Verdict::Keep)
}

fn pipe_control<P: Policy + ?Sized>(words: &mut [u32], policy: &mut P) -> Result<Verdict, Flaw> {
    let header = words.first().copied().unwrap_or(0);
    let [_, flags, rest @ ..] = words else {
        return Err(Flaw::Length { header });
    };
    if *flags & NOTIFY != 0 {
        policy.event(EngineEvent::Flush);
        *flags &= !NOTIFY;
    }
    if *flags & (POST_SYNC | PIPE_REGISTER) == 0 {
        return Ok(Verdict::Keep);
    }
    let [low, high, value, _] = rest else {
        return Err(Flaw::Length { header });
    };
    if *flags & PIPE_REGISTER != 0 {
        let register = *low & REGISTER;
        // Should there be a write to memory too, it is one to the guest's own address space.
        *flags &= !(PIPE_GLOBAL | INDEXED);
        return match policy.load(register, *value)? {
            Load::Value(accepted) => {
                (*low, *high, *value) = (register, 0, accepted);
                Ok(Verdict::Keep)
            }
            Load::Nothing => {
                *flags &= !(POST_SYNC | PIPE_REGISTER);
                Ok(Verdict::Keep)
            }
            Load::Root => Err(Flaw::Register { offset: register }),
        };
    }
    let global = *flags & PIPE_GLOBAL != 0;
    post_sync(header, flags, global, (low, high), PIPE_FLAGS, policy)?;
    Ok(Verdict::Keep)
}
