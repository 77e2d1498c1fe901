// SPDX-License-Identifier: GPL-2.0

//! The thread of a virtual GPU: what its work takes of the memory of its machine.
//!
//! That memory may be slow, or never come: a VMM can have it so. So only this thread waits for it, with no lock of an
//! engine, and whoever else shares the engines does not.

use super::{
    engine::Dispatcher,
    member::{
        Chance,
        Task, //
    },
    Dispatch, //
};
use crate::vgpu::Vgpu;
use gvt_kapi::{
    alarm::{
        Alarm,
        Ring, //
    },
    doorbell::Button,
    i915::image::Image,
    kthread::{
        Body,
        Interrupter,
        OnWorker, //
    },
    vfio::Session, //
};
use gvt_model::{
    engine::{
        EngineId,
        EngineMap, //
    },
    types::VgpuId, //
};
use kernel::{
    prelude::*,
    sync::{
        Arc,
        Completion,
        SetOnce, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
};

/// For how long work may be prepared, with all that is waited for. What of the VMM waits for the thread meanwhile, because
/// that has the state or a lock of VFIO's, cannot even be killed.
const PATIENCE: Delta = Delta::from_millis(20_000);

/// How often, and how long each time, the end of a reset is waited for.
const RESET_STEPS: usize = 200;
const RESET_STEP: Delta = Delta::from_millis(5);

/// Ends a wait of the thread.
struct Impatience(Arc<SetOnce<Interrupter>>);

impl Ring for Impatience {
    fn ring(&self) {
        if let Some(interrupter) = SetOnce::as_ref(&self.0) {
            interrupter.interrupt();
        }
    }
}

/// What the thread has.
pub(super) struct Porter {
    id: VgpuId,
    vgpu: Arc<Session<Vgpu>>,
    dispatch: Arc<Dispatch>,
    /// The images of its contexts.
    images: EngineMap<Option<Image>>,
    /// Told when it has left all engines.
    gone: Arc<Completion>,
    /// The thread, for the alarm.
    itself: Arc<SetOnce<Interrupter>>,
    /// Rings while memory is waited for in vain.
    alarm: Alarm<Impatience>,
    /// How often i915 had reset the GPU when the fences were written last.
    resets: u32,
}

impl Body for Porter {
    fn run(mut self, on: &OnWorker) {
        on.heed_interrupts();
        self.itself.populate(on.interrupter());
        let mut stays = EngineMap::new(|id| self.dispatch.desks.get(id).is_some());
        while stays.iter().any(|(_, stays)| *stays) {
            self.vgpu.device().bell().wait(on);
            self.follow_resets();
            for engine in EngineId::ALL {
                if self.vgpu.device().bell().was_pressed(engine.number()) {
                    *stays.get_mut(engine) &= self.serve(engine, on);
                }
            }
        }
        self.gone.complete_all();
    }
}

impl Porter {
    /// A virtual GPU has just come; `gone` is told when it has left all engines.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new(
        id: VgpuId,
        vgpu: &Arc<Session<Vgpu>>,
        dispatch: &Arc<Dispatch>,
        gone: &Arc<Completion>,
    ) -> Result<Self> {
        let itself = Arc::new(SetOnce::new(), GFP_KERNEL)?;
        Ok(Self {
            id,
            vgpu: vgpu.clone(),
            dispatch: dispatch.clone(),
            images: EngineMap::default(),
            gone: gone.clone(),
            alarm: Alarm::new(Impatience(itself.clone()))?,
            itself,
            resets: 0,
        })
    }

    /// Sees to it that the fences are as the guest has them, though i915 may have reset the GPU.
    fn follow_resets(&mut self) {
        let gpu = &self.dispatch.gpu;
        // While i915 is at it nothing else can be done with the GPU either, and nobody tells when it is through.
        let looks = core::iter::repeat_with(|| {
            let resets = gpu.resets();
            if resets.is_none() {
                fsleep(RESET_STEP);
            }
            resets
        });
        let resets = looks.take(RESET_STEPS).flatten().next();
        if let Some(resets) = resets.filter(|resets| *resets != self.resets) {
            self.resets = resets;
            self.vgpu.device().restore_fences();
        }
    }

    /// Does all that there is to do for an engine; false if it has left that.
    fn serve(&mut self, engine: EngineId, on: &OnWorker) -> bool {
        let dispatch = self.dispatch.clone();
        let Some(desk) = dispatch.desks.get(engine) else {
            return false;
        };
        let dispatcher = &*desk.dispatcher;
        let mut looked = false;
        loop {
            let image = self.images.get_mut(engine);
            let pinned = image.as_ref().is_some_and(Image::is_pinned);
            match (dispatcher.task(self.id, pinned, looked), image) {
                (Task::Complete(done), Some(image)) => {
                    // It was unpinned if it had to wait while the machine slept.
                    let done = image.pin().is_ok() && done;
                    self.vgpu.device().complete(engine, done, image);
                    looked = false;
                }
                (Task::Prepare(chance), _) => {
                    looked = !self.prepare(dispatcher, engine, chance, on);
                }
                (Task::Retire(context), image) => {
                    dispatcher.retire(&context);
                    *image = None;
                }
                (Task::Unpin, Some(image)) => image.unpin(),
                (Task::Rest | Task::Complete(_) | Task::Unpin, _) => return true,
                (Task::Leave, _) => return false,
            }
        }
    }

    /// Prepares the next work, if there is any.
    fn prepare(
        &mut self,
        dispatcher: &Dispatcher,
        engine: EngineId,
        chance: Chance,
        on: &OnWorker,
    ) -> bool {
        let vgpu = self.vgpu.device();
        let image = self.images.get_mut(engine);
        // For work that there is not the GPU need not be woken.
        if !image.as_ref().is_some_and(Image::is_pinned) && !vgpu.is_ready(engine) {
            return false;
        }
        let button = Button::new(vgpu.bell(), engine.number());
        let (image, fresh) = match room(dispatcher, self.id, image, button) {
            Ok(room) => room,
            Err(error) => {
                vgpu.give_up(engine, error);
                return false;
            }
        };
        self.alarm.set(Some(PATIENCE));
        let launch = vgpu.launch(engine, image, fresh, |model, image, launch| {
            let addressing = chance.idle.then_some(launch.addressing);
            let register = |offset| model.register(offset);
            dispatcher.announce(image, addressing, &launch.written, register);
        });
        // If it rang too late that must not end the next wait.
        self.alarm.silence();
        // If it was interrupted, that was for this: who leaves has nothing more to prepare.
        on.forget_interrupts();
        let Some(launch) = launch else {
            return false;
        };
        dispatcher.offer(self.id, chance, launch.commands);
        true
    }
}

/// A pinned image for work, and what it is when it is new.
fn room<'a>(
    dispatcher: &'a Dispatcher,
    id: VgpuId,
    image: &'a mut Option<Image>,
    button: Button,
) -> Result<(&'a mut Image, &'a [u32])> {
    let fresh = dispatcher.fresh()?;
    let image = match image {
        Some(image) => image,
        None => image.insert(dispatcher.add_context(id, button)?),
    };
    image.pin()?;
    Ok((image, fresh))
}
