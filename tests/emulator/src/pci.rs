// SPDX-License-Identifier: GPL-2.0
//! temporary
use crate::gpu::Config;
/// size
pub const CONFIG_SIZE: usize = 4096;
/// io
pub const IO_BAR_SIZE: u64 = 64;
/// temp
pub struct PciConfig {
    data: Vec<u8>,
    init: Vec<u8>,
}
impl PciConfig {
    /// new
    pub fn new(c: &Config) -> Self {
        let mut d = vec![0u8; 4096];
        let mut put = |o: usize, v: u32, n: usize| d[o..o + n].copy_from_slice(&v.to_le_bytes()[..n]);
        put(0, 0x8086, 2);
        put(2, c.device_id().into(), 2);
        put(6, 0x10, 2);
        put(8, c.platform.revision.into(), 1);
        put(0xb, 3, 1);
        put(0x10, 4, 4);
        put(0x18, 0xc, 4);
        put(0x20, 1, 4);
        put(0x2c, 0x8086, 2);
        put(0x2e, 0x2212, 2);
        put(0x34, 0x40, 1);
        put(0x3d, 1, 1);
        put(0x40, 0x010c7009, 4);
        put(0x50, if c.ggtt >> 30 == 4 { 0xc0 } else { 0x80 }, 2);
        put(0x70, 0x0092ac10, 4);
        put(0xac, 0xd005, 2);
        put(0xd0, 0x0001, 2);
        put(0xd2, 2, 2);
        Self { init: d.clone(), data: d }
    }
    /// read
    pub fn read(&self, o: u64, b: &mut [u8]) {
        let o = o as usize;
        if o + b.len() <= 4096 {
            b.copy_from_slice(&self.data[o..o + b.len()])
        }
    }
    /// write
    pub fn write(&mut self, o: u64, b: &[u8]) {
        let o = o as usize;
        if (0x10..0x28).contains(&o) && b.len() == 4 {
            let v = u32::from_le_bytes([b[0], b[1], b[2], b[3]]);
            let m = match o {
                0x10 => 0xff000000u32,
                0x18 => 0xe0000000,
                0x20 => 0xffffffc0,
                0x14 | 0x1c => 0xffffffff,
                _ => 0,
            };
            let low = u32::from(self.init[o]);
            self.data[o..o + 4].copy_from_slice(&((v & m) | low).to_le_bytes());
            return;
        }
        if o < 4 || o == 6 || o >= 0x100 || o == 0xac || o == 0xd0 {
            return;
        }
        if o + b.len() <= 4096 {
            self.data[o..o + b.len()].copy_from_slice(b)
        }
    }
    /// reset
    pub fn reset(&mut self) {
        self.data = self.init.clone();
    }
}
