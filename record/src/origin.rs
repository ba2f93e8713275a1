//! Whose log is it? What a path, and Docker's own files, tell about a file before it is opened.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Whose log a file is. All files of one container, through rotations and restarts, share one `stream`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// `log.stream`: pod uid/container, a Docker id, or the path of the live file of a volume or host log.
    pub stream: String,
    /// The pod, where there is one.
    pub pod: Option<Pod>,
    /// The container, where there is one. A volume's file has a pod and no container.
    pub container: Option<Container>,
    /// What wrote the file; the middle part of `event.dataset`.
    pub kind: Kind,
}

/// What kind of writer a log file has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A container's standard output and error, written by its runtime.
    #[default]
    Container,
    /// A file that a container wrote into one of its pod's volumes.
    Volume,
    /// A file of the node itself.
    Host,
}

/// A Kubernetes pod, by the name of its directory or by Docker labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pod {
    /// `kubernetes.namespace`
    pub namespace: String,
    /// `kubernetes.pod.name`; empty for a volume of a pod whose log directory is gone.
    pub name: String,
    /// `kubernetes.pod.uid`, as the directory has it (a static pod's is its manifest's hash).
    pub uid: String,
    /// `kubernetes.labels`; a later stage joins them by uid.
    pub labels: BTreeMap<String, String>,
}

/// One container of a pod or of a Docker engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Container {
    /// `kubernetes.container.name` for a pod's container, else `container.name` (no leading slash).
    pub name: String,
    /// `container.id`; empty where only the pod's directory is known.
    pub id: String,
    /// `container.runtime`: `docker`, `containerd` …; empty when unknown.
    pub runtime: String,
    /// `container.image.name`; empty when unknown.
    pub image: String,
    /// Docker labels, for selection; Kubernetes' own `io.kubernetes.*` are kept out.
    pub labels: BTreeMap<String, String>,
}

/// How the lines of a file are framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// `TIME STREAM P|F TEXT`, as kubelet's runtimes write (CRI logging format).
    Cri,
    /// Docker's `json-file` driver: one JSON object a line.
    JsonFile,
    /// Plain lines without a time of their own.
    Text,
}

/// A log file that was found, before it is opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Where it is, below the root directory: absolute and without `--root`.
    pub path: PathBuf,
    /// Where the live file of its chain is; equal to `path` unless this one was rotated.
    pub live_path: PathBuf,
    /// Whose log it is.
    pub origin: Arc<Origin>,
    /// How its lines are framed.
    pub format: Format,
    /// Its place in the chain of rotated files.
    pub link: Link,
    /// `kubernetes.container.restart_count`: the number in `<n>.log`.
    pub restart_count: Option<u32>,
}

/// A file's place among the files of one stream; sorts oldest first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Link {
    /// The container's restart, 0 where there is none.
    pub restart: u32,
    /// How it was set aside. Rotated files sort before the live one.
    pub rotation: Rotation,
    /// Whether the file is gzip-compressed.
    pub gzip: bool,
}

/// How a file was set aside, sorted oldest first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Rotation {
    /// Set aside under a name that sorts by age, as kubelet's `0.log.20261121-115441` and logrotate's `-20261121`.
    Dated(String),
    /// Set aside as the n-th youngest, as Docker's and logrotate's `.1`; kept negative so that the oldest is first.
    Numbered(i64),
    /// The file that is written to.
    Live,
}

// === impl Origin ===

impl Origin {
    /// `kubernetes.namespace`, or the empty text.
    pub fn namespace(&self) -> &str {
        self.pod.as_ref().map_or("", |pod| &pod.namespace)
    }

    /// The pod's name, or the empty text.
    pub fn pod_name(&self) -> &str {
        self.pod.as_ref().map_or("", |pod| &pod.name)
    }

    /// The container's name, or the empty text.
    pub fn container_name(&self) -> &str {
        self.container
            .as_ref()
            .map_or("", |container| &container.name)
    }
}

// === impl Link ===

impl Link {
    /// The file a writer appends to, in its `restart`-th life.
    pub fn live(restart: u32) -> Self {
        Self {
            restart,
            rotation: Rotation::Live,
            gzip: false,
        }
    }

    /// Whether this file was set aside and only its last bytes may still arrive.
    pub fn is_rotated(&self) -> bool {
        self.rotation != Rotation::Live
    }
}
