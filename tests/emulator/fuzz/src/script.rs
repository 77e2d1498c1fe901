// SPDX-License-Identifier: GPL-2.0
//! The input is a script of register, aperture and configuration accesses, of page table entries, and of rings that are
//! submitted and executed; see `tests/device/script.rs` of the emulator.
#![no_main]

#[allow(dead_code, reason = "the tests of the emulator use more of it")]
#[path = "../../tests/device/mod.rs"]
mod device;
#[path = "../../tests/device/script.rs"]
mod script;

use std::cell::RefCell;
use std::sync::Arc;

use emulated_gpu::gpu::Gpu;
use emulated_gpu::server::Device;
use libfuzzer_sys::fuzz_target;
use vfio_user::ServerBackend;

thread_local! {
    static DEVICE: RefCell<(Arc<Gpu>, Device)> = RefCell::new({
        let gpu = device::new_gpu();
        (gpu.clone(), Device::new(gpu))
    });
}

fuzz_target!(|input: &[u8]| {
    DEVICE.with_borrow_mut(|(gpu, device)| {
        // Every input meets the same device, so that a failure shows again when its input is run alone.
        device.reset().expect("a reset cannot fail");
        gpu.memory.write(0, &[0; device::RAM_SIZE as usize]).expect("RAM is there");
        // A script itself sets entries below this; only an MI_UPDATE_GTT may leave one that the next input meets.
        for index in 0..script::GGTT_ENTRIES {
            if gpu.bar0.pte(index) != 0 {
                gpu.bar0.set_pte(index, 0);
            }
        }
        device::set_up(gpu);
        script::run(device, gpu, input);
    });
});
