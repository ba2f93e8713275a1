//! What should this node do? One YAML file, every key optional, every mistake reported at once with its line.
//!
//! [`parse`] is pure: text to [`RawConfig`] or [`Problems`]. [`Config`] is what remains once defaults are filled in.

use std::fs::File;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use collector::discover::RawRule;

mod suggest;

pub mod units;

pub mod problem;

pub mod document;

pub mod raw;

mod values;

pub mod keys;

pub mod manual;

pub use problem::{Problem, Problems};
pub use raw::{Multiline, RawConfig, Start};

use document::{Member, Value};
use keys::{KEYS, SECTIONS};

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
    /// `kubernetes.node.name`; `None` leaves it to the environment.
    pub node: Option<String>,
    /// `host.name`; `None` leaves it to the machine.
    pub host: Option<String>,
    /// `orchestrator.cluster.name`; empty when not set.
    pub cluster: String,
    /// Where HTTP is served.
    pub listen: SocketAddr,
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
}

/// Reads a configuration's text; pure.
pub fn parse(text: &str) -> Result<RawConfig, Problems> {
    let root = document::read(text)?;
    let members = match root.value {
        Value::Section(members) => members,
        Value::Nothing => Vec::new(),
        Value::Text(_) | Value::List(_) => {
            return Err(Problem::at(
                root.line,
                "expected sections and keys, as in `listen: 127.0.0.1:9797`",
            )
            .into());
        }
    };
    let mut raw = RawConfig::default();
    let mut problems = Vec::new();
    for member in &members {
        top(&mut raw, member, &mut problems);
    }
    if problems.is_empty() {
        Ok(raw)
    } else {
        Err(Problems::new(problems))
    }
}

fn top(raw: &mut RawConfig, member: &Member, problems: &mut Vec<Problem>) {
    if let Some(section) = SECTIONS.iter().find(|section| section.name == member.name) {
        match &member.node.value {
            Value::Section(members) => {
                for inner in members {
                    set(raw, Some(section.name), inner, problems);
                }
            }
            Value::Nothing => {}
            Value::Text(_) | Value::List(_) => {
                let text = format!(
                    "{} is a section: its keys stand below it, indented",
                    section.name
                );
                problems.push(Problem::at(member.node.line, text));
            }
        }
    } else {
        set(raw, None, member, problems);
    }
}

fn set(raw: &mut RawConfig, section: Option<&str>, member: &Member, problems: &mut Vec<Problem>) {
    let path = match section {
        Some(section) => format!("{section}.{}", member.name),
        None => member.name.clone(),
    };
    let Some(key) = KEYS.iter().find(|key| key.path == path) else {
        problems.push(Problem::at(member.line, unknown(section, member, &path)));
        return;
    };
    if member.node.value == Value::Nothing {
        return;
    }
    if let Err(found) = (key.set)(raw, &member.node) {
        problems.extend(found.into_iter().map(|problem| Problem {
            text: format!("{path}: {}", problem.text),
            ..problem
        }));
    }
}

/// The sentence for a key that is not there; knows keys that stand in another section.
fn unknown(section: Option<&str>, member: &Member, path: &str) -> String {
    let leaf = |path: &'static str| path.rsplit_once('.').map_or(path, |(_, leaf)| leaf);
    let elsewhere = KEYS
        .iter()
        .find(|key| key.path == member.name || leaf(key.path) == member.name);
    if let Some(key) = elsewhere {
        return match key.path.split_once('.') {
            Some((home, leaf)) => {
                format!("unknown key `{path}`; `{leaf}` stands in the section `{home}`")
            }
            None => format!(
                "unknown key `{path}`; `{}` stands at the top, in no section",
                key.path
            ),
        };
    }
    let own = KEYS
        .iter()
        .filter(|key| key.path.split_once('.').map(|(home, _)| home) == section);
    let mut known: Vec<&str> = own.map(|key| leaf(key.path)).collect();
    if section.is_none() {
        known.extend(SECTIONS.iter().map(|section| section.name));
    }
    suggest::unknown(&member.name, &known)
}

// === impl Config ===

impl Config {
    /// The configuration of a file, or all defaults without one.
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
        parse(&text).map(Self::from).map_err(|problems| {
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
}

impl From<RawConfig> for Config {
    fn from(raw: RawConfig) -> Self {
        let RawConfig {
            node,
            host,
            cluster,
            listen,
            grace,
            collect,
            discover,
            reserve,
            store,
        } = raw;
        let host_logs = || {
            ["/var/log/*.log", "/var/log/syslog", "/var/log/messages"]
                .map(str::to_owned)
                .to_vec()
        };
        Self {
            node,
            host,
            cluster: cluster.unwrap_or_default(),
            listen: listen.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 9797))),
            grace: grace.unwrap_or(Duration::from_secs(10)),
            start: collect.start.unwrap_or(Start::Beginning),
            line_bytes_max: collect.line_bytes_max.unwrap_or(1 << 20),
            multiline: collect.multiline.unwrap_or(Multiline::Off),
            app: collect.app.unwrap_or(false),
            rate_limit: collect.rate_limit.flatten(),
            include: collect.include.unwrap_or_default(),
            exclude: collect.exclude.unwrap_or_default(),
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
        }
    }
}

#[cfg(test)]
mod tests;
