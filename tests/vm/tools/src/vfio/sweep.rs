// SPDX-License-Identifier: GPL-2.0
//! Many accesses to a region in one request: registers come by the thousand, and a request for each access would be
//! mostly JSON.

use std::os::unix::fs::FileExt as _;

use super::opened::Opened;
use super::request::Base;
use super::{ioctl, text, Failure};

const WIDTHS: [usize; 4] = [1, 2, 4, 8];
/// What a step without a result is answered with.
const DONE: &str = "-";

/// A number that may count from a base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    base: Base,
    number: u64,
}

impl Place {
    const ZERO: Place = Place { base: Base::Region, number: 0 };
}

/// One thing that is done for each offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Read { width: usize, at: Place, minus: Base },
    Write { width: usize, at: Place, value: Place },
    Reset,
}

/// A step with all bases looked up.
enum Access {
    Read { width: usize, at: u64, minus: u64 },
    Write { at: u64, bytes: Vec<u8> },
    Reset,
}

fn base(name: &str) -> Result<Base, Failure> {
    Ok(match name {
        "low" => Base::Low,
        "high" => Base::High,
        "low_pte" => Base::LowPte,
        "high_pte" => Base::HighPte,
        _ => return text(format!("'{name}' is no base: low, high, low_pte and high_pte are")),
    })
}

fn place(word: &str) -> Result<Place, Failure> {
    let (base, digits) = match word.split_once(':') {
        Some((name, digits)) => (base(name)?, digits),
        None => (Base::Region, word),
    };
    match u64::from_str_radix(digits, 16) {
        Ok(number) => Ok(Place { base, number }),
        Err(_) => text(format!("'{digits}' is not a hexadecimal number of at most 64 bits")),
    }
}

/// Width and place, as in `4+2080`.
fn target(word: &str) -> Result<(usize, Place), Failure> {
    let (digits, at) = match word.split_once('+') {
        Some((digits, at)) => (digits, place(at)?),
        None => (word, Place::ZERO),
    };
    match digits.parse() {
        Ok(width) if WIDTHS.contains(&width) => Ok((width, at)),
        _ => text(format!("'{digits}' is not a width: 1, 2, 4 and 8 are")),
    }
}

fn step(word: &str) -> Result<Step, Failure> {
    if word == "reset" {
        return Ok(Step::Reset);
    }
    if let Some(rest) = word.strip_prefix('r') {
        let (rest, minus) = match rest.split_once('-') {
            Some((rest, name)) => (rest, base(name)?),
            None => (rest, Base::Region),
        };
        let (width, at) = target(rest)?;
        return Ok(Step::Read { width, at, minus });
    }
    match word.strip_prefix('w').and_then(|rest| rest.split_once('=')) {
        Some((rest, value)) => {
            let (width, at) = target(rest)?;
            Ok(Step::Write { width, at, value: place(value)? })
        }
        None => text(format!("'{word}' is not a step: r4, w4=0 and reset are")),
    }
}

impl Step {
    fn look_up(self, opened: &Opened) -> Result<Access, Failure> {
        let counted = |place: Place| opened.counted(place.base, place.number);
        Ok(match self {
            Step::Read { width, at, minus } => {
                Access::Read { width, at: counted(at)?, minus: opened.counted(minus, 0)? }
            }
            Step::Write { width, at, value } => {
                Access::Write { at: counted(at)?, bytes: counted(value)?.to_le_bytes()[..width].to_vec() }
            }
            Step::Reset => Access::Reset,
        })
    }
}

impl Access {
    /// Does it, with the register at `offset` of the device's file.
    fn perform(&self, opened: &Opened, offset: u64) -> Result<String, Failure> {
        match self {
            Access::Read { width, at, minus } => {
                let mut bytes = [0; 8];
                opened.file().read_exact_at(&mut bytes[..*width], offset.wrapping_add(*at))?;
                let value = u64::from_le_bytes(bytes).wrapping_sub(*minus);
                // A register has what of an address fits into it.
                Ok(format!("{:0digits$x}", value & (u64::MAX >> (64 - 8 * width)), digits = 2 * width))
            }
            Access::Write { at, bytes } => {
                opened.file().write_all_at(bytes, offset.wrapping_add(*at))?;
                Ok(DONE.to_owned())
            }
            Access::Reset => {
                ioctl::vfio_number(opened.device(), "DEVICE_RESET", 0)?;
                Ok(DONE.to_owned())
            }
        }
    }
}

/// Does all steps for each offset; a string for each of them, with a word for each step.
pub(super) fn run(opened: &Opened, region: u32, offsets: &[u64], steps: &str) -> Result<Vec<String>, Failure> {
    let steps: Vec<Access> =
        steps.split_whitespace().map(|word| step(word)?.look_up(opened)).collect::<Result<_, _>>()?;
    // Once: the kernel is asked for it.
    let start = opened.place(region, 0);
    let one = |offset: &u64| {
        let place = start.wrapping_add(*offset);
        let done = steps.iter().map(|step| step.perform(opened, place));
        let words: Vec<String> = done.map(|word| word.unwrap_or_else(|failure| failure.to_string())).collect();
        words.join(" ")
    };
    Ok(offsets.iter().map(one).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_read() {
        let at = |number| Place { base: Base::Region, number };
        let low = |number| Place { base: Base::Low, number };
        for (word, expected) in [
            ("r4", Step::Read { width: 4, at: at(0), minus: Base::Region }),
            ("r1+3", Step::Read { width: 1, at: at(3), minus: Base::Region }),
            ("r4+2080-low", Step::Read { width: 4, at: at(0x2080), minus: Base::Low }),
            (
                "r8+low_pte:10",
                Step::Read { width: 8, at: Place { base: Base::LowPte, number: 16 }, minus: Base::Region },
            ),
            ("w4=ffffffff", Step::Write { width: 4, at: at(0), value: at(0xffff_ffff) }),
            ("w4+2080=low:1000", Step::Write { width: 4, at: at(0x2080), value: low(0x1000) }),
            ("reset", Step::Reset),
        ] {
            assert_eq!(step(word).expect("a step"), expected, "{word}");
        }
    }

    #[test]
    fn what_is_no_step_is_refused() {
        for word in ["", "r", "r3", "r16", "w4", "w4=", "w4=g", "r4+", "r4+far:0", "r4-0", "x4", "w4=11112222333344445"]
        {
            assert!(step(word).is_err(), "{word}");
        }
    }
}
