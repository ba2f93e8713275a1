//! What does the store say? Searches, context, counts and following over one consistent snapshot.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use record::{Document, Position, Timestamp};

use crate::Predicate;

/// What to look for.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    /// Which rows are wanted.
    pub predicate: Predicate,
    /// The first time that is wanted.
    pub from: Option<Timestamp>,
    /// The first time that is too late.
    pub until: Option<Timestamp>,
    /// At most this many rows: the newest by (time, stream, started, offset).
    pub limit: Option<usize>,
}

/// What a scan had to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Rows that were wanted and given.
    pub rows_matched: u64,
    /// Rows that were looked at.
    pub rows_scanned: u64,
    /// Rows that statistics ruled out.
    pub rows_pruned: u64,
    /// Damaged files or streams that were left out.
    pub files_damaged: u64,
}

/// Why a store can't be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
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
    /// A regular expression of the predicate can't be used.
    #[error("compile expression {pattern}")]
    Expression {
        /// The expression.
        pattern: String,
        /// What is wrong with it.
        source: regex::Error,
    },
}

/// What is there, by the metadata alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Rows, sealed and fresh.
    pub rows: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// The times of the oldest and the newest row.
    pub range: Option<(Timestamp, Timestamp)>,
}

/// Counts per time and level.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// By the start of each bucket that has rows: the count of each level, in the order of [`record::Level::ALL`].
    pub buckets: BTreeMap<Timestamp, [u64; 7]>,
}

/// How far someone has followed the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {}

/// One consistent snapshot of a store, for any process, while a writer writes or none runs.
#[derive(Debug)]
pub struct Reader {}

// === impl Reader ===

impl Reader {
    /// Takes a snapshot. A directory without a store is an empty one.
    pub fn open(dir: &Path) -> Result<Self, ReadError> {
        let _ = dir;
        Ok(Self {})
    }

    /// Moves on to what is there now.
    pub fn refresh(&mut self) -> Result<(), ReadError> {
        Ok(())
    }

    /// What is there, by the metadata alone.
    pub fn extent(&self) -> Extent {
        Extent::default()
    }

    /// Gives the wanted rows in ascending order of (time, stream, started, offset).
    ///
    /// With a limit, these are the newest. Without, memory is bounded by time slices, not by the number of rows.
    pub fn scan(
        &self,
        scan: &Scan,
        each: &mut dyn FnMut(Document) -> ControlFlow<()>,
    ) -> Result<Stats, ReadError> {
        let _ = (scan, each);
        Ok(Stats::default())
    }

    /// The last `rows` rows of a stream before a position, in exact order.
    pub fn before(
        &self,
        stream: &str,
        position: Position,
        rows: usize,
    ) -> Result<Vec<Document>, ReadError> {
        let _ = (stream, position, rows);
        Ok(Vec::new())
    }

    /// The first `rows` rows of a stream after a position, in exact order.
    pub fn after(
        &self,
        stream: &str,
        position: Position,
        rows: usize,
    ) -> Result<Vec<Document>, ReadError> {
        let _ = (stream, position, rows);
        Ok(Vec::new())
    }

    /// Counts the wanted rows per bucket of time (aligned to the epoch) and level; the limit is not used.
    pub fn histogram(&self, scan: &Scan, bucket: Duration) -> Result<Histogram, ReadError> {
        let _ = (scan, bucket);
        Ok(Histogram::default())
    }

    /// Where following from this snapshot begins: after everything that is in it.
    pub fn end(&self) -> Cursor {
        Cursor::default()
    }

    /// Refreshes, and gives the wanted rows that were appended since the cursor, each once, in the order of appending.
    ///
    /// The limit is not used. When `each` breaks, the cursor stays behind that row.
    pub fn follow(
        &mut self,
        cursor: &mut Cursor,
        scan: &Scan,
        each: &mut dyn FnMut(Document) -> ControlFlow<()>,
    ) -> Result<Stats, ReadError> {
        let _ = (cursor, scan, each);
        Ok(Stats::default())
    }
}
