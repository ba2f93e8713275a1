//! How does it stand? A snapshot of every stream for `/metrics`, `nodetap sources` and the page.

use std::collections::BTreeMap;
use std::sync::Arc;

use record::Origin;
use serde::{Deserialize, Serialize};

use crate::discover::Report;
use crate::ledger::{AbandonReason, Ledger};
use crate::ship::SinkStatus;

/// The whole collector at one moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// Every stream, sorted by namespace, pod, container and name.
    pub streams: Vec<StreamStatus>,
    /// The counters of all streams, those that have ended included.
    pub total: Ledger,
    /// Bytes read and not yet received, over all streams.
    pub in_flight_bytes: u64,
    /// Bytes on disk and not yet read, over all streams.
    pub unread_bytes: u64,
    /// Bytes nobody can account for; anything but 0 is a defect.
    pub imbalance_bytes: i64,
    /// Bytes given up, by reason; every reason is there.
    pub abandoned_bytes: BTreeMap<String, u64>,
    /// How often bytes were given up, by reason; every reason is there. Each left a gap record.
    pub gaps: BTreeMap<String, u64>,
    /// Bytes of deleted files that live on only because of us.
    pub held_deleted_bytes: u64,
    /// Bytes on their way in the sink.
    pub sink_in_flight_bytes: u64,
    /// What keeps the sink from taking more.
    pub sink_trouble: Option<String>,
    /// How the sink does.
    #[serde(default)]
    pub sink: SinkStatus,
    /// What keeps positions from being made durable.
    pub checkpoint_trouble: Option<String>,
    /// Lines in which bytes that were not UTF-8 were replaced.
    pub invalid_utf8_lines: u64,
    /// Lines that were not in their file's format.
    pub unparsed_lines: u64,
    /// What was found where, and what was passed over.
    pub found: Report,
    /// Whether everything that is there has been read and received.
    pub drained: bool,
    /// Seconds since the loop last turned.
    pub turned_seconds_ago: f64,
}

/// One stream at one moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StreamStatus {
    /// Whose log it is.
    pub origin: Arc<Origin>,
    /// The files of its chain that are held or unread, oldest first.
    pub files: Vec<FileStatus>,
    /// Its counters.
    pub ledger: Ledger,
    /// Bytes read and not yet received.
    pub in_flight_bytes: u64,
    /// Bytes on disk and not yet read.
    pub unread_bytes: u64,
    /// Bytes written and not yet received.
    pub lag_bytes: u64,
    /// Age of the oldest line that is not received, in seconds; 0 when nothing waits.
    pub lag_seconds: f64,
    /// What is left of retention divided by the rate we fall behind, in seconds; absent while we keep up.
    pub time_to_loss_seconds: Option<f64>,
    /// Whether all of it is received.
    pub drained: bool,
    /// Whether the rate limit holds it back now.
    pub limited: bool,
}

/// One file of a stream's chain.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FileStatus {
    /// Where it is or last was, without `--root`.
    pub path: String,
    /// `log.file.started`, RFC 3339; empty until its first line is complete.
    pub started: String,
    /// `log.file.fingerprint`
    pub fingerprint: String,
    /// What names its text in document ids, hexadecimal.
    pub key: String,
    /// How many bytes of text it is known to have.
    pub size: u64,
    /// How far it is read.
    pub read: u64,
    /// How far it is received.
    pub acknowledged: u64,
    /// `live`, `rotated`, `archived` or `deleted`.
    pub state: String,
    /// Why it can't be read, if so.
    pub trouble: Option<String>,
}

/// The map of all reasons, each at 0.
pub(crate) fn reasons() -> BTreeMap<String, u64> {
    AbandonReason::ALL
        .iter()
        .map(|reason| (reason.as_str().to_owned(), 0))
        .collect()
}
