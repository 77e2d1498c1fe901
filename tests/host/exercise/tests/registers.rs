// SPDX-License-Identifier: GPL-2.0

//! The register table against what the C driver tracks. Whatever differs is listed here, with the reason.

use std::collections::{BTreeMap, HashMap};

use gvt_model::engine::{EngineId, Engines};
use gvt_model::mmio::map::RegisterMap;
use gvt_model::mmio::row::Row;
use gvt_model::mmio::switched::switched;
use gvt_model::platform::{Platform, MMIO_SIZE};

const PLATFORMS: [(char, Platform); 6] = [
    ('B', Platform::Broadwell),
    ('S', Platform::Skylake),
    ('K', Platform::KabyLake),
    ('C', Platform::CoffeeLake),
    ('M', Platform::CometLake),
    ('X', Platform::Broxton),
];

/// What the C driver has of a register.
struct Tracked<'a> {
    flags: Vec<&'a str>,
    read_only: u32,
    read: &'a str,
    write: &'a str,
}

impl Tracked<'_> {
    fn has(&self, flag: &str) -> bool {
        self.flags.contains(&flag)
    }
}

fn lines(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect())
}

fn hex(text: &str) -> u32 {
    u32::from_str_radix(text, 16).expect("a number")
}

fn tracked(platform: char) -> BTreeMap<u32, Tracked<'static>> {
    let mut registers = BTreeMap::new();
    for line in lines(include_str!("../data/registers.tsv")) {
        let [first, count, platforms, flags, read_only, read, write] = line[..] else {
            panic!("not a row: {line:?}");
        };
        if !platforms.contains(platform) {
            continue;
        }
        for number in 0..count.parse().expect("a number") {
            let tracked = Tracked { flags: flags.split('|').collect(), read_only: hex(read_only), read, write };
            assert!(registers.insert(hex(first) + 4 * number, tracked).is_none());
        }
    }
    registers
}

fn engines(platform: Platform) -> Engines {
    let all = EngineId::ALL.into_iter().filter(|id| platform != Platform::Broxton || *id != EngineId::Vcs1);
    all.fold(Engines::NONE, Engines::with)
}

fn map(platform: Platform) -> RegisterMap {
    RegisterMap::new(platform, engines(platform), &[]).expect("memory for the registers")
}

/// Calls `body` for each register that the C driver tracks, with its row.
fn each(mut body: impl FnMut(char, &RegisterMap, u32, &Tracked<'_>, &'static Row)) {
    for (letter, platform) in PLATFORMS {
        let map = map(platform);
        let tracked = tracked(letter);
        assert!(tracked.len() > 1200);
        for (offset, tracked) in tracked {
            let row = map.find(offset).unwrap_or_else(|| panic!("{platform:?} has no register {offset:#x}"));
            body(letter, &map, offset, &tracked, row);
        }
    }
}

fn handler(row: &Row) -> String {
    let text = format!("{:?}", row.handler);
    let text = text.split(|end: char| !(end.is_alphanumeric() || end == '(')).next().expect("a name");
    match text.strip_prefix("Display(") {
        Some(slot) => format!("Display {slot}"),
        None => text.split('(').next().expect("a name").to_owned(),
    }
}

#[test]
fn every_register_has_its_handler() {
    // Read handler and write handler of the C driver, and ours.
    let same: HashMap<(&str, &str), &str> = HashMap::from([
        (("default", "default"), "Plain"),
        // Blocks whose handlers the list does not have are in `what_the_c_driver_does_not_list`.
        (("default", "intel_vgpu_reg_iir_handler"), "InterruptIdentity"),
        (("default", "intel_vgpu_reg_ier_handler"), "Interrupts"),
        (("default", "intel_vgpu_reg_master_irq_handler"), "Interrupts"),
        // What a mask lets through is asked when an event comes. A change of it changes nothing that came before.
        (("default", "intel_vgpu_reg_imr_handler"), "Plain"),
        (("fence_mmio_read", "fence_mmio_write"), "Fence"),
        (("guc_status_read", "default"), "GucStatus"),
        (("dpll_status_read", "default"), "DpllStatus"),
        (("default", "gdrst_mmio_write"), "Gdrst"),
        (("default", "mul_force_wake_write"), "Forcewake"),
        (("default", "gamw_echo_dev_rw_ia_write"), "GamwEco"),
        (("default", "mailbox_write"), "PcodeMailbox"),
        (("default", "ring_reset_ctl_write"), "ResetCtl"),
        (("default", "hws_pga_write"), "HwsPga"),
        (("default", "force_nonpriv_write"), "ForceNonpriv"),
        (("default", "ring_mode_mmio_write"), "RingMode"),
        (("default", "csfe_chicken1_mmio_write"), "CsfeChicken1"),
        (("default", "gen9_trtte_write"), "Trtte"),
        // It stores, as any other.
        (("default", "gen9_trtt_chicken_write"), "Plain"),
        (("default", "vga_control_mmio_write"), "Plain"),
        // Nothing submits yet.
        (("default", "elsp_mmio_write"), "Elsp"),
        // Bits that read 0 whatever is written.
        (("default", "gvt_reg_tlb_control_handler"), "ForcedZero"),
        (("default", "mbctl_write"), "ForcedZero"),
        (("default", "fpga_dbg_mmio_write"), "ForcedZero"),
        (("default", "edp_psr_imr_iir_write"), "ForcedZero"),
        // The GuC never starts a transfer.
        (("default", "dma_ctrl_write"), "ForcedZero"),
        // Status bits that follow request bits.
        (("default", "power_well_ctl_mmio_write"), "Follow"),
        (("default", "skl_power_well_ctl_write"), "Follow"),
        (("default", "lcpll_ctl_mmio_write"), "Follow"),
        (("default", "skl_lcpll_write"), "Follow"),
        (("default", "gen9_dbuf_ctl_mmio_write"), "Follow"),
        (("default", "south_chicken2_mmio_write"), "Follow"),
        (("default", "bxt_de_pll_enable_write"), "Follow"),
        (("default", "bxt_port_pll_enable_write"), "Follow"),
        (("default", "bxt_ppat_low_write"), "BxtPpat"),
        (("default", "sbi_ctl_mmio_write"), "SbiControl"),
        // The request puts the answer there.
        (("sbi_data_mmio_read", "default"), "Plain"),
        // Written ones clear: a property of the row.
        (("default", "fdi_rx_iir_mmio_write"), "Plain"),
        // The virtual display's.
        (("default", "pch_adpa_mmio_write"), "Display Adpa"),
        (("default", "dp_aux_ch_ctl_mmio_write"), "Display AuxControl"),
        (("default", "bxt_gt_disp_pwron_write"), "Display BxtDisplayPower"),
        (("default", "bxt_pcs_dw12_grp_write"), "Display BxtPcsDw12"),
        (("default", "bxt_phy_ctl_family_write"), "Display BxtPhyCtlFamily"),
        (("bxt_port_tx_dw3_read", "default"), "Display BxtTxDw3"),
        (("default", "ddi_buf_ctl_mmio_write"), "Display DdiBufCtl"),
        (("default", "dp_tp_ctl_mmio_write"), "Display DpTpCtl"),
        // Written ones clear: a property of the row.
        (("default", "dp_tp_status_mmio_write"), "Plain"),
        (("default", "update_fdi_rx_iir_status"), "Display FdiRx"),
        (("default", "reg50080_mmio_write"), "Display Flip"),
        (("gmbus_mmio_read", "gmbus_mmio_write"), "Display Gmbus"),
        (("dpy_reg_mmio_read", "default"), "Display PhyStatus"),
        (("default", "pch_pp_control_mmio_write"), "Display PanelPower"),
        (("default", "transconf_mmio_write"), "Display PchTransConf"),
        (("default", "pipeconf_mmio_write"), "Display TransConf"),
        (("default", "pri_surf_mmio_write"), "Display Flip"),
        (("default", "pf_write"), "Display ScalerControl"),
        (("default", "spr_surf_mmio_write"), "Display Flip"),
    ]);
    each(|_, _, offset, tracked, row| {
        let theirs = (tracked.read, tracked.write);
        let expected = match (theirs, offset & 0xfff) {
            (("mmio_read_from_hw", "default"), 0x358 | 0x35c) => "Timestamp",
            // Where an engine is tells something to the one it works for only, and it works for no vGPU yet.
            (("mmio_read_from_hw", "default"), _) => "Plain",
            // Whether somebody waits for vertical blanks: then they are timed.
            (("default", "intel_vgpu_reg_imr_handler"), 0x404 | 0x414 | 0x424) if offset >> 12 == 0x44 => "Interrupts",
            // Data beside the control register.
            (("default", "dp_aux_ch_ctl_mmio_write"), 0x014..0x028 | 0x114..0x128 | 0x214..0x228 | 0x314..0x328) => {
                "Plain"
            }
            // Which plane a scaler is for is in its control register only.
            (("default", "pf_write"), 0x170 | 0x174 | 0x270 | 0x274 | 0x970 | 0x974 | 0xa70 | 0xa74) => "Plain",
            // The C driver counts frames by a timer that runs all the time, sends no lines, and has no index for GMBUS.
            (("default", "default"), 0x000) if matches!(offset, 0x7_0000 | 0x7_1000 | 0x7_2000) => "Display ScanLine",
            (("default", "default"), 0x040) if matches!(offset, 0x7_0040 | 0x7_1040 | 0x7_2040) => "Display FrameCount",
            (("default", "default"), 0x110 | 0x120) if offset >> 12 == 0xc5 => "Display Gmbus",
            _ => same.get(&theirs).unwrap_or_else(|| panic!("{offset:#x}: {theirs:?} is not known")),
        };
        assert_eq!(handler(row), expected, "{offset:#x}");
        // What the C driver patches in commands goes through a handler, so that the accepted value is there to patch.
        assert!(!tracked.has("CMD_WRITE_PATCH") || expected != "Plain", "{offset:#x}");
    });
}

#[test]
fn every_register_has_its_bits() {
    each(|_, _, offset, tracked, row| {
        let masked = match offset {
            // i915 writes them with a mask, and the C driver's handler looks at it.
            0xa188 | 0xa270 | 0xa278 => true,
            _ if tracked.write == "ring_reset_ctl_write" => true,
            _ => tracked.has("MODE_MASK"),
        };
        assert_eq!(row.masked, masked, "{offset:#x}");
        let read_only = match tracked.write {
            // Bit 0 can be written. That it can be with its mask only is in `masked`.
            "ring_reset_ctl_write" => 0xfffe,
            // A property of the row here, of the handler there.
            "intel_vgpu_reg_master_irq_handler" => 0x7fff_ffff,
            // RING_MI_MODE: whether the engine is idle is not the guest's to write.
            _ if row.name == "RING_MI_MODE" => 1 << 9,
            // What happened on a port is cleared by writing 1.
            _ if offset == 0xc_4030 => 0,
            _ => tracked.read_only,
        };
        assert_eq!(row.read_only, read_only, "{offset:#x}");
        let clears = match tracked.write {
            "intel_vgpu_reg_iir_handler" | "fdi_rx_iir_mmio_write" => u32::MAX,
            "dp_tp_status_mmio_write" => 1 << 27 | 1 << 26 | 1 << 24,
            _ if offset == 0xc_4030 => tracked.read_only,
            _ => 0,
        };
        assert_eq!(row.clears, clears, "{offset:#x}");
        assert_eq!(row.kept, tracked.has("PM_SAVE"), "{offset:#x}");
    });
}

#[test]
fn commands_write_what_is_their_engines() {
    each(|_, map, offset, tracked, row| {
        // MOCS tables are for five engines. There is none that the ones behind them would belong to.
        let nobodys = (0xcd00..0xcff8).contains(&offset);
        assert_eq!(row.commands, tracked.has("CMD_ACCESS") && !nobodys, "{offset:#x}");
        let writers: Vec<_> = map.writers(offset).iter().collect();
        assert_eq!(writers.len(), usize::from(row.commands), "{offset:#x}");
        if let (Some(id), [writer]) = (EngineId::at(offset), &writers[..]) {
            assert_eq!(id, *writer, "{offset:#x}");
        }
    });
}

#[test]
fn what_the_c_driver_does_not_list() {
    // Blocks, which its list leaves out.
    let blocks = [
        (0x4_a000, 0x400),
        (0x4_a800, 0x400),
        (0x4_b000, 0x400),
        (0x7_8000, 0x1000),
        (0x8_0000, 0x3000),
        (0x14_0000, 0x4_0000),
    ];
    for (letter, platform) in PLATFORMS {
        let (map, tracked) = (map(platform), tracked(letter));
        for offset in (0..MMIO_SIZE as u32).step_by(4) {
            let in_block = blocks.iter().any(|(start, size)| (*start..start + size).contains(&offset));
            let in_block = in_block && !(platform == Platform::Broadwell && (0x8_0000..0x8_3000).contains(&offset));
            let known = tracked.contains_key(&offset) || in_block;
            assert_eq!(map.find(offset).is_some(), known, "{platform:?} {offset:#x}");
        }
    }
}

#[test]
fn the_same_registers_change_hands() {
    for (letter, platform) in PLATFORMS {
        let generation = if platform == Platform::Broadwell { "gen8" } else { "gen9" };
        let mut theirs: Vec<_> = lines(include_str!("../data/switched.tsv"))
            .filter(|line| line[0] == generation)
            .map(|line| (line[1].to_owned(), hex(line[2]), line[3] == "ffff", line[4] == "1"))
            .collect();
        // One is there twice.
        let mut seen = Vec::new();
        theirs.retain(|entry| {
            !seen.contains(&entry.1) && {
                seen.push(entry.1);
                true
            }
        });
        let ours: Vec<_> = switched(platform)
            .iter()
            .map(|entry| (format!("{:?}", entry.engine), entry.offset, entry.masked, entry.in_context))
            .collect();
        assert_eq!(ours, theirs);
        let tracked = tracked(letter);
        for (_, offset, _, in_context) in ours {
            if let Some(tracked) = tracked.get(&offset) {
                assert_eq!(tracked.has("SR_IN_CTX"), in_context, "{platform:?} {offset:#x}");
            }
        }
    }
}

#[test]
fn the_index_is_small() {
    for (_, platform) in PLATFORMS {
        let size = map(platform).size();
        assert!(size < 300 << 10, "{platform:?}: {size} bytes");
    }
}
