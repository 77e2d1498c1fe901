// SPDX-License-Identifier: GPL-2.0
//! Requests about monitors and pictures.

use std::path::Path;

use serde::Deserialize;
use serde_json::{json, Value};

use crate::display::{edid, Monitor};
use crate::gpu::Gpu;

/// Kinds of monitors.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Input {
    /// DisplayPort.
    Dp,
    /// HDMI.
    Hdmi,
}

/// Modes of monitors.
#[derive(Clone, Copy, Debug, Deserialize)]
pub enum Mode {
    /// 1920x1080 at 60 Hz.
    #[serde(rename = "1080p")]
    FullHd,
    /// 1280x720 at 60 Hz.
    #[serde(rename = "720p")]
    Hd,
}

/// Number of a port or pipe that a letter names.
fn number(letter: char) -> Result<usize, String> {
    match letter.to_ascii_uppercase() {
        letter @ 'A'..='Z' => Ok(letter as usize - 'A' as usize),
        other => Err(format!("{other:?} names nothing; give a letter from A on")),
    }
}

/// Connects or disconnects a monitor, a new one where its kind or mode is given.
pub fn monitor(gpu: &Gpu, port: char, connected: bool, input: Option<Input>, mode: Option<Mode>) -> Result<(), String> {
    let port = number(port)?;
    let done = if connected && (input.is_some() || mode.is_some()) {
        let input = match input {
            Some(Input::Hdmi) => edid::Input::Hdmi,
            Some(Input::Dp) | None => edid::Input::DisplayPort,
        };
        let mode = match mode {
            Some(Mode::Hd) => edid::Mode::HD,
            Some(Mode::FullHd) | None => edid::Mode::FULL_HD,
        };
        gpu.display.plug(gpu, port, Monitor::new(input, mode))
    } else {
        gpu.display.set_monitor(gpu, port, connected)
    };
    done.map_err(|error| format!("{error:#}"))
}

/// Writes what a pipe shows to a file.
pub fn picture(gpu: &Gpu, pipe: char, folder: Option<&Path>, name: &str) -> Result<Value, String> {
    let folder = folder.ok_or("there is no folder for pictures; start the emulator with --pictures")?;
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return Err(format!("{name:?} is no name for a picture; use letters, digits and hyphens"));
    }
    let path = folder.join(name).with_extension("png");
    let draw = || -> anyhow::Result<Value> {
        let image = gpu.display.capture(gpu, number(pipe).map_err(anyhow::Error::msg)?)?;
        image.write_png(&path)?;
        Ok(json!({ "path": path, "width": image.width, "height": image.height }))
    };
    draw().map_err(|error| format!("{error:#}"))
}
