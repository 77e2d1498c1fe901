// SPDX-License-Identifier: GPL-2.0

//! Sets of engines that have a command.

use crate::engine::{
    EngineId,
    Engines, //
};

pub(super) const RENDER: Engines = Engines::NONE.with(EngineId::Rcs0);
pub(super) const COPY: Engines = Engines::NONE.with(EngineId::Bcs0);
pub(super) const VIDEO: Engines = Engines::NONE.with(EngineId::Vcs0).with(EngineId::Vcs1);
pub(super) const ENHANCE: Engines = Engines::NONE.with(EngineId::Vecs0);
pub(super) const RENDER_AND_COPY: Engines = RENDER.with(EngineId::Bcs0);
pub(super) const ALL: Engines = RENDER_AND_COPY
    .with(EngineId::Vcs0)
    .with(EngineId::Vcs1)
    .with(EngineId::Vecs0);
