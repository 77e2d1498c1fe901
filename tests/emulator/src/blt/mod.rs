// SPDX-License-Identifier: GPL-2.0
//! temporary
use crate::gtt::*;
/// x
#[derive(Default)]
pub struct BltState {}
/// x
pub struct Cost {
    /// x
    pub read: u64,
    /// x
    pub written: u64,
}
/// x
#[derive(Debug)]
pub enum BltError {
    /// x
    Interrupted,
    /// x
    Fault(Fault),
}
impl std::fmt::Display for BltError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}
/// x
pub fn is_known(_h: u32) -> bool {
    true
}
/// x
pub fn execute(
    _m: &mut impl GpuMemory,
    _s: Space,
    _c: &[u32],
    _t: u32,
    _st: &mut BltState,
    _i: &dyn Fn() -> bool,
) -> Result<Cost, BltError> {
    Ok(Cost { read: 0, written: 0 })
}
