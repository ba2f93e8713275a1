//! What does one line say? A borrowed view into a read buffer.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// One parsed line, or several joined ones, borrowed from read buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// `@timestamp`: the line's own time; for untimed text the time it was first seen.
    pub time: Timestamp,
    /// `stream`: which output the container wrote it to.
    pub output: OutputStream,
    /// `log.level`
    pub level: Level,
    /// `message`, without its line end.
    pub message: &'a str,
    /// `log.offset`: where its first piece begins in the file's uncompressed text.
    pub offset: u64,
    /// Where its last piece ends, line end included, in the file that began at `end_started`.
    pub end: u64,
    /// The start of the file in which the last piece ends; another than the record's own only over a rotation.
    pub end_started: i64,
    /// `log.part`: 0 for a whole line, else the number (from 1) of this piece of a line beyond `line_bytes_max`.
    pub part: u32,
    /// `tags`
    pub tags: Tags,
    /// `app`: the body as a JSON object's text, when asked for.
    pub app: Option<&'a str>,
    /// `error.message`: what could not be understood about the line.
    pub error: Option<&'a str>,
}

/// Which of a container's outputs a line came from.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum OutputStream {
    /// A file that has no such distinction.
    #[default]
    None,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// How grave a line is, by its own words. `Unknown` sorts lowest.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The line does not tell.
    #[default]
    Unknown,
    /// `trace`
    Trace,
    /// `debug`
    Debug,
    /// `info`
    Info,
    /// `warn`
    Warn,
    /// `error`
    Error,
    /// `fatal`
    Fatal,
}

/// What is particular about a record: a set of [`Tags::PARTIAL`] and its like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tags(pub u8);

// === impl OutputStream ===

impl OutputStream {
    /// Every value, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::None, Self::Stdout, Self::Stderr];

    /// `stdout`, `stderr`, or the empty text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

// === impl Level ===

impl Level {
    /// Every value, lowest first; the index of each is its number in the store.
    pub const ALL: [Self; 7] = [
        Self::Unknown,
        Self::Trace,
        Self::Debug,
        Self::Info,
        Self::Warn,
        Self::Error,
        Self::Fatal,
    ];

    /// `error` and its like; `unknown` where the line does not tell.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }

    /// Reads a level's usual spellings (`WARNING`, `err`, `CRITICAL` …), without regard to case.
    pub fn from_word(word: &[u8]) -> Option<Self> {
        let is = |names: &[&str]| {
            names
                .iter()
                .any(|name| word.eq_ignore_ascii_case(name.as_bytes()))
        };
        if is(&["info", "information", "notice", "informational"]) {
            Some(Self::Info)
        } else if is(&["warn", "warning"]) {
            Some(Self::Warn)
        } else if is(&["error", "err", "severe"]) {
            Some(Self::Error)
        } else if is(&["debug", "dbg", "fine", "config"]) {
            Some(Self::Debug)
        } else if is(&["trace", "finer", "finest", "verbose"]) {
            Some(Self::Trace)
        } else if is(&[
            "fatal",
            "critical",
            "crit",
            "panic",
            "emerg",
            "emergency",
            "alert",
            "dpanic",
        ]) {
            Some(Self::Fatal)
        } else {
            None
        }
    }
}

// === impl Tags ===

impl Tags {
    /// Nothing particular.
    pub const NONE: Self = Self(0);
    /// A piece of a line: its end never came, or it is one part of a line beyond the limit.
    pub const PARTIAL: Self = Self(1);
    /// Text that had to be cut.
    pub const TRUNCATED: Self = Self(2);
    /// Not a line: says that bytes are missing here, and why.
    pub const GAP: Self = Self(4);
    /// Bytes that were not UTF-8 were replaced by U+FFFD.
    pub const INVALID_UTF8: Self = Self(8);
    /// Several lines grouped into one record.
    pub const MULTILINE: Self = Self(16);
    /// The line is not in its file's format; the whole of it is the message.
    pub const UNPARSED: Self = Self(32);

    const NAMES: [(Self, &'static str); 6] = [
        (Self::PARTIAL, "partial"),
        (Self::TRUNCATED, "truncated"),
        (Self::GAP, "gap"),
        (Self::INVALID_UTF8, "invalid_utf8"),
        (Self::MULTILINE, "multiline"),
        (Self::UNPARSED, "unparsed"),
    ];

    /// Both sets together.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is in this set.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The names in this set, as documents have them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES
            .into_iter()
            .filter(move |(tag, _)| self.contains(*tag))
            .map(|(_, name)| name)
    }

    /// The tag of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES
            .into_iter()
            .find(|(_, own)| *own == name)
            .map(|(tag, _)| tag)
    }
}
