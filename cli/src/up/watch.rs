//! How does the collector stand? Snapshots for the page, from the running loop or from when it last answered.

use std::mem;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use collector::discover::Report;
use collector::ledger::{AbandonReason, Ledger};
use collector::{Handle, Outcome, Status};
use exporter::Exporter;
use page::snapshot::Reload;
use page::{Snapshot, Source, StoreSize};

use super::further;
use crate::why::Asker;

/// How long one snapshot waits for the loop before the last one is shown again.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a measured size of the store is believed.
const SIZE_AGE_MAX: Duration = Duration::from_secs(5);

/// The collector as the page sees it, from before its first look until after its last.
pub(super) struct Watch {
    host: String,
    state: String,
    /// The embedded store, if lines are kept there.
    store: Option<PathBuf>,
    /// The node's plumbing, with `up`.
    exporter: Option<Arc<Exporter>>,
    /// Who can be asked about alerts.
    asker: Asker,
    reload: Mutex<Reload>,
    stage: Mutex<Stage>,
    last: Mutex<Last>,
}

/// How far the collector's life has come.
enum Stage {
    /// It opens its state and looks at everything for the first time, which can take a while on a full node.
    Starting,
    /// Its loop turns.
    Running(Arc<Handle>),
    /// It is told to stop, or was.
    Stopped,
}

/// What was last seen.
struct Last {
    status: Arc<Status>,
    at: Instant,
    size: Option<(Instant, StoreSize)>,
}

// === impl Watch ===

impl Watch {
    /// Watches a collector that is being started.
    pub(super) fn new(
        host: String,
        state: String,
        store: Option<PathBuf>,
        exporter: Option<Arc<Exporter>>,
        asker: Asker,
    ) -> Self {
        let last = Last {
            status: Arc::new(nothing_yet()),
            at: Instant::now(),
            size: None,
        };
        Self {
            host,
            state,
            store,
            exporter,
            asker,
            reload: Mutex::new(Reload::successful(seconds_now())),
            stage: Mutex::new(Stage::Starting),
            last: Mutex::new(last),
        }
    }

    /// Goes on with the collector that was started.
    pub(super) fn started(&self, handle: Handle) {
        *lock(&self.stage) = Stage::Running(Arc::new(handle));
        lock(&self.last).at = Instant::now();
    }

    /// Remembers what became of the configuration.
    pub(super) fn reloaded(&self, reload: Result<Vec<&'static str>, String>) {
        let mut last = lock(&self.reload);
        *last = match reload {
            Ok(waiting) => Reload {
                needs_restart: waiting.into_iter().map(str::to_owned).collect(),
                ..Reload::successful(seconds_now())
            },
            Err(trouble) => Reload {
                trouble: Some(trouble),
                ..last.clone()
            },
        };
    }

    /// Whether the loop has ended by itself.
    pub(super) fn is_finished(&self) -> bool {
        match &*lock(&self.stage) {
            Stage::Starting => false,
            Stage::Running(handle) => handle.is_finished(),
            Stage::Stopped => true,
        }
    }

    /// The first status, or `None` when the loop ended before it could give one.
    pub(super) fn first_status(&self) -> Option<Arc<Status>> {
        let handle = self.handle()?;
        while !handle.is_finished() {
            if let Some(status) = handle.status(PATIENCE) {
                return Some(Arc::new(status));
            }
        }
        None
    }

    /// Stops the loop and gives how it ended; `None` when it panicked or was stopped before.
    pub(super) fn stop(&self, grace: Duration) -> Option<Outcome> {
        let stage = mem::replace(&mut *lock(&self.stage), Stage::Stopped);
        let Stage::Running(mut handle) = stage else {
            return None;
        };
        // A request may hold it for the moment of its snapshot; new ones can't get it any more.
        let owned = loop {
            match Arc::try_unwrap(handle) {
                Ok(owned) => break owned,
                Err(shared) => handle = shared,
            }
            std::thread::park_timeout(Duration::from_millis(1));
        };
        let outcome = owned.stop(grace)?;
        let mut last = lock(&self.last);
        (last.status, last.at) = (Arc::new(outcome.status.clone()), Instant::now());
        Some(outcome)
    }

    /// The running loop, without holding the lock.
    pub(super) fn handle(&self) -> Option<Arc<Handle>> {
        match &*lock(&self.stage) {
            Stage::Running(handle) => Some(Arc::clone(handle)),
            Stage::Starting | Stage::Stopped => None,
        }
    }

    /// The status now, or the last one with its age.
    fn status(&self) -> Arc<Status> {
        let handle = self.handle();
        let is_running = handle.is_some();
        let fresh = handle.and_then(|handle| handle.status(PATIENCE));
        let mut last = lock(&self.last);
        if let Some(status) = fresh {
            (last.status, last.at) = (Arc::new(status), Instant::now());
            return Arc::clone(&last.status);
        }
        let age = if is_running {
            last.at.elapsed().as_secs_f64()
        } else {
            0.0
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
        let extent = store::Reader::open(self.store.as_ref()?).ok()?.extent();
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
            reload: lock(&self.reload).clone(),
            collector: self.status(),
        }
    }

    fn all_metrics(&self, own: String, patience: Duration) -> String {
        let derived = self
            .handle()
            .and_then(|handle| handle.derived(PATIENCE.min(patience)));
        further::add(own, self.exporter.as_deref(), derived, patience)
    }

    fn why(&self) -> Result<page::why::Report, String> {
        if self.asker.is_blind() {
            return Err(
                "No Alertmanager and no Prometheus is named: set them in the section `alerts` of the configuration."
                    .to_owned(),
            );
        }
        self.asker.report().map_err(|error| format!("{error:#}"))
    }

    fn jvm_agents(&self) -> Option<String> {
        self.exporter.as_deref().map(Exporter::jvm_discovery)
    }
}

/// A status before anything is known.
fn nothing_yet() -> Status {
    let zeros = || {
        AbandonReason::ALL
            .iter()
            .map(|reason| (reason.as_str().to_owned(), 0))
            .collect()
    };
    Status {
        streams: Vec::new(),
        total: Ledger::default(),
        in_flight_bytes: 0,
        unread_bytes: 0,
        imbalance_bytes: 0,
        abandoned_bytes: zeros(),
        gaps: zeros(),
        held_deleted_bytes: 0,
        sink_in_flight_bytes: 0,
        sink_trouble: None,
        sink: collector::ship::SinkStatus::default(),
        checkpoint_trouble: None,
        invalid_utf8_lines: 0,
        unparsed_lines: 0,
        found: Report::default(),
        drained: false,
        turned_seconds_ago: 0.0,
    }
}

/// Seconds since the epoch.
fn seconds_now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
