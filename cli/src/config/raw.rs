//! What does the file set? Everything optional; what is not set has its default in [`super::Config`].

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use collector::derive;
use collector::discover::RawRule;
use collector::redact::RawPattern;
use elastic::Secret;

use super::alerts::RawAlerts;
use super::export::RawExport;

/// What was written for each key that is set, by path; its [`fmt::Debug`] shows no value, for some are secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Written(pub(super) BTreeMap<&'static str, (usize, String)>);

/// The configuration as it was written.
#[derive(Clone, Debug, Default)]
pub struct RawConfig {
    /// The keys that are set, as they were written.
    pub written: Written,
    /// `node`
    pub node: Option<String>,
    /// `host`
    pub host: Option<String>,
    /// `cluster`
    pub cluster: Option<String>,
    /// `listen`
    pub listen: Option<SocketAddr>,
    /// `listen_metrics`
    pub listen_metrics: Option<SocketAddr>,
    /// `listen_ready`
    pub listen_ready: Option<SocketAddr>,
    /// `web_config`
    pub web_config: Option<PathBuf>,
    /// `grace`
    pub grace: Option<Duration>,
    /// `elasticsearch`
    pub elasticsearch: RawElasticsearch,
    /// `dead_letters`
    pub dead_letters: RawDeadLetters,
    /// `collect`
    pub collect: RawCollect,
    /// `redact.patterns`
    pub redact: Vec<RawPattern>,
    /// `derive`
    pub derive: derive::RawSettings,
    /// `discover`
    pub discover: RawDiscover,
    /// `reserve`
    pub reserve: RawReserve,
    /// `store`
    pub store: RawStore,
    /// `alerts`
    pub alerts: RawAlerts,
    /// `export`
    pub export: RawExport,
}

/// `elasticsearch`: the cluster that lines are shipped to.
#[derive(Clone, Debug, Default)]
pub struct RawElasticsearch {
    /// `elasticsearch.urls`
    pub urls: Option<Vec<String>>,
    /// `elasticsearch.user`
    pub user: Option<String>,
    /// `elasticsearch.password`
    pub password: Option<Secret>,
    /// `elasticsearch.password_file`
    pub password_file: Option<Secret>,
    /// `elasticsearch.api_key`
    pub api_key: Option<Secret>,
    /// `elasticsearch.api_key_file`
    pub api_key_file: Option<Secret>,
    /// `elasticsearch.ca_file`
    pub ca_file: Option<PathBuf>,
    /// `elasticsearch.mode`
    pub mode: Option<Mode>,
    /// `elasticsearch.index_prefix`
    pub index_prefix: Option<String>,
    /// `elasticsearch.gzip`
    pub gzip: Option<u64>,
    /// `elasticsearch.timeout`
    pub timeout: Option<Duration>,
    /// `elasticsearch.requests_max`
    pub requests_max: Option<u64>,
    /// `elasticsearch.template`
    pub template: Option<Template>,
}

/// `dead_letters`: what is refused for good.
#[derive(Clone, Debug, Default)]
pub struct RawDeadLetters {
    /// `dead_letters.bytes`
    pub bytes: Option<u64>,
}

/// `collect`: which lines are taken and how they are read.
#[derive(Clone, Debug, Default)]
pub struct RawCollect {
    /// `collect.start`
    pub start: Option<Start>,
    /// `collect.line_bytes_max`
    pub line_bytes_max: Option<u64>,
    /// `collect.multiline`
    pub multiline: Option<Multiline>,
    /// `collect.app`
    pub app: Option<bool>,
    /// `collect.rate_limit` in bytes per second; `Some(None)` is `none`.
    pub rate_limit: Option<Option<u64>>,
    /// `collect.include`
    pub include: Option<Vec<RawRule>>,
    /// `collect.exclude`
    pub exclude: Option<Vec<RawRule>>,
}

/// `discover`: where files are looked for.
#[derive(Clone, Debug, Default)]
pub struct RawDiscover {
    /// `discover.docker_roots`
    pub docker_roots: Option<Vec<String>>,
    /// `discover.volumes`
    pub volumes: Option<bool>,
    /// `discover.volume_depth_max` in directories below the volume.
    pub volume_depth_max: Option<u64>,
    /// `discover.volume_directories_max`
    pub volume_directories_max: Option<u64>,
    /// `discover.host_logs`
    pub host_logs: Option<Vec<String>>,
    /// `discover.rescan`
    pub rescan: Option<Duration>,
}

/// `reserve`: how unread files outlive their deletion.
#[derive(Clone, Debug, Default)]
pub struct RawReserve {
    /// `reserve.bytes`
    pub bytes: Option<u64>,
    /// `reserve.age`
    pub age: Option<Duration>,
}

/// `store`: how long the embedded store keeps lines.
#[derive(Clone, Debug, Default)]
pub struct RawStore {
    /// `store.retention_bytes`; `Some(None)` is `none`.
    pub retention_bytes: Option<Option<u64>>,
    /// `store.retention_age`; `Some(None)` is `none`.
    pub retention_age: Option<Option<Duration>>,
}

/// Where a file that is older than the state is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At its first byte.
    Beginning,
    /// At its end; what is skipped is counted.
    End,
    /// At its first byte if it was written to within this time, else at its end.
    Age(Duration),
}

/// Which lines are grouped into one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Multiline {
    /// None.
    Off,
    /// Stack traces of any of the languages below.
    Auto,
    /// Java and its relatives.
    Java,
    /// Python.
    Python,
    /// Go.
    Go,
    /// Node.js.
    Node,
    /// .NET.
    Dotnet,
}

/// How documents are laid out in the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One index a day.
    Index,
    /// A data stream for each kind and namespace.
    DataStream,
}

/// What is done about the index template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Template {
    /// It is put there.
    Install,
    /// It is compared.
    Verify,
    /// Nothing.
    Off,
}

// === impl Written ===

impl Written {
    /// The line on which a key is set.
    pub(super) fn line(&self, path: &str) -> Option<usize> {
        self.0.get(path).map(|(line, _)| *line)
    }

    /// A key's value in YAML's flow style, variables replaced.
    pub fn value(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(|(_, text)| text.as_str())
    }
}

impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
