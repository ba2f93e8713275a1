//! What is the same for every line of a file? And a line together with it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Entry, FileKey, Origin};

/// The constant part of every record of one file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct File {
    /// Whose log it is.
    pub origin: Arc<Origin>,
    /// What names its text in document ids.
    pub key: FileKey,
    /// `log.file.fingerprint`: hexadecimal.
    pub fingerprint: String,
    /// `log.file.path` of the live file, without `--root`.
    pub path: String,
    /// `log.file.started` in nanoseconds since the epoch; sorts the files of a stream.
    pub started: i64,
    /// `kubernetes.container.restart_count`
    pub restart_count: Option<u32>,
    /// What is the same for the whole node.
    pub node: Arc<Node>,
}

/// What is the same for every record of this process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Node {
    /// `host.name`
    pub host: String,
    /// `kubernetes.node.name`; empty where the node is not Kubernetes'.
    pub name: String,
    /// `orchestrator.cluster.name`; empty when not configured.
    pub cluster: String,
}

/// An entry with the constant part of its file: all that becomes a document.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The file its first piece is in.
    pub file: &'a Arc<File>,
    /// The line.
    pub entry: Entry<'a>,
}
