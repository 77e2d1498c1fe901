// SPDX-License-Identifier: GPL-2.0

//! The work of all virtual GPUs on all engines of a GPU.
//!
//! Each virtual GPU has a thread of its own. It sleeps until there is news: the guest has submitted something,
//! i915 is through with something, or its context got off an engine. Then it takes over what is done and
//! prepares what comes next. Whose turn it is decides [`Queue`](gvt_model::sched::Queue), by the GPU time that each
//! has had; whoever brings news gives i915 what has its turn by that. For what is due at a time that is known each
//! engine has a thread too. Nobody waits for the GPU, and there is no tick.

mod engine;
mod member;
mod together;
mod worker;

use crate::vgpu::Vgpu;
use engine::Dispatcher;
use gvt_kapi::{
    doorbell::{
        Button,
        Doorbell, //
    },
    i915::{
        context::ContextId,
        engine::{
            engines,
            ContextNotifier,
            ContextWatcher,
            Engine,
            Switching, //
        },
        Gpu, //
    },
    kthread::{
        Body,
        OnWorker,
        Worker, //
    },
    sleep::Sleeper,
    vfio::Session, //
};
use gvt_model::{
    cap::Cap,
    engine::{
        EngineId,
        EngineMap, //
    },
    platform::Platform,
    sched::Timing,
    types::VgpuId,
    weight::Weight, //
};
use kernel::{
    prelude::*,
    str::CString,
    sync::{
        Arc,
        Completion, //
    },
    time::{
        delay::fsleep,
        Delta,
        Instant,
        Monotonic, //
    },
};
use together::Together;
use worker::Porter;

/// What a virtual GPU gets of each engine.
#[derive(Clone, Copy)]
pub(crate) struct Share {
    /// Relative to the others, when they want it too.
    pub(crate) weight: Weight,
    /// At most, whoever wants it.
    pub(crate) cap: Cap,
}

/// Tells a dispatcher which context is on the engine.
struct Watch(Arc<Dispatcher>);

impl ContextWatcher for Watch {
    fn switched(&self, context: ContextId, on: bool, switching: &Switching<'_>) {
        self.0.switched(context, on, switching);
    }
}

/// What the thread of an engine does.
struct Loop(Arc<Dispatcher>);

impl Body for Loop {
    fn run(self, on: &OnWorker) {
        while !on.should_stop() {
            self.0.wait(on);
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
    dispatcher: Arc<Dispatcher>,
    worker: Option<Worker<Loop>>,
}

impl Drop for Thread {
    fn drop(&mut self) {
        // It looks whether it should stop when somebody rings.
        self.dispatcher.kick();
        self.worker = None;
    }
}

/// The engines of a GPU.
pub(crate) struct Dispatch {
    gpu: Arc<Gpu>,
    desks: EngineMap<Option<Desk>>,
}

impl Dispatch {
    /// All engines that the GPU has.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    // What this needs of the stack is given back before the rest of the device is made.
    #[inline(never)]
    pub(crate) fn new(gpu: &Arc<Gpu>, platform: Platform, timing: Timing) -> Result<Self> {
        let mut desks = EngineMap::default();
        // i915 takes the engine from nothing that runs there. It can be asked only when it has set its engines up, which may be
        // yet to come.
        let together = match platform.info().graphics_version {
            ..=8 => Some(Together::new(timing)?),
            _ => None,
        };
        for engine in engines(gpu) {
            let Some(id) = EngineId::from_mmio_base(engine.mmio_base()) else {
                continue;
            };
            let together = together.clone();
            *desks.get_mut(id) = Some(Desk::new(&engine, id, platform, timing, together)?);
        }
        Ok(Self {
            gpu: gpu.clone(),
            desks,
        })
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
                desk.dispatcher.set_share(id, share);
            }
        }
    }

    /// A virtual GPU is no more: another one may get its number.
    pub(crate) fn forget(&self, id: VgpuId) {
        self.dispatchers()
            .for_each(|dispatcher| dispatcher.forget(id));
    }

    /// GPU time that a virtual GPU has had of an engine since it was opened, in nanoseconds.
    pub(crate) fn time(&self, engine: EngineId, id: VgpuId) -> Option<u64> {
        let desk = self.desks.get(engine).as_ref()?;
        Some(desk.dispatcher.time(id))
    }

    fn dispatchers(&self) -> impl Iterator<Item = &Dispatcher> {
        let desks = self.desks.iter();
        desks.filter_map(|(_, desk)| desk.as_ref().map(|desk| &*desk.dispatcher))
    }

    /// Waits until nobody has anything for the GPU, for so long at most.
    fn quiet(&self, patience: Delta) -> Result<(), VgpuId> {
        let begun = Instant::<Monotonic>::now();
        loop {
            let late = begun.elapsed() > patience;
            match self.dispatchers().find_map(Dispatcher::restless) {
                None => return Ok(()),
                Some(id) if late => return Err(id),
                Some(_) => fsleep(Delta::from_millis(1)),
            }
        }
    }
}

/// Keeps the engines from the guests' work while the machine sleeps. i915 waits for the GPU without end then, with all
/// processes frozen. So nothing of the guests' may be on it, and no thread may have a use for it.
pub(crate) struct Pause {
    pub(crate) dispatch: Arc<Dispatch>,
    pub(crate) gpu: Arc<Gpu>,
}

/// For how long the machine's sleep waits for work to end by itself, and then for that to be ended.
const PATIENCE: Delta = Delta::from_millis(1000);

impl Pause {
    fn resume(&self, slept: bool) {
        for dispatcher in self.dispatch.dispatchers() {
            dispatcher.resume(slept);
        }
    }
}

impl Sleeper for Pause {
    fn falls_asleep(&self) -> Result {
        self.dispatch.dispatchers().for_each(Dispatcher::pause);
        let quiet = self.dispatch.quiet(PATIENCE).or_else(|_| {
            self.dispatch.dispatchers().for_each(Dispatcher::cancel_all);
            self.dispatch.quiet(PATIENCE)
        });
        if let Err(id) = quiet {
            dev_err!(
                self.gpu.device(),
                "kvmgt: vGPU {}: its work does not end, or memory of its machine does not come; the host does not go to sleep. \
                 Try again, or end its VMM\n",
                id.get()
            );
            self.resume(false);
            return Err(EBUSY);
        }
        self.dispatch.dispatchers().for_each(Dispatcher::give_back);
        Ok(())
    }

    fn wakes_up(&self) {
        self.resume(true);
    }
}

impl Desk {
    fn new(
        engine: &Engine<'_>,
        id: EngineId,
        platform: Platform,
        timing: Timing,
        together: Option<Arc<Together>>,
    ) -> Result<Self> {
        let dispatcher = Dispatcher::new(engine, id, platform, timing, together)?;
        let _thread = Thread {
            dispatcher: dispatcher.clone(),
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
    bell: Arc<Doorbell>,
    gone: Arc<Completion>,
    worker: Option<Worker<Porter>>,
}

impl Membership {
    /// # Errors
    ///
    /// `ENOMEM`; `EINTR` if the task is to end.
    pub(crate) fn new(
        dispatch: &Arc<Dispatch>,
        id: VgpuId,
        share: Share,
        vgpu: &Arc<Session<Vgpu>>,
    ) -> Result<Self> {
        let mut this = Self {
            dispatch: dispatch.clone(),
            id,
            bell: vgpu.device().bell().clone(),
            gone: Arc::pin_init(Completion::new(), GFP_KERNEL)?,
            worker: None,
        };
        for (engine, desk) in dispatch.desks.iter() {
            if let Some(desk) = desk {
                let button = Button::new(&this.bell, engine.number());
                desk.dispatcher.join(id, share, button)?;
            }
        }
        let porter = Porter::new(id, vgpu, dispatch, &this.gone)?;
        let name = CString::try_from_fmt(fmt!("gvt:vgpu{}", id.get()))?;
        // Last: it ends when it has left all engines.
        this.worker = Some(Worker::spawn(&name, porter)?);
        Ok(this)
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        for (engine, desk) in self.dispatch.desks.iter() {
            if let Some(desk) = desk {
                desk.dispatcher.leave(self.id);
                self.bell.press(engine.number());
            }
        }
        match &self.worker {
            Some(worker) => {
                // It may wait for memory that comes when this has ended.
                worker.interrupt();
                self.gone.wait_for_completion();
            }
            // Without a thread there was no work.
            None => {
                for dispatcher in self.dispatch.dispatchers() {
                    let _ = dispatcher.task(self.id, false, true);
                }
            }
        }
    }
}
