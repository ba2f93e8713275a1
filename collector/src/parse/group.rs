//! Lines that may become one record: a stack trace, held until a line that does not continue it.
//!
//! What belongs together is decided by the lines and their own times alone. Our clock only says when no further line is
//! waited for.

use record::{Level, OutputStream, Position, Tags, Timestamp};

use super::finish::Whole;
use super::trace::Trace;
use super::{Multiline, level_of};

/// How much later than a group's `gap` its last line may reach us and still join, in nanoseconds.
///
/// The runtime writes a line some milliseconds after the time that it gives it; a busy disk makes that longer.
const SLACK_NANOS: i64 = 500_000_000;

/// The lines of one output that are held. One for each output at most, of at most `bytes_max` bytes.
#[derive(Debug)]
pub(super) struct Group {
    text: Vec<u8>,
    time: Timestamp,
    output: OutputStream,
    /// Where the first line begins: a replay must begin here.
    pub(super) first: Position,
    end: Position,
    /// How many bytes of input it accounts for.
    pub(super) bytes: u64,
    lines: u32,
    level: Level,
    tags: Tags,
    trace: Trace,
    /// The last line's own time.
    last: Timestamp,
    /// When it need not wait any longer.
    pub(super) expires: Timestamp,
}

/// What a line is to the group before it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Belongs {
    /// The next line of it.
    Joins,
    /// The next line of a trace that is too long for one group: it begins another, which knows what came before.
    Overflows(Trace),
    /// The first line of another.
    Apart,
}

/// What a line's time is worth.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// Whether it is the line's own, and not ours.
    pub(super) own: bool,
    /// When we saw the line.
    pub(super) seen: Timestamp,
}

// === impl Group ===

impl Group {
    /// A group of one line; `buffer` is empty. `before` is what a trace that overflowed was.
    pub(super) fn begin(
        options: &Multiline,
        line: &Whole<'_>,
        moment: Moment,
        before: Option<Trace>,
        mut buffer: Vec<u8>,
    ) -> Self {
        let level = level_of(line.text);
        buffer.extend_from_slice(line.text);
        Self {
            text: buffer,
            time: line.time,
            output: line.output,
            first: line.first,
            end: line.end,
            bytes: line.bytes,
            lines: 1,
            level,
            tags: line.tags,
            trace: before.unwrap_or_else(|| Trace::begin(options.preset, line.text, level)),
            last: line.time,
            expires: expiry(options, line.time, moment),
        }
    }

    /// Whether the line belongs to this group, `limit` being the most bytes of a message.
    pub(super) fn belongs(
        &mut self,
        options: &Multiline,
        line: &Whole<'_>,
        moment: Moment,
        limit: usize,
    ) -> Belongs {
        let apart = u128::from(line.time.0.abs_diff(self.last.0));
        let near = !moment.own || apart <= options.gap.as_nanos();
        if !near || !self.trace.continues(line.text) {
            return Belongs::Apart;
        }
        let length = self.text.len() + 1 + line.text.len();
        if self.lines >= options.lines_max || length > limit.min(options.bytes_max) {
            return Belongs::Overflows(self.trace);
        }
        Belongs::Joins
    }

    /// Adds a line that joins.
    pub(super) fn add(&mut self, options: &Multiline, line: &Whole<'_>, moment: Moment) {
        self.text.push(b'\n');
        self.text.extend_from_slice(line.text);
        self.end = line.end;
        self.bytes += line.bytes;
        self.lines += 1;
        self.tags = self.tags.with(line.tags).with(Tags::MULTILINE);
        self.last = line.time;
        self.expires = expiry(options, line.time, moment);
    }

    /// The message of all lines, joined by newlines.
    pub(super) fn whole(&self) -> Whole<'_> {
        Whole {
            text: &self.text,
            time: self.time,
            output: self.output,
            first: self.first,
            end: self.end,
            bytes: self.bytes,
            part: 0,
            tags: self.tags,
            error: None,
            level: Some(self.level),
        }
    }

    /// How many bytes of memory the text takes.
    pub(super) fn capacity(&self) -> usize {
        self.text.capacity()
    }

    /// The buffer, for another group.
    pub(super) fn into_buffer(self) -> Vec<u8> {
        self.text
    }
}

/// A line from the future does not wait for it, and one from the past has waited enough.
fn expiry(options: &Multiline, time: Timestamp, moment: Moment) -> Timestamp {
    let last = if moment.own {
        time.min(moment.seen)
    } else {
        moment.seen
    };
    let gap = i64::try_from(options.gap.as_nanos()).unwrap_or(i64::MAX);
    Timestamp(last.0.saturating_add(gap).saturating_add(SLACK_NANOS))
}
