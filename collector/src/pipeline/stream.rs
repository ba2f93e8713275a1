//! One container's log: the chain of its texts, what is pending between them, and its books.

use std::sync::Arc;
use std::time::Duration;

use record::origin::Format;
use record::position::Marker;
use record::{Entry, Fingerprint, Level, Origin, OutputStream, Record, Source, Tags, Timestamp};

use super::followed::{Followed, Place};
use super::pace::{Allowance, Pace};
use crate::derive::{Derive, Tap};
use crate::discover::{DirId, Found};
use crate::ledger::{AbandonReason, Ledger};
use crate::parse::{Assembler, Emitted, Flush, RawLine, Scratch, Settings, Span};
use crate::redact::{Redactor, Unfinished};
use crate::ship::Sink;
use crate::tail::{Carrier, Extent, Limits, Part, Progress, same_text};

/// How much one stream may read before the next one has its turn, in bytes (deficit round robin).
pub(super) const QUANTUM_BYTES: usize = 256 * 1024;
/// How much, and how often, while its lines have no place in the sink.
const HELD_QUANTUM_BYTES: usize = 16 * 1024;
const HELD_PAUSE: Duration = Duration::from_mins(1);

/// One stream.
#[derive(Debug)]
pub(super) struct Stream {
    /// Whose log it is.
    pub(super) origin: Arc<Origin>,
    /// The directory that has its files; they all stand in one.
    pub(super) directory: Option<DirId>,
    /// Its texts, oldest first; those without an identity yet come last.
    pub(super) files: Vec<Followed>,
    /// Lines that wait for their end.
    pub(super) assembler: Assembler,
    /// What its lines count into.
    pub(super) tap: Tap,
    /// Secrets that began in one of its lines and did not end there.
    pub(super) unfinished: Unfinished,
    /// Its counters.
    pub(super) ledger: Ledger,
    /// The time of the record that was emitted last.
    pub(super) last_time: Timestamp,
    /// The time of the oldest record that may not be received yet, while any is not.
    pub(super) waiting_since: Option<Timestamp>,
    /// Bytes it may still be read under its rate limit.
    pub(super) allowance: Option<Allowance>,
    /// Until when it is looked at without waiting for events.
    pub(super) hot_until: Duration,
    /// How many looks in a row found something new.
    pub(super) busy_looks: u32,
    /// Whether its directory's events of growth are turned off because it grows all the time.
    pub(super) parked: bool,
    /// Whether it is in the list of streams to look at.
    pub(super) listed: bool,
    /// Whether something of it went into the open batch.
    pub(super) touched: bool,
    /// How fast it grows and is received.
    pub(super) pace: Pace,
    /// When it may be read a little although the sink holds it back: what comes next may belong elsewhere.
    pub(super) held_until: Duration,
}

/// What reading needs from the loop.
pub(super) struct Hands<'a> {
    pub(super) sink: &'a mut dyn Sink,
    pub(super) buffer: &'a mut Vec<u8>,
    pub(super) scratch: &'a mut Scratch,
    pub(super) settings: &'a Settings,
    pub(super) redactor: &'a mut Redactor,
    pub(super) derive: &'a mut Derive,
    pub(super) now: Timestamp,
    /// How much of one text may be read.
    pub(super) quantum_bytes: usize,
}

/// What one look at one text found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Something was read, and there may be more.
    More,
    /// It is read to its present end.
    End,
    /// Its bytes are not those that were read before.
    Replaced,
    /// It can't be read.
    Failed,
}

// === impl Stream ===

impl Stream {
    /// A stream without files.
    pub(super) fn new(origin: Arc<Origin>, tap: Tap, rate_limit: Option<u64>) -> Self {
        Self {
            origin,
            directory: None,
            files: Vec::new(),
            assembler: Assembler::new(),
            tap,
            unfinished: Unfinished::default(),
            ledger: Ledger::default(),
            last_time: Timestamp(0),
            waiting_since: None,
            allowance: rate_limit.map(|rate| Allowance::of(rate, Duration::ZERO)),
            hot_until: Duration::ZERO,
            busy_looks: 0,
            parked: false,
            listed: false,
            touched: false,
            pace: Pace::default(),
            held_until: Duration::ZERO,
        }
    }

    /// Takes another rate limit, unless it is the same.
    pub(super) fn limit_rate(&mut self, rate: Option<u64>, now: Duration) {
        if self.allowance.map(|allowance| allowance.bytes_per_second) != rate {
            self.allowance = rate.map(|rate| Allowance::of(rate, now));
        }
    }

    /// Bytes on disk that are not read.
    pub(super) fn unread(&self) -> u64 {
        self.files.iter().map(Followed::unread).sum()
    }

    /// Bytes read that are not received.
    pub(super) fn unreceived(&self) -> u64 {
        self.files.iter().map(Followed::unreceived).sum()
    }

    /// Reads some of one text, parses it and hands it to the sink.
    pub(super) fn read(&mut self, index: usize, ended: bool, hands: &mut Hands<'_>) -> Look {
        let Some(file) = self.files.get_mut(index) else {
            return Look::End;
        };
        let Some(started) = file.started() else {
            return Look::End;
        };
        let mut tail = std::mem::take(&mut file.tail);
        let (format, before) = (file.source.format, tail.read());
        let limits = Limits {
            quantum: hands.quantum_bytes,
            line_bytes_max: hands.settings.frame_bytes_max(),
            ended,
        };
        let mut filtered = 0;
        let mut out = Outlet {
            files: &mut self.files,
            tap: &self.tap,
            unfinished: &mut self.unfinished,
            redactor: hands.redactor,
            derive: hands.derive,
            sink: hands.sink,
            ledger: &mut self.ledger,
            last_time: &mut self.last_time,
            waiting_since: &mut self.waiting_since,
        };
        let (assembler, scratch, settings, now) = (
            &mut self.assembler,
            &mut *hands.scratch,
            hands.settings,
            hands.now,
        );
        let outcome = tail.advance(hands.buffer, &limits, |at: Extent, part| {
            let span = Span {
                started,
                offset: at.offset,
                end: at.end,
            };
            let mut emit = |emitted: Emitted<'_>| out.emit(&emitted);
            let line = |bytes| RawLine {
                format,
                at: span,
                seen: now,
                bytes,
            };
            match part {
                Part::Line(raw) => assembler.line(settings, scratch, &line(raw), &mut emit),
                Part::Piece(raw) => assembler.piece(settings, scratch, &line(raw), &mut emit),
                Part::Hole => filtered += at.end - at.offset,
            }
        });
        let read = tail.read() - before;
        self.ledger.read += read;
        let Some(file) = self.files.get_mut(index) else {
            return Look::End;
        };
        file.tail = tail;
        file.filter(filtered);
        if read > 0 {
            self.touched = true;
            if let Some(allowance) = &mut self.allowance {
                allowance.left -= read as i64;
            }
        }
        match outcome {
            Ok(Progress::More) => {
                file.trouble = None;
                Look::More
            }
            Ok(Progress::End) => Look::End,
            Ok(Progress::Replaced) => Look::Replaced,
            Err(error) => {
                let text = error.to_string();
                if file.trouble.as_ref() != Some(&text) {
                    tracing::warn!(path = %file.source.path.display(), %error, "cannot read log file");
                }
                file.trouble = Some(text);
                Look::Failed
            }
        }
    }

    /// Gives out what is pending.
    pub(super) fn flush(&mut self, why: Flush, hands: &mut Hands<'_>) {
        if self.assembler.pending_from().is_none() {
            return;
        }
        let mut out = Outlet {
            files: &mut self.files,
            tap: &self.tap,
            unfinished: &mut self.unfinished,
            redactor: hands.redactor,
            derive: hands.derive,
            sink: hands.sink,
            ledger: &mut self.ledger,
            last_time: &mut self.last_time,
            waiting_since: &mut self.waiting_since,
        };
        let mut emit = |emitted: Emitted<'_>| out.emit(&emitted);
        self.assembler
            .flush(hands.settings, hands.scratch, why, &mut emit);
        self.touched = true;
    }

    /// Gives up what is left of a text and leaves a gap record in its place. Says how many bytes were lost.
    pub(super) fn abandon(
        &mut self,
        index: usize,
        reason: AbandonReason,
        hands: &mut Hands<'_>,
    ) -> u64 {
        self.flush(Flush::ContainerEnded, hands);
        let Some(file) = self.files.get_mut(index) else {
            return 0;
        };
        let offset = file.tail.read();
        // What an earlier process saw beyond what this one could see is lost as well.
        self.ledger.seen += file.tail.grow_to(file.size_before);
        let lost = file.give_up();
        if lost == 0 {
            return 0;
        }
        let message = format!(
            "{lost} bytes of this log are missing here: {}",
            reason.as_str()
        );
        self.leave_gap(index, offset, offset + lost, reason, &message, hands);
        lost
    }

    /// Says that texts between this one and the next may be missing, nobody knows how many bytes.
    pub(super) fn note_rotated_away(&mut self, index: usize, hands: &mut Hands<'_>) {
        let Some(offset) = self.files.get(index).map(|file| file.tail.size()) else {
            return;
        };
        let message = "lines may be missing here: this log was rotated past what was known of it \
                       while nodetap was not running";
        self.leave_gap(
            index,
            offset,
            offset,
            AbandonReason::RotatedAway,
            message,
            hands,
        );
    }

    /// Puts a gap record in the place of what is lost.
    fn leave_gap(
        &mut self,
        index: usize,
        offset: u64,
        end: u64,
        reason: AbandonReason,
        message: &str,
        hands: &mut Hands<'_>,
    ) {
        self.touched = true;
        let Some(file) = self.files.get(index) else {
            return;
        };
        let Some(identity) = &file.identity else {
            return;
        };
        let time = if self.last_time.0 == 0 {
            hands.now
        } else {
            self.last_time
        };
        let entry = Entry {
            time,
            output: OutputStream::None,
            level: Level::Unknown,
            message,
            offset,
            end,
            end_started: identity.file.started,
            part: 0,
            tags: Tags::GAP,
            app: None,
            error: Some(reason.as_str()),
        };
        hands.sink.push(
            file.number,
            file.name_of(&entry),
            &Record {
                file: &identity.file,
                entry,
            },
        );
        tracing::error!(
            stream = %self.origin.stream, path = %file.source.path.display(),
            bytes = end - offset, reason = reason.as_str(), "lines are lost"
        );
    }

    /// Finds the text that an open file carries among those that are known here.
    pub(super) fn recognise(
        &mut self,
        place: &Place,
        carrier: &mut Carrier,
        fingerprint: Fingerprint,
    ) -> Option<usize> {
        let alike = |file: &Followed| {
            let known = file
                .identity
                .as_ref()
                .and_then(|identity| identity.fingerprint);
            let same_inode = (file.device, file.inode) == (place.device, place.inode);
            !file.replaced
                && (known == Some(fingerprint)
                    || (same_inode && known.is_none() && file.identity.is_some()))
        };
        let mut proposals: Vec<usize> = (0..self.files.len())
            .filter(|index| self.files.get(*index).is_some_and(alike))
            .collect();
        proposals.sort_by_key(|index| {
            self.files
                .get(*index)
                .is_none_or(|file| (file.device, file.inode) != (place.device, place.inode))
        });
        proposals.into_iter().find(|index| {
            self.files
                .get_mut(*index)
                .is_some_and(|file| carries(file, place, carrier))
        })
    }

    /// The newest text that an earlier process followed, if it is gone while newer ones of the same life of the container
    /// are there: what came between them may have been rotated away unseen. Kubelet and Docker remove the oldest first,
    /// so while the newest known text is there nothing can be missing.
    pub(super) fn newest_rotated_away(&self) -> Option<u64> {
        let was_known = |file: &&Followed| file.size_before > 0 || file.acknowledged > 0;
        let newest = self
            .files
            .iter()
            .filter(was_known)
            .max_by_key(|file| file.started())?;
        let is_gone = newest.places.is_empty() && newest.source.format != Format::Text;
        let restart = newest.source.link.restart;
        let has_newer = self.files.iter().any(|file| {
            !file.places.is_empty()
                && file.source.link.restart == restart
                && file.started() > newest.started()
        });
        (is_gone && has_newer).then_some(newest.number)
    }

    /// Forgets that a file has a text: its inode may have been freed and have another one now.
    ///
    /// What could never be opened is tried again as if it were new.
    pub(super) fn disown(&mut self, found: &Found) {
        for file in &mut self.files {
            file.places
                .retain(|place| (place.device, place.inode) != (found.device, found.inode));
        }
        let ledger = &mut self.ledger;
        self.files.retain(|file| {
            let again = file.trouble.is_some()
                && file.identity.is_none()
                && (file.device, file.inode) == (found.device, found.inode);
            if again {
                ledger.seen -= file.tail.size() - file.tail.read();
            }
            !again
        });
    }

    /// The least start that a text may have that follows all others which come before it in the chain, by the names they
    /// have or had last.
    pub(super) fn earliest_start(&self, source: &Source) -> i64 {
        let is_live = !source.link.is_rotated();
        self.files
            .iter()
            .filter(|file| {
                file.source.link < source.link || (is_live && file.source.link == source.link)
            })
            .filter_map(Followed::started)
            .max()
            .map_or(i64::MIN, |started| started.saturating_add(1))
    }

    /// The generation of a text that begins with this line and is none of those that are known.
    pub(super) fn next_generation(&self, fingerprint: Fingerprint) -> u32 {
        self.files
            .iter()
            .filter_map(|file| file.identity.as_ref())
            .filter(|identity| identity.fingerprint == Some(fingerprint))
            .map(|identity| identity.generation + 1)
            .max()
            .unwrap_or(0)
    }

    /// Puts the texts into the order of their starts; those without one are the newest.
    pub(super) fn sort(&mut self) {
        self.files.sort_by_key(|file| {
            (
                file.started().is_none(),
                file.started(),
                file.source.link.clone(),
            )
        });
    }

    /// How much of it may be read now: nothing while it would only wait in the sink, but for a little now and then.
    pub(super) fn quantum_bytes(&mut self, sink: &dyn Sink, now: Duration) -> usize {
        let is_held = self.files.iter().any(|file| {
            let identity = file.identity.as_ref();
            identity.is_some_and(|identity| sink.holds(file.number, &identity.file))
        });
        if !is_held {
            QUANTUM_BYTES
        } else if now < self.held_until {
            0
        } else {
            self.held_until = now + HELD_PAUSE;
            HELD_QUANTUM_BYTES
        }
    }

    /// Whether the rate limit holds it back, after giving it what time has brought.
    pub(super) fn is_limited(&mut self, now: Duration) -> bool {
        self.allowance
            .as_mut()
            .is_some_and(|allowance| allowance.is_used_up(now))
    }
}

/// Whether an open file carries the text of `file`.
fn carries(file: &mut Followed, place: &Place, carrier: &mut Carrier) -> bool {
    if file.holds(place.device, place.inode) {
        return true;
    }
    let compressed_from = |path: &std::path::Path| {
        let mut name = path.as_os_str().to_owned();
        name.push(".gz");
        place.source.path.as_os_str() == name
    };
    let is_gzip = place.source.link.gzip;
    if is_gzip
        && (compressed_from(&file.source.path)
            || file
                .places
                .iter()
                .any(|known| compressed_from(&known.source.path)))
    {
        return true;
    }
    let timed = file.source.format != Format::Text;
    if file.tail.carrier.is_some() || !file.places.is_empty() {
        // The text is somewhere else as well. Platforms make copies and archives under names of their own; what has the
        // live name is a new text, even if it begins (or is) the same so far.
        let copied = !file.source.link.is_rotated();
        let archived = is_gzip && file.places.is_empty();
        if !place.source.link.is_rotated() || !(timed || copied || archived) {
            return false;
        }
    }
    if let Some((offset, marker)) = file.tail.marker().filter(|(offset, _)| *offset > 0)
        && let Some(found) = marker_at(carrier, offset)
    {
        // What was read tells more than what the file has now: it may have been cut since.
        return found == marker;
    }
    let comparable = timed || file.tail.read() > 0;
    if let Some(own) = &mut file.tail.carrier {
        return comparable && same_text(own, carrier).unwrap_or(false);
    }
    if is_gzip && timed {
        // The first line has the time to the nanosecond; comparing more would inflate every archive at each start.
        return true;
    }
    if let Some((offset, marker)) = file.marker {
        return marker_at(carrier, offset) == Some(marker);
    }
    let same_inode = (file.device, file.inode) == (place.device, place.inode);
    timed || file.acknowledged == 0 || same_inode
}

/// The marker of the bytes before an offset; `None` when the text does not go so far.
fn marker_at(carrier: &mut Carrier, offset: u64) -> Option<Marker> {
    let length = offset.min(record::position::MARKER_BYTES as u64);
    let mut bytes = vec![0; length as usize];
    let filled = carrier.read_at(offset - length, &mut bytes).ok()?;
    (filled == bytes.len()).then(|| Marker::of(&bytes))
}

/// Where finished entries go.
struct Outlet<'a> {
    files: &'a mut Vec<Followed>,
    tap: &'a Tap,
    unfinished: &'a mut Unfinished,
    redactor: &'a mut Redactor,
    derive: &'a mut Derive,
    sink: &'a mut dyn Sink,
    ledger: &'a mut Ledger,
    last_time: &'a mut Timestamp,
    waiting_since: &'a mut Option<Timestamp>,
}

// === impl Outlet ===

impl Outlet<'_> {
    fn emit(&mut self, emitted: &Emitted<'_>) {
        let entry = emitted.entry;
        // The newest text is the usual one.
        let file = self
            .files
            .iter()
            .rev()
            .find(|file| file.started() == Some(emitted.started));
        let Some((file, identity)) = file.and_then(|file| Some((file, file.identity.as_ref()?)))
        else {
            tracing::error!(
                started = emitted.started,
                "bug: a record of a file that is not followed"
            );
            return;
        };
        *self.last_time = entry.time;
        if !file.known.is_empty() && file.known.binary_search(&(entry.offset, entry.end)).is_ok() {
            self.ledger.known_lines += 1;
            return;
        }
        self.waiting_since.get_or_insert(entry.time);
        self.ledger.lines += 1;
        // Nobody after this sees what must not leave: neither a label nor the sink.
        let entry = self.redactor.redact(self.unfinished, &entry);
        self.derive.count(self.tap, &entry);
        self.sink.push(
            file.number,
            file.name_of(&entry),
            &Record {
                file: &identity.file,
                entry,
            },
        );
    }
}
