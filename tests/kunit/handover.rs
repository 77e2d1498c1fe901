// SPDX-License-Identifier: GPL-2.0

//! Which values are in the registers that change hands with an engine.

use kernel::prelude::*;

#[kunit_tests(gvt_handover)]
mod gvt_handover {
    use super::*;
    use core::cell::{
        Cell,
        RefCell, //
    };
    use gvt_model::{
        engine::EngineId,
        mmio::{
            handover::{
                Handover,
                Values, //
            },
            switched::{
                handed,
                Handed,
                Written, //
            },
        },
        platform::Platform,
        ports::EngineRegisters,
    };

    const PLATFORM: Platform = Platform::Skylake;
    const HOST: u32 = 0x11;
    /// BCS_MI_MODE, of which a guest has no say in two bits.
    const MI_MODE: u32 = 0x2_209c;

    /// An engine with its registers.
    struct Hardware {
        registers: RefCell<KVec<(Handed, u32)>>,
        accesses: Cell<usize>,
    }

    impl Hardware {
        /// All registers have what the host has written.
        fn new(engine: EngineId) -> Result<Self> {
            let mut registers = KVec::new();
            for register in handed(PLATFORM, engine) {
                registers.push((register, HOST), GFP_KERNEL)?;
            }
            Ok(Self {
                registers: RefCell::new(registers),
                accesses: Cell::new(0),
            })
        }

        fn set(&self, offset: u32, value: u32) {
            for (register, now) in self.registers.borrow_mut().iter_mut() {
                if register.offset == offset {
                    *now = value;
                }
            }
        }

        fn get(&self, offset: u32) -> u32 {
            let registers = self.registers.borrow();
            let found = registers
                .iter()
                .find(|(register, _)| register.offset == offset);
            found.map_or(u32::MAX, |(_, value)| *value)
        }

        /// The first register that is like this.
        fn first(&self, like: impl Fn(&Handed) -> bool) -> Result<u32> {
            let registers = self.registers.borrow();
            let found = registers.iter().find(|(register, _)| like(register));
            found.map(|(register, _)| register.offset).ok_or(EINVAL)
        }

        /// One that only the processor and commands with privilege write.
        fn private(&self) -> Result<u32> {
            self.first(|register| register.mask == 0 && !register.by_users)
        }

        /// One that batches without privilege write.
        fn open(&self) -> Result<u32> {
            self.first(|register| register.mask == 0 && register.by_users)
        }
    }

    impl EngineRegisters for &Hardware {
        fn read(&self, offset: u32) -> u32 {
            self.accesses.set(self.accesses.get() + 1);
            self.get(offset)
        }

        fn write(&self, offset: u32, value: u32) {
            self.accesses.set(self.accesses.get() + 1);
            for (register, now) in self.registers.borrow_mut().iter_mut() {
                if register.offset == offset {
                    *now = match register.mask {
                        0 => value,
                        _ => *now & !(value >> 16) | value & value >> 16,
                    };
                }
            }
        }
    }

    /// The registers of the render engine with two holders, of which the first has `value` in the one at `offset`.
    fn two(hardware: &Hardware, offset: u32, value: u32) -> Result<Handover<u8>> {
        let engine = EngineId::Rcs0;
        let mut handover = Handover::new(PLATFORM, engine)?;
        handover.read_host(&hardware);
        for holder in [1, 2] {
            handover.add(holder, Values::new(PLATFORM, engine)?);
        }
        handover.refresh(1, |at| if at == offset { value } else { 0 });
        Ok(handover)
    }

    fn written(offset: u32) -> Written {
        let mut written = Written::default();
        written.note(PLATFORM, EngineId::Rcs0, offset);
        written
    }

    #[test]
    fn each_has_its_own() -> Result {
        let hardware = Hardware::new(EngineId::Rcs0)?;
        let private = hardware.private()?;
        let mut handover = two(&hardware, private, 0x22)?;
        for (owner, value) in [(Some(1), 0x22), (Some(2), 0), (Some(1), 0x22), (None, HOST)] {
            handover.take_over(owner, || &hardware);
            assert_eq!(hardware.get(private), value);
        }
        Ok(())
    }

    #[test]
    fn who_goes_on_costs_nothing() -> Result {
        let hardware = Hardware::new(EngineId::Rcs0)?;
        let private = hardware.private()?;
        let mut handover = two(&hardware, private, 0x22)?;
        handover.take_over(Some(1), || &hardware);
        let accesses = hardware.accesses.get();
        handover.take_over(Some(1), || &hardware);
        handover.note_resets(0);
        handover.take_over(Some(1), || &hardware);
        assert_eq!(hardware.accesses.get(), accesses);
        Ok(())
    }

    #[test]
    fn what_batches_wrote_stays_with_their_guest() -> Result {
        let hardware = Hardware::new(EngineId::Rcs0)?;
        let (private, open) = (hardware.private()?, hardware.open()?);
        let mut handover = two(&hardware, private, 0x22)?;
        handover.take_over(Some(1), || &hardware);
        hardware.set(open, 0x33);
        // No command can have written this one.
        hardware.set(private, 0x44);
        handover.take_over(Some(2), || &hardware);
        assert_eq!((hardware.get(open), hardware.get(private)), (0, 0));
        handover.take_over(Some(1), || &hardware);
        assert_eq!((hardware.get(open), hardware.get(private)), (0x33, 0x22));
        Ok(())
    }

    #[test]
    fn what_commands_wrote_is_read_once() -> Result {
        let hardware = Hardware::new(EngineId::Rcs0)?;
        let private = hardware.private()?;
        let mut handover = two(&hardware, private, 0x22)?;
        handover.begin(1);
        handover.add_written(1, &written(private));
        handover.take_over(Some(1), || &hardware);
        hardware.set(private, 0x55);
        // More work while it has the engine: what was written before is not read yet.
        handover.begin(1);
        handover.take_over(Some(2), || &hardware);
        assert_eq!(hardware.get(private), 0);
        // Work that writes nothing, after somebody else had the engine.
        handover.begin(1);
        handover.take_over(Some(1), || &hardware);
        assert_eq!(hardware.get(private), 0x55);
        hardware.set(private, 0x66);
        handover.take_over(Some(2), || &hardware);
        handover.take_over(Some(1), || &hardware);
        assert_eq!(hardware.get(private), 0x55);
        Ok(())
    }

    #[test]
    fn the_processor_overrules_commands_with_something_new() -> Result {
        let hardware = Hardware::new(EngineId::Rcs0)?;
        let private = hardware.private()?;
        let mut handover = two(&hardware, private, 0x22)?;
        handover.add_written(1, &written(private));
        handover.take_over(Some(1), || &hardware);
        hardware.set(private, 0x55);
        handover.take_over(Some(2), || &hardware);
        let by_processor = |value| move |at| if at == private { value } else { 0 };
        handover.refresh(1, by_processor(0x22));
        handover.take_over(Some(1), || &hardware);
        assert_eq!(hardware.get(private), 0x55);
        handover.take_over(Some(2), || &hardware);
        handover.refresh(1, by_processor(0x77));
        handover.take_over(Some(1), || &hardware);
        assert_eq!(hardware.get(private), 0x77);
        Ok(())
    }

    #[test]
    fn after_a_reset_all_is_written_again() -> Result {
        let hardware = Hardware::new(EngineId::Rcs0)?;
        let (private, open) = (hardware.private()?, hardware.open()?);
        let mut handover = two(&hardware, private, 0x22)?;
        handover.take_over(Some(1), || &hardware);
        hardware.set(open, 0x33);
        handover.take_over(Some(2), || &hardware);
        handover.take_over(Some(1), || &hardware);
        // i915 resets the engine, and sets it up.
        for register in [private, open] {
            hardware.set(register, 0x99);
        }
        handover.note_resets(1);
        handover.take_over(Some(1), || &hardware);
        assert_eq!((hardware.get(open), hardware.get(private)), (0x33, 0x22));
        // What there was after the reset is nobody's.
        handover.take_over(None, || &hardware);
        assert_eq!((hardware.get(open), hardware.get(private)), (HOST, HOST));
        Ok(())
    }

    #[test]
    fn without_power_all_is_lost_but_what_is_known() -> Result {
        let hardware = Hardware::new(EngineId::Rcs0)?;
        let private = hardware.private()?;
        let mut handover = two(&hardware, private, 0x22)?;
        handover.take_over(Some(1), || &hardware);
        handover.give_back(&&hardware);
        assert_eq!(hardware.get(private), HOST);
        hardware.set(private, 0x99);
        handover.lose();
        handover.take_over(Some(1), || &hardware);
        assert_eq!(hardware.get(private), 0x22);
        handover.give_back(&&hardware);
        assert_eq!(hardware.get(private), HOST);
        Ok(())
    }

    #[test]
    fn what_was_never_handed_over_is_left_alone() -> Result {
        let hardware = Hardware::new(EngineId::Rcs0)?;
        let private = hardware.private()?;
        let mut handover = Handover::<u8>::new(PLATFORM, EngineId::Rcs0)?;
        // i915 had reset the engine before it was watched, and the machine slept.
        handover.note_resets(1);
        handover.take_over(None, || &hardware);
        handover.lose();
        handover.take_over(None, || &hardware);
        handover.give_back(&&hardware);
        assert_eq!(hardware.accesses.get(), 0);
        handover.read_host(&&hardware);
        handover.add(1, Values::new(PLATFORM, EngineId::Rcs0)?);
        handover.take_over(Some(1), || &hardware);
        handover.take_over(None, || &hardware);
        assert_eq!(hardware.get(private), HOST);
        Ok(())
    }

    #[test]
    fn who_leaves_takes_its_values_along() -> Result {
        let hardware = Hardware::new(EngineId::Rcs0)?;
        let private = hardware.private()?;
        let mut handover = two(&hardware, private, 0x22)?;
        handover.take_over(Some(1), || &hardware);
        assert!(handover.remove(1, &&hardware).is_some());
        assert_eq!(hardware.get(private), HOST);
        assert!(handover.remove(1, &&hardware).is_none());
        // One that does not have the engine leaves it alone.
        let accesses = hardware.accesses.get();
        assert!(handover.remove(2, &&hardware).is_some());
        assert_eq!(hardware.accesses.get(), accesses);
        Ok(())
    }

    #[test]
    fn of_masked_registers_a_guest_has_its_bits_only() -> Result {
        let engine = EngineId::Bcs0;
        let hardware = Hardware::new(engine)?;
        hardware.set(MI_MODE, 0);
        let mut handover = Handover::new(PLATFORM, engine)?;
        handover.read_host(&&hardware);
        handover.add(1, Values::new(PLATFORM, engine)?);
        handover.refresh(1, |at| if at == MI_MODE { u32::MAX } else { 0 });
        hardware.set(MI_MODE, 0x200);
        handover.take_over(Some(1), || &hardware);
        assert_eq!(hardware.get(MI_MODE), 0xfeff);
        handover.take_over(None, || &hardware);
        assert_eq!(hardware.get(MI_MODE), 0x200);
        Ok(())
    }
}
