// SPDX-License-Identifier: GPL-2.0

//! The mediated devices that user space creates, and what sysfs shows of them.

use crate::{
    debugfs::{
        self,
        VgpuFolder, //
    },
    device::{
        Claim,
        Kind, //
    },
    vgpu::Vgpu, //
};
use gvt_kapi::{
    mdev,
    sysfs::{
        Attribute,
        Group, //
    },
    vfio, //
};
use gvt_model::{
    cap::Cap,
    weight::Weight, //
};
use kernel::{
    device::Device,
    fmt::{
        self,
        Write, //
    },
    prelude::*,
    str::Formatter, //
};

/// A mediated device: a virtual GPU that VFIO offers.
pub(crate) struct Instance {
    // Dropped first: they disappear before what they are about.
    _debugfs: VgpuFolder,
    vgpu: vfio::Registration<Vgpu>,
}

impl mdev::Driver for Instance {
    const NAME: &'static CStr = c"intel_vgpu_mdev";
    const DEVICE_API: &'static CStr = c"vfio-pci";
    const GROUPS: &'static [Group<Self>] = &[
        Group {
            name: c"",
            attributes: &[
                Attribute {
                    name: c"cap",
                    show: |instance, text| writeln!(text, "{}", instance.vgpu.share().cap),
                    store: Some(|instance, text| {
                        let cap = Cap::parse(text)?;
                        instance.vgpu.change_share(|share| share.cap = cap);
                        Ok(())
                    }),
                },
                Attribute {
                    name: c"weight",
                    show: |instance, text| writeln!(text, "{}", instance.vgpu.share().weight),
                    store: Some(|instance, text| {
                        let weight = Weight::parse(text)?;
                        instance.vgpu.change_share(|share| share.weight = weight);
                        Ok(())
                    }),
                },
                Attribute {
                    name: c"resolution",
                    show: |instance, text| match instance.vgpu.mode() {
                        Ok(mode) => writeln!(text, "{mode}"),
                        Err(resolution) => writeln!(text, "{resolution}"),
                    },
                    store: Some(|instance, text| instance.vgpu.set_mode(text)),
                },
            ],
        },
        Group {
            name: c"intel_vgpu",
            attributes: &[Attribute {
                name: c"vgpu_id",
                show: |instance, text| writeln!(text, "{}", instance.vgpu.id()),
                store: None,
            }],
        },
    ];

    type Kind = Kind;
    type Instance = Self;

    fn probe(device: &Device, kind: &Kind) -> Result<Self> {
        let claim = Claim::new(&kind.device, kind.conf)?;
        let vgpu = Vgpu::new(claim, kind.conf)?;
        let vgpu = vfio::Registration::new(device, vgpu)?;
        let _debugfs = debugfs::of_vgpu(&kind.device, &vgpu)?;
        Ok(Self { _debugfs, vgpu })
    }

    fn available(kind: &Kind) -> u32 {
        kind.device.available(kind.conf)
    }

    fn describe(kind: &Kind, text: &mut Formatter<'_>) -> fmt::Result {
        write!(text, "{}", kind.conf.description())
    }
}
