// SPDX-License-Identifier: GPL-2.0
//! The programs as files: what they are linked with, and what they say where there is no device.

use std::process::Command;

const PROGRAMS: [&str; 4] = [
    env!("CARGO_BIN_EXE_gemtest"),
    env!("CARGO_BIN_EXE_gpureg"),
    env!("CARGO_BIN_EXE_vfiofuzz"),
    env!("CARGO_BIN_EXE_vfioraw"),
];

/// The type of the program header that names the dynamic linker.
const INTERPRETER: u32 = 3;

#[test]
fn programs_need_no_libraries() {
    for program in PROGRAMS {
        let bytes = std::fs::read(program).expect("cargo built it");
        assert_eq!(&bytes[..5], b"\x7fELF\x02", "{program} is no 64-bit ELF file");
        let word = |at: usize, length: usize| {
            bytes[at..at + length].iter().rev().fold(0usize, |value, byte| (value << 8) | usize::from(*byte))
        };
        let (table, size, count) = (word(0x20, 8), word(0x36, 2), word(0x38, 2));
        for number in 0..count {
            let kind = word(table + number * size, 4) as u32;
            assert_ne!(kind, INTERPRETER, "{program} is linked dynamically");
        }
    }
}

#[test]
fn missing_device_is_explained() {
    let output = Command::new(env!("CARGO_BIN_EXE_gemtest"))
        .args(["--device", "/nonexistent/card0"])
        .output()
        .expect("the program starts");
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("/nonexistent/card0") && text.contains("cannot open"), "{text}");
}

#[test]
fn list_needs_no_device() {
    let output = Command::new(env!("CARGO_BIN_EXE_gemtest")).arg("--list").output().expect("the program starts");
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8_lossy(&output.stdout);
    for name in ["store-dword/ENGINE", "blit/bcsN", "hang-loop/ENGINE"] {
        assert!(text.contains(name), "{name} is missing:\n{text}");
    }
}
