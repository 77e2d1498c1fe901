// SPDX-License-Identifier: GPL-2.0

//! The work of all virtual GPUs on one engine: who gets it next, and what happens when it is done.
//!
//! Each engine has a thread of its own. It sleeps until there is news: a guest has submitted something,
//! i915 is through with something, or a context got off the engine. Then it takes over what is done and
//! gives i915 what comes next. It never waits for the GPU, and there is no tick. Whose turn it is decides
//! [`Queue`], by the GPU time that each has had.

use crate::{
    display::Clock,
    occupancy::Occupancy,
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
            ContextNotifier,
            ContextWatcher,
            Engine,
            Switching, //
        },
        request::{
            Request,
            Urgency, //
        },
        Gpu, //
    },
    kthread::{
        Body,
        OnWorker,
        Worker, //
    },
    vfio::Session, //
};
use gvt_model::{
    cap::Cap,
    engine::{
        EngineId,
        EngineMap, //
    },
    platform::{
        Platform,
        MAX_VGPUS, //
    },
    sched::Queue,
    types::VgpuId,
    weight::Weight, //
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

/// How much work i915 is given at a time: what runs, and what comes next.
const IN_FLIGHT: usize = 2;

/// What a virtual GPU gets of each engine.
#[derive(Clone, Copy)]
pub(crate) struct Share {
    /// Relative to the others, when they want it too.
    pub(crate) weight: Weight,
    /// At most, whoever wants it.
    pub(crate) cap: Cap,
}

/// Rings for an engine at a time.
struct Chime(Arc<Doorbell>);

impl Ring for Chime {
    fn ring(&self) {
        self.0.ring();
    }
}

/// One engine that virtual GPUs share.
#[pin_data]
pub(crate) struct Dispatcher {
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
    /// What takes the engine away from work that is to end; there is none before it is wanted.
    pulse: Option<Pulse>,
    /// The image of a new context of i915's; nothing before there is one.
    fresh: KVVec<u32>,
}

/// A context that has nothing to do, but urgently.
struct Pulse {
    context: Context,
    last: Option<Pin<KBox<Request>>>,
}

/// A virtual GPU that has a machine.
struct Member {
    id: VgpuId,
    vgpu: Arc<Session<Vgpu>>,
    /// What runs its work; there is none before it has any.
    context: Option<Context>,
    /// What i915 has, oldest first.
    flights: KVec<Pin<KBox<Request>>>,
    /// Somebody waits for it to have nothing.
    leaving: Option<Arc<Completion>>,
}

impl Dispatcher {
    fn new(engine: &Engine<'_>, id: EngineId, platform: Platform) -> Result<Arc<Self>> {
        let occupancy = Occupancy::new(platform, id)?;
        let bell = Arc::pin_init(Doorbell::new(), GFP_KERNEL)?;
        let state = State {
            members: KVec::with_capacity(MAX_VGPUS, GFP_KERNEL)?,
            queue: Queue::default(),
            alarm: Alarm::new(Chime(bell.clone()))?,
            pulse: None,
            fresh: KVVec::new(),
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

    /// A virtual GPU comes.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    fn join(&self, id: VgpuId, share: Share, vgpu: &Arc<Session<Vgpu>>) -> Result {
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
    fn leave(&self, id: VgpuId) {
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
        self.bell.ring();
        gone.wait_for_completion();
        self.try_leave(id);
    }

    /// Ends what i915 has of a virtual GPU.
    fn cancel(&self, id: VgpuId) {
        let mut state = self.state.lock();
        let State { members, pulse, .. } = &mut *state;
        let member = members.iter_mut().find(|member| member.id == id);
        let Some(member) = member.filter(|member| !member.flights.is_empty()) else {
            return;
        };
        let Some(context) = member.context.as_mut() else {
            return;
        };
        context.ban();
        // It is looked at when the engine changes contexts. If the work does not let the engine go, i915
        // resets that. Without memory for this i915's own heartbeat does it, some seconds later.
        if pulse.is_none() {
            let engine = self.engine();
            *pulse = engine.and_then(|engine| {
                let context = Context::new(&engine).ok()?;
                Some(Pulse {
                    context,
                    last: None,
                })
            });
        }
        if let Some(pulse) = pulse {
            let bell = self.bell.clone();
            pulse.last = pulse.context.submit(&[], Urgency::Pulse, bell).ok();
        }
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
    fn work(&self) {
        let mut state = self.state.lock();
        while self.finish(&mut state) | self.start(&mut state) {}
        let last = state.pulse.as_ref().and_then(|pulse| pulse.last.as_ref());
        if last.is_none_or(|last| last.is_done()) {
            state.pulse = None;
        }
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
            while member.flights.first().is_some_and(|first| first.is_done()) {
                let last = member.flights.len() == 1;
                let mut occupancy = self.occupancy.lock();
                if last && occupancy.is_on(context.id()) {
                    // The GPU has yet to save the context.
                    break;
                }
                let time = occupancy.take_time(context.id());
                drop(occupancy);
                queue.ran(member.id, time);
                let Ok(request) = member.flights.remove(0) else {
                    break;
                };
                let done = request.result().is_ok();
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
            fresh,
            ..
        } = state;
        let now = self.clock.now();
        queue.advance(now);
        let mut ready = [None; MAX_VGPUS];
        let mut capped = false;
        for (slot, member) in ready.iter_mut().zip(members.iter()) {
            let banned = member.context.as_ref().is_some_and(Context::is_banned);
            let room = member.flights.len() < IN_FLIGHT && member.leaving.is_none() && !banned;
            if room && member.vgpu.device().is_ready(self.id) {
                queue.set_active(member.id, true);
                if queue.is_capped(member.id) {
                    capped = true;
                } else {
                    *slot = Some(member.id);
                }
            }
        }
        let left = capped.then(|| queue.period_end().saturating_sub(now));
        alarm.set(left.map(|left| Delta::from_nanos(i64::try_from(left).unwrap_or(i64::MAX))));
        let Some(next) = queue.next(|id| ready.contains(&Some(id))) else {
            return false;
        };
        let mut flying = members.iter().filter(|member| !member.flights.is_empty());
        let flights: usize = { &mut flying }.map(|member| member.flights.len()).sum();
        let mut urgency = Urgency::Normal;
        if flights >= IN_FLIGHT
            || members
                .iter()
                .any(|member| member.id != next && !member.flights.is_empty())
        {
            // What runs has had time since it was asked last.
            for member in members.iter() {
                if let Some(context) = &member.context {
                    let time = self.occupancy.lock().take_time(context.id());
                    queue.ran(member.id, time);
                }
            }
            let behind = |member: &Member| {
                member.flights.is_empty() || member.id == next || queue.overtakes(next, member.id)
            };
            let overtakes = members.iter().all(behind)
                && members
                    .iter()
                    .all(|member| member.id != next || member.flights.is_empty());
            if overtakes {
                urgency = Urgency::Urgent;
            } else if flights >= IN_FLIGHT {
                return false;
            }
        }
        let member = members.iter_mut().find(|member| member.id == next);
        member.is_some_and(|member| self.launch(member, urgency, fresh))
    }

    /// Gives i915 the next work of a virtual GPU.
    fn launch(&self, member: &mut Member, urgency: Urgency, fresh: &mut KVVec<u32>) -> bool {
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
            return false;
        };
        context.set_addressing(launch.addressing);
        vgpu.with_model(|model| {
            let mut occupancy = self.occupancy.lock();
            occupancy.refresh(context.id(), |offset| model.register(offset));
        });
        match context.submit(&launch.commands, urgency, self.bell.clone()) {
            Ok(request) => {
                // There is room: `start` has looked.
                let _ = member.flights.push(request, GFP_KERNEL);
            }
            Err(_) => vgpu.complete(self.id, false, context),
        }
        true
    }
}

/// Tells a dispatcher which context is on the engine.
struct Watch(Arc<Dispatcher>);

impl ContextWatcher for Watch {
    fn switched(&self, context: ContextId, on: bool, switching: &Switching<'_>) {
        let known = self.0.occupancy.lock().switched(context, on, switching);
        if known && !on {
            self.0.bell.ring();
        }
    }
}

/// What the thread of an engine does.
struct Loop(Arc<Dispatcher>);

impl Body for Loop {
    fn run(self, on: &OnWorker) {
        while !on.should_stop() {
            self.0.bell.wait();
            self.0.work();
        }
    }
}

/// Where an engine's work is done.
struct Desk {
    dispatcher: Arc<Dispatcher>,
    _notifier: Pin<KBox<ContextNotifier<Watch>>>,
    _thread: Thread,
}

/// The thread of a dispatcher.
struct Thread {
    bell: Arc<Doorbell>,
    worker: Option<Worker<Loop>>,
}

impl Drop for Thread {
    fn drop(&mut self) {
        // It looks whether it should stop when somebody rings.
        self.bell.ring();
        self.worker = None;
    }
}

/// The engines of a GPU.
pub(crate) struct Dispatch {
    desks: EngineMap<Option<Desk>>,
}

impl Dispatch {
    /// All engines that the GPU has.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(gpu: &Arc<Gpu>, platform: Platform) -> Result<Self> {
        let mut desks = EngineMap::default();
        for engine in engines(gpu) {
            if let Some(id) = EngineId::from_mmio_base(engine.mmio_base()) {
                *desks.get_mut(id) = Some(Desk::new(&engine, id, platform)?);
            }
        }
        Ok(Self { desks })
    }

    /// There is work for an engine.
    pub(crate) fn kick(&self, id: EngineId) {
        if let Some(desk) = self.desks.get(id) {
            desk.dispatcher.bell.ring();
        }
    }

    /// Ends what i915 has of a virtual GPU for an engine.
    pub(crate) fn cancel(&self, engine: EngineId, id: VgpuId) {
        if let Some(desk) = self.desks.get(engine) {
            desk.dispatcher.cancel(id);
        }
    }

    /// A virtual GPU gets another share.
    pub(crate) fn set_share(&self, id: VgpuId, share: Share) {
        for (_, desk) in self.desks.iter() {
            if let Some(desk) = desk {
                let mut state = desk.dispatcher.state.lock();
                state.queue.set_weight(id, share.weight);
                state.queue.set_cap(id, share.cap);
                drop(state);
                desk.dispatcher.bell.ring();
            }
        }
    }

    /// GPU time that a virtual GPU has had of an engine since it was opened, in nanoseconds.
    pub(crate) fn time(&self, engine: EngineId, id: VgpuId) -> Option<u64> {
        let desk = self.desks.get(engine).as_ref()?;
        Some(desk.dispatcher.state.lock().queue.total(id))
    }

    fn leave(&self, id: VgpuId) {
        for (_, desk) in self.desks.iter() {
            if let Some(desk) = desk {
                desk.dispatcher.leave(id);
            }
        }
    }
}

impl Desk {
    fn new(engine: &Engine<'_>, id: EngineId, platform: Platform) -> Result<Self> {
        let dispatcher = Dispatcher::new(engine, id, platform)?;
        let _thread = Thread {
            bell: dispatcher.bell.clone(),
            worker: Some(Worker::spawn(name_of(id), Loop(dispatcher.clone()))?),
        };
        let watch = Watch(dispatcher.clone());
        let _notifier = KBox::pin_init(engine.watch(watch), GFP_KERNEL)?;
        Ok(Self {
            dispatcher,
            _notifier,
            _thread,
        })
    }
}

/// The name of an engine's thread.
fn name_of(id: EngineId) -> &'static CStr {
    match id {
        EngineId::Rcs0 => c"gvt:rcs0",
        EngineId::Bcs0 => c"gvt:bcs0",
        EngineId::Vcs0 => c"gvt:vcs0",
        EngineId::Vcs1 => c"gvt:vcs1",
        EngineId::Vecs0 => c"gvt:vecs0",
    }
}

/// A virtual GPU among those that share the engines, until this is dropped; that waits until i915 has
/// nothing of it any more.
pub(crate) struct Membership {
    dispatch: Arc<Dispatch>,
    id: VgpuId,
}

impl Membership {
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(
        dispatch: &Arc<Dispatch>,
        id: VgpuId,
        share: Share,
        vgpu: &Arc<Session<Vgpu>>,
    ) -> Result<Self> {
        let this = Self {
            dispatch: dispatch.clone(),
            id,
        };
        for (_, desk) in dispatch.desks.iter() {
            if let Some(desk) = desk {
                desk.dispatcher.join(id, share, vgpu)?;
            }
        }
        Ok(this)
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.dispatch.leave(self.id);
    }
}
