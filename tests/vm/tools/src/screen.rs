// SPDX-License-Identifier: GPL-2.0
//! The screen of a virtual GPU as its VMM sees it: planes, and the dma-bufs that they are in.

use std::fs::File;
use std::io::BufWriter;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;

use anyhow::{bail, ensure, Context as _, Result};

use crate::mapping::Mapping;
use crate::tiling::Tiling;
use crate::vfio::{ioctl, Failure};

/// What `VFIO_DEVICE_QUERY_GFX_PLANE` can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `DRM_PLANE_TYPE_PRIMARY`.
    Primary = 1,
    /// `DRM_PLANE_TYPE_CURSOR`.
    Cursor = 2,
}

/// What it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plane {
    /// `DRM_FORMAT_*`.
    pub format: u32,
    /// `DRM_FORMAT_MOD_*`.
    pub modifier: u64,
    /// Pixels in a line.
    pub width: u32,
    /// Lines.
    pub height: u32,
    /// Bytes from line to line.
    pub stride: u32,
    /// Bytes in all.
    pub size: u32,
    /// Where on the screen it is.
    pub position: (i32, i32),
    /// The pixel of a cursor that points.
    pub hot_spot: (u32, u32),
    /// The number of its dma-buf.
    pub number: u32,
}

/// `VFIO_GFX_PLANE_TYPE_DMABUF`.
const DMABUF: u32 = 2;
const PLANE_SIZE: u32 = 64;

impl Plane {
    /// Asks a device; `None` if no such plane is lit.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn query(device: BorrowedFd<'_>, kind: u32) -> Result<Option<Plane>, Failure> {
        let mut structure = ioctl::dwords(&[PLANE_SIZE, DMABUF, kind]);
        structure.resize(PLANE_SIZE as usize, 0);
        ioctl::vfio(device, "DEVICE_QUERY_GFX_PLANE", &mut structure)?;
        let at = |index: usize| ioctl::u32_at(&structure, index * 4);
        if at(6) == 0 {
            return Ok(None);
        }
        Ok(Some(Plane {
            format: at(3),
            modifier: ioctl::u64_at(&structure, 16),
            width: at(6),
            height: at(7),
            stride: at(8),
            size: at(9),
            position: (at(10) as i32, at(11) as i32),
            hot_spot: (at(12), at(13)),
            number: at(14),
        }))
    }

    /// How it lies in memory.
    ///
    /// # Errors
    ///
    /// There is a modifier that this program does not know.
    pub fn tiling(&self) -> Result<Tiling> {
        Ok(match self.modifier {
            0 => Tiling::Linear,
            0x0100_0000_0000_0001 => Tiling::X,
            0x0100_0000_0000_0002 => Tiling::Y,
            other => bail!("no picture can be made of modifier {other:#x}"),
        })
    }

    /// Red, green and blue of all pixels, line by line, from the memory of the plane.
    ///
    /// # Errors
    ///
    /// The format is unknown, or the memory too small.
    pub fn pixels(&self, memory: &Mapping) -> Result<Vec<u8>> {
        let tiling = self.tiling()?;
        let format = self.format.to_le_bytes();
        let width = match &format {
            b"RG16" => 2,
            b"XR24" | b"AR24" | b"XB24" | b"AB24" | b"XR30" | b"XB30" => 4,
            _ => bail!("no picture can be made of format {}", String::from_utf8_lossy(&format)),
        };
        let mut pixels = Vec::with_capacity((self.width * self.height * 3) as usize);
        for y in 0..self.height {
            for x in 0..self.width {
                let place = tiling.offset(self.stride.into(), u64::from(x) * width, y.into());
                let raw = memory.read(place, width as usize)? as u32;
                pixels.extend(colours(&format, raw));
            }
        }
        Ok(pixels)
    }
}

/// Red, green and blue of a pixel.
fn colours(format: &[u8; 4], raw: u32) -> [u8; 3] {
    let bits = |first: u32, count: u32| (raw >> first) & ((1 << count) - 1);
    // The most that there can be is the most of a byte.
    let full = |value: u32, count: u32| (value * 255 / ((1 << count) - 1)) as u8;
    let (wide, reversed) = (&format[2..] == b"30", format[1] == b'B');
    let [blue, green, red] = match format {
        b"RG16" => [full(bits(0, 5), 5), full(bits(5, 6), 6), full(bits(11, 5), 5)],
        _ if wide => [0, 10, 20].map(|first| full(bits(first, 10), 10)),
        _ => [0, 8, 16].map(|first| bits(first, 8) as u8),
    };
    if reversed {
        [blue, green, red]
    } else {
        [red, green, blue]
    }
}

/// A descriptor of the dma-buf with this number.
///
/// # Errors
///
/// The kernel's refusal.
pub fn dmabuf(device: BorrowedFd<'_>, number: u32) -> Result<OwnedFd, Failure> {
    let descriptor = ioctl::vfio(device, "DEVICE_GET_GFX_DMABUF", &mut ioctl::dwords(&[number]))?;
    // SAFETY: The kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Maps all of a dma-buf, and tells its size.
///
/// # Errors
///
/// The kernel's refusal.
pub fn map(buffer: &OwnedFd) -> Result<(Mapping, u64), Failure> {
    let size = rustix::fs::seek(buffer, rustix::fs::SeekFrom::End(0))?;
    Ok((Mapping::new(buffer.as_fd(), 0, size, false)?, size))
}

/// The picture that modetest calls SMPTE, with which television sets were adjusted: the colour of a pixel.
pub fn smpte(width: u32, height: u32, x: u32, y: u32) -> [u8; 3] {
    const GREY: [u8; 3] = [192, 192, 192];
    const YELLOW: [u8; 3] = [192, 192, 0];
    const CYAN: [u8; 3] = [0, 192, 192];
    const GREEN: [u8; 3] = [0, 192, 0];
    const MAGENTA: [u8; 3] = [192, 0, 192];
    const RED: [u8; 3] = [192, 0, 0];
    const BLUE: [u8; 3] = [0, 0, 192];
    const BLACK: [u8; 3] = [19, 19, 19];
    const TOP: [[u8; 3]; 7] = [GREY, YELLOW, CYAN, GREEN, MAGENTA, RED, BLUE];
    const MIDDLE: [[u8; 3]; 7] = [BLUE, BLACK, MAGENTA, BLACK, CYAN, BLACK, GREY];
    const BOTTOM: [[u8; 3]; 8] =
        [[0, 33, 76], [255, 255, 255], [50, 0, 106], BLACK, [9, 9, 9], BLACK, [29, 29, 29], BLACK];
    if y < height * 6 / 9 {
        TOP[(x * 7 / width) as usize]
    } else if y < height * 7 / 9 {
        MIDDLE[(x * 7 / width) as usize]
    } else if x < width * 5 / 7 {
        BOTTOM[(x * 4 / (width * 5 / 7)) as usize]
    } else if x < width * 6 / 7 {
        BOTTOM[((x - width * 5 / 7) * 3 / (width / 7) + 4) as usize]
    } else {
        BOTTOM[7]
    }
}

/// All of that picture: red, green and blue, line by line.
pub fn smpte_picture(width: u32, height: u32) -> Vec<u8> {
    let lines = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    lines.flat_map(|(x, y)| smpte(width, height, x, y)).collect()
}

/// Where two pictures of this width differ first, and in how many pixels.
pub fn difference(width: u32, found: &[u8], wanted: &[u8]) -> Option<String> {
    let pixels = || found.chunks(3).zip(wanted.chunks(3));
    let count = pixels().filter(|(found, wanted)| found != wanted).count();
    let first = pixels().position(|(found, wanted)| found != wanted)?;
    let (x, y) = (first % width as usize, first / width as usize);
    let (found, wanted) = pixels().nth(first)?;
    Some(format!("{count} pixels differ; the first is ({x}, {y}), {found:?} instead of {wanted:?}"))
}

/// Writes a picture of red, green and blue.
///
/// # Errors
///
/// The file cannot be written.
pub fn write_png(path: &Path, width: u32, height: u32, pixels: &[u8]) -> Result<()> {
    let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    let mut encoder = png::Encoder::new(BufWriter::new(file), width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    ensure!(pixels.len() == (width * height * 3) as usize, "the picture has not {width}x{height} pixels");
    encoder.write_header()?.write_image_data(pixels)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_have_their_order() {
        for (format, raw, colour) in [
            (b"XR24", 0xff11_2233, [0x11, 0x22, 0x33]),
            (b"XB24", 0xff11_2233, [0x33, 0x22, 0x11]),
            (b"AR24", 0x0011_2233, [0x11, 0x22, 0x33]),
            (b"RG16", 0xf800, [255, 0, 0]),
            (b"RG16", 0x07e0, [0, 255, 0]),
            (b"XR30", 0x3ff0_0000, [255, 0, 0]),
            (b"XB30", 0x3ff0_0000, [0, 0, 255]),
            (b"XR30", 0x0000_0200, [0, 0, 127]),
        ] {
            assert_eq!(colours(format, raw), colour, "{}", String::from_utf8_lossy(format));
        }
    }

    #[test]
    fn the_test_picture_has_its_bars() {
        let at = |x, y| smpte(1024, 768, x, y);
        assert_eq!((at(0, 0), at(1023, 511)), ([192, 192, 192], [0, 0, 192]));
        assert_eq!((at(0, 512), at(1023, 596)), ([0, 0, 192], [192, 192, 192]));
        assert_eq!((at(0, 767), at(730, 767), at(1023, 767)), ([0, 33, 76], [19, 19, 19], [19, 19, 19]));
        let picture = smpte_picture(64, 32);
        assert_eq!(picture.len(), 64 * 32 * 3);
        assert_eq!(difference(64, &picture, &picture), None);
        let mut other = picture.clone();
        other[64 * 3 + 3] ^= 1;
        assert!(
            difference(64, &other, &picture).is_some_and(|text| text.contains("1 pixels") && text.contains("(1, 1)"))
        );
    }
}
