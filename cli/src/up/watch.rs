//! How does the collector stand? Snapshots for the page, from the running loop or from when it last answered.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use collector::pipeline::Outcome;
use collector::{Handle, Status};
use page::{Snapshot, Source, StoreSize};

/// How long one snapshot waits for the loop before the last one is shown again.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a measured size of the store is believed.
const SIZE_AGE_MAX: Duration = Duration::from_secs(5);

/// The running collector, watched by the page.
pub(super) struct Watch {
    host: String,
    state: String,
    store: PathBuf,
    handle: Mutex<Option<Arc<Handle>>>,
    last: Mutex<Last>,
}

/// What was last seen.
struct Last {
    status: Arc<Status>,
    at: Instant,
    size: Option<(Instant, StoreSize)>,
}

// === impl Watch ===

impl Watch {
    /// Watches a collector that has just been started; `status` is its first.
    pub(super) fn new(
        handle: Handle,
        status: Status,
        host: String,
        state: String,
        store: PathBuf,
    ) -> Self {
        let last = Last {
            status: Arc::new(status),
            at: Instant::now(),
            size: None,
        };
        Self {
            host,
            state,
            store,
            handle: Mutex::new(Some(Arc::new(handle))),
            last: Mutex::new(last),
        }
    }

    /// Whether the loop has ended by itself.
    pub(super) fn is_finished(&self) -> bool {
        lock(&self.handle)
            .as_ref()
            .is_none_or(|handle| handle.is_finished())
    }

    /// Stops the loop and gives how it ended; `None` when it panicked or was stopped before.
    pub(super) fn stop(&self, grace: Duration) -> Option<Outcome> {
        let mut handle = lock(&self.handle).take()?;
        // A request may hold it for the moment of its snapshot.
        let deadline = Instant::now() + 2 * PATIENCE;
        let owned = loop {
            match Arc::try_unwrap(handle) {
                Ok(owned) => break owned,
                Err(shared) if Instant::now() < deadline => {
                    handle = shared;
                    std::thread::yield_now();
                }
                Err(_) => return None,
            }
        };
        let outcome = owned.stop(grace)?;
        let mut last = lock(&self.last);
        (last.status, last.at) = (Arc::new(outcome.status.clone()), Instant::now());
        Some(outcome)
    }

    /// The status now, or the last one with its age.
    fn status(&self) -> Arc<Status> {
        let handle = lock(&self.handle).clone();
        let stopped = handle.is_none();
        let fresh = handle.and_then(|handle| handle.status(PATIENCE));
        let mut last = lock(&self.last);
        if let Some(status) = fresh {
            (last.status, last.at) = (Arc::new(status), Instant::now());
            return Arc::clone(&last.status);
        }
        let age = if stopped {
            0.0
        } else {
            last.at.elapsed().as_secs_f64()
        };
        let status = Status {
            turned_seconds_ago: last.status.turned_seconds_ago + age,
            ..Status::clone(&last.status)
        };
        Arc::new(status)
    }

    fn size(&self) -> Option<StoreSize> {
        let mut last = lock(&self.last);
        if let Some((at, size)) = last.size
            && at.elapsed() < SIZE_AGE_MAX
        {
            return Some(size);
        }
        let extent = store::Reader::open(&self.store).ok()?.extent();
        let size = StoreSize {
            bytes: extent.bytes,
            rows: extent.rows,
        };
        last.size = Some((Instant::now(), size));
        Some(size)
    }
}

impl Source for Watch {
    fn snapshot(&self) -> Snapshot {
        Snapshot {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            host: self.host.clone(),
            state: self.state.clone(),
            store: self.size(),
            collector: self.status(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
