// SPDX-License-Identifier: GPL-2.0

//! What may run on the GPU for a guest, told again: commands that were let through are looked at once more, by someone
//! who knows nothing of how they were let through.

use gvt_model::cmd::table::Command;
use gvt_model::engine::EngineId;
use gvt_model::platform::Platform;

/// The registers that commands may name, beside the ones of the root of page tables and NOPID.
pub type Registers<'a> = &'a dyn Fn(u32) -> bool;

/// Panics if a command could reach beyond the guest.
///
/// `owns` tells whether memory at an address of the GGTT is the guest's, `status` whether there is an own status page.
pub fn check(
    words: &[u32],
    engine: EngineId,
    platform: Platform,
    owns: &dyn Fn(u64, u64) -> bool,
    registers: Registers<'_>,
) {
    let base = engine.mmio_base();
    let parsed = engine == EngineId::Bcs0 && platform != Platform::Broadwell;
    let by_users = |register: u32| parsed && (register == 0x2_2200 || (0x2_2600..0x2_2680).contains(&register));
    let clocks = [0x2358, 0x235c, 0x1_2358, 0x1_235c, 0x2_2358, 0x2_235c, 0x2_23a8];
    let own = |low: u32, high: u32, length: u64, what: &str| {
        let address = u64::from(high) << 32 | u64::from(low);
        assert!(owns(address, length), "{what} reaches {address:#x}");
    };
    let mut at = 0;
    while at < words.len() {
        let header = words[at];
        let command = Command::find(header, engine, platform).unwrap_or_else(|| panic!("{header:#x} is no command"));
        let length = command.length(header).expect("a length") as usize;
        let Some(command_words) = words.get(at..at + length) else { panic!("{header:#x} goes on behind the end") };
        at += length;
        let global = header >> 22 & 1 == 1;
        match (header >> 29, header >> 23, command_words) {
            (0, 0x02 | 0x03 | 0x07 | 0x0b | 0x12 | 0x14 | 0x21 | 0x23 | 0x28 | 0x36, _) => {
                panic!("{} runs", command.name)
            }
            (0, 0x08, _) if header & 1 == 0 => {
                assert!(platform == Platform::Broadwell && engine == EngineId::Rcs0, "the engine cannot be taken away");
            }
            (0, 0x0a, _) => panic!("a batch ends that did not begin"),
            (0, 0x31, _) => {
                assert!(!parsed, "the blitter starts a batch that nobody has looked at");
                assert!(header >> 8 & 1 == 1, "a batch of the GGTT runs");
                assert!(!global, "a second batch from the ring");
            }
            (0, 0x1c, [_, _, low, high]) if global => own(*low, *high, 4, "a wait"),
            (0, 0x20, [_, low, high, values @ ..]) if global => {
                own(*low, *high, 4 * values.len() as u64, "a store");
            }
            (0, 0x22, [_, pairs @ ..]) => {
                assert!(pairs.len() % 2 == 0);
                for pair in pairs.chunks_exact(2) {
                    let inside = pair[0].wrapping_sub(base);
                    let root = (0x270..0x290).contains(&inside);
                    assert!(
                        inside == 0x94 || root || registers(pair[0]) || by_users(pair[0]),
                        "register {:#x} is loaded",
                        pair[0]
                    );
                    assert!(pair[1] & 0xfff == 0 || !root, "a root of {:#x}", pair[1]);
                }
            }
            (0, 0x24 | 0x29, [_, register, low, high]) => {
                let reads = parsed && header >> 23 == 0x24 && clocks.contains(register);
                let known = matches!(register, 0xb118 | 0x21f0 | 0x20c0) || reads || by_users(*register);
                assert!(known, "register {register:#x} moves");
                if global {
                    own(*low, *high, 4, "a register");
                }
            }
            (0, 0x2a, [_, _, to]) => {
                assert!(platform == Platform::Broadwell || by_users(*to), "register {to:#x} is copied to");
            }
            (0, 0x26, [flags, low, high, ..]) if flags >> 14 & 3 != 0 => {
                if low >> 2 & 1 == 1 {
                    assert!(flags >> 21 & 1 == 0, "the host's status page");
                    own(low & !7, *high, 8, "a flush");
                } else if flags >> 21 & 1 == 1 {
                    assert!(*high == 0 && low & !7 < 0x1000, "behind the status page of the context");
                }
            }
            (0, 0x26, [flags, ..]) => assert!(flags >> 14 & 3 == 0, "a flush without an address"),
            (0, 0x27, _) => assert!(!global, "a cache line of the GGTT"),
            (0, 0x2e, [_, to_low, to_high, from_low, from_high]) => {
                if header >> 21 & 1 == 1 {
                    own(*to_low, *to_high, 4, "a copy");
                }
                if global {
                    own(*from_low, *from_high, 4, "a copy");
                }
            }
            (0, 0x2f, [_, low, high, ..]) if global => own(*low, *high, 8, "an atomic"),
            (3, _, [_, flags, low, high, ..]) if header >> 16 == 0x7a00 => {
                if flags >> 23 & 1 == 1 {
                    assert!(registers(low & 0x7f_fffc), "register {low:#x} is written after a flush");
                } else if flags >> 14 & 3 != 0 && flags >> 24 & 1 == 1 {
                    assert!(flags >> 21 & 1 == 0, "the host's status page");
                    own(low & !7, *high, 8, "a pipe control");
                }
            }
            _ => {}
        }
        let notifies = header >> 23 == 0x26 && header >> 8 & 1 == 1;
        let pipe_notifies = header >> 16 == 0x7a00 && command_words.get(1).is_some_and(|flags| flags >> 8 & 1 == 1);
        assert!(!notifies && !pipe_notifies, "the host is interrupted");
    }
}
