// SPDX-License-Identifier: GPL-2.0

//! Structures of little-endian 32-bit words in user space, as the ioctls of VFIO have them.

use kernel::{
    prelude::*,
    uaccess::{
        UserPtr,
        UserSlice, //
    },
};

/// A structure of `N` words, copied once. The first one says how long the user believes it to be.
pub(crate) struct Words<const N: usize> {
    place: UserPtr,
    pub(crate) words: [u32; N],
}

impl<const N: usize> Words<N> {
    /// Its size in bytes.
    pub(crate) const SIZE: usize = N * size_of::<u32>();

    /// Copies it in, whatever its first word says.
    ///
    /// # Errors
    ///
    /// `EFAULT` if it is not there.
    pub(crate) fn read(place: UserPtr) -> Result<Self> {
        let words = UserSlice::new(place, Self::SIZE).reader().read()?;
        Ok(Self { place, words })
    }

    /// Copies it in.
    ///
    /// # Errors
    ///
    /// `EFAULT` if it is not there; `EINVAL` if its first word says that it is shorter.
    pub(crate) fn read_sized(place: UserPtr) -> Result<Self> {
        let this = Self::read(place)?;
        let [argsz, ..] = this.words.as_slice() else {
            return Err(EINVAL);
        };
        if usize::try_from(*argsz)? < Self::SIZE {
            return Err(EINVAL);
        }
        Ok(this)
    }

    /// Copies it out.
    ///
    /// # Errors
    ///
    /// `EFAULT` if the place cannot be written.
    pub(crate) fn write(&self) -> Result {
        UserSlice::new(self.place, Self::SIZE)
            .writer()
            .write(&self.words)
    }

    /// The first bytes of what follows the words.
    ///
    /// # Errors
    ///
    /// `EFAULT` if they are not there.
    pub(crate) fn payload(&self, data: &mut [u8]) -> Result {
        let place = self.place.wrapping_byte_add(Self::SIZE);
        UserSlice::new(place, data.len()).reader().read_slice(data)
    }
}
