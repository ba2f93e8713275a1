//! How is a store kept? Sizes and ages.

use std::time::Duration;

/// How a store is kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// Fresh rows are sealed when their stream has this many bytes. Default: 16 MiB.
    ///
    /// Sealing takes about twice this in memory, and whoever searches reads as much of fresh rows; smaller row groups
    /// have more overhead.
    pub seal_bytes: u64,
    /// Fresh rows are sealed when the first of them was appended this long ago. Default: 10 min.
    pub seal_age: Duration,
    /// Sealed files are merged up to about this size. Default: 64 MiB.
    ///
    /// Also the grain of retention, so it is never more than a sixteenth of [`Options::retention_bytes`].
    pub merge_bytes: u64,
    /// The oldest sealed files are removed while the store has more bytes than this. Default: no limit.
    pub retention_bytes: Option<u64>,
    /// Sealed files are removed when their newest row is older than this. Default: no limit.
    pub retention_age: Option<Duration>,
}

// === impl Options ===

impl Default for Options {
    fn default() -> Self {
        Self {
            seal_bytes: 16 << 20,
            seal_age: Duration::from_mins(10),
            merge_bytes: 64 << 20,
            retention_bytes: None,
            retention_age: None,
        }
    }
}
