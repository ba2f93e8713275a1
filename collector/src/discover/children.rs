//! Which directories are in a directory? A sorted list: most have one or two, and thousands of them are known.

use super::tree::Key;

/// The directories in one, by name.
#[derive(Debug, Default)]
pub(super) struct Children(Vec<(Box<str>, Key)>);

// === impl Children ===

impl Children {
    pub(super) fn get(&self, name: &str) -> Option<Key> {
        self.0.get(self.place(name).ok()?).map(|(_, key)| *key)
    }

    pub(super) fn insert(&mut self, name: &str, key: Key) {
        match self.place(name) {
            Ok(at) => self.0.splice(at..=at, [(name.into(), key)]).for_each(drop),
            Err(at) => self.0.insert(at, (name.into(), key)),
        }
    }

    pub(super) fn remove(&mut self, name: &str) {
        if let Ok(at) = self.place(name) {
            self.0.remove(at);
        }
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = Key> {
        self.0.iter().map(|(_, key)| *key)
    }

    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(own, _)| (**own).cmp(name))
    }
}
