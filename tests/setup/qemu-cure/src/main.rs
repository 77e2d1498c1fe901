// SPDX-License-Identifier: GPL-2.0
//! Copies QEMU's system emulator for x86-64 without three faults of its emulated nested SVM.
//!
//! They are told in `Documentation/testing.rst`. They hit a guest of a guest when the outer machine is
//! emulated by TCG: the first one ([`cure::injected_vector`]) freezes it, the second one
//! ([`cure::event_leftover`]) ends it with an internal error of KVM, the third one ([`cure::unlocked_flag`])
//! mixes the states of both machines.
//!
//! The place of each is found by decoding the function it is in, which QEMU exports by name. Bytes are only
//! changed where exactly one instruction fits a description that leaves no doubt; otherwise the tool
//! refuses with exit code 3 and writes nothing.

#![forbid(unsafe_code)]

mod code;
mod cure;
mod elf;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;

use cure::{Patch, Refusal};

/// Exit code of a refusal, so that a script can tell it from a failure.
const REFUSED: u8 = 3;

/// Copies QEMU without three faults of its emulated nested SVM.
#[derive(Parser)]
struct Arguments {
    /// QEMU's system emulator, as Debian ships it
    #[arg(long)]
    input: PathBuf,
    /// Where the cured copy goes
    #[arg(long)]
    output: PathBuf,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(refusal)) => {
            eprintln!("qemu-cure: {refusal}");
            ExitCode::from(REFUSED)
        }
        Err(error) => {
            eprintln!("qemu-cure: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<Result<(), Refusal>> {
    let mut image = fs::read(&arguments.input).with_context(|| format!("cannot read {}", arguments.input.display()))?;
    let patch = match find(&image, cure::injected_vector)? {
        Ok(patch) => patch,
        Err(refusal) => return Ok(Err(refusal)),
    };
    apply(&mut image, &patch);
    // The same search must not find it again; if it does, the copy is not what this tool believes.
    if find(&image, cure::injected_vector)?.is_ok() {
        return Ok(Err(Refusal::new("the copy still has the store after it was replaced")));
    }

    for search in [cure::event_leftover, cure::unlocked_flag] {
        match find(&image, search)? {
            Ok(patch) => apply(&mut image, &patch),
            // The first cure is what guests need to live at all, so it is not given up for the others.
            Err(refusal) => eprintln!("qemu-cure: another fault is left as it is: {refusal}"),
        }
    }
    write(&arguments.output, &image)?;
    Ok(Ok(()))
}

/// Looks for one fault in the image of an executable. The outer error is about the file, the inner one says
/// that the code does not fit the description.
fn find(image: &[u8], search: fn(&elf::Exports<'_>) -> Result<Patch, Refusal>) -> Result<Result<Patch, Refusal>> {
    Ok(search(&elf::Exports::parse(image)?))
}

fn apply(image: &mut [u8], patch: &Patch) {
    let place = &mut image[patch.offset..patch.offset + patch.bytes.len()];
    println!(
        "{}: at {:#x} (file offset {:#x}) {:02x?} becomes {:02x?}",
        patch.what, patch.address, patch.offset, place, patch.bytes
    );
    place.copy_from_slice(&patch.bytes);
}

/// Writes beside the target and renames, so that a running emulator keeps the file it has.
fn write(output: &Path, image: &[u8]) -> Result<()> {
    let partial = output.with_extension("partial");
    fs::write(&partial, image).with_context(|| format!("cannot write {}", partial.display()))?;
    fs::set_permissions(&partial, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot make {} executable", partial.display()))?;
    fs::rename(&partial, output).with_context(|| format!("cannot put the copy at {}", output.display()))
}
