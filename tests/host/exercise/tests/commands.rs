// SPDX-License-Identifier: GPL-2.0

//! The table of commands against that of the C driver.

use std::collections::HashMap;

use gvt_model::cmd::table::{Command, Length};
use gvt_model::engine::EngineId;
use gvt_model::platform::Platform;

const PLATFORMS: [(u32, Platform); 5] = [
    (0, Platform::Broadwell),
    (1, Platform::Skylake),
    (2, Platform::KabyLake),
    (3, Platform::Broxton),
    (4, Platform::CoffeeLake),
];

/// Names that the PRM gives to what the C driver has numbers for.
const RENAMED: [(&str, &str); 2] = [("MI_OP_2E", "MI_COPY_MEM_MEM"), ("MI_OP_2F", "MI_ATOMIC")];

/// What is no command here, or is one on fewer engines: GPUs do not agree on it, or Gen8 and Gen9 do not have it.
const REFUSED: [&str; 1] = ["3DSTATE_VF_STATISTICS"];
const RENDER_ONLY: [&str; 2] = ["MI_SET_PREDICATE", "3DSTATE_VF_STATISTICS_GM45"];

/// Of batches of users, which the C driver does not look at.
const ADDED: [&str; 3] = ["COLOR_BLT", "XY_FAST_COPY_BLT", "SRC_COPY_BLT"];

/// Lengths that the C driver has wrong, or that GPUs do not agree on beyond this.
const LENGTHS: [(&str, Length); 5] = [
    ("MFX_WAIT", Length::Fixed(1)),
    ("MI_MATH", Length::Within(8, 65)),
    ("MI_FLUSH_DW", Length::Within(6, 5)),
    ("PIPE_CONTROL", Length::Within(8, 6)),
    ("OP_SWTESS_BASE_ADDRESS", Length::Exact(8, 2)),
];

fn rows() -> impl Iterator<Item = Vec<&'static str>> {
    include_str!("../data/commands.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split('\t').collect())
}

fn hex(text: &str) -> u32 {
    u32::from_str_radix(text.trim_start_matches("0x"), 16).expect("a number")
}

/// A header with this opcode.
fn header(opcode: u32) -> u32 {
    match opcode {
        0..0x80 => opcode << 23,
        0x80..0x400 => opcode << 22,
        _ => opcode << 16,
    }
}

fn engine(name: &str) -> EngineId {
    let all = EngineId::ALL.into_iter();
    let short = |id: &EngineId| format!("{id:?}").to_uppercase();
    all.into_iter()
        .find(|id| short(id) == name || short(id) == format!("{name}0"))
        .unwrap_or_else(|| panic!("no engine {name}"))
}

#[test]
fn each_command_is_as_long_as_the_c_driver_says() {
    let mut count = 0;
    for row in rows() {
        let [name, opcode, flags, engines, platforms, length, exact] = row[..] else {
            panic!("not a row: {row:?}");
        };
        let name = RENAMED.iter().find(|(old, _)| *old == name).map_or(name, |(_, new)| new);
        let length: u32 = length.parse().expect("a number");
        let expected = if let Some((_, other)) = LENGTHS.iter().find(|(known, _)| *known == name) {
            *other
        } else if flags.contains("CONST") {
            Length::Fixed(length)
        } else if flags.contains("VAR_FIXED") {
            Length::Exact(length, exact.parse().expect("a number"))
        } else {
            Length::Field(length)
        };
        for (bit, platform) in PLATFORMS {
            for id in EngineId::ALL {
                let less = REFUSED.contains(&name) || RENDER_ONLY.contains(&name) && id != EngineId::Rcs0;
                let theirs =
                    !less && hex(platforms) >> bit & 1 == 1 && engines.split(',').any(|name| engine(name) == id);
                let ours = Command::find(header(hex(opcode)), id, platform);
                // An opcode can be two commands, on different engines.
                let ours = ours.filter(|command| command.name == name);
                assert_eq!(ours.is_some(), theirs, "{name} on {id:?} of {platform:?}");
                if let Some(command) = ours {
                    assert_eq!(command.length, expected, "{name}");
                }
            }
        }
        count += 1;
    }
    assert_eq!(count, 225);
}

#[test]
fn nothing_else_is_a_command() {
    let names: HashMap<_, _> = rows().map(|row| (header(hex(row[1])), row[0])).collect();
    assert_eq!(Command::all().count(), 225 - REFUSED.len() + ADDED.len());
    for (header, command) in Command::all() {
        assert!(names.contains_key(&header) || ADDED.contains(&command.name), "{}", command.name);
    }
    // Every other opcode, on every engine.
    for id in EngineId::ALL {
        for opcode in 0..=0xffffu32 {
            let (wide, narrow) = (opcode << 16, header(opcode));
            for header in [wide, narrow] {
                if let Some(command) = Command::find(header, id, Platform::Skylake) {
                    let known =
                        Command::all().any(|(known, other)| std::ptr::eq(command, other) && header & known == known);
                    assert!(known, "{header:#x} is {}", command.name);
                }
            }
        }
    }
}

#[test]
fn a_header_tells_the_length() {
    let find = |header| Command::find(header, EngineId::Rcs0, Platform::Skylake).expect("a command");
    assert_eq!(find(0).length(0x3f_ffff), Some(1));
    // MI_STORE_DATA_IMM has ten bits for it, MI_LOAD_REGISTER_MEM eight, and one value.
    assert_eq!(find(0x20 << 23).length(0x20 << 23 | 0x3ff), Some(0x401));
    assert_eq!(find(0x29 << 23).length(0x29 << 23 | 2), Some(4));
    assert_eq!(find(0x29 << 23).length(0x29 << 23 | 3), None);
    // MEDIA_OBJECT has sixteen.
    assert_eq!(find(0x7100_0000).length(0x7100_ffff), Some(0x1_0001));
}
