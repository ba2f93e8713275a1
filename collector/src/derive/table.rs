//! Which series has these label values? A table that grows to a limit and then says no, counted.

use std::collections::HashMap;

/// Rows by key; made only while there is room.
#[derive(Debug)]
pub(super) struct Table<V> {
    places: HashMap<Box<[u8]>, usize>,
    rows: Vec<(Box<[u8]>, V)>,
}

// === impl Table ===

impl<V> Table<V> {
    pub(super) fn new() -> Self {
        Self {
            places: HashMap::new(),
            rows: Vec::new(),
        }
    }

    /// The row of a key, made by `new` while `may_grow`. Allocates only for a new row.
    pub(super) fn row(
        &mut self,
        key: &[u8],
        may_grow: bool,
        new: impl FnOnce() -> V,
    ) -> Option<&mut V> {
        let place = match self.places.get(key) {
            Some(place) => *place,
            None if may_grow => {
                self.places.insert(key.into(), self.rows.len());
                self.rows.push((key.into(), new()));
                self.rows.len() - 1
            }
            None => return None,
        };
        self.rows.get_mut(place).map(|(_, row)| row)
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &V)> {
        self.rows.iter().map(|(key, row)| (&**key, row))
    }

    /// Removes the rows that are not to be kept.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&[u8], &mut V) -> bool) {
        let before = self.rows.len();
        self.rows.retain_mut(|(key, row)| keep(key, row));
        if self.rows.len() != before {
            self.places.clear();
            let keys = self.rows.iter().enumerate();
            self.places
                .extend(keys.map(|(place, (key, _))| (key.clone(), place)));
        }
    }
}
