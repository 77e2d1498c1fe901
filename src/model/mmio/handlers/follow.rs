// SPDX-License-Identifier: GPL-2.0

//! Registers of which some bits tell that what other bits ask for is done, which is at once.

/// A bit of a register that follows another one.
#[derive(Debug)]
struct Pair {
    request: u32,
    status: u32,
    /// The status is the opposite of the request.
    inverted: bool,
}

/// All that follows in a register.
#[derive(Debug)]
pub struct Follow {
    /// The other bits are always 0.
    exists: u32,
    pairs: &'static [Pair],
}

impl Follow {
    /// The accepted value.
    pub(super) fn apply(&self, written: u32) -> u32 {
        let written = written & self.exists;
        self.pairs.iter().fold(written, |value, pair| {
            let on = (value & pair.request != 0) != pair.inverted;
            if on {
                value | pair.status
            } else {
                value & !pair.status
            }
        })
    }
}

const fn pair(request: u32, status: u32) -> Pair {
    Pair {
        request: 1 << request,
        status: 1 << status,
        inverted: false,
    }
}

/// Bit 31 asks, bit 30 answers: power wells of Broadwell, DBUF, PLLs of Broxton.
pub(in crate::mmio) static ENABLE: Follow = Follow {
    exists: u32::MAX,
    pairs: &[pair(31, 30)],
};

/// LCPLL1 and LCPLL2 of Gen9 have nothing but enable and lock.
pub(in crate::mmio) static LCPLL_GEN9: Follow = Follow {
    exists: 0xc000_0000,
    pairs: &[pair(31, 30)],
};

/// LCPLL of Broadwell: it is locked unless it is disabled, and the clock source switches.
pub(in crate::mmio) static LCPLL: Follow = Follow {
    exists: u32::MAX,
    pairs: &[
        Pair {
            request: 1 << 31,
            status: 1 << 30,
            inverted: true,
        },
        pair(21, 19),
    ],
};

/// The power wells of Gen9: power 2, power 1, the four DDIs, miscellaneous.
pub(in crate::mmio) static POWER_WELLS: Follow = Follow {
    exists: 0xf000_03ff,
    pairs: &[
        pair(31, 30),
        pair(29, 28),
        pair(9, 8),
        pair(7, 6),
        pair(5, 4),
        pair(3, 2),
        pair(1, 0),
    ],
};

/// Broxton has power wells 1 and 2 only.
pub(in crate::mmio) static POWER_WELLS_BXT: Follow = Follow {
    exists: 0xf000_0000,
    pairs: &[pair(31, 30), pair(29, 28)],
};

/// The reset of the FDI's PHY.
pub(in crate::mmio) static SOUTH_CHICKEN2: Follow = Follow {
    exists: u32::MAX,
    pairs: &[pair(12, 13)],
};
