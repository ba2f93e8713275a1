//! What takes time? Sealing and merging, one at a time, in a thread of its own.

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use record::Timestamp;

use crate::fresh;
use crate::manifest::{Manifest, Sealed};
use crate::seal::{self, Rows, SealError, Target};

/// Something to be done in the background.
#[derive(Debug)]
pub(super) struct Work {
    dir: PathBuf,
    kind: Kind,
    /// The number of the first new file.
    number: u64,
    now: Timestamp,
}

#[derive(Debug)]
enum Kind {
    /// Seal these fresh streams.
    Seal(Vec<u64>),
    /// Merge these sealed files of one day; rows that take no more than so many bytes are sorted together.
    Merge(Vec<Sealed>, u64),
}

/// New files that the manifest does not name yet.
#[derive(Debug)]
pub(super) struct Made {
    sealed: Vec<Sealed>,
    /// The fresh streams below this are sealed now.
    fresh_from: Option<u64>,
    /// The sealed files whose rows the new ones have.
    pub(super) replaced: Vec<Sealed>,
}

/// A thread at work.
#[derive(Debug)]
pub(super) struct Worker {
    thread: Option<JoinHandle<Result<Made, SealError>>>,
    made: Option<Result<Made, SealError>>,
}

// === impl Work ===

impl Work {
    pub(super) fn seal(dir: &Path, manifest: &Manifest, fresh: Vec<u64>, now: Timestamp) -> Self {
        Self {
            dir: dir.to_owned(),
            kind: Kind::Seal(fresh),
            number: manifest.next_sealed,
            now,
        }
    }

    pub(super) fn merge(
        dir: &Path,
        manifest: &Manifest,
        inputs: Vec<Sealed>,
        reseal_bytes: u64,
    ) -> Self {
        let kind = Kind::Merge(inputs, reseal_bytes);
        Self {
            dir: dir.to_owned(),
            kind,
            number: manifest.next_sealed,
            now: Timestamp(0),
        }
    }

    fn run(&self) -> Result<Made, SealError> {
        match &self.kind {
            Kind::Seal(fresh) => {
                let mut rows = Rows::default();
                for number in fresh {
                    rows.add_fresh(&fresh::path_of(&self.dir, *number))?;
                }
                let first = fresh.first().copied().unwrap_or(0);
                let last = fresh.last().copied().unwrap_or(0);
                let target = Target {
                    dir: &self.dir,
                    number: self.number,
                    fresh: (first, last),
                    now: self.now,
                };
                let sealed = seal::seal(&rows, target)?;
                Ok(Made {
                    sealed,
                    fresh_from: Some(last + 1),
                    replaced: Vec::new(),
                })
            }
            Kind::Merge(inputs, reseal_bytes) => {
                let first = inputs.iter().map(|input| input.fresh.0).min().unwrap_or(0);
                let last = inputs.iter().map(|input| input.fresh.1).max().unwrap_or(0);
                // Merging makes nothing younger.
                let made_at = inputs.iter().map(|input| input.made_at).max().unwrap_or(0);
                let target = Target {
                    dir: &self.dir,
                    number: self.number,
                    fresh: (first, last),
                    now: Timestamp(made_at),
                };
                let sealed = seal::merge(inputs, target, *reseal_bytes)?;
                Ok(Made {
                    sealed,
                    fresh_from: None,
                    replaced: inputs.clone(),
                })
            }
        }
    }
}

// === impl Made ===

impl Made {
    /// Puts the new files in the place of the old ones.
    pub(super) fn enter(&self, manifest: &mut Manifest) {
        manifest
            .sealed
            .retain(|sealed| !self.replaced.iter().any(|old| old.path == sealed.path));
        manifest.sealed.extend(self.sealed.iter().cloned());
        manifest.next_sealed += self.sealed.len() as u64;
        manifest.fresh_from = self.fresh_from.unwrap_or(manifest.fresh_from);
    }
}

// === impl Worker ===

impl Worker {
    /// Starts; where no thread can be had, does the work at once.
    pub(super) fn start(work: Work) -> Self {
        let work = std::sync::Arc::new(work);
        let own = std::sync::Arc::clone(&work);
        match std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || own.run())
        {
            Ok(thread) => Self {
                thread: Some(thread),
                made: None,
            },
            Err(error) => {
                tracing::warn!(%error, "no thread for the store's work");
                Self {
                    thread: None,
                    made: Some(work.run()),
                }
            }
        }
    }

    pub(super) fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits until it is finished.
    pub(super) fn wait(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.made = Some(thread.join().unwrap_or_else(|_| Err(panicked())));
        }
    }

    /// What it made; waits for it.
    pub(super) fn finish(mut self) -> Result<Made, SealError> {
        self.wait();
        self.made.take().unwrap_or_else(|| Err(panicked()))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // What it leaves is not named by the manifest, and removed at the next start.
        self.wait();
    }
}

fn panicked() -> SealError {
    SealError::Damaged {
        path: PathBuf::new(),
        source: "bug: the store's worker panicked".into(),
    }
}
