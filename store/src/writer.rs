//! How do rows get in? One writer per directory: append, sync, seal, merge, retain.

use std::path::Path;
use std::time::Duration;

use record::Timestamp;

use crate::Batch;
use crate::reader::ReadError;

/// How a store is kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// Fresh rows are sealed when their stream has this many bytes. Bounds the memory of sealing to about twice this.
    pub seal_bytes: u64,
    /// Fresh rows are sealed when the first of them was appended this long ago.
    pub seal_age: Duration,
    /// The oldest sealed files are removed while the store has more bytes than this.
    pub retention_bytes: Option<u64>,
    /// Sealed files are removed when their newest row is older than this.
    pub retention_age: Option<Duration>,
}

/// Why a store can't be opened for writing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process writes to it.
    #[error("lock {directory}: process {pid} writes to it")]
    Busy {
        /// The store's directory.
        directory: String,
        /// Who has the lock; 0 when it can't be told.
        pid: u32,
    },
}

/// Why rows can't be written. Nothing of the failed call is visible; it may be repeated for ever.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The file system refused.
    #[error("{action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: String,
        /// What it said.
        source: std::io::Error,
    },
}

/// What opening found and mended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Rows in the fresh streams.
    pub rows_fresh: u64,
    /// Bytes of torn appends that were cut.
    pub bytes_cut: u64,
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

/// The one that writes to a directory.
#[derive(Debug)]
pub struct Writer {}

// === impl Writer ===

impl Writer {
    /// Takes the directory, and mends what a crash left.
    pub fn open(dir: &Path, options: Options, now: Timestamp) -> Result<Self, OpenError> {
        let _ = (dir, options, now);
        Ok(Self {})
    }

    /// What opening found and mended.
    pub fn recovered(&self) -> Recovered {
        Recovered::default()
    }

    /// Makes rows visible to readers and empties the batch; durable only after [`Writer::sync`].
    pub fn append(&mut self, batch: &mut Batch) -> Result<(), WriteError> {
        let _ = batch;
        Ok(())
    }

    /// Makes durable what was appended.
    pub fn sync(&mut self) -> Result<(), WriteError> {
        Ok(())
    }

    /// Seals, merges and removes what is due, in the background where it takes time. Call about once a second.
    pub fn maintain(&mut self, now: Timestamp) -> Result<Maintained, WriteError> {
        let _ = now;
        Ok(Maintained::default())
    }

    /// Maintains until nothing is due; with `seal_all` also seals what is neither large nor old.
    pub fn settle(&mut self, now: Timestamp, seal_all: bool) -> Result<Maintained, WriteError> {
        let _ = (now, seal_all);
        Ok(Maintained::default())
    }

    /// The (offset, end) of the rows that are already there of the file of `stream` that began at `started`, with an
    /// offset of at least `from`; sorted, each once. `end` is in another file where the row goes over a rotation.
    pub fn stored_from(
        &mut self,
        stream: &str,
        started: i64,
        from: u64,
    ) -> Result<Vec<(u64, u64)>, ReadError> {
        let _ = (stream, started, from);
        Ok(Vec::new())
    }
}

// === impl Options ===

impl Default for Options {
    fn default() -> Self {
        Self {
            seal_bytes: 32 << 20,
            seal_age: Duration::from_mins(10),
            retention_bytes: None,
            retention_age: None,
        }
    }
}
