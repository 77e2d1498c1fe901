// SPDX-License-Identifier: GPL-2.0

//! A guest that does anything to the registers, on any platform, while things happen on the GPU.

use gvt_model::cfg::MsiState;
use gvt_model::display::flip::FlipPlane;
use gvt_model::display::{Ddi, Pipe};
use gvt_model::effect::Effects;
use gvt_model::engine::EngineId;
use gvt_model::interrupt::{EngineEvent, Event};
use gvt_model::platform::Platform;
use gvt_model::region::Position;
use gvt_model::vgpu::Host;

use crate::op::Source;
use crate::rig::{Rig, HIGH, LOW};

/// Registers that do more than keep their value, and some that do not.
const PLACES: [u32; 44] = [
    0x0_2030, 0x0_2080, 0x0_209c, 0x0_20a8, 0x0_20d0, 0x0_229c, 0x0_2358, 0x0_24d0, 0x0_24f8, 0x0_2580, 0x0_4080,
    0x0_4260, 0x0_4df0, 0x0_941c, 0x0_a188, 0x0_a270, 0x0_c000, 0x0_c800, 0x1_2080, 0x1_a080, 0x2_2080, 0x2_20a8,
    0x4_4200, 0x4_4300, 0x4_4308, 0x4_4310, 0x4_4330, 0x4_4400, 0x4_4440, 0x4_4460, 0x4_44e0, 0x4_5400, 0x4_6010,
    0x6_4040, 0x7_8000, 0x7_8808, 0x7_8818, 0xc_4000, 0xc_6000, 0x10_0000, 0x10_0018, 0x13_0040, 0x13_8120, 0x14_5998,
];

/// A guest, its vGPU, and what must hold of them.
pub struct Registers {
    rig: Rig,
    platform: Platform,
    /// Whether the line of the interrupt was up.
    line: bool,
}

impl Registers {
    /// A vGPU after a reset.
    pub fn new(script: &mut Source<'_>) -> Self {
        let platform = Platform::ALL[usize::from(script.byte()) % Platform::ALL.len()];
        let mut rig = Rig::on(platform).expect("a vGPU");
        if script.byte() & 1 == 0 {
            // A guest that knows where it is.
            rig.bytes::<8>(0, 0x7_8000).expect("a register can be read");
        }
        Self { rig, platform, line: false }
    }

    /// Does the next thing of a script, and checks what must hold then.
    pub fn step(&mut self, script: &mut Source<'_>) {
        // Some milliseconds later: what is due is done before the guest does anything, so that each message is one's.
        self.rig.env.now += u64::from(script.byte() % 32) * 1_000_000;
        let effects = self.access(|rig, host| {
            rig.run_display(host);
            Ok(())
        });
        self.check(&effects, true);
        assert!(self.rig.vgpu.next_blank().is_none_or(|next| next > self.rig.env.now));
        let (effects, exact) = match script.byte() {
            0..=159 => self.write(script),
            160..=199 => (self.read(script), true),
            200..=239 => (self.raise(script), true),
            240..=253 => (self.gate(script.byte()), true),
            _ => {
                self.rig.reset();
                self.line = false;
                assert_eq!(self.rig.vgpu.failsafe(), None);
                (Effects::new(), true)
            }
        };
        self.check(&effects, exact);
    }

    fn place(script: &mut Source<'_>) -> u32 {
        match script.byte() {
            byte @ 0..=223 => PLACES[usize::from(byte) % PLACES.len()] + u32::from(script.byte() % 16),
            _ => script.word() % (2 << 20),
        }
    }

    fn value(script: &mut Source<'_>) -> u64 {
        match script.byte() {
            0..=31 => script.long(),
            32..=63 => 1 << (script.byte() % 64),
            64..=95 => u64::MAX,
            96..=127 => 0,
            128..=159 => 0x0001_0001 << (script.byte() % 16),
            // Pages near the edges of what the vGPU has, as addresses and as fences.
            byte @ 160..=207 => {
                let edges = [LOW.0, LOW.0 + LOW.1, HIGH.0, HIGH.0 + HIGH.1];
                (edges[usize::from(byte) % 4] + u64::from(script.byte() % 4) * 4096).wrapping_sub(8192)
            }
            _ => {
                let page = |byte: u8| LOW.0 + u64::from(byte) * 4096 * 200;
                page(script.byte()) << 32 | page(script.byte()) | 1
            }
        }
    }

    fn write(&mut self, script: &mut Source<'_>) -> (Effects, bool) {
        let width = 1 << (script.byte() % 4);
        let offset = Self::place(script) & !(width - 1);
        let data = Self::value(script).to_le_bytes();
        let at = Position::new(0, offset.into()).expect("an offset of BAR0");
        let effects = self.access(|rig, host| rig.write(at, &data[..width as usize], host));
        // Two registers are written one after the other, and the line may move in between.
        (effects, width <= 4)
    }

    fn read(&mut self, script: &mut Source<'_>) -> Effects {
        let width = 1 << (script.byte() % 4);
        let offset = Self::place(script) & !(width - 1);
        let mut data = [0; 8];
        let at = Position::new(0, offset.into()).expect("an offset of BAR0");
        self.access(|rig, host| rig.read(at, &mut data[..width as usize], host))
    }

    /// Turns messages on or off.
    fn gate(&mut self, byte: u8) -> Effects {
        let at = Position::new(7, 0xae).expect("an offset of configuration space");
        self.access(|rig, host| rig.write(at, &[byte & 0x11, 0], host))
    }

    fn access(
        &mut self,
        body: impl FnOnce(&mut gvt_model::vgpu::Vgpu, &mut Host<'_>) -> Result<(), gvt_model::fault::Fault>,
    ) -> Effects {
        let mut effects = Effects::new();
        let registers = self.rig.registers;
        let mut host = Host { registers, env: &mut self.rig.env, effects: &mut effects };
        body(&mut self.rig.vgpu, &mut host).expect("the registers and the MSI capability are there");
        effects
    }

    fn raise(&mut self, script: &mut Source<'_>) -> Effects {
        let pick = |byte: u8, count: usize| usize::from(byte) % count;
        let pipe = [Pipe::A, Pipe::B, Pipe::C][pick(script.byte(), 3)];
        let ddi = [Ddi::A, Ddi::B, Ddi::C, Ddi::D][pick(script.byte(), 4)];
        let kind = [EngineEvent::User, EngineEvent::Flush, EngineEvent::ContextSwitch][pick(script.byte(), 3)];
        let event = match script.byte() % 8 {
            0 | 1 => Event::Engine(EngineId::ALL[pick(script.byte(), 5)], kind),
            2 => Event::Vblank(pipe),
            3 => Event::FlipDone(pipe, [FlipPlane::Primary, FlipPlane::Sprite][pick(script.byte(), 2)]),
            4 => Event::Aux(ddi),
            5 => Event::Hotplug(ddi),
            6 => Event::Gmbus,
            _ => Event::Gse,
        };
        let mut effects = Effects::new();
        self.rig.vgpu.raise(event, self.rig.registers, &mut effects);
        effects
    }

    fn register(&mut self, offset: u32) -> u32 {
        u32::from_le_bytes(self.rig.bytes(0, offset.into()).expect("a register can be read"))
    }

    fn check(&mut self, effects: &Effects, exact: bool) {
        for note in effects.notes() {
            assert!((1..200).contains(&note.to_string().len()));
        }
        if self.rig.vgpu.failsafe().is_some() {
            // Plain memory: what was up before comes down unseen.
            self.line = false;
            return;
        }
        let master = self.register(0x4_4200);
        let mut pending = 0;
        for (base, low, high) in [
            (0x4_4300, 0, 1),
            (0x4_4310, 2, 3),
            (0x4_4320, 4, 4),
            (0x4_4330, 6, 6),
            (0x4_4400, 16, 16),
            (0x4_4410, 17, 17),
            (0x4_4420, 18, 18),
            (0x4_4440, 20, 20),
            (0x4_4460, 22, 22),
            (0xc_4000, 23, 23),
            (0x4_44e0, 30, 30),
        ] {
            let passed = self.register(base + 8) & self.register(base + 12);
            pending |= u32::from(passed & 0xffff != 0) << low | u32::from(passed >> 16 != 0) << high;
        }
        assert_eq!(master & 0x7fff_ffff, pending);
        let line = master >> 31 == 1 && pending != 0 && self.rig.vgpu.msi() == MsiState::On;
        let edge = line && !self.line;
        assert!(if exact { effects.injects_msi() == edge } else { effects.injects_msi() || !edge });
        self.line = line;

        for id in EngineId::ALL {
            let page = u64::from(self.register(id.mmio_base() + 0x80));
            let own = |range: (u64, u64)| (range.0..range.0 + range.1).contains(&page) && page % 4096 == 0;
            let exists = self.rig.registers.engines().contains(id);
            assert!(!exists || page == 0 || own(LOW) || own(HIGH), "status page {page:#x}");
        }
        for slot in (0x24d0..0x2500).step_by(4) {
            let address = self.register(slot) & 0x03ff_ffff;
            // Registers that hold an address, give time away, or drive an engine are none for users.
            assert!(!matches!(address, 0x2030..=0x203c | 0x2080 | 0x229c | 0x2230 | 0x2358), "{address:#x}");
        }
        for offset in [0x209c, 0x20d0, 0x229c, 0x2580, 0x7004, 0xa188] {
            assert_eq!(self.register(offset) >> 16, 0, "a mask of {offset:#x} stays, {:?}", self.platform);
        }
    }
}
