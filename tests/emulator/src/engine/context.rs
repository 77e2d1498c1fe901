// SPDX-License-Identifier: GPL-2.0
//! Loading and saving of logical ring contexts.
//!
//! The image starts with the per-process status page; the page behind it holds register values as
//! MI_LOAD_REGISTER_IMM commands, laid out by i915 (`intel_lrc.c`). Loading applies them, saving writes the live values
//! into the places of the same registers. Registers of the render context that i915 does not list travel in the third
//! page, as on hardware, in a list of the emulator's own.

use std::ops::Range;

use crate::engine::{regs, Descriptor, EngineId, Mmu, Root};
use crate::gpu::Gpu;
use crate::gtt::{Fault, GpuMemory, Space};
use crate::platform::Gen;

const PAGE: u64 = 4096;
const STATE_PAGE: u64 = PAGE;
const RENDER_PAGE: u64 = 2 * PAGE;
const LRI: u32 = 0x22;
const BATCH_BUFFER_END: u32 = 0x0a << 23;
const RESTORE_INHIBIT: u32 = 1 << 0;
/// Registers that belong to the ring rather than to the engine: loaded even where a restore is inhibited.
const RING_STATE: [u32; 15] = [
    regs::RING_CONTEXT_CONTROL,
    regs::RING_HEAD,
    regs::RING_TAIL,
    regs::RING_START,
    regs::RING_CTL,
    regs::RING_BBADDR_UDW,
    regs::RING_BBADDR,
    regs::RING_BBSTATE,
    regs::RING_SBBADDR_UDW,
    regs::RING_SBBADDR,
    regs::RING_SBBSTATE,
    regs::RING_BB_PER_CTX_PTR,
    regs::RING_INDIRECT_CTX,
    regs::RING_INDIRECT_CTX + 4,
    regs::RING_CTX_TIMESTAMP,
];
/// Registers that software owns in the image: saving leaves them alone.
const SOFTWARE_OWNED: [u32; 4] = [regs::RING_TAIL, regs::RING_START, regs::RING_CTL, regs::RING_CONTEXT_CONTROL];

/// Render state in the context on both generations: masked chicken bits, counters, scratch registers.
const RENDER_STATE: [u32; 18] = [
    0x20c0, 0x7000, 0x7004, 0x7008, 0x7010, 0x7300, 0x83a4, 0x7034, 0x2300, 0x2308, 0x2310, 0x2318, 0x2320, 0x2328,
    0x2330, 0x2338, 0x2340, 0x2348,
];
/// Render state that joined the context with Gen9.
const RENDER_STATE_GEN9: [u32; 17] = [
    0x2580, 0x7014, 0xe100, 0xe180, 0xe184, 0xe188, 0xe194, 0xe4f0, 0x4de0, 0x4de4, 0x4de8, 0x4dec, 0x4df0, 0x4df4,
    0x4dfc, 0x7304, 0x20d8,
];

/// Where Broadwell's render engine keeps MI_MODE in the state page, as a command of its own. i915 knows the place of the
/// value (`lrc_ring_mi_mode`) but leaves it to the hardware to save the command; kvmgt takes the value for a command
/// where that was not done.
const GEN8_RENDER_MODE: usize = 0x57;

fn render_state(gen: Gen) -> impl Iterator<Item = u32> {
    let newer = RENDER_STATE_GEN9.into_iter().filter(move |_| gen >= Gen::Gen9);
    // i915's list of Gen8 leaves the general purpose registers out.
    let gprs = (0..32).map(|i| 0x2000 + regs::CS_GPR + 4 * i).filter(move |_| gen == Gen::Gen8);
    RENDER_STATE.into_iter().chain(newer).chain(gprs)
}

/// One register in an image: its offset in BAR0, and where its value lies.
struct Slot {
    register: u32,
    value: u32,
    place: usize,
}

/// Finds the registers of a list of MI_LOAD_REGISTER_IMM commands.
fn slots(page: &[u32]) -> Vec<Slot> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(header) = page.get(at) {
        if *header == BATCH_BUFFER_END {
            break;
        }
        if header >> 23 != LRI {
            at += 1;
            continue;
        }
        let pairs = ((header & 0xff) as usize).div_ceil(2);
        for pair in 0..pairs {
            let place = at + 2 + 2 * pair;
            if let (Some(register), Some(value)) = (page.get(place - 1), page.get(place)) {
                found.push(Slot { register: register & 0x7f_fffc, value: *value, place });
            }
        }
        at += 1 + 2 * pairs;
    }
    found
}

fn read_page(mmu: &mut Mmu<'_>, address: u64) -> Result<Vec<u32>, Fault> {
    let mut bytes = [0; PAGE as usize];
    mmu.read(Space::Ggtt, address, &mut bytes)?;
    Ok(bytes.chunks_exact(4).map(|dword| u32::from_le_bytes([dword[0], dword[1], dword[2], dword[3]])).collect())
}

/// The ranges of a page of so many words that are left without some places, which are in ascending order.
fn between(places: &[usize], length: usize) -> Vec<Range<usize>> {
    let starts = std::iter::once(0).chain(places.iter().map(|place| place + 1));
    let ends = places.iter().copied().chain([length]);
    starts.zip(ends).map(|(start, end)| start..end).filter(|run| !run.is_empty()).collect()
}

fn write_page(mmu: &mut Mmu<'_>, address: u64, page: &[u32]) -> Result<(), Fault> {
    let bytes: Vec<u8> = page.iter().flat_map(|dword| dword.to_le_bytes()).collect();
    mmu.write(Space::Ggtt, address, &bytes)
}

fn is_pdp(base: u32, register: u32) -> bool {
    (base + regs::RING_PDP0_LDW..base + regs::RING_PDP0_LDW + 32).contains(&register)
}

/// The tables that the PDP registers of an engine name now.
pub fn root(gpu: &Gpu, base: u32, descriptor: Descriptor) -> Root {
    let pdp = |n: u32| gpu.bar0.load_pair(base + regs::RING_PDP0_LDW + 8 * n);
    if descriptor.is_48bit() {
        Root::Legacy48(pdp(0))
    } else {
        Root::Legacy32([pdp(0), pdp(1), pdp(2), pdp(3)])
    }
}

/// Loads the image of a context into the registers of an engine and points `mmu` at its tables.
///
/// # Errors
///
/// The image is not mapped.
pub fn load(gpu: &Gpu, id: EngineId, mmu: &mut Mmu<'_>, descriptor: Descriptor) -> Result<(), Fault> {
    let base = id.base();
    let image = u64::from(descriptor.lrca());
    let state = slots(&read_page(mmu, image + STATE_PAGE)?);
    let control = state.iter().find(|slot| slot.register == base + regs::RING_CONTEXT_CONTROL);
    let inhibit = control.is_some_and(|slot| slot.value & RESTORE_INHIBIT != 0);
    // A context that does not say where its batch was is not in one.
    gpu.bar0.store(base + regs::RING_BBADDR, 0);
    gpu.bar0.store(base + regs::RING_SBBSTATE, 0);
    for slot in state {
        let register = slot.register.wrapping_sub(base);
        if is_pdp(base, slot.register) || RING_STATE.contains(&register) {
            if register == regs::RING_CONTEXT_CONTROL {
                gpu.bar0.modify(slot.register, slot.value >> 16, slot.value);
            } else {
                gpu.bar0.store(slot.register, slot.value);
            }
        } else if !inhibit {
            restore(gpu, base, slot.register, slot.value);
        }
    }
    if id == EngineId::Rcs && !inhibit {
        for slot in slots(&read_page(mmu, image + RENDER_PAGE)?) {
            restore(gpu, base, slot.register, slot.value);
        }
    }
    mmu.set_root(root(gpu, base, descriptor));
    Ok(())
}

fn restore(gpu: &Gpu, base: u32, register: u32, value: u32) {
    match register.wrapping_sub(base) {
        // Live counters and the ring's stop request are the engine's, not the context's.
        regs::RING_TIMESTAMP | regs::RING_TIMESTAMP_UDW => {}
        regs::RING_MI_MODE => {
            let keep = regs::STOP_RING | regs::MODE_IDLE;
            gpu.bar0.modify(register, (value >> 16) & !keep, value);
        }
        _ if gpu.is_masked(register) => {
            gpu.bar0.modify(register, value >> 16, value);
        }
        _ => gpu.bar0.store(register, value),
    }
}

/// Writes the live registers of an engine back into the image of the context that ran.
///
/// # Errors
///
/// The image is not mapped any more.
pub fn save(gpu: &Gpu, id: EngineId, mmu: &mut Mmu<'_>, descriptor: Descriptor) -> Result<(), Fault> {
    let base = id.base();
    let image = u64::from(descriptor.lrca());
    let mut page = read_page(mmu, image + STATE_PAGE)?;
    if id == EngineId::Rcs && gpu.config.platform.gen == Gen::Gen8 {
        if let Some([header, register]) = page.get_mut(GEN8_RENDER_MODE..GEN8_RENDER_MODE + 2) {
            (*header, *register) = (LRI << 23 | 1, base + regs::RING_MI_MODE);
        }
    }
    let mut owned = Vec::new();
    for slot in slots(&page) {
        let register = slot.register.wrapping_sub(base);
        let value = if register == regs::RING_CONTEXT_CONTROL {
            slot.value & !RESTORE_INHIBIT
        } else if SOFTWARE_OWNED.contains(&register) {
            owned.push(slot.place);
            continue;
        } else {
            live(gpu, slot.register)
        };
        if let Some(place) = page.get_mut(slot.place) {
            *place = value;
        }
    }
    // Software may write what it owns while this goes on: a tail that is written back would undo a submission.
    for run in between(&owned, page.len()) {
        let address = image + STATE_PAGE + 4 * run.start as u64;
        write_page(mmu, address, page.get(run).unwrap_or_default())?;
    }
    if id == EngineId::Rcs {
        let registers: Vec<u32> = render_state(gpu.config.platform.gen).collect();
        let mut list = vec![LRI << 23 | (2 * registers.len() as u32 - 1)];
        list.extend(registers.into_iter().flat_map(|register| [register, live(gpu, register)]));
        list.push(BATCH_BUFFER_END);
        write_page(mmu, image + RENDER_PAGE, &list)?;
    }
    Ok(())
}

fn live(gpu: &Gpu, register: u32) -> u32 {
    let value = gpu.bar0.load(register);
    let is_mode = EngineId::ALL.iter().any(|id| register == id.base() + regs::RING_MI_MODE);
    if is_mode || gpu.is_masked(register) {
        value | 0xffff_0000
    } else {
        value
    }
}

/// Reads the tail of a context that was submitted again while it runs.
///
/// # Errors
///
/// The image is not mapped any more.
pub fn reload_tail(gpu: &Gpu, id: EngineId, mmu: &mut Mmu<'_>, descriptor: Descriptor) -> Result<(), Fault> {
    let tail = id.base() + regs::RING_TAIL;
    let page = read_page(mmu, u64::from(descriptor.lrca()) + STATE_PAGE)?;
    if let Some(slot) = slots(&page).into_iter().find(|slot| slot.register == tail) {
        gpu.bar0.store(tail, slot.value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_follow_the_commands() {
        let page =
            [0, LRI << 23 | 3, 0x2034, 7, 0x2030, 8, 0, 0, LRI << 23 | 1, 0x2600, 9, BATCH_BUFFER_END, LRI << 23];
        let found: Vec<_> = slots(&page).iter().map(|slot| (slot.register, slot.value, slot.place)).collect();
        assert_eq!(found, [(0x2034, 7, 3), (0x2030, 8, 5), (0x2600, 9, 10)]);
    }

    #[test]
    fn a_list_that_ends_early_is_cut() {
        assert_eq!(slots(&[LRI << 23 | 0xff, 0x2034, 7, 0x2030]).len(), 1);
        assert!(slots(&[LRI << 23 | 0xff]).is_empty());
    }

    #[test]
    fn some_places_are_not_written() {
        let words = |places: &[usize]| between(places, 8).into_iter().flatten().collect::<Vec<_>>();
        assert_eq!(words(&[2, 3, 6]), [0, 1, 4, 5, 7]);
        assert_eq!(words(&[0, 7]), [1, 2, 3, 4, 5, 6]);
        assert_eq!(words(&[]), [0, 1, 2, 3, 4, 5, 6, 7]);
    }
}
