//! A whole message becomes an entry: its bytes are made UTF-8, its level and its JSON body are found.

use record::{Entry, Level, OutputStream, Position, Tags, Timestamp};

use super::{Emitted, ParseCounts, Settings, app, level_of};

/// A line that is whole, a part of one, or a group, before its bytes were looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whole<'a> {
    pub(super) text: &'a [u8],
    pub(super) time: Timestamp,
    pub(super) output: OutputStream,
    /// Where its first piece begins.
    pub(super) first: Position,
    /// Where its last piece ends.
    pub(super) end: Position,
    /// How many bytes of input it accounts for.
    pub(super) bytes: u64,
    pub(super) part: u32,
    pub(super) tags: Tags,
    pub(super) error: Option<&'static str>,
    /// The level, if it was found before.
    pub(super) level: Option<Level>,
}

/// The way out: what every finished message needs.
#[derive(Debug)]
pub(super) struct Exit<'a, F> {
    pub(super) settings: &'a Settings,
    /// Takes a message whose bytes had to be replaced.
    pub(super) replaced: &'a mut String,
    pub(super) counts: &'a mut ParseCounts,
    pub(super) emit: &'a mut F,
}

// === impl Exit ===

impl<F: FnMut(Emitted<'_>)> Exit<'_, F> {
    /// Gives out one message as an entry.
    pub(super) fn emit(&mut self, whole: &Whole<'_>) {
        let mut tags = whole.tags;
        let message = if let Ok(message) = simdutf8::basic::from_utf8(whole.text) {
            message
        } else {
            tags = tags.with(Tags::INVALID_UTF8);
            replace_invalid(whole.text, self.replaced);
            self.replaced.as_str()
        };
        let ordinary = whole.part == 0 && whole.error.is_none();
        let app = if self.settings.app && ordinary {
            app::object(message)
        } else {
            None
        };
        self.counts.invalid_utf8 += u64::from(tags.contains(Tags::INVALID_UTF8));
        self.counts.unparsed += u64::from(tags.contains(Tags::UNPARSED));
        self.counts.parts += u64::from(whole.part > 0);
        self.counts.groups += u64::from(tags.contains(Tags::MULTILINE));
        (self.emit)(Emitted {
            started: whole.first.started,
            bytes: whole.bytes,
            entry: Entry {
                time: whole.time,
                output: whole.output,
                level: whole.level.unwrap_or_else(|| level_of(message.as_bytes())),
                message,
                offset: whole.first.offset,
                end: whole.end.offset,
                end_started: whole.end.started,
                part: whole.part,
                tags,
                app,
                error: whole.error,
            },
        });
    }
}

/// Fills `out` with the text, U+FFFD in place of each longest run that can't be UTF-8.
fn replace_invalid(text: &[u8], out: &mut String) {
    out.clear();
    for chunk in text.utf8_chunks() {
        out.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            out.push(char::REPLACEMENT_CHARACTER);
        }
    }
}
