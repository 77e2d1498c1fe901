// SPDX-License-Identifier: GPL-2.0

//! A guest with a ring of commands, and what comes of them when they are looked at.

use gvt_model::{
    cmd::{
        Flaw,
        Flip,
        Load,
        Page,
        Policy,
        Scanner,
        Space, //
    },
    engine::EngineId,
    interrupt::EngineEvent,
    platform::Platform, //
};
use kernel::prelude::*;

/// The guest's graphics memory.
pub(crate) const OWN: u32 = 0x10_0000;
pub(crate) const OWN_WORDS: usize = 0x4000;
pub(crate) const OWN_END: u32 = 0x11_0000;
pub(crate) const STATUS: u64 = 0x10_f000;
pub(crate) const CONTEXT: u64 = 0x10_e000;
/// Where the ring is.
pub(crate) const RING: u32 = OWN;
pub(crate) const RING_SIZE: u64 = 0x1000;
/// Where batches are.
pub(crate) const BATCH: u32 = OWN + 0x2000;

/// Where the page tables of the context have the same as the GGTT has from 0 on.
pub(crate) const ELSEWHERE: u64 = 3 << 32;
pub(crate) const ABOVE: u32 = 3;

pub(crate) const NOOP: u32 = 0;
pub(crate) const USER_INTERRUPT: u32 = 0x02 << 23;
pub(crate) const ARB_OFF: u32 = 0x08 << 23;
pub(crate) const ARB_ON: u32 = ARB_OFF | 1;
pub(crate) const END: u32 = 0x0a << 23;
pub(crate) const FLIP: u32 = 0x14 << 23 | 1;
pub(crate) const SEMAPHORE_WAIT: u32 = 0x1c << 23 | 2;
pub(crate) const STORE: u32 = 0x20 << 23 | 2;
pub(crate) const STORE_INDEX: u32 = 0x21 << 23 | 1;
pub(crate) const LOAD: u32 = 0x22 << 23 | 1;
pub(crate) const SRM: u32 = 0x24 << 23 | 2;
pub(crate) const FLUSH: u32 = 0x26 << 23 | 2;
pub(crate) const LRM: u32 = 0x29 << 23 | 2;
pub(crate) const LRR: u32 = 0x2a << 23 | 1;
pub(crate) const ATOMIC: u32 = 0x2f << 23 | 1;
pub(crate) const START: u32 = 0x31 << 23 | 1;
pub(crate) const START_PPGTT: u32 = START | 1 << 8;
pub(crate) const SECOND: u32 = 1 << 22;
pub(crate) const GLOBAL: u32 = 1 << 22;
pub(crate) const PIPE_CONTROL: u32 = 0x7a00_0004;
pub(crate) const IMMEDIATE: u32 = 1 << 14;
pub(crate) const TIMESTAMP: u32 = 3 << 14;

/// A register that takes what is written with bit 0 cleared, and one that is not there.
pub(crate) const TAKEN: u32 = 0x2358;
pub(crate) const TAKEN_BUT: u32 = 1;
pub(crate) const MOVABLE: u32 = 0xb118;

pub(crate) struct Guest {
    pub(crate) words: KVVec<u32>,
    pub(crate) has_status: bool,
    pub(crate) users: u32,
    pub(crate) flushes: u32,
    pub(crate) flip: Option<Flip>,
    pub(crate) root_parts: u32,
}

impl Guest {
    pub(crate) fn put(&mut self, address: u32, words: &[u32]) {
        let start = usize::try_from(address.wrapping_sub(OWN) / 4).unwrap_or(0);
        for (to, from) in self.words.iter_mut().skip(start).zip(words) {
            *to = *from;
        }
    }
}

impl Policy for Guest {
    fn read_page(&mut self, space: Space, address: u64, words: &mut [u32]) -> Result<(), Flaw> {
        let out = Flaw::OutOfReach { address };
        let address = match space {
            Space::Global => address,
            // The same memory, somewhere else.
            Space::Context => address.checked_sub(ELSEWHERE).ok_or(out)?,
        };
        let start = address.checked_sub(OWN.into()).ok_or(out)? / 4;
        let start = usize::try_from(start).map_err(|_| out)?;
        let end = start.wrapping_add(words.len());
        words.copy_from_slice(self.words.get(start..end).ok_or(out)?);
        Ok(())
    }

    fn owns(&self, address: u64, length: u64) -> bool {
        address >= OWN.into() && address.saturating_add(length) <= OWN_END.into()
    }

    fn status_page(&self) -> Option<u64> {
        self.has_status.then_some(STATUS)
    }

    fn context_page(&self) -> u64 {
        CONTEXT
    }

    fn load(&mut self, register: u32, value: u32) -> Result<Load, Flaw> {
        match register {
            TAKEN => Ok(Load::Value(value & !TAKEN_BUT)),
            0xa188 => Ok(Load::Nothing),
            0x2270..=0x228f | 0x2_2270..=0x2_228f => {
                self.root_parts = self.root_parts.wrapping_add(1);
                Ok(Load::Root)
            }
            offset => Err(Flaw::Register { offset }),
        }
    }

    fn switch_root(&mut self) -> Result<[u32; 8], Flaw> {
        Ok([1, 2, 3, 4, 5, 6, 7, 8])
    }

    fn moves(&mut self, register: u32) -> bool {
        register == MOVABLE
    }

    fn copies(&mut self, from: u32, to: u32) -> bool {
        from == MOVABLE && to == TAKEN
    }

    fn event(&mut self, event: EngineEvent) {
        match event {
            EngineEvent::User => self.users = self.users.wrapping_add(1),
            EngineEvent::Flush => self.flushes = self.flushes.wrapping_add(1),
            EngineEvent::ContextSwitch => {}
        }
    }

    fn flip(&mut self, flip: Flip) -> Result<(), Flaw> {
        self.flip = Some(flip);
        Ok(())
    }
}

/// A guest with something to run.
pub(crate) struct Run {
    pub(crate) guest: Guest,
    pub(crate) page: Page,
    pub(crate) output: KVVec<u32>,
    pub(crate) engine: EngineId,
    pub(crate) platform: Platform,
}

impl Run {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            guest: Guest {
                words: KVVec::zeroed(OWN_WORDS, GFP_KERNEL)?,
                has_status: true,
                users: 0,
                flushes: 0,
                flip: None,
                root_parts: 0,
            },
            page: Page::new()?,
            output: KVVec::new(),
            engine: EngineId::Rcs0,
            platform: Platform::Skylake,
        })
    }

    pub(crate) fn on(engine: EngineId) -> Result<Self> {
        Ok(Self {
            engine,
            ..Self::new()?
        })
    }

    /// Runs these words from the start of the ring on.
    pub(crate) fn ring(&mut self, words: &[u32]) -> Result<(), Flaw> {
        self.guest.put(RING, words);
        let tail = u64::try_from(words.len()).unwrap_or(0).wrapping_mul(4);
        let end = self.up_to(0, tail)?;
        (end == tail).then_some(()).ok_or(Flaw::Budget)
    }

    pub(crate) fn between(&mut self, head: u64, tail: u64) -> Result<(), Flaw> {
        self.up_to(head, tail).map(|_| ())
    }

    /// Where that ends.
    pub(crate) fn up_to(&mut self, head: u64, tail: u64) -> Result<u64, Flaw> {
        self.output.clear();
        let mut scanner = Scanner::new(
            &mut self.guest,
            self.engine,
            self.platform,
            &mut self.page,
            &mut self.output,
        );
        scanner.ring(RING.into(), RING_SIZE, head, tail)
    }

    pub(crate) fn workarounds(&mut self, words: &[u32], size: u64) -> Result<bool, Flaw> {
        self.guest.put(BATCH, words);
        self.output.clear();
        let mut scanner = Scanner::new(
            &mut self.guest,
            self.engine,
            self.platform,
            &mut self.page,
            &mut self.output,
        );
        scanner.workarounds(BATCH.into(), size)
    }
}

pub(crate) fn bad_address(address: u64, header: u32) -> Result<(), Flaw> {
    Err(Flaw::Address { header, address })
}
