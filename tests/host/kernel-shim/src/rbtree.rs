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

impl<K: Ord, V> Default for RBTree<K, V> {
    fn default() -> Self {
        Self::new()
    }
}
