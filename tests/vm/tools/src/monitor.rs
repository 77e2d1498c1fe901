// SPDX-License-Identifier: GPL-2.0
//! The monitor of a device.

use anyhow::{bail, Context as _, Result};
use drm::control::{connector, Device, Mode, ModeTypeFlags};

/// The first connector with a monitor, and the monitor's preferred mode.
///
/// # Errors
///
/// The device has no display, no monitor, or does not answer.
pub fn monitor(card: &impl Device) -> Result<(connector::Handle, Mode)> {
    let resources = card.resource_handles().context("the device has no display")?;
    for handle in resources.connectors() {
        let connector = card.get_connector(*handle, true).context("a connector does not answer")?;
        if connector.state() == connector::State::Connected {
            let modes = connector.modes();
            let preferred = modes.iter().find(|mode| mode.mode_type().contains(ModeTypeFlags::PREFERRED));
            let mode = preferred.or(modes.first()).context("the monitor has no modes")?;
            return Ok((*handle, *mode));
        }
    }
    bail!("no monitor is connected")
}
