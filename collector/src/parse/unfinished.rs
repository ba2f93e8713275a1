//! A line of which pieces have come and the end has not: joined, and cut where it grows beyond the limit.
//!
//! A cut is made by the text alone, at exactly `line_bytes_max` bytes or before the character there, so that it does not
//! matter how the runtime, or our own reading, cut the line. A part begins and ends at the very bytes in the file where
//! that is known (a json-file's escapes make it an estimate inside the same line), so that no two records share an
//! offset and the order by offset is exact.

use record::{OutputStream, Position, Tags, Timestamp};

use super::finish::Whole;

/// Where the input that is being added stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// The raw line's beginning.
    pub(super) head: Position,
    /// The offset of the text's first byte.
    pub(super) text: u64,
    /// Where the raw line ends.
    pub(super) end: Position,
}

/// A line that waits for its end. One for each output at most; its text never exceeds `line_bytes_max`.
#[derive(Debug)]
pub(super) struct Unfinished {
    /// The text of the part that is being filled.
    text: Vec<u8>,
    pub(super) time: Timestamp,
    output: OutputStream,
    /// Where the line begins: a replay must begin here.
    pub(super) begins: Position,
    /// Where the part that is being filled begins.
    first: Position,
    /// Where the newest piece ends.
    end: Position,
    /// Where the newest piece that had text ends.
    text_end: Position,
    /// Where the pieces without text begin that came after it.
    empty_from: Option<Position>,
    /// How many parts were given out.
    pub(super) parts: u32,
    /// Bytes of input that no part has accounted for.
    pub(super) bytes: u64,
    tags: Tags,
    error: Option<&'static str>,
    /// Length of the newest piece's text in bytes.
    newest_length: usize,
    /// What a cut before each of the last three bytes would be: a cut may have to go back by so many.
    tail: [(Position, Position); 3],
}

/// What a line's first piece says for all of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opening {
    pub(super) time: Timestamp,
    pub(super) output: OutputStream,
    pub(super) tags: Tags,
    pub(super) error: Option<&'static str>,
}

// === impl Unfinished ===

impl Unfinished {
    /// A line without text yet; `text` is an empty buffer to fill.
    pub(super) fn new(opening: Opening, begins: Position, text: Vec<u8>) -> Self {
        Self {
            text,
            time: opening.time,
            output: opening.output,
            begins,
            first: begins,
            end: begins,
            text_end: begins,
            empty_from: None,
            parts: 0,
            bytes: 0,
            tags: opening.tags,
            error: opening.error,
            newest_length: 0,
            tail: [(begins, begins); 3],
        }
    }

    /// Length of the newest piece's text in bytes.
    pub(super) fn newest_length(&self) -> usize {
        self.newest_length
    }

    /// Length of the text that waits, in bytes.
    pub(super) fn held_length(&self) -> usize {
        self.text.len()
    }

    /// How many bytes of memory the text takes.
    pub(super) fn capacity(&self) -> usize {
        self.text.capacity()
    }

    /// The buffer, for another line.
    pub(super) fn into_buffer(self) -> Vec<u8> {
        self.text
    }

    /// Adds to what is particular about the line.
    pub(super) fn mark(&mut self, tags: Tags) {
        self.tags = self.tags.with(tags);
    }

    /// Adds a piece that accounts for `bytes` of input; gives every part that is full to `part`.
    pub(super) fn add(
        &mut self,
        text: &[u8],
        place: Place,
        bytes: u64,
        limit: usize,
        mut part: impl FnMut(&Whole<'_>),
    ) {
        let started = place.head.started;
        let mut rest = text;
        let mut at = place.text;
        let mut bytes = bytes;
        while self.text.len() + rest.len() > limit {
            let room = limit - self.text.len();
            let back = steps_back(&self.text, rest, room);
            if let Some(taken) = room.checked_sub(back) {
                let (now, later) = rest.split_at_checked(taken).unwrap_or((rest, &[]));
                at += taken as u64;
                if taken > 0 {
                    self.bytes += std::mem::take(&mut bytes);
                    let boundary = Position {
                        started,
                        offset: at,
                    };
                    self.give_part(now, boundary, &mut part);
                    self.first = boundary;
                } else {
                    // Nothing of this piece is in the part: it ends where the text before did.
                    let (end, first) = self.seam_before(place);
                    self.give_part(now, end, &mut part);
                    self.first = first;
                }
                rest = later;
            } else {
                self.give_part_before(back - room, &mut part);
            }
        }
        self.text.extend_from_slice(rest);
        self.bytes += bytes;
        self.end = place.end;
        // The newline of a raw line that came in pieces belongs to the text before it.
        let only_newline = place.text == place.head.offset && self.empty_from.is_none();
        if text.is_empty() && only_newline {
            self.text_end = place.end;
        } else if text.is_empty() {
            self.empty_from = self.empty_from.or(Some(place.head));
        } else {
            self.remember_tail(place, text.len());
            self.empty_from = None;
            self.text_end = place.end;
            self.newest_length = text.len();
        }
    }

    /// What a cut before this piece's text is: the end of the one part and the beginning of the other.
    fn seam_before(&self, place: Place) -> (Position, Position) {
        (self.text_end, self.empty_from.unwrap_or(place.head))
    }

    /// Notes what a cut before each of the last bytes of a piece's text would be.
    fn remember_tail(&mut self, place: Place, length: usize) {
        for index in length.saturating_sub(self.tail.len())..length {
            let at = Position {
                offset: place.text + index as u64,
                ..place.head
            };
            let seam = if index == 0 {
                self.seam_before(place)
            } else {
                (at, at)
            };
            self.tail.rotate_left(1);
            if let Some(last) = self.tail.last_mut() {
                *last = seam;
            }
        }
    }

    /// Gives out the buffer together with `more`, from which nothing needs to be copied if the buffer is empty.
    fn give_part(&mut self, more: &[u8], end: Position, part: &mut impl FnMut(&Whole<'_>)) {
        let mut text = std::mem::take(&mut self.text);
        let whole = if text.is_empty() {
            more
        } else {
            text.extend_from_slice(more);
            &text
        };
        self.parts += 1;
        part(&self.whole(whole, end, self.parts, Tags::PARTIAL));
        self.bytes = 0;
        text.clear();
        self.text = text;
    }

    /// Gives out the buffer but its last `keep` bytes: the beginning of a character that the next piece ends.
    fn give_part_before(&mut self, keep: usize, part: &mut impl FnMut(&Whole<'_>)) {
        let seam = self.tail.iter().rev().nth(keep.saturating_sub(1));
        let (end, first) = seam.copied().unwrap_or((self.text_end, self.end));
        let mut text = std::mem::take(&mut self.text);
        let length = text.len().saturating_sub(keep);
        self.parts += 1;
        let whole = text.get(..length).unwrap_or_default();
        part(&self.whole(whole, end, self.parts, Tags::PARTIAL));
        self.bytes = 0;
        self.first = first;
        text.drain(..length);
        self.text = text;
    }

    /// What is left when the line's end has come.
    pub(super) fn finished(&self) -> Whole<'_> {
        let text = self.text.strip_suffix(b"\r").unwrap_or(&self.text);
        let (part, tags) = if self.parts > 0 {
            (self.parts + 1, Tags::PARTIAL)
        } else {
            (0, Tags::NONE)
        };
        self.whole(text, self.end, part, tags)
    }

    /// What is left when the end will not come.
    pub(super) fn given_up(&self) -> Whole<'_> {
        let part = if self.parts > 0 { self.parts + 1 } else { 0 };
        self.whole(&self.text, self.end, part, Tags::PARTIAL)
    }

    fn whole<'a>(&self, text: &'a [u8], end: Position, part: u32, tags: Tags) -> Whole<'a> {
        Whole {
            text,
            time: self.time,
            output: self.output,
            first: self.first,
            end,
            bytes: self.bytes,
            part,
            tags: self.tags.with(tags),
            error: self.error,
            level: None,
        }
    }
}

/// How many bytes before a cut at `room` bytes into `rest` the character begins that the cut would break.
///
/// 0 where it breaks none, or where the bytes are no UTF-8 anyway.
fn steps_back(held: &[u8], rest: &[u8], room: usize) -> usize {
    let is_continuation = |byte: u8| byte & 0xc0 == 0x80;
    if !rest.get(room).copied().is_some_and(is_continuation) {
        return 0;
    }
    for back in 1..=3 {
        let byte = match room.checked_sub(back) {
            Some(at) => rest.get(at),
            None => (held.len() + room)
                .checked_sub(back)
                .and_then(|at| held.get(at)),
        };
        match byte {
            Some(&byte) if is_continuation(byte) => {}
            Some(0xc0..) => return back,
            _ => return 0,
        }
    }
    0
}
