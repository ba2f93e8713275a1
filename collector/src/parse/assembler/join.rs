//! A piece joins what is pending on its output, or does not.

use record::Timestamp;
use record::origin::Format;

use super::hold::{deliver, give_up, put_back, release_held, spare};
use crate::parse::finish::{Exit, Whole};
use crate::parse::group::{Group, Moment};
use crate::parse::piece::Piece;
use crate::parse::unfinished::{Opening, Place, Unfinished};
use crate::parse::{Emitted, PARTS_MAX};

/// From this length on a json-file piece can only have been cut because Docker's buffer was full, in bytes.
///
/// Docker reads 16 KiB at a time. A shorter text without a newline is the last of a container that ended.
const DOCKER_PIECE_BYTES: usize = 16 << 10;

/// One piece of text and what it is a piece of.
pub(super) struct Added<'a> {
    pub(super) piece: Piece<'a>,
    pub(super) error: Option<&'static str>,
    pub(super) place: Place,
    pub(super) format: Format,
    /// Whether it continues a raw line, and whether that ends with it.
    pub(super) continues: bool,
    pub(super) ends: bool,
    pub(super) bytes: u64,
    pub(super) seen: Timestamp,
}

/// Whether what follows a piece belongs to it as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Joined {
    /// It does.
    GoesOn,
    /// The line had too many parts: what follows counts as a new line, so that the position can move on.
    Restarted,
}

/// Adds a piece to what is pending on its output, and gives out what that finishes.
pub(super) fn join<F: FnMut(Emitted<'_>)>(
    unfinished: &mut Option<Box<Unfinished>>,
    group: &mut Option<Box<Group>>,
    added: &Added<'_>,
    spares: &mut Vec<Vec<u8>>,
    exit: &mut Exit<'_, F>,
) -> Joined {
    let piece = &added.piece;
    let finishes = added.ends && piece.finishes;
    let moment = Moment {
        own: added.format != Format::Text,
        seen: added.seen,
    };
    if let Some(line) = unfinished.take_if(|pending| !added.is_more_of(pending)) {
        release_held(group, spares, exit);
        give_up(*line, spares, exit);
    }
    let limit = exit.settings.message_bytes_max();
    if unfinished.is_none() && finishes && piece.text.len() <= limit {
        deliver(group, &added.whole(), moment, spares, exit);
        return Joined::GoesOn;
    }
    let pending = unfinished.get_or_insert_with(|| {
        Box::new(Unfinished::new(
            added.opening(),
            added.place.head,
            spare(spares),
        ))
    });
    if pending.held_length() + piece.text.len() > limit {
        release_held(group, spares, exit);
    }
    pending.mark(piece.tags);
    pending.add(piece.text, added.place, added.bytes, limit, |part| {
        exit.emit(part);
    });
    if finishes {
        if let Some(line) = unfinished.take() {
            deliver(group, &line.finished(), moment, spares, exit);
            put_back(spares, line.into_buffer());
        }
    } else if (added.ends || added.format == Format::Text)
        && let Some(line) = unfinished.take_if(|line| line.parts >= PARTS_MAX)
    {
        give_up(*line, spares, exit);
        return Joined::Restarted;
    }
    Joined::GoesOn
}

// === impl Added ===

impl Added<'_> {
    /// Whether it is the next piece of what is pending on its output.
    fn is_more_of(&self, pending: &Unfinished) -> bool {
        match self.format {
            _ if self.continues => true,
            _ if self.error.is_some() => false,
            Format::Cri => true,
            // Docker gives all pieces of a line the first one's time; another time is another run's line.
            Format::JsonFile => {
                self.piece.time == pending.time || pending.newest_length() >= DOCKER_PIECE_BYTES
            }
            Format::Text => false,
        }
    }

    /// The line that is whole in one piece.
    fn whole(&self) -> Whole<'_> {
        let piece = &self.piece;
        Whole {
            text: piece.text.strip_suffix(b"\r").unwrap_or(piece.text),
            time: piece.time,
            output: piece.output,
            first: self.place.head,
            end: self.place.end,
            bytes: self.bytes,
            part: 0,
            tags: piece.tags,
            error: self.error,
            level: None,
        }
    }

    fn opening(&self) -> Opening {
        let Piece {
            time, output, tags, ..
        } = self.piece;
        Opening {
            time,
            output,
            tags,
            error: self.error,
        }
    }
}
