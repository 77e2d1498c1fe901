// SPDX-License-Identifier: GPL-2.0
//! temporary
use crate::gpu::Gpu;
/// temp
#[derive(Default)]
pub struct Aperture {}
impl Aperture {
    /// read
    pub fn read(&mut self, g: &Gpu, o: u64, b: &mut [u8]) {
        let p = g.bar0.pte(o / 4096);
        if p & 1 != 0 {
            let _ = g.memory.read((p & 0x7ffffff000) + o % 4096, b);
        }
    }
    /// write
    pub fn write(&mut self, g: &Gpu, o: u64, b: &[u8]) {
        let p = g.bar0.pte(o / 4096);
        if p & 1 != 0 {
            let _ = g.memory.write((p & 0x7ffffff000) + o % 4096, b);
        }
    }
}
