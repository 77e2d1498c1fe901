// SPDX-License-Identifier: GPL-2.0

//! The work of all virtual GPUs on one engine: who gets it next, and what happens when it is done.

use super::{
    member::{
        Chance,
        Member,
        Task, //
    },
    together::Together,
    Share, //
};
use crate::{
    display::Clock,
    occupancy::Occupancy,
    trace, //
};
use gvt_kapi::{
    alarm::{
        Alarm,
        Ring, //
    },
    doorbell::{
        Button,
        Doorbell, //
    },
    i915::{
        context::{
            Context,
            ContextId, //
        },
        engine::{
            engines,
            Engine,
            Switching, //
        },
        image::Image,
        request::{
            Request,
            Urgency, //
        },
        Gpu, //
    },
    kthread::{
        self,
        OnWorker, //
    },
};
use gvt_model::{
    engine::EngineId,
    mmio::{
        handover::Values,
        switched::Written, //
    },
    platform::{
        Platform,
        MAX_VGPUS, //
    },
    ppgtt::Addressing,
    sched::{
        step::{
            Standing,
            Step, //
        },
        Queue,
        Timing, //
    },
    types::VgpuId, //
};
use kernel::{
    new_mutex, new_spinlock_irq,
    prelude::*,
    sync::{
        Arc,
        Mutex,
        SetOnce,
        SpinLockIrq, //
    },
    time::Delta,
};

/// Rings for an engine at a time.
struct Chime(Button);

impl Ring for Chime {
    fn ring(&self) {
        self.0.press();
    }
}

/// One engine that virtual GPUs share.
#[pin_data]
pub(super) struct Dispatcher {
    id: EngineId,
    platform: Platform,
    gpu: Arc<Gpu>,
    bell: Arc<Doorbell>,
    clock: Clock,
    /// The image of a new context of i915's; nothing before there is one.
    fresh: SetOnce<KVVec<u32>>,
    /// Whom it has is decided with other engines, as i915 takes it from nobody.
    together: Option<Arc<Together>>,
    #[pin]
    state: Mutex<State>,
    #[pin]
    occupancy: SpinLockIrq<Occupancy>,
}

/// What the lock of an engine protects.
struct State {
    members: KVec<Member>,
    queue: Queue,
    /// Rings when a period ends, if somebody waits for that.
    alarm: Alarm<Chime>,
    /// What takes the engine away from work that is to end; there is none unless it is wanted.
    pulse: Option<Pulse>,
    /// i915 is given nothing new: the machine is about to sleep.
    paused: bool,
    /// Room for what there is of each virtual GPU's.
    standings: KVec<Standing>,
}

/// A context that has nothing to do, but at once.
struct Pulse {
    context: Context,
    last: Option<Pin<KBox<Request>>>,
    /// When there should be another one if this was not enough, in nanoseconds.
    until: u64,
}

impl Pulse {
    /// Whether it is yet to come.
    fn is_pending(&self) -> bool {
        self.last.as_ref().is_some_and(|last| !last.is_done())
    }
}

/// For how long work that is to end may still take when the engine was taken from it, in nanoseconds; then it is taken
/// once more.
const PATIENCE: u64 = 1_000_000_000;
/// For how many nanoseconds a virtual GPU without work counts as one that wants the engine, until its thread has looked
/// whether there is more.
const ABSENCE: u64 = 10_000_000;
/// After how many nanoseconds what failed for want of memory is tried again.
const RETRY: u64 = 10_000_000;

/// The button of an engine's bell.
const NEWS: usize = 0;

/// So many nanoseconds.
fn delta(nanoseconds: u64) -> Delta {
    Delta::from_nanos(i64::try_from(nanoseconds).unwrap_or(i64::MAX))
}

impl Dispatcher {
    /// Nobody shares it yet.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    // As for all of them together: the stack is for one at a time.
    #[inline(never)]
    pub(super) fn new(
        engine: &Engine<'_>,
        id: EngineId,
        platform: Platform,
        timing: Timing,
        together: Option<Arc<Together>>,
    ) -> Result<Arc<Self>> {
        let occupancy = Occupancy::new(platform, id)?;
        let bell = Arc::pin_init(Doorbell::new(), GFP_KERNEL)?;
        let state = State {
            members: KVec::with_capacity(MAX_VGPUS, GFP_KERNEL)?,
            queue: Queue::new(timing),
            alarm: Alarm::new(Chime(Button::new(&bell, NEWS)))?,
            pulse: None,
            paused: false,
            standings: KVec::with_capacity(MAX_VGPUS, GFP_KERNEL)?,
        };
        if let Some(together) = &together {
            together.add(id, Button::new(&bell, NEWS));
        }
        let gpu = engine.gpu().clone();
        Arc::pin_init(
            pin_init!(Self {
                id,
                platform,
                gpu,
                bell,
                clock: Clock::new(),
                fresh: SetOnce::new(),
                together,
                state <- new_mutex!(state),
                occupancy <- new_spinlock_irq!(occupancy),
            }),
            GFP_KERNEL,
        )
    }

    /// There is news.
    pub(super) fn kick(&self) {
        self.bell.press(NEWS);
    }

    /// Waits for news.
    pub(super) fn wait(&self, on: &OnWorker) {
        self.bell.wait(on);
    }

    /// A context got on the engine or off it.
    pub(super) fn switched(&self, context: ContextId, on: bool, switching: &Switching<'_>) {
        self.occupancy.lock().switched(context, on, switching);
    }

    /// A virtual GPU gets another share.
    pub(super) fn set_share(&self, id: VgpuId, share: Share) {
        let mut state = self.state.lock();
        state.queue.set_weight(id, share.weight);
        state.queue.set_cap(id, share.cap);
        drop(state);
        self.join_others(id, share);
        self.kick();
    }

    /// From now on i915 is given nothing new, because the machine goes to sleep.
    pub(super) fn pause(&self) {
        let mut state = self.state.lock();
        state.paused = true;
        // Its thread has to look, even if it rests: what it has prepared keeps the GPU awake.
        for member in state.members.iter_mut() {
            member.set_busy(true);
            member.wake();
        }
    }

    /// Ends what i915 has, if it is not through by itself.
    pub(super) fn cancel_all(&self) {
        let mut state = self.state.lock();
        let State { members, pulse, .. } = &mut *state;
        let flying = members.iter_mut().filter(|member| !member.is_quiet());
        if flying.fold(false, |any, member| member.cancel() | any) {
            self.interrupt(pulse);
            self.kick();
        }
    }

    /// One of whom i915 or a thread still has something.
    pub(super) fn restless(&self) -> Option<VgpuId> {
        let state = self.state.lock();
        let mut members = state.members.iter();
        let restless = members.find(|member| !member.is_quiet());
        restless.map(|member| member.id)
    }

    /// The registers get the host's values.
    pub(super) fn give_back(&self) {
        let awake = self.gpu.wake();
        let powered = awake.power();
        self.occupancy.lock().registers.give_back(&powered);
    }

    /// From now on i915 is given work again; the machine may have slept.
    pub(super) fn resume(&self, slept: bool) {
        if slept {
            self.occupancy.lock().registers.lose();
        }
        let mut state = self.state.lock();
        state.paused = false;
        state.members.iter().for_each(Member::wake);
        drop(state);
        self.kick();
    }

    /// GPU time that a virtual GPU has had since it came, in nanoseconds.
    pub(super) fn time(&self, id: VgpuId) -> u64 {
        self.state.lock().queue.total(id)
    }

    /// A virtual GPU comes; its thread waits at the bell of `button`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn join(&self, id: VgpuId, share: Share, button: Button) -> Result {
        let member = Member::new(id, button)?;
        self.join_others(id, share);
        let mut state = self.state.lock();
        state.queue.join(id, share.weight, share.cap);
        // There is room for all virtual GPUs.
        let _ = state.members.push_within_capacity(member);
        Ok(())
    }

    /// Tells the other engines that this one goes with, if there are any.
    fn join_others(&self, id: VgpuId, share: Share) {
        if let Some(together) = &self.together {
            together.join(id, share.weight);
        }
    }

    /// The image of a new context of i915's.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EAGAIN` if i915 is not ready for work yet.
    pub(super) fn fresh(&self) -> Result<&[u32]> {
        if self.fresh.as_ref().is_none() {
            let engine = self.engine().ok_or(ENODEV)?;
            let image = engine.fresh_image()?.ok_or(EAGAIN)?;
            // Whoever comes first: it is the same.
            self.fresh.populate(image);
        }
        self.fresh.as_ref().map(|image| &**image).ok_or(EAGAIN)
    }

    /// Makes a context for the work of a virtual GPU. `button` is pressed whenever it gets off the engine.
    ///
    /// # Errors
    ///
    /// Those of [`Context::new`] and [`Image::new`].
    pub(super) fn add_context(&self, id: VgpuId, button: Button) -> Result<Image> {
        let engine = self.engine().ok_or(ENODEV)?;
        let context = Context::new(&engine)?;
        let image = Image::new(&engine, &context)?;
        let values = Values::new(self.platform, self.id)?;
        {
            let awake = self.gpu.wake();
            let powered = awake.power();
            let mut occupancy = self.occupancy.lock();
            occupancy.add(context.id(), button);
            occupancy.registers.read_host(&powered);
            occupancy.registers.add(context.id(), values);
        }
        let mut state = self.state.lock();
        let mut members = state.members.iter_mut();
        if let Some(member) = members.find(|member| member.id == id) {
            member.context = Some(context);
        }
        Ok(image)
    }

    /// A virtual GPU that is closed is no more.
    pub(super) fn forget(&self, id: VgpuId) {
        self.state.lock().queue.forget(id);
        if let Some(together) = &self.together {
            together.forget(id);
        }
    }

    /// The registers do not keep the values of a context any more.
    pub(super) fn retire(&self, context: &Context) {
        let awake = self.gpu.wake();
        let powered = awake.power();
        let values = {
            let mut occupancy = self.occupancy.lock();
            occupancy.remove(context.id());
            occupancy.registers.remove(context.id(), &powered)
        };
        // Without the lock.
        drop(values);
    }

    /// A virtual GPU has prepared work for this context, the commands of which can write these registers; if it has
    /// no other, this is how it finds its memory. What its processor has written to registers tells `register`.
    pub(super) fn announce(
        &self,
        image: &Image,
        addressing: Option<Addressing>,
        written: &Written,
        register: impl FnMut(u32) -> u32,
    ) {
        // What goes on with a context that the GPU has may not change that.
        let paging = addressing.map(|addressing| image.paging(addressing));
        let mut occupancy = self.occupancy.lock();
        if let Some(paging) = paging {
            occupancy.set_paging(image.context(), paging);
        }
        let registers = &mut occupancy.registers;
        registers.add_written(image.context(), written);
        registers.refresh(image.context(), register);
    }

    /// What the thread of a virtual GPU has to do. It has `pinned` the image, and has `looked` in vain for something to
    /// prepare.
    pub(super) fn task(&self, id: VgpuId, pinned: bool, looked: bool) -> Task {
        let mut state = self.state.lock();
        let State {
            members,
            queue,
            paused,
            ..
        } = &mut *state;
        let Some(at) = members.iter().position(|member| member.id == id) else {
            return Task::Leave;
        };
        let Some(member) = members.get_mut(at) else {
            return Task::Leave;
        };
        member.set_busy(true);
        if let Some(done) = self.land(member, queue) {
            // There is room for somebody's work.
            self.arrange(&mut state, Some(id));
            return Task::Complete(done);
        }
        if let Some(context) = member.retired() {
            return Task::Retire(context);
        }
        if member.has_left() {
            queue.leave(id);
            let gone = members.remove(at);
            drop(state);
            drop(gone);
            return Task::Leave;
        }
        let chance = member.chance().filter(|_| !*paused && !looked);
        if let Some(chance) = chance {
            return Task::Prepare(chance);
        }
        let sleeps = member.is_idle() || (*paused && !member.flies());
        if sleeps && pinned {
            return Task::Unpin;
        }
        member.set_busy(false);
        if sleeps {
            member.rest();
            queue.set_active(id, false);
            self.arrange(&mut state, Some(id));
        }
        Task::Rest
    }

    /// A virtual GPU has prepared work.
    pub(super) fn offer(&self, id: VgpuId, chance: Chance, commands: KVVec<u32>) {
        let mut state = self.state.lock();
        let mut members = state.members.iter_mut();
        if let Some(member) = members.find(|member| member.id == id) {
            member.offer(chance, commands);
        }
        self.arrange(&mut state, Some(id));
    }

    /// Takes the oldest work of a virtual GPU that is through; tells if that was done well.
    fn land(&self, member: &mut Member, queue: &mut Queue) -> Option<bool> {
        let last = member.landed()?;
        let context = member.context.as_ref().map(Context::id);
        if let Some(context) = context {
            let mut occupancy = self.occupancy.lock();
            if last && occupancy.is_on(context) {
                // The GPU has yet to save the context.
                return None;
            }
            let time = occupancy.take_time(context);
            drop(occupancy);
            queue.ran(member.id, time);
        }
        let done = member.take_landed(self.clock.now());
        trace::completed(member.id, self.id, done, queue.total(member.id));
        Some(done)
    }

    /// A virtual GPU goes, once i915 has nothing of it any more.
    pub(super) fn leave(&self, id: VgpuId) {
        let mut state = self.state.lock();
        let mut members = state.members.iter_mut();
        if let Some(member) = members.find(|member| member.id == id) {
            member.leave();
        }
        drop(state);
        self.cancel(id);
    }

    /// Ends what there is of a virtual GPU's work.
    pub(super) fn cancel(&self, id: VgpuId) {
        let mut state = self.state.lock();
        let State { members, pulse, .. } = &mut *state;
        let mut members = members.iter_mut();
        let member = members.find(|member| member.id == id);
        if member.is_some_and(Member::cancel) {
            self.interrupt(pulse);
            self.kick();
        }
    }

    /// Takes the engine from what has it. If that does not let it go, i915 resets the engine.
    ///
    /// A banned context is looked at when i915 puts it on the engine again, but not if it has not yet seen that it
    /// was off: that is so when what took the engine away is done by then. So there are two requests, which
    /// cannot be merged: when the first is done, it is the turn of the second.
    fn interrupt(&self, pulse: &mut Option<Pulse>) {
        if pulse.as_ref().is_some_and(Pulse::is_pending) {
            return;
        }
        if pulse.is_none() {
            let engine = self.engine();
            let context = engine.and_then(|engine| Context::new(&engine).ok());
            *pulse = context.map(|context| Pulse {
                context,
                last: None,
                until: 0,
            });
        }
        if let Some(pulse) = pulse {
            let news = Button::new(&self.bell, NEWS);
            let mut submit = |urgency| pulse.context.submit(&[], urgency, news.clone());
            // What the second waits for gets its priority in the same moment.
            let both = submit(Urgency::Normal).and_then(|_| submit(Urgency::Pulse));
            let patience = if both.is_ok() { PATIENCE } else { RETRY };
            pulse.until = self.clock.now().saturating_add(patience);
            pulse.last = both.ok();
        }
    }

    /// Sees to it that work which is to end does end. Returns for how long to wait with more, in nanoseconds, if it is
    /// not the engine that is waited for.
    fn see_off(&self, members: &[Member], pulse: &mut Option<Pulse>) -> Option<u64> {
        let pending = |pulse: &Option<Pulse>| pulse.as_ref().is_some_and(Pulse::is_pending);
        if pending(pulse) {
            return None;
        }
        if !members.iter().any(Member::outlives_ban) {
            *pulse = None;
            return None;
        }
        let now = self.clock.now();
        if pulse.as_ref().is_none_or(|pulse| pulse.until <= now) {
            self.interrupt(pulse);
        }
        let left = |pulse: &Pulse| pulse.until.saturating_sub(now);
        (!pending(pulse)).then(|| pulse.as_ref().map_or(RETRY, left))
    }

    fn engine(&self) -> Option<Engine<'_>> {
        let base = self.id.mmio_base();
        let mut all = engines(&self.gpu);
        all.find(|engine| engine.mmio_base() == base)
    }

    /// Looks what is to be done now.
    pub(super) fn work(&self) {
        self.arrange(&mut self.state.lock(), None);
    }

    /// Gives i915 what comes next, until there is nothing more to do for now. Called by the thread of this virtual
    /// GPU, or by the engine's.
    fn arrange(&self, state: &mut State, by: Option<VgpuId>) {
        let State {
            members,
            queue,
            alarm,
            pulse,
            standings,
            paused,
        } = state;
        let mut leaving = members.iter().filter(|member| Some(member.id) == by);
        if leaving.any(Member::is_leaving) || kthread::is_interrupted() {
            // What a thread that is interrupted gives i915 of others may fail.
            self.kick();
            return;
        }
        loop {
            let now = self.clock.now();
            self.charge(members, queue, now);
            standings.clear();
            for member in members.iter() {
                // There is room for all virtual GPUs.
                let _ = standings.push_within_capacity(member.standing(*paused));
            }
            let together = self.together.as_ref();
            let turn = together.and_then(|all| all.review(self.id, standings, queue));
            match queue.step(now, standings) {
                Step::Launch(id) => {
                    if together.is_some_and(|all| !all.enter(self.id, id)) {
                        continue;
                    }
                    let mut members = members.iter_mut();
                    let Some(member) = members.find(|member| member.id == id) else {
                        return;
                    };
                    if member.launch() {
                        trace::submitted(id, self.id);
                    }
                    if by != Some(id) {
                        // There is room to prepare more.
                        member.wake();
                    }
                }
                Step::Wait(left) => {
                    let off = self.see_off(members, pulse);
                    // Of work that ends only the thread of its virtual GPU is told, which others need not rely on.
                    let waits = |standing: &Standing| standing.wants && standing.flights == 0;
                    let waits = standings.iter().any(waits) && members.iter().any(Member::flies);
                    let slice = waits.then_some(queue.timing().slice());
                    let first = [left, off, slice, turn].into_iter().flatten().min();
                    alarm.set(first.map(delta));
                    return;
                }
            }
        }
    }

    /// What runs has had time since it was asked last.
    fn charge(&self, members: &mut [Member], queue: &mut Queue, now: u64) {
        for member in members.iter_mut() {
            if member.absence(now) >= ABSENCE {
                queue.set_active(member.id, false);
            }
            let context = member.context.as_ref().filter(|_| member.flies());
            if let Some(context) = context {
                let time = self.occupancy.lock().take_time(context.id());
                queue.ran(member.id, time);
            }
        }
    }
}
