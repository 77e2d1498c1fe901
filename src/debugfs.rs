// SPDX-License-Identifier: GPL-2.0

//! What root can look at below `dri/<n>/gvt` in debugfs (gvt-spec 11).

use crate::{
    device::GvtDevice,
    vgpu::Vgpu,
    LocalModule, //
};
use gvt_kapi::{
    debugfs::{
        File,
        Folder, //
    },
    i915::Gpu,
    vfio::Device, //
};
use gvt_model::mmio::map::RegisterMap;
use kernel::{
    prelude::*,
    seq_file::SeqFile,
    seq_print,
    str::CString,
    sync::{
        aref::ARef,
        Arc, //
    },
};

/// The folder of a host GPU, which knows how many registers are modelled.
pub(crate) type GpuFolder = Folder<usize>;

/// The folder of a virtual GPU.
pub(crate) type VgpuFolder = Folder<ARef<Device<Vgpu>>>;

/// Status of a virtual GPU that a machine has open: bit 0, somebody is there; bit 1, it works.
const ATTACHED: u64 = 1 << 0;
const ACTIVE: u64 = 1 << 1;

const OF_GPU: &[File<usize>] = &[File {
    name: c"num_tracked_mmio",
    size: 0,
    show: |count, text| {
        seq_print!(text, "{count}\n");
        Ok(())
    },
    store: None,
}];

const OF_VGPU: &[File<ARef<Device<Vgpu>>>] = &[
    File {
        name: c"mmio_diff",
        size: 512 << 10,
        show: |vgpu, text| show_differences(vgpu, text),
        store: None,
    },
    File {
        name: c"status",
        size: 0,
        show: |vgpu, text| {
            let status = if vgpu.is_open() { ATTACHED | ACTIVE } else { 0 };
            seq_print!(text, "{status:#x}\n");
            Ok(())
        },
        store: None,
    },
    File {
        name: c"kvmgt_nr_cache_entries",
        size: 0,
        show: |vgpu, text| {
            seq_print!(text, "{}\n", vgpu.frames_in_use());
            Ok(())
        },
        store: None,
    },
    File {
        name: c"engines",
        size: 0,
        show: |vgpu, text| {
            seq_print!(text, "engine contexts gpu_time_us\n");
            for engine in vgpu.engines() {
                seq_print!(
                    text,
                    "{} {} {}\n",
                    engine.name(),
                    vgpu.with_model(|model| model.contexts_done(engine)),
                    vgpu.gpu_time(engine) / 1000
                );
            }
            Ok(())
        },
        store: None,
    },
    File {
        name: c"counters",
        size: 0,
        show: |vgpu, text| {
            for (name, count) in vgpu.with_model(|model| model.counters()).list() {
                seq_print!(text, "{name} {count}\n");
            }
            Ok(())
        },
        store: None,
    },
    File {
        name: c"accesses",
        size: 64 << 10,
        show: |vgpu, text| {
            seq_print!(text, "Offset   Reads      Writes\n");
            vgpu.with_model(|model| {
                for (offset, [reads, writes]) in model.accesses() {
                    seq_print!(text, "{offset:08x} {reads:<10} {writes}\n");
                }
            });
            Ok(())
        },
        store: Some(|vgpu, text| match text.trim_ascii() {
            b"1" => vgpu.count_accesses(true),
            b"0" => vgpu.count_accesses(false),
            _ => Err(EINVAL),
        }),
    },
];

/// The folder of a host GPU.
///
/// # Errors
///
/// `ENOMEM`.
pub(crate) fn of_gpu(gpu: &Arc<Gpu>, registers: &RegisterMap) -> Result<GpuFolder> {
    Folder::of_gpu::<LocalModule>(gpu, c"gvt", OF_GPU, &registers.offsets().count())
}

/// The folder of a virtual GPU.
///
/// # Errors
///
/// `ENOMEM`.
pub(crate) fn of_vgpu(device: &GvtDevice, vgpu: &Device<Vgpu>) -> Result<VgpuFolder> {
    let name = CString::try_from_fmt(fmt!("vgpu{}", vgpu.id()))?;
    device
        .debugfs
        .folder::<LocalModule, _>(&name, OF_VGPU, &vgpu.into())
}

/// The registers that the virtual GPU has otherwise than the hardware.
fn show_differences(vgpu: &Vgpu, text: &SeqFile) -> Result {
    let host = vgpu.host()?;
    let registers = vgpu.registers(&host.registers)?;
    let awake = host.gpu.wake();
    let mut differ = 0usize;
    seq_print!(text, "Offset   HW       vGPU     Diff\n");
    for (offset, value) in registers.iter().copied() {
        let hardware = awake.read(offset)?;
        if hardware != value {
            let bits = hardware ^ value;
            seq_print!(text, "{offset:08x} {hardware:08x} {value:08x} {bits:08x}\n");
            differ = differ.saturating_add(1);
        }
    }
    seq_print!(text, "Total: {}, Diff: {differ}\n", registers.len());
    Ok(())
}
