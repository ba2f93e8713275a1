//! Parting: texts that were cut, deleted or rotated away, and what is left of them elsewhere.

use std::os::unix::fs::MetadataExt;

use super::engine::Engine;
use super::meet::take_up;
use crate::discover::Found;
use crate::ledger::AbandonReason;
use crate::tail::Carrier;

// === impl Engine ===

impl Engine {
    /// The bytes of a text are others than before: it was cut. What is left of the old one may be in a copy.
    pub(super) fn replace(&mut self, index: usize, at: usize) {
        let wall = self.clock.wall();
        let Some(stream) = self.streams.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        let Some(file) = stream.files.get_mut(at) else {
            return;
        };
        let (device, inode) = match file
            .tail
            .carrier
            .as_ref()
            .map(|carrier| carrier.file().metadata())
        {
            Some(Ok(metadata)) => (metadata.dev(), metadata.ino()),
            _ => (file.device, file.inode),
        };
        let cut = file
            .places
            .iter()
            .position(|place| (place.device, place.inode) == (device, inode));
        let cut = cut.map(|cut| file.places.remove(cut));
        self.released.extend(file.reserve.take());
        // What it grew by since it was last known to be the old text is the new one's.
        stream.ledger.seen -= file.tail.shrink_to_sure();
        file.tail.carrier = None;
        file.choose_source();
        let copies: Vec<_> = file
            .places
            .iter()
            .map(|place| place.source.clone())
            .collect();
        let copy = copies.iter().find_map(|source| {
            let opened = self.discovery.open(source).ok()?;
            Some(Carrier::new(opened, source.link.gzip))
        });
        if let Some(copy) = copy {
            file.tail.carrier = Some(copy);
            stream.ledger.seen += file.tail.measure().unwrap_or(0);
            // Seen in the original, but written after the copy was made.
            let missed = file.tail.shrink_to_carrier().unwrap_or(0);
            if missed > 0 {
                stream.ledger.abandoned += missed;
                let gap = self.gaps.entry(AbandonReason::Truncated).or_default();
                gap.0 += missed;
                gap.1 += 1;
                tracing::error!(
                    path = %file.source.path.display(), bytes = missed, reason = "truncated",
                    "lines are lost: they were written between a copy and the cut"
                );
            }
        } else {
            file.replaced = true;
            file.deleted_at = Some(wall);
            self.lose(index, at, AbandonReason::Truncated);
        }
        if let Some(place) = cut {
            let found = Found {
                source: record::Source::clone(&place.source),
                device: place.device,
                inode: place.inode,
                size: 0,
                modified: wall,
                links: 1,
            };
            self.welcome(index, &found);
        }
        self.heat(index);
    }

    /// Gives up what is left of a text, and counts it.
    pub(super) fn lose(&mut self, index: usize, at: usize, reason: AbandonReason) {
        let now = self.clock.elapsed();
        let Some((stream, mut hands)) = self.hands(index) else {
            return;
        };
        let lost = stream.abandon(at, reason, &mut hands);
        if lost > 0 {
            let gap = self.gaps.entry(reason).or_default();
            gap.0 += lost;
            gap.1 += 1;
            self.touched.push(index);
            self.batch_since.get_or_insert(now);
        }
    }

    /// After the first scan: what the state knows and the disk has not is taken from the reserve, or is lost.
    pub(super) fn give_up_unmet(&mut self) {
        for index in 0..self.streams.len() {
            let Some(stream) = self.stream_mut(index) else {
                continue;
            };
            let unmet: Vec<u64> = stream
                .files
                .iter()
                .filter(|file| file.places.is_empty() && file.tail.carrier.is_none())
                .map(|file| file.number)
                .collect();
            let rotated_away = stream.newest_rotated_away();
            for number in unmet {
                self.take_from_reserve(index, number, AbandonReason::DeletedWhileDown);
            }
            if let Some(number) = rotated_away {
                self.note_rotated_away(index, number);
            }
            self.heat(index);
        }
    }

    /// Leaves a gap record where rotation went past the last text that was known.
    fn note_rotated_away(&mut self, index: usize, number: u64) {
        let now = self.clock.elapsed();
        let Some((stream, mut hands)) = self.hands(index) else {
            return;
        };
        let Some(at) = stream.files.iter().position(|file| file.number == number) else {
            return;
        };
        stream.note_rotated_away(at, &mut hands);
        self.gaps.entry(AbandonReason::RotatedAway).or_default().1 += 1;
        self.touched.push(index);
        self.batch_since.get_or_insert(now);
    }

    /// Goes on with a deleted text through its reserve link; without one the rest is lost.
    pub(super) fn take_from_reserve(&mut self, index: usize, number: u64, reason: AbandonReason) {
        let wall = self.clock.wall();
        let now = self.clock.elapsed();
        let Some(stream) = self.streams.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        let Some(at) = stream.files.iter().position(|file| file.number == number) else {
            return;
        };
        let Some(file) = stream.files.get_mut(at) else {
            return;
        };
        file.deleted_at.get_or_insert(wall);
        let opened = file.reserve.as_ref().map(|path| self.reserve.open(path));
        if let Some(Ok(opened)) = opened {
            file.tail.carrier = Some(opened);
            file.grown_at = now;
            stream.ledger.seen += take_up(file);
            self.look_up_known(index, number);
            return;
        }
        if let Some(Err(error)) = opened {
            tracing::warn!(path = %file.source.path.display(), %error, "cannot open reserve link");
        }
        self.lose(index, at, reason);
    }
}
