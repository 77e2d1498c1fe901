// SPDX-License-Identifier: GPL-2.0

//! One virtual GPU: the model's state under its lock, and what it has of the host.

use crate::{
    device::{
        Attachment,
        Claim, //
    },
    env::Env,
    irq::Triggers, //
};
use gvt_kapi::{
    guest_warn,
    kvm::{
        Kvm,
        PageWatcher,
        WriteTracker, //
    },
    ratelimit::RateLimit,
    vfio::Opened, //
};
use gvt_model::{
    addr::GmRange,
    effect::{
        Effects,
        Note, //
    },
    fault::Fault,
    irq::Vector,
    region::Position,
    types::{
        TypeConf,
        VgpuId, //
    },
    vgpu as model,
    weight::Weight, //
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::Mutex, //
};

/// A virtual GPU.
#[pin_data]
pub(crate) struct Vgpu {
    id: VgpuId,
    #[pin]
    state: Mutex<State>,
    #[pin]
    pub(crate) triggers: Triggers,
    #[pin]
    warnings: RateLimit,
}

/// What the lock of a virtual GPU protects.
struct State {
    model: model::Vgpu,
    weight: Weight,
    /// Whether it was ever opened: then what mdevctl sets up beforehand stands.
    started: bool,
    session: Option<Session>,
    /// `None` once the device is removed: nothing of the host belongs to it any more.
    claim: Option<Claim>,
}

/// What lasts from open to close.
struct Session {
    // Dropped first: it ends before another virtual GPU may take its place in the machine.
    _tracker: Pin<KBox<WriteTracker<Untracked>>>,
    _attachment: Attachment,
}

/// Watches no page: a guest has no page tables of its own before its GPU runs work.
struct Untracked;

impl PageWatcher for Untracked {
    fn written(&self, _gpa: u64, _data: &[u8]) {}

    fn removed(&self, _gfn: u64, _count: u64) {}
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
            host_config: gpu.initial_config(),
            bar0_size: gpu.bar_size(0),
            bar2_size: gpu.bar_size(2),
            msi_cap: gpu.msi_capability(),
            low: GmRange::new(partition.low.start(), partition.low.size())?,
            high: GmRange::new(partition.high.start(), partition.high.size())?,
            fences: conf.fences,
            resolution: conf.resolution,
        })?;
        let state = State {
            model,
            weight: conf.default_weight()?,
            started: false,
            session: None,
            claim: Some(claim),
        };
        Ok(pin_init!(Self {
            id,
            state <- new_mutex!(state),
            triggers <- Triggers::new(),
            warnings <- RateLimit::new(),
        }? Error))
    }

    /// Its number among those of the host GPU.
    pub(crate) fn id(&self) -> VgpuId {
        self.id
    }

    /// Its share of each engine, relative to the others.
    pub(crate) fn weight(&self) -> Weight {
        self.state.lock().weight
    }

    /// Sets its share.
    ///
    /// # Errors
    ///
    /// `EBUSY` once it has been opened.
    pub(crate) fn set_weight(&self, weight: Weight) -> Result {
        let mut state = self.state.lock();
        if state.started {
            return Err(EBUSY);
        }
        state.weight = weight;
        Ok(())
    }

    /// Begins a session with the machine that opens the device.
    ///
    /// # Errors
    ///
    /// `ESRCH` without a machine, or if it is another process's; `EEXIST` if the machine has a virtual GPU; `ENOMEM`;
    /// `ENODEV` if the device is removed.
    pub(crate) fn start(&self, kvm: Option<Kvm>) -> Result {
        let kvm = kvm.ok_or(ESRCH)?;
        let host = self.state.lock().claim.as_ref().ok_or(ENODEV)?.host();
        // Both without the lock: the registry's comes before it, and KVM waits for callbacks that
        // may want it.
        let attachment = host.attach(self.id, kvm.id())?;
        let tracker = KBox::pin_init(WriteTracker::new(kvm, Untracked), GFP_KERNEL)?;
        let mut state = self.state.lock();
        state.session = Some(Session {
            _tracker: tracker,
            _attachment: attachment,
        });
        state.started = true;
        Ok(())
    }

    /// Ends the session.
    pub(crate) fn stop(&self) {
        let session = self.state.lock().session.take();
        // KVM waits for callbacks to end, and those may want the lock.
        drop(session);
        self.triggers.clear();
    }

    /// Gives back what belongs to the host GPU.
    pub(crate) fn retire(&self) {
        let claim = self.state.lock().claim.take();
        // The registry's lock comes before that of a virtual GPU.
        drop(claim);
    }

    /// Puts the device into the state after power-on.
    ///
    /// # Errors
    ///
    /// `ENODEV` if the device is removed.
    pub(crate) fn reset(&self) -> Result {
        let mut state = self.state.lock();
        let State { model, claim, .. } = &mut *state;
        let claim = claim.as_ref().ok_or(ENODEV)?;
        model.reset(claim.registers());
        claim.partition.scrub(&claim.gpu().wake());
        Ok(())
    }

    /// Calls `body` with the model.
    pub(crate) fn with_model<R>(&self, body: impl FnOnce(&model::Vgpu) -> R) -> R {
        body(&self.state.lock().model)
    }

    /// Reads a naturally aligned piece of a region.
    ///
    /// # Errors
    ///
    /// `EFAULT` for what was asked wrongly, and what the host's failure was otherwise; the reason is in the kernel log.
    pub(crate) fn read(&self, device: &Opened<'_, Self>, at: Position, data: &mut [u8]) -> Result {
        self.access(device, |model, host| model.read(at, data, host))
    }

    /// Writes a naturally aligned piece of a region.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    pub(crate) fn write(&self, device: &Opened<'_, Self>, at: Position, data: &[u8]) -> Result {
        self.access(device, |model, host| model.write(at, data, host))
    }

    fn access(
        &self,
        device: &Opened<'_, Self>,
        body: impl FnOnce(&mut model::Vgpu, &mut model::Host<'_>) -> Result<(), Fault>,
    ) -> Result {
        let mut effects = Effects::new();
        let mut state = self.state.lock();
        let State { model, claim, .. } = &mut *state;
        let claim = claim.as_ref().ok_or(EFAULT)?;
        let result = body(
            model,
            &mut model::Host {
                registers: claim.registers(),
                env: &mut Env {
                    device,
                    gpu: claim.gpu(),
                    partition: &claim.partition,
                },
                effects: &mut effects,
            },
        )
        .map_err(|fault| {
            guest_warn!(
                self.warnings,
                claim.gpu().device(),
                "vGPU {}: {fault}\n",
                self.id
            );
            fault.errno()
        });
        self.log(claim, &effects);
        drop(state);
        self.perform(&effects);
        result
    }

    /// Tells what an access has shown of the guest.
    fn log(&self, claim: &Claim, effects: &Effects) {
        let device = claim.gpu().device();
        for note in effects.notes() {
            match note {
                // Every guest does that: it is no fault.
                Note::Untracked { .. } if self.warnings.allows(c"kvmgt") => {
                    dev_info!(device, "vGPU {}: {note}\n", self.id);
                }
                Note::Untracked { .. } => {}
                Note::Refused { .. } | Note::Failsafe(_) => {
                    guest_warn!(self.warnings, device, "vGPU {}: {note}\n", self.id);
                }
            }
        }
    }

    /// Does what an access wants done; the lock must not be held.
    fn perform(&self, effects: &Effects) {
        if effects.injects_msi() {
            let sent = self.triggers.fire(Vector::Msi);
            gvt_kapi::trace::inject_msi(self.id.get().into(), sent);
        }
    }

    /// Maps `vma` to graphics memory from `offset` in BAR 2 on, which the model has found to be the
    /// guest's.
    ///
    /// # Errors
    ///
    /// `EINVAL` if it is not; `ENOMEM`; `ENODEV` if the device is removed.
    pub(crate) fn map_aperture(&self, vma: &kernel::mm::virt::VmaNew, offset: u64) -> Result {
        let state = self.state.lock();
        state
            .claim
            .as_ref()
            .ok_or(ENODEV)?
            .partition
            .low
            .aperture_mmap(vma, offset)
    }

    /// Tells the VMM that the device is to be removed; says so in the log where nobody listens.
    pub(crate) fn ask_to_release(&self, count: u32) {
        if self.triggers.fire(Vector::Request) || count > 0 {
            return;
        }
        if let Some(claim) = &self.state.lock().claim {
            dev_notice!(
                claim.gpu().device(),
                "vGPU {}: to be removed, but its user does not listen to the request interrupt; waiting for it to close\n",
                self.id
            );
        }
    }
}
