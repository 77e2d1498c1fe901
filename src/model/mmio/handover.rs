// SPDX-License-Identifier: GPL-2.0

//! Which values are in the registers that change hands with an engine (gvt-spec 4.5).
//!
//! They keep those of the last holder until somebody else gets on the engine. All of this but [`Handover::new`] and
//! [`Values::new`] is for atomic context, and takes a time that has a bound.

use kernel::prelude::*;

use super::switched::{
    handed,
    Handed,
    Written, //
};
use crate::{
    engine::EngineId,
    platform::{
        Platform,
        MAX_VGPUS, //
    },
    ports::EngineRegisters, //
};

/// What a holder has in the registers, in their order.
pub struct Values {
    /// The value, and what the guest's processor had last written there.
    values: KVec<(u32, u32)>,
    /// Registers that its commands can have written since it got the engine.
    written: Written,
}

impl Values {
    /// Nothing but zeros.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(platform: Platform, engine: EngineId) -> Result<Self> {
        Ok(Self {
            values: KVec::from_elem((0, 0), handed(platform, engine).count(), GFP_KERNEL)?,
            written: Written::default(),
        })
    }

    fn get_mut(&mut self, number: usize) -> Option<&mut u32> {
        self.values.get_mut(number).map(|(value, _)| value)
    }
}

/// The registers of an engine that change hands, and what each holder has in them. `K` tells holders apart.
pub struct Handover<K> {
    holders: KVec<(K, Values)>,
    registers: KVec<Handed>,
    /// What the registers have now.
    present: KVec<u32>,
    /// What the host has in them.
    host: KVec<u32>,
    /// Whose values the registers have; `None` for the host's.
    owner: Option<K>,
    /// How often the engine had been reset when that was so.
    resets: u32,
    /// It was reset since, or without power: a register has what i915 has written, or where neither the reset nor
    /// i915 reaches, what the last owner had.
    uncertain: bool,
    /// Whether it is known what the host has.
    read: bool,
}

impl<K: Copy + PartialEq> Handover<K> {
    /// The registers have the host's values, and there is no other holder.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(platform: Platform, engine: EngineId) -> Result<Self> {
        let mut registers = KVec::new();
        for register in handed(platform, engine) {
            registers.push(register, GFP_KERNEL)?;
        }
        Ok(Self {
            holders: KVec::with_capacity(MAX_VGPUS, GFP_KERNEL)?,
            present: KVec::from_elem(0, registers.len(), GFP_KERNEL)?,
            host: KVec::from_elem(0, registers.len(), GFP_KERNEL)?,
            registers,
            owner: None,
            resets: 0,
            uncertain: false,
            read: false,
        })
    }

    /// Reads what the host has, the first time; the registers have its values until there is a holder.
    pub fn read_host(&mut self, hardware: &impl EngineRegisters) {
        if !core::mem::replace(&mut self.read, true) {
            for (register, value) in self.registers.iter().zip(self.host.iter_mut()) {
                *value = hardware.read(register.offset) & register.bits;
            }
        }
    }

    /// There is another holder. No more than [`MAX_VGPUS`] can be.
    pub fn add(&mut self, holder: K, values: Values) {
        let _ = self.holders.push_within_capacity((holder, values));
    }

    /// A holder is no more. Its values leave the registers; what it had is for the caller to drop.
    pub fn remove(&mut self, holder: K, hardware: &impl EngineRegisters) -> Option<Values> {
        if self.owner == Some(holder) {
            self.hand_over(None, hardware);
        }
        let at = self.holders.iter().position(|(of, _)| *of == holder)?;
        self.holders.remove(at).ok().map(|(_, values)| values)
    }

    /// What the guest's processor has written, by offset: where that is something new, it is what the holder has
    /// from now on.
    pub fn refresh(&mut self, holder: K, mut written: impl FnMut(u32) -> u32) {
        let mut holders = self.holders.iter_mut();
        let Some((_, values)) = holders.find(|(of, _)| *of == holder) else {
            return;
        };
        for (register, (value, seen)) in self.registers.iter().zip(values.values.iter_mut()) {
            let new = written(register.offset) & register.bits;
            if new != *seen {
                (*value, *seen) = (new, new);
            }
        }
    }

    /// A holder that has no work gets some.
    pub fn begin(&mut self, holder: K) {
        // If somebody else has had the engine since, what commands had written before was read then.
        if self.owner != Some(holder) {
            if let Some(values) = self.values(holder) {
                values.written = Written::default();
            }
        }
    }

    /// The commands of the work that a holder gets can write these registers.
    pub fn add_written(&mut self, holder: K, written: &Written) {
        if let Some(values) = self.values(holder) {
            values.written.add(written);
        }
    }

    /// The engine has been reset so often; tells if that is news.
    pub fn note_resets(&mut self, resets: u32) -> bool {
        let news = self.resets != resets;
        if news {
            self.resets = resets;
            self.lose();
        }
        news
    }

    /// A context gets on the engine: a holder's, or one of the host's. `power` is called if the registers are needed.
    pub fn take_over<R: EngineRegisters>(&mut self, owner: Option<K>, power: impl FnOnce() -> R) {
        if owner != self.owner || self.uncertain {
            self.hand_over(owner, &power());
        }
    }

    /// The registers get the host's values.
    pub fn give_back(&mut self, hardware: &impl EngineRegisters) {
        if self.owner.is_some() {
            self.hand_over(None, hardware);
        }
    }

    /// The engine may have been without power: nobody knows what is in the registers.
    pub fn lose(&mut self) {
        // What was never handed over has what i915 puts there, and what that is is not known yet.
        (self.owner, self.uncertain) = (None, self.read);
    }

    /// Puts the values of somebody else into the registers.
    fn hand_over(&mut self, owner: Option<K>, hardware: &impl EngineRegisters) {
        let Self {
            holders,
            registers,
            present,
            host,
            owner: before,
            uncertain,
            ..
        } = self;
        let place = |holder: Option<K>| {
            let holder = holder?;
            holders.iter().position(|(of, _)| *of == holder)
        };
        let (leaving, coming) = (place(*before), place(owner));
        let uncertain = core::mem::take(uncertain);
        let from_host = before.is_none() && !uncertain;
        *before = owner;
        for (number, register) in registers.iter().enumerate() {
            let (Some(now), Some(hosts)) = (present.get_mut(number), host.get_mut(number)) else {
                continue;
            };
            let left = leaving.and_then(|at| holders.get(at));
            let by_work = left.is_some_and(|(_, left)| left.written.contains(number));
            if register.by_users || by_work || uncertain {
                *now = hardware.read(register.offset) & register.bits;
                let left = match leaving {
                    None => from_host.then_some(&mut *hosts),
                    Some(at) => holders
                        .get_mut(at)
                        .and_then(|(_, left)| left.get_mut(number)),
                };
                if let Some(value) = left {
                    *value = *now;
                }
            } else if from_host {
                *now = *hosts;
            }
            let coming = coming.and_then(|at| holders.get_mut(at)?.1.get_mut(number));
            let wanted = coming.map_or(*hosts, |value| *value);
            if wanted != *now {
                hardware.write(register.offset, wanted | register.mask);
                *now = wanted;
            }
        }
    }

    fn values(&mut self, holder: K) -> Option<&mut Values> {
        let mut holders = self.holders.iter_mut();
        holders
            .find(|(of, _)| *of == holder)
            .map(|(_, values)| values)
    }
}
