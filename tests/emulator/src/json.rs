// SPDX-License-Identifier: GPL-2.0
//! Numbers as JSON carries them in this crate's files and on its control socket.
//!
//! Addresses, register offsets and context ids are written as hexadecimal strings, because that is how documents and
//! kernel logs show them. On input a plain number and a string, hexadecimal with `0x` or decimal, are all the same.

use std::fmt;

use serde::de::{Deserializer, Error, Unexpected, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// A number that is written as `"0x1f"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hex(pub u64);

impl Hex {
    /// The value where it fits 32 bits.
    ///
    /// # Errors
    ///
    /// A sentence that says what does not fit.
    pub fn narrow(self, what: &str) -> Result<u32, String> {
        u32::try_from(self.0).map_err(|_| format!("{what} {self} has more than 32 bits; give a smaller one"))
    }
}

impl From<u32> for Hex {
    fn from(value: u32) -> Self {
        Self(value.into())
    }
}

impl From<u64> for Hex {
    fn from(value: u64) -> Self {
        Self(value)
    }
}

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(HexVisitor)
    }
}

struct HexVisitor;

impl Visitor<'_> for HexVisitor {
    type Value = Hex;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or a string such as \"0x2030\"")
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Hex, E> {
        Ok(Hex(value))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Hex, E> {
        let parsed = match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => text.parse(),
        };
        parsed.map(Hex).map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ways_to_write_a_number_are_read() {
        for text in ["8240", "\"0x2030\"", "\"8240\""] {
            assert_eq!(serde_json::from_str::<Hex>(text).unwrap(), Hex(0x2030), "{text}");
        }
        assert_eq!(serde_json::to_string(&Hex(0x2030)).unwrap(), "\"0x2030\"");
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["-1", "1.5", "\"0x\"", "\"2030h\"", "null", "[1]", "\"0x10000000000000000\""] {
            assert!(serde_json::from_str::<Hex>(text).is_err(), "{text}");
        }
        assert!(Hex(1 << 32).narrow("offset").unwrap_err().contains("offset 0x100000000"));
    }
}
