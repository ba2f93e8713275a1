//! What did the writer do? Counts for the log and for metrics.

use record::Timestamp;

/// What opening found and mended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Rows in the fresh streams.
    pub rows_fresh: u64,
    /// Bytes of torn appends that were cut.
    pub bytes_cut: u64,
    /// Fresh streams that are not in this program's form, set aside as `*.damaged` for whoever can read them.
    pub streams_set_aside: u64,
    /// Files that a broken-off seal, merge or removal had left, removed.
    pub files_removed: u64,
}

/// What one round of maintenance did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maintained {
    /// Rows sealed since the last round.
    pub rows_sealed: u64,
    /// Files that merging put into fewer ones.
    pub files_merged: u64,
    /// Rows that retention removed.
    pub rows_removed: u64,
    /// Bytes on disk that retention removed.
    pub bytes_removed: u64,
    /// The times of the oldest and the newest row that retention removed.
    pub removed_range: Option<(Timestamp, Timestamp)>,
    /// Whether work is still under way in the background.
    pub busy: bool,
}

// === impl Maintained ===

impl Maintained {
    /// Adds what another round did.
    pub fn add(&mut self, other: &Self) {
        self.rows_sealed += other.rows_sealed;
        self.files_merged += other.files_merged;
        self.rows_removed += other.rows_removed;
        self.bytes_removed += other.bytes_removed;
        self.removed_range = match (self.removed_range, other.removed_range) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
        self.busy = other.busy;
    }
}
