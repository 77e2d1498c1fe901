// SPDX-License-Identifier: GPL-2.0
//! Names of the registers that one looks at when a GPU misbehaves, for graphics versions 8 and 9.

/// Registers that exist once: name and offset in BAR0.
const GLOBAL: &[(&str, u32)] = &[
    ("ERROR_GEN8", 0x40a0),
    ("FAULT_TLB_DATA0", 0x4b10),
    ("FAULT_TLB_DATA1", 0x4b14),
    ("RING_FAULT", 0x4094),
    ("GDRST", 0x941c),
    ("FUSE2", 0x9120),
    ("FORCEWAKE_MEDIA", 0xa270),
    ("FORCEWAKE_RENDER", 0xa278),
    ("FORCEWAKE_BLITTER", 0xa188),
    ("FORCEWAKE_ACK_RENDER", 0x0d84),
    ("FORCEWAKE_ACK_MEDIA", 0x0d88),
    ("FORCEWAKE_ACK_BLITTER", 0x13_0044),
    ("RC_CONTROL", 0xa090),
    ("RPNSWREQ", 0xa008),
    ("RPSTAT1", 0xa01c),
    ("RP_STATE_CAP", 0x14_5998),
    ("PCODE_MAILBOX", 0x13_8124),
    ("PCODE_DATA", 0x13_8128),
    ("MASTER_IRQ", 0x4_4200),
    ("GT_ISR0", 0x4_4300),
    ("GT_IMR0", 0x4_4304),
    ("GT_IIR0", 0x4_4308),
    ("GT_IER0", 0x4_430c),
    ("GT_ISR1", 0x4_4310),
    ("GT_IMR1", 0x4_4314),
    ("GT_IIR1", 0x4_4318),
    ("GT_IER1", 0x4_431c),
    ("GT_ISR2", 0x4_4320),
    ("GT_IMR2", 0x4_4324),
    ("GT_IIR2", 0x4_4328),
    ("GT_IER2", 0x4_432c),
    ("GT_ISR3", 0x4_4330),
    ("GT_IMR3", 0x4_4334),
    ("GT_IIR3", 0x4_4338),
    ("GT_IER3", 0x4_433c),
    ("DE_PIPE_ISR_A", 0x4_4400),
    ("DE_PIPE_IMR_A", 0x4_4404),
    ("DE_PIPE_IIR_A", 0x4_4408),
    ("DE_PIPE_IER_A", 0x4_440c),
    ("DE_PORT_ISR", 0x4_4440),
    ("DE_PORT_IMR", 0x4_4444),
    ("DE_PORT_IIR", 0x4_4448),
    ("DE_PORT_IER", 0x4_444c),
    ("PIPE_FRMCNT_A", 0x7_0040),
    ("PIPE_FRMCNT_B", 0x7_1040),
    ("PIPE_FRMCNT_C", 0x7_2040),
    ("PLANE_CTL_1_A", 0x7_0180),
    ("PLANE_SURF_1_A", 0x7_019c),
    ("VGT_MAGIC_LOW", 0x7_8000),
    ("VGT_MAGIC_HIGH", 0x7_8004),
    ("VGT_VERSION", 0x7_8008),
    ("VGT_ID", 0x7_800c),
    ("VGT_CAPS", 0x7_8010),
];

/// Registers that each engine has: name and offset from the engine's first register.
const PER_ENGINE: &[(&str, u32)] = &[
    ("TAIL", 0x30),
    ("HEAD", 0x34),
    ("START", 0x38),
    ("CTL", 0x3c),
    ("IPEIR", 0x64),
    ("IPEHR", 0x68),
    ("INSTDONE", 0x6c),
    ("ACTHD", 0x74),
    ("HWS_PGA", 0x80),
    ("MI_MODE", 0x9c),
    ("IMR", 0xa8),
    ("EIR", 0xb0),
    ("EMR", 0xb4),
    ("ESR", 0xb8),
    ("RESET_CTL", 0xd0),
    ("BBSTATE", 0x110),
    ("BBADDR", 0x140),
    ("EXECLIST_STATUS_LO", 0x234),
    ("EXECLIST_STATUS_HI", 0x238),
    ("CONTEXT_CONTROL", 0x244),
    ("MODE", 0x29c),
    ("TIMESTAMP", 0x358),
    ("CONTEXT_STATUS_PTR", 0x3a0),
];

/// The engines and where their registers start.
const ENGINES: &[(&str, u32)] = &[("RCS", 0x2000), ("VCS", 0x1_2000), ("VECS", 0x1_a000), ("BCS", 0x2_2000)];

/// All known registers with their offsets, those of the engines with the engine's name in front.
pub fn all() -> Vec<(String, u32)> {
    let mut list: Vec<_> = GLOBAL.iter().map(|(name, offset)| ((*name).to_owned(), *offset)).collect();
    for (engine, base) in ENGINES {
        list.extend(PER_ENGINE.iter().map(|(name, offset)| (format!("{engine}_{name}"), base + offset)));
    }
    list
}

/// The name of an offset.
pub fn name_of(offset: u32) -> Option<String> {
    all().into_iter().find(|(_, known)| *known == offset).map(|(name, _)| name)
}

/// The offset that a name or a number (hexadecimal with `0x`, else decimal) means.
pub fn parse(text: &str) -> Option<u32> {
    let number = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    number.or_else(|| all().into_iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, offset)| offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        for (text, offset) in [
            ("0x2030", Some(0x2030)),
            ("16", Some(16)),
            ("rcs_tail", Some(0x2030)),
            ("BCS_HWS_PGA", Some(0x22080)),
            ("MASTER_IRQ", Some(0x44200)),
            ("nonsense", None),
            ("0xnonsense", None),
        ] {
            assert_eq!(parse(text), offset, "{text}");
        }
        assert_eq!(name_of(0x1a034).as_deref(), Some("VECS_HEAD"));
    }

    #[test]
    fn no_name_or_offset_twice() {
        let list = all();
        for (number, (name, offset)) in list.iter().enumerate() {
            for (other, other_offset) in &list[..number] {
                assert!(name != other && offset != other_offset, "{name} {offset:#x} and {other}");
            }
        }
    }
}
