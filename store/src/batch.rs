//! Which rows go in together? Columns that grow by one row at a push, with no heap object per row.

use record::Record;

/// Rows on their way into a [`crate::Writer`].
#[derive(Debug, Default)]
pub struct Batch {}

// === impl Batch ===

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a row.
    pub fn push(&mut self, record: &Record<'_>) {
        let _ = record;
    }

    /// How many rows it has.
    pub fn rows(&self) -> usize {
        0
    }

    /// About how many bytes it takes in memory.
    pub fn bytes(&self) -> usize {
        0
    }
}
