// SPDX-License-Identifier: GPL-2.0

//! The mdev types, the pool and the weight.

use kernel::prelude::*;

#[kunit_tests(gvt_types)]
mod gvt_types {
    use super::*;
    use crate::fakes::{
        Text,
        MB, //
    };
    use gvt_model::{
        platform::{
            Platform,
            Port,
            MAX_VGPUS, //
        },
        types::{
            HostResources,
            Pool,
            TypeConf,
            TYPES, //
        },
        weight::Weight,
    };

    #[test]
    fn names_are_those_of_the_c_driver() {
        let platforms = [
            (Platform::Broadwell, "GVTg_V4_8", "GVTg_V4_1"),
            (Platform::Skylake, "GVTg_V5_8", "GVTg_V5_1"),
            (Platform::KabyLake, "GVTg_V5_8", "GVTg_V5_1"),
            (Platform::Broxton, "GVTg_V5_8", "GVTg_V5_1"),
            (Platform::CoffeeLake, "GVTg_V5_8", "GVTg_V5_1"),
            (Platform::CometLake, "GVTg_V5_8", "GVTg_V5_1"),
        ];
        let [smallest, .., biggest] = &TYPES;
        for (platform, first, last) in platforms {
            assert!(Text::of(&smallest.name(platform)).is(first));
            assert!(Text::of(&biggest.name(platform)).is(last));
        }
    }

    #[test]
    fn platforms_tell_generation_and_port() {
        let platforms = [
            (Platform::Broadwell, 8, 4, Port::B),
            (Platform::Skylake, 9, 5, Port::D),
            (Platform::KabyLake, 9, 5, Port::D),
            (Platform::Broxton, 9, 5, Port::B),
            (Platform::CoffeeLake, 9, 5, Port::D),
            (Platform::CometLake, 9, 5, Port::D),
        ];
        for (platform, graphics, types, port) in platforms {
            let info = platform.info();
            assert_eq!(info.graphics_version, graphics);
            assert_eq!(info.type_version, types);
            assert_eq!(info.monitor_port, port);
        }
    }

    #[test]
    fn descriptions_are_those_of_the_c_driver() {
        let texts = [
            "low_gm_size: 64MB\nhigh_gm_size: 384MB\nfence: 4\nresolution: 1024x768\nweight: 2\n",
            "low_gm_size: 128MB\nhigh_gm_size: 512MB\nfence: 4\nresolution: 1920x1200\nweight: 4\n",
            "low_gm_size: 256MB\nhigh_gm_size: 1024MB\nfence: 4\nresolution: 1920x1200\nweight: 8\n",
            "low_gm_size: 512MB\nhigh_gm_size: 2048MB\nfence: 4\nresolution: 1920x1200\nweight: 16\n",
        ];
        for (conf, text) in TYPES.iter().zip(texts) {
            assert!(Text::of(&conf.description()).is(text));
        }
    }

    #[test]
    fn every_type_has_a_weight() -> Result {
        for conf in &TYPES {
            assert_eq!(conf.default_weight()?.get(), conf.weight);
        }
        Ok(())
    }

    /// GGTT and aperture in MB, with the vGPUs of each type that fit; `None` is a type not listed.
    const FITS: [(u64, u64, [Option<u32>; 4]); 7] = [
        (4096, 256, [Some(2), Some(1), None, None]),
        (4096, 512, [Some(6), Some(3), Some(1), None]),
        (4096, 1024, [Some(7), Some(5), Some(2), Some(1)]),
        (4096, 2048, [Some(4), Some(3), Some(1), Some(0)]),
        (2048, 256, [Some(2), Some(1), None, None]),
        (2048, 512, [Some(3), Some(2), Some(1), None]),
        (2048, 1024, [Some(1), Some(1), Some(0), Some(0)]),
    ];

    fn pool(ggtt: u64, aperture: u64, fences: u32) -> Pool {
        Pool::new(&HostResources {
            aperture: aperture.wrapping_mul(MB),
            ggtt_total: ggtt.wrapping_mul(MB),
            fences,
        })
    }

    #[test]
    fn as_many_fit_as_in_the_c_driver() {
        for (ggtt, aperture, fits) in FITS {
            let pool = pool(ggtt, aperture, 32);
            let listed = fits.iter().flatten().count();
            assert_eq!(pool.listed().count(), listed);
            for (conf, fit) in pool.listed().zip(fits.into_iter().flatten()) {
                assert_eq!(pool.available(conf), fit);
            }
        }
    }

    #[test]
    fn a_gpu_that_is_too_small_has_no_room() {
        // The C driver subtracts in 32 bits: from less than the host keeps it gets a huge rest.
        for (ggtt, aperture, fences) in [(4096, 64, 32), (256, 128, 32), (0, 0, 0), (512, 256, 32)]
        {
            let pool = pool(ggtt, aperture, fences);
            for conf in &TYPES {
                assert_eq!(pool.available(conf), 0);
            }
        }
        assert_eq!(pool(4096, 64, 32).listed().count(), 0);
        assert_eq!(pool(4096, 191, 32).listed().count(), 0);
        assert_eq!(pool(4096, 192, 32).listed().count(), 1);
        let [smallest, ..] = &TYPES;
        assert_eq!(pool(4096, 1024, 3).available(smallest), 0);
        assert_eq!(pool(4096, 1024, 11).available(smallest), 1);
    }

    #[test]
    fn there_are_only_seven_ids() -> Result {
        // The C driver offers what memory and fences allow, and then fails to create.
        let [smallest, ..] = &TYPES;
        let mut pool = pool(1 << 20, 1 << 16, 1 << 16);
        assert_eq!(pool.available(smallest), 7);
        for id in 1..=7 {
            assert_eq!(pool.take(smallest)?.get(), id);
        }
        assert_eq!(pool.available(smallest), 0);
        assert_eq!(MAX_VGPUS, 7);
        let Err(shortage) = pool.take(smallest) else {
            return Err(EINVAL);
        };
        assert!(Text::of(&shortage).is("all 7 ids are in use"));
        Ok(())
    }

    #[test]
    fn the_lowest_free_id_comes_first() -> Result {
        let [smallest, ..] = &TYPES;
        let mut pool = pool(4096, 1024, 32);
        let first = pool.take(smallest)?;
        let second = pool.take(smallest)?;
        assert_eq!(pool.take(smallest)?.get(), 3);
        pool.put(second);
        pool.put(first);
        pool.put(first);
        assert_eq!(pool.take(smallest)?.get(), 1);
        assert_eq!(pool.take(smallest)?.get(), 2);
        assert_eq!(pool.take(smallest)?.get(), 4);
        Ok(())
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() -> Result {
        let [.., biggest] = &TYPES;
        let mut pool = pool(4096, 1024, 32);
        let before = pool.left();
        for _ in 0..100 {
            let id = pool.take(biggest)?;
            assert_eq!(pool.available(biggest), 0);
            pool.put(id);
        }
        assert_eq!(pool.left(), before);
        Ok(())
    }

    #[test]
    fn a_shortage_says_what_and_how_much() -> Result {
        let [_, conf, _, biggest] = &TYPES;
        let cases: [(Pool, &'static TypeConf, &str); 3] = [
            (
                pool(4096, 192, 32),
                conf,
                "aperture: 128 MB needed, 64 MB left",
            ),
            (
                pool(4096, 2048, 32),
                biggest,
                "hidden graphics memory: 2048 MB needed, 1664 MB left",
            ),
            (
                pool(4096, 1024, 6),
                conf,
                "fence registers: 4 needed, 2 left",
            ),
        ];
        for (mut pool, conf, text) in cases {
            let Err(shortage) = pool.take(conf) else {
                return Err(EINVAL);
            };
            assert!(Text::of(&shortage).is(text));
            assert_eq!(Error::from(shortage), ENOSPC);
        }
        Ok(())
    }

    #[test]
    fn a_weight_is_a_number_from_1_to_1000() {
        let good: [(&[u8], u16); 6] = [
            (b"1", 1),
            (b"8\n", 8),
            (b"16", 16),
            (b"1000\n", 1000),
            (b"0042", 42),
            (b"000000000000000000000000000000000001", 1),
        ];
        for (text, number) in good {
            assert_eq!(Weight::parse(text).map(Weight::get), Ok(number));
        }
        let bad: [&[u8]; 16] = [
            b"",
            b"\n",
            b"0",
            b"0\n",
            b"1001",
            b"65536",
            b"65537",
            b"99999999999999999999999999",
            b"-1",
            b"+1",
            b" 1",
            b"1 ",
            b"1\n\n",
            b"1\0",
            b"0x10",
            b"\xff\xfe",
        ];
        for text in bad {
            assert_eq!(Weight::parse(text), Err(EINVAL));
        }
    }
}
