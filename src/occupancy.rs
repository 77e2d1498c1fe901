// SPDX-License-Identifier: GPL-2.0

//! Who is on an engine: for how long, and with which values in the registers that are the engine's and not
//! in the image of a context. This is told and done in atomic context, in a time that has a bound.
//!
//! The registers keep the values of the last virtual GPU until somebody else gets on the engine.

use gvt_kapi::{
    doorbell::Button,
    i915::{
        context::ContextId,
        engine::Switching,
        image::Paging,
        mmio::Powered, //
    },
};
use gvt_model::{
    engine::EngineId,
    mmio::switched::{
        handed,
        Handed,
        Written, //
    },
    platform::{
        Platform,
        MAX_VGPUS, //
    },
};
use kernel::{
    prelude::*,
    time::{
        Instant,
        Monotonic, //
    },
};

/// A context of a virtual GPU's.
struct Occupant {
    context: ContextId,
    /// Pressed when it is off the engine.
    button: Button,
    /// Whether it is on the engine. When i915 puts another one in its place, both are for a moment.
    on: bool,
    /// Since when the engine is its own, or its time was taken.
    since: Option<Instant<Monotonic>>,
    /// For how long it was on the engine since its time was taken, in nanoseconds.
    time: u64,
    /// How it finds its memory, once it has had work.
    paging: Option<Paging>,
    /// Registers that its commands can have written since it got the engine.
    written: Written,
    /// What it has in each register, and what the guest's processor had last written there.
    values: KVec<(u32, u32)>,
}

impl Occupant {
    fn count(&mut self) {
        if let Some(since) = self.since {
            let passed = u64::try_from(since.elapsed().as_nanos()).unwrap_or(0);
            self.time = self.time.saturating_add(passed);
        }
    }

    fn value(&mut self, number: usize) -> Option<&mut u32> {
        self.values.get_mut(number).map(|(value, _)| value)
    }
}

/// The contexts of virtual GPUs on an engine, and its registers.
pub(crate) struct Occupancy {
    occupants: KVec<Occupant>,
    registers: KVec<Handed>,
    /// What the registers have now.
    present: KVec<u32>,
    /// What the host has in them.
    host: KVec<u32>,
    /// Whose values the registers have; `None` for the host's.
    owner: Option<ContextId>,
    /// How often i915 had reset the engine when that was so.
    resets: u32,
    /// It was reset since, or without power: a register has what i915 has written, or where neither the reset nor
    /// i915 reaches, what the last owner had.
    uncertain: bool,
    /// Whether it is known what the host has.
    read: bool,
}

impl Occupancy {
    /// The registers have the host's values.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(platform: Platform, engine: EngineId) -> Result<Self> {
        let mut registers = KVec::new();
        for register in handed(platform, engine) {
            registers.push(register, GFP_KERNEL)?;
        }
        Ok(Self {
            occupants: KVec::with_capacity(MAX_VGPUS, GFP_KERNEL)?,
            present: KVec::from_elem(0, registers.len(), GFP_KERNEL)?,
            host: KVec::from_elem(0, registers.len(), GFP_KERNEL)?,
            registers,
            owner: None,
            resets: 0,
            uncertain: false,
            read: false,
        })
    }

    /// Reads what the host has, the first time; the registers have its values until there is a context.
    pub(crate) fn read_host(&mut self, powered: &Powered<'_>) {
        if !core::mem::replace(&mut self.read, true) {
            for (register, value) in self.registers.iter().zip(self.host.iter_mut()) {
                *value = powered.read(register.offset).unwrap_or(0) & register.bits;
            }
        }
    }

    /// There is another context. `button` is pressed whenever it gets off the engine.
    pub(crate) fn add(&mut self, context: ContextId, values: Values, button: Button) {
        let occupant = Occupant {
            context,
            button,
            on: false,
            since: None,
            time: 0,
            paging: None,
            written: Written::default(),
            values: values.0,
        };
        // There is room for all virtual GPUs.
        let _ = self.occupants.push_within_capacity(occupant);
    }

    /// Room for the values of a context.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn room(platform: Platform, engine: EngineId) -> Result<Values> {
        let mut values = KVec::with_capacity(handed(platform, engine).count(), GFP_KERNEL)?;
        for _ in handed(platform, engine) {
            values.push((0, 0), GFP_KERNEL)?;
        }
        Ok(Values(values))
    }

    /// A context is no more. Its values leave the registers; what it had is for the caller to drop, without
    /// the lock.
    pub(crate) fn remove(&mut self, context: ContextId, powered: &Powered<'_>) -> Option<Values> {
        if self.owner == Some(context) {
            self.hand_over(None, powered);
        }
        let mut occupants = self.occupants.iter();
        let at = occupants.position(|occupant| occupant.context == context)?;
        let occupant = self.occupants.remove(at).ok()?;
        Some(Values(occupant.values))
    }

    /// What the guest's processor has written, in the order of the registers: where that is something new,
    /// it is what the context has from now on.
    pub(crate) fn refresh(&mut self, context: ContextId, mut written: impl FnMut(u32) -> u32) {
        let mut occupants = self.occupants.iter_mut();
        let Some(occupant) = occupants.find(|occupant| occupant.context == context) else {
            return;
        };
        for (register, (value, seen)) in self.registers.iter().zip(occupant.values.iter_mut()) {
            let new = written(register.offset) & register.bits;
            if new != *seen {
                (*value, *seen) = (new, new);
            }
        }
    }

    /// A context that is not on the engine gets work that finds its memory so.
    pub(crate) fn set_paging(&mut self, context: ContextId, paging: Paging) {
        let read = self.owner != Some(context);
        if let Some(occupant) = self.find(context) {
            occupant.paging = Some(paging);
            if read {
                // What commands had written before was read when somebody else got the engine.
                occupant.written = Written::default();
            }
        }
    }

    /// A context gets work the commands of which can write these registers.
    pub(crate) fn add_written(&mut self, context: ContextId, written: &Written) {
        if let Some(occupant) = self.find(context) {
            occupant.written.add(written);
        }
    }

    /// A context got on the engine or off it.
    pub(crate) fn switched(&mut self, context: ContextId, on: bool, switching: &Switching<'_>) {
        let known = match self.find(context) {
            Some(occupant) => {
                occupant.count();
                (occupant.on, occupant.since) = (on, None);
                if let Some(paging) = &occupant.paging {
                    switching.set_paging(paging);
                }
                if !on {
                    occupant.button.press();
                }
                true
            }
            None => false,
        };
        // One at a time: the engine is that one's own which got on first, until it is off.
        if self
            .occupants
            .iter()
            .all(|occupant| occupant.since.is_none())
        {
            let mut occupants = self.occupants.iter_mut();
            if let Some(next) = occupants.find(|occupant| occupant.on) {
                next.since = Some(Instant::now());
            }
        }
        let owner = known.then_some(context);
        let resets = switching.resets();
        if self.resets != resets {
            (self.owner, self.resets, self.uncertain) = (None, resets, true);
        }
        if on && (owner != self.owner || self.uncertain) {
            self.hand_over(owner, &switching.power());
        }
    }

    /// Puts the values of somebody else into the registers.
    fn hand_over(&mut self, owner: Option<ContextId>, powered: &Powered<'_>) {
        let Self {
            occupants,
            registers,
            present,
            host,
            owner: before,
            uncertain,
            ..
        } = self;
        let place = |context: Option<ContextId>| {
            let context = context?;
            let mut occupants = occupants.iter();
            occupants.position(|occupant| occupant.context == context)
        };
        let (leaving, coming) = (place(*before), place(owner));
        let uncertain = core::mem::take(uncertain);
        let from_host = before.is_none() && !uncertain;
        *before = owner;
        for (number, register) in registers.iter().enumerate() {
            let (Some(now), Some(hosts)) = (present.get_mut(number), host.get_mut(number)) else {
                continue;
            };
            let by_work = leaving.and_then(|at| occupants.get(at));
            let by_work = by_work.is_some_and(|left| left.written.contains(number));
            if register.by_users || by_work || uncertain {
                *now = powered.read(register.offset).unwrap_or(0) & register.bits;
                let left = match leaving {
                    None => from_host.then_some(&mut *hosts),
                    Some(at) => occupants.get_mut(at).and_then(|left| left.value(number)),
                };
                if let Some(value) = left {
                    *value = *now;
                }
            } else if from_host {
                *now = *hosts;
            }
            let coming = coming.and_then(|at| occupants.get_mut(at)?.value(number));
            let wanted = coming.map_or(*hosts, |value| *value);
            if wanted != *now {
                // All of them are registers that there are.
                let _ = powered.write(register.offset, wanted | register.mask);
                *now = wanted;
            }
        }
    }

    /// The registers get the host's values.
    pub(crate) fn give_back(&mut self, powered: &Powered<'_>) {
        if self.owner.is_some() {
            self.hand_over(None, powered);
        }
    }

    /// The GPU may have been without power: nobody knows what is in the registers.
    pub(crate) fn lose(&mut self) {
        (self.owner, self.uncertain) = (None, true);
    }

    /// Whether a context is on the engine.
    pub(crate) fn is_on(&mut self, context: ContextId) -> bool {
        let occupant = self.find(context);
        occupant.is_some_and(|occupant| occupant.on)
    }

    /// For how long a context was on the engine since this was asked last, in nanoseconds.
    pub(crate) fn take_time(&mut self, context: ContextId) -> u64 {
        let Some(occupant) = self.find(context) else {
            return 0;
        };
        occupant.count();
        if occupant.since.is_some() {
            occupant.since = Some(Instant::now());
        }
        core::mem::take(&mut occupant.time)
    }

    fn find(&mut self, context: ContextId) -> Option<&mut Occupant> {
        let mut occupants = self.occupants.iter_mut();
        occupants.find(|occupant| occupant.context == context)
    }
}

/// The values of a context.
pub(crate) struct Values(KVec<(u32, u32)>);
