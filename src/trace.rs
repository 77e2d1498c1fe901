// SPDX-License-Identifier: GPL-2.0

//! What the tracepoints tell of virtual GPUs. Nothing is worked out that nobody listens to.

use gvt_kapi::trace;
use gvt_model::{
    effect::Effects,
    engine::EngineId,
    fault::Fault,
    interrupt,
    region::{
        Position,
        Region, //
    },
    types::VgpuId,
    vgpu as model, //
};
use kernel::{
    prelude::*,
    str::CString, //
};

/// A guest reads or writes `data` at this position; of BAR 0 that is told.
#[inline]
pub(crate) fn access(id: VgpuId, write: bool, at: Position, data: &[u8]) {
    if trace::wants_mmio() {
        tell_access(id, write, at, data);
    }
}

#[cold]
fn tell_access(id: VgpuId, write: bool, at: Position, data: &[u8]) {
    if at.region() == Some(Region::Bar0) {
        let bytes = data.iter().rev();
        let value = bytes.fold(0, |value: u64, byte| value << 8 | u64::from(*byte));
        let width = u32::try_from(data.len()).unwrap_or(u32::MAX);
        trace::mmio(id.get().into(), write, at.offset(), value, width);
    }
}

/// Writes, and tells of a register of the interrupt tree what became of it.
///
/// # Errors
///
/// As for [`model::Vgpu::write`].
#[inline]
pub(crate) fn write(
    id: VgpuId,
    model: &mut model::Vgpu,
    at: Position,
    data: &[u8],
    host: &mut model::Host<'_>,
) -> Result<(), Fault> {
    if trace::wants_write_ir() {
        tell_write(id, model, at, data, host)
    } else {
        model.write(at, data, host)
    }
}

#[cold]
fn tell_write(
    id: VgpuId,
    model: &mut model::Vgpu,
    at: Position,
    data: &[u8],
    host: &mut model::Host<'_>,
) -> Result<(), Fault> {
    let offset = u32::try_from(at.offset()).unwrap_or(u32::MAX) & !3;
    let name = interrupt::name_of(offset).filter(|_| at.region() == Some(Region::Bar0));
    let old = model.register(offset);
    model.write(at, data, host)?;
    if let Some(name) = name {
        let new = model.register(offset);
        trace::write_ir(id.get().into(), name, offset, new, old);
    }
    Ok(())
}

/// What happened that the guest is told of.
pub(crate) fn events(id: VgpuId, effects: &Effects) {
    let mut raised = effects.raised().peekable();
    if raised.peek().is_none() || !trace::wants_propagate_event() {
        return;
    }
    for (event, bit) in raised {
        if let Ok(event) = CString::try_from_fmt(fmt!("{event}")) {
            trace::propagate_event(id.get().into(), &event, (*bit).into());
        }
    }
}

/// The guest is interrupted, if anybody is there to do it.
pub(crate) fn message(id: VgpuId, sent: bool) {
    trace::inject_msi(id.get().into(), sent);
}

/// i915 was given work.
pub(crate) fn submitted(id: VgpuId, engine: EngineId) {
    trace::workload_submit(id.get().into(), engine.name());
}

/// i915 is through with work, and the virtual GPU has had the engine for so many nanoseconds in all.
pub(crate) fn completed(id: VgpuId, engine: EngineId, done: bool, time: u64) {
    trace::workload_complete(id.get().into(), engine.name(), done, time);
}
