//! How does an answer look? Lines for people, whole documents for programs, or the messages alone.
//!
//! Whether colours may be used and whether a terminal reads the text are parameters, as is the zone of the times.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use jiff::tz::TimeZone;
use record::document::Rendered;
use record::{Document, File, Level, Tags, Timestamp};
use store::Predicate;

use crate::backend::Item;
use crate::times;

mod visible;

mod highlight;

use highlight::Highlight;

/// What is written of each line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `TIME  namespace/pod/container  message`
    Text,
    /// The document as one JSON object a line, and nothing else.
    Json,
    /// The message and nothing else.
    Raw,
}

/// How lines are shown.
#[derive(Clone, Debug)]
pub struct Options {
    /// What is written of each line.
    pub format: Format,
    /// Whether colours may be used: a terminal, and no `NO_COLOR`.
    pub colour: bool,
    /// Whether a terminal reads it: then nothing that a message holds may steer it.
    pub terminal: bool,
    /// Whether the answer has lines beside the hits: then `:` stands after the place of a hit, `-` after others'.
    pub context: bool,
    /// The zone of the times.
    pub zone: TimeZone,
}

/// Writes an answer's items as text.
#[derive(Debug)]
pub struct Renderer {
    options: Options,
    highlight: Highlight,
    rendered: HashMap<usize, (Arc<File>, Rendered)>,
}

/// How many files' constant parts are kept ready.
const FILES_MAX: usize = 256;
const RESET: &str = "\u{1b}[0m";
const DIM: &str = "\u{1b}[2m";
const MARK: &str = "\u{1b}[1;4m";
const LOSS: &str = "\u{1b}[1;35m";
/// The colours of places: readable on dark and on bright ground, and none that a level has.
const PLACES: [&str; 8] = [
    "\u{1b}[36m",
    "\u{1b}[32m",
    "\u{1b}[34m",
    "\u{1b}[35m",
    "\u{1b}[96m",
    "\u{1b}[92m",
    "\u{1b}[94m",
    "\u{1b}[95m",
];

// === impl Renderer ===

impl Renderer {
    /// Shows answers to `predicate`, whose hits are marked.
    pub fn new(options: Options, predicate: &Predicate) -> Self {
        let wanted = if options.colour {
            predicate
        } else {
            &Predicate::All
        };
        Self {
            highlight: Highlight::new(wanted),
            options,
            rendered: HashMap::new(),
        }
    }

    /// Appends an item with its newline. An [`Item::Break`] is `--` in text and nothing elsewhere.
    pub fn write(&mut self, item: &Item, out: &mut Vec<u8>) {
        match (self.options.format, item) {
            (Format::Text, Item::Break) if self.options.colour => {
                out.extend_from_slice(format!("{DIM}--{RESET}\n").as_bytes());
            }
            (Format::Text, Item::Break) => out.extend_from_slice(b"--\n"),
            (Format::Json | Format::Raw, Item::Break) => {}
            (Format::Text, Item::Hit(line)) => self.text(line, true, out),
            (Format::Text, Item::Context(line)) => self.text(line, false, out),
            (Format::Json, Item::Hit(line) | Item::Context(line)) => self.json(line, out),
            (Format::Raw, Item::Hit(line) | Item::Context(line)) => self.raw(line, out),
        }
    }

    fn json(&mut self, line: &Document, out: &mut Vec<u8>) {
        let key = Arc::as_ptr(&line.file) as usize;
        if FILES_MAX <= self.rendered.len() && !self.rendered.contains_key(&key) {
            self.rendered.clear();
        }
        let start = out.len();
        // The file is kept beside its text, so that its address can't come to mean another.
        let (_, rendered) = self
            .rendered
            .entry(key)
            .or_insert_with(|| (Arc::clone(&line.file), Rendered::new(&line.file)));
        rendered.write_json(&line.record().entry, out);
        // A body that is kept as it was may have line feeds between its members, where a space means the same.
        for byte in out.iter_mut().skip(start) {
            if matches!(byte, b'\n' | b'\r') {
                *byte = b' ';
            }
        }
        if self.options.terminal {
            escape_steering(out, start);
        }
        out.push(b'\n');
    }

    fn raw(&self, line: &Document, out: &mut Vec<u8>) {
        if self.options.terminal {
            let mut text = String::with_capacity(line.message.len());
            visible::push(&line.message, &mut text);
            out.extend_from_slice(text.as_bytes());
        } else {
            out.extend_from_slice(line.message.as_bytes());
        }
        out.push(b'\n');
    }

    fn text(&self, line: &Document, hit: bool, out: &mut Vec<u8>) {
        let mut text = String::with_capacity(96 + line.message.len());
        let colour = self.options.colour;
        if colour {
            text.push_str(DIM);
        }
        self.time(line.time, &mut text);
        if colour {
            text.push_str(RESET);
        }
        text.push_str("  ");
        let place = place(&line.file);
        if colour {
            text.push_str(place_colour(&line.file.origin.stream));
        }
        visible::push(&place, &mut text);
        if colour {
            text.push_str(RESET);
        }
        text.push_str(match (self.options.context, hit) {
            (false, _) => "  ",
            (true, true) => ": ",
            (true, false) => "- ",
        });
        if line.tags.contains(Tags::GAP) {
            self.gap(line, &mut text);
        } else {
            self.message(line, hit, &mut text);
        }
        text.push('\n');
        out.extend_from_slice(text.as_bytes());
    }

    /// `2026-11-21 10:00:00.123` on the clocks of the zone: what `--since` reads back.
    fn time(&self, time: Timestamp, out: &mut String) {
        match times::zoned(time, &self.options.zone) {
            Some(zoned) => {
                let (year, month, day) = (zoned.year(), zoned.month(), zoned.day());
                let (hour, minute, second) = (zoned.hour(), zoned.minute(), zoned.second());
                let millisecond = zoned.millisecond();
                // Writing to a String can't fail.
                write!(
                    out,
                    "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{millisecond:03}"
                )
                .unwrap_or_default();
            }
            None => out.push_str(&time.to_string()),
        }
    }

    fn message(&self, line: &Document, hit: bool, out: &mut String) {
        let mut message = String::with_capacity(line.message.len());
        if self.options.terminal {
            visible::push(&line.message, &mut message);
        } else {
            visible::push_kept(&line.message, &mut message);
        }
        if !self.options.colour {
            out.push_str(&message);
            return;
        }
        let base = if hit { level_colour(line.level) } else { DIM };
        out.push_str(base);
        let mut done = 0;
        if hit {
            for mark in self.highlight.places(&message) {
                out.push_str(message.get(done..mark.start).unwrap_or_default());
                out.push_str(MARK);
                out.push_str(message.get(mark.clone()).unwrap_or_default());
                out.push_str(RESET);
                out.push_str(base);
                done = mark.end;
            }
        }
        out.push_str(message.get(done..).unwrap_or_default());
        out.push_str(RESET);
    }

    /// `⋯ 412 KB lost here: deleted`
    fn gap(&self, line: &Document, out: &mut String) {
        let (start, end) = if self.options.colour {
            (LOSS, RESET)
        } else {
            ("", "")
        };
        out.push_str(start);
        out.push_str("⋯ ");
        match line
            .end
            .checked_sub(line.offset)
            .filter(|_| line.end_started == line.file.started)
        {
            Some(lost) => out.push_str(&bytes(lost)),
            None => out.push_str("some bytes"),
        }
        out.push_str(" lost here: ");
        visible::push(line.error.as_deref().unwrap_or(&line.message), out);
        out.push_str(end);
    }
}

/// Whose line it is: `namespace/pod/container`, a Docker container's name, or a file's path.
fn place(file: &File) -> String {
    let origin = &file.origin;
    let container = origin.container_name();
    match &origin.pod {
        Some(pod) => {
            let name = if pod.name.is_empty() {
                &pod.uid
            } else {
                &pod.name
            };
            // A file in a volume has no container: its own name tells it from others.
            let last = match container {
                "" => file.path.rsplit('/').next().unwrap_or_default(),
                container => container,
            };
            let namespace = match pod.namespace.as_str() {
                "" => "-",
                namespace => namespace,
            };
            format!("{namespace}/{name}/{last}")
        }
        None if container.is_empty() => file.path.clone(),
        None => container.to_owned(),
    }
}

/// One colour for a stream, the same in every answer.
fn place_colour(stream: &str) -> &'static str {
    // FNV-1a: stable across versions, which the standard library's hash does not promise.
    let hash = stream
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    PLACES
        .get((hash % PLACES.len() as u64) as usize)
        .copied()
        .unwrap_or_default()
}

fn level_colour(level: Level) -> &'static str {
    match level {
        Level::Fatal => "\u{1b}[1;31m",
        Level::Error => "\u{1b}[31m",
        Level::Warn => "\u{1b}[33m",
        Level::Info | Level::Unknown => "",
        Level::Debug | Level::Trace => DIM,
    }
}

/// `412 KB`, with three digits or fewer of a unit of thousands.
fn bytes(count: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KB", "MB", "GB", "TB", "PB", "EB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let decimals = usize::from(unit > 0 && value < 9.95);
    format!(
        "{value:.decimals$} {}",
        UNITS.get(unit).copied().unwrap_or_default()
    )
}

/// Writes what could steer a terminal as JSON escapes: the document stays the same to whoever parses it.
fn escape_steering(out: &mut Vec<u8>, start: usize) {
    let Some(Ok(json)) = out.get(start..).map(std::str::from_utf8) else {
        return;
    };
    // Within strings the controls of ASCII are escaped already; a tab between members is harmless.
    let steers = |char: char| char != '\t' && visible::steers(char);
    if !json.chars().any(steers) {
        return;
    }
    let mut escaped = String::with_capacity(json.len() + 64);
    for char in json.chars() {
        if steers(char) {
            // All of them lie in the basic plane. Writing to a String can't fail.
            write!(escaped, "\\u{:04x}", u32::from(char)).unwrap_or_default();
        } else {
            escaped.push(char);
        }
    }
    out.truncate(start);
    out.extend_from_slice(escaped.as_bytes());
}

#[cfg(test)]
mod tests;
