//! How do rows get in? One writer per directory: append, sync, seal, merge, retain.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use record::Timestamp;

use crate::Batch;
use crate::fresh::{self, Fresh, Rescued};
use crate::manifest::{Manifest, ManifestError};
use crate::reader::ReadError;
use crate::seal::SealError;

mod options;

mod report;

mod lock;

mod open;

mod work;

mod merging;

mod retention;

mod positions;

#[cfg(test)]
mod tests;

pub use options::Options;
pub use report::{Maintained, Recovered};

use lock::Lock;
use positions::Positions;
use work::{Work, Worker};

/// Why a store can't be opened for writing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process writes to it.
    #[error("lock {}: process {pid} writes to it", directory.display())]
    Busy {
        /// The store's directory.
        directory: PathBuf,
        /// Who has the lock; 0 when it can't be told.
        pid: u32,
    },
    /// The file system refused.
    #[error("{action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// The manifest can't be understood, and a sealed file neither.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

/// Why rows can't be written. Nothing of the failed call is visible; it may be repeated for ever.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The file system refused.
    #[error("{action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// What was appended since the last successful [`Writer::sync`] is neither durable nor readable any more: read
    /// those lines again.
    #[error("sync {}: rows appended since the last sync are lost", path.display())]
    Lost {
        /// The fresh stream.
        path: PathBuf,
        /// What the disk said.
        source: io::Error,
    },
    /// Fresh rows can't be sealed now; they stay fresh, and it is tried again later.
    #[error("seal fresh rows")]
    Seal(#[source] SealError),
    /// The manifest can't be replaced.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

/// The one that writes to a directory.
#[derive(Debug)]
pub struct Writer {
    dir: PathBuf,
    options: Options,
    manifest: Manifest,
    /// The stream that is written to, when there is one.
    fresh: Option<Fresh>,
    next_fresh: u64,
    /// Streams that wait to be sealed, oldest first.
    closed: VecDeque<Closed>,
    /// What a failed sync left in doubt, to be written anew before anything else.
    rescued: Option<Rescued>,
    worker: Option<Worker>,
    /// No work is begun before this, after a failure.
    retry_at: Option<Timestamp>,
    /// Files that don't count any more, and since when; kept a while for those who are reading them.
    graves: VecDeque<(PathBuf, Timestamp)>,
    positions: Positions,
    positions_used: Timestamp,
    recovered: Recovered,
    now: Timestamp,
    /// Dropped last: the directory is ours until the worker has ended.
    _lock: Lock,
}

/// A fresh stream that is complete.
#[derive(Clone, Debug)]
pub(crate) struct Closed {
    pub(crate) number: u64,
    pub(crate) bytes: u64,
    pub(crate) rows: u64,
}

/// After a failure in the background, work is tried again this much later.
const RETRY: Duration = Duration::from_secs(5);

/// Positions are asked for after a start; what was read for that is forgotten when nobody asked for this long.
const POSITIONS_AGE: Duration = Duration::from_mins(1);

/// Fresh streams that are sealed stay this long for those who follow them …
const GRAVE_AGE: Duration = Duration::from_secs(15);

/// … but no more of them than this: a busy store must not need twice its size.
const GRAVES_MAX: usize = 4;

// === impl Writer ===

impl Writer {
    /// Takes the directory, and mends what a crash left.
    pub fn open(dir: &Path, options: Options, now: Timestamp) -> Result<Self, OpenError> {
        open::open(dir, options, now)
    }

    /// What opening found and mended.
    pub fn recovered(&self) -> Recovered {
        self.recovered
    }

    /// Makes rows visible to readers and empties the batch; durable only after [`Writer::sync`].
    ///
    /// After an error the batch is as it was, and nothing of it is visible.
    pub fn append(&mut self, batch: &mut Batch) -> Result<(), WriteError> {
        if batch.is_empty() {
            return Ok(());
        }
        if self
            .fresh
            .as_ref()
            .is_some_and(|fresh| fresh.whole_bytes >= self.options.seal_bytes)
        {
            self.close_fresh()?;
        }
        self.write_rescued()?;
        let fresh = self.fresh()?;
        let path = fresh.path.clone();
        fresh
            .append(batch.chunks())
            .map_err(|source| WriteError::Io {
                action: "append rows to",
                path,
                source,
            })?;
        batch.clear();
        Ok(())
    }

    /// Makes durable what was appended.
    ///
    /// After an error it may be called again for ever: rows of which it is not sure are written anew.
    pub fn sync(&mut self) -> Result<(), WriteError> {
        self.write_rescued()?;
        let Some(fresh) = &mut self.fresh else {
            return Ok(());
        };
        let Err(source) = fresh.sync() else {
            return Ok(());
        };
        let path = fresh.path.clone();
        match fresh.rescue() {
            Ok(rescued) => {
                self.rescued = (rescued.rows > 0).then_some(rescued);
                self.retire_fresh();
                Err(WriteError::Io {
                    action: "sync",
                    path,
                    source,
                })
            }
            Err(error) => {
                tracing::error!(%error, path = %path.display(), "rows in doubt can't be read back");
                self.retire_fresh();
                Err(WriteError::Lost { path, source })
            }
        }
    }

    /// Seals, merges and removes what is due, in the background where it takes time. Call about once a second.
    ///
    /// An error is of the background work, or of this round; fresh rows are safe, and it is tried again later.
    pub fn maintain(&mut self, now: Timestamp) -> Result<Maintained, WriteError> {
        self.now = now;
        let mut done = Maintained::default();
        self.bury(now);
        if age(self.positions_used, now) > POSITIONS_AGE {
            self.positions = Positions::default();
        }
        if self.worker.as_ref().is_some_and(Worker::is_finished) {
            self.finish_work(&mut done)?;
        }
        let old = |since: Timestamp| age(since, now) >= self.options.seal_age;
        if self
            .fresh
            .as_ref()
            .is_some_and(|fresh| fresh.rows > 0 && old(fresh.since))
        {
            self.close_fresh()?;
        }
        self.retain(now, &mut done)?;
        if self.worker.is_none()
            && self.retry_at.is_none_or(|retry_at| retry_at <= now)
            && let Some(work) = self.next_work()
        {
            self.worker = Some(Worker::start(work));
        }
        done.busy = self.worker.is_some();
        Ok(done)
    }

    /// Maintains until nothing is due; with `seal_all` also seals what is neither large nor old.
    pub fn settle(&mut self, now: Timestamp, seal_all: bool) -> Result<Maintained, WriteError> {
        if seal_all && self.fresh.as_ref().is_some_and(|fresh| fresh.rows > 0) {
            self.close_fresh()?;
        }
        let mut all = Maintained::default();
        self.retry_at = None;
        loop {
            if let Some(worker) = &mut self.worker {
                worker.wait();
            }
            let done = self.maintain(now)?;
            all.add(&done);
            if !done.busy {
                return Ok(all);
            }
        }
    }

    /// The (offset, end) of the rows that are already there of the file of `stream` that began at `started`, with an
    /// offset of at least `from`; sorted, each once.
    ///
    /// `end` is in another file where the row goes over a rotation. Answers quickly when nothing is there. The first
    /// call reads the positions of all fresh rows, which later calls use.
    pub fn stored_from(
        &mut self,
        stream: &str,
        started: i64,
        from: u64,
    ) -> Result<Vec<(u64, u64)>, ReadError> {
        let whole = self
            .fresh
            .as_ref()
            .map(|fresh| (fresh.number, fresh.whole_bytes));
        let closed = self
            .closed
            .iter()
            .map(|closed| (closed.number, closed.bytes));
        let streams: Vec<(u64, u64)> = closed.chain(whole).collect();
        self.positions
            .stored_from(&self.dir, &self.manifest, &streams, (stream, started, from))
    }

    /// The stream to append to.
    fn fresh(&mut self) -> Result<&mut Fresh, WriteError> {
        let fresh = if let Some(fresh) = self.fresh.take() {
            fresh
        } else {
            let number = self.next_fresh;
            let path = fresh::path_of(&self.dir, number);
            let fresh =
                Fresh::create(&self.dir, number, self.now).map_err(|source| WriteError::Io {
                    action: "create",
                    path,
                    source,
                })?;
            self.next_fresh += 1;
            fresh
        };
        Ok(self.fresh.insert(fresh))
    }

    fn write_rescued(&mut self) -> Result<(), WriteError> {
        let Some(rescued) = self.rescued.take() else {
            return Ok(());
        };
        let written = self.fresh().and_then(|fresh| {
            let path = fresh.path.clone();
            fresh
                .append_rescued(&rescued)
                .map_err(|source| WriteError::Io {
                    action: "append rows to",
                    path,
                    source,
                })
        });
        if written.is_err() {
            self.rescued = Some(rescued);
        }
        written
    }

    /// Completes the current stream, durably, so that it can be sealed.
    fn close_fresh(&mut self) -> Result<(), WriteError> {
        self.sync()?;
        self.retire_fresh();
        Ok(())
    }

    fn retire_fresh(&mut self) {
        if let Some(fresh) = self.fresh.take() {
            let (number, bytes, rows) = (fresh.number, fresh.whole_bytes, fresh.rows);
            self.closed.push_back(Closed {
                number,
                bytes,
                rows,
            });
        }
    }

    /// What is to be done next in the background.
    fn next_work(&self) -> Option<Work> {
        let mut fresh = Vec::new();
        let mut bytes = 0;
        for closed in &self.closed {
            // Small ones, as many starts leave, go together; a full one goes alone, to bound the memory.
            if !fresh.is_empty() && bytes + closed.bytes > self.options.seal_bytes {
                break;
            }
            bytes += closed.bytes;
            fresh.push(closed.number);
        }
        if !fresh.is_empty() {
            return Some(Work::seal(&self.dir, &self.manifest, fresh, self.now));
        }
        let bytes_max = self
            .options
            .retention_bytes
            .map_or(u64::MAX, |limit| limit / 16);
        let bytes_max = self.options.merge_bytes.min(bytes_max);
        let inputs = merging::choose(&self.manifest.sealed, bytes_max, self.now)?;
        Some(Work::merge(
            &self.dir,
            &self.manifest,
            inputs,
            self.options.seal_bytes,
        ))
    }

    /// Takes over what the worker made.
    fn finish_work(&mut self, done: &mut Maintained) -> Result<(), WriteError> {
        let Some(worker) = self.worker.take() else {
            return Ok(());
        };
        let retry_at = Timestamp(self.now.0.saturating_add(RETRY.as_nanos() as i64));
        let made = match worker.finish() {
            Ok(made) => made,
            Err(error) => {
                self.retry_at = Some(retry_at);
                return Err(WriteError::Seal(error));
            }
        };
        self.retry_at = None;
        let mut manifest = self.manifest.clone();
        made.enter(&mut manifest);
        if let Err(error) = manifest.write(&self.dir) {
            self.retry_at = Some(retry_at);
            return Err(error.into());
        }
        self.manifest = manifest;
        while self
            .closed
            .front()
            .is_some_and(|closed| closed.number < self.manifest.fresh_from)
        {
            if let Some(closed) = self.closed.pop_front() {
                self.graves
                    .push_back((fresh::path_of(&self.dir, closed.number), self.now));
                done.rows_sealed += closed.rows;
            }
        }
        for sealed in &made.replaced {
            // Others count rows by listing files, so these go at once; our readers begin anew when one is gone.
            self.graves
                .push_front((self.dir.join(&sealed.path), Timestamp(i64::MIN)));
            done.files_merged += 1;
        }
        self.bury(self.now);
        Ok(())
    }

    /// Removes files that have not counted for a while.
    fn bury(&mut self, now: Timestamp) {
        while let Some((path, since)) = self.graves.front() {
            if age(*since, now) < GRAVE_AGE && self.graves.len() <= GRAVES_MAX {
                break;
            }
            if let Err(error) = fs::remove_file(path)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(%error, path = %path.display(), "a file that does not count stays");
            }
            self.graves.pop_front();
        }
    }
}

/// The time from `since` to `now`; nothing when the clock went back.
fn age(since: Timestamp, now: Timestamp) -> Duration {
    Duration::from_nanos(now.0.saturating_sub(since.0).max(0) as u64)
}
