// SPDX-License-Identifier: GPL-2.0

//! What a virtual GPU has to do with the work of its guest.

use super::{
    State,
    Vgpu, //
};
use crate::env::Env;
use gvt_kapi::guest_warn;
use gvt_model::{
    addr::{
        Gfn,
        PAGE_SIZE, //
    },
    engine::EngineId,
    ports::ContextImage,
    vgpu as model,
    work::Launch, //
};
use kernel::prelude::*;

impl Vgpu {
    /// The engines that its GPU has.
    pub(crate) fn engines(&self) -> impl Iterator<Item = EngineId> + use<'_> {
        let present = |id: &EngineId| self.dispatch.time(*id, self.id).is_some();
        EngineId::ALL.into_iter().filter(present)
    }

    /// GPU time that it has had of an engine since it was opened, in nanoseconds.
    pub(crate) fn gpu_time(&self, engine: EngineId) -> u64 {
        self.dispatch.time(engine, self.id).unwrap_or(0)
    }

    /// Whether there is work of an engine that the GPU can be given now.
    pub(crate) fn is_ready(&self, engine: EngineId) -> bool {
        self.state().model.is_ready(engine)
    }

    /// Takes the next work of an engine, and calls `then` with it. See [`gvt_model::vgpu::Vgpu::launch`].
    pub(crate) fn launch<I: ContextImage>(
        &self,
        engine: EngineId,
        image: &mut I,
        fresh: &[u32],
        then: impl FnOnce(&model::Vgpu, &I, &Launch),
    ) -> Option<Launch> {
        let mut launch = None;
        // It fails if the device was closed in the meantime, and then there is nothing to do.
        let _ = self.access(|model, host| {
            launch = model.launch(engine, image, fresh, host);
            if let Some(launch) = &launch {
                then(model, image, launch);
            }
            Ok(())
        });
        launch
    }

    /// The host has no room for the work of an engine: to the guest the engine hangs.
    pub(crate) fn give_up(&self, engine: EngineId, error: Error) {
        if let Ok(host) = self.host() {
            guest_warn!(
                self.warnings,
                host.gpu.device(),
                "vGPU {}: i915 makes no context on {}: {error:?}\n",
                self.id,
                engine.name()
            );
        }
        let _ = self.access(|model, host| {
            model.give_up(engine, host);
            Ok(())
        });
    }

    /// The oldest work that was taken of an engine is through.
    pub(crate) fn complete(&self, engine: EngineId, done: bool, image: &dyn ContextImage) {
        let _ = self.access(|model, host| {
            model.complete(engine, done, image, host);
            Ok(())
        });
    }

    /// i915 has reset the GPU, which turns the fences off.
    pub(crate) fn restore_fences(&self) {
        let state = self.state();
        if let Some(claim) = &state.claim {
            claim.partition.restore_fences();
        }
    }

    /// The guest has written to a page that is watched.
    pub(crate) fn page_written(&self, gpa: u64) {
        let mut state = self.state();
        let State {
            model,
            session,
            claim,
            ..
        } = &mut *state;
        if let (Some(session), Some(claim)) = (session, claim) {
            let resources = &mut session.resources;
            let mut env = Env::new(resources, claim.gpu(), &claim.partition, self.clock);
            model.page_written(Gfn::new(gpa / PAGE_SIZE), &mut env);
        }
    }

    /// `count` pages of the guest's from `first` on are no memory any more.
    pub(crate) fn frames_removed(&self, first: u64, count: u64) {
        self.state().model.frames_removed(first, count);
    }
}
