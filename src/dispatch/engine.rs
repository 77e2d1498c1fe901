// SPDX-License-Identifier: GPL-2.0

//! The work of all virtual GPUs on one engine: who gets it next, and what happens when it is done.

use super::Share;
use crate::{
    display::Clock,
    occupancy::Occupancy,
    trace,
    vgpu::Vgpu, //
};
use gvt_kapi::{
    alarm::{
        Alarm,
        Ring, //
    },
    doorbell::Doorbell,
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
        request::{
            Request,
            Urgency, //
        },
        Gpu, //
    },
    vfio::Session, //
};
use gvt_model::{
    engine::EngineId,
    platform::{
        Platform,
        MAX_VGPUS, //
    },
    sched::{
        step::{
            Standing,
            Step,
            IN_FLIGHT, //
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
        Completion,
        Mutex,
        SpinLockIrq, //
    },
    time::Delta,
};

/// Rings for an engine at a time.
struct Chime(Arc<Doorbell>);

impl Ring for Chime {
    fn ring(&self) {
        self.0.ring();
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
    /// The image of a new context of i915's; nothing before there is one.
    fresh: KVVec<u32>,
    /// Room for what there is of each virtual GPU's.
    standings: KVec<Standing>,
}

/// A context that has nothing to do, but urgently.
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

/// Work that i915 has.
struct Flight {
    request: Pin<KBox<Request>>,
    /// It goes before others'.
    urgent: bool,
}

/// A virtual GPU that has a machine.
struct Member {
    id: VgpuId,
    vgpu: Arc<Session<Vgpu>>,
    /// What runs its work; there is none before it has any.
    context: Option<Context>,
    /// What i915 has, oldest first.
    flights: KVec<Flight>,
    /// Somebody waits for it to have nothing.
    leaving: Option<Arc<Completion>>,
}

impl Member {
    /// Whether i915 has yet to end what it has of a context that was banned.
    fn outlives_ban(&self) -> bool {
        let banned = self.context.as_ref().is_some_and(Context::is_banned);
        let mut flights = self.flights.iter();
        banned && flights.any(|flight| !flight.request.is_done())
    }
}

/// For how long work that is to end may still take when the engine was taken from it, in nanoseconds; then it is taken
/// once more.
const PATIENCE: u64 = 1_000_000_000;
/// After how many nanoseconds what failed for want of memory is tried again.
const RETRY: u64 = 10_000_000;

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
    ) -> Result<Arc<Self>> {
        let occupancy = Occupancy::new(platform, id)?;
        let bell = Arc::pin_init(Doorbell::new(), GFP_KERNEL)?;
        let state = State {
            members: KVec::with_capacity(MAX_VGPUS, GFP_KERNEL)?,
            queue: Queue::new(timing),
            alarm: Alarm::new(Chime(bell.clone()))?,
            pulse: None,
            paused: false,
            fresh: KVVec::new(),
            standings: KVec::with_capacity(MAX_VGPUS, GFP_KERNEL)?,
        };
        let gpu = engine.gpu().clone();
        Arc::pin_init(
            pin_init!(Self {
                id,
                platform,
                gpu,
                bell,
                clock: Clock::new(),
                state <- new_mutex!(state),
                occupancy <- new_spinlock_irq!(occupancy),
            }),
            GFP_KERNEL,
        )
    }

    /// What rings when there is news.
    pub(super) fn bell(&self) -> &Arc<Doorbell> {
        &self.bell
    }

    /// There is news.
    pub(super) fn kick(&self) {
        self.bell.ring();
    }

    /// Waits for news.
    pub(super) fn wait(&self) {
        self.bell.wait();
    }

    /// A context got on the engine or off it.
    pub(super) fn switched(&self, context: ContextId, on: bool, switching: &Switching<'_>) {
        let known = self.occupancy.lock().switched(context, on, switching);
        if known && !on {
            self.kick();
        }
    }

    /// A virtual GPU gets another share.
    pub(super) fn set_share(&self, id: VgpuId, share: Share) {
        let mut state = self.state.lock();
        state.queue.set_weight(id, share.weight);
        state.queue.set_cap(id, share.cap);
        drop(state);
        self.kick();
    }

    /// From now on i915 is given nothing new, or again.
    pub(super) fn pause(&self, paused: bool) {
        self.state.lock().paused = paused;
        self.kick();
    }

    /// GPU time that a virtual GPU has had since it came, in nanoseconds.
    pub(super) fn time(&self, id: VgpuId) -> u64 {
        self.state.lock().queue.total(id)
    }

    /// A virtual GPU comes.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn join(&self, id: VgpuId, share: Share, vgpu: &Arc<Session<Vgpu>>) -> Result {
        let member = Member {
            id,
            vgpu: vgpu.clone(),
            context: None,
            flights: KVec::with_capacity(IN_FLIGHT, GFP_KERNEL)?,
            leaving: None,
        };
        let mut state = self.state.lock();
        state.queue.join(id, share.weight, share.cap);
        state.members.push(member, GFP_KERNEL)?;
        Ok(())
    }

    /// A context for the work of a virtual GPU.
    ///
    /// # Errors
    ///
    /// Those of [`Context::new`]; `EAGAIN` if i915 is not ready for work yet.
    fn context(&self, fresh: &mut KVVec<u32>) -> Result<Context> {
        let engine = self.engine().ok_or(ENODEV)?;
        if fresh.is_empty() {
            *fresh = engine.fresh_image()?.ok_or(EAGAIN)?;
        }
        let context = Context::new(&engine)?;
        let values = Occupancy::room(self.platform, self.id)?;
        let awake = self.gpu.wake();
        let powered = awake.power();
        let mut occupancy = self.occupancy.lock();
        occupancy.read_host(&powered);
        occupancy.add(context.id(), values);
        Ok(context)
    }

    /// A virtual GPU goes, once i915 has nothing of it any more.
    pub(super) fn leave(&self, id: VgpuId) {
        if self.try_leave(id) {
            return;
        }
        let Ok(gone) = Arc::pin_init(Completion::new(), GFP_KERNEL) else {
            // There is no memory for the way that sleeps.
            while !self.try_leave(id) {
                kernel::time::delay::fsleep(kernel::time::Delta::from_millis(1));
            }
            return;
        };
        {
            let mut state = self.state.lock();
            let mut members = state.members.iter_mut();
            let Some(member) = members.find(|member| member.id == id) else {
                return;
            };
            member.leaving = Some(gone.clone());
        }
        self.cancel(id);
        self.kick();
        gone.wait_for_completion();
        self.try_leave(id);
    }

    /// Ends what i915 has of a virtual GPU.
    pub(super) fn cancel(&self, id: VgpuId) {
        let mut state = self.state.lock();
        let State { members, pulse, .. } = &mut *state;
        let member = members.iter_mut().find(|member| member.id == id);
        let Some(member) = member.filter(|member| !member.flights.is_empty()) else {
            return;
        };
        let Some(context) = member.context.as_mut() else {
            return;
        };
        // However often a guest resets its engine, once is enough.
        if context.is_banned() {
            return;
        }
        context.ban();
        self.interrupt(pulse);
        self.kick();
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
            let mut submit = |urgency| pulse.context.submit(&[], urgency, self.bell.clone());
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

    fn try_leave(&self, id: VgpuId) -> bool {
        let mut state = self.state.lock();
        let State { members, queue, .. } = &mut *state;
        let Some(at) = members.iter().position(|member| member.id == id) else {
            return true;
        };
        if members
            .get(at)
            .is_some_and(|member| !member.flights.is_empty())
        {
            return false;
        }
        queue.leave(id);
        let member = members.remove(at);
        drop(state);
        let context = member.ok().and_then(|member| member.context);
        if let Some(context) = context {
            self.forget(&context);
        }
        true
    }

    /// Looks until there is nothing to do.
    pub(super) fn work(&self) {
        let mut state = self.state.lock();
        while self.finish(&mut state) | self.start(&mut state) {}
        for member in state.members.iter_mut() {
            if member.flights.is_empty() {
                // So that the engine can sleep.
                if let Some(context) = &mut member.context {
                    context.unpin();
                }
                if let Some(gone) = &member.leaving {
                    gone.complete_all();
                }
            }
        }
    }

    /// Takes over what is done.
    fn finish(&self, state: &mut State) -> bool {
        let State { members, queue, .. } = state;
        let mut any = false;
        for member in members.iter_mut() {
            self.replace_banned(member);
            let Some(context) = &member.context else {
                continue;
            };
            while member
                .flights
                .first()
                .is_some_and(|first| first.request.is_done())
            {
                let last = member.flights.len() == 1;
                let mut occupancy = self.occupancy.lock();
                if last && occupancy.is_on(context.id()) {
                    // The GPU has yet to save the context.
                    break;
                }
                let time = occupancy.take_time(context.id());
                drop(occupancy);
                queue.ran(member.id, time);
                let Ok(flight) = member.flights.remove(0) else {
                    break;
                };
                let done = flight.request.result().is_ok();
                trace::completed(member.id, self.id, done, queue.total(member.id));
                let vgpu = member.vgpu.device();
                vgpu.complete(self.id, done, context);
                if last {
                    queue.set_active(member.id, vgpu.is_ready(self.id));
                }
                any = true;
            }
        }
        any
    }

    /// Takes a context away that was banned and has nothing more to do; the next work gets another one.
    fn replace_banned(&self, member: &mut Member) {
        let banned = member.context.as_ref().is_some_and(Context::is_banned);
        if banned && member.flights.is_empty() {
            if let Some(context) = member.context.take() {
                self.forget(&context);
            }
        }
    }

    /// The registers do not keep the values of a context any more.
    fn forget(&self, context: &Context) {
        let awake = self.gpu.wake();
        let powered = awake.power();
        let values = self.occupancy.lock().remove(context.id(), &powered);
        drop(values);
    }

    /// Gives i915 what comes next.
    fn start(&self, state: &mut State) -> bool {
        let State {
            members,
            queue,
            alarm,
            pulse,
            fresh,
            standings,
            paused,
            ..
        } = state;
        self.charge(members, queue);
        standings.clear();
        for member in members.iter() {
            // There is room for all virtual GPUs.
            let _ = standings.push_within_capacity(self.standing(member, *paused));
        }
        match queue.step(self.clock.now(), standings) {
            Step::Launch { id, urgent } => {
                let member = members.iter_mut().find(|member| member.id == id);
                member.is_some_and(|member| self.launch(member, urgent, fresh))
            }
            Step::Raise(id) => {
                let mut members = members.iter_mut();
                let flight = members.find_map(|member| {
                    let first = member.flights.first_mut();
                    first.filter(|_| member.id == id)
                });
                if let Some(flight) = flight {
                    flight.urgent = true;
                    flight.request.raise(Urgency::Urgent);
                }
                true
            }
            Step::Wait(left) => {
                let off = self.see_off(members, pulse);
                let first = [left, off].into_iter().flatten().min();
                alarm.set(first.map(delta));
                false
            }
        }
    }

    /// What runs has had time since it was asked last.
    fn charge(&self, members: &[Member], queue: &mut Queue) {
        let contexts = members.iter().filter(|member| !member.flights.is_empty());
        for member in contexts {
            if let Some(context) = &member.context {
                let time = self.occupancy.lock().take_time(context.id());
                queue.ran(member.id, time);
            }
        }
    }

    /// What there is of a virtual GPU's.
    fn standing(&self, member: &Member, paused: bool) -> Standing {
        let banned = member.context.as_ref().is_some_and(Context::is_banned);
        let comes = member.leaving.is_none() && !banned && !paused;
        Standing {
            id: member.id,
            flights: member.flights.len(),
            urgent: member.flights.first().is_some_and(|first| first.urgent),
            wants: comes && member.vgpu.device().is_ready(self.id),
        }
    }

    /// Gives i915 the next work of a virtual GPU.
    fn launch(&self, member: &mut Member, urgent: bool, fresh: &mut KVVec<u32>) -> bool {
        let vgpu = member.vgpu.device();
        if member.context.is_none() {
            match self.context(fresh) {
                Ok(context) => member.context = Some(context),
                Err(error) => {
                    vgpu.give_up(self.id, error);
                    return true;
                }
            }
        }
        let Some(context) = &mut member.context else {
            return false;
        };
        if let Err(error) = context.pin() {
            vgpu.give_up(self.id, error);
            return true;
        }
        let Some(launch) = vgpu.launch(self.id, context, fresh) else {
            // It hangs if it is not ready any more: then others have their turn.
            return !vgpu.is_ready(self.id);
        };
        // What goes on with a context that the GPU has may not change that.
        let paging = context.paging(launch.addressing);
        let idle = member.flights.is_empty();
        vgpu.with_model(|model| {
            let mut occupancy = self.occupancy.lock();
            if idle {
                occupancy.set_paging(context.id(), paging);
            }
            occupancy.add_written(context.id(), &launch.written);
            occupancy.refresh(context.id(), |offset| model.register(offset));
        });
        let urgency = if urgent {
            Urgency::Urgent
        } else {
            Urgency::Normal
        };
        match context.submit(&launch.commands, urgency, self.bell.clone()) {
            Ok(request) => {
                trace::submitted(member.id, self.id, urgent);
                // There is room: the queue has seen how many there are.
                let flight = Flight { request, urgent };
                let _ = member.flights.push_within_capacity(flight);
            }
            Err(_) => vgpu.complete(self.id, false, context),
        }
        true
    }
}
