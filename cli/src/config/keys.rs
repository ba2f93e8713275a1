//! Which keys are there? The one table that reading, checking, the schema and the manual are made from.

use std::time::Duration;

use super::raw::RawConfig;
use super::values::Read;
use yaml::document::Node;

mod alerts;
mod collect;
mod dead_letters;
mod derive;
mod discover;
mod elasticsearch;
mod export;
mod redact;
mod reserve;
mod store;
mod top;

/// One key of the configuration.
#[derive(Debug)]
pub struct Key {
    /// Its path, sections separated by dots.
    pub path: &'static str,
    /// What holds when it is not set, as it would be written.
    pub default: &'static str,
    /// What it does.
    pub effect: &'static str,
    /// What its least, greatest and special values mean.
    pub edges: &'static str,
    /// Who should change it.
    pub who: &'static str,
    /// What may be written there, for the schema; the reader is stricter.
    pub kind: Kind,
    /// Whether a change takes effect with SIGHUP; else it does with the next start.
    pub live: bool,
    /// Reads its value into the configuration.
    pub(super) set: fn(&mut RawConfig, &Node) -> Read<()>,
}

/// What a value looks like.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A name of at most 253 bytes.
    Name,
    /// A text that must not be shown.
    Secret,
    /// An absolute path.
    Path,
    /// `true` or `false`.
    Flag,
    /// A size with a unit.
    Bytes,
    /// The same, or `none`.
    BytesOrNone,
    /// A size per second, or `none`.
    RateOrNone,
    /// A duration with a unit.
    Duration,
    /// The same, or `none`.
    DurationOrNone,
    /// A whole number, from and to.
    Count(u64, u64),
    /// An address and port.
    Address,
    /// `beginning`, `end` or an age.
    Start,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of absolute globs.
    PathGlobs,
    /// A list of sections of globs.
    Rules,
    /// A list of names.
    Texts,
    /// A list of sections, each of which makes a metric.
    DeriveRules,
    /// A list of names, and of sections with a name and an expression.
    Patterns,
    /// One URL or a list of them.
    Urls,
    /// One URL.
    Url,
    /// A list of words.
    Names,
}

/// One section: its name and the question it answers.
#[derive(Debug)]
pub struct Section {
    /// Its key; empty for what stands in no section.
    pub name: &'static str,
    /// What its keys are about.
    pub about: &'static str,
    /// Its keys, in the order of the manual.
    pub keys: &'static [Key],
}

/// Every section, in the order of the manual; the first is the top of the file.
pub const SECTIONS: &[Section] = &[
    Section {
        name: "",
        about: "",
        keys: top::KEYS,
    },
    Section {
        name: "elasticsearch",
        about: "Where lines are shipped to and read from, instead of the embedded store.",
        keys: elasticsearch::KEYS,
    },
    Section {
        name: "dead_letters",
        about: "What becomes of lines that Elasticsearch refuses for good.",
        keys: dead_letters::KEYS,
    },
    Section {
        name: "collect",
        about: "Which lines are taken, and how they are read.",
        keys: collect::KEYS,
    },
    Section {
        name: "redact",
        about: "Which words never leave the node.",
        keys: redact::KEYS,
    },
    Section {
        name: "derive",
        about: "Which metrics are made from lines, beside `log_messages_total`.",
        keys: derive::KEYS,
    },
    Section {
        name: "discover",
        about: "Where log files are looked for, beside the pods' own directory.",
        keys: discover::KEYS,
    },
    Section {
        name: "reserve",
        about: "How unread files outlive their deletion.",
        keys: reserve::KEYS,
    },
    Section {
        name: "store",
        about: "How long the embedded store keeps lines.",
        keys: store::KEYS,
    },
    Section {
        name: "alerts",
        about: "Where `nodetap why` and the page read which alerts fire.",
        keys: alerts::KEYS,
    },
    Section {
        name: "export",
        about: "What the exporter shows of the node's plumbing, and who must answer for the node to be ready.",
        keys: export::KEYS,
    },
];

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const TIB: u64 = 1 << 40;
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const YEARS: Duration = Duration::from_hours(24 * 3660);

/// Every key, in the order of the manual.
pub fn keys() -> impl Iterator<Item = &'static Key> {
    SECTIONS.iter().flat_map(|section| section.keys)
}

// === impl Key ===

impl Key {
    /// Its name within its section.
    pub fn leaf(&self) -> &'static str {
        self.path
            .rsplit_once('.')
            .map_or(self.path, |(_, leaf)| leaf)
    }

    /// Its section; empty at the top.
    pub fn section(&self) -> &'static str {
        self.path.split_once('.').map_or("", |(section, _)| section)
    }

    /// Whether the default can be written into a file as it stands; some depend on the machine.
    pub fn default_is_written(&self) -> bool {
        !self.default.contains("the ") && self.default != "nothing"
    }
}
