// SPDX-License-Identifier: GPL-2.0

//! One context of a submission: from what the guest says of it to commands that may run.

use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    prelude::*, //
};

use super::{
    execlists::Descriptor,
    image::{
        self,
        place,
        HOST_BATCH,
        HOST_LINES, //
    },
    Parts, //
};
use crate::{
    addr::{
        Gpa,
        PAGE_SIZE, //
    },
    cmd::{
        Flaw,
        Flip,
        Load,
        Page,
        Policy,
        Scanner,
        Space,
        RING_PDP,
        SET_PREDICATE,
        WORKAROUND_BYTES, //
    },
    engine::EngineId,
    interrupt::EngineEvent,
    mmio::{
        copies,
        moves,
        switched::Written, //
    },
    ppgtt::{
        Ppgtt,
        Roots, //
    },
};

/// How often the commands of one job can change the root of the page tables.
const MAX_ROOTS: usize = 16;
/// The most flips that the commands of one job can ask for.
const MAX_FLIPS: usize = 16;

const HEAD_OFFSET: u32 = 0x001f_fffc;
const TAIL_OFFSET: u32 = 0x001f_fff8;
/// Bits 20 to 12 of RING_CTL: pages of the ring, less one.
const RING_PAGES: u32 = 0x001f_f000;
/// How often the head has come round: bits 31 to 21.
const HEAD_WRAP: u32 = 0x0020_0000;

/// Of RCS_INDIRECT_CTX: cache lines, and where.
const INDIRECT_LINES: u32 = 0x3f;
const CACHE_LINE: u32 = 64;
/// The most cache lines that a guest can have: one is the host's.
const GUEST_LINES: u32 = INDIRECT_LINES - HOST_LINES;
/// Of BB_PER_CTX_PTR.
const PER_CONTEXT_VALID: u32 = 1 << 0;

/// Where a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It waits.
    Queued,
    /// The GPU has it.
    Launched,
}

/// Where in the ring the commands of a job are, as far as that is not what the guest's image says.
#[derive(Clone, Copy, Default)]
pub(super) struct Bounds {
    /// Where they start.
    pub(super) head: Option<u32>,
    /// Where they end.
    pub(super) tail: Option<u32>,
}

/// The workaround batches of a context, one behind the other.
pub(super) struct Workarounds {
    pub(super) words: KVVec<u32>,
    /// Cache lines of the first one, which runs in the middle of loading the context: the host's, and the guest's.
    pub(super) lines: u32,
    /// Where the second one starts, in bytes, which runs at the end, if there is one.
    pub(super) second: Option<u32>,
}

/// What one context of a submission has to do.
pub(super) struct Job {
    pub(super) stage: Stage,
    /// Its commands were looked at.
    pub(super) is_seen: bool,
    pub(super) context: Descriptor,
    pub(super) commands: KVVec<u32>,
    pub(super) workarounds: Option<Workarounds>,
    /// The root of the page tables at the start.
    pub(super) roots: Roots,
    /// Those that commands change to, in this order.
    pub(super) later_roots: KVec<Roots>,
    /// What the hardware is to have for the first.
    pub(super) shadow: [u64; 4],
    /// The state of the shadows that these are of.
    pub(super) epoch: u32,
    /// Of the state page of the guest's image.
    pub(super) control: u32,
    pub(super) timestamp: u32,
    pub(super) blitter: u32,
    /// Where in the ring its commands start.
    first: u32,
    /// What the registers of the ring are when it is done.
    pub(super) head: u32,
    pub(super) tail: u32,
    /// Where the commands of the submission end, if these are not all of them: the others are another job.
    pub(super) rest: Option<u32>,
    pub(super) start: u32,
    /// What the guest is told when it is done.
    pub(super) user_interrupt: bool,
    pub(super) flush: bool,
    pub(super) flips: KVec<Flip>,
    /// What its commands can write of the registers that change hands.
    pub(super) written: Written,
}

/// The state page of the guest's image: what describes the ring, and a word of the blitter's.
struct State([u32; place::BLITTER + 1]);

impl State {
    fn get(&self, place: usize) -> u32 {
        self.0.get(place).copied().unwrap_or(0)
    }

    /// The root, from PDP0 on.
    fn pdps(&self) -> [u64; 4] {
        let mut pdps = [0; 4];
        let mut words = image::root_places().map(|place| u64::from(self.get(place)));
        for pdp in &mut pdps {
            if let (Some(low), Some(high)) = (words.next(), words.next()) {
                *pdp = high << 32 | low;
            }
        }
        pdps
    }
}

impl Job {
    /// Looks at what a context has to do.
    ///
    /// # Errors
    ///
    /// The [`Flaw`] for which it cannot run.
    pub(super) fn new(
        context: Descriptor,
        engine: EngineId,
        bounds: Bounds,
        page: &mut Page,
        ppgtt: &mut Ppgtt,
        parts: &mut Parts<'_>,
    ) -> Result<KBox<Self>, Flaw> {
        let flaw = Flaw::Context {
            engine,
            lrca: context.lrca(),
        };
        let addressing = context.addressing().ok_or(flaw)?;
        let mut state = State([0; place::BLITTER + 1]);
        let state_page = u64::from(context.lrca()).saturating_add(PAGE_SIZE);
        parts
            .read_words(state_page, &mut state.0)
            .map_err(|_| flaw)?;

        let start = state.get(place::START) & 0xffff_f000;
        let size = (state.get(place::RING_CONTROL) & RING_PAGES).saturating_add(0x1000);
        if !parts.owns(start.into(), size.into()) {
            return Err(flaw);
        }
        let guest_head = state.get(place::HEAD);
        let head = bounds.head.unwrap_or(guest_head & HEAD_OFFSET);
        let tail = bounds.tail.unwrap_or(state.get(place::TAIL) & TAIL_OFFSET);

        let job = Self {
            stage: Stage::Queued,
            is_seen: true,
            context,
            commands: KVVec::new(),
            workarounds: None,
            roots: Roots {
                addressing,
                pdps: state.pdps(),
            },
            later_roots: KVec::new(),
            shadow: [0; 4],
            epoch: 0,
            control: state.get(place::CONTROL),
            timestamp: state.get(place::TIMESTAMP),
            blitter: state.get(place::BLITTER),
            first: head,
            head: 0,
            tail,
            rest: None,
            start,
            user_interrupt: false,
            flush: false,
            flips: KVec::new(),
            written: Written::default(),
        };
        let mut job = KBox::new(job, GFP_KERNEL_ACCOUNT).map_err(|_| Flaw::Memory)?;
        // The first use is given back with the job, that of others when they were looked at.
        job.shadow = ppgtt.prepare(&job.roots, &mut *parts.env)?;
        job.epoch = ppgtt.epoch();
        let ring = (start.into(), size.into(), head.into(), tail.into());
        let looked = job.look(engine, ring, &state, page, ppgtt, parts);
        match looked {
            Ok(end) => {
                let end = u32::try_from(end).unwrap_or(tail);
                job.rest = (end != tail).then_some(tail);
                job.tail = end;
                let wraps = guest_head & !(HEAD_WRAP.wrapping_sub(1));
                let wrapped = if end < head { HEAD_WRAP } else { 0 };
                job.head = wraps.wrapping_add(wrapped) | end;
                Ok(job)
            }
            Err(flaw) => {
                job.give_back(ppgtt, parts);
                Err(flaw)
            }
        }
    }

    /// Looks at it once more, as the shadows that it was to have are no more, and takes others.
    ///
    /// # Errors
    ///
    /// As for [`Job::new`]; it is as it was then.
    pub(super) fn renew(
        &mut self,
        engine: EngineId,
        page: &mut Page,
        ppgtt: &mut Ppgtt,
        parts: &mut Parts<'_>,
    ) -> Result<(), Flaw> {
        let bounds = Bounds {
            head: Some(self.first),
            tail: Some(self.end()),
        };
        let mut new = Self::new(self.context, engine, bounds, page, ppgtt, parts)?;
        core::mem::swap(self, &mut *new);
        new.give_back(ppgtt, parts);
        Ok(())
    }

    /// Where the commands of its submission end.
    pub(super) fn end(&self) -> u32 {
        self.rest.unwrap_or(self.tail)
    }

    /// What is done of it is done: it is what is left of its submission, which was not looked at. False if nothing is
    /// left.
    pub(super) fn go_on(&mut self) -> bool {
        let Some(end) = self.rest.take() else {
            return false;
        };
        (self.first, self.tail) = (self.tail, end);
        self.stage = Stage::Queued;
        self.is_seen = false;
        true
    }

    /// Gives back what it has of the page tables.
    pub(super) fn give_back(&mut self, ppgtt: &mut Ppgtt, parts: &mut Parts<'_>) {
        for roots in Iterator::chain([self.roots].iter(), self.later_roots.iter()) {
            ppgtt.release(roots, self.epoch, &mut *parts.env);
        }
    }

    fn look(
        &mut self,
        engine: EngineId,
        (start, size, head, tail): (u64, u64, u64, u64),
        state: &State,
        page: &mut Page,
        ppgtt: &mut Ppgtt,
        parts: &mut Parts<'_>,
    ) -> Result<u64, Flaw> {
        let platform = parts.map.platform();
        let mut commands = KVVec::new();
        let (end, workarounds) = {
            let mut auditor = Auditor {
                engine,
                wanted: self.roots,
                job: self,
                ppgtt,
                parts,
            };
            let mut scanner = Scanner::new(&mut auditor, engine, platform, page, &mut commands);
            let end = scanner.ring(start, size, head, tail)?;
            let workarounds = match engine {
                EngineId::Rcs0 => auditor.workarounds(state, page)?,
                _ => None,
            };
            (end, workarounds)
        };
        if engine == EngineId::Rcs0 {
            // A batch, or the ring itself, may have told the engine to pass over commands: what i915 puts behind these is
            // to be executed.
            commands
                .push(SET_PREDICATE, GFP_KERNEL_ACCOUNT)
                .map_err(|_| Flaw::Memory)?;
        }
        // The ring of the host takes an even number of words.
        if commands.len() % 2 != 0 {
            commands
                .push(0, GFP_KERNEL_ACCOUNT)
                .map_err(|_| Flaw::Memory)?;
        }
        self.commands = commands;
        self.workarounds = workarounds;
        Ok(end)
    }
}

/// What the commands of a job may do, and what they do in the vGPU.
struct Auditor<'a, 'b> {
    engine: EngineId,
    /// The root as commands have written it so far.
    wanted: Roots,
    job: &'a mut Job,
    ppgtt: &'a mut Ppgtt,
    parts: &'a mut Parts<'b>,
}

impl Auditor<'_, '_> {
    /// A command can write this register of the hardware.
    fn note(&mut self, register: u32) {
        let platform = self.parts.map.platform();
        self.job.written.note(platform, self.engine, register);
    }

    fn workarounds(&mut self, state: &State, page: &mut Page) -> Result<Option<Workarounds>, Flaw> {
        let indirect = state.get(place::INDIRECT);
        let per_context = state.get(place::PER_CONTEXT);
        let lines = indirect & INDIRECT_LINES;
        if lines == 0 && per_context & PER_CONTEXT_VALID == 0 {
            return Ok(None);
        }
        let platform = self.parts.map.platform();
        let engine = self.engine;
        if lines > GUEST_LINES {
            return Err(Flaw::Budget);
        }
        let all_lines = lines.saturating_add(HOST_LINES);
        let all_bytes = all_lines.saturating_mul(CACHE_LINE);
        let end = [MI_ARB_ON, MI_BATCH_BUFFER_END];
        // One allocation, where no batch runs at the end.
        let room = usize::try_from(all_bytes / 4).unwrap_or(0);
        let room = room.saturating_add(end.len());
        let mut words = KVVec::with_capacity(room, GFP_KERNEL_ACCOUNT).map_err(|_| Flaw::Memory)?;
        words
            .extend_from_slice(&HOST_BATCH, GFP_KERNEL_ACCOUNT)
            .map_err(|_| Flaw::Memory)?;
        // The host's part leaves arbitration on, which is what the guest's begins with.
        let mut keeps_engine = false;
        if lines > 0 {
            let start = u64::from(indirect & !(CACHE_LINE.wrapping_sub(1)));
            let size = lines.saturating_mul(CACHE_LINE);
            keeps_engine = Scanner::new(self, engine, platform, page, &mut words)
                .workarounds(start, size.into())?;
            fill(&mut words, all_bytes)?;
        }
        if per_context & PER_CONTEXT_VALID != 0 {
            let start = u64::from(per_context & 0xffff_f000);
            Scanner::new(self, engine, platform, page, &mut words).workarounds(start, PAGE_SIZE)?;
            keeps_engine = true;
        }
        // The last one makes sure that the engine can be taken away; the first may have no room for it.
        let second = if keeps_engine {
            words
                .extend_from_slice(&end, GFP_KERNEL_ACCOUNT)
                .map_err(|_| Flaw::Memory)?;
            Some(all_bytes)
        } else {
            None
        };
        if words.len().saturating_mul(4) > WORKAROUND_BYTES {
            return Err(Flaw::Budget);
        }
        Ok(Some(Workarounds {
            words,
            lines: all_lines,
            second,
        }))
    }
}

pub(super) const MI_ARB_OFF: u32 = 0x08 << 23;
pub(super) const MI_ARB_ON: u32 = MI_ARB_OFF | 1;
const MI_BATCH_BUFFER_END: u32 = 0x0a << 23;

/// Makes so many bytes of it; what was left out leaves room.
fn fill(words: &mut KVVec<u32>, bytes: u32) -> Result<(), Flaw> {
    let wanted = usize::try_from(bytes / 4).map_err(|_| Flaw::Budget)?;
    while words.len() < wanted {
        words
            .push(0, GFP_KERNEL_ACCOUNT)
            .map_err(|_| Flaw::Memory)?;
    }
    if words.len() > wanted {
        return Err(Flaw::Budget);
    }
    Ok(())
}

/// The eight registers of a root, from the lower half of PDP0 on.
pub(super) fn halves(pdps: &[u64; 4]) -> [u32; 8] {
    let mut registers = [0; 8];
    for (pair, pdp) in registers.chunks_exact_mut(2).zip(pdps) {
        let [a, b, c, d, e, f, g, h] = pdp.to_le_bytes();
        if let [low, high] = pair {
            *low = u32::from_le_bytes([a, b, c, d]);
            *high = u32::from_le_bytes([e, f, g, h]);
        }
    }
    registers
}

/// Puts another value into one of the eight registers of a root.
fn set_half(pdps: &mut [u64; 4], number: u32, value: u32) {
    let pdp = usize::try_from(number / 2)
        .ok()
        .and_then(|at| pdps.get_mut(at));
    if let Some(pdp) = pdp {
        let value = u64::from(value);
        *pdp = if number % 2 == 0 {
            *pdp & !0xffff_ffff | value
        } else {
            *pdp & 0xffff_ffff | value << 32
        };
    }
}

impl Policy for Auditor<'_, '_> {
    fn read_page(&mut self, space: Space, address: u64, words: &mut [u32]) -> Result<(), Flaw> {
        match space {
            Space::Global => self.parts.read_words(address, words),
            Space::Context => {
                let frame = self.ppgtt.translate(&self.wanted, address);
                let gpa = frame.and_then(|frame| frame.raw().checked_mul(PAGE_SIZE));
                let read = gpa.map(|gpa| {
                    let env = &mut *self.parts.env;
                    env.read_guest(Gpa::new(gpa), words.as_mut_bytes())
                });
                match read {
                    Some(Ok(())) => Ok(()),
                    _ => Err(Flaw::OutOfReach { address }),
                }
            }
        }
    }

    fn owns(&self, address: u64, length: u64) -> bool {
        self.parts.owns(address, length)
    }

    fn status_page(&self) -> Option<u64> {
        self.parts.status_page(self.engine)
    }

    fn context_page(&self) -> u64 {
        self.job.context.lrca().into()
    }

    fn load(&mut self, register: u32, value: u32) -> Result<Load, Flaw> {
        let flaw = Flaw::Register { offset: register };
        let load = self
            .parts
            .registers
            .load_by_command(register, value, self.engine, self.parts.map)
            .ok_or(flaw)?;
        if let Load::Value(_) = load {
            self.note(register);
        }
        if load == Load::Root {
            let number = register.wrapping_sub(self.engine.mmio_base() | RING_PDP) / 4;
            set_half(&mut self.wanted.pdps, number, value);
        }
        Ok(load)
    }

    fn switch_root(&mut self) -> Result<[u32; 8], Flaw> {
        if self.job.later_roots.len() >= MAX_ROOTS {
            return Err(Flaw::Budget);
        }
        let later = &mut self.job.later_roots;
        later
            .push(self.wanted, GFP_KERNEL_ACCOUNT)
            .map_err(|_| Flaw::Memory)?;
        let shadow = self.ppgtt.prepare(&self.wanted, &mut *self.parts.env);
        if shadow.is_err() {
            let _ = self.job.later_roots.pop();
        }
        Ok(halves(&shadow?))
    }

    fn moves(&mut self, register: u32) -> bool {
        let may = moves(register, self.engine, self.parts.map.platform());
        if may {
            self.note(register);
        }
        may
    }

    fn copies(&mut self, from: u32, to: u32) -> bool {
        let may = copies(from, to, self.engine, self.parts.map.platform());
        if may {
            self.note(to);
        }
        may
    }

    fn event(&mut self, event: EngineEvent) {
        match event {
            EngineEvent::User => self.job.user_interrupt = true,
            EngineEvent::Flush => self.job.flush = true,
            EngineEvent::ContextSwitch => {}
        }
    }

    fn flip(&mut self, flip: Flip) -> Result<(), Flaw> {
        if self.job.flips.len() >= MAX_FLIPS {
            return Err(Flaw::Budget);
        }
        self.job
            .flips
            .push(flip, GFP_KERNEL_ACCOUNT)
            .map_err(|_| Flaw::Memory)
    }
}
