// SPDX-License-Identifier: GPL-2.0

//! Shadows of page tables: what the GPU finds is what the guest says, and nothing else.

use kernel::prelude::*;

#[kunit_tests(gvt_ppgtt)]
mod gvt_ppgtt {
    use super::*;
    use crate::world::{
        World,
        FIRST,
        FRAMES, //
    };
    use gvt_model::{
        addr::Gfn,
        cmd::Flaw,
        ppgtt::{
            Addressing,
            Ppgtt,
            Roots, //
        },
    };

    const PRESENT: u64 = 1;
    const WRITABLE: u64 = 2;
    const ON: u64 = PRESENT | WRITABLE;
    const LARGE: u64 = 1 << 7;
    const INTERMEDIATE: u64 = 1 << 11;

    /// Frames with tables, in the tests that do not say otherwise.
    const TOP: u64 = FIRST;
    const POINTERS: u64 = FIRST + 1;
    const DIRECTORY: u64 = FIRST + 2;
    const TABLE: u64 = FIRST + 3;
    const DATA: u64 = FIRST + 8;

    fn entry(gfn: u64, bits: u64) -> u64 {
        gfn.wrapping_mul(4096) | bits
    }

    fn roots(top: u64) -> Roots {
        Roots {
            addressing: Addressing::Legacy48,
            pdps: [entry(top, 0), 0, 0, 0],
        }
    }

    /// A guest with one address space of one page table.
    struct Guest {
        world: World,
        ppgtt: Ppgtt,
        top: u64,
    }

    impl Guest {
        fn new() -> Result<Self> {
            let mut world = World::new()?;
            world.put(TOP, 0, entry(POINTERS, ON));
            world.put(POINTERS, 0, entry(DIRECTORY, ON));
            world.put(DIRECTORY, 0, entry(TABLE, ON));
            Ok(Self {
                world,
                ppgtt: Ppgtt::new(false)?,
                top: 0,
            })
        }

        /// A submission comes, and goes again.
        fn submit(&mut self) -> Result<(), Flaw> {
            let [top, ..] = self.ppgtt.prepare(&roots(TOP), &mut self.world)?;
            self.top = top;
            self.release(&roots(TOP));
            Ok(())
        }

        /// The GPU is through with something that it was given since the shadows were taken away last.
        fn release(&mut self, roots: &Roots) {
            let epoch = self.ppgtt.epoch();
            self.ppgtt.release(roots, epoch, &mut self.world);
        }

        /// Writes an entry, as the guest does.
        fn write(&mut self, gfn: u64, index: usize, raw: u64) {
            self.world.put(gfn, index, raw);
            if self.world.is_watched(gfn) {
                self.ppgtt.written(Gfn::new(gfn), &mut self.world);
            }
        }

        /// The frame and the bits that the GPU finds for a page.
        fn page(&self, page: u64) -> Option<(u64, u64)> {
            self.world.walk(self.top, 3, page)
        }

        /// The frame that the guest has for a page.
        fn expected(&self, top: u64, page: u64, has_64k: bool) -> Option<u64> {
            self.world.guest_walk(top, page, has_64k)
        }
    }

    #[test]
    fn a_shadow_is_what_the_guest_says() -> Result {
        let mut guest = Guest::new()?;
        guest.world.put(TABLE, 5, entry(DATA, ON | 0x98));
        guest.world.put(TABLE, 511, entry(DATA + 1, PRESENT));
        assert_eq!(guest.submit(), Ok(()));
        assert_eq!(guest.page(5), Some((DATA, ON | 0x98)));
        assert_eq!(guest.page(511), Some((DATA + 1, PRESENT)));
        assert_eq!(guest.page(6), None);
        assert_eq!(guest.page(512), None);
        assert_eq!(guest.ppgtt.tables(), 4);
        assert_eq!(guest.world.uses(DATA), 1);
        Ok(())
    }

    #[test]
    fn bits_of_the_guest_beyond_the_address_do_not_reach_the_gpu() -> Result {
        let mut guest = Guest::new()?;
        guest.world.put(TABLE, 0, entry(DATA, ON) | 0xfff0 << 48);
        guest
            .world
            .put(DIRECTORY, 0, entry(TABLE, ON | INTERMEDIATE) | 1 << 63);
        assert_eq!(guest.submit(), Ok(()));
        assert_eq!(guest.page(0), Some((DATA, ON)));
        assert!(guest.world.is_clean());
        Ok(())
    }

    #[test]
    fn only_the_first_write_to_a_table_traps() -> Result {
        let mut guest = Guest::new()?;
        assert_eq!(guest.submit(), Ok(()));
        assert!(guest.world.is_watched(TABLE));
        guest.write(TABLE, 1, entry(DATA, ON));
        assert!(!guest.world.is_watched(TABLE));
        assert!(guest.world.is_watched(DIRECTORY));
        for index in 2..100 {
            guest.write(TABLE, index, entry(DATA + 1, ON));
        }
        assert_eq!(guest.submit(), Ok(()));
        assert!(guest.world.is_watched(TABLE));
        assert_eq!(guest.page(1), Some((DATA, ON)));
        assert_eq!(guest.page(99), Some((DATA + 1, ON)));
        assert_eq!(guest.world.uses(DATA + 1), 98);
        assert_eq!(guest.world.traps, 1);
        Ok(())
    }

    #[test]
    fn what_an_entry_had_is_given_back() -> Result {
        let mut guest = Guest::new()?;
        guest.world.put(TABLE, 1, entry(DATA, ON));
        assert_eq!(guest.submit(), Ok(()));
        guest.write(TABLE, 1, entry(DATA + 1, ON));
        assert_eq!(guest.submit(), Ok(()));
        assert_eq!(guest.world.uses(DATA), 0);
        guest.write(TABLE, 1, entry(DATA + 1, 0));
        assert_eq!(guest.submit(), Ok(()));
        assert_eq!(guest.world.uses(DATA + 1), 0);
        assert_eq!(guest.page(1), None);
        // The page table is gone from the directory.
        guest.write(TABLE, 1, entry(DATA, ON));
        guest.write(DIRECTORY, 0, 0);
        assert_eq!(guest.submit(), Ok(()));
        assert_eq!(guest.ppgtt.tables(), 3);
        assert!(!guest.world.is_watched(TABLE));
        assert_eq!(guest.world.uses(DATA), 0);
        Ok(())
    }

    #[test]
    fn what_is_not_the_guests_is_a_scratch_page() -> Result {
        let mut guest = Guest::new()?;
        guest.world.put(TABLE, 0, entry(DATA, ON));
        assert_eq!(guest.submit(), Ok(()));
        guest.write(TABLE, 0, entry(FIRST + FRAMES, ON));
        guest.write(TABLE, 1, entry(0, ON));
        guest.write(DIRECTORY, 1, entry(FIRST + FRAMES, ON));
        assert_eq!(guest.submit(), Ok(()));
        assert_eq!(guest.page(0), None);
        assert_eq!(guest.page(1), None);
        assert_eq!(guest.page(512), None);
        assert_eq!(guest.world.uses(DATA), 0);
        Ok(())
    }

    #[test]
    fn a_table_at_two_levels_has_two_shadows() -> Result {
        let mut guest = Guest::new()?;
        // The page table is also the directory behind it (gvt-spec 12.1-1).
        guest.world.put(POINTERS, 1, entry(TABLE, ON));
        guest.world.put(TABLE, 0, entry(TABLE, ON));
        guest.world.put(TABLE, 1, entry(DATA, ON));
        assert_eq!(guest.submit(), Ok(()));
        // As a page table, its first page is itself.
        assert_eq!(guest.page(0), Some((TABLE, ON)));
        // As a directory, it leads to itself as a page table.
        let behind = 512 * 512;
        assert_eq!(guest.page(behind), Some((TABLE, ON)));
        assert_eq!(guest.page(behind + 1), Some((DATA, ON)));
        // No entry of a page table leads to a shadow.
        assert!(guest.world.is_sound());
        assert!(guest.world.is_clean());
        // A write is one to both.
        guest.write(TABLE, 1, entry(DATA + 1, ON));
        assert_eq!(guest.submit(), Ok(()));
        assert_eq!(guest.page(1), Some((DATA + 1, ON)));
        assert_eq!(guest.page(behind + 1), Some((DATA + 1, ON)));
        Ok(())
    }

    #[test]
    fn large_pages_are_the_frames_that_they_have() -> Result {
        let mut guest = Guest::new()?;
        // 512 frames from 0 on, of which the last ones are memory.
        guest
            .world
            .put(DIRECTORY, 1, entry(0, ON | LARGE) | 1 << 12 | 1 << 6);
        assert_eq!(guest.submit(), Ok(()));
        for page in 0..512 {
            let found = guest.page(512 + page);
            let memory = (FIRST..FIRST + FRAMES).contains(&page);
            assert_eq!(found, memory.then_some((page, ON | LARGE)));
        }
        guest.write(DIRECTORY, 1, 0);
        assert_eq!(guest.submit(), Ok(()));
        assert_eq!(guest.world.uses(FIRST), 0);
        assert_eq!(guest.ppgtt.tables(), 4);
        // One of 1 GiB is none.
        guest.write(POINTERS, 1, entry(0, ON | LARGE));
        assert_eq!(guest.submit(), Ok(()));
        assert_eq!(guest.page(512 * 512 + FIRST), None);
        Ok(())
    }

    #[test]
    fn pages_of_64k_are_sixteen_frames() -> Result {
        let mut guest = Guest::new()?;
        guest
            .world
            .put(DIRECTORY, 0, entry(TABLE, ON | INTERMEDIATE));
        guest.world.put(TABLE, 0, entry(FIRST, ON));
        guest.world.put(TABLE, 1, entry(DATA, ON));
        assert_eq!(guest.submit(), Ok(()));
        // They are off.
        assert_eq!(guest.page(1), Some((DATA, ON)));
        guest.ppgtt.set_64k(true, &mut guest.world);
        assert_eq!(guest.submit(), Ok(()));
        for page in 0..16 {
            assert_eq!(guest.page(page), Some((FIRST + page, ON)));
        }
        assert_eq!(guest.page(16), None);
        guest.write(TABLE, 0, 0);
        guest.write(TABLE, 16, entry(FIRST + 16, ON));
        assert_eq!(guest.submit(), Ok(()));
        assert_eq!(guest.page(3), None);
        assert_eq!(guest.world.uses(FIRST + 3), 0);
        assert_eq!(guest.page(17), Some((FIRST + 17, ON)));
        assert!(guest.world.is_sound());
        Ok(())
    }

    #[test]
    fn a_table_that_changes_all_the_time_is_not_trapped() -> Result {
        let mut guest = Guest::new()?;
        assert_eq!(guest.submit(), Ok(()));
        for round in 0..20 {
            guest.write(TABLE, 7, entry(DATA + round % 2, ON));
            assert_eq!(guest.submit(), Ok(()));
            assert_eq!(guest.page(7), Some((DATA + round % 2, ON)));
        }
        assert!(guest.world.traps < 8);
        assert!(!guest.world.is_watched(TABLE));
        // It comes to rest.
        for _ in 0..20 {
            assert_eq!(guest.submit(), Ok(()));
        }
        assert!(guest.world.is_watched(TABLE));
        let reads = guest.world.reads;
        assert_eq!(guest.submit(), Ok(()));
        assert_eq!(guest.world.reads, reads);
        Ok(())
    }

    #[test]
    fn a_frame_that_stopped_being_a_table_is_left_alone() -> Result {
        let mut guest = Guest::new()?;
        assert_eq!(guest.submit(), Ok(()));
        // The guest uses it for data, and has not taken it out of the directory.
        for round in 1..12u64 {
            for index in 0..512 {
                guest.write(TABLE, index, round.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
            }
            assert_eq!(guest.submit(), Ok(()));
        }
        assert!(!guest.world.is_watched(TABLE));
        let reads = guest.world.reads;
        for _ in 0..20 {
            assert_eq!(guest.submit(), Ok(()));
        }
        assert_eq!(guest.world.reads, reads);
        // It becomes one again.
        for index in 0..512 {
            guest.write(TABLE, index, 0);
        }
        guest.write(TABLE, 9, entry(DATA, ON));
        guest.write(DIRECTORY, 0, 0);
        guest.write(DIRECTORY, 0, entry(TABLE, ON));
        guest.write(DIRECTORY, 1, entry(TABLE, ON));
        assert_eq!(guest.submit(), Ok(()));
        assert_eq!(guest.page(512 + 9), Some((DATA, ON)));
        Ok(())
    }

    #[test]
    fn address_spaces_share_and_part() -> Result {
        let mut guest = Guest::new()?;
        let other = FIRST + 4;
        guest.world.put(other, 0, entry(POINTERS, ON));
        guest.world.put(TABLE, 0, entry(DATA, ON));
        assert_eq!(guest.submit(), Ok(()));
        let second = guest.ppgtt.prepare(&roots(other), &mut guest.world);
        assert!(second.is_ok_and(|[top, ..]| top != guest.top));
        assert_eq!(guest.ppgtt.tables(), 5);
        assert_eq!(guest.world.uses(DATA), 1);
        guest.ppgtt.destroy(&roots(TOP), &mut guest.world);
        assert_eq!(guest.ppgtt.tables(), 4);
        // The other one goes with its user.
        guest.ppgtt.destroy(&roots(other), &mut guest.world);
        assert_eq!(guest.ppgtt.tables(), 4);
        guest.release(&roots(other));
        assert_eq!(guest.ppgtt.tables(), 0);
        assert!(guest.world.is_empty());
        Ok(())
    }

    #[test]
    fn four_directories_are_a_small_address_space() -> Result {
        let mut guest = Guest::new()?;
        guest.world.put(TABLE, 3, entry(DATA, ON));
        let small = Roots {
            addressing: Addressing::Legacy32,
            pdps: [entry(DIRECTORY, ON), 0, entry(DIRECTORY, ON), 0],
        };
        let tops = guest.ppgtt.prepare(&small, &mut guest.world);
        let [first, second, third, fourth] = tops.unwrap_or_default();
        assert_eq!(first, third);
        assert_eq!(second, fourth);
        assert_eq!(guest.world.walk(first, 1, 3), Some((DATA, ON)));
        assert_eq!(guest.world.walk(second, 1, 3), None);
        // The same register as a table of four levels is another address space.
        let top = guest.ppgtt.prepare(&roots(DIRECTORY), &mut guest.world);
        assert!(top.is_ok_and(|[top, ..]| top != first));
        assert!(guest.world.is_sound());
        Ok(())
    }

    #[test]
    fn there_is_a_table_at_the_top() -> Result {
        let mut guest = Guest::new()?;
        let none = Roots {
            addressing: Addressing::Legacy48,
            pdps: [0, entry(TOP, 0), 0, 0],
        };
        let world = &mut guest.world;
        assert_eq!(guest.ppgtt.prepare(&none, world), Err(Flaw::Root));
        // One that is not memory is full of nothing.
        let out = guest.ppgtt.prepare(&roots(FIRST + FRAMES), world);
        assert!(out.is_ok_and(|[top, ..]| world.walk(top, 3, 0).is_none()));
        Ok(())
    }

    #[test]
    fn memory_that_is_taken_away_is_not_used() -> Result {
        let mut guest = Guest::new()?;
        guest.world.put(TABLE, 0, entry(DATA, ON));
        let before = guest.ppgtt.prepare(&roots(TOP), &mut guest.world);
        let [top, ..] = before.unwrap_or_default();
        assert_eq!(guest.world.walk(top, 3, 0), Some((DATA, ON)));
        guest.ppgtt.clear(&mut guest.world);
        // The GPU still has a context with that root.
        assert_eq!(guest.world.walk(top, 3, 0), None);
        assert_eq!(guest.world.uses(DATA), 0);
        assert!(!guest.world.is_watched(TABLE));
        assert_eq!(guest.world.forgotten, 1);
        // The next one has new shadows, and may be through first.
        let after = guest.ppgtt.prepare(&roots(TOP), &mut guest.world);
        let [new, ..] = after.unwrap_or_default();
        assert!(guest.world.has_table(top) && guest.world.has_table(new) && new != top);
        guest.release(&roots(TOP));
        assert!(guest.world.has_table(top));
        guest.ppgtt.release(&roots(TOP), 0, &mut guest.world);
        assert!(!guest.world.has_table(top));
        assert_eq!(guest.world.tables(), 4);
        guest.ppgtt.clear(&mut guest.world);
        assert!(guest.world.is_empty());
        Ok(())
    }

    #[test]
    fn what_the_gpu_has_stays_however_much_it_is() -> Result {
        let mut guest = Guest::new()?;
        let many = |number: u64| Roots {
            addressing: Addressing::Legacy32,
            pdps: [0, 1, 2, 3].map(|pdp| entry(0x1000 + number * 4 + pdp, 0)),
        };
        let count = 70;
        let mut tops = KVec::new();
        for number in 0..count {
            let prepared = guest.ppgtt.prepare(&many(number), &mut guest.world);
            for top in prepared.unwrap_or_default() {
                tops.push(top, GFP_KERNEL)?;
            }
        }
        guest.ppgtt.clear(&mut guest.world);
        assert!(tops.iter().all(|top| guest.world.has_table(*top)));
        for number in (0..count).rev() {
            guest.ppgtt.release(&many(number), 0, &mut guest.world);
        }
        assert!(guest.world.is_empty());
        Ok(())
    }

    #[test]
    fn who_wants_memory_back_does_not_wait_for_all_tables() -> Result {
        let mut guest = Guest::new()?;
        guest.world.put(TABLE, 0, entry(DATA, ON));
        guest.world.pressed = true;
        assert_eq!(guest.submit(), Err(Flaw::Memory));
        assert_eq!(guest.world.reads, 0);
        assert_eq!(guest.world.uses(DATA), 0);
        guest.world.pressed = false;
        assert_eq!(guest.submit(), Ok(()));
        assert_eq!(guest.page(0), Some((DATA, ON)));
        guest.ppgtt.clear(&mut guest.world);
        assert!(guest.world.is_empty());
        Ok(())
    }

    #[test]
    fn what_was_late_is_looked_for_again() -> Result {
        let mut guest = Guest::new()?;
        guest.world.put(TABLE, 0, entry(DATA, ON));
        assert_eq!(guest.submit(), Ok(()));
        guest.world.put(TABLE, 1, entry(DATA, ON));
        guest.ppgtt.written(Gfn::new(TABLE), &mut guest.world);
        guest.world.interrupted = true;
        assert_eq!(guest.submit(), Err(Flaw::Memory));
        assert_eq!(guest.world.uses(DATA), 0);
        guest.world.interrupted = false;
        assert_eq!(guest.submit(), Ok(()));
        assert_eq!(guest.page(0), Some((DATA, ON)));
        assert_eq!(guest.page(1), Some((DATA, ON)));
        Ok(())
    }

    #[test]
    fn what_several_have_at_the_top_is_freed_once() -> Result {
        let mut guest = Guest::new()?;
        let twice = Roots {
            addressing: Addressing::Legacy32,
            pdps: [entry(DIRECTORY, 0), 0, 0, entry(DIRECTORY, 0)],
        };
        let once = Roots {
            addressing: Addressing::Legacy32,
            pdps: [0, entry(DIRECTORY, 0), 0, 0],
        };
        for roots in [twice, once] {
            assert!(guest.ppgtt.prepare(&roots, &mut guest.world).is_ok());
        }
        guest.ppgtt.clear(&mut guest.world);
        assert_eq!(guest.world.tables(), 1);
        guest.ppgtt.release(&twice, 0, &mut guest.world);
        assert_eq!(guest.world.tables(), 1);
        guest.ppgtt.release(&once, 0, &mut guest.world);
        assert!(guest.world.is_empty());
        Ok(())
    }

    #[test]
    fn a_watch_that_is_gone_is_not_taken_back() -> Result {
        let mut guest = Guest::new()?;
        assert_eq!(guest.submit(), Ok(()));
        guest.world.forget_watch(TABLE);
        guest.ppgtt.removed(TABLE, 1);
        guest.world.put(TABLE, 4, entry(DATA, ON));
        assert_eq!(guest.submit(), Ok(()));
        assert_eq!(guest.page(4), Some((DATA, ON)));
        assert!(guest.world.is_watched(TABLE));
        guest.ppgtt.clear(&mut guest.world);
        assert!(guest.world.is_empty());
        Ok(())
    }

    #[test]
    fn without_memory_nothing_is_wrong() -> Result {
        let mut guest = Guest::new()?;
        guest.world.put(TABLE, 0, entry(DATA, ON));
        for room in 0..4 {
            guest.world.room = room;
            assert_eq!(guest.submit(), Err(Flaw::Memory));
            assert!(guest.world.is_sound());
        }
        guest.world.room = 4;
        assert_eq!(guest.submit(), Ok(()));
        assert_eq!(guest.page(0), Some((DATA, ON)));
        // Room is made by what is not used.
        let other = FIRST + 4;
        assert!(guest.ppgtt.prepare(&roots(other), &mut guest.world).is_ok());
        assert_eq!(guest.ppgtt.tables(), 1);
        assert_eq!(guest.submit(), Err(Flaw::Memory));
        Ok(())
    }

    /// Does anything a guest can do, and looks at everything after each submission.
    #[test]
    fn after_any_sequence_a_shadow_is_what_the_guest_says() -> Result {
        for seed in 1..24u64 {
            let mut guest = Guest::new()?;
            let mut state = seed.wrapping_mul(0x2545_f491_4f6c_dd1d);
            let mut random = |below: u64| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 11) % below
            };
            let mut has_64k = false;
            // What the GPU has: with which roots, since when, and what is at the top.
            let mut held = KVec::new();
            for _ in 0..400 {
                // Few frames and few entries, so that everything meets everything.
                let gfn = FIRST + random(6);
                let index = usize::try_from(random(18)).unwrap_or(0);
                let target = FIRST + random(FRAMES + 2);
                match random(20) {
                    0..=9 => {
                        let bits = random(4) | random(2) * LARGE | random(2) * INTERMEDIATE;
                        let target = if bits & LARGE != 0 { 0 } else { target };
                        guest.write(gfn, index, entry(target, bits));
                    }
                    10 | 11 => guest.write(gfn, index, entry(FIRST + random(6), ON)),
                    12 => guest.write(gfn, index, 0),
                    13 => guest.ppgtt.destroy(&roots(gfn), &mut guest.world),
                    14 if random(4) == 0 => guest.ppgtt.clear(&mut guest.world),
                    15 if random(4) == 0 => {
                        has_64k = !has_64k;
                        guest.ppgtt.set_64k(has_64k, &mut guest.world);
                    }
                    16 if !held.is_empty() => {
                        let at = usize::try_from(random(1 << 32)).unwrap_or(0) % held.len();
                        if let Ok((gfn, epoch, _)) = held.remove(at) {
                            guest.ppgtt.release(&roots(gfn), epoch, &mut guest.world);
                        }
                    }
                    _ => {
                        let tops = guest.ppgtt.prepare(&roots(gfn), &mut guest.world);
                        let [top, ..] = tops.unwrap_or_default();
                        for page in (0..18u64).flat_map(|n| [n, n * 512, n * 512 + 3]) {
                            let found = guest.world.walk(top, 3, page).map(|(gfn, _)| gfn);
                            assert_eq!(found, guest.expected(gfn, page, has_64k));
                            let told = guest.ppgtt.translate(&roots(gfn), page * 4096 + 0xfff);
                            assert_eq!(told.map(Gfn::raw), found.filter(|_| top != 0));
                        }
                        assert!(guest.world.is_sound());
                        assert!(guest.world.is_clean());
                        held.push((gfn, guest.ppgtt.epoch(), top), GFP_KERNEL)?;
                    }
                }
                assert!(held.iter().all(|(.., top)| guest.world.has_table(*top)));
            }
            for (gfn, epoch, _) in held.iter() {
                guest.ppgtt.release(&roots(*gfn), *epoch, &mut guest.world);
            }
            guest.ppgtt.clear(&mut guest.world);
            assert!(guest.world.is_empty());
        }
        Ok(())
    }
}
