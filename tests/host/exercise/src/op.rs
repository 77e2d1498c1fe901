// SPDX-License-Identifier: GPL-2.0

//! What a VMM can ask for, made of bytes.

use gvt_model::irq::SetIrqsHeader;

/// The most bytes of one read or write.
const MAX_LENGTH: u64 = 64;
/// Offsets at which something begins or ends, of all regions together.
const EDGES: [u64; 22] = [
    0,
    0x04,
    0x10,
    0x3c,
    0xac,
    0xd4,
    0xe8,
    0xfc,
    128,
    2048,
    4096,
    8192,
    0x7_8000,
    0x7_8800,
    0x7_9000,
    2 << 20,
    8 << 20,
    (8 << 20) + (64 << 20) / 512,
    16 << 20,
    64 << 20,
    128 << 20,
    1 << 40,
];

/// A request of a VMM.
#[derive(Clone, Debug)]
pub enum Op {
    /// `pread`.
    Read {
        /// File position.
        position: i64,
        /// Number of bytes.
        length: usize,
    },
    /// `pwrite`.
    Write {
        /// File position.
        position: i64,
        /// The bytes.
        data: Vec<u8>,
    },
    /// `mmap`.
    Map {
        /// File position, in pages.
        pgoff: u64,
        /// Number of bytes.
        length: u64,
    },
    /// `VFIO_DEVICE_GET_REGION_INFO`, with the index.
    RegionInfo(u32),
    /// `VFIO_DEVICE_GET_IRQ_INFO`, with the index.
    IrqInfo(u32),
    /// `VFIO_DEVICE_SET_IRQS`, with what follows the header.
    SetIrqs(SetIrqsHeader, [u8; 4]),
    /// `VFIO_DEVICE_RESET`.
    Reset,
    /// The guest changes a word of its memory.
    GuestWrite {
        /// Offset of the word, in words.
        word: usize,
        /// Its new value.
        value: u32,
    },
}

/// Bytes that requests are made of; when they end, they go on with 0.
pub struct Source<'a> {
    bytes: &'a [u8],
}

impl<'a> Source<'a> {
    /// The bytes of a script.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Whether there is nothing left.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// A number of `N` bytes.
    pub fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut taken = [0; N];
        let length = N.min(self.bytes.len());
        let (head, rest) = self.bytes.split_at(length);
        taken[..length].copy_from_slice(head);
        self.bytes = rest;
        taken
    }

    /// A number from 0 to 255.
    pub fn byte(&mut self) -> u8 {
        let [byte] = self.take();
        byte
    }

    /// A number of 32 bits.
    pub fn word(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    /// A number of 64 bits.
    pub fn long(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }

    /// The next request.
    pub fn op(&mut self) -> Op {
        match self.byte() {
            0..=99 => Op::Read { position: self.position(), length: self.length() },
            100..=199 => {
                let position = self.position();
                let length = self.length();
                Op::Write { position, data: (0..length).map(|_| self.byte()).collect() }
            }
            200..=214 => Op::Map { pgoff: self.pgoff(), length: self.size() },
            215..=222 => Op::RegionInfo(self.index()),
            223..=229 => Op::IrqInfo(self.index()),
            230..=244 => Op::SetIrqs(self.header(), self.take()),
            // A reset clears megabytes, and what it clears takes many requests to come about.
            245 if self.byte() < 16 => Op::Reset,
            245..=247 => Op::RegionInfo(self.index()),
            248..=255 => Op::GuestWrite { word: self.word() as usize, value: self.word() },
        }
    }

    /// A header of `VFIO_DEVICE_SET_IRQS`, mostly one that is nearly right.
    pub fn header(&mut self) -> SetIrqsHeader {
        let choice = self.byte();
        let mut header = SetIrqsHeader {
            argsz: 24,
            flags: 1 << (choice & 3) | 8 << (choice >> 2 & 3),
            index: u32::from(choice >> 4 & 7),
            start: 0,
            count: u32::from(choice >> 7),
        };
        match self.byte() {
            0 => header.argsz = self.word(),
            1 => header.flags = self.word(),
            2 => header.index = self.word(),
            3 => header.start = self.word(),
            4 => header.count = self.word(),
            5 => header.argsz = 16 + u32::from(self.byte() & 15),
            6 => (header.start, header.count) = (self.word(), self.word()),
            _ => {}
        }
        header
    }

    /// The index of a region or of an interrupt.
    fn index(&mut self) -> u32 {
        match self.byte() {
            255 => self.word(),
            byte => u32::from(byte % 16),
        }
    }

    /// An offset in a region.
    pub fn offset(&mut self) -> u64 {
        let edge = EDGES[usize::from(self.byte()) % EDGES.len()];
        match self.byte() {
            // Near an edge; the end of the file position is one.
            near @ 0..=127 => edge.wrapping_add(u64::from(near)).wrapping_sub(64) & ((1 << 40) - 1),
            128..=191 => self.long() & ((1 << (self.byte() % 25)) - 1),
            192..=223 => edge & ((1 << 40) - 1) | u64::from(self.word() & 0xfff),
            // Where 32 bits wrap.
            224..=239 => 0xffff_ffc0 + u64::from(self.byte() & 127),
            240..=255 => self.long() & ((1 << 40) - 1),
        }
    }

    fn position(&mut self) -> i64 {
        let index = match self.byte() {
            0..=63 => 0,
            64..=95 => 2,
            96..=175 => 7,
            176..=191 => 9,
            192..=235 => 10,
            236..=254 => u64::from(self.byte() % 16),
            255 => return self.long() as i64,
        };
        (index << 40 | self.offset()) as i64
    }

    fn length(&mut self) -> usize {
        let length = match self.byte() {
            choice @ 0..=199 => 1 << (choice % 4),
            _ => u64::from(self.byte()) % MAX_LENGTH,
        };
        length as usize
    }

    fn pgoff(&mut self) -> u64 {
        match self.byte() {
            0..=63 => self.long(),
            choice => u64::from(choice % 4) << 28 | self.offset() >> 12,
        }
    }

    fn size(&mut self) -> u64 {
        match self.byte() {
            0..=63 => self.long(),
            64..=191 => self.offset(),
            _ => u64::from(self.byte()) << 12,
        }
    }
}
