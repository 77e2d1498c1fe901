// SPDX-License-Identifier: GPL-2.0

//! Boxes and vectors whose allocation can fail, and does when [`crate::testing`] says so.

use core::ops::{Deref, DerefMut};
use std::{boxed, vec};

use pin_init::Zeroable;

use crate::testing;

/// Flags of an allocation.
pub mod flags {
    /// Flags of an allocation; they mean nothing in user space.
    #[derive(Clone, Copy)]
    pub struct Flags(());

    /// An allocation that may sleep.
    pub const GFP_KERNEL: Flags = Flags(());

    /// The same, at the cost of whoever asks.
    pub const GFP_KERNEL_ACCOUNT: Flags = Flags(());
}

/// There is no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllocError;

/// There is no such element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoveError;

/// Why an element was not put in, and the element.
#[derive(Debug)]
pub enum InsertError<T> {
    /// There is no such place.
    IndexOutOfBounds(T),
    /// There is no room.
    OutOfCapacity(T),
}

/// One value on the heap.
#[derive(Debug)]
pub struct KBox<T> {
    value: boxed::Box<T>,
    /// Counts the allocation.
    _held: testing::Allocation,
}

impl<T> KBox<T> {
    /// Puts a value on the heap.
    ///
    /// # Errors
    ///
    /// There is no memory.
    pub fn new(value: T, _: flags::Flags) -> Result<Self, AllocError> {
        let held = testing::Allocation::new().ok_or(AllocError)?;
        Ok(Self { value: boxed::Box::new(value), _held: held })
    }
}

impl<T> Deref for KBox<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for KBox<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

/// A vector.
#[derive(Debug, Default)]
pub struct KVec<T> {
    elements: vec::Vec<T>,
    /// Counts the allocation, if there is one.
    held: Option<testing::Allocation>,
}

/// A vector that may be too big for the allocator of small things.
pub type KVVec<T> = KVec<T>;

impl<T> KVec<T> {
    /// An empty vector.
    pub const fn new() -> Self {
        Self { elements: vec::Vec::new(), held: None }
    }

    /// An empty vector with room for `capacity` elements.
    ///
    /// # Errors
    ///
    /// There is no memory.
    pub fn with_capacity(capacity: usize, flags: flags::Flags) -> Result<Self, AllocError> {
        let mut vector = Self::new();
        vector.reserve(capacity, flags)?;
        Ok(vector)
    }

    /// `count` elements that are 0.
    ///
    /// # Errors
    ///
    /// There is no memory.
    pub fn zeroed(count: usize, flags: flags::Flags) -> Result<Self, AllocError>
    where
        T: Zeroable,
    {
        let mut vector = Self::new();
        vector.reserve(count, flags)?;
        vector.elements.resize_with(count, T::zeroed);
        Ok(vector)
    }

    /// `count` copies of an element.
    ///
    /// # Errors
    ///
    /// There is no memory.
    pub fn from_elem(element: T, count: usize, flags: flags::Flags) -> Result<Self, AllocError>
    where
        T: Clone,
    {
        let mut vector = Self::new();
        vector.reserve(count, flags)?;
        vector.elements.resize(count, element);
        Ok(vector)
    }

    /// Appends an element if there is room.
    ///
    /// # Errors
    ///
    /// There is none, and the element comes back.
    pub fn push_within_capacity(&mut self, element: T) -> Result<(), T> {
        if self.elements.len() == self.elements.capacity() {
            return Err(element);
        }
        self.elements.push(element);
        Ok(())
    }

    /// Puts an element in front of the one at `index`, if there is room.
    ///
    /// # Errors
    ///
    /// There is none, or no such place, and the element comes back.
    pub fn insert_within_capacity(&mut self, index: usize, element: T) -> Result<(), InsertError<T>> {
        if index > self.elements.len() {
            return Err(InsertError::IndexOutOfBounds(element));
        }
        if self.elements.len() == self.elements.capacity() {
            return Err(InsertError::OutOfCapacity(element));
        }
        self.elements.insert(index, element);
        Ok(())
    }

    /// Appends an element.
    ///
    /// # Errors
    ///
    /// There is no memory.
    pub fn push(&mut self, element: T, flags: flags::Flags) -> Result<(), AllocError> {
        self.reserve(1, flags)?;
        self.elements.push(element);
        Ok(())
    }

    /// Appends copies of all elements of a slice.
    ///
    /// # Errors
    ///
    /// There is no memory.
    pub fn extend_from_slice(&mut self, other: &[T], flags: flags::Flags) -> Result<(), AllocError>
    where
        T: Clone,
    {
        self.reserve(other.len(), flags)?;
        self.elements.extend_from_slice(other);
        Ok(())
    }

    /// Drops all elements from number `length` on, if there are any.
    pub fn truncate(&mut self, length: usize) {
        self.elements.truncate(length);
    }

    /// Drops all elements.
    pub fn clear(&mut self) {
        self.elements.clear();
    }

    /// Takes the last element.
    pub fn pop(&mut self) -> Option<T> {
        self.elements.pop()
    }

    /// Takes an element out; those behind it move up.
    ///
    /// # Errors
    ///
    /// There are not so many.
    pub fn remove(&mut self, index: usize) -> Result<T, RemoveError> {
        if index < self.elements.len() {
            Ok(self.elements.remove(index))
        } else {
            Err(RemoveError)
        }
    }

    /// Keeps the elements that `wanted` is true for.
    pub fn retain(&mut self, wanted: impl FnMut(&mut T) -> bool) {
        self.elements.retain_mut(wanted);
    }

    /// Makes room for more elements.
    pub fn reserve(&mut self, additional: usize, _: flags::Flags) -> Result<(), AllocError> {
        if self.elements.capacity() - self.elements.len() >= additional {
            return Ok(());
        }
        let held = testing::Allocation::new().ok_or(AllocError)?;
        self.elements.try_reserve(additional).map_err(|_| AllocError)?;
        self.held = Some(held);
        Ok(())
    }
}

impl<T> Deref for KVec<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.elements
    }
}

impl<T> DerefMut for KVec<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.elements
    }
}
