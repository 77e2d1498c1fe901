// SPDX-License-Identifier: GPL-2.0

//! An ordered map; insertion fails when [`crate::testing`] says so.

use std::collections::BTreeMap;

use crate::alloc::{flags, AllocError};
use crate::testing;

/// An ordered map.
#[derive(Debug)]
pub struct RBTree<K, V> {
    entries: BTreeMap<K, (V, testing::Allocation)>,
}

impl<K: Ord, V> RBTree<K, V> {
    /// The empty map.
    pub fn new() -> Self {
        Self { entries: BTreeMap::new() }
    }

    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|(value, _)| value)
    }

    /// The value of a key, to be changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key).map(|(value, _)| value)
    }

    /// All values, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.entries.values_mut().map(|(value, _)| value)
    }

    /// The first key that is not below this one.
    pub fn cursor_lower_bound(&self, key: &K) -> Option<Cursor<'_, K, V>> {
        let (key, (value, _)) = self.entries.range(key..).next()?;
        Some(Cursor { key, value })
    }

    /// Puts a value in, and returns the one that was there.
    ///
    /// # Errors
    ///
    /// There is no memory.
    pub fn try_create_and_insert(&mut self, key: K, value: V, _: flags::Flags) -> Result<Option<(K, V)>, AllocError> {
        let held = testing::Allocation::new().ok_or(AllocError)?;
        let old = self.entries.remove_entry(&key);
        self.entries.insert(key, (value, held));
        Ok(old.map(|(key, (value, _))| (key, value)))
    }

    /// Takes a value out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.entries.remove(key).map(|(value, _)| value)
    }
}

/// A place in the map.
#[derive(Debug)]
pub struct Cursor<'a, K, V> {
    key: &'a K,
    value: &'a V,
}

impl<K, V> Cursor<'_, K, V> {
    /// What is there.
    pub fn current(&self) -> (&K, &V) {
        (self.key, self.value)
    }
}

impl<K: Ord, V> Default for RBTree<K, V> {
    fn default() -> Self {
        Self::new()
    }
}
