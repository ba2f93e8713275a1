//! What does the store say? Searches, context, counts and following over one consistent snapshot.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use record::{Document, Position, Timestamp};

use crate::Predicate;
use crate::evaluate::Compiled;
use crate::manifest::ManifestError;

mod snapshot;

mod source;

mod search;

mod histogram;

mod context;

mod follow;

pub use follow::Cursor;

use snapshot::{FreshPart, Snapshot};

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
    /// Rows that statistics ruled out, in files that were opened.
    pub rows_pruned: u64,
    /// Damaged files or streams that were left out.
    pub files_damaged: u64,
}

/// Why a store can't be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file system refused.
    #[error("{action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// The manifest can't be understood.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A regular expression of the predicate can't be used.
    #[error("compile expression {pattern}")]
    Expression {
        /// The expression.
        pattern: String,
        /// What is wrong with it.
        source: regex::Error,
    },
    /// The store changed faster than it could be read.
    #[error("read {}: files kept vanishing", directory.display())]
    Restless {
        /// The store.
        directory: PathBuf,
    },
}

/// What is there, by the metadata alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Rows, sealed and fresh.
    pub rows: u64,
    /// Rows that are still in the fresh stream.
    pub rows_fresh: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// Sealed files.
    pub files: u64,
    /// The times of the oldest and the newest sealed row.
    pub range: Option<(Timestamp, Timestamp)>,
}

/// Counts per time and level.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// By the start of each bucket that has rows: the count of each level, in the order of [`record::Level::ALL`].
    pub buckets: BTreeMap<Timestamp, [u64; 7]>,
}

/// One consistent snapshot of a store, for any process, while a writer writes or none runs.
///
/// It is moved on by [`Reader::refresh`] and [`Reader::follow`], and by itself when a merge or retention has taken
/// files away from under it.
#[derive(Debug)]
pub struct Reader {
    dir: PathBuf,
    snapshot: Mutex<Arc<Snapshot>>,
    threads: NonZero<usize>,
}

// === impl Reader ===

impl Reader {
    /// Takes a snapshot. A directory without a store, or none at all, is an empty one.
    pub fn open(dir: &Path) -> Result<Self, ReadError> {
        let threads = std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
        let snapshot = Mutex::new(Arc::new(Snapshot::take(dir, None)?));
        Ok(Self {
            dir: dir.to_owned(),
            snapshot,
            threads,
        })
    }

    /// Searches with this many threads instead of one per core that the process may use.
    #[must_use]
    pub fn with_threads(mut self, threads: NonZero<usize>) -> Self {
        self.threads = threads;
        self
    }

    /// Moves on to what is there now.
    pub fn refresh(&mut self) -> Result<(), ReadError> {
        self.renew().map(|_| ())
    }

    /// What is there, by the metadata alone.
    pub fn extent(&self) -> Extent {
        self.current().extent()
    }

    /// Gives the wanted rows in ascending order of (time, stream, started, offset).
    ///
    /// With a limit, these are the newest, and memory is bounded by it. Without, the time is cut into slices that are
    /// searched one after another, so memory is bounded unless a great many rows have the same time.
    pub fn scan(
        &self,
        scan: &Scan,
        each: &mut dyn FnMut(Document) -> ControlFlow<()>,
    ) -> Result<Stats, ReadError> {
        search::scan(self, scan, each)
    }

    /// The last `rows` rows of a stream before a position, in exact order.
    pub fn before(
        &self,
        stream: &str,
        position: Position,
        rows: usize,
    ) -> Result<Vec<Document>, ReadError> {
        context::beside(self, stream, position, context::Side::Before, rows)
    }

    /// The first `rows` rows of a stream after a position, in exact order.
    pub fn after(
        &self,
        stream: &str,
        position: Position,
        rows: usize,
    ) -> Result<Vec<Document>, ReadError> {
        context::beside(self, stream, position, context::Side::After, rows)
    }

    /// Counts the wanted rows per bucket of time (aligned to the epoch) and level; the limit is not used.
    pub fn histogram(&self, scan: &Scan, bucket: Duration) -> Result<Histogram, ReadError> {
        histogram::histogram(self, scan, bucket)
    }

    /// Where following from this snapshot begins: after everything that is in it.
    pub fn end(&self) -> Cursor {
        Cursor::at_end(&self.current())
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
        follow::follow(self, cursor, scan, each)
    }

    /// The snapshot that is read now.
    fn current(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes a new snapshot.
    fn renew(&self) -> Result<Arc<Snapshot>, ReadError> {
        let old = self.current();
        let new = Arc::new(Snapshot::take(&self.dir, Some(&old))?);
        *self.snapshot.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&new);
        Ok(new)
    }

    /// Runs a read, anew on a new snapshot when files vanished from under it.
    fn steady<T>(
        &self,
        mut read: impl FnMut(&Snapshot) -> Result<T, Interrupted>,
    ) -> Result<T, ReadError> {
        const TRIES: usize = 20;
        let mut snapshot = self.current();
        for _ in 0..TRIES {
            match read(&snapshot) {
                Ok(done) => return Ok(done),
                Err(Interrupted::Failed(error)) => return Err(error),
                Err(Interrupted::Gone(path)) => {
                    let new = self.renew()?;
                    if new.names(&path) {
                        // It is not that it was replaced: someone took it away by hand.
                        tracing::warn!(path = %path.display(), "a sealed file is missing");
                        new.give_up(&path);
                    }
                    snapshot = new;
                }
            }
        }
        Err(ReadError::Restless {
            directory: self.dir.clone(),
        })
    }
}

/// Why a read did not come to its end.
#[derive(Debug)]
enum Interrupted {
    /// A file is not there any more.
    Gone(PathBuf),
    /// It can't.
    Failed(ReadError),
}

impl From<ReadError> for Interrupted {
    fn from(error: ReadError) -> Self {
        Self::Failed(error)
    }
}

// === impl Scan ===

impl Scan {
    /// The whole of what is asked, ready to run.
    fn compile(&self) -> Result<Compiled, ReadError> {
        let predicate = Compiled::new(&self.predicate)
            .map_err(|(pattern, source)| ReadError::Expression { pattern, source })?;
        let mut parts = Compiled::between(self.from, self.until);
        parts.push(predicate);
        Ok(Compiled::And(parts))
    }

    /// Whether rows of these times, first and last, may be wanted.
    fn overlaps(&self, times: (i64, i64)) -> bool {
        self.from.is_none_or(|from| times.1 >= from.0)
            && self.until.is_none_or(|until| times.0 < until.0)
    }
}
