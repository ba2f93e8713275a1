//! What should this node do? One YAML file, every key optional, every mistake reported at once with its line.
//!
//! [`parse`] is pure: text to [`RawConfig`] or [`Problems`]. [`Config`] is what remains once defaults are filled in.

use std::fs::File;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use collector::derive;
use collector::discover::RawRule;
use collector::redact::RawPattern;

pub mod units;

pub mod variables;

pub mod alerts;

pub mod export;

pub mod raw;

mod values;

pub mod web;

pub mod keys;

mod together;

mod cluster;

pub mod manual;

pub mod schema;

pub use cluster::Cluster;
pub use raw::{Mode, Multiline, RawConfig, Start, Template, Written};
pub use yaml::problem::{Problem, Problems};
use yaml::{document, suggest};

use alerts::Alerts;
use document::{Member, Value};
use export::Export;
use keys::SECTIONS;
use variables::Lookup;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("read configuration {path}")]
    Read {
        /// The file.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The file says things that are wrong.
    #[error("{path} has {count}:\n{problems}")]
    Wrong {
        /// The file.
        path: String,
        /// `1 problem`, `2 problems` …
        count: String,
        /// All of them.
        problems: Problems,
    },
}

/// What this node does, every default filled in.
#[derive(Clone, Debug)]
pub struct Config {
    /// What was written for each key that is set.
    pub written: Written,
    /// `kubernetes.node.name`; `None` leaves it to the environment.
    pub node: Option<String>,
    /// `host.name`; `None` leaves it to the machine.
    pub host: Option<String>,
    /// `orchestrator.cluster.name`; empty when not set.
    pub cluster: String,
    /// Where HTTP is served.
    pub listen: SocketAddr,
    /// Where metrics alone are served too.
    pub listen_metrics: Option<SocketAddr>,
    /// Where readiness alone is served too.
    pub listen_ready: Option<SocketAddr>,
    /// TLS and passwords of what is served.
    pub web_config: Option<PathBuf>,
    /// The cluster that lines are shipped to; none when it has no URLs.
    pub elasticsearch: Cluster,
    /// How large the files of refused lines may grow, in bytes.
    pub dead_letters_bytes: u64,
    /// How long a stop waits for what was read.
    pub grace: Duration,
    /// Where files older than the state are begun.
    pub start: Start,
    /// The longest line kept whole, in bytes.
    pub line_bytes_max: u64,
    /// Which stack traces are grouped.
    pub multiline: Multiline,
    /// Whether a JSON body is kept as `app`.
    pub app: bool,
    /// Bytes per second and container, at most.
    pub rate_limit: Option<u64>,
    /// What is taken; everything when empty.
    pub include: Vec<RawRule>,
    /// What is not taken.
    pub exclude: Vec<RawRule>,
    /// What is hidden in messages.
    pub redact: Vec<RawPattern>,
    /// Which metrics are made from lines.
    pub derive: derive::RawSettings,
    /// Further Docker data roots, as globs below the root.
    pub docker_roots: Vec<String>,
    /// Whether files in volumes are taken.
    pub volumes: bool,
    /// How deep a volume is searched, in directories.
    pub volume_depth_max: u64,
    /// How many directories of volumes are watched.
    pub volume_directories_max: u64,
    /// Which of the node's own files are taken, as globs below the root.
    pub host_logs: Vec<String>,
    /// How often everything is listed anew.
    pub rescan: Duration,
    /// How many bytes of deleted files are kept unread; 0 is off.
    pub reserve_bytes: u64,
    /// How long deleted files are kept unread.
    pub reserve_age: Duration,
    /// How large the store may grow, in bytes.
    pub retention_bytes: Option<u64>,
    /// How long the store keeps a line.
    pub retention_age: Option<Duration>,
    /// Who knows which alerts fire.
    pub alerts: Alerts,
    /// What the exporter is told.
    pub export: Export,
}

/// Reads a configuration's text; pure. `lookup` is the environment.
pub fn parse(text: &str, lookup: Lookup<'_>) -> Result<RawConfig, Problems> {
    let mut root = document::read(text)?;
    let mut reader = Reader::default();
    variables::expand(&mut root, lookup, &mut reader.problems);
    match root.value {
        Value::Section(members) if reader.problems.is_empty() => {
            for member in &members {
                reader.top(member);
            }
        }
        Value::Section(_) | Value::Nothing => {}
        Value::Text(_) | Value::List(_) => {
            return Err(Problem::at(
                root.line,
                "expected sections and keys, as in `listen: 127.0.0.1:9797`",
            )
            .into());
        }
    }
    reader.finish()
}

/// Puts the configuration together, and what is wrong with it.
#[derive(Default)]
struct Reader {
    raw: RawConfig,
    problems: Vec<Problem>,
}

// === impl Reader ===

impl Reader {
    fn top(&mut self, member: &Member) {
        let named = |section: &&keys::Section| section.name == member.name;
        let Some(section) = SECTIONS.iter().skip(1).find(named) else {
            return self.set("", member);
        };
        match &member.node.value {
            Value::Section(members) => {
                for inner in members {
                    self.set(section.name, inner);
                }
            }
            Value::Nothing => {}
            Value::Text(_) | Value::List(_) => {
                let text = format!(
                    "{} is a section: its keys stand below it, indented",
                    section.name
                );
                self.problems.push(Problem::at(member.node.line, text));
            }
        }
    }

    fn set(&mut self, section: &str, member: &Member) {
        let path = match section {
            "" => member.name.clone(),
            section => format!("{section}.{}", member.name),
        };
        let Some(key) = keys::keys().find(|key| key.path == path) else {
            let text = unknown(section, member, &path);
            self.problems.push(Problem::at(member.line, text));
            return;
        };
        if member.node.value == Value::Nothing {
            return;
        }
        self.raw
            .written
            .0
            .insert(key.path, (member.line, member.node.flow()));
        if let Err(found) = (key.set)(&mut self.raw, &member.node) {
            self.problems
                .extend(found.into_iter().map(|problem| Problem {
                    text: format!("{path}: {}", problem.text),
                    ..problem
                }));
        }
    }

    fn finish(mut self) -> Result<RawConfig, Problems> {
        self.problems.extend(together::check(&self.raw.written));
        if self.problems.is_empty() {
            Ok(self.raw)
        } else {
            Err(Problems::new(self.problems))
        }
    }
}

/// The sentence for a key that is not there; knows keys that stand in another section.
fn unknown(section: &str, member: &Member, path: &str) -> String {
    let elsewhere = keys::keys().find(|key| key.path == member.name || key.leaf() == member.name);
    if let Some(key) = elsewhere {
        return match key.section() {
            "" => format!(
                "unknown key `{path}`; `{}` stands at the top, in no section",
                key.path
            ),
            home => format!(
                "unknown key `{path}`; `{}` stands in the section `{home}`",
                key.leaf()
            ),
        };
    }
    let own = keys::keys().filter(|key| key.section() == section);
    let mut known: Vec<&str> = own.map(keys::Key::leaf).collect();
    if section.is_empty() {
        known.extend(SECTIONS.iter().skip(1).map(|section| section.name));
    }
    suggest::unknown(&member.name, &known)
}

// === impl Config ===

impl Config {
    /// The configuration of a file, or all defaults without one. Variables come from the environment.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = path else {
            return Ok(Self::from(RawConfig::default()));
        };
        let shown = path.display().to_string();
        let mut text = String::new();
        // One byte beyond what is allowed, so that the excess shows; a device never ends.
        let limit = document::TEXT_BYTES_MAX as u64 + 1;
        File::open(path)
            .and_then(|file| file.take(limit).read_to_string(&mut text))
            .map_err(|source| ConfigError::Read {
                path: shown.clone(),
                source,
            })?;
        let lookup = |name: &str| std::env::var(name).ok();
        parse(&text, &lookup).map(Self::from).map_err(|problems| {
            let count = match problems.iter().count() {
                1 => "1 problem".to_owned(),
                more => format!("{more} problems"),
            };
            ConfigError::Wrong {
                path: shown,
                count,
                problems,
            }
        })
    }

    /// The same with the hosts of the command line, which go before those of the file.
    #[must_use]
    pub fn with_urls(mut self, urls: &[String]) -> Self {
        if !urls.is_empty() {
            self.elasticsearch.settings.urls = urls.to_vec();
        }
        self
    }
}

impl From<RawConfig> for Config {
    fn from(raw: RawConfig) -> Self {
        let RawConfig {
            written,
            node,
            host,
            cluster,
            listen,
            listen_metrics,
            listen_ready,
            web_config,
            grace,
            elasticsearch,
            dead_letters,
            collect,
            redact,
            derive,
            discover,
            reserve,
            store,
            alerts,
            export,
        } = raw;
        let host_logs = || {
            ["/var/log/*.log", "/var/log/syslog", "/var/log/messages"]
                .map(str::to_owned)
                .to_vec()
        };
        Self {
            written,
            node,
            host,
            cluster: cluster.unwrap_or_default(),
            listen: listen.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 9797))),
            listen_metrics,
            listen_ready,
            web_config,
            elasticsearch: Cluster::from(elasticsearch),
            dead_letters_bytes: dead_letters.bytes.unwrap_or(1 << 30),
            grace: grace.unwrap_or(Duration::from_secs(10)),
            start: collect.start.unwrap_or(Start::Beginning),
            line_bytes_max: collect.line_bytes_max.unwrap_or(1 << 20),
            multiline: collect.multiline.unwrap_or(Multiline::Off),
            app: collect.app.unwrap_or(false),
            rate_limit: collect.rate_limit.flatten(),
            include: collect.include.unwrap_or_default(),
            exclude: collect.exclude.unwrap_or_default(),
            redact,
            derive: derive::RawSettings {
                series_max: derive.series_max.or(Some(derive::SERIES_MAX_DEFAULT)),
                ..derive
            },
            docker_roots: discover.docker_roots.unwrap_or_default(),
            volumes: discover.volumes.unwrap_or(true),
            volume_depth_max: discover.volume_depth_max.unwrap_or(5),
            volume_directories_max: discover.volume_directories_max.unwrap_or(4096),
            host_logs: discover.host_logs.unwrap_or_else(host_logs),
            rescan: discover.rescan.unwrap_or(Duration::from_mins(2)),
            reserve_bytes: reserve.bytes.unwrap_or(1 << 30),
            reserve_age: reserve.age.unwrap_or(Duration::from_hours(24)),
            retention_bytes: store.retention_bytes.unwrap_or(Some(10 << 30)),
            retention_age: store.retention_age.flatten(),
            alerts: Alerts::from(alerts),
            export: Export::from(export),
        }
    }
}

#[cfg(test)]
mod tests;
