// SPDX-License-Identifier: GPL-2.0

//! What the registers of ports, links, PHYs and page flips answer.

use kernel::prelude::*;

#[kunit_tests(gvt_display_port)]
mod gvt_display_port {
    use gvt_model::display::{
        flip::{
            FlipPlane,
            FlipRegister,
            Flips, //
        },
        phy,
        port::{
            self,
            Fdi, //
        },
        Pipe, //
    };

    const ON: u32 = 1 << 31;

    #[test]
    fn what_is_switched_on_is_on() {
        for (value, after) in [
            (0, 1 << 7),
            (u32::MAX, !(1 << 7)),
            (ON, ON),
            (ON | 1 << 7, ON),
            (0x7fff_ff7f, 0x7fff_ffff),
        ] {
            assert_eq!(port::ddi_buf_ctl(value), after);
        }
        for (value, after) in [
            (0, 0),
            (ON, 3 << 30),
            (1 << 30, 0),
            (0x7fff_ffff, 0x3fff_ffff),
            (u32::MAX, u32::MAX),
        ] {
            assert_eq!(port::trans_conf(value), after);
        }
    }

    #[test]
    fn a_training_of_a_port_tells_how_it_goes() {
        // Idle patterns, in the field of three bits, were sent.
        for pattern in 0..8 {
            let status = port::dp_tp_ctl_status(0x0400_0001, pattern << 8 | !0x700);
            let idle = if pattern == 2 { 1 << 25 } else { 0 };
            assert_eq!(status, 0x0400_0001 | idle);
        }
        for (status, value, after) in [
            (1 << 12, 0, 0),
            (1 << 12, ON, 1 << 12),
            (u32::MAX, 0, !(1 << 12)),
            (0, ON, 0),
        ] {
            assert_eq!(port::fdi_status(status, value), after);
        }
    }

    #[test]
    fn a_link_locks_to_a_pattern_of_both_ends() {
        const BIT: u32 = 1 << 8;
        const SYMBOL: u32 = 1 << 9;
        let tx = |pattern: u32| ON | pattern << 28;
        let rx = |pattern: u32| ON | pattern << 8;
        for (tx_ctl, rx_ctl, rx_imr, rx_iir, after) in [
            (tx(0), rx(0), 0, 0, BIT),
            (tx(1), rx(1), 0, BIT, BIT | SYMBOL),
            (tx(1), rx(1), 0, 1, SYMBOL | 1),
            (tx(0), rx(1), 0, 0, 0),
            (tx(1), rx(0), 0, 0, 0),
            (tx(2), rx(2), 0, 0, 0),
            (tx(3), rx(3), 0, 0, 0),
            (tx(0), rx(0), BIT, 0, 0),
            (tx(1), rx(1), SYMBOL, 0, 0),
            (tx(1), rx(1), BIT, 0, SYMBOL),
            (0, rx(0), 0, 0, 0),
            (tx(0), 0, 0, 0, 0),
        ] {
            let fdi = Fdi {
                tx_ctl,
                rx_ctl,
                rx_imr,
                rx_iir,
            };
            assert_eq!(fdi.trained(), after);
        }
    }

    #[test]
    fn a_link_trains_itself_when_all_is_on() {
        let (buf, rx, tp) = (ON, ON | 1 << 10, ON | 1 << 15);
        let trained = |buf, rx_ctl, tp| {
            let fdi = Fdi {
                rx_ctl,
                ..Fdi::default()
            };
            fdi.auto_trained(buf, tp, 1) & 1 << 12 != 0
        };
        assert!(trained(buf, rx, tp));
        for (buf, rx, tp) in [
            (0, rx, tp),
            (buf, ON, tp),
            (buf, 1 << 10, tp),
            (buf, rx, ON),
            (buf, rx, 1 << 15),
        ] {
            assert!(!trained(buf, rx, tp));
        }
        // It does not come undone by that.
        assert_eq!(Fdi::default().auto_trained(0, 0, 1 << 12), 1 << 12);
    }

    #[test]
    fn some_bits_follow_others() {
        assert_eq!(port::adpa(u32::MAX), !(1 << 16));
        assert_eq!(port::adpa(0x8080_0000), 0x8080_0000);
        for (status, value, after) in [
            (0, 1, ON | 8),
            (u32::MAX, 1, 0xc7ff_fff8),
            (u32::MAX, 0, 0x47ff_fff0),
            (ON | 8, 0, 0),
            (ON | 8, 0xffff_fffe, 0),
        ] {
            assert_eq!(port::panel_power_status(status, value), after);
        }
        for (value, after) in [
            (ON, ON),
            (ON | 1 << 25, 5),
            (7 << 25, 5),
            (0xf1ff_ffff, 0xf1ff_ffff),
        ] {
            assert_eq!(port::scaler_control(5, value), after);
        }
    }

    #[test]
    fn phys_are_ready() {
        for (offset, value) in [
            (0xe651c, Some(0x0002_0000)),
            (0xe681c, Some(0x0002_0000)),
            (0xe6c04, Some(3)),
            (0xe6e1c, Some(0x002f_0000)),
            (0xe691c, None),
        ] {
            assert_eq!(phy::phy_status(offset), value);
        }
        for (offset, value, ports, after) in [
            (0x6_4c80, ON, &[0x6_4c00][..], 1 << 8),
            (0x6_4c90, ON, &[0x6_4c10, 0x6_4c20], 1 << 8),
            (0x6_4c90, !ON, &[0x6_4c10, 0x6_4c20], 0),
            (0x6_4c70, ON, &[], 1 << 8),
        ] {
            assert_eq!(phy::phy_ctl_family(offset, value), (ports, after));
        }
        for (value, after) in [
            (0, [0x80, 0xff]),
            (1, [0x1_0000, 0xff]),
            (2, [0x80, 0x1_007f]),
            (3, [0x1_0000, 0x1_007f]),
        ] {
            assert_eq!(phy::common_lanes([0x80, 0xff], value), after);
        }
        for (offset, lanes) in [
            (0x16_2c30, Some([0x16_2430, 0x16_2630])),
            (0x6_cc30, Some([0x6_c430, 0x6_c630])),
            (0x6_ce30, Some([0x6_c830, 0x6_ca30])),
            (0x6_cc34, None),
        ] {
            assert_eq!(phy::group_lanes(offset), lanes);
        }
        assert_eq!(phy::tx_dw3(u32::MAX), !(1 << 27));
    }

    #[test]
    fn surface_registers_belong_to_planes() {
        use FlipPlane::*;
        for (offset, expected) in [
            (0x7_019c, Some((Pipe::A, Primary, 0x7_01ac, Some(0x7_0044)))),
            (0x7_119c, Some((Pipe::B, Primary, 0x7_11ac, Some(0x7_1044)))),
            (0x7_219c, Some((Pipe::C, Primary, 0x7_21ac, Some(0x7_2044)))),
            (0x7_029c, Some((Pipe::A, Sprite, 0x7_02ac, None))),
            (0x7_229c, Some((Pipe::C, Sprite, 0x7_22ac, None))),
            (0x5_0080, Some((Pipe::A, Primary, 0x7_01ac, Some(0x7_0044)))),
            (0x5_0088, Some((Pipe::B, Primary, 0x7_11ac, Some(0x7_1044)))),
            (0x5_008c, Some((Pipe::C, Primary, 0x7_21ac, Some(0x7_2044)))),
            (0x5_0090, Some((Pipe::A, Sprite, 0x7_02ac, None))),
            (0x5_0098, Some((Pipe::B, Sprite, 0x7_12ac, None))),
            (0x5_009c, Some((Pipe::C, Sprite, 0x7_22ac, None))),
            (0x5_0084, None),
            (0x7_039c, None),
            (0x7_319c, None),
            (0, None),
        ] {
            let register = FlipRegister::at(offset);
            let got = register.map(|r| (r.pipe, r.plane, r.live(), r.counter()));
            assert_eq!(got, expected);
        }
        let control = FlipRegister::at(0x7_129c).map(|register| register.control());
        assert_eq!(control, Some(0x7_1280));
    }

    #[test]
    fn a_flip_waits_for_the_blank_unless_asked_not_to() {
        for (offset, value, control, done) in [
            (0x7_119c, 0x1001, 0, false),
            (0x7_119c, 0x1000, 1 << 9, true),
            (0x7_129c, 0x1000, 1 << 9, true),
            (0x7_129c, 0x1000, !(1 << 9), false),
            (0x5_0088, 0x1001, 0, true),
            (0x5_0088, 0x1000, 1 << 9, false),
            (0x5_0088, 0x1003, 0, false),
            (0x5_0098, 0x1001, 0, true),
        ] {
            let Some(register) = FlipRegister::at(offset) else {
                continue;
            };
            let mut flips = Flips::default();
            assert_eq!(flips.flip(register, value, control), done);
            // Another pipe's blank completes nothing.
            assert!(flips.complete(Pipe::A).next().is_none());
            let expected = (!done).then_some(register.plane);
            assert!(flips.complete(Pipe::B).eq(expected));
            // Once.
            assert!(flips.complete(Pipe::B).next().is_none());
        }
        // Two planes, each of them flipped twice.
        let mut flips = Flips::default();
        for offset in [0x7_219c, 0x7_229c, 0x5_008c, 0x7_219c] {
            if let Some(register) = FlipRegister::at(offset) {
                assert!(!flips.flip(register, 0, 0));
            }
        }
        let planes = [FlipPlane::Primary, FlipPlane::Sprite];
        assert!(flips.complete(Pipe::C).eq(planes));
    }
}
