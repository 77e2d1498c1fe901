// SPDX-License-Identifier: GPL-2.0

//! The work of a guest, from its submission to the news that it is done (gvt-spec 7).
//!
//! A guest submits contexts to an engine by writing to a port. What a context has to do is looked at
//! there and then, by whoever carries out the guest's write: its ring is copied and audited
//! ([`crate::cmd`]), and the shadows of its page tables are made right ([`crate::ppgtt`]). From then on
//! the guest is told that the context runs.
//!
//! The driver takes one job after the other, when the engine has time for this vGPU
//! ([`Work::launch`]): the image of the guest's context is put into one of the host's, which gets the
//! commands. When that is through, [`Work::complete`] gives the image back and tells the guest.
//!
//! What cannot be run looks to the guest as if the engine hangs: nothing more happens until it resets
//! the engine. No other engine and no other guest notices.

pub mod execlists;
mod image;
mod job;

use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    prelude::*, //
};

use crate::vgpu::Host;
use crate::{
    addr::PAGE_SIZE,
    cmd::{
        Flaw,
        Page, //
    },
    counters::count,
    effect::{
        Effects,
        Note,
        Refusal, //
    },
    engine::{
        EngineId,
        EngineMap,
        Engines, //
    },
    interrupt::{
        EngineEvent,
        Event, //
    },
    mmio::{
        ggtt::Ggtt,
        map::RegisterMap,
        registers::Registers,
        switched::Written, //
    },
    ports::{
        ContextImage,
        Env, //
    },
    ppgtt::{
        Addressing,
        Ppgtt, //
    },
};
use execlists::{
    Descriptor,
    Execlists,
    Status, //
};
use image::{
    PAGE_WORDS,
    RING_WORDS, //
};
use job::{
    Bounds,
    Job,
    Stage, //
};

/// How many jobs of one context leave the guest's hands at a time: two that the GPU has, and one that waits for its turn.
const LAUNCHED: usize = 3;
/// The most jobs that there are of an engine: two lists of two contexts, and what the GPU still has from
/// before a reset.
const MAX_JOBS: usize = 4 + LAUNCHED;

const RING_TAIL: u32 = 0x30;
const RING_HEAD: u32 = 0x34;
const RING_START: u32 = 0x38;
const RING_HWS_PGA: u32 = 0x80;
const RING_EXECLIST_STATUS: u32 = 0x234;
const RING_MODE: u32 = 0x29c;
const RING_CONTEXT_STATUS_BUF: u32 = 0x370;
const RING_CONTEXT_STATUS_PTR: u32 = 0x3a0;
const MODE_EXECLISTS: u32 = 1 << 15;

/// Entries of the context status buffer.
const STATUS_ENTRIES: u32 = 6;
const STATUS_WRITE: u32 = 0x7;
/// Nothing was written since the last reset.
const STATUS_NONE: u32 = 0x7;
/// The same in the status page: the entries, and the number of the last one.
const PAGE_STATUS: u64 = 0x40;
const PAGE_STATUS_WRITE: u64 = 0x7c;

/// What work needs of the rest of a vGPU.
pub(crate) struct Parts<'a> {
    pub(crate) registers: &'a mut Registers,
    pub(crate) ggtt: &'a Ggtt,
    pub(crate) map: &'a RegisterMap,
    pub(crate) env: &'a mut dyn Env,
}

impl Parts<'_> {
    /// Whether `length` bytes of graphics memory from `address` on are the guest's.
    fn owns(&self, address: u64, length: u64) -> bool {
        let Registers { low, high, .. } = &*self.registers;
        low.contains(address, length) || high.contains(address, length)
    }

    /// Copies from graphics memory; all words are in one page.
    fn read_words(&mut self, address: u64, words: &mut [u32]) -> Result<(), Flaw> {
        let gpa = self.ggtt.translate(address);
        let read = gpa.map(|gpa| self.env.read_guest(gpa, words.as_mut_bytes()));
        match read {
            Some(Ok(())) => Ok(()),
            _ => Err(Flaw::OutOfReach { address }),
        }
    }

    /// Copies to graphics memory; all words are in one page. What cannot be written is the guest's loss.
    fn write_words(&mut self, address: u64, words: &[u32]) {
        if let Some(gpa) = self.ggtt.translate(address) {
            let _ = self.env.write_guest(gpa, words.as_bytes());
        }
    }

    fn status_page(&self, engine: EngineId) -> Option<u64> {
        let page = self.registers.file.get(engine.mmio_base() | RING_HWS_PGA);
        (page != 0).then_some(page.into())
    }

    fn register(&self, engine: EngineId, register: u32) -> u32 {
        self.registers.file.get(engine.mmio_base() | register)
    }

    fn set_register(&mut self, engine: EngineId, register: u32, value: u32) {
        let offset = engine.mmio_base() | register;
        self.registers.file.set(offset, value);
    }

    /// Tells the guest of what happened to a context.
    fn report(&mut self, engine: EngineId, status: Status, effects: &mut Effects) {
        let pointer = self.register(engine, RING_CONTEXT_STATUS_PTR);
        let number = match pointer & STATUS_WRITE {
            STATUS_NONE => 0,
            last => last.saturating_add(1) % STATUS_ENTRIES,
        };
        let entry = RING_CONTEXT_STATUS_BUF.saturating_add(number.saturating_mul(8));
        self.set_register(engine, entry, status.events);
        self.set_register(engine, entry.saturating_add(4), status.id);
        self.set_register(
            engine,
            RING_CONTEXT_STATUS_PTR,
            pointer & !STATUS_WRITE | number,
        );
        if let Some(page) = self.status_page(engine) {
            let entry = page
                .saturating_add(PAGE_STATUS)
                .saturating_add(u64::from(number).saturating_mul(8));
            self.write_words(entry, &[status.events, status.id]);
            self.write_words(page.saturating_add(PAGE_STATUS_WRITE), &[number]);
        }
        if status.interrupts {
            self.raise(engine, EngineEvent::ContextSwitch, effects);
        }
    }

    fn raise(&mut self, engine: EngineId, event: EngineEvent, effects: &mut Effects) {
        let event = Event::Engine(engine, event);
        self.registers.raise(event, self.map, effects);
    }
}

/// The work of one engine.
struct EngineWork {
    execlists: Execlists,
    /// In the order in which they run; those that the GPU has come first.
    jobs: KVec<KBox<Job>>,
    /// How many jobs that the GPU has are nobody's any more: the engine was reset.
    orphans: usize,
    /// How many jobs were done since the vGPU was made.
    done: u64,
    /// Something could not be run.
    stuck: bool,
    /// The context of which the image is that of the host's context.
    loaded: Option<Descriptor>,
}

impl EngineWork {
    /// On the heap: those of all engines would fill a stack.
    #[inline(never)]
    fn new() -> Result<KBox<Self>> {
        let work = Self {
            execlists: Execlists::default(),
            jobs: KVec::with_capacity(MAX_JOBS, GFP_KERNEL)?,
            orphans: 0,
            done: 0,
            stuck: false,
            loaded: None,
        };
        Ok(KBox::new(work, GFP_KERNEL)?)
    }

    fn launched(&self) -> usize {
        let launched = |job: &&KBox<Job>| job.stage == Stage::Launched;
        self.jobs.iter().take_while(launched).count()
    }
}

/// The work of a vGPU.
pub(crate) struct Work {
    engines: EngineMap<KBox<EngineWork>>,
    pub(crate) ppgtt: Ppgtt,
    page: Page,
    /// Bytes of the images of contexts.
    context_sizes: EngineMap<u32>,
    /// An image, while it is made.
    image: KVVec<u32>,
}

/// What the GPU is given.
pub struct Launch {
    /// How the context addresses memory.
    pub addressing: Addressing,
    /// The commands of the ring: an even number of words.
    pub commands: KVVec<u32>,
    /// What commands can write of the registers that change hands with the engine.
    pub written: Written,
}

impl Work {
    /// Nothing to do; page tables can have pages of 64 KiB or not.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    #[inline(never)]
    pub(crate) fn new(context_sizes: &EngineMap<u32>, has_64k: bool) -> Result<KBox<Self>> {
        let work = Self {
            engines: EngineMap::try_new(|_| EngineWork::new())?,
            ppgtt: Ppgtt::new(has_64k)?,
            page: Page::new()?,
            context_sizes: EngineMap::new(|id| *context_sizes.get(id)),
            image: KVVec::new(),
        };
        Ok(KBox::new(work, GFP_KERNEL)?)
    }

    /// The guest submits contexts to an engine.
    pub(crate) fn submit(
        &mut self,
        id: EngineId,
        contexts: [Descriptor; 2],
        parts: &mut Parts<'_>,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let engine = self.engines.get_mut(id);
        if parts.register(id, RING_MODE) & MODE_EXECLISTS == 0 {
            return Err(Refusal::NotEnabled);
        }
        let [first, second] = contexts;
        if !first.is_valid() || !first.has_ppgtt() || (second.is_valid() && !second.has_ppgtt()) {
            return Err(Refusal::NoContext);
        }
        if engine.stuck {
            // It hangs.
            return Ok(());
        }
        let room = engine.jobs.len().saturating_add(2) <= MAX_JOBS;
        if !engine.execlists.has_room() || !room {
            return Err(Refusal::QueueFull);
        }
        let before = engine.jobs.len();
        for context in contexts.into_iter().filter(|context| context.is_valid()) {
            let engine = self.engines.get_mut(id);
            let mut same = engine.jobs.iter().skip(engine.orphans).rev();
            let tail = same
                .find(|job| job.context.is_same(context))
                .map(|job| job.end());
            let bounds = Bounds {
                head: tail,
                tail: None,
            };
            let made = Job::new(context, id, bounds, &mut self.page, &mut self.ppgtt, parts);
            let added = made.and_then(|job| {
                count(&mut parts.registers.counters.submissions);
                engine.jobs.push(job, GFP_KERNEL).map_err(|_| Flaw::Memory)
            });
            if let Err(flaw) = added {
                self.drop_jobs(id, before, parts);
                self.hang(id, flaw, parts, effects);
                return Ok(());
            }
        }
        let engine = self.engines.get_mut(id);
        let Ok(status) = engine.execlists.submit(contexts) else {
            return Err(Refusal::QueueFull);
        };
        let [low, high] = engine.execlists.status();
        parts.set_register(id, RING_EXECLIST_STATUS, low);
        parts.set_register(id, RING_EXECLIST_STATUS.saturating_add(4), high);
        if let Some(status) = status {
            parts.report(id, status, effects);
        }
        effects.kick(id);
        Ok(())
    }

    /// Drops the jobs of an engine from number `first` on.
    fn drop_jobs(&mut self, id: EngineId, first: usize, parts: &mut Parts<'_>) {
        let engine = self.engines.get_mut(id);
        while engine.jobs.len() > first {
            if let Some(mut job) = engine.jobs.pop() {
                job.give_back(&mut self.ppgtt, parts);
            }
        }
    }

    /// The engine does no more for this guest until it is reset.
    pub(crate) fn hang(
        &mut self,
        id: EngineId,
        flaw: Flaw,
        parts: &mut Parts<'_>,
        effects: &mut Effects,
    ) {
        count(&mut parts.registers.counters.hangs);
        let launched = self.engines.get(id).launched();
        self.drop_jobs(id, launched, parts);
        self.engines.get_mut(id).stuck = true;
        effects.note(Note::Hang { engine: id, flaw });
    }

    /// Whether the GPU can be given a job of this engine now.
    pub(crate) fn is_ready(&self, id: EngineId) -> bool {
        let engine = self.engines.get(id);
        let launched = engine.launched();
        let Some(next) = engine.jobs.get(launched) else {
            return false;
        };
        let Some(last) = launched.checked_sub(1).and_then(|at| engine.jobs.get(at)) else {
            return true;
        };
        // The hardware goes on with a context without loading its image: nothing may be new in that, its page tables
        // least of all.
        engine.orphans == 0
            && launched < LAUNCHED
            && last.context.is_same(next.context)
            && last.roots == next.roots
            && last.later_roots.is_empty()
            && last.rest.is_none()
            && last.epoch == next.epoch
            && next.epoch == self.ppgtt.epoch()
    }

    /// How many jobs of an engine were done since the vGPU was made.
    pub(crate) fn done(&self, id: EngineId) -> u64 {
        self.engines.get(id).done
    }

    /// Whether the GPU has a job of this engine.
    pub(crate) fn is_busy(&self, id: EngineId) -> bool {
        self.engines.get(id).launched() > 0
    }

    /// Gives the next job to the GPU. `image` is that of the host's context, `fresh` that of a new
    /// context of the host's, from the state page on. `None` if there is no job for now, or it cannot be
    /// given: then the engine hangs.
    pub(crate) fn launch(
        &mut self,
        id: EngineId,
        image: &mut dyn ContextImage,
        fresh: &[u32],
        parts: &mut Parts<'_>,
        effects: &mut Effects,
    ) -> Option<Launch> {
        if !self.is_ready(id) {
            return None;
        }
        let engine = &mut **self.engines.get_mut(id);
        let launched = engine.launched();
        let job = engine.jobs.get_mut(launched)?;
        if !job.is_seen || job.epoch != self.ppgtt.epoch() {
            let renewed = job.renew(id, &mut self.page, &mut self.ppgtt, parts);
            if let Err(flaw) = renewed {
                self.hang(id, flaw, parts, effects);
                return None;
            }
        }
        job.stage = Stage::Launched;
        let launch = Launch {
            addressing: job.roots.addressing,
            commands: core::mem::take(&mut job.commands),
            written: job.written,
        };
        let words = u64::try_from(launch.commands.len()).unwrap_or(0);
        let counter = &mut parts.registers.counters.commands;
        *counter = counter.wrapping_add(words);
        parts.set_register(id, RING_START, job.start);
        if launched > 0 {
            return Some(launch);
        }
        let inhibits = job.control & image::RESTORE_INHIBIT != 0;
        let same = engine
            .loaded
            .is_some_and(|loaded| loaded.is_same(job.context));
        if inhibits || !same {
            engine.loaded = None;
            let words = pages_of(&self.context_sizes, id)
                .saturating_sub(1)
                .saturating_mul(PAGE_WORDS);
            let Ok(made) = room(&mut self.image, words) else {
                job.stage = Stage::Queued;
                self.hang(id, Flaw::Memory, parts, effects);
                return None;
            };
            let context = (!inhibits).then_some(job.context);
            image::load(made, id, context, fresh, parts);
            image.write_words(RING_WORDS, made.get(RING_WORDS..).unwrap_or_default());
            engine.loaded = Some(job.context);
        }
        image::put_fields(job, id, fresh, parts.map.platform(), image);
        Some(launch)
    }

    /// The GPU is through with its oldest job of an engine; `done` tells whether it was done.
    pub(crate) fn complete(
        &mut self,
        id: EngineId,
        done: bool,
        image: &dyn ContextImage,
        parts: &mut Parts<'_>,
        effects: &mut Effects,
    ) {
        let engine = self.engines.get_mut(id);
        if engine.launched() == 0 {
            return;
        }
        let Ok(mut job) = engine.jobs.remove(0) else {
            return;
        };
        if let Some(left) = engine.orphans.checked_sub(1) {
            engine.orphans = left;
            effects.kick(id);
            job.give_back(&mut self.ppgtt, parts);
            return;
        }
        if !done {
            engine.loaded = None;
            engine.orphans = engine.launched();
            job.give_back(&mut self.ppgtt, parts);
            self.hang(id, Flaw::Hang, parts, effects);
            return;
        }
        count(&mut engine.done);
        let next = engine.jobs.first();
        let goes_on =
            job.rest.is_some() || next.is_some_and(|next| next.context.is_same(job.context));
        if !goes_on {
            let pages = pages_of(&self.context_sizes, id);
            if let Ok(page) = room(&mut self.image, PAGE_WORDS) {
                image::store(page, pages, &job, image, parts);
            }
        }
        parts.set_register(id, RING_HEAD, job.head);
        parts.set_register(id, RING_TAIL, job.end());
        for flip in job.flips.iter() {
            let mut host = Host {
                registers: parts.map,
                env: &mut *parts.env,
                effects: &mut *effects,
            };
            parts.registers.flip_by_command(flip, &mut host);
        }
        if job.user_interrupt {
            parts.raise(id, EngineEvent::User, effects);
        }
        if job.flush {
            parts.raise(id, EngineEvent::Flush, effects);
        }
        if job.go_on() {
            // It comes before all else, in the place that it had.
            let _ = engine.jobs.insert_within_capacity(0, job);
            effects.kick(id);
            return;
        }
        job.give_back(&mut self.ppgtt, parts);
        count(&mut parts.registers.counters.completions);
        let told = engine.execlists.complete();
        let [low, high] = engine.execlists.status();
        parts.set_register(id, RING_EXECLIST_STATUS, low);
        parts.set_register(id, RING_EXECLIST_STATUS.saturating_add(4), high);
        for status in told.into_iter().flatten() {
            parts.report(id, status, effects);
        }
        if !engine.jobs.is_empty() {
            effects.kick(id);
        }
    }

    /// The guest resets engines: what they had to do is forgotten. Returns those on which the GPU has
    /// something that is nobody's any more.
    pub(crate) fn reset(&mut self, engines: Engines, parts: &mut Parts<'_>) -> Engines {
        let mut orphaned = Engines::NONE;
        for id in engines.iter() {
            let launched = self.engines.get(id).launched();
            self.drop_jobs(id, launched, parts);
            let engine = self.engines.get_mut(id);
            engine.orphans = launched;
            if launched > 0 {
                orphaned = orphaned.with(id);
            }
            engine.stuck = false;
            engine.loaded = None;
            engine.execlists.reset();
            parts.set_register(id, RING_CONTEXT_STATUS_PTR, STATUS_NONE);
        }
        orphaned
    }

    /// A word is written to the submission port of an engine.
    pub(crate) fn write_port(&mut self, id: EngineId, value: u32) -> Option<[Descriptor; 2]> {
        self.engines.get_mut(id).execlists.write(value)
    }

    /// An entry of the GGTT has changed: an image that it is about is not known any more.
    pub(crate) fn forget_image(&mut self, address: u64) {
        for id in EngineId::ALL {
            let size = u64::from(*self.context_sizes.get(id));
            let engine = self.engines.get_mut(id);
            let inside = |context: Descriptor| {
                let start = u64::from(context.lrca());
                address >= start && address < start.saturating_add(size)
            };
            if engine.loaded.is_some_and(inside) {
                engine.loaded = None;
            }
        }
    }
}

/// Pages of the image of a context.
fn pages_of(sizes: &EngineMap<u32>, id: EngineId) -> usize {
    usize::try_from(u64::from(*sizes.get(id)) / PAGE_SIZE).unwrap_or(0)
}

/// So many words, of which it does not matter what they are.
fn room(words: &mut KVVec<u32>, count: usize) -> Result<&mut [u32]> {
    if words.len() < count {
        *words = KVVec::zeroed(count, GFP_KERNEL_ACCOUNT)?;
    }
    Ok(words.get_mut(..count).unwrap_or_default())
}
