// SPDX-License-Identifier: GPL-2.0

//! One virtual GPU: the model's state under its lock, and what it has of the host.

use crate::{
    device::{
        Attachment,
        Claim,
        GvtDevice, //
    },
    dispatch::{
        Dispatch,
        Membership,
        Share, //
    },
    display::{
        Clock,
        Heartbeat, //
    },
    env::{
        Env,
        Resources,
        Watcher, //
    },
    frames::Frames,
    irq::Triggers,
    partition::Partition,
    screen::Screen,
    shadows::Shadows,
    trace, //
};
use gvt_kapi::{
    doorbell::Doorbell,
    guest_warn,
    i915::{
        ggtt::Space,
        InUse, //
    },
    kvm::{
        Kvm,
        WriteTracker, //
    },
    ratelimit::RateLimit,
    vfio, //
};
use gvt_model::{
    addr::{
        GmRange,
        PAGE_SIZE, //
    },
    cap::Cap,
    edid::mode::Mode,
    effect::{
        Effects,
        Note, //
    },
    engine::EngineId,
    fault::Fault,
    frames::Touched,
    irq::Vector,
    mmio::map::RegisterMap,
    region::Position,
    types::{
        Resolution,
        TypeConf,
        VgpuId, //
    },
    vgpu as model, //
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Full,
            Release, //
        },
        Arc,
        Mutex,
        MutexGuard, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
};

mod vmm;
mod work;

/// For how many milliseconds a withdrawal of guest memory waits for the state; and for how many before who has that is
/// to hurry.
const WITHDRAWAL_PATIENCE: u32 = 500;
const WITHDRAWAL_CALM: u32 = 100;

/// A virtual GPU.
#[pin_data]
pub(crate) struct Vgpu {
    id: VgpuId,
    resolution: Resolution,
    #[pin]
    state: Mutex<State>,
    /// How many withdrawals of guest memory wait for the state.
    withdrawals: Atomic<i32>,
    /// How many of them have waited for long.
    pressing: Atomic<i32>,
    /// 1 if the last one has given up: VFIO asks again.
    declined: Atomic<i32>,
    /// Not in the state, as no guest and no VMM may keep an administrator from changing it.
    #[pin]
    share: Mutex<Share>,
    /// Its place among those that share the engines, from open to close. Not in the state: its thread may have that
    /// while it waits for memory, and only to drop this ends such a wait.
    #[pin]
    membership: Mutex<Option<Membership>>,
    /// The way of `mmap` to the aperture. The kernel calls that with the lock of the VMM's address
    /// space held, which whoever pins or copies guest memory takes under the lock of `state`.
    /// Nothing is done under this one but to look.
    #[pin]
    aperture: Mutex<Option<Arc<Partition>>>,
    #[pin]
    pub(crate) triggers: Triggers,
    dispatch: Arc<Dispatch>,
    /// Its thread waits there, if it has one.
    bell: Arc<Doorbell>,
    clock: Clock,
    #[pin]
    warnings: RateLimit,
}

/// What the lock of a virtual GPU protects.
struct State {
    model: KBox<model::Vgpu>,
    session: Option<Session>,
    /// What the access that is under way makes happen; empty in between.
    effects: Effects,
    /// `None` once the device is removed: nothing of the host belongs to it any more.
    claim: Option<Claim>,
}

impl State {
    fn withdraw(&mut self, start: u64, length: u64, clock: Clock) {
        let (Some(Session { resources, .. }), Some(claim)) = (&mut self.session, &self.claim)
        else {
            return;
        };
        let end = start.saturating_add(length).div_ceil(PAGE_SIZE);
        let gone = start / PAGE_SIZE..end;
        let touched = resources.frames.pinned.touch(&gone);
        if matches!(touched, Touched::Nowhere) {
            return;
        }
        resources.frames.pause();
        // What only the GPU may remember has no entry that leads to it: nobody else's tables need go.
        if matches!(touched, Touched::InUse) {
            self.model.withdraw(
                start,
                length,
                &mut Env::new(resources, claim.gpu(), &claim.partition, clock),
            );
        }
        resources.settle(claim.gpu(), &claim.partition, clock);
    }
}

/// What lasts from open to close.
struct Session {
    // Dropped first: what watches pages of the machine ends before another virtual GPU may take its place.
    resources: Resources,
    _attachment: Attachment,
    _in_use: InUse,
    heartbeat: Heartbeat,
    screen: Screen,
}

impl Vgpu {
    /// A virtual GPU of this type that has not been opened.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EINVAL` if the host's configuration space is not that of a GPU.
    pub(crate) fn new(claim: Claim, conf: &'static TypeConf) -> Result<impl PinInit<Self, Error>> {
        let id = claim.id;
        let gpu = claim.gpu();
        let partition = &claim.partition;
        let model = model::Vgpu::new(&model::Setup {
            registers: claim.registers(),
            id,
            host_config: claim.host_config()?,
            bar0_size: gpu.registers_size(),
            bar2_size: gpu.aperture_bar_size(),
            msi_cap: gpu.msi_capability(),
            low: range_of(partition.low())?,
            high: range_of(partition.high())?,
            fences: conf.fences,
            resolution: conf.resolution,
            context_sizes: &claim.context_sizes(),
        })?;
        let dispatch = claim.host().dispatch.clone();
        let bell = Arc::pin_init(Doorbell::new(), GFP_KERNEL)?;
        let aperture = partition.clone();
        let share = Share {
            weight: conf.default_weight()?,
            cap: Cap::NONE,
        };
        let state = State {
            model,
            session: None,
            effects: Effects::new(),
            claim: Some(claim),
        };
        Ok(pin_init!(Self {
            id,
            resolution: conf.resolution,
            state <- new_mutex!(state),
            withdrawals: Atomic::new(0),
            pressing: Atomic::new(0),
            declined: Atomic::new(0),
            share <- new_mutex!(share),
            membership <- new_mutex!(None),
            aperture <- new_mutex!(Some(aperture)),
            triggers <- Triggers::new(),
            dispatch,
            bell,
            clock: Clock::new(),
            warnings <- RateLimit::new(),
        }? Error))
    }

    /// Its number among those of the host GPU.
    pub(crate) fn id(&self) -> VgpuId {
        self.id
    }

    /// Rings for its thread: each engine has the button of its number.
    pub(crate) fn bell(&self) -> &Arc<Doorbell> {
        &self.bell
    }

    /// Its share of each engine.
    pub(crate) fn share(&self) -> Share {
        *self.share.lock()
    }

    /// Changes its share, from now on.
    pub(crate) fn change_share(&self, change: impl FnOnce(&mut Share)) {
        let mut share = self.share.lock();
        change(&mut share);
        self.dispatch.set_share(self.id, *share);
    }

    /// The native mode of the monitor, or at least its size.
    pub(crate) fn mode(&self) -> Result<Mode, Resolution> {
        self.state().model.mode().ok_or(self.resolution)
    }

    /// Gives the virtual GPU a monitor with this native mode; a guest that runs is told.
    ///
    /// # Errors
    ///
    /// `EINVAL` if it cannot have such a monitor, for which the kernel log has the reason;
    /// `ENODEV` if the device is removed.
    pub(crate) fn set_mode(&self, text: &[u8]) -> Result {
        let mut effects = Effects::new();
        let mut state = self.state();
        let State { model, claim, .. } = &mut *state;
        let claim = claim.as_ref().ok_or(ENODEV)?;
        let set = Mode::parse(text)
            .and_then(|mode| model.set_mode(&mode, claim.registers(), &mut effects));
        if let Err(defect) = &set {
            let device = claim.gpu().device();
            dev_err!(
                device,
                "kvmgt: vGPU {}: no other resolution: {defect}\n",
                self.id
            );
        }
        drop(state);
        self.perform(&effects);
        set.map_err(|_| EINVAL)
    }

    /// Begins a session with the machine that opens the device.
    ///
    /// # Errors
    ///
    /// `ESRCH` without a machine, or if it is another process's; `EEXIST` if the machine has a virtual GPU; `ENOMEM`;
    /// `ENODEV` if the device is removed.
    pub(crate) fn start(&self, vfio: Arc<vfio::Session<Self>>, kvm: Option<Kvm>) -> Result {
        let kvm = kvm.ok_or(ESRCH)?;
        let host = self.host()?;
        // Of the last session's, if it ended so.
        self.declined.store(0, Release);
        // Both without the lock: the registry's comes before it, and KVM waits for callbacks that
        // may want it.
        let gpu = host.gpu.clone();
        let attachment = host.attach(self.id, kvm.id())?;
        let watcher = Watcher(vfio.clone());
        let resources = Resources {
            tracker: KBox::pin_init(WriteTracker::new(kvm, watcher), GFP_KERNEL)?,
            frames: Frames::new(),
            shadows: Shadows::new(&gpu)?,
            exposed: false,
            vfio: vfio.clone(),
        };
        let heartbeat = Heartbeat::new(vfio.clone())?;
        let in_use = InUse::new(&gpu)?;
        let membership = Membership::new(&self.dispatch, self.id, self.share(), &vfio)?;
        // It may have been changed in between.
        self.change_share(|_| ());
        let mut state = self.state();
        state.session = Some(Session {
            resources,
            _attachment: attachment,
            _in_use: in_use,
            heartbeat,
            screen: Screen::new(),
        });
        drop(state);
        *self.membership.lock() = Some(membership);
        Ok(())
    }

    /// Ends the session.
    pub(crate) fn stop(&self) {
        // Without the lock: it ends when the GPU has no work of this one any more, and to take that over
        // the lock is needed.
        let membership = self.membership.lock().take();
        drop(membership);
        let session = {
            let mut state = self.state();
            let State {
                model,
                session,
                claim,
                ..
            } = &mut *state;
            if let (Some(session), Some(claim)) = (&mut *session, &*claim) {
                let resources = &mut session.resources;
                let mut env = Env::new(resources, claim.gpu(), &claim.partition, self.clock);
                model.close(claim.registers(), &mut env);
            }
            // Before the pages that the entries point at are let go.
            if let Some(claim) = claim {
                claim.partition.scrub();
                if let Some(session) = session {
                    session
                        .resources
                        .clear(claim.gpu(), &claim.partition, self.clock);
                }
            }
            state.session.take()
        };
        // KVM waits for callbacks to end, and so does the alarm; those may want the lock.
        drop(session);
        self.triggers.clear();
    }

    /// Gives back what belongs to the host GPU.
    pub(crate) fn retire(&self) {
        let claim = self.state().claim.take();
        let aperture = self.aperture.lock().take();
        drop(aperture);
        self.dispatch.forget(self.id);
        // The registry's lock comes before that of a virtual GPU.
        drop(claim);
    }

    /// Puts the device into the state after power-on.
    ///
    /// # Errors
    ///
    /// `ENODEV` if the device is removed.
    pub(crate) fn reset(&self) -> Result {
        let mut state = self.state();
        let State {
            model,
            session,
            claim,
            ..
        } = &mut *state;
        let claim = claim.as_ref().ok_or(ENODEV)?;
        // Without a session it is as after a reset already.
        if let Some(session) = session {
            let resources = &mut session.resources;
            model.reset(
                claim.registers(),
                &mut Env::new(resources, claim.gpu(), &claim.partition, self.clock),
            );
            claim.partition.scrub();
            session
                .resources
                .clear(claim.gpu(), &claim.partition, self.clock);
            session.heartbeat.set(self.clock, model.next_blank());
        }
        drop(state);
        for engine in EngineId::ALL {
            self.dispatch.cancel(engine, self.id);
        }
        Ok(())
    }

    /// Calls `body` with the model.
    pub(crate) fn with_model<R>(&self, body: impl FnOnce(&model::Vgpu) -> R) -> R {
        body(&self.state().model)
    }

    /// Whether a machine has it open.
    pub(crate) fn is_open(&self) -> bool {
        self.state().session.is_some()
    }

    /// How many frames of guest memory its graphics memory is in.
    pub(crate) fn frames_in_use(&self) -> usize {
        let state = self.state();
        let session = state.session.as_ref();
        session.map_or(0, |session| session.resources.frames.pinned.count())
    }

    /// Begins to count accesses to each register, or ends that.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn count_accesses(&self, wanted: bool) -> Result {
        self.state().model.count_accesses(wanted)
    }

    /// The host GPU.
    ///
    /// # Errors
    ///
    /// `ENODEV` if the device is removed.
    pub(crate) fn host(&self) -> Result<Arc<GvtDevice>> {
        Ok(self.state().claim.as_ref().ok_or(ENODEV)?.host())
    }

    /// The registers in `map` as the guest sees them, by offset.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn registers(&self, map: &RegisterMap) -> Result<KVVec<(u32, u32)>> {
        let mut registers = KVVec::with_capacity(map.offsets().count(), GFP_KERNEL)?;
        let state = self.state();
        for offset in map.offsets() {
            registers.push((offset, state.model.register(offset)), GFP_KERNEL)?;
        }
        Ok(registers)
    }

    /// Reads a naturally aligned piece of a region.
    ///
    /// # Errors
    ///
    /// `EFAULT` for what was asked wrongly, and what the host's failure was otherwise; the reason is in the kernel log.
    pub(crate) fn read(&self, at: Position, data: &mut [u8]) -> Result {
        self.access(|model, host| {
            model.read(at, data, host)?;
            trace::access(self.id, false, at, data);
            Ok(())
        })
    }

    /// Writes a naturally aligned piece of a region.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    pub(crate) fn write(&self, at: Position, data: &[u8]) -> Result {
        self.access(|model, host| {
            trace::access(self.id, true, at, data);
            trace::write(self.id, model, at, data, host)
        })
    }

    /// Does what the display has to do by now.
    pub(crate) fn run_display(&self) {
        // It fails if the device was closed in the meantime, and then there is nothing to do.
        let _ = self.access(|model, host| {
            model.run_display(host);
            Ok(())
        });
    }

    #[inline]
    fn access(
        &self,
        body: impl FnOnce(&mut model::Vgpu, &mut model::Host<'_>) -> Result<(), Fault>,
    ) -> Result {
        let mut state = self.state();
        let State {
            model,
            session,
            claim,
            effects,
            ..
        } = &mut *state;
        let Session { resources, .. } = session.as_mut().ok_or(EFAULT)?;
        let claim = claim.as_ref().ok_or(EFAULT)?;
        let result = body(
            model,
            &mut model::Host {
                registers: claim.registers(),
                env: &mut Env::new(resources, claim.gpu(), &claim.partition, self.clock),
                effects,
            },
        );
        // Most accesses do nothing but to read or to store.
        if result.is_ok() && effects.is_empty() {
            return Ok(());
        }
        self.conclude(state, result)
    }

    /// Does what an access wants done, and tells of it.
    #[inline(never)]
    fn conclude(&self, mut state: MutexGuard<'_, State>, result: Result<(), Fault>) -> Result {
        let State {
            model,
            session,
            claim,
            effects,
            ..
        } = &mut *state;
        let effects = effects.take();
        let result = result.map_err(|fault| {
            if let Some(claim) = claim {
                guest_warn!(
                    self.warnings,
                    claim.gpu().device(),
                    "vGPU {}: {fault}\n",
                    self.id
                );
            }
            fault.errno()
        });
        if let (true, Some(session)) = (effects.retimes(), session) {
            session.heartbeat.set(self.clock, model.next_blank());
        }
        if let (Some(_), Some(claim)) = (effects.notes().next(), claim) {
            self.log(claim, &effects);
        }
        drop(state);
        self.perform(&effects);
        result
    }

    /// Tells what an access has shown of the guest.
    #[cold]
    fn log(&self, claim: &Claim, effects: &Effects) {
        let device = claim.gpu().device();
        for note in effects.notes() {
            match note {
                // Every guest does that: it is no fault.
                Note::Untracked { .. } if self.warnings.allows(c"kvmgt") => {
                    dev_info!(device, "vGPU {}: {note}\n", self.id);
                }
                Note::Untracked { .. } => {}
                Note::Refused { .. } | Note::Hang { .. } | Note::Failsafe(_) => {
                    guest_warn!(self.warnings, device, "vGPU {}: {note}\n", self.id);
                }
            }
        }
    }

    /// Does what an access wants done; the lock must not be held.
    fn perform(&self, effects: &Effects) {
        trace::events(self.id, effects);
        if effects.injects_msi() {
            let sent = self.triggers.fire(Vector::Msi);
            trace::message(self.id, sent);
        }
        for engine in effects.cancels().iter() {
            self.dispatch.cancel(engine, self.id);
        }
        for engine in effects.kicks().iter() {
            self.bell.press(engine.number());
        }
    }

    /// The state, once no withdrawal wants it.
    fn state(&self) -> MutexGuard<'_, State> {
        while self.withdrawals.load(Acquire) > 0 {
            fsleep(Delta::from_micros(100));
        }
        self.state.lock()
    }

    /// Whether a withdrawal of guest memory has waited for long.
    pub(crate) fn is_pressed(&self) -> bool {
        self.pressing.load(Acquire) > 0 || self.declined.load(Acquire) > 0
    }

    /// `length` bytes of guest memory at `start` are taken away: lets go of the pages in it.
    ///
    /// VFIO calls this with a lock held that others wait for while they hold the one that pinning
    /// takes, under our own. So it may not wait for the state for ever; VFIO asks again if pages are
    /// still pinned afterwards. It may neither fail often, as VFIO then gives the whole machine up:
    /// everybody else stands back meanwhile, and whoever has the state does nothing that takes long until
    /// it has been let go.
    ///
    /// All of the memory is taken away when iommufd changes the address space. It asks for that once, and with no such lock.
    pub(crate) fn withdraw(&self, start: u64, length: u64) {
        let asked_once = start == 0 && length == u64::MAX;
        self.withdrawals.fetch_add(1, Full);
        let mut presses = false;
        let mut waited = 0u32;
        let declined = loop {
            if let Some(mut state) = self.state.try_lock() {
                state.withdraw(start, length, self.clock);
                break false;
            }
            if waited >= WITHDRAWAL_PATIENCE && !asked_once {
                break true;
            }
            if waited == WITHDRAWAL_CALM {
                presses = true;
                self.pressing.fetch_add(1, Full);
            }
            waited = waited.saturating_add(1);
            fsleep(Delta::from_millis(1));
        };
        self.declined.store(declined.into(), Release);
        if presses {
            self.pressing.fetch_sub(1, Full);
        }
        self.withdrawals.fetch_sub(1, Full);
    }
}

/// A part of graphics memory as the model knows it.
fn range_of(space: &Space) -> Result<GmRange> {
    GmRange::new(space.start(), space.size())
}
