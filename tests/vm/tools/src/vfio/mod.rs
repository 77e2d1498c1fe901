// SPDX-License-Identifier: GPL-2.0
#![doc = include_str!("script.md")]

mod bench;
mod driver;
mod fuzz;
mod guest;
pub(crate) mod ioctl;
mod machine;
mod opened;
mod request;
mod session;
mod space;
mod stall;
mod sweep;

pub use bench::{accesses, memory, work, Cost, Unit};
pub use fuzz::{Fuzz, Tally};
pub use session::{run, Summary};

/// The description of the script language, also shown by `vfioraw --help`.
pub const LANGUAGE: &str = include_str!("script.md");

use std::io;

/// Why a request could not be done.
#[derive(Debug)]
pub enum Failure {
    /// The kernel refused with this error number.
    Errno(i32),
    /// The request itself makes no sense here.
    Text(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Errno(number) => formatter.write_str(&errno_name(*number)),
            Failure::Text(text) => formatter.write_str(text),
        }
    }
}

impl std::error::Error for Failure {}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match error.raw_os_error() {
            Some(number) => Failure::Errno(number),
            None => Failure::Text(error.to_string()),
        }
    }
}

impl From<rustix::io::Errno> for Failure {
    fn from(error: rustix::io::Errno) -> Failure {
        Failure::Errno(error.raw_os_error())
    }
}

impl From<kvm_ioctls::Error> for Failure {
    fn from(error: kvm_ioctls::Error) -> Failure {
        Failure::Errno(error.errno())
    }
}

impl From<crate::mapping::BadAccess> for Failure {
    fn from(error: crate::mapping::BadAccess) -> Failure {
        Failure::Text(error.to_string())
    }
}

/// A failure that is the script's fault.
fn text<T>(message: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::Text(message.into()))
}

/// The name of an error number, as in `EINVAL`.
fn errno_name(number: i32) -> String {
    match nix::errno::Errno::from_raw(number) {
        nix::errno::Errno::UnknownErrno => format!("E{number}"),
        known => format!("{known:?}"),
    }
}

/// Bytes as a string of hexadecimal digits.
fn to_hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// Bytes from a string of hexadecimal digits; blanks are allowed between bytes.
fn from_hex(digits: &str) -> Result<Vec<u8>, Failure> {
    let digits: Vec<char> = digits.chars().filter(|digit| !digit.is_whitespace()).collect();
    let byte = |pair: &[char]| match pair {
        [high, low] => Some(((high.to_digit(16)? << 4) | low.to_digit(16)?) as u8),
        _ => None,
    };
    digits
        .chunks(2)
        .map(byte)
        .collect::<Option<Vec<u8>>>()
        .map_or_else(|| text("data is not an even number of hexadecimal digits"), Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_both_ways() {
        assert_eq!(from_hex("00 ff1A").expect("good digits"), [0, 0xff, 0x1a]);
        assert_eq!(to_hex(&[0, 0xff, 0x1a]), "00ff1a");
        for bad in ["0", "0g", "é0"] {
            assert!(from_hex(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn errors_have_names() {
        assert_eq!(errno_name(libc::EINVAL), "EINVAL");
        assert_eq!(errno_name(libc::ENOTTY), "ENOTTY");
        assert_eq!(errno_name(524), "E524");
    }
}
