//! What was written since we last looked? One text, through truncation, renaming and compression.
//!
//! A [`Tail`] reads the uncompressed text of one file forward, in whole lines, and never interprets a byte but the
//! newline and the NULs of holes. Before it goes on it compares the bytes just before its offset with those it saw
//! there, so that a file that was cut and written anew is noticed even when it has grown past the offset.

use std::io;

use memchr::{memchr, memrchr};
use record::position::{MARKER_BYTES, Marker};

pub use self::archive::Archive;
pub use self::carrier::Carrier;
pub use self::identity::{FirstLine, first_line, same_text};

mod archive;
mod carrier;
mod identity;

/// The text of one file, and how far it has been read.
#[derive(Debug, Default)]
pub struct Tail {
    /// What the text is read from; none while the file is closed.
    pub carrier: Option<Carrier>,
    /// Everything before this offset has been handed on, in bytes of uncompressed text.
    read: u64,
    /// The text's known size; for an archive what has been inflated, or its own claim if that is more.
    size: u64,
    /// The last bytes before `read`.
    before: Vec<u8>,
    /// By how much reads went beyond the size that was known, since that was last asked.
    outgrown: u64,
    /// The carrier's size when it was last measured; less than `size` when the file was cut.
    measured: u64,
    /// The size when the bytes before `read` were last found unchanged.
    sure: u64,
    /// Whether `read` stands inside a line whose beginning was handed on as pieces.
    in_line: bool,
}

/// A part of the text that [`Tail::advance`] hands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// A line without its newline, or the end of a line whose earlier pieces were handed on.
    Line(&'a [u8]),
    /// A piece of a line that is longer than may be held; more of it follows.
    Piece(&'a [u8]),
    /// NULs where a line should begin: a hole, not text.
    Hole,
}

/// Where a [`Part`] stands in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Offset of its first byte.
    pub offset: u64,
    /// Offset after its last byte, newline included.
    pub end: u64,
}

/// How a call of [`Tail::advance`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// There may be more to read at once.
    More,
    /// No complete line is left.
    End,
    /// The text is not the one that was read: cut, or written anew.
    Replaced,
}

/// How much may be read in one call.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes in one call, more or less.
    pub quantum: usize,
    /// A line longer than this is handed on in pieces.
    pub line_bytes_max: usize,
    /// The writer is done: what follows the last newline is a line too.
    pub ended: bool,
}

// === impl Tail ===

impl Tail {
    /// A text that begins to be read at `offset`; what stands before it is not known.
    pub fn new(carrier: Option<Carrier>, offset: u64, size: u64) -> Self {
        Self {
            carrier,
            read: offset,
            size: size.max(offset),
            ..Self::default()
        }
    }

    /// How far the text has been handed on.
    pub fn read(&self) -> u64 {
        self.read
    }

    /// The text's known size.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Looks up the size anew and says by how much it grew. A plain file that shrank is found by the next read.
    pub fn measure(&mut self) -> io::Result<u64> {
        let Some(carrier) = &mut self.carrier else {
            return Ok(0);
        };
        let size = carrier.size()?;
        self.measured = size;
        let grown = size.saturating_sub(self.size);
        self.size += grown;
        Ok(grown)
    }

    /// Takes note that the text has at least this size, and says by how much that is more than was known.
    pub fn grow_to(&mut self, size: u64) -> u64 {
        let grown = size.saturating_sub(self.size);
        self.size += grown;
        grown
    }

    /// By how much reads have gone beyond the known size since the last call; that is part of [`Tail::size`] now.
    pub fn take_outgrown(&mut self) -> u64 {
        std::mem::take(&mut self.outgrown)
    }

    /// Takes back what an archive claimed beyond its true end, and says how much that is.
    pub fn settle(&mut self) -> io::Result<u64> {
        let Some(Carrier::Gzip(archive)) = &mut self.carrier else {
            return Ok(0);
        };
        let excess = self.size.saturating_sub(archive.size()?.max(self.read));
        self.size -= excess;
        Ok(excess)
    }

    /// Takes back what the file grew by since its text was last known to be the same, and says how much that is.
    pub fn shrink_to_sure(&mut self) -> u64 {
        let excess = self.size.saturating_sub(self.sure.max(self.read));
        self.size -= excess;
        excess
    }

    /// Takes back what the present carrier, a copy of the text, does not have, and says how much that is.
    pub fn shrink_to_carrier(&mut self) -> io::Result<u64> {
        let Some(carrier) = &mut self.carrier else {
            return Ok(0);
        };
        let excess = self.size.saturating_sub(carrier.size()?.max(self.read));
        self.size -= excess;
        Ok(excess)
    }

    /// Reads the bytes before the offset at which a text is resumed, so that the next read can compare them.
    pub fn prime(&mut self) -> io::Result<()> {
        let length = self.read.min(MARKER_BYTES as u64);
        let mut bytes = vec![0; length as usize];
        let Some(carrier) = &mut self.carrier else {
            return Ok(());
        };
        let filled = carrier.read_at(self.read - length, &mut bytes)?;
        if filled == bytes.len() {
            self.before = bytes;
        }
        Ok(())
    }

    /// The marker of the offset reached; `None` when the bytes before it are not all known.
    pub fn marker(&self) -> Option<(u64, Marker)> {
        let whole = self.before.len() as u64 == self.read.min(MARKER_BYTES as u64);
        whole.then(|| (self.read, Marker::of(&self.before)))
    }

    /// Whether there was nothing to read when the text was measured last: it was read to its end and is no shorter.
    pub fn is_at_end(&self) -> bool {
        self.read == self.size && self.measured == self.size
    }

    /// Passes over everything up to `offset`, but not beyond the known size, without reading it.
    pub fn skip_to(&mut self, offset: u64) {
        self.read = self.read.max(offset).min(self.size);
        self.before.clear();
        self.in_line = false;
    }

    /// Gives up what is not read and says how much that is.
    pub fn give_up(&mut self) -> u64 {
        let lost = self.size - self.read;
        self.read = self.size;
        self.carrier = None;
        lost
    }

    /// Hands on the next parts of the text, in order, through `buffer`.
    pub fn advance(
        &mut self,
        buffer: &mut Vec<u8>,
        limits: &Limits,
        mut each: impl FnMut(Extent, Part<'_>),
    ) -> io::Result<Progress> {
        let back = self.before.len();
        let start = self.read - back as u64;
        let Some(filled) = self.fill(buffer, start, back + limits.quantum)? else {
            return Ok(Progress::End);
        };
        let Some((seen, text)) = buffer
            .get(..filled)
            .and_then(|got| got.split_at_checked(back))
        else {
            return Ok(Progress::Replaced);
        };
        if seen != self.before || (text.is_empty() && self.is_replaced()?) {
            return Ok(Progress::Replaced);
        }
        self.sure = self.size;
        if text.is_empty() {
            return Ok(Progress::End);
        }
        let whole = text.len() == limits.quantum;
        let mut consumed = self.lines(text, &mut each);
        if consumed == 0 {
            // One line fills the whole look: look further, as far as a line may go.
            let wanted = back + limits.line_bytes_max.max(limits.quantum) + 1;
            let filled = if whole {
                self.fill(buffer, start, wanted)?.unwrap_or(0)
            } else {
                filled
            };
            let text = buffer.get(back..filled).unwrap_or_default();
            consumed = self.lines(text, &mut each);
            if consumed == 0 {
                let cut = text.len() > limits.line_bytes_max;
                consumed = self.remainder(text, cut, limits, &mut each);
            }
        }
        let end = back + consumed;
        self.keep_before(buffer.get(..end).unwrap_or_default());
        let beyond = self.read.saturating_sub(self.size);
        self.size += beyond;
        self.outgrown += beyond;
        Ok(if consumed > 0 {
            Progress::More
        } else {
            Progress::End
        })
    }

    /// Fills `buffer` from `start` on with up to `wanted` bytes; `None` when there is no carrier.
    fn fill(
        &mut self,
        buffer: &mut Vec<u8>,
        start: u64,
        wanted: usize,
    ) -> io::Result<Option<usize>> {
        let Some(carrier) = &mut self.carrier else {
            return Ok(None);
        };
        if buffer.len() < wanted {
            buffer.resize(wanted, 0);
        }
        carrier
            .read_at(start, buffer.get_mut(..wanted).unwrap_or_default())
            .map(Some)
    }

    /// Hands on the complete lines of `text`, which begins at `read`, and says how many bytes they are.
    fn lines(&mut self, text: &[u8], each: &mut impl FnMut(Extent, Part<'_>)) -> usize {
        let mut done = 0;
        let Some(last) = memrchr(b'\n', text) else {
            return self.hole(text, each);
        };
        let whole = text.get(..=last).unwrap_or_default();
        while let Some(rest) = whole.get(done..).filter(|rest| !rest.is_empty()) {
            if rest.first() == Some(&0) && !self.in_line {
                done += self.hole(rest, each);
                continue;
            }
            let Some(length) = memchr(b'\n', rest) else {
                break;
            };
            let extent = Extent {
                offset: self.read,
                end: self.read + length as u64 + 1,
            };
            each(extent, Part::Line(rest.get(..length).unwrap_or_default()));
            self.read = extent.end;
            self.in_line = false;
            done += length + 1;
        }
        done
    }

    /// Hands on the NULs at the beginning of a line, if other bytes follow them.
    fn hole(&mut self, text: &[u8], each: &mut impl FnMut(Extent, Part<'_>)) -> usize {
        if self.in_line {
            return 0;
        }
        let length = text.iter().take_while(|byte| **byte == 0).count();
        if length == 0 || length == text.len() {
            return 0;
        }
        let extent = Extent {
            offset: self.read,
            end: self.read + length as u64,
        };
        each(extent, Part::Hole);
        self.read = extent.end;
        length
    }

    /// Hands on what has no newline, where that is allowed, and says how many bytes it is.
    fn remainder(
        &mut self,
        text: &[u8],
        cut: bool,
        limits: &Limits,
        each: &mut impl FnMut(Extent, Part<'_>),
    ) -> usize {
        if text.is_empty() {
            return 0;
        }
        if !self.in_line && text.iter().all(|byte| *byte == 0) {
            return self.long_hole(text, limits, each);
        }
        let length = if cut {
            boundary(text, limits.line_bytes_max)
        } else {
            text.len()
        };
        let extent = Extent {
            offset: self.read,
            end: self.read + length as u64,
        };
        let part = text.get(..length).unwrap_or_default();
        if cut {
            each(extent, Part::Piece(part));
        } else if limits.ended {
            each(extent, Part::Line(part));
        } else {
            return 0;
        }
        self.in_line = cut;
        self.read = extent.end;
        length
    }

    /// Passes a hole that is longer than one look, once something else is known to follow it.
    fn long_hole(
        &mut self,
        text: &[u8],
        limits: &Limits,
        each: &mut impl FnMut(Extent, Part<'_>),
    ) -> usize {
        let until = self.read + text.len() as u64;
        // More text than this look has: the hole is an inner one up to here. At the end of the text it may still be
        // filled in, so it waits, unless nobody writes any more.
        if self.size > until || limits.ended {
            each(
                Extent {
                    offset: self.read,
                    end: until,
                },
                Part::Hole,
            );
            self.read = until;
            return text.len();
        }
        0
    }

    fn is_replaced(&mut self) -> io::Result<bool> {
        match &mut self.carrier {
            Some(Carrier::Plain(file)) => Ok(file.metadata()?.len() < self.read),
            Some(Carrier::Gzip(_)) | None => Ok(false),
        }
    }

    fn keep_before(&mut self, text: &[u8]) {
        let start = text.len().saturating_sub(MARKER_BYTES);
        self.before.clear();
        self.before
            .extend_from_slice(text.get(start..).unwrap_or_default());
    }
}

/// The longest prefix of at most `most` bytes that does not end inside a UTF-8 sequence.
fn boundary(text: &[u8], most: usize) -> usize {
    let most = most.min(text.len());
    let is_start = |at: usize| text.get(at).is_none_or(|byte| byte & 0xc0 != 0x80);
    (most.saturating_sub(3)..=most)
        .rev()
        .find(|at| is_start(*at) && *at > 0)
        .unwrap_or(most)
}

#[cfg(test)]
mod tests;
