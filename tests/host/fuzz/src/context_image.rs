// SPDX-License-Identifier: GPL-2.0

//! A guest whose context has any image, and a host whose fresh image has any commands: what is loaded has the host's
//! commands, and of the guest's values those that a command of the guest's could have given a register.

#![no_main]

use exercise::{Image, Rig, Source, HIGH, LOW};
use gvt_model::addr::PAGE_SIZE;
use gvt_model::engine::EngineId;
use gvt_model::platform::{Platform, GGTT_OFFSET};
use gvt_model::region::Position;
use libfuzzer_sys::fuzz_target;

const PAGES: u64 = 8;
const FIRST: u64 = 0x2000;
/// Pages of graphics memory, each in a frame of its own.
const RING: u64 = 1;
const STATE: u64 = 3;
const TOP: u64 = 6;
const WORDS: usize = 1024;
/// Where the state of the engine begins, behind that of the ring.
const ENGINE: usize = 0x50;
const LOAD: u32 = 0x22 << 23;
const END: u32 = 0x0a << 23;
const PIPELINE: u32 = 0x7900_0000;
const UNTOUCHED: u32 = 0x5a5a_5a5a;
/// Registers of the ring, of users, of the engine as a whole, of other engines; such as change hands with an engine.
const REGISTERS: [u32; 28] = [
    0x28, 0x30, 0x34, 0x38, 0x3c, 0x80, 0x94, 0x98, 0x9c, 0xc0, 0x110, 0x118, 0x120, 0x1e0, 0x230, 0x244, 0x270, 0x274,
    0x29c, 0x358, 0x3a0, 0x4d0, 0x580, 0x588, 0x600, 0x604, 0x648, 0x690,
];
const GLOBAL: [u32; 12] =
    [0x7000, 0x7004, 0x7008, 0x7300, 0xb118, 0xe100, 0xe180, 0xe184, 0xe4f0, 0x4_4200, 0x2_20a0, 0xc800];

/// Where in guest memory a page is. Odd frames are no memory.
fn place(page: u64) -> u64 {
    (FIRST + 2 * page) * PAGE_SIZE
}

/// A guest with one context whose page tables are empty, and an engine that takes lists.
fn guest(platform: Platform, engine: EngineId) -> Rig {
    let mut rig = Rig::on(platform).expect("a vGPU");
    for page in 0..PAGES {
        rig.env.add_page(place(page) / PAGE_SIZE);
        let entry = place(page) | 1;
        rig.put(GGTT_OFFSET + (LOW.0 / PAGE_SIZE + page) * 8, &entry.to_le_bytes());
    }
    rig.read_piece(Position::new(0, 0x7_8000).expect("a place"), &mut [0; 4]).expect("a register");
    rig.set(engine.mmio_base() | 0x80, LOW.0 as u32);
    rig.set(engine.mmio_base() | 0x29c, 0x8000_8000);
    rig
}

fn put(rig: &mut Rig, page: u64, word: usize, values: &[u32]) {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    rig.env.put(place(page) + word as u64 * 4, &bytes);
}

/// Has the context run these commands: what the GPU is given, and the image that it loads.
fn run(rig: &mut Rig, engine: EngineId, commands: &[u32], fresh: &[u32]) -> Option<(Vec<u32>, Vec<u32>)> {
    put(rig, RING, 0, commands);
    let state = [(5, 0), (7, 4 * commands.len() as u32), (9, (LOW.0 + RING * PAGE_SIZE) as u32), (11, 1)];
    for (place, value) in state.into_iter().chain([(49, 0), (51, place(TOP) as u32)]) {
        put(rig, STATE, place, &[value]);
    }
    let descriptor = LOW.0 + (STATE - 1) * PAGE_SIZE | 0x119 | 7 << 32;
    for half in [0, 0, descriptor >> 32, descriptor] {
        rig.set(engine.mmio_base() | 0x230, half as u32);
    }
    let mut image = Image(vec![UNTOUCHED; WORDS]);
    let launch = rig.with(|vgpu, host| vgpu.launch(engine, &mut image, fresh, host))?;
    Some((launch.commands.iter().copied().collect(), image.0))
}

/// What a load of a register by a command becomes, by a guest that has done nothing else.
fn by_command(platform: Platform, engine: EngineId, register: u32, value: u32) -> Option<u32> {
    let mut fresh = vec![0; WORDS];
    fresh[ENGINE] = END;
    let (commands, _) = run(&mut guest(platform, engine), engine, &[LOAD | 1, register, value, 0], &fresh)?;
    match commands[..] {
        [_, loaded, accepted, ..] if loaded == register => Some(accepted),
        _ => None,
    }
}

/// Words of an image that are the guest's to say, each with the header of its command.
#[derive(Default)]
struct Places {
    /// Values of registers.
    values: Vec<(usize, usize)>,
    /// State of the pipeline, which reaches no further than the page tables do.
    state: Vec<(usize, usize)>,
}

/// The image of a new context of the host's: blocks of registers, state of the pipeline, gaps, an end.
fn fresh(source: &mut Source<'_>, engine: EngineId) -> (Vec<u32>, Places) {
    let mut words = vec![0; WORDS];
    for (place, word) in words.iter_mut().enumerate().take(ENGINE) {
        *word = 0x1000_0000 | place as u32;
    }
    let (mut at, mut places) = (ENGINE, Places::default());
    for _ in 0..source.byte() % 12 {
        match source.byte() {
            0..=30 => at += usize::from(source.byte() % 4),
            31..=60 if engine == EngineId::Rcs0 => {
                words[at..at + 3].copy_from_slice(&[PIPELINE | 1, source.word(), source.word()]);
                places.state.extend([(at, at + 1), (at, at + 2)]);
                at += 3;
            }
            _ => {
                let count = 1 + usize::from(source.byte() % 8);
                words[at] = LOAD | (2 * count as u32 - 1);
                for pair in 0..count {
                    let place = at + 1 + 2 * pair;
                    let number = usize::from(source.byte());
                    words[place] = match GLOBAL.get(number) {
                        Some(register) => *register,
                        None => engine.mmio_base() + REGISTERS[number % REGISTERS.len()],
                    };
                    words[place + 1] = source.word();
                    places.values.push((at, place + 1));
                }
                at += 1 + 2 * count;
            }
        }
    }
    words[at] = END;
    (words, places)
}

fuzz_target!(|script: &[u8]| {
    let mut source = Source::new(script);
    let platform = [Platform::Broadwell, Platform::Skylake, Platform::KabyLake][usize::from(source.byte() % 3)];
    let engines = [EngineId::Rcs0, EngineId::Bcs0, EngineId::Vcs0, EngineId::Vecs0];
    let engine = engines[usize::from(source.byte() % 4)];
    let (fresh, places) = fresh(&mut source, engine);
    let mut rig = guest(platform, engine);
    // The guest's image is one as the host's, with values of its own, and then anything in it.
    let mut own = fresh.clone();
    own[..ENGINE].fill(0);
    for (_, place) in places.values.iter().chain(&places.state) {
        own[*place] = source.word();
    }
    for _ in 0..source.byte() % 32 {
        let place = usize::from(source.byte()) | usize::from(source.byte() & 3) << 8;
        own[place] = if source.byte() & 1 == 0 { own[place] ^ 1 << (source.byte() & 31) } else { source.word() };
    }
    // A context that is not to be restored has no image yet.
    own[3] &= !1;
    put(&mut rig, STATE, 0, &own);
    let Some((_, image)) = run(&mut rig, engine, &[0, 0], &fresh) else { return };

    for (place, word) in image.iter().enumerate().skip(ENGINE) {
        if let Some((header, _)) = places.state.iter().find(|(_, state)| *state == place) {
            let wanted = if own[*header] == fresh[*header] { own[place] } else { fresh[place] };
            assert_eq!(*word, wanted, "word {place:#x} of the pipeline's state");
            continue;
        }
        let Some((header, _)) = places.values.iter().find(|(_, value)| *value == place) else {
            assert_eq!(*word, fresh[place], "word {place:#x} is no value");
            continue;
        };
        let register = fresh[place - 1];
        let same = own[*header] & 0xff == fresh[*header] & 0xff && own[place - 1] == register;
        let wanted = match rig.registers.find(register) {
            // The hardware has it for the context alone: it is a number to the guest.
            None if same => own[place],
            Some(row) if same && row.commands => {
                by_command(platform, engine, register, own[place]).unwrap_or(fresh[place])
            }
            _ => fresh[place],
        };
        assert_eq!(*word, wanted, "register {register:#x}, which the guest wants to be {:#x}", own[place]);
    }
    // Of the ring's state the model decides a few words, and leaves the others to the host.
    for (place, word) in image.iter().enumerate().take(ENGINE) {
        let decided = match place {
            3 | 35 => true,
            37..=51 => place % 2 == 1,
            25 | 27 | 29 => engine == EngineId::Rcs0,
            67 => engine == EngineId::Bcs0,
            _ => false,
        };
        assert!(decided || *word == UNTOUCHED, "word {place:#x} of the ring's state is {word:#x}");
    }
    if engine == EngineId::Rcs0 {
        assert!(image[27] & 0x3f > 0, "the context is loaded without the host's batch");
        assert_eq!(image[29], fresh[29], "where the batch runs");
    }
    assert_eq!(image[3] & !(1 << 1), 0xf << 16 | 1 << 3, "the context's control is {:#x}", image[3]);
    let root = u64::from(image[49]) << 32 | u64::from(image[51]);
    assert!(root == 0xdead_0000 || root >= 1 << 44, "a root of {root:#x}");
    for batch in [25, 27] {
        let address = u64::from(image[batch] & !0xfff);
        let host = [0, 0xf000, u64::from(UNTOUCHED & !0xfff)].contains(&address);
        assert!(host, "a batch at {address:#x}, guest's parts are {LOW:x?} and {HIGH:x?}");
    }
    rig.with(|vgpu, host| vgpu.complete(engine, true, &Image(image), host));
    rig.reset();
    rig.env.check_empty_tables();
});
