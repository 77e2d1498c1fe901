// SPDX-License-Identifier: GPL-2.0

//! BAR0: registers, a hole, and the window to the GGTT (gvt-spec 4.1, 4.4, 5).
//!
//! One function reads and one function writes; every path by which a guest reaches BAR0 ends in
//! them. A register that is not modelled is memory of the vGPU, and what a guest writes to it
//! never reaches the GPU.

mod accesses;
pub(crate) mod file;
pub(crate) mod ggtt;
mod handlers;
pub mod handover;
pub mod map;
mod pvinfo;
pub(crate) mod registers;
pub mod row;
pub mod switched;
mod table;

use core::ops::Range;

use kernel::{
    num::casts::FromSafeCast,
    prelude::*, //
};

use crate::{
    addr::{
        Gfn,
        PAGE_SIZE, //
    },
    counters::{
        count,
        Counters, //
    },
    display::plane::{
        self,
        Layer,
        Memory,
        Plane,
        PlaneFault, //
    },
    edid::Blocks,
    effect::{
        Effects,
        Failsafe, //
    },
    fault::{
        Fault,
        GuestFault, //
    },
    interrupt::Event,
    platform::{
        Platform,
        GGTT_OFFSET,
        MMIO_SIZE, //
    },
    ports::Env,
    region::Position,
    vgpu::{
        Host,
        Setup, //
    },
    work::{
        Parts,
        Work, //
    },
};
use accesses::Accesses;
use file::VregFile;
use ggtt::Ggtt;
pub(crate) use handlers::{
    copies,
    moves, //
};
use map::RegisterMap;
pub(crate) use pvinfo::MAGIC;
use registers::Registers;

const RING_ELSP: u32 = 0x230;
/// Whether there are pages of 64 KiB.
const GAMW_ECO_DEV_RW_IA: u32 = 0x4080;
const GAMW_64K_PAGES: u32 = 0xf;
/// `GFX_FLSH_CNTL`: i915 writes it after each burst of page table entries.
const GFX_FLSH_CNTL: Range<u64> = 0x10_1008..0x10_100c;

/// BAR0 of a vGPU.
pub(crate) struct Bar0 {
    size: u64,
    registers: KBox<Registers>,
    ggtt: Ggtt,
    work: KBox<Work>,
}

/// What is at an offset of BAR0.
enum Place {
    /// Registers, with the offset from their start.
    Registers(u32),
    Hole,
    /// The window to the GGTT, with the offset from its start.
    Ggtt(u64),
}

/// Whether the registers say that page tables can have pages of 64 KiB.
fn has_64k_pages(map: &RegisterMap, file: &VregFile) -> bool {
    let gamw = file.get(GAMW_ECO_DEV_RW_IA);
    gamw & GAMW_64K_PAGES == GAMW_64K_PAGES && map.platform().info().graphics_version > 8
}

impl Bar0 {
    /// BAR0 after a reset.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EINVAL` if the window to the GGTT ends before the ranges do.
    pub(crate) fn new(setup: &Setup<'_>) -> Result<Self> {
        let window = setup.bar0_size.checked_sub(GGTT_OFFSET).ok_or(EINVAL)?;
        let registers = Registers::new(setup)?;
        let has_64k = has_64k_pages(setup.registers, &registers.file);
        Ok(Self {
            size: setup.bar0_size,
            registers,
            ggtt: Ggtt::new(window, setup.low, setup.high)?,
            work: Work::new(setup.context_sizes, has_64k)?,
        })
    }

    /// Back to the state after [`Bar0::new`].
    pub(crate) fn reset(&mut self, map: &RegisterMap, env: &mut dyn Env) {
        self.stop_work(map, env);
        self.registers.reset(map);
        self.ggtt.clear();
        self.learn_page_sizes(map, env);
    }

    /// Forgets all work, and the page tables of the contexts.
    pub(crate) fn stop_work(&mut self, map: &RegisterMap, env: &mut dyn Env) {
        let (work, mut parts) = self.work(map, env);
        let _ = work.reset(map.engines(), &mut parts);
        work.ppgtt.clear(&mut *parts.env);
    }

    /// The work, and what it needs.
    pub(crate) fn work<'a>(
        &'a mut self,
        map: &'a RegisterMap,
        env: &'a mut dyn Env,
    ) -> (&'a mut Work, Parts<'a>) {
        let parts = Parts {
            registers: &mut self.registers,
            ggtt: &self.ggtt,
            map,
            env,
        };
        (&mut self.work, parts)
    }

    /// The work.
    pub(crate) fn work_of(&self) -> &Work {
        &self.work
    }

    /// See [`Vgpu::page_written`](crate::vgpu::Vgpu::page_written).
    pub(crate) fn page_written(&mut self, gfn: Gfn, env: &mut dyn Env) {
        count(&mut self.registers.counters.table_writes);
        self.work.ppgtt.written(gfn, env);
    }

    /// See [`Vgpu::frames_removed`](crate::vgpu::Vgpu::frames_removed).
    pub(crate) fn frames_removed(&mut self, first: u64, count: u64) {
        self.work.ppgtt.removed(first, count);
    }

    /// Page tables can have the pages that the registers say.
    fn learn_page_sizes(&mut self, map: &RegisterMap, env: &mut dyn Env) {
        let has_64k = has_64k_pages(map, &self.registers.file);
        self.work.ppgtt.set_64k(has_64k, env);
    }

    /// Does what a register was written for.
    #[inline(never)]
    fn serve(&mut self, host: &mut Host<'_>) {
        let requests = core::mem::take(&mut self.registers.requests);
        if requests.page_sizes {
            self.learn_page_sizes(host.registers, &mut *host.env);
        }
        let Host {
            registers,
            env,
            effects,
        } = host;
        let (work, mut parts) = self.work(registers, &mut **env);
        if !requests.reset.is_empty() {
            for id in work.reset(requests.reset, &mut parts).iter() {
                effects.cancel(id);
            }
        }
        if let Some(pvinfo::Notification::Destroyed(addressing)) = requests.notification {
            let roots = pvinfo::roots(addressing, &parts.registers.file);
            work.ppgtt.destroy(&roots, &mut *parts.env);
        }
        let Some((id, value)) = requests.port else {
            return;
        };
        if let Some(contexts) = work.write_port(id, value) {
            if let Err(reason) = work.submit(id, contexts, &mut parts, effects) {
                let offset = id.mmio_base() | RING_ELSP;
                parts
                    .registers
                    .refuse(offset, value.into(), reason, effects);
            }
        }
    }

    /// Reads `data.len()` bytes, 1, 2, 4 or 8, at a multiple of the width.
    pub(crate) fn read(
        &mut self,
        at: Position,
        data: &mut [u8],
        host: &mut Host<'_>,
    ) -> Result<(), Fault> {
        match self.place(at, data.len())? {
            Place::Registers(offset) => self.registers.read(offset, data, host),
            Place::Hole => data.fill(0),
            Place::Ggtt(offset) => self.ggtt.read(offset, data),
        }
        Ok(())
    }

    /// Writes `data`, 1, 2, 4 or 8 bytes, at a multiple of the width.
    pub(crate) fn write(
        &mut self,
        at: Position,
        data: &[u8],
        host: &mut Host<'_>,
    ) -> Result<(), Fault> {
        match self.place(at, data.len())? {
            Place::Registers(offset) => {
                if flushes_ggtt(at.offset(), data.len()) {
                    self.flush(host);
                }
                self.registers.write(offset, data, host);
                if self.registers.requests.any {
                    self.serve(host);
                }
            }
            Place::Hole => {}
            Place::Ggtt(offset) => self.write_ggtt(offset, data, host),
        }
        Ok(())
    }

    // Apart, so that the way of a register is short.
    #[inline(never)]
    fn write_ggtt(&mut self, offset: u64, data: &[u8], host: &mut Host<'_>) {
        count(&mut self.registers.counters.gtt_writes);
        self.ggtt.write(offset, data, &mut *host.env);
        self.work.forget_image(Ggtt::address_of(offset));
    }

    #[inline(never)]
    fn flush(&mut self, host: &mut Host<'_>) {
        self.ggtt.flush(&mut *host.env);
    }

    /// Something happened on the GPU that a guest may want to be interrupted for.
    pub(crate) fn raise(&mut self, event: Event, map: &RegisterMap, effects: &mut Effects) {
        self.registers.raise(event, map, effects);
    }

    /// See [`Vgpu::run_display`](crate::vgpu::Vgpu::run_display).
    pub(crate) fn run_display(&mut self, host: &mut Host<'_>) {
        self.registers.run_display(host);
    }

    /// See [`Vgpu::next_blank`](crate::vgpu::Vgpu::next_blank).
    pub(crate) fn next_blank(&self) -> Option<u64> {
        self.registers.next_blank()
    }

    /// The VMM has plugged the monitor in, with this EDID, or out.
    pub(crate) fn set_monitor(
        &mut self,
        edid: &Blocks,
        plugged: bool,
        map: &RegisterMap,
        effects: &mut Effects,
    ) {
        self.registers.set_monitor(edid, plugged, map, effects);
    }

    /// See [`Vgpu::plane`](crate::vgpu::Vgpu::plane).
    pub(crate) fn plane(
        &self,
        layer: Layer,
        platform: Platform,
        memory: &Memory,
    ) -> Result<Option<Plane>, PlaneFault> {
        let register = |offset: u32| self.registers.file.get(offset);
        let pipe = plane::pipes(&register).next();
        pipe.map_or(Ok(None), |pipe| {
            plane::query(platform, pipe, layer, &register, memory)
        })
    }

    /// See [`Vgpu::frames`](crate::vgpu::Vgpu::frames).
    pub(crate) fn frames(&self, plane: &Plane) -> impl Iterator<Item = Option<Gfn>> + '_ {
        self.ggtt
            .frames(plane.start / PAGE_SIZE, plane.size / PAGE_SIZE)
    }

    /// Whether message signalled interrupts can be sent.
    pub(crate) fn gate_msi(&mut self, open: bool, effects: &mut Effects) {
        self.registers.gate_msi(open, effects);
    }

    /// What was counted since the vGPU was made.
    pub(crate) fn counters(&self) -> Counters {
        self.registers.counters()
    }

    /// An access failed.
    #[cold]
    pub(crate) fn count_fault(&mut self, fault: &Fault) {
        self.registers.counters.fail(fault);
    }

    /// See [`Vgpu::count_accesses`](crate::vgpu::Vgpu::count_accesses).
    pub(crate) fn count_accesses(&mut self, wanted: bool) -> Result {
        self.registers.accesses = wanted.then(Accesses::new).transpose()?;
        Ok(())
    }

    /// See [`Vgpu::accesses`](crate::vgpu::Vgpu::accesses).
    pub(crate) fn accesses(&self) -> impl Iterator<Item = (u32, [u32; 2])> + '_ {
        self.registers.accesses.iter().flat_map(Accesses::list)
    }

    /// See [`Vgpu::register`](crate::vgpu::Vgpu::register).
    pub(crate) fn register(&self, offset: u32) -> u32 {
        self.registers.file.get(offset)
    }

    /// Why the vGPU fails safe, if it does.
    pub(crate) fn failsafe(&self) -> Option<Failsafe> {
        self.registers.failsafe()
    }

    /// Forgets the page table: the GPU's own entries point at the scratch page already.
    pub(crate) fn clear_ggtt(&mut self) {
        self.ggtt.clear();
    }

    /// Frames `gone` are no memory of the guest's any more.
    pub(crate) fn withdraw(&mut self, gone: Range<u64>, env: &mut dyn Env) {
        self.work.ppgtt.clear(env);
        self.ggtt.withdraw(gone, env);
    }

    fn place(&self, at: Position, width: usize) -> Result<Place, Fault> {
        let offset = at.offset();
        let outside = GuestFault::OutOfRange { at, width };
        let end = offset.checked_add(u64::from_safe_cast(width));
        if end.is_none_or(|end| end > self.size) {
            return Err(outside.into());
        }
        if offset < MMIO_SIZE {
            let offset = u32::try_from(offset).map_err(|_| outside)?;
            return Ok(Place::Registers(offset));
        }
        match offset.checked_sub(GGTT_OFFSET) {
            None => Ok(Place::Hole),
            Some(offset) if width == 4 || width == 8 => Ok(Place::Ggtt(offset)),
            Some(_) => Err(GuestFault::Width { at, width }.into()),
        }
    }
}

/// Whether a write of so many bytes touches the register that flushes the GGTT.
fn flushes_ggtt(offset: u64, width: usize) -> bool {
    offset < GFX_FLSH_CNTL.end
        && offset.saturating_add(u64::from_safe_cast(width)) > GFX_FLSH_CNTL.start
}
