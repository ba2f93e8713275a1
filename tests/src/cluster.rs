//! What does a situation need of a cluster? The seam between the situations and who answers: the fake or a real server.
//!
//! A scenario is a function over [`Cluster`]; it clears the cluster first, so that one server can serve many of them.

use std::path::PathBuf;

use record::Timestamp;
use serde_json::Value;

use crate::oracle::{Document, Documents, Loss, compare};
use crate::patience::until;
use crate::truth::{digest, head};
use crate::writer::Writer;

/// Which of the two engines answers; their names for errors differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Elasticsearch 8.
    Elasticsearch,
    /// OpenSearch 2.
    OpenSearch,
}

/// How nodetap gets in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Addresses, as `--elasticsearch` takes them.
    pub urls: Vec<String>,
    /// The authority that signed the server's certificate.
    pub ca_file: Option<PathBuf>,
    /// Name and password.
    pub basic: Option<(String, String)>,
    /// An API key in its encoded form.
    pub api_key: Option<String>,
}

/// One stored document.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// The index that holds it: in a data stream the backing index.
    pub index: String,
    /// `_id`
    pub id: String,
    /// `_source`
    pub source: Value,
}

/// What can go wrong with a whole cluster, as far as a real server can be brought to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is stopped in good order: connections are refused.
    Stopped,
    /// It is killed amid its requests: connections break, then are refused.
    Killed,
    /// It has no memory for requests: whole requests get 429 (`indexing_pressure.memory.limit=200kb`).
    Busy,
    /// Its write queue is full: single items get 429 (`thread_pool.write.size=1`, `thread_pool.write.queue_size=1`).
    QueueFull,
    /// Bodies over 1 MiB get 413 (`http.max_content_length=1mb`).
    SmallBodies,
    /// No further shard may be made (`cluster.max_shards_per_node`).
    NoMoreShards,
    /// The index is closed.
    Closed {
        /// The index.
        index: String,
    },
    /// The index has a write block (`index.blocks.write`).
    WriteBlocked {
        /// The index.
        index: String,
    },
    /// The disk is too full: the index has the block `index.blocks.read_only_allow_delete`.
    FloodStage {
        /// The index.
        index: String,
    },
}

/// A cluster that can be asked, looked into, and brought into trouble.
pub trait Cluster {
    /// Which engine it is.
    fn engine(&self) -> Engine;

    /// How nodetap gets in. It stays the same through [`Cluster::induce`] and [`Cluster::heal`].
    fn access(&self) -> Access;

    /// Asks with an administrator's rights, `path` from the slash on; gives the HTTP status and the answer.
    fn ask(&mut self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value);

    /// Every document in indices and data streams of ours, as a refreshed search finds it.
    fn documents(&mut self) -> Vec<Stored>;

    /// Removes all indices, data streams and templates of ours.
    fn clear(&mut self);

    /// Brings it into trouble; panics when it can't be brought to this one.
    fn induce(&mut self, fault: &Fault);

    /// Ends the trouble; returns when it answers again.
    fn heal(&mut self);
}

/// How many copies of a line may be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copies {
    /// Exactly one.
    One,
    /// One, or more with the same id in several backing indices of a data stream.
    PerBackingIndex,
}

// === impl Stored ===

impl Stored {
    /// As the oracle reads it.
    pub fn document(&self) -> Document {
        let text = |path: &str| {
            let value = self.source.pointer(path).and_then(Value::as_str);
            value.unwrap_or_default().to_owned()
        };
        let number = |path: &str| self.source.pointer(path).and_then(Value::as_u64);
        let message = text("/message");
        let started = text("/log/file/started");
        let tags = self.source["tags"].as_array();
        Document {
            time: text("/@timestamp"),
            digest: digest(&message),
            head: head(&message),
            output: text("/stream"),
            started: Timestamp::parse_rfc3339(started.as_bytes())
                .unwrap_or_else(|| panic!("not a start: {started}: {self:?}"))
                .0,
            offset: number("/log/offset").unwrap_or_else(|| panic!("no offset: {self:?}")),
            part: number("/log/part").unwrap_or(0) as u32,
            tags: tags
                .into_iter()
                .flatten()
                .filter_map(|tag| Some(tag.as_str()?.to_owned()))
                .collect(),
            path: text("/log/file/path"),
        }
    }

    /// `log.stream`
    pub fn stream(&self) -> String {
        let stream = self.source.pointer("/log/stream").and_then(Value::as_str);
        stream.unwrap_or_default().to_owned()
    }
}

/// Sorts documents by stream and within it in the exact order.
pub fn by_stream(stored: &[Stored], copies: Copies) -> Documents {
    let mut documents = Documents::new();
    let mut ids = std::collections::HashSet::new();
    for stored in stored {
        if copies == Copies::PerBackingIndex && !ids.insert(&stored.id) {
            continue;
        }
        let own = documents.entry(stored.stream()).or_default();
        own.push(stored.document());
    }
    for own in documents.values_mut() {
        own.sort_by_key(Document::order);
    }
    documents
}

/// Compares what a cluster holds with what the writers wrote.
pub fn holds(
    cluster: &mut impl Cluster,
    writers: &[&Writer],
    copies: Copies,
) -> Result<(), String> {
    let documents = by_stream(&cluster.documents(), copies);
    let none = Vec::new();
    let differences: String = writers
        .iter()
        .filter_map(|writer| {
            let found = documents.get(writer.stream()).unwrap_or(&none);
            compare(writer, found, Loss::None).err()
        })
        .collect();
    if differences.is_empty() {
        Ok(())
    } else {
        Err(differences)
    }
}

/// Waits until a cluster holds what the writers wrote.
pub fn will_hold(cluster: &mut impl Cluster, writers: &[&Writer], copies: Copies) {
    until("the cluster holds what was written", || {
        holds(cluster, writers, copies)
    });
}

/// Insists that a cluster holds what the writers wrote.
pub fn must_hold(cluster: &mut impl Cluster, writers: &[&Writer], copies: Copies) {
    if let Err(differences) = holds(cluster, writers, copies) {
        panic!("{differences}");
    }
}
