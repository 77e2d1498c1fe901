// SPDX-License-Identifier: GPL-2.0
//! The display of a whole device, driven through its registers as i915 does, on a clock of the tests' own.

use std::time::{Duration, Instant};

use super::edid::{Input, Mode};
use super::Monitor;
use crate::gpu::{Config, Gpu};
use crate::irq::MASTER_IRQ;
use crate::platform::{Platform, PLATFORMS};

const ENABLE: u32 = 1 << 31;
const PIPE_A_IIR: u32 = 0x44408;
const SCAN_LINE: u32 = 0x70000;
const FRAME_COUNT: u32 = 0x70040;
const SURFACE: u32 = 0x7019c;
const SURFACE_LIVE: u32 = 0x701ac;

struct Rig {
    gpu: Gpu,
    now: Instant,
}

impl Rig {
    fn new(platform: &str) -> Self {
        let rig =
            Self { gpu: Gpu::new(Config::new(Platform::by_name(platform).unwrap())).unwrap(), now: Instant::now() };
        // Pipe A, ports and PCH unmasked and enabled.
        for group in [0x44400, 0x44440, 0xc4000] {
            rig.write(group + 0x4, 0);
            rig.write(group + 0xc, u32::MAX);
        }
        rig.write(MASTER_IRQ, ENABLE);
        rig
    }

    fn read(&self, offset: u32) -> u32 {
        if self.gpu.display.blocks.contains_key(&offset) {
            self.gpu.display.read_at(&self.gpu, offset, self.now)
        } else {
            self.gpu.mmio_read(offset)
        }
    }

    fn write(&self, offset: u32, value: u32) {
        if self.gpu.display.blocks.contains_key(&offset) {
            self.gpu.display.write_at(&self.gpu, offset, value, self.now);
        } else {
            self.gpu.mmio_write(offset, value);
        }
    }

    fn acknowledge(&self) -> u32 {
        let pending = self.read(PIPE_A_IIR);
        self.write(PIPE_A_IIR, pending);
        self.write(PIPE_A_IIR, self.read(PIPE_A_IIR));
        pending
    }

    /// Ends an update of pipe A, which began without a look at the scan line.
    fn updated(&self) {
        self.read(SCAN_LINE);
        self.read(FRAME_COUNT);
    }

    /// Lets time pass in steps of a quarter of a millisecond.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now = (self.now + Duration::from_micros(250)).min(end);
            self.gpu.display.tick(&self.gpu, self.now);
        }
    }

    /// Starts pipe A with 1920x1080 at 60 Hz on a DisplayPort link.
    fn start(&self) {
        self.write(0x60000, 2199 << 16 | 1919);
        self.write(0x6000c, 1124 << 16 | 1079);
        self.write(0x60010, 1124 << 16 | 1079);
        self.write(0x6001c, 1919 << 16 | 1079);
        self.write(0x60040, 0x46666);
        self.write(0x60044, 0x80000);
        self.write(0x60400, ENABLE | 1 << 28 | 2 << 24);
        self.write(0x6c05c, 1 << 4);
        self.write(0x6c058, 1 << 7);
        self.write(0x70008, ENABLE);
        assert_eq!(self.read(0x70008), ENABLE | 1 << 30);
    }

    /// An AUX transaction on port B; the reply's bytes, or nothing after a time-out.
    fn aux(&self, message: &[u8]) -> Option<Vec<u8>> {
        let control = if self.gpu.config.platform.name == "bdw" { 0xe4110 } else { 0x64110 };
        for (index, chunk) in message.chunks(4).enumerate() {
            let word = chunk.iter().enumerate().fold(0, |word, (i, byte)| word | u32::from(*byte) << (24 - 8 * i));
            self.write(control + 4 + 4 * index as u32, word);
        }
        self.write(control, ENABLE | 1 << 30 | 1 << 28 | 1 << 25 | (message.len() as u32) << 20);
        let status = self.read(control);
        assert_eq!(status & (ENABLE | 1 << 30 | 1 << 25), 1 << 30);
        self.write(control, status | 1 << 30 | 1 << 28 | 1 << 25);
        if status & 1 << 28 != 0 {
            return None;
        }
        let words = (0..5).flat_map(|i| self.read(control + 4 + 4 * i).to_be_bytes());
        Some(words.take((status >> 20 & 0x1f) as usize).collect())
    }

    /// Reads identification data over AUX as `drm_dp_i2c_xfer` does.
    fn edid(&self) -> Vec<u8> {
        assert_eq!(self.aux(&[0x40, 0, 0x50]), Some(vec![0]));
        assert_eq!(self.aux(&[0x40, 0, 0x50, 0, 0]), Some(vec![0]));
        assert_eq!(self.aux(&[0x50, 0, 0x50]), Some(vec![0]));
        let mut data = Vec::new();
        while data.len() < 128 {
            let reply = self.aux(&[0x50, 0, 0x50, 15]).unwrap();
            assert_eq!(reply[0], 0);
            data.extend(&reply[1..]);
        }
        assert_eq!(self.aux(&[0x10, 0, 0x50]), Some(vec![0]));
        data
    }
}

#[test]
fn vertical_blanks_come_at_the_rate_of_the_mode() {
    let mut rig = Rig::new("skl");
    rig.start();
    let first = rig.read(FRAME_COUNT);
    let mut seen = 0;
    for _ in 0..4000 {
        rig.pass(Duration::from_micros(500));
        seen += rig.acknowledge() & 1;
    }
    assert!((119..=121).contains(&seen), "{seen} in two seconds at 60 Hz");
    let counted = rig.read(FRAME_COUNT) - first;
    assert!(counted.abs_diff(seen) <= 1, "{counted} counted, {seen} reported");
    rig.write(0x70008, 0);
    assert_eq!(rig.read(0x70008), 0);
    let count = rig.read(FRAME_COUNT);
    assert_eq!(rig.gpu.display.tick(&rig.gpu, rig.now + Duration::from_secs(1)), None);
    assert_eq!(rig.read(FRAME_COUNT), count);
}

#[test]
fn a_late_thread_loses_no_frames() {
    let mut rig = Rig::new("skl");
    rig.start();
    let first = rig.read(FRAME_COUNT);
    rig.now += Duration::from_secs(10);
    let next = rig.gpu.display.tick(&rig.gpu, rig.now).unwrap();
    assert!(next > rig.now && next <= rig.now + Duration::from_millis(17));
    assert_eq!((rig.read(FRAME_COUNT) - first).div_euclid(60), 10);
}

#[test]
fn the_scan_line_runs_through_the_frame() {
    let mut rig = Rig::new("skl");
    rig.start();
    assert_eq!(rig.read(SCAN_LINE), 1124, "the first visible line, which the register shows one late");
    rig.now += Duration::from_micros(16_666 * 540 / 1125);
    assert!(rig.read(SCAN_LINE).abs_diff(539) <= 1);
    let count = rig.read(FRAME_COUNT);
    rig.write(SURFACE, 0x1000);
    rig.updated();
    rig.now += Duration::from_micros(16_666 * 545 / 1125);
    assert_eq!(rig.read(FRAME_COUNT), count + 1);
    assert!((1080..1090).contains(&rig.read(SCAN_LINE)));
}

#[test]
fn the_blank_waits_for_an_update_that_is_under_way() {
    let mut rig = Rig::new("skl");
    rig.start();
    // 150 us before the blank, about as close as i915 begins.
    rig.now += Duration::from_micros(16_666 * 1080 / 1125 - 150);
    let line = rig.read(SCAN_LINE);
    let count = rig.read(FRAME_COUNT);
    assert!((1060..1075).contains(&line));
    for i in 0..30 {
        rig.now += Duration::from_micros(1000);
        rig.write(if i < 29 { 0x70180 } else { SURFACE }, 0x1000);
        rig.gpu.display.tick(&rig.gpu, rig.now);
    }
    assert_eq!(rig.read(SCAN_LINE), 1078, "still just before the blank");
    assert_eq!(rig.read(FRAME_COUNT), count);
    let due = rig.gpu.display.tick(&rig.gpu, rig.now).unwrap();
    assert!(due <= rig.now + Duration::from_millis(1), "the update is over");
    rig.now = due;
    let next = rig.gpu.display.tick(&rig.gpu, rig.now).unwrap();
    assert_eq!(rig.read(FRAME_COUNT), count + 2, "frames that took too long are counted");
    assert!(next < rig.now + Duration::from_millis(17), "the next blank is on time again");
    // Whatever software does, the blank comes.
    for _ in 0..1000 {
        rig.now += Duration::from_micros(1000);
        rig.write(SURFACE, 0x1000);
    }
    assert!(rig.read(FRAME_COUNT) - count >= 30);
}

#[test]
fn a_flip_takes_effect_at_the_blank_and_says_so() {
    for (platform, bit) in [("skl", 1 << 3), ("bdw", 1 << 4)] {
        let mut rig = Rig::new(platform);
        rig.start();
        rig.acknowledge();
        rig.write(0x70180, ENABLE | 4 << 24);
        rig.write(SURFACE, 0x40_0000);
        rig.updated();
        rig.pass(Duration::from_millis(2));
        assert_eq!((rig.read(SURFACE_LIVE), rig.acknowledge()), (0, 0));
        rig.pass(Duration::from_millis(17));
        assert_eq!(rig.read(SURFACE_LIVE), 0x40_0000);
        assert_eq!(rig.acknowledge(), 1 | bit);
        assert_eq!(rig.read(0x70044), 1, "flips are counted");
        rig.write(0x70180, ENABLE | 4 << 24 | 1 << 9);
        rig.write(SURFACE, 0x50_0000);
        assert_eq!(rig.read(SURFACE_LIVE), 0x50_0000, "an asynchronous flip does not wait");
        assert_eq!(rig.acknowledge(), bit);
        rig.write(SURFACE_LIVE, 7);
        assert_eq!(rig.read(SURFACE_LIVE), 0x50_0000);
    }
}

#[test]
fn power_up_goes_as_i915_does_it() {
    let rig = Rig::new("skl");
    assert_ne!(rig.read(0x42000) & 1 << 27, 0, "fuses of power gate 0");
    for well in [29, 1] {
        rig.write(0x45404, rig.read(0x45404) | 1 << well);
        assert_ne!(rig.read(0x45404) & 1 << (well - 1), 0);
    }
    assert_ne!(rig.read(0x42000) & 1 << 26, 0, "fuses of power gate 1");
    rig.write(0x6c058, 1);
    rig.write(0x46010, ENABLE);
    assert_eq!(rig.read(0x46010), 3 << 30);
    rig.write(0x45008, ENABLE);
    assert_eq!(rig.read(0x45008), 3 << 30);
}

#[test]
fn the_default_monitor_answers_over_aux() {
    for platform in &PLATFORMS {
        let rig = Rig::new(platform.name);
        let edid = rig.edid();
        assert_eq!(edid[..8], [0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0]);
        assert_eq!(edid.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)), 0, "{}", platform.name);
        assert_eq!(rig.aux(&[0x90, 0, 0, 0]), Some(vec![0, 0x12]));
    }
}

#[test]
fn nothing_answers_on_the_other_ports() {
    let rig = Rig::new("skl");
    for port in [0, 2, 3] {
        let control = 0x64010 + 0x100 * port;
        rig.write(control + 4, 0x9000_0000);
        rig.write(control, ENABLE | 4 << 20);
        assert_eq!(rig.read(control) & (ENABLE | 1 << 28 | 1 << 25), 1 << 28);
    }
    assert_eq!(rig.read(0xc4000), 1 << 21, "only port B shows a monitor");
    assert_eq!(rig.read(0x64000) & 1, 0, "no embedded panel");
}

#[test]
fn link_training_succeeds() {
    let rig = Rig::new("bdw");
    let write = |address: u8, data: &[u8]| {
        let mut message = vec![0x80, 1, address, data.len() as u8 - 1];
        message.extend(data);
        assert_eq!(rig.aux(&message), Some(vec![0]));
    };
    write(0x00, &[0x0a, 0x84]);
    write(0x02, &[0x21, 0, 0, 0, 0]);
    assert_eq!(rig.aux(&[0x90, 2, 2, 5]), Some(vec![0, 0x11, 0x11, 0, 0, 0, 0]));
    write(0x02, &[0x22, 0, 0, 0, 0]);
    assert_eq!(rig.aux(&[0x90, 2, 2, 5]), Some(vec![0, 0x77, 0x77, 1, 1, 0, 0]));
    rig.write(0x64140, ENABLE | 2 << 8);
    assert_ne!(rig.read(0x64144) & 1 << 25, 0, "idle patterns sent");
    write(0x02, &[0]);
    rig.write(0x64140, ENABLE | 3 << 8);
}

#[test]
fn a_monitor_can_be_unplugged_and_plugged_again() {
    for (name, isr, bit) in [("skl", 0xc4000, 1 << 21), ("bdw", 0xc4000, 1 << 21), ("bxt", 0x44440, 1 << 4)] {
        let rig = Rig::new(name);
        rig.write(0xc4030, 1 << 4);
        rig.write(isr + 8, u32::MAX);
        assert_eq!(rig.read(isr) & bit, bit);
        rig.gpu.display.set_monitor(&rig.gpu, 1, false).unwrap();
        assert_eq!((rig.read(isr) & bit, rig.read(isr + 8)), (0, bit), "{name}");
        assert_eq!(rig.read(0xc4030) & 3, 2, "a long pulse");
        assert_eq!(rig.aux(&[0x90, 0, 0, 0]), None);
        rig.write(0xc4030, rig.read(0xc4030));
        rig.write(isr + 8, u32::MAX);
        rig.gpu.display.set_monitor(&rig.gpu, 1, true).unwrap();
        assert_eq!((rig.read(isr) & bit, rig.read(isr + 8)), (bit, bit));
        assert!(rig.aux(&[0x90, 0, 0, 0]).is_some());
        assert!(rig.gpu.display.report().connected[1]);
    }
    let rig = Rig::new("bxt");
    let error = rig.gpu.display.set_monitor(&rig.gpu, 3, true).unwrap_err();
    assert!(error.to_string().contains("no port 3"), "{error}");
}

#[test]
fn an_hdmi_monitor_answers_over_gmbus_only() {
    let rig = Rig::new("skl");
    rig.gpu.display.plug(&rig.gpu, 1, Monitor::new(Input::Hdmi, Mode::HD)).unwrap();
    assert_eq!(rig.aux(&[0x90, 0, 0, 0]), None);
    rig.write(0xc5100, 5);
    rig.write(0xc5104, 1 << 30 | 3 << 25 | 8 << 16 | 0x50 << 1 | 1);
    let mut data = Vec::new();
    for _ in 0..2 {
        assert_ne!(rig.read(0xc5108) & 1 << 11, 0);
        data.extend(rig.read(0xc510c).to_le_bytes());
    }
    assert_eq!(data, [0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0]);
    rig.write(0xc5104, 1 << 30 | 4 << 25);
    assert_eq!(rig.read(0xc5108) & 1 << 9, 0);
}

#[test]
fn a_reset_turns_everything_off_and_keeps_the_monitor() {
    let mut rig = Rig::new("skl");
    rig.start();
    rig.gpu.reset();
    assert_eq!(rig.gpu.display.tick(&rig.gpu, rig.now), None);
    rig.pass(Duration::from_millis(50));
    assert_eq!(rig.read(PIPE_A_IIR), 0);
    assert_eq!(rig.read(0xc4000), 1 << 21);
    assert_eq!(rig.edid().len(), 128);
}

#[test]
fn the_thread_wakes_for_a_pipe_that_starts() {
    let mut rig = Rig::new("skl");
    // Nobody reads a register of the pipe, so only the thread can have run the blank.
    let blanked = std::thread::scope(|scope| {
        scope.spawn(|| rig.gpu.display.run(&rig.gpu));
        rig.start();
        let end = Instant::now() + Duration::from_secs(20);
        while rig.gpu.irq.read(PIPE_A_IIR) & 1 == 0 && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
        rig.gpu.display.stop();
        rig.gpu.irq.read(PIPE_A_IIR) & 1 != 0
    });
    assert!(blanked);
    rig.now = Instant::now();
    assert!(rig.gpu.display.report().refresh[0].is_some());
}

/// Maps `pages` of RAM from bus address 0x10_0000 on at GGTT page 0x100.
fn map_surface(rig: &Rig, pages: u64) {
    rig.gpu.memory.map_anonymous(0x10_0000, (pages as usize) << 12).unwrap();
    // Backwards, so that a page that is not translated shows.
    for page in 0..pages {
        rig.gpu.bar0.set_pte(0x100 + page, (0x10_0000 + (pages - 1 - page) * 4096) | 1);
    }
}

/// Stores bytes at an offset of the surface.
fn poke(rig: &Rig, pages: u64, offset: u64, bytes: &[u8]) {
    let bus = 0x10_0000 + (pages - 1 - offset / 4096) * 4096 + offset % 4096;
    rig.gpu.memory.write(bus, bytes).unwrap();
}

#[test]
fn pictures_come_out_of_every_tiling() {
    // 256x64 pixels of four bytes: a pixel at (130, 37).
    let (x, y) = (130u64, 37u64);
    let linear = y * 1024 + x * 4;
    let tiled_x = (y / 8 * 2 + x * 4 / 512) * 4096 + y % 8 * 512 + x * 4 % 512;
    let tiled_y = (y / 32 * 8 + x * 4 / 128) * 4096 + x * 4 % 128 / 16 * 512 + y % 32 * 16 + x * 4 % 16;
    for (tiling, stride, offset) in [(0, 16, linear), (1, 2, tiled_x), (4, 8, tiled_y)] {
        let rig = Rig::new("skl");
        rig.start();
        rig.write(0x6001c, 255 << 16 | 63);
        map_surface(&rig, 16);
        poke(&rig, 16, offset, &[0x11, 0x22, 0x33, 0]);
        rig.write(0x70190, 63 << 16 | 255);
        rig.write(0x70188, stride);
        rig.write(0x70180, ENABLE | 4 << 24 | tiling << 10);
        rig.write(SURFACE, 0x10_0000);
        rig.gpu.display.tick(&rig.gpu, rig.now + Duration::from_millis(700));
        let image = rig.gpu.display.capture(&rig.gpu, 0).unwrap();
        assert_eq!((image.width, image.height), (256, 64));
        assert_eq!(image.pixel(130, 37), Some([0x33, 0x22, 0x11]), "tiling {tiling}");
        let lit =
            (0..64).flat_map(|y| (0..256).map(move |x| (x, y))).filter(|(x, y)| image.pixel(*x, *y) != Some([0; 3]));
        assert_eq!(lit.count(), 1);
    }
}

#[test]
fn the_cursor_is_blended_over_the_primary_plane() {
    let rig = Rig::new("bdw");
    rig.start();
    rig.write(0x6001c, 63 << 16 | 31);
    map_surface(&rig, 8);
    poke(&rig, 8, 3 * 256 + 4 * 4, &[100, 100, 100, 0]);
    // The cursor's third line and second column, half transparent.
    poke(&rig, 8, 4 * 4096 + 2 * 256 + 4, &[10, 20, 30, 128]);
    rig.write(0x70188, 256);
    rig.write(0x70180, ENABLE | 6 << 26);
    rig.write(SURFACE, 0x10_0000);
    rig.write(0x70080, 0x27);
    rig.write(0x70088, 1 << 16 | 3);
    rig.write(0x70084, 0x10_4000);
    rig.gpu.display.tick(&rig.gpu, rig.now + Duration::from_millis(700));
    let image = rig.gpu.display.capture(&rig.gpu, 0).unwrap();
    let rest = (100u32 * 127 / 255) as u8;
    assert_eq!(image.pixel(4, 3), Some([30 + rest, 20 + rest, 10 + rest]));
    assert!(rig.gpu.display.capture(&rig.gpu, 1).unwrap_err().to_string().contains("pipe 1 shows nothing"));
}

#[test]
fn no_register_value_makes_the_display_panic() {
    for platform in &PLATFORMS {
        let mut rig = Rig::new(platform.name);
        let claims: Vec<u32> = {
            let mut claims: Vec<_> = rig.gpu.display.claims().collect();
            claims.extend([
                0x60000, 0x6000c, 0x60010, 0x6001c, 0x60400, 0x60040, 0x60044, 0x6c058, 0x6c05c, 0xc5100, 0xc5120,
            ]);
            claims.sort_unstable();
            claims
        };
        // A linear congruential generator, so that a failure repeats.
        let mut seed = 0x2545_f491u64;
        let mut random = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as u32
        };
        for round in 0..12_000 {
            let offset = claims[random() as usize % claims.len()];
            let value = match random() % 4 {
                0 => 0,
                1 => u32::MAX,
                2 => 1 << (random() % 32),
                _ => random() << 1 ^ random(),
            };
            rig.write(offset, value);
            rig.read(claims[random() as usize % claims.len()]);
            if round % 16 == 0 {
                rig.now += Duration::from_micros(u64::from(random() % 100_000));
                rig.gpu.display.tick(&rig.gpu, rig.now);
            }
            if round % 3000 == 0 {
                let _maybe_nothing = rig.gpu.display.capture(&rig.gpu, (random() % 4) as usize);
                let _maybe_no_port = rig.gpu.display.set_monitor(&rig.gpu, (random() % 6) as usize, random() % 2 == 0);
            }
        }
    }
}
