// SPDX-License-Identifier: GPL-2.0
//! A picture in memory, and as a PNG file.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use anyhow::{Context, Result};

/// A picture of three bytes per pixel: red, green, blue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Pixels per line.
    pub width: u32,
    /// Lines.
    pub height: u32,
    pixels: Vec<u8>,
}

impl Image {
    /// A black picture.
    pub fn black(width: u32, height: u32) -> Self {
        Self { width, height, pixels: vec![0; width as usize * height as usize * 3] }
    }

    fn index(&self, x: u32, y: u32) -> Option<usize> {
        (x < self.width && y < self.height).then(|| (y as usize * self.width as usize + x as usize) * 3)
    }

    /// The three bytes of a pixel, where there is one.
    pub fn pixel_mut(&mut self, x: u32, y: u32) -> Option<&mut [u8]> {
        let index = self.index(x, y)?;
        self.pixels.get_mut(index..index + 3)
    }

    /// Red, green and blue of a pixel, where there is one.
    pub fn pixel(&self, x: u32, y: u32) -> Option<[u8; 3]> {
        let index = self.index(x, y)?;
        self.pixels.get(index..index + 3)?.try_into().ok()
    }

    /// Writes the picture to a PNG file.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn write_png(&self, path: &Path) -> Result<()> {
        let write = || -> Result<()> {
            let mut encoder = png::Encoder::new(BufWriter::new(File::create(path)?), self.width, self.height);
            encoder.set_color(png::ColorType::Rgb);
            encoder.set_depth(png::BitDepth::Eight);
            let mut writer = encoder.write_header()?;
            writer.write_image_data(&self.pixels)?;
            writer.finish()?;
            Ok(())
        };
        write().with_context(|| format!("writing the picture {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_picture_reads_back() {
        let mut image = Image::black(5, 3);
        image.pixel_mut(4, 2).unwrap().copy_from_slice(&[1, 2, 3]);
        assert_eq!(image.pixel(4, 2), Some([1, 2, 3]));
        assert_eq!((image.pixel(5, 0), image.pixel(0, 3)), (None, None));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("picture.png");
        image.write_png(&path).unwrap();
        let mut reader = png::Decoder::new(File::open(&path).unwrap()).read_info().unwrap();
        let mut data = vec![0; reader.output_buffer_size()];
        let info = reader.next_frame(&mut data).unwrap();
        assert_eq!((info.width, info.height, data), (5, 3, image.pixels.clone()));
        let error = image.write_png(&folder.path().join("no/such/folder.png")).unwrap_err();
        assert!(format!("{error:#}").contains("folder.png"), "{error:#}");
    }
}
