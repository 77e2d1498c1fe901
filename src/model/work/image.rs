// SPDX-License-Identifier: GPL-2.0

//! The image of a context: what the GPU loads before it runs one, and saves afterwards (PRM Broadwell
//! volume 7, "Logical Ring Context Format"; the places are those of `drivers/gpu/drm/i915/gt/intel_lrc.c`).
//!
//! An image is commands: the GPU carries them out when it loads the context, and with privilege. So the
//! guest's image is never loaded. What is loaded is the host's own image of a fresh context with the
//! *values* of the guest in it: where both have the same command, and load the same register, the guest's
//! value is taken, as far as a command of the guest's could have written it; everywhere else the host's.
//! No command and no register gets into an image that the hardware itself would not save there
//! (gvt-spec 12.1-3).

use super::{
    execlists::Descriptor,
    job::{
        halves,
        Job,
        MI_ARB_OFF,
        MI_ARB_ON, //
    },
    Parts, //
};
use crate::{
    addr::PAGE_SIZE,
    cmd::{
        table::{
            Command,
            Rule, //
        },
        Load, //
    },
    engine::EngineId,
    mmio::switched::switched,
    platform::Platform,
    ports::ContextImage, //
};

/// Words of a page.
pub(super) const PAGE_WORDS: usize = 1024;
/// The words of the state page that describe the ring; what follows is of the engine.
pub(super) const RING_WORDS: usize = 0x50;

/// Places of values in the state page, in words.
pub(super) mod place {
    pub(in crate::work) const CONTROL: usize = 3;
    pub(in crate::work) const HEAD: usize = 5;
    pub(in crate::work) const TAIL: usize = 7;
    pub(in crate::work) const START: usize = 9;
    pub(in crate::work) const RING_CONTROL: usize = 11;
    pub(in crate::work) const PER_CONTEXT: usize = 25;
    pub(in crate::work) const INDIRECT: usize = 27;
    pub(in crate::work) const INDIRECT_OFFSET: usize = 29;
    pub(in crate::work) const TIMESTAMP: usize = 35;
    /// The upper half of the last root; the lower half of the first one is seven values further on.
    pub(in crate::work) const PDPS: usize = 37;
    /// How the blitter tiles.
    pub(in crate::work) const BLITTER: usize = 67;
}

/// Of PIPE_CONTROL: six words, and what it does.
const PIPE_CONTROL: u32 = 0x7a00_0004;
const FLUSH_L3: u32 = 1 << 27;
const STORE_DATA_INDEX: u32 = 1 << 21;
const CS_STALL: u32 = 1 << 20;
const WRITE_QWORD: u32 = 1 << 14;
/// LRC_PPHWSP_SCRATCH_ADDR: a place in the status page of the context that nobody reads.
const SCRATCH: u32 = 0xd0;

/// What runs while a context of the render engine is loaded, before anything of the guest's does: i915's
/// WaClearSlmSpaceAtContextSwitch. It clears what another context has left in shared local memory, which the guest's
/// own batch need not do (CVE-2019-14615).
#[rustfmt::skip]
pub(super) const HOST_BATCH: [u32; 16] = [
    MI_ARB_OFF,
    PIPE_CONTROL, FLUSH_L3 | STORE_DATA_INDEX | CS_STALL | WRITE_QWORD, SCRATCH, 0, 0, 0,
    MI_ARB_ON,
    NOOP, NOOP, NOOP, NOOP, NOOP, NOOP, NOOP, NOOP,
];
/// Its cache lines.
pub(super) const HOST_LINES: u32 = 1;

/// Where in loading a context its batch runs: the host's value, whatever the guest's is. Too early, and the root of
/// the page tables is that of the context before.
fn indirect_offset(fresh: &[u32], platform: Platform) -> u32 {
    match (fresh.get(place::INDIRECT_OFFSET).copied(), platform) {
        (Some(offset), _) if offset != 0 => offset,
        // A host that had no memory for such a batch says nothing. What i915 has otherwise, in cache lines.
        (_, Platform::Broadwell) => 0x17 << 6,
        _ => 0x26 << 6,
    }
}

/// Bits of CTX_CONTEXT_CONTROL.
pub(super) const RESTORE_INHIBIT: u32 = 1 << 0;
const RESOURCE_STREAMER: u32 = 1 << 1;
const SYN_SWITCH_INHIBIT: u32 = 1 << 3;
const CONTROL_MASK: u32 = 0xf << 16;

/// What a context is loaded with, of what the guest says: its state is restored and saved.
fn control(guest: u32) -> u32 {
    CONTROL_MASK | SYN_SWITCH_INHIBIT | (guest & RESOURCE_STREAMER)
}

/// The places of the root, from PDP0 on: lower half, upper half.
pub(super) fn root_places() -> impl Iterator<Item = usize> {
    (0..8usize).map(|number| {
        place::PDPS
            .saturating_add(14)
            .saturating_sub(number.saturating_mul(2))
    })
}

const NOOP: u32 = 0;
const LOAD_REGISTERS: u32 = 0x22;
const LENGTH: u32 = 0xff;
const REGISTER: u32 = 0x007f_fffc;

/// Makes an image out of the guest's: `image` is that from the state page on, and becomes what may be
/// loaded. `fresh` is the host's of a new context. `value` says what becomes of the guest's value of a
/// register; `None` for the host's.
fn merge(
    image: &mut [u32],
    fresh: &[u32],
    engine: EngineId,
    platform: Platform,
    mut value: impl FnMut(u32, u32) -> Option<u32>,
) {
    let both = image.len().min(fresh.len());
    let fresh = fresh.get(..both).unwrap_or_default();
    let (image, rest) = image.split_at_mut(both);
    // Where the host has nothing to compare with.
    rest.fill(0);
    // A command goes on in the next page, so that it is one way through all of them.
    let mut at = RING_WORDS.min(both);
    if let (Some(to), Some(from)) = (image.get_mut(..at), fresh.get(..at)) {
        to.copy_from_slice(from);
    }
    while let Some(header) = fresh.get(at).copied() {
        if header == NOOP {
            if let Some(word) = image.get_mut(at) {
                *word = NOOP;
            }
            at = at.saturating_add(1);
            continue;
        }
        let command = Command::find(header, engine, platform);
        let length = command.and_then(|command| Some((command, command.length(header)?)));
        let known = length.and_then(|(command, length)| {
            let end = at.checked_add(usize::try_from(length).ok()?)?;
            Some((command.rule, end, fresh.get(at..end)?))
        });
        let Some((rule, end, host)) = known else {
            // The end of the commands, or none that is known: the host's from here on.
            break;
        };
        let guest = image.get_mut(at..end).unwrap_or_default();
        match rule {
            Rule::LoadRegisterImm if header >> 23 == LOAD_REGISTERS => {
                merge_registers(guest, host, &mut value);
            }
            // State of the pipeline: nothing in it can reach beyond the page tables of the context.
            Rule::Free | Rule::FreeOnGen9 if guest.first() == host.first() => {}
            Rule::BatchEnd => break,
            _ => guest.copy_from_slice(host),
        }
        at = end;
    }
    if let (Some(to), Some(from)) = (image.get_mut(at..), fresh.get(at..)) {
        to.copy_from_slice(from);
    }
}

fn merge_registers(
    guest: &mut [u32],
    host: &[u32],
    value: &mut impl FnMut(u32, u32) -> Option<u32>,
) {
    let (Some((header, guest)), Some((host_header, host))) =
        (guest.split_first_mut(), host.split_first())
    else {
        return;
    };
    let same = *header & LENGTH == *host_header & LENGTH;
    *header = *host_header;
    for (guest, host) in guest.chunks_mut(2).zip(host.chunks(2)) {
        if let ([register, written], [host_register, host_value]) = (guest, host) {
            let known = same && *register == *host_register;
            *register = *host_register;
            let taken = known.then(|| value(*host_register & REGISTER, *written));
            *written = taken.flatten().unwrap_or(*host_value);
        }
    }
}

/// Makes an image that may be loaded: that of `context`, or a fresh one with the registers of the vGPU.
pub(super) fn load(
    image: &mut [u32],
    id: EngineId,
    context: Option<Descriptor>,
    fresh: &[u32],
    parts: &mut Parts<'_>,
) {
    let platform = parts.map.platform();
    image.fill(0);
    let Some(context) = context else {
        for (to, from) in image.iter_mut().zip(fresh) {
            *to = *from;
        }
        // The values in the fresh one are what the vGPU has in its registers, where it has any.
        merge(image, fresh, id, platform, |register, _| {
            let mut table = switched(platform).iter();
            let row = table.find(|row| row.in_context && row.offset == register)?;
            let mask = if row.masked { 0xffff_0000 } else { 0 };
            Some(parts.registers.file.get(register) | mask)
        });
        return;
    };
    let mut address = u64::from(context.lrca());
    for (page, fresh) in image.chunks_mut(PAGE_WORDS).zip(fresh.chunks(PAGE_WORDS)) {
        address = address.saturating_add(PAGE_SIZE);
        if parts.read_words(address, page).is_err() {
            // What the guest does not have is fresh.
            for (to, from) in page.iter_mut().zip(fresh) {
                *to = *from;
            }
        }
    }
    merge(image, fresh, id, platform, |register, value| {
        match parts.map.find(register) {
            // It could have been written by a command.
            Some(row) if row.commands => {
                match parts
                    .registers
                    .load_by_command(register, value, id, parts.map)?
                {
                    Load::Value(accepted) => Some(accepted),
                    _ => None,
                }
            }
            // No command of the guest's could have written it.
            Some(_) => None,
            // The hardware keeps it for the context alone.
            None => Some(value),
        }
    });
}

/// Puts what a job says into an image; `fresh` is the host's of a new context.
pub(super) fn put_fields(
    job: &Job,
    id: EngineId,
    fresh: &[u32],
    platform: Platform,
    image: &mut dyn ContextImage,
) {
    image.write_words(place::CONTROL, &[control(job.control)]);
    image.write_words(place::TIMESTAMP, &[job.timestamp]);
    for (place, register) in root_places().zip(halves(&job.shadow)) {
        image.write_words(place, &[register]);
    }
    match id {
        EngineId::Rcs0 => {
            let (words, lines, second): (&[u32], _, _) = match &job.workarounds {
                Some(own) => (&own.words, own.lines, own.second),
                None => (&HOST_BATCH, HOST_LINES, None),
            };
            let address = image.put_workarounds(words);
            let per_context = second.map_or(0, |second| address.saturating_add(second) | 1);
            let offset = indirect_offset(fresh, platform);
            image.write_words(place::INDIRECT, &[address | lines]);
            image.write_words(place::INDIRECT_OFFSET, &[offset]);
            image.write_words(place::PER_CONTEXT, &[per_context]);
        }
        EngineId::Bcs0 => image.write_words(place::BLITTER, &[job.blitter]),
        EngineId::Vcs0 | EngineId::Vcs1 | EngineId::Vecs0 => {}
    }
}

/// Gives the guest the image of a context that is done.
pub(super) fn store(
    page: &mut [u32],
    pages: usize,
    job: &Job,
    image: &dyn ContextImage,
    parts: &mut Parts<'_>,
) {
    let lrca = u64::from(job.context.lrca());
    let state = lrca.saturating_add(PAGE_SIZE);
    let at = |place: usize| {
        let bytes = u64::try_from(place).unwrap_or(0).saturating_mul(4);
        state.saturating_add(bytes)
    };
    image.read_words(0, page);
    let field = |place: usize| page.get(place).copied().unwrap_or(0);
    let (control, timestamp) = (field(place::CONTROL), field(place::TIMESTAMP));
    parts.write_words(at(place::HEAD), &[job.head]);
    parts.write_words(at(place::CONTROL), &[control & !RESTORE_INHIBIT]);
    parts.write_words(at(place::TIMESTAMP), &[timestamp]);
    if let Some(roots) = job.later_roots.last() {
        for (place, register) in root_places().zip(halves(&roots.pdps)) {
            parts.write_words(at(place), &[register]);
        }
    }
    let engine = page.get(RING_WORDS..).unwrap_or_default();
    parts.write_words(at(RING_WORDS), engine);
    for number in 2..pages {
        let first = number.saturating_sub(1).saturating_mul(PAGE_WORDS);
        image.read_words(first, page);
        let offset = u64::try_from(number).unwrap_or(0).saturating_mul(PAGE_SIZE);
        parts.write_words(lrca.saturating_add(offset), page);
    }
}
