//! What is the collector told? The meant form of the configuration; the written form belongs to the command line.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use record::file::Node;

use crate::{derive, discover, parse, redact};

/// Everything the collector needs to know to start.
#[derive(Debug)]
pub struct Config {
    /// Where files are found, and which are taken.
    pub discover: discover::Settings,
    /// How lines become entries.
    pub parse: parse::Settings,
    /// Which words must not leave the node.
    pub redact: redact::Settings,
    /// Which metrics are made of lines.
    pub derive: derive::Settings,
    /// Host, node and cluster name, in every document.
    pub node: Arc<Node>,
    /// The directory of `state.redb`.
    pub state: PathBuf,
    /// From where files are read that are older than the state.
    pub start: StartPolicy,
    /// Bytes per second that one container may be read at; the files hold the rest. `None`: as fast as it goes.
    pub rate_limit: Option<u64>,
    /// How much may be on its way to the sink, in bytes; when it is used up, reading stops.
    pub in_flight_bytes_max: u64,
    /// What may be kept of files that others deleted.
    pub reserve: ReserveLimits,
    /// The longest a line waits for company before its batch is handed over.
    pub batch_delay: Duration,
    /// How often positions are made durable.
    pub checkpoint_interval: Duration,
    /// Read what is there, take each file's end as its container's end, and stop.
    pub until_drained: bool,
}

/// From where a file is read that was there before the state was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartPolicy {
    /// From its first byte.
    Beginning,
    /// From its present end; what is skipped is counted as filtered.
    End,
    /// From its first byte if it was written to within this time, else from its end.
    Age(Duration),
}

/// The budget for files that live on only because of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReserveLimits {
    /// Whether unread files are hard-linked, so that they survive a restart of ours too.
    pub links: bool,
    /// Bytes of deleted files held, by links or by open descriptors. Past it the oldest go first, counted.
    pub bytes_max: u64,
    /// How long a deleted file is held.
    pub age_max: Duration,
}
