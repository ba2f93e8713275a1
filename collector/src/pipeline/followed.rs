//! One text on its way: where it is on disk, how far it is read, sent and received.

use std::collections::VecDeque;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use record::origin::{Format, Link};
use record::position::Marker;
use record::{Entry, File, FileKey, Fingerprint, Position, Source, Tags, Timestamp};

use crate::checkpoint::FileState;
use crate::discover::Found;
use crate::ledger::Ledger;
use crate::ship::BatchId;
use crate::tail::Tail;

/// A text that is followed, under whatever names it has.
#[derive(Debug)]
pub(super) struct Followed {
    /// Its number in the state, for its whole life.
    pub(super) number: u64,
    /// The best of its present places, or the last one it had.
    pub(super) source: Arc<Source>,
    /// Where its text is on disk now; several while it is being compressed or copied, none once it is deleted.
    pub(super) places: Vec<Place>,
    /// What it is; none until its first line is complete.
    pub(super) identity: Option<Identity>,
    /// Its bytes.
    pub(super) tail: Tail,
    /// Everything before this offset is received.
    pub(super) acknowledged: u64,
    /// The hash of the bytes before an offset that is not beyond `acknowledged`.
    pub(super) marker: Option<(u64, Marker)>,
    /// What is sent and not yet received, oldest first.
    in_flight: VecDeque<InFlight>,
    /// The offset up to which `in_flight` goes.
    sent: u64,
    /// Bytes passed over since `sent`.
    filtered: u64,
    /// Bytes given up since `sent`.
    abandoned: u64,
    /// Records that the sink has from an earlier process, as sorted (offset, end).
    pub(super) known: Vec<(u64, u64)>,
    /// For untimed text: the moments that its records are named by, each from an offset on. Durable before anything is sent
    /// that is named by them.
    pub(super) named: Vec<(u64, Timestamp)>,
    /// An earlier process may have sent what is before this offset.
    sent_before: u64,
    /// Its link in a reserve directory.
    pub(super) reserve: Option<PathBuf>,
    /// The device and inode it was last seen with.
    pub(super) device: u64,
    /// See `device`.
    pub(super) inode: u64,
    /// Its size when an earlier process last looked; counted as seen once the text is met or given up.
    pub(super) size_before: u64,
    /// When it last grew, by [`crate::clock::Clock::elapsed`].
    pub(super) grown_at: Duration,
    /// When its writer closed it, if it did and nothing came since.
    pub(super) closed_at: Option<Duration>,
    /// When it was deleted.
    pub(super) deleted_at: Option<Timestamp>,
    /// Its text was overwritten; no place on disk can be it.
    pub(super) replaced: bool,
    /// Whether its identity is durable.
    pub(super) saved: bool,
    /// Whether its state has changed since it was written.
    pub(super) dirty: bool,
    /// Why it can't be read.
    pub(super) trouble: Option<String>,
}

/// A name of a text on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) source: Arc<Source>,
    pub(super) device: u64,
    pub(super) inode: u64,
}

/// What a text is, once its first line is known.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) key: FileKey,
    pub(super) fingerprint: Option<Fingerprint>,
    pub(super) generation: u32,
    pub(super) file: Arc<File>,
}

/// A part of the text that went out with a batch.
#[derive(Clone, Copy, Debug)]
struct InFlight {
    batch: BatchId,
    /// With this batch and those before it, everything before this offset is out.
    safe: u64,
    filtered: u64,
    abandoned: u64,
    dead_lettered: u64,
    marker: Option<(u64, Marker)>,
    received: bool,
}

// === impl Followed ===

impl Followed {
    /// A text that was just met.
    pub(super) fn new(number: u64, source: Arc<Source>, tail: Tail) -> Self {
        let acknowledged = tail.read();
        Self {
            number,
            source,
            places: Vec::new(),
            identity: None,
            tail,
            acknowledged,
            marker: None,
            in_flight: VecDeque::new(),
            sent: acknowledged,
            filtered: 0,
            abandoned: 0,
            known: Vec::new(),
            named: Vec::new(),
            sent_before: 0,
            reserve: None,
            device: 0,
            inode: 0,
            size_before: acknowledged,
            grown_at: Duration::ZERO,
            closed_at: None,
            deleted_at: None,
            replaced: false,
            saved: false,
            dirty: false,
            trouble: None,
        }
    }

    /// A text that an earlier process followed and that is not met yet.
    pub(super) fn remembered(
        number: u64,
        state: FileState,
        node: &Arc<record::file::Node>,
    ) -> Self {
        let tail = Tail::new(None, state.acknowledged, state.acknowledged);
        let file = crate::enrich::file(
            &state.source,
            node,
            state.key,
            state.fingerprint,
            state.started,
        );
        let mut followed = Self::new(number, Arc::new(state.source), tail);
        followed.identity = Some(Identity {
            key: state.key,
            fingerprint: state.fingerprint,
            generation: state.generation,
            file,
        });
        followed.marker = state.marker;
        followed.reserve = state.reserve;
        followed.named = state.named;
        followed.device = state.device;
        followed.inode = state.inode;
        followed.size_before = state.size;
        followed.saved = true;
        followed
    }

    /// What the state has to know of it; none before it has an identity.
    pub(super) fn state(&self) -> Option<FileState> {
        let identity = self.identity.as_ref()?;
        Some(FileState {
            source: Source::clone(&self.source),
            key: identity.key,
            fingerprint: identity.fingerprint,
            generation: identity.generation,
            started: identity.file.started,
            device: self.device,
            inode: self.inode,
            acknowledged: self.acknowledged,
            size: self.tail.size().max(self.size_before),
            marker: self.marker,
            reserve: self.reserve.clone(),
            named: self.named.clone(),
        })
    }

    /// `log.file.started`, once it is known.
    pub(super) fn started(&self) -> Option<i64> {
        self.identity.as_ref().map(|identity| identity.file.started)
    }

    /// Bytes on disk that are not read.
    pub(super) fn unread(&self) -> u64 {
        self.tail.size() - self.tail.read()
    }

    /// Bytes read that are not received.
    pub(super) fn unreceived(&self) -> u64 {
        self.tail.read() - self.acknowledged
    }

    /// Whether it is deleted, or was set aside: only the last bytes of a slow writer may still come.
    pub(super) fn is_set_aside(&self) -> bool {
        self.places.is_empty() || self.source.link.is_rotated()
    }

    /// Whether any of its places is this inode.
    pub(super) fn is_at(&self, device: u64, inode: u64) -> bool {
        self.places
            .iter()
            .any(|place| place.device == device && place.inode == inode)
    }

    /// Whether this inode is held open, so that it can be no other text's.
    pub(super) fn holds(&self, device: u64, inode: u64) -> bool {
        self.tail.carrier.as_ref().is_some_and(|carrier| {
            let metadata = carrier.file().metadata();
            metadata.is_ok_and(|held| (held.dev(), held.ino()) == (device, inode))
        })
    }

    /// Whether a listed file still has this text, as far as that is certain without looking into it: an inode that is
    /// not held open may have been freed and used again.
    pub(super) fn still_has(&self, found: &Found) -> bool {
        let same_inode =
            |place: &&Place| (place.device, place.inode) == (found.device, found.inode);
        let Some(place) = self.places.iter().find(same_inode) else {
            return false;
        };
        let held = self.holds(found.device, found.inode);
        let unchanged = place.source.path == found.source.path
            && (found.source.link.gzip || found.size == self.tail.size())
            && self.identity.is_some();
        held || unchanged
    }

    /// Takes a place, under its newest name.
    pub(super) fn meet(&mut self, place: Place) {
        let same = |known: &&mut Place| known.device == place.device && known.inode == place.inode;
        match self.places.iter_mut().find(same) {
            Some(known) if known.source == place.source => {}
            Some(known) => *known = place,
            None => self.places.push(place),
        }
        self.deleted_at = None;
        self.choose_source();
    }

    /// Takes the best of the places as its source: the live file before a plain one before an archive.
    pub(super) fn choose_source(&mut self) {
        let rank = |link: &Link| (link.gzip, link.is_rotated());
        let Some(best) = self
            .places
            .iter()
            .min_by_key(|place| rank(&place.source.link))
        else {
            return;
        };
        if best.source != self.source {
            self.source = Arc::clone(&best.source);
            self.dirty = true;
        }
        if (best.device, best.inode) != (self.device, self.inode) {
            (self.device, self.inode) = (best.device, best.inode);
            self.dirty = true;
        }
    }

    /// Takes what became known about the file's origin since its first line (a container's id comes after its log).
    pub(super) fn describe(&mut self, node: &Arc<record::file::Node>) {
        let origin = self.identity.as_ref().map(|identity| &identity.file.origin);
        if origin.is_some_and(|origin| *origin != self.source.origin) {
            self.rename_node(node);
            self.dirty = true;
        }
    }

    /// Makes the constant part of its records anew, with these names of the node.
    pub(super) fn rename_node(&mut self, node: &Arc<record::file::Node>) {
        if let Some(identity) = &mut self.identity {
            let (started, fingerprint) = (identity.file.started, identity.fingerprint);
            identity.file =
                crate::enrich::file(&self.source, node, identity.key, fingerprint, started);
        }
    }

    /// Notes bytes that were passed over on purpose.
    pub(super) fn filter(&mut self, bytes: u64) {
        self.filtered += bytes;
    }

    /// Notes that an earlier process may have sent all that is there now.
    pub(super) fn may_be_sent(&mut self) {
        self.sent_before = self.tail.size();
    }

    /// The time that the id and the index of an entry are made from, the same at each reading.
    pub(super) fn name_of(&self, entry: &Entry<'_>) -> Timestamp {
        let started = || self.started().map_or(entry.time, Timestamp);
        if self.source.format == Format::Text {
            let after = self
                .named
                .partition_point(|(from, _)| *from <= entry.offset);
            let moment = self.named.get(after.saturating_sub(1));
            return moment.map_or_else(started, |(_, moment)| *moment);
        }
        // A line that is not in its file's format has no time of its own either.
        if entry.tags.contains(Tags::UNPARSED) || entry.tags.contains(Tags::GAP) {
            return started();
        }
        entry.time
    }

    /// Begins a new day for untimed text: what is sent from here on is named by it, once that is durable. Gives whether
    /// it did. What an earlier process may have sent keeps its day.
    pub(super) fn begin_day(&mut self, now: Timestamp) -> bool {
        let is_over = |(_, moment): &(u64, Timestamp)| moment.epoch_day() < now.epoch_day();
        if self.source.format != Format::Text || !self.named.last().is_none_or(is_over) {
            return false;
        }
        let from = if self.named.is_empty() {
            0
        } else {
            self.tail.read().max(self.sent_before)
        };
        self.named.push((from, now));
        // Days before the oldest position that may be read again name nothing any more.
        let first = self
            .named
            .partition_point(|(from, _)| *from <= self.acknowledged);
        self.named.drain(..first.saturating_sub(1));
        self.saved = false;
        self.dirty = true;
        true
    }

    /// How far the text can be forgotten when all that was emitted so far is received. `pending` is the oldest position
    /// in the stream that still waits for its end.
    fn safe(&self, pending: Option<Position>) -> u64 {
        let read = self.tail.read();
        match (pending, self.started()) {
            (Some(pending), Some(started)) if pending.started == started => {
                read.min(pending.offset)
            }
            // A piece of this text may belong to the record that began in an earlier one.
            (Some(pending), Some(started)) if pending.started < started => self.sent,
            _ => read,
        }
    }

    /// Notes that a batch went out. Gives whether this text has anything to do with it.
    pub(super) fn sent_with(&mut self, batch: BatchId, pending: Option<Position>) -> bool {
        let safe = self.safe(pending);
        if safe <= self.sent {
            return false;
        }
        // What is passed over beyond a pending record is accounted with the part of the text that it stands in.
        let bytes = safe - self.sent;
        let filtered = self.filtered.min(bytes);
        let abandoned = self.abandoned.min(bytes - filtered);
        self.filtered -= filtered;
        self.abandoned -= abandoned;
        let marker = self.tail.marker().filter(|(offset, _)| *offset == safe);
        self.in_flight.push_back(InFlight {
            batch,
            safe,
            filtered,
            abandoned,
            dead_lettered: 0,
            marker,
            received: false,
        });
        self.sent = safe;
        true
    }

    /// Notes that a batch was received, and moves the position over what is received without a gap.
    pub(super) fn received(&mut self, batch: BatchId, dead_lettered: u64, ledger: &mut Ledger) {
        for part in &mut self.in_flight {
            if part.batch == batch {
                part.received = true;
                part.dead_lettered = dead_lettered;
            }
        }
        while let Some(part) = self.in_flight.front().copied().filter(|part| part.received) {
            self.in_flight.pop_front();
            let bytes = part.safe - self.acknowledged - part.filtered - part.abandoned;
            let dead_lettered = part.dead_lettered.min(bytes);
            ledger.filtered += part.filtered;
            ledger.abandoned += part.abandoned;
            ledger.dead_lettered += dead_lettered;
            ledger.acknowledged += bytes - dead_lettered;
            self.acknowledged = part.safe;
            let last = self.known.last().map(|(offset, _)| *offset);
            if last.is_some_and(|last| last < self.acknowledged) {
                self.known = Vec::new();
            }
            if part.marker.is_some() {
                self.marker = part.marker;
            }
            self.dirty = true;
        }
        if self.in_flight.is_empty() {
            // Thousands of quiet texts need no room for what is on its way.
            self.in_flight = VecDeque::new();
        }
    }

    /// Gives up what is not read, and says how many bytes that is. They count as abandoned once the gap record that
    /// stands in their place is received.
    pub(super) fn give_up(&mut self) -> u64 {
        let lost = self.tail.give_up();
        self.abandoned += lost;
        lost
    }

    /// Whether nothing of it is left to read, send or receive.
    pub(super) fn is_done(&self) -> bool {
        self.unread() == 0 && self.unreceived() == 0 && self.in_flight.is_empty()
    }
}
