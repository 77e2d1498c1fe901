// SPDX-License-Identifier: GPL-2.0

//! What a VMM asks of a virtual GPU beside its registers.

use super::{
    range_of,
    State,
    Vgpu, //
};
use gvt_kapi::{
    guest_warn,
    page::PageRef, //
};
use gvt_model::{
    display::plane::{
        Layer,
        Plane, //
    },
    irq::Vector,
    vgpu as model, //
};
use kernel::{
    mm::virt::VmaNew,
    prelude::*, //
};

impl Vgpu {
    /// Maps all of `vma`, `length` bytes, to page `page` of the device's file and those after it.
    ///
    /// # Errors
    ///
    /// `EINVAL` unless all of it is the guest's part of the aperture; `ENOMEM`; `ENODEV` if the
    /// device is removed.
    pub(crate) fn map_aperture(&self, vma: &VmaNew, page: u64, length: u64) -> Result {
        let partition = self.aperture.lock().clone().ok_or(ENODEV)?;
        let offset = model::mmap_range(range_of(partition.low())?, page, length)?;
        partition.low().aperture_mmap(vma, offset)
    }

    /// What a layer of the screen shows, and the number of it; `None` if it is off.
    ///
    /// # Errors
    ///
    /// `EINVAL` if it is something that cannot be told, for which the kernel log has the reason, or
    /// in memory that is not there; `ENOMEM`; `ENODEV` if the device is removed.
    pub(crate) fn plane(&self, layer: Layer) -> Result<Option<(Plane, u32)>> {
        let mut state = self.state();
        let State {
            model,
            session,
            claim,
            ..
        } = &mut *state;
        let claim = claim.as_ref().ok_or(ENODEV)?;
        let screen = &mut session.as_mut().ok_or(ENODEV)?.screen;
        let plane = model.plane(layer, claim.registers().platform());
        let plane = plane.map_err(|fault| {
            guest_warn!(
                self.warnings,
                claim.gpu().device(),
                "vGPU {}: {fault}, of which no VMM can be told\n",
                self.id
            );
            EINVAL
        })?;
        plane
            .map(|plane| Ok((plane, screen.number(model, &plane)?)))
            .transpose()
    }

    /// The pages of the plane with this number.
    ///
    /// # Errors
    ///
    /// `EINVAL` if no plane has that number, or its memory is used for something else by now;
    /// `ENOMEM`.
    pub(crate) fn pages(&self, number: u32) -> Result<KVVec<PageRef>> {
        let state = self.state();
        let session = state.session.as_ref().ok_or(EINVAL)?;
        session.screen.pages(number, &session.resources.frames)
    }

    /// Tells the VMM that the device is to be removed; says so in the log where nobody listens.
    pub(crate) fn ask_to_release(&self, count: u32) {
        if self.triggers.fire(Vector::Request) || count > 0 {
            return;
        }
        if let Some(claim) = &self.state().claim {
            dev_notice!(
                claim.gpu().device(),
                "kvmgt: vGPU {}: to be removed, but its user does not listen to the request interrupt; waiting for it to close\n",
                self.id
            );
        }
    }
}
