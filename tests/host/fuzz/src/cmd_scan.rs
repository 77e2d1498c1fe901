// SPDX-License-Identifier: GPL-2.0

//! Any bytes as a ring and as batches that it starts: what is let through reaches nothing but the guest.

#![no_main]

use exercise::audit::check;
use exercise::Source;
use gvt_model::cmd::{Flaw, Flip, Load, Page, Policy, Scanner, Space, MAX_WORDS};
use gvt_model::engine::EngineId;
use gvt_model::interrupt::EngineEvent;
use gvt_model::platform::Platform;
use libfuzzer_sys::fuzz_target;

const START: u64 = 0x10_0000;
const SIZE: u64 = 0x4000;
const PLATFORMS: [Platform; 3] = [Platform::Broadwell, Platform::Skylake, Platform::Broxton];

struct Guest {
    words: Vec<u32>,
    base: u32,
    flips: usize,
}

fn is_open(base: u32, register: u32) -> bool {
    register.wrapping_sub(base) == 0x28 || register == 0x7008
}

fn owns(address: u64, length: u64) -> bool {
    address >= START && address.checked_add(length).is_some_and(|end| end <= START + SIZE)
}

impl Policy for Guest {
    fn read_page(&mut self, _space: Space, address: u64, words: &mut [u32]) -> Result<(), Flaw> {
        assert!(address % 4096 == 0 && words.len() == 1024);
        let first = address.checked_sub(START).ok_or(Flaw::OutOfReach { address })? as usize / 4;
        words.copy_from_slice(self.words.get(first..first + 1024).ok_or(Flaw::OutOfReach { address })?);
        Ok(())
    }

    fn owns(&self, address: u64, length: u64) -> bool {
        owns(address, length)
    }

    fn status_page(&self) -> Option<u64> {
        Some(START + 0x3000)
    }

    fn context_page(&self) -> u64 {
        START + 0x2000
    }

    fn load(&mut self, register: u32, value: u32) -> Result<Load, Flaw> {
        match register.wrapping_sub(self.base) {
            0x270..0x290 => Ok(Load::Root),
            0x358 => Ok(Load::Nothing),
            _ if is_open(self.base, register) => Ok(Load::Value(value & 0xffff)),
            _ => Err(Flaw::Register { offset: register }),
        }
    }

    fn switch_root(&mut self) -> Result<[u32; 8], Flaw> {
        Ok([0x1000, 0, 0x2000, 0, 0, 0, 0, 0])
    }

    fn moves(&mut self, register: u32) -> bool {
        register == 0xb118
    }

    fn copies(&mut self, _from: u32, _to: u32) -> bool {
        false
    }

    fn event(&mut self, _event: EngineEvent) {}

    fn flip(&mut self, _flip: Flip) -> Result<(), Flaw> {
        self.flips += 1;
        if self.flips > 16 {
            Err(Flaw::Budget)
        } else {
            Ok(())
        }
    }
}

fuzz_target!(|script: &[u8]| {
    let mut source = Source::new(script);
    let engine = EngineId::ALL[usize::from(source.byte()) % EngineId::ALL.len()];
    let platform = PLATFORMS[usize::from(source.byte()) % PLATFORMS.len()];
    let workarounds = source.byte() & 7 == 0;
    let (head, tail) = (source.word() & 0xfff, source.word() & 0xfff);
    let mut words = Vec::new();
    while !source.is_empty() && words.len() < SIZE as usize / 4 {
        words.push(source.word());
    }
    words.resize(SIZE as usize / 4, 0);
    let mut guest = Guest { words, base: engine.mmio_base(), flips: 0 };
    let mut page = Page::new().expect("memory");
    let mut output = Default::default();
    let mut scanner = Scanner::new(&mut guest, engine, platform, &mut page, &mut output);
    let looked = if workarounds {
        scanner.workarounds(START + u64::from(head & !3), u64::from(tail)).map(|_| ())
    } else {
        scanner.ring(START, 0x1000, head.into(), tail.into()).map(|_| ())
    };
    assert!(output.len() <= MAX_WORDS);
    if looked.is_ok() && !workarounds {
        let base = engine.mmio_base();
        check(&output, engine, platform, &owns, &|register| is_open(base, register));
    }
});
