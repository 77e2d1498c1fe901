// SPDX-License-Identifier: GPL-2.0

//! The image of a context of the host's, as plain memory.

use gvt_model::ports::ContextImage;

/// Words in a page.
const PAGE_WORDS: usize = 1024;

/// The words of an image from its state page on.
pub struct Image(pub Vec<u32>);

impl ContextImage for Image {
    fn read_words(&self, first: usize, words: &mut [u32]) {
        for (to, from) in words.iter_mut().zip(self.0.iter().skip(first).chain(std::iter::repeat(&0))) {
            *to = *from;
        }
    }

    fn write_words(&mut self, first: usize, words: &[u32]) {
        for (to, from) in self.0.iter_mut().skip(first).zip(words) {
            *to = *from;
        }
    }

    fn put_workarounds(&mut self, words: &[u32]) -> u32 {
        assert!(words.len() <= PAGE_WORDS);
        0xf000
    }
}
