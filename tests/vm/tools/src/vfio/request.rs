// SPDX-License-Identifier: GPL-2.0
//! The requests of a script as types; `script.md` tells their meaning.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// A number written as a JSON number or as a string with or without `0x`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Num(pub(super) u64);

impl<'de> Deserialize<'de> for Num {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Num, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Number(u64),
            Negative(i64),
            Text(String),
        }
        let text = match Form::deserialize(deserializer)? {
            Form::Number(value) => return Ok(Num(value)),
            Form::Negative(value) => return Ok(Num(value as u64)),
            Form::Text(text) => text,
        };
        let value = match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => text.parse(),
        };
        value.map(Num).map_err(|_| D::Error::custom(format!("{text} is not a number of at most 64 bits")))
    }
}

fn zero_name() -> String {
    "0".to_owned()
}

fn only_zero() -> Vec<Num> {
    vec![Num(0)]
}

fn four() -> usize {
    4
}

fn yes() -> bool {
    true
}

fn primary() -> u32 {
    1
}

fn second() -> u64 {
    1000
}

fn default_memory() -> Num {
    Num(64 << 20)
}

/// A part of an ioctl's structure.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Part {
    U8(Num),
    U16(Num),
    U32(Num),
    U64(Num),
    Hex(String),
    Zero(Num),
    Eventfd(String),
    Memory(Num),
}

/// An ioctl's argument.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Arg {
    Parts(Vec<Part>),
    Pointer { pointer: Num },
}

/// Which descriptor an ioctl goes to.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Target {
    #[default]
    Device,
    Group,
    Container,
    Vm,
    KvmVfio,
}

/// An ioctl's number or name.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Code {
    Number(u32),
    Name(String),
}

/// What a set_irqs request carries.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum IrqData {
    None,
    Bool,
    Eventfd,
}

/// What a set_irqs request does.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum IrqAction {
    Mask,
    Unmask,
    Trigger,
}

/// Where an offset counts from. A driver may give a virtual GPU any place in graphics memory, so a script that is to mean
/// the same everywhere counts from there.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Base {
    /// The start of the region.
    #[default]
    Region,
    /// The start of the device's part of the aperture.
    Low,
    /// The start of its part of the graphics memory beyond the aperture.
    High,
    /// The page table entry of the first page of `Low`, in BAR 0.
    LowPte,
    /// The page table entry of the first page of `High`.
    HighPte,
}

/// What is read: a value of some width or a number of bytes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Amount {
    Width(usize),
    Length(usize),
}

/// The fields that say how much a request reads.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ReadSize {
    #[serde(default = "four")]
    width: usize,
    length: Option<Num>,
}

impl ReadSize {
    pub(super) fn amount(&self) -> Amount {
        match self.length {
            Some(length) => Amount::Length(length.0 as usize),
            None => Amount::Width(self.width),
        }
    }
}

/// The fields that say what a request writes.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct WriteData {
    #[serde(default = "four")]
    width: usize,
    #[serde(default)]
    value: Num,
    data: Option<String>,
}

impl WriteData {
    /// The bytes to write.
    pub(super) fn bytes(&self) -> Result<Vec<u8>, super::Failure> {
        match &self.data {
            Some(digits) => super::from_hex(digits),
            None => match self.value.0.to_le_bytes().get(..self.width) {
                Some(bytes) => Ok(bytes.to_vec()),
                None => super::text("a value has at most 8 bytes"),
            },
        }
    }
}

/// One request.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub(super) enum Request {
    Machine {
        #[serde(default = "zero_name")]
        machine: String,
        #[serde(default = "default_memory")]
        memory: Num,
        #[serde(default = "yes")]
        map: bool,
    },
    CloseMachine {
        #[serde(default = "zero_name")]
        machine: String,
    },
    Slot {
        #[serde(default = "zero_name")]
        machine: String,
        slot: u32,
        gpa: Num,
        offset: Num,
        size: Num,
    },
    MemoryRead {
        #[serde(default = "zero_name")]
        machine: String,
        offset: Num,
        #[serde(flatten)]
        size: ReadSize,
    },
    MemoryWrite {
        #[serde(default = "zero_name")]
        machine: String,
        offset: Num,
        #[serde(flatten)]
        data: WriteData,
    },
    MemoryFill {
        #[serde(default = "zero_name")]
        machine: String,
        offset: Num,
        length: Num,
        #[serde(default)]
        byte: u8,
    },
    MemoryStall {
        #[serde(default = "zero_name")]
        machine: String,
        offset: Num,
        size: Num,
        milliseconds: Option<u64>,
    },
    GuestWrite {
        #[serde(default = "zero_name")]
        machine: String,
        gpa: Num,
        #[serde(default = "four")]
        width: usize,
        value: Num,
    },
    GuestRead {
        #[serde(default = "zero_name")]
        machine: String,
        gpa: Num,
        #[serde(default = "four")]
        width: usize,
    },
    DmaMap {
        #[serde(default = "zero_name")]
        machine: String,
        iova: Num,
        offset: Num,
        size: Num,
        #[serde(default = "yes")]
        read: bool,
        #[serde(default = "yes")]
        write: bool,
    },
    DmaUnmap {
        #[serde(default = "zero_name")]
        machine: String,
        iova: Num,
        size: Num,
    },
    Open {
        #[serde(default = "zero_name")]
        device: String,
        uuid: String,
        #[serde(default = "zero_name")]
        machine: String,
        #[serde(default = "yes")]
        kvm: bool,
    },
    Close {
        #[serde(default = "zero_name")]
        device: String,
    },
    DeviceInfo {
        #[serde(default = "zero_name")]
        device: String,
    },
    RegionInfo {
        #[serde(default = "zero_name")]
        device: String,
        region: u32,
        #[serde(default)]
        relative: bool,
    },
    IrqInfo {
        #[serde(default = "zero_name")]
        device: String,
        index: u32,
    },
    Read {
        #[serde(default = "zero_name")]
        device: String,
        region: u32,
        #[serde(default)]
        base: Base,
        offset: Num,
        #[serde(flatten)]
        size: ReadSize,
        minus: Option<Base>,
    },
    Write {
        #[serde(default = "zero_name")]
        device: String,
        region: u32,
        #[serde(default)]
        base: Base,
        offset: Num,
        #[serde(flatten)]
        data: WriteData,
    },
    Sweep {
        #[serde(default = "zero_name")]
        device: String,
        region: u32,
        #[serde(default = "only_zero")]
        offsets: Vec<Num>,
        steps: String,
    },
    Map {
        #[serde(default = "zero_name")]
        device: String,
        mapping: String,
        region: u32,
        #[serde(default)]
        base: Base,
        offset: Num,
        size: Num,
        #[serde(default = "yes")]
        write: bool,
        #[serde(default)]
        private: bool,
    },
    MapRead {
        #[serde(default = "zero_name")]
        device: String,
        mapping: String,
        offset: Num,
        #[serde(default = "four")]
        width: usize,
    },
    MapWrite {
        #[serde(default = "zero_name")]
        device: String,
        mapping: String,
        offset: Num,
        #[serde(default = "four")]
        width: usize,
        value: Num,
    },
    Unmap {
        #[serde(default = "zero_name")]
        device: String,
        mapping: String,
    },
    SetIrqs {
        #[serde(default = "zero_name")]
        device: String,
        index: u32,
        #[serde(default)]
        start: u32,
        count: Option<u32>,
        data: IrqData,
        action: IrqAction,
        #[serde(default)]
        eventfds: Vec<Option<String>>,
        #[serde(default)]
        bools: Vec<u8>,
    },
    Reset {
        #[serde(default = "zero_name")]
        device: String,
    },
    Ioctl {
        #[serde(default = "zero_name")]
        device: String,
        request: Code,
        arg: Option<Arg>,
        #[serde(default)]
        fd: Target,
    },
    Plane {
        #[serde(default = "zero_name")]
        device: String,
        #[serde(default = "primary")]
        kind: u32,
    },
    Dmabuf {
        #[serde(default = "zero_name")]
        device: String,
        buffer: String,
        number: Option<u32>,
    },
    BufferRead {
        buffer: String,
        offset: Num,
        #[serde(flatten)]
        size: ReadSize,
    },
    CloseBuffer {
        buffer: String,
    },
    Eventfd {
        event: String,
    },
    CloseEventfd {
        event: String,
    },
    Signal {
        event: String,
    },
    Wait {
        event: String,
        #[serde(default = "second")]
        milliseconds: u64,
    },
    Sleep {
        milliseconds: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Request, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn numbers_in_every_form() {
        for (text, value) in
            [("5", 5), ("\"0x10\"", 16), ("\"16\"", 16), ("-1", u64::MAX), ("18446744073709551615", u64::MAX)]
        {
            let number: Num = serde_json::from_str(text).expect(text);
            assert_eq!(number.0, value, "{text}");
        }
        assert!(serde_json::from_str::<Num>("\"0x\"").is_err());
        assert!(serde_json::from_str::<Num>("1.5").is_err());
    }

    #[test]
    fn defaults_and_sizes() {
        let Ok(Request::Read { device, size, .. }) = parse(r#"{"op":"read","region":0,"offset":"0x40"}"#) else {
            panic!("a read without width is a request");
        };
        assert_eq!(device, "0");
        assert!(matches!(size.amount(), Amount::Width(4)));
        let Ok(Request::Read { size, .. }) = parse(r#"{"op":"read","region":0,"offset":0,"length":64}"#) else {
            panic!("a read with length is a request");
        };
        assert!(matches!(size.amount(), Amount::Length(64)));
        let Ok(Request::Write { data, .. }) =
            parse(r#"{"op":"write","region":0,"offset":0,"width":2,"value":"0x12345678"}"#)
        else {
            panic!("a write with value is a request");
        };
        assert_eq!(data.bytes().expect("two bytes"), [0x78, 0x56]);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [r#"{"op":"fly"}"#, r#"{"op":"read"}"#, r#"{"op":"set_irqs","index":1,"data":"x","action":"mask"}"#]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
