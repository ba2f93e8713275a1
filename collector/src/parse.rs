//! What do these bytes say? The lines of a container's files become entries; pure over bytes, no I/O and no clock.
//!
//! A raw line is decoded by its file's format (`cri`, `json_file`, or as it is), the pieces of a split line are joined
//! per output (`unfinished`), stack traces are grouped when asked for (`group`, `trace`), and what is whole gets its
//! level, its UTF-8 and its JSON body checked (`finish`). [`Assembler`] holds what still waits for its end; nothing
//! that it was given leaves it unaccounted: the [`Emitted::bytes`] of all entries, the skipped bytes and
//! [`Assembler::pending_bytes`] together are the bytes that went in.

use std::time::Duration;

use record::origin::Format;
use record::{Entry, Timestamp};
use serde::{Deserialize, Serialize};

pub(crate) use self::app::object as app_of;
pub use self::assembler::{Assembler, RawLine, Scratch};
pub use self::level::level_of;

mod piece;

mod cri;

mod json_file;

mod level;

mod app;

mod trace;

mod finish;

mod unfinished;

mod group;

mod assembler;

#[cfg(test)]
mod laws;

#[cfg(test)]
mod tests;

/// The default of [`Settings::line_bytes_max`].
pub const LINE_BYTES_MAX_DEFAULT: usize = 1 << 20;

/// The least [`Settings::line_bytes_max`] that is honoured: a part must have room for a whole character.
pub const LINE_BYTES_MAX_LEAST: usize = 16;

/// How many parts of one endless line are held together at most.
///
/// The acknowledged position can't pass the beginning of a line whose end has not come, so that a replay cuts it the
/// same way. After this many parts the line counts as ended where the piece ends, and what follows is a new line.
pub const PARTS_MAX: u32 = 64;

/// How much longer than `line_bytes_max` a raw line may be before it must be handed over in pieces, in bytes.
///
/// A runtime's line has a head, and a json-file line is up to six times as long as the 16 KiB that it stands for.
const FRAME_BYTES_EXTRA: usize = 256 << 10;

/// Options of parsing; one for each selection of containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The longest message, in bytes after joining. What is longer is cut into numbered parts, never dropped.
    ///
    /// Default: 1 MiB ([`LINE_BYTES_MAX_DEFAULT`]); less than [`LINE_BYTES_MAX_LEAST`] counts as that.
    pub line_bytes_max: usize,
    /// Whether stack traces are grouped, and whose. Default: not.
    pub multiline: Option<Multiline>,
    /// Whether a message that is a JSON object is also given as `app`. Default: not.
    pub app: bool,
}

/// How lines are grouped into one record.
///
/// A line joins the group before it when it continues a stack trace by the preset's rules and its own time is at most
/// `gap` from the line before it. Our clock decides nothing but how long a last group waits, so a replay groups the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Multiline {
    /// Whose stack traces.
    pub preset: Preset,
    /// The most lines of one group; the next line begins another. Default: 500.
    pub lines_max: u32,
    /// The most bytes of one group, never more than `line_bytes_max`. Default: 1 MiB.
    pub bytes_max: usize,
    /// The longest time between two lines of a group, by their own times. Untimed text has none, so there only the
    /// rules count. Default: 1 s.
    pub gap: Duration,
}

/// Whose stack traces are grouped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// Any of the others.
    #[default]
    Auto,
    /// The JVM's `at …`, `Caused by: …`, and the exception's own line after a log line of at least `warn`.
    Java,
    /// `Traceback (most recent call last):` up to the exception, and the chains of them.
    Python,
    /// `panic: …` with its goroutines.
    Go,
    /// Node.js: `at …` and the printed source and properties of an error.
    Node,
    /// .NET: `at …`, inner exceptions, and the indented lines of the console logger.
    Dotnet,
}

/// Where a raw line, or a piece of one, is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The start of its file: `log.file.started`.
    pub started: i64,
    /// Where its first byte is in the file's uncompressed text.
    pub offset: u64,
    /// Where the next line begins: its line end is included.
    pub end: u64,
}

/// An entry with what the ledger and the record need to know beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Emitted<'a> {
    /// The start of the file that has its first piece; earlier than the line's own file only over a rotation.
    pub started: i64,
    /// How many bytes of input this entry accounts for, heads and line ends included. Every byte is in one entry only:
    /// a piece that was cut counts whole in the part that it began or filled, so a later part can have 0.
    pub bytes: u64,
    /// The entry.
    pub entry: Entry<'a>,
}

/// Why what is pending must be given out now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// The container ended, or was started again: what its last words lack will not come.
    ContainerEnded,
    /// The stream was read to its end and our clock says this: groups whose time has passed are given out.
    GroupExpired(Timestamp),
    /// Nothing more is read (`--until-drained`): each file's end counts as its container's.
    Drained,
}

/// What happened to the lines of one stream, since the assembler was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ParseCounts {
    /// NUL bytes before a line (holes of a truncated or sparse file), with the line end where nothing else was there.
    pub skipped_bytes: u64,
    /// Entries with bytes that were not UTF-8.
    pub invalid_utf8: u64,
    /// Entries that are not in their file's format.
    pub unparsed: u64,
    /// Entries whose end never came.
    pub unfinished: u64,
    /// Parts of lines beyond `line_bytes_max`.
    pub parts: u64,
    /// Groups of more than one line.
    pub groups: u64,
}

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self {
            line_bytes_max: LINE_BYTES_MAX_DEFAULT,
            multiline: None,
            app: false,
        }
    }
}

impl Settings {
    /// How many bytes without a newline make a raw line that must be handed over in pieces ([`Assembler::piece`]).
    ///
    /// Cut exactly there, counted from the line's first byte, so that a replay cuts the same.
    pub fn frame_bytes_max(&self) -> usize {
        self.message_bytes_max().saturating_add(FRAME_BYTES_EXTRA)
    }

    /// `line_bytes_max`, but enough for a character.
    fn message_bytes_max(&self) -> usize {
        self.line_bytes_max.max(LINE_BYTES_MAX_LEAST)
    }
}

// === impl Multiline ===

impl Multiline {
    /// The default limits for a preset.
    pub fn new(preset: Preset) -> Self {
        Self {
            preset,
            lines_max: 500,
            bytes_max: 1 << 20,
            gap: Duration::from_secs(1),
        }
    }
}

/// The time of a file's first line; `None` for untimed text and for what is not in the format.
pub fn first_time(format: Format, line: &[u8]) -> Option<Timestamp> {
    match format {
        Format::Cri => cri::decode(line).ok().map(|piece| piece.time),
        Format::JsonFile => json_file::decode(line, &mut Vec::new())
            .ok()
            .map(|piece| piece.time),
        Format::Text => None,
    }
}
