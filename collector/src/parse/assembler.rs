//! Which raw lines are one message? Joins the lines of one stream and holds what still waits for its end.

use record::origin::Format;
use record::{OutputStream, Position, Tags, Timestamp};

use self::hold::{Oldest, give_up, release, release_held, take_oldest};
use self::join::{Added, Joined, join};
use super::finish::Exit;
use super::group::Group;
use super::piece::Piece;
use super::unfinished::{Place, Unfinished};
use super::{Emitted, Flush, ParseCounts, Settings, Span, cri, json_file};

mod hold;

mod join;

/// One framed line, or a piece of one.
#[derive(Clone, Copy, Debug)]
pub struct RawLine<'a> {
    /// How its file is framed.
    pub format: Format,
    /// Where it is.
    pub at: Span,
    /// The time of untimed text: when the line was first seen.
    pub seen: Timestamp,
    /// Its bytes without the newline; may end in `\r`.
    pub bytes: &'a [u8],
}

/// Joins the lines of one stream, carried across its files.
///
/// Tiny while nothing is pending. For each output at most one unfinished line and one group are held, each of at most
/// `line_bytes_max`.
#[derive(Debug, Default)]
pub struct Assembler {
    unfinished: [Option<Box<Unfinished>>; 3],
    groups: [Option<Box<Group>>; 3],
    raw: Raw,
    /// The time of the stream's newest line that had one.
    last: Option<Timestamp>,
    counts: ParseCounts,
}

/// Buffers that serve one line after another: one for each thread that parses, whatever the number of streams.
#[derive(Debug, Default)]
pub struct Scratch {
    unescaped: Vec<u8>,
    replaced: String,
    spares: Vec<Vec<u8>>,
}

/// What is known of the raw line whose newline was not seen yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Raw {
    /// There is none.
    #[default]
    Fresh,
    /// Only NUL bytes so far.
    Hole,
    /// It is in the file that began so, its text goes to this output, and at its newline the application's line may
    /// end or go on.
    Open {
        started: i64,
        output: OutputStream,
        finishes: bool,
    },
}

// === impl Scratch ===

impl Scratch {
    /// Buffers that have no memory yet.
    pub fn new() -> Self {
        Self::default()
    }
}

// === impl Assembler ===

impl Assembler {
    /// An assembler that holds nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a line whose end was seen (or, at the very end of a file that is complete, whose end will not come) and
    /// gives out each entry that this finishes.
    pub fn line<F: FnMut(Emitted<'_>)>(
        &mut self,
        settings: &Settings,
        scratch: &mut Scratch,
        line: &RawLine<'_>,
        emit: &mut F,
    ) {
        self.take_in(settings, scratch, line, true, emit);
    }

    /// Takes the next piece of a line that has no newline within [`Settings::frame_bytes_max`]; its last piece goes to
    /// [`Assembler::line`].
    ///
    /// The first piece of a CRI line must have its head; pieces of a json-file line can't be read and are taken as they
    /// stand.
    pub fn piece<F: FnMut(Emitted<'_>)>(
        &mut self,
        settings: &Settings,
        scratch: &mut Scratch,
        piece: &RawLine<'_>,
        emit: &mut F,
    ) {
        if !piece.bytes.is_empty() {
            self.take_in(settings, scratch, piece, false, emit);
        }
    }

    /// Gives out what is pending, all of it or the groups whose time has passed; the oldest first.
    pub fn flush<F: FnMut(Emitted<'_>)>(
        &mut self,
        settings: &Settings,
        scratch: &mut Scratch,
        why: Flush,
        emit: &mut F,
    ) {
        let Self {
            unfinished,
            groups,
            raw,
            counts,
            ..
        } = self;
        let Scratch {
            replaced, spares, ..
        } = scratch;
        let mut exit = Exit {
            settings,
            replaced,
            counts,
            emit,
        };
        match why {
            Flush::ContainerEnded | Flush::Drained => {
                *raw = Raw::Fresh;
                while let Some(oldest) = take_oldest(unfinished, groups) {
                    match oldest {
                        Oldest::Group(group) => release(*group, spares, &mut exit),
                        Oldest::Unfinished(line) => give_up(*line, spares, &mut exit),
                    }
                }
            }
            Flush::GroupExpired(now) => {
                for (group, line) in groups.iter_mut().zip(unfinished) {
                    if line.is_none()
                        && let Some(group) = group.take_if(|group| group.expires <= now)
                    {
                        release(*group, spares, &mut exit);
                    }
                }
            }
        }
    }

    /// Where the oldest first piece is that is still held; a replay must begin there.
    pub fn pending_from(&self) -> Option<Position> {
        let lines = self.unfinished.iter().flatten().map(|line| line.begins);
        let groups = self.groups.iter().flatten().map(|group| group.first);
        lines.chain(groups).min()
    }

    /// How many bytes of input are held and in no entry yet.
    pub fn pending_bytes(&self) -> u64 {
        let lines = self.unfinished.iter().flatten().map(|line| line.bytes);
        let groups = self.groups.iter().flatten().map(|group| group.bytes);
        lines.chain(groups).sum()
    }

    /// How many bytes of memory what is held takes, beside the assembler itself.
    pub fn memory_bytes(&self) -> usize {
        let lines = self.unfinished.iter().flatten();
        let groups = self.groups.iter().flatten();
        lines
            .map(|line| size_of::<Unfinished>() + line.capacity())
            .sum::<usize>()
            + groups
                .map(|group| size_of::<Group>() + group.capacity())
                .sum::<usize>()
    }

    /// When a waiting group may be given out by [`Flush::GroupExpired`], if the stream was read to its end until then.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let waiting = self.groups.iter().zip(&self.unfinished);
        waiting
            .filter(|(_, line)| line.is_none())
            .filter_map(|(group, _)| group.as_ref().map(|group| group.expires))
            .min()
    }

    /// What happened to the lines of this stream so far.
    pub fn counts(&self) -> ParseCounts {
        self.counts
    }

    fn take_in<F: FnMut(Emitted<'_>)>(
        &mut self,
        settings: &Settings,
        scratch: &mut Scratch,
        line: &RawLine<'_>,
        ends: bool,
        emit: &mut F,
    ) {
        self.leave_other_file(settings, scratch, line, emit);
        let Some((at, raw)) = self.without_hole(line, ends) else {
            return;
        };
        let Scratch {
            unescaped,
            replaced,
            spares,
        } = scratch;
        let added = self.read(line, at, raw, ends, unescaped);
        self.raw = if ends {
            Raw::Fresh
        } else {
            let Piece {
                output, finishes, ..
            } = added.piece;
            Raw::Open {
                started: at.started,
                output,
                finishes,
            }
        };
        let slot = added.piece.output as usize;
        if let (Some(unfinished), Some(group)) =
            (self.unfinished.get_mut(slot), self.groups.get_mut(slot))
        {
            let mut exit = Exit {
                settings,
                replaced,
                counts: &mut self.counts,
                emit,
            };
            if join(unfinished, group, &added, spares, &mut exit) == Joined::Restarted {
                self.raw = Raw::Fresh;
            }
        }
    }

    /// Ends a raw line whose newline never came because its file ended.
    fn leave_other_file<F: FnMut(Emitted<'_>)>(
        &mut self,
        settings: &Settings,
        scratch: &mut Scratch,
        line: &RawLine<'_>,
        emit: &mut F,
    ) {
        let Raw::Open {
            started,
            output,
            finishes,
        } = self.raw
        else {
            return;
        };
        if started == line.at.started {
            return;
        }
        self.raw = Raw::Fresh;
        let Scratch {
            replaced, spares, ..
        } = scratch;
        let mut exit = Exit {
            settings,
            replaced,
            counts: &mut self.counts,
            emit,
        };
        if let Some(slot) = self.unfinished.get_mut(output as usize)
            && let Some(group) = self.groups.get_mut(output as usize)
            && let Some(line) = slot.take_if(|_| finishes)
        {
            release_held(group, spares, &mut exit);
            give_up(*line, spares, &mut exit);
        }
    }

    /// Passes over the NUL bytes that a line begins with, where a file was truncated below its writer or has a hole.
    ///
    /// Returns where what is left is, or `None` if nothing is.
    fn without_hole<'a>(&mut self, line: &RawLine<'a>, ends: bool) -> Option<(Span, &'a [u8])> {
        let mut at = line.at;
        let open = matches!(self.raw, Raw::Open { .. });
        if open || (line.bytes.first() != Some(&0) && self.raw == Raw::Fresh) {
            return Some((at, line.bytes));
        }
        let length = line.bytes.iter().take_while(|byte| **byte == 0).count();
        let (_, rest) = line.bytes.split_at_checked(length)?;
        if rest.is_empty() {
            self.counts.skipped_bytes += at.end.saturating_sub(at.offset);
            self.raw = if ends { Raw::Fresh } else { Raw::Hole };
            return None;
        }
        self.counts.skipped_bytes += length as u64;
        at.offset += length as u64;
        Some((at, rest))
    }

    /// Reads a raw line or a piece of one.
    fn read<'a>(
        &mut self,
        line: &RawLine<'_>,
        at: Span,
        raw: &'a [u8],
        ends: bool,
        unescaped: &'a mut Vec<u8>,
    ) -> Added<'a> {
        let (piece, error, continues) = match self.raw {
            Raw::Open {
                output, finishes, ..
            } => {
                let time = self.last.unwrap_or(line.seen);
                let text_at = 0;
                (
                    Piece {
                        time,
                        output,
                        text: raw,
                        text_at,
                        finishes,
                        tags: Tags::NONE,
                    },
                    None,
                    true,
                )
            }
            Raw::Fresh | Raw::Hole => {
                let (piece, error) = self.decode(line, raw, ends, unescaped);
                (piece, error, false)
            }
        };
        let started = at.started;
        Added {
            place: Place {
                head: Position {
                    started,
                    offset: at.offset,
                },
                text: at.offset + piece.text_at,
                end: Position {
                    started,
                    offset: at.end,
                },
            },
            piece,
            error,
            format: line.format,
            continues,
            ends,
            bytes: at.end.saturating_sub(at.offset),
            seen: line.seen,
        }
    }

    /// Reads a raw line, or the first piece of one, by its file's format.
    fn decode<'a>(
        &mut self,
        line: &RawLine<'_>,
        raw: &'a [u8],
        ends: bool,
        unescaped: &'a mut Vec<u8>,
    ) -> (Piece<'a>, Option<&'static str>) {
        let as_it_is = |time, tags| Piece {
            time,
            output: OutputStream::None,
            text: raw,
            text_at: 0,
            finishes: true,
            tags,
        };
        let decoded = match line.format {
            Format::Cri => cri::decode(raw),
            Format::JsonFile if ends => json_file::decode(raw, unescaped),
            Format::JsonFile => Err("not a json-file line: too long"),
            Format::Text => return (as_it_is(line.seen, Tags::NONE), None),
        };
        match decoded {
            Ok(piece) => {
                self.last = Some(piece.time);
                (piece, None)
            }
            Err(error) => (
                as_it_is(self.last.unwrap_or(line.seen), Tags::UNPARSED),
                Some(error),
            ),
        }
    }
}
