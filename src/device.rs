// SPDX-License-Identifier: GPL-2.0

//! One host GPU: which types of virtual GPUs it offers, and what of it is given away.

use crate::{
    debugfs::{
        self,
        GpuFolder, //
    },
    dispatch::{
        Dispatch,
        Pause, //
    },
    instance::Instance,
    partition::Partition, //
};
use gvt_kapi::{
    i915::{
        engine::engines,
        ops::DeviceModel,
        Gpu, //
    },
    mdev,
    sleep, //
};
use gvt_model::{
    engine::{
        EngineId,
        EngineMap,
        Engines, //
    },
    golden::{
        Golden,
        Identity, //
    },
    mmio::map::RegisterMap,
    platform::{
        Platform,
        CONFIG_SIZE,
        MAX_VGPUS, //
    },
    sched::Timing,
    types::{
        HostResources,
        Pool,
        Shortage,
        TypeConf,
        VgpuId,
        HOST_RESERVE, //
    },
};
use kernel::{
    firmware::Firmware,
    new_mutex,
    prelude::*,
    str::CString,
    sync::{
        Arc,
        Mutex, //
    },
};

/// The device model that is registered with i915.
pub(crate) struct Model;

/// What is the same for all GPUs.
pub(crate) struct Settings {
    pub(crate) driver: Arc<mdev::Registration<Instance>>,
    pub(crate) timing: Timing,
}

impl DeviceModel for Model {
    type Context = Settings;
    type Device = Offer;

    fn init(settings: &Settings, gpu: Arc<Gpu>) -> Result<Offer> {
        Offer::new(settings, gpu.clone()).inspect_err(|error| {
            dev_err!(
                gpu.device(),
                "kvmgt: cannot offer virtual GPUs: {error:?}\n"
            );
        })
    }

    // What a virtual GPU has in the hardware i915 does not restore.
    fn resume(offer: &Offer) {
        offer.device.restore();
    }
}

/// The types that a host GPU offers.
pub(crate) struct Offer {
    // Dropped first: this removes all virtual GPUs.
    _parent: Pin<KBox<mdev::Parent<Instance>>>,
    _pause: Pin<KBox<sleep::Watch<Pause>>>,
    device: Arc<GvtDevice>,
}

impl Offer {
    fn new(settings: &Settings, gpu: Arc<Gpu>) -> Result<Self> {
        let device = Arc::pin_init(GvtDevice::new(gpu, settings.timing)?, GFP_KERNEL)?;
        let mut kinds = KVec::new();
        for conf in device.registry.lock().pool.listed() {
            let name = CString::try_from_fmt(fmt!("{}", conf.name(device.platform)))?;
            kinds.push(
                (
                    name,
                    Kind {
                        device: device.clone(),
                        conf,
                    },
                ),
                GFP_KERNEL,
            )?;
        }
        if kinds.is_empty() {
            let host = &device.host;
            dev_warn!(
                device.gpu.device(),
                "kvmgt: no type of virtual GPU fits into an aperture of {} MB, of which the host keeps {} MB; choose a \
                 larger one in the firmware's set-up\n",
                host.aperture >> 20,
                HOST_RESERVE.low >> 20
            );
        }
        let pause = sleep::watch(Pause {
            dispatch: device.dispatch.clone(),
            gpu: device.gpu.clone(),
        });
        let parent = mdev::Parent::new(device.gpu.device(), settings.driver.clone(), kinds);
        Ok(Self {
            _pause: KBox::pin_init(pause, GFP_KERNEL)?,
            _parent: KBox::pin_init(parent, GFP_KERNEL)?,
            device: device.clone(),
        })
    }
}

/// A type of virtual GPU on one host GPU.
pub(crate) struct Kind {
    pub(crate) device: Arc<GvtDevice>,
    pub(crate) conf: &'static TypeConf,
}

/// A host GPU that has virtual ones.
#[pin_data]
pub(crate) struct GvtDevice {
    pub(crate) gpu: Arc<Gpu>,
    pub(crate) platform: Platform,
    pub(crate) registers: RegisterMap,
    pub(crate) debugfs: GpuFolder,
    pub(crate) dispatch: Arc<Dispatch>,
    /// Configuration space after power-on.
    config: KVec<u8>,
    host: HostResources,
    #[pin]
    registry: Mutex<Registry>,
}

/// What is given away, and to whom.
struct Registry {
    pool: Pool,
    holders: KVec<Holder>,
}

/// A virtual GPU.
struct Holder {
    id: VgpuId,
    partition: Arc<Partition>,
    /// The machine that has it open, by [`gvt_kapi::kvm::Kvm::id`].
    machine: Option<usize>,
}

impl GvtDevice {
    fn new(gpu: Arc<Gpu>, timing: Timing) -> Result<impl PinInit<Self>> {
        let platform = gpu.platform().ok_or(ENODEV)?;
        let host = HostResources {
            aperture: gpu.aperture_size(),
            ggtt_total: gpu.ggtt_size(),
            fences: gpu.fence_count(),
        };
        let engines = engines(&gpu)
            .filter_map(|engine| EngineId::from_mmio_base(engine.mmio_base()))
            .fold(Engines::NONE, Engines::with);
        let mut config = KVec::new();
        let (seen, registers) = (gpu.initial_config(), gpu.initial_registers());
        let identity = Identity::of(seen);
        let file = golden_file(&gpu, identity);
        let golden = file
            .as_ref()
            .and_then(|file| usable(&gpu, file.data(), identity));
        let (seen, registers) = golden.map_or((seen, &registers[..]), |golden| {
            (golden.config, golden.registers)
        });
        config.extend_from_slice(seen, GFP_KERNEL)?;
        let registers = RegisterMap::new(platform, engines, registers)?;
        let debugfs = debugfs::of_gpu(&gpu, &registers)?;
        let dispatch = Arc::new(Dispatch::new(&gpu, platform, timing)?, GFP_KERNEL)?;
        let holders = KVec::with_capacity(MAX_VGPUS, GFP_KERNEL)?;
        let registry = Registry {
            pool: Pool::new(&host),
            holders,
        };
        Ok(pin_init!(Self {
            gpu,
            platform,
            registers,
            debugfs,
            dispatch,
            config,
            host,
            registry <- new_mutex!(registry),
        }))
    }

    /// How many more virtual GPUs of a type can be created.
    pub(crate) fn available(&self, conf: &TypeConf) -> u32 {
        self.registry.lock().pool.available(conf)
    }

    /// Writes the page table entries and the fences of all virtual GPUs again, which a suspend of the
    /// host has lost.
    fn restore(&self) {
        self.gpu.note_sleep();
        let awake = self.gpu.wake();
        for holder in self.registry.lock().holders.iter() {
            holder.partition.restore(&awake);
        }
    }

    /// Notes that a virtual GPU is opened by a machine, by [`gvt_kapi::kvm::Kvm::id`], until the
    /// result is dropped.
    ///
    /// # Errors
    ///
    /// `EEXIST` if the machine has another one open: i915 in a guest drives one GPU of this kind.
    pub(crate) fn attach(self: Arc<Self>, id: VgpuId, machine: usize) -> Result<Attachment> {
        let mut registry = self.registry.lock();
        if registry
            .holders
            .iter()
            .any(|holder| holder.machine == Some(machine))
        {
            return Err(EEXIST);
        }
        registry.set_machine(id, Some(machine));
        drop(registry);
        Ok(Attachment { device: self, id })
    }
}

/// The file with the state of this GPU after power-on, if an administrator has put one where firmware
/// is.
fn golden_file(gpu: &Gpu, identity: Identity) -> Option<Firmware> {
    let name = CString::try_from_fmt(fmt!("i915/gvt/{identity}.golden_hw_state")).ok()?;
    Firmware::request_nowarn(&name, gpu.device()).ok()
}

/// What the file holds; one line tells whether it is used.
fn usable<'a>(gpu: &Gpu, file: &'a [u8], identity: Identity) -> Option<Golden<'a>> {
    let name = "golden_hw_state";
    match Golden::parse(file, identity) {
        Ok(golden) => {
            dev_info!(
                gpu.device(),
                "kvmgt: virtual GPUs begin as {name} of {identity} says\n"
            );
            Some(golden)
        }
        Err(flaw) => {
            dev_warn!(
                gpu.device(),
                "kvmgt: {name} of {identity} is not used: {flaw}; save another one, or remove it\n"
            );
            None
        }
    }
}

impl Registry {
    fn set_machine(&mut self, id: VgpuId, machine: Option<usize>) {
        for holder in self.holders.iter_mut().filter(|holder| holder.id == id) {
            holder.machine = machine;
        }
    }
}

/// What a virtual GPU has of the host GPU; it is given back when this is dropped.
pub(crate) struct Claim {
    device: Arc<GvtDevice>,
    pub(crate) id: VgpuId,
    pub(crate) partition: Arc<Partition>,
    // Dropped last: who is offered what is free finds it free.
    _taken: Taken,
}

/// What a virtual GPU has of the pool.
struct Taken {
    device: Arc<GvtDevice>,
    id: VgpuId,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.device.registry.lock().pool.put(self.id);
    }
}

impl Claim {
    /// Takes an id, graphics memory and fences for a virtual GPU of this type.
    ///
    /// # Errors
    ///
    /// `ENOSPC` if something is short, which is told in the kernel log; `EIO` if the host GPU is wedged; `ENOMEM`.
    pub(crate) fn new(device: &Arc<GvtDevice>, conf: &'static TypeConf) -> Result<Self> {
        let log = device.gpu.device();
        let name = conf.name(device.platform);
        if device.gpu.is_wedged() {
            dev_err!(
                log,
                "kvmgt: no {name}: i915 has given its GPU up after a failed reset\n"
            );
            return Err(EIO);
        }
        let taken = device.registry.lock().pool.take(conf);
        let id = taken.map_err(|shortage: Shortage| {
            dev_err!(log, "kvmgt: no {name}: {shortage}\n");
            ENOSPC
        })?;
        let _taken = Taken {
            device: device.clone(),
            id,
        };
        let partition = Partition::new(&device.gpu, conf)
            .and_then(|partition| Arc::pin_init(partition, GFP_KERNEL))
            .inspect_err(|error| {
                dev_err!(
                    log,
                    "kvmgt: no {name}: i915 makes no room for {} MB of aperture and {} MB of other graphics memory in \
                     one piece each ({error:?})\n",
                    conf.low >> 20,
                    conf.high >> 20
                );
            })?;
        let claim = Self {
            device: device.clone(),
            id,
            partition: partition.clone(),
            _taken,
        };
        // From here on dropping the claim gives everything back.
        let holder = Holder {
            id,
            partition,
            machine: None,
        };
        device.registry.lock().holders.push(holder, GFP_KERNEL)?;
        Ok(claim)
    }

    /// i915 on the host GPU.
    pub(crate) fn gpu(&self) -> &Arc<Gpu> {
        &self.device.gpu
    }

    /// Configuration space of the host GPU after power-on.
    ///
    /// # Errors
    ///
    /// `EINVAL` if it had another size, which it has not.
    pub(crate) fn host_config(&self) -> Result<&[u8; CONFIG_SIZE]> {
        <&[u8; CONFIG_SIZE]>::try_from(&*self.device.config).map_err(|_| EINVAL)
    }

    /// Bytes of the images of contexts, for each engine.
    pub(crate) fn context_sizes(&self) -> EngineMap<u32> {
        let mut sizes = EngineMap::default();
        for engine in engines(&self.device.gpu) {
            if let Some(id) = EngineId::from_mmio_base(engine.mmio_base()) {
                *sizes.get_mut(id) = engine.context_size();
            }
        }
        sizes
    }

    /// The registers of the host GPU's virtual ones.
    pub(crate) fn registers(&self) -> &RegisterMap {
        &self.device.registers
    }

    /// The host GPU.
    pub(crate) fn host(&self) -> Arc<GvtDevice> {
        self.device.clone()
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut registry = self.device.registry.lock();
        registry.holders.retain(|holder| holder.id != self.id);
    }
}

/// A machine that has a virtual GPU open.
pub(crate) struct Attachment {
    device: Arc<GvtDevice>,
    id: VgpuId,
}

impl Drop for Attachment {
    fn drop(&mut self) {
        self.device.registry.lock().set_machine(self.id, None);
    }
}
