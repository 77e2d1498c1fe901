// SPDX-License-Identifier: GPL-2.0

//! What must hold for all requests, tried with random ones; PROPTEST_CASES says with how many. Each property has a second, plainer statement of what the
//! model must do, made here from the specification.

use std::collections::HashMap;

use exercise::{Op, Registers, Rig, Source, HIGH, LOW, MEMORY, MEMORY_SIZE};
use gvt_model::access::Pieces;
use gvt_model::edid::{monitor, validate, Edid};
use gvt_model::irq::{IrqAction, SetIrqs, SetIrqsHeader, Vector};
use gvt_model::region::Position;
use gvt_model::types::{HostResources, Pool, Resolution, TYPES};
use gvt_model::vgpu::mmap_range;
use gvt_model::weight::Weight;
use kernel::prelude::*;
use proptest::collection::vec;
use proptest::prelude::*;

const MB: u64 = 1 << 20;
const CONFIG: u64 = 7 << 40;

fn rig() -> Rig {
    Rig::new().expect("a vGPU")
}

fn config(rig: &mut Rig) -> [u8; 4096] {
    rig.bytes(7, 0).expect("configuration space can be read")
}

/// The bits of configuration space that a guest can write, stated once more.
fn writable(offset: usize) -> u8 {
    match offset {
        0x04 | 0x0c | 0x3c => 0xff,
        0x05 => 0x07,
        // 16 MB and 1 GB: address bits from 24 and from 30 on.
        0x13 | 0x14..=0x17 | 0x1c..=0x1f => 0xff,
        0x1b => 0xc0,
        0xe8..=0xeb => 0,
        0x40.. => 0xff,
        _ => 0,
    }
}

proptest! {
    // A failure prints the smallest input, for a test in the suites; there is nothing else to keep.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_configuration_write_is_its_bytes(writes in vec((0u64..4200, vec(any::<u8>(), 1..9)), 0..40)) {
        let (mut whole, mut parts) = (rig(), rig());
        for (offset, data) in writes {
            // SWSCI acts on what it gets at once.
            if offset < 0xec && offset + data.len() as u64 > 0xe8 {
                continue;
            }
            let done = whole.write((CONFIG | offset) as i64, &data).is_ok();
            for (at, byte) in (offset..).zip(&data) {
                let _ = parts.write((CONFIG | at) as i64, &[*byte]);
            }
            prop_assert_eq!(done, offset + data.len() as u64 <= 4096);
            prop_assert_eq!(whole.vgpu.d3_entered(), parts.vgpu.d3_entered());
            prop_assert_eq!(whole.vgpu.msi(), parts.vgpu.msi());
        }
        prop_assert!(config(&mut whole) == config(&mut parts));
    }

    #[test]
    fn what_cannot_be_written_stays(writes in vec((0u64..4096, vec(any::<u8>(), 1..9)), 0..60)) {
        let mut rig = rig();
        let fresh = config(&mut rig);
        let mut last = fresh;
        for (offset, mut data) in writes {
            // A request to the OpRegion can fail, and what is behind SWSCI is then not written. So let there be none.
            if let Some(trigger) = 0xe8u64.checked_sub(offset).and_then(|at| data.get_mut(at as usize)) {
                *trigger &= !1;
            }
            let _ = rig.write((CONFIG | offset) as i64, &data);
            for (at, byte) in (offset as usize..4096).zip(data) {
                last[at] = last[at] & !writable(at) | byte & writable(at);
            }
        }
        let now = config(&mut rig);
        prop_assert!(now == last);
        rig.reset();
        prop_assert!(config(&mut rig) == fresh);
    }

    #[test]
    fn registers_and_entries_are_memory(
        accesses in vec((any::<bool>(), bar0_offset(), 0usize..4, any::<[u8; 8]>()), 0..80),
    ) {
        let mut rig = rig();
        let mut written: HashMap<u64, u8> = HashMap::new();
        for (write, offset, width, bytes) in accesses {
            let width = 1 << width;
            let offset = offset & !(width as u64 - 1);
            let entry = offset >= 8 * MB;
            let allowed = !entry || width >= 4;
            let mut data = bytes[..width].to_vec();
            if write {
                prop_assert_eq!(rig.write(offset as i64, &data).is_ok(), allowed);
                if allowed {
                    written.extend((offset..).zip(data).filter(|(at, _)| is_kept(*at)));
                }
            } else {
                prop_assert_eq!(rig.read(offset as i64, &mut data).is_ok(), allowed);
                if allowed {
                    for (at, byte) in (offset..).zip(data) {
                        prop_assert_eq!(byte, written.get(&at).copied().unwrap_or(0), "at {:#x}", at);
                    }
                }
            }
        }
    }

    #[test]
    fn a_guest_stays_within_its_bounds(script in vec(any::<u8>(), 0..4000)) {
        let mut source = Source::new(&script);
        let mut registers = Registers::new(&mut source);
        while !source.is_empty() {
            registers.step(&mut source);
        }
    }

    #[test]
    fn pieces_are_the_request(offset: u64, length in 0usize..5000, width in 0u32..4) {
        let width = 1 << width;
        let Ok(pieces) = Pieces::new(offset, length, width) else {
            prop_assert!(offset.checked_add(length as u64).is_none());
            return Ok(());
        };
        let (mut next, mut done) = (offset, 0);
        for piece in pieces {
            prop_assert_eq!(piece.offset, next);
            prop_assert_eq!(piece.bytes.start, done);
            let got = piece.bytes.len();
            prop_assert!(got.is_power_of_two() && got <= width && next % got as u64 == 0);
            // Twice as wide does not go.
            prop_assert!(got == width || next % (2 * got as u64) != 0 || done + 2 * got > length);
            next = next.wrapping_add(got as u64);
            done = piece.bytes.end;
        }
        prop_assert_eq!(done, length);
    }

    #[test]
    fn a_position_is_told_back(position: i64) {
        match Position::decode(position) {
            Ok(at) => {
                prop_assert!(position >= 0);
                prop_assert_eq!(u64::from(at.index()) << 40 | at.offset(), position as u64);
            }
            Err(error) => {
                prop_assert!(position < 0);
                prop_assert_eq!(error, EINVAL);
            }
        }
    }

    #[test]
    fn only_the_own_aperture_can_be_mapped(pgoff in near_the_aperture(), length in 0u64..80 * MB) {
        let rig = rig();
        let offset = (pgoff & ((1 << 28) - 1)) << 12;
        let inside = pgoff >> 28 == 2 && length > 0 && offset >= LOW.0 && offset + length <= LOW.0 + LOW.1;
        prop_assert_eq!(mmap_range(rig.vgpu.aperture_slice(), pgoff, length), if inside { Ok(offset) } else { Err(EINVAL) });
    }

    #[test]
    fn the_pool_gives_what_it_has(
        aperture in 0u64..4096, rest in 0u64..4096, fences in 0u32..40, steps in vec((any::<bool>(), 0usize..7), 0..60),
    ) {
        let host = HostResources { aperture: aperture * MB, ggtt_total: (aperture + rest) * MB, fences };
        let mut pool = Pool::new(&host);
        let full = pool.left();
        let mut held = Vec::new();
        for (take, which) in steps {
            let conf = &TYPES[which % TYPES.len()];
            let before = (pool.left(), pool.available(conf));
            if take {
                match pool.take(conf) {
                    Ok(id) => {
                        prop_assert!(before.1 > 0);
                        prop_assert!(held.iter().all(|(other, _)| *other != id));
                        held.push((id, conf));
                    }
                    Err(shortage) => {
                        prop_assert_eq!(before.1, 0);
                        prop_assert!(shortage.left < shortage.needed);
                        prop_assert_eq!((pool.left(), pool.available(conf)), before);
                    }
                }
            } else if !held.is_empty() {
                let (id, _) = held.swap_remove(which % held.len());
                pool.put(id);
            }
            let low: u64 = held.iter().map(|(_, conf)| conf.low).sum();
            let high: u64 = held.iter().map(|(_, conf)| conf.high).sum();
            let fences: u32 = held.iter().map(|(_, conf)| conf.fences).sum();
            let left = pool.left();
            prop_assert_eq!((left.low + low, left.high + high, left.fences + fences), (full.low, full.high, full.fences));
        }
    }

    #[test]
    fn a_weight_is_what_its_digits_say(text in "[0-9]{0,5}[ +x-]?\n?") {
        let digits = text.strip_suffix('\n').unwrap_or(&text);
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.parse::<u16>().ok().filter(|number| plain && (1..=1000).contains(number));
        prop_assert_eq!(Weight::parse(text.as_bytes()).ok().map(Weight::get), number);
    }

    #[test]
    fn interrupts_are_set_as_specified(header in vec(any::<u8>(), 32), payload: [u8; 4], exact: bool) {
        let mut header = Source::new(&header).header();
        if exact {
            header.argsz = 24;
        }
        let answer = SetIrqs::parse(&header).and_then(|request| request.action(&payload[..request.payload_len()]));
        prop_assert_eq!(answer, expected_action(&header, payload), "{:?}", header);
    }

    #[test]
    fn an_edid_is_good_if_drm_says_so(changes in vec((0usize..128, any::<u8>()), 0..4), mend: bool) {
        let mut edid = monitor(Resolution::Wuxga);
        for (at, byte) in changes {
            edid[at] = byte;
        }
        if mend {
            let sum = edid[..127].iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
            edid[127] = sum.wrapping_neg();
        }
        prop_assert_eq!(validate(&edid).is_ok(), is_edid(&edid));
    }

    #[test]
    fn a_link_that_is_up_has_an_edid(writes in vec(edid_write(), 0..60)) {
        const EDID: u64 = 10 << 40;
        let mut rig = rig();
        let mut edid = [0; 256];
        edid[..128].copy_from_slice(&monitor(Resolution::Xga));
        let (mut size, mut link) = (256, 0);
        for (offset, value) in writes {
            let done = rig.write((EDID | offset) as i64, &value.to_le_bytes()).is_ok();
            let expected = match offset {
                8 if value <= 256 => {
                    size = value;
                    true
                }
                20 if value == 2 || (value == 1 && comes_up(&edid[..size as usize])) => {
                    link = value;
                    true
                }
                2048.. => {
                    // As far as it goes: bytes that are no multiple of 4 from the end are written before the end is met.
                    let mut all = true;
                    for piece in Pieces::new(offset, 4, 4).expect("a request") {
                        let start = (piece.offset - 2048) as usize;
                        let end = start + piece.bytes.len();
                        if all && end <= size as usize {
                            edid[start..end].copy_from_slice(&value.to_le_bytes()[piece.bytes]);
                        } else {
                            all = false;
                        }
                    }
                    all
                }
                _ => false,
            };
            prop_assert_eq!(done, expected, "{:#x} to {}", value, offset);
        }
        prop_assert_eq!(u32::from_le_bytes(rig.bytes(10, 8).expect("size")), size);
        prop_assert_eq!(u32::from_le_bytes(rig.bytes(10, 20).expect("link")), link);
        prop_assert!(rig.write((EDID | 8) as i64, &256u32.to_le_bytes()).is_ok());
        prop_assert!(rig.bytes(10, 2048).expect("EDID") == edid);
    }

    #[test]
    fn a_service_answers_in_its_mailbox(scic: u32, parm: u32, swsci: u32, page in 0u32..5, short: bool) {
        let mut rig = rig();
        let asls = MEMORY as u32 + page * 4096;
        rig.write((CONFIG | 0xfc) as i64, &asls.to_le_bytes()).expect("ASLS");
        let start = page as usize * 4096 + 0x200;
        let mailbox: Vec<u8> = [scic, parm].iter().flat_map(|word| word.to_le_bytes()).collect();
        let exists = start + 8 <= MEMORY_SIZE;
        if exists {
            rig.env.memory()[start..start + 8].copy_from_slice(&mailbox);
        }
        let mut expected = rig.env.memory().to_vec();
        let length = if short { 2 } else { 4 };
        let asked = swsci & 0x8001 == 0x8001;
        let done = rig.write((CONFIG | 0xe8) as i64, &swsci.to_le_bytes()[..length]).is_ok();
        prop_assert_eq!(done, exists || !asked);
        if asked && exists {
            let query = matches!((scic >> 1 & 15, scic >> 8 & 255), (4, 0 | 1) | (6, 0));
            let answer = if query { [0, 0] } else { [scic & !0xe0, parm] };
            for (at, word) in (start..).step_by(4).zip(answer) {
                expected[at..at + 4].copy_from_slice(&word.to_le_bytes());
            }
        }
        prop_assert!(rig.env.memory() == expected);
        prop_assert_eq!(rig.bytes(7, 0xe8), Ok([0; 4]));
    }

    #[test]
    fn any_script_keeps_the_vgpu_within_its_bounds(script in vec(any::<u8>(), 0..4000)) {
        let mut rig = rig();
        let mut source = Source::new(&script);
        while !source.is_empty() {
            let op: Op = source.op();
            rig.apply(&op);
        }
        prop_assert_eq!(rig.check(), Ok(()));
    }
}

/// Offsets in BAR0 around which something changes. PVINFO is left to the suites.
fn bar0_offset() -> impl Strategy<Value = u64> {
    let pte = |address: u64| 8 * MB + address / 512;
    let edges = [
        8,
        0x2_8000,
        0x7_7ff8,
        0x7_9008,
        2 * MB,
        8 * MB - 16,
        pte(LOW.0),
        pte(LOW.0 + LOW.1),
        pte(HIGH.0),
        pte(HIGH.0 + HIGH.1),
        16 * MB - 16,
    ];
    (0..edges.len(), 0u64..16).prop_map(move |(edge, near)| edges[edge] + near - 8)
}

/// Whether the byte at this offset of BAR0 keeps what is written to it.
fn is_kept(offset: u64) -> bool {
    let address = offset.saturating_sub(8 * MB) * 512;
    let own = |(start, size): (u64, u64)| (start..start + size).contains(&address);
    offset < 2 * MB || (offset >= 8 * MB && (own(LOW) || own(HIGH)))
}

fn near_the_aperture() -> impl Strategy<Value = u64> {
    let first = LOW.0 / 4096;
    let last = (LOW.0 + LOW.1) / 4096;
    prop_oneof![
        (0u64..4, first..last).prop_map(|(index, page)| index << 28 | page),
        (first - 4..first + 4).prop_map(|page| 2 << 28 | page),
        (last - 4..last + 4).prop_map(|page| 2 << 28 | page),
        any::<u64>(),
        (any::<u64>(), first..last).prop_map(|(index, page)| index << 28 | page),
    ]
}

fn edid_write() -> impl Strategy<Value = (u64, u32)> {
    prop_oneof![
        (Just(20u64), 0u32..4),
        (Just(8u64), 0u32..270),
        ((0u64..24).prop_map(|word| word & !3), any::<u32>()),
        ((2048u64..2310).prop_map(|at| at & !3), any::<u32>()),
        // The EDID as it is from the start, so that the link comes up at times.
        (0u64..32).prop_map(|word| {
            let at = word as usize * 4;
            let bytes = monitor(Resolution::Xga)[at..at + 4].try_into().expect("four bytes");
            (2048 + word * 4, u32::from_le_bytes(bytes))
        }),
    ]
}

/// What `drm_edid_valid` says of one block.
/// Whether a monitor can have these bytes: blocks that add up, and a mode that there is memory for.
fn comes_up(bytes: &[u8]) -> bool {
    let Some((base, rest)) = bytes.split_first_chunk::<128>() else { return false };
    let sum = rest.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    let extended = base[126] == 1 && rest.len() == 128 && sum % 256 == 0;
    let active = |low: u8, high: u8| u64::from(low) | u64::from(high & 0xf0) << 4;
    let (width, height) = (active(base[56], base[58]), active(base[59], base[61]));
    // Two pictures, of whole tiles, in the aperture.
    let picture = (width * 4).next_multiple_of(512) * height.next_multiple_of(32);
    let no_mode = base[54] == 0 && base[55] == 0;
    is_edid(base) && (base[126] == 0 || extended) && (no_mode || 2 * picture <= exercise::LOW.1)
}

fn is_edid(edid: &Edid) -> bool {
    edid[..8] == [0, 255, 255, 255, 255, 255, 255, 0]
        && edid[18] == 1
        && edid.iter().map(|byte| u32::from(*byte)).sum::<u32>() % 256 == 0
}

/// What the specification says of `VFIO_DEVICE_SET_IRQS`, check by check as the kernel makes them.
fn expected_action(header: &SetIrqsHeader, payload: [u8; 4]) -> Result<IrqAction> {
    let (data, action) = (header.flags & 7, header.flags & 0x38);
    if data.count_ones() != 1 || action.count_ones() != 1 {
        return Err(EINVAL);
    }
    if data != 1 {
        if header.count == 0 {
            return Err(EINVAL);
        }
        if header.argsz < 20 || header.index >= 5 || header.flags > 0x3f {
            return Err(EINVAL);
        }
        let vectors = u64::from(matches!(header.index, 0 | 1 | 4));
        if u64::from(header.start) + u64::from(header.count) > vectors {
            return Err(EINVAL);
        }
        let size = if data == 2 { 1 } else { 4 };
        if u64::from(header.argsz - 20) < u64::from(header.count) * size {
            return Err(EINVAL);
        }
    }
    let vector = match (header.index, action) {
        (0, _) => return Ok(IrqAction::Nothing),
        (1, 0x20) => Vector::Msi,
        (4, 0x20) => Vector::Request,
        _ => return Err(ENOTTY),
    };
    Ok(match (data, header.count, header.start, i32::from_le_bytes(payload)) {
        (1, 0, _, _) => IrqAction::ClearTrigger(vector),
        (1, _, 0, _) => IrqAction::Fire(vector),
        (2, ..) if payload[0] != 0 => IrqAction::Fire(vector),
        (4, _, _, -1) => IrqAction::ClearTrigger(vector),
        (4, _, _, fd) => IrqAction::SetTrigger { vector, fd },
        _ => IrqAction::Nothing,
    })
}
