//! What is shown? The collector's status, and what is known about the process around it.

use std::sync::Arc;
use std::time::Duration;

use collector::Status;
use serde::{Deserialize, Serialize};

#[cfg(test)]
pub(crate) mod testing;

/// The loop turns many times a second, and a rescan of a full node takes seconds; one that has not for this long hangs.
pub const TURN_MAX: Duration = Duration::from_mins(1);

/// Who gives snapshots; asked once per request.
pub trait Source: Send + Sync {
    /// How it stands now. Cheap: no disk is read for it.
    fn snapshot(&self) -> Snapshot;

    /// All that `/metrics` shows: the exposition of [`crate::metrics::FAMILIES`], and what else there is. It may take
    /// up to `patience`, and is asked in a thread that may wait.
    fn all_metrics(&self, own: String, _patience: Duration) -> String {
        own
    }

    /// What is the likely cause of what fires, or why that can't be told. It may take seconds, and is asked in a thread
    /// that may wait.
    fn why(&self) -> Result<crate::why::Report, String> {
        Err("nobody looks for alerts here".to_owned())
    }

    /// The agents in JVMs that Prometheus is to scrape itself, as its HTTP service discovery reads them (JSON); none
    /// where nobody looks for JVMs.
    fn jvm_agents(&self) -> Option<String> {
        None
    }
}

/// Everything the routes show.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    /// The version of this program.
    pub version: String,
    /// `host.name`
    pub host: String,
    /// The directory of positions and the store.
    pub state: String,
    /// How large the embedded store is; absent until it was measured.
    pub store: Option<StoreSize>,
    /// What became of the configuration when it was last read.
    #[serde(default)]
    pub reload: Reload,
    /// The collector's own status.
    #[serde(flatten)]
    pub collector: Arc<Status>,
}

/// The embedded store's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreSize {
    /// Bytes on disk.
    pub bytes: u64,
    /// Lines, sealed and fresh.
    pub rows: u64,
}

/// The configuration, as it was last read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reload {
    /// When it was last read and right, in seconds since the epoch.
    pub success_seconds: f64,
    /// Why the one that is written now is not in force; the one before is.
    pub trouble: Option<String>,
    /// Keys that are in force only after a restart, because they were changed since the start.
    pub needs_restart: Vec<String>,
}

/// How the process is, in the order of gravity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It reads, and what it reads is kept.
    Well,
    /// It works, and something needs a person: what.
    Troubled(String),
    /// The loop does not turn any more.
    Hangs(String),
}

// === impl Reload ===

impl Reload {
    /// It was right.
    pub fn successful(at_seconds: f64) -> Self {
        Self {
            success_seconds: at_seconds,
            trouble: None,
            needs_restart: Vec::new(),
        }
    }
}

// === impl Snapshot ===

impl Snapshot {
    /// How the process is, in a sentence.
    pub fn health(&self) -> Health {
        let status = &self.collector;
        if status.turned_seconds_ago > TURN_MAX.as_secs_f64() {
            let text = format!(
                "the collector's loop has not turned for {:.0} s",
                status.turned_seconds_ago
            );
            return Health::Hangs(text);
        }
        let mut troubles = Vec::new();
        if let Some(trouble) = &status.sink_trouble {
            troubles.push(match status.sink.name.as_str() {
                "elasticsearch" => format!("lines wait for Elasticsearch: {trouble}"),
                _ => format!("lines can't be kept: {trouble}"),
            });
        }
        if let Some(trouble) = &status.checkpoint_trouble {
            troubles.push(format!("positions can't be written: {trouble}"));
        }
        if let Some(trouble) = &self.reload.trouble {
            troubles.push(format!(
                "the configuration is wrong, and the one before is in force: {trouble}"
            ));
        }
        if status.imbalance_bytes != 0 {
            troubles.push(format!(
                "the ledger is off by {} bytes, which is a defect",
                status.imbalance_bytes
            ));
        }
        if status.total.dead_lettered > 0 {
            troubles.push(format!(
                "{} were refused for good since the start (`nodetap dead-letters`)",
                crate::units::bytes_text(status.total.dead_lettered)
            ));
        }
        if status.total.abandoned > 0 {
            troubles.push(format!(
                "{} were lost since the start",
                crate::units::bytes_text(status.total.abandoned)
            ));
        }
        if troubles.is_empty() {
            Health::Well
        } else {
            Health::Troubled(troubles.join("; "))
        }
    }
}
