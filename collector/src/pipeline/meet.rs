//! Meeting: what stands in a directory now is matched with the texts that are followed.
//!
//! A name says little: the same text is renamed, compressed and copied, and a name gets new text. What is open is known
//! by its inode; what is not is recognised by its first line and by the bytes before the acknowledged offset.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use record::origin::Format;
use record::{FileKey, Fingerprint, Timestamp};

use super::engine::Engine;
use super::followed::{Followed, Identity, Place};
use super::stream::Stream;
use crate::chain::Chain;
use crate::checkpoint::FileState;
use crate::config::StartPolicy;
use crate::discover::{Found, Listing, OpenError};
use crate::enrich;
use crate::parse;
use crate::ship::Doubt;
use crate::tail::{Carrier, FirstLine, Tail, first_line};

// === impl Engine ===

impl Engine {
    /// Takes up the texts of the state; none of them is met yet.
    pub(super) fn remember(&mut self, files: BTreeMap<u64, FileState>) {
        for (number, state) in files {
            let index = self.stream(&state.source.origin);
            let node = Arc::clone(&self.config.node);
            let followed = Followed::remembered(number, state, &node);
            if let Some(stream) = self.stream_mut(index) {
                stream.files.reserve_exact(1);
                stream.files.push(followed);
            }
        }
        for stream in self.streams.iter_mut().flatten() {
            stream.sort();
        }
    }

    /// The place of a stream, made if it is new.
    fn stream(&mut self, origin: &Arc<record::Origin>) -> usize {
        if let Some(index) = self.by_name.get(&origin.stream) {
            return *index;
        }
        let tap = self.derive.enter(origin);
        let stream = Some(Stream::new(Arc::clone(origin), tap, self.config.rate_limit));
        let index = if let Some(index) = self.free.pop() {
            if let Some(place) = self.streams.get_mut(index) {
                *place = stream;
            }
            index
        } else {
            self.streams.push(stream);
            self.streams.len() - 1
        };
        self.by_name.insert(origin.stream.clone(), index);
        index
    }

    /// Takes in what a directory has now.
    pub(super) fn meet(&mut self, listing: Listing) {
        let mut names = HashMap::new();
        let mut found: BTreeMap<usize, Vec<Found>> = BTreeMap::new();
        for one in listing.files {
            let index = self.stream(&one.source.origin);
            if let Some(name) = one.source.path.file_name() {
                names.insert(name.to_owned(), index);
            }
            found.entry(index).or_default().push(one);
        }
        let before = if listing.gone || names.is_empty() {
            self.directories.remove(&listing.dir)
        } else {
            self.directories.insert(listing.dir, names)
        };
        for index in before.into_iter().flat_map(HashMap::into_values) {
            // A directory that was made anew may have been listed before the old one is said to be gone.
            if self
                .stream_mut(index)
                .is_some_and(|stream| stream.directory == Some(listing.dir))
            {
                found.entry(index).or_default();
            }
        }
        for (index, found) in found {
            if let Some(stream) = self.stream_mut(index) {
                stream.directory = (!found.is_empty()).then_some(listing.dir);
            }
            self.meet_stream(index, found);
        }
    }

    /// Matches a stream's texts with its files on disk.
    fn meet_stream(&mut self, index: usize, found: Vec<Found>) {
        let Some(stream) = self.streams.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        if let Some(one) = found.first()
            && one.source.origin != stream.origin
        {
            // Docker's own files may come after the log; what they say holds for what is met from now on.
            stream.origin = Arc::clone(&one.source.origin);
            let tap = self.derive.enter(&stream.origin);
            let before = std::mem::replace(&mut stream.tap, tap);
            self.derive.leave(&before, self.clock.elapsed());
        }
        let inodes: Vec<(u64, u64)> = found.iter().map(|one| (one.device, one.inode)).collect();
        let wall = self.clock.wall();
        let Some(stream) = self.stream_mut(index) else {
            return;
        };
        let mut changed = false;
        for file in &mut stream.files {
            let had = file.places.len();
            file.places
                .retain(|place| inodes.contains(&(place.device, place.inode)));
            changed |= file.places.len() != had;
            if had > 0 && file.places.is_empty() {
                file.deleted_at = Some(wall);
            }
        }
        let mut strangers = Vec::new();
        for one in found {
            let place = Place {
                source: Arc::new(one.source.clone()),
                device: one.device,
                inode: one.inode,
            };
            match stream.files.iter_mut().find(|file| file.still_has(&one)) {
                Some(file) => {
                    changed |= !one.source.link.gzip && one.size != file.tail.size();
                    file.meet(place);
                }
                None => strangers.push(one),
            }
        }
        for one in &strangers {
            stream.disown(one);
        }
        let node = Arc::clone(&self.config.node);
        let Some(stream) = self.stream_mut(index) else {
            return;
        };
        for file in &mut stream.files {
            file.choose_source();
            file.describe(&node);
        }
        changed |= !strangers.is_empty();
        strangers.sort_by(|one, other| one.source.link.cmp(&other.source.link));
        if !strangers.is_empty() {
            // A text that was empty when it was opened may have its lines by now, and a stranger may be the archive of it.
            self.identify_waiting(index);
        }
        for one in strangers {
            self.welcome(index, &one);
        }
        self.note_dirty(index);
        // A rescan of thousands of quiet streams must not have each of them looked at.
        if changed {
            self.heat(index);
        }
    }

    /// Opens a file that none of the followed texts is known to have, and finds out which text it is.
    pub(super) fn welcome(&mut self, index: usize, found: &Found) {
        let mut place = Place {
            source: Arc::new(found.source.clone()),
            device: found.device,
            inode: found.inode,
        };
        let opened = self.open(&found.source);
        let mut carrier = match opened {
            Ok(file) => {
                if let Ok(metadata) = file.metadata() {
                    (place.device, place.inode) = (metadata.dev(), metadata.ino());
                }
                Carrier::new(file, found.source.link.gzip)
            }
            Err(OpenError::Gone { .. }) => return,
            Err(error) => {
                self.follow_unreadable(index, place, found.size, &error);
                return;
            }
        };
        let line = first_line(&mut carrier);
        let Some(stream) = self.streams.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        if let Some(file) = stream
            .files
            .iter_mut()
            .find(|file| file.is_at(place.device, place.inode))
        {
            // Renamed between the listing and the open.
            file.meet(place);
            return;
        }
        let complete = match line {
            Ok(FirstLine::Complete(line)) => Some(line),
            Ok(FirstLine::Incomplete(_)) => None,
            Err(error) => {
                let error = OpenError::Open {
                    path: found.source.path.clone(),
                    source: error,
                };
                self.follow_unreadable(index, place, found.size, &error);
                return;
            }
        };
        let known = complete.as_deref().and_then(|line| {
            stream.recognise(&place, &mut carrier, Fingerprint::of_first_line(line))
        });
        if let Some(known) = known {
            self.rejoin(index, known, place, carrier);
            return;
        }
        let number = self.next_number;
        self.next_number += 1;
        let mut file = Followed::new(
            number,
            Arc::clone(&place.source),
            Tail::new(Some(carrier), 0, 0),
        );
        file.meet(place);
        file.grown_at = self.clock.elapsed();
        let Some(stream) = self.stream_mut(index) else {
            return;
        };
        match file.tail.measure() {
            Ok(size) => stream.ledger.seen += size,
            Err(error) => file.trouble = Some(error.to_string()),
        }
        stream.files.reserve_exact(1);
        stream.files.push(file);
        if let Some(line) = complete {
            self.identify(index, number, &line, found.modified);
        }
    }

    /// Follows a file that can't be opened, so that it is shown, tried again and, if it goes, counted as lost.
    fn follow_unreadable(&mut self, index: usize, place: Place, size: u64, error: &OpenError) {
        let number = self.next_number;
        self.next_number += 1;
        tracing::warn!(path = %place.source.path.display(), error = %Chain(error), "cannot open log file");
        let mut file = Followed::new(number, Arc::clone(&place.source), Tail::new(None, 0, 0));
        file.meet(place);
        file.trouble = Some(Chain(error).to_string());
        let Some(stream) = self.stream_mut(index) else {
            return;
        };
        stream.ledger.seen += file.tail.grow_to(size);
        stream.files.reserve_exact(1);
        stream.files.push(file);
    }

    /// Opens a live file again that was closed for idleness and may have grown. If it has another text now, it is met as
    /// a new one.
    pub(super) fn reopen(&mut self, index: usize) {
        let now = self.clock.elapsed();
        let Some(stream) = self.streams.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        let mut cut = Vec::new();
        for (at, file) in stream.files.iter_mut().enumerate() {
            let is_closed = file.tail.carrier.is_none() && file.trouble.is_none() && !file.replaced;
            if !is_closed || file.places.is_empty() || file.source.link.is_rotated() {
                continue;
            }
            let Ok(opened) = self.discovery.open(&file.source) else {
                continue;
            };
            let mut carrier = Carrier::new(opened, false);
            let same_size = carrier.size().is_ok_and(|size| size == file.tail.size());
            let known = file
                .identity
                .as_ref()
                .and_then(|identity| identity.fingerprint);
            let found = match first_line(&mut carrier) {
                Ok(FirstLine::Complete(line)) => Some(Fingerprint::of_first_line(&line)),
                Ok(FirstLine::Incomplete(_)) | Err(_) => None,
            };
            if known != found {
                file.tail.carrier = Some(carrier);
                cut.push(at);
            } else if !same_size {
                file.tail.carrier = Some(carrier);
                file.grown_at = now;
            }
        }
        for at in cut.into_iter().rev() {
            self.replace(index, at);
        }
    }

    /// A text that is followed was found under another inode, or again after a restart.
    fn rejoin(&mut self, index: usize, at: usize, place: Place, carrier: Carrier) {
        let now = self.clock.elapsed();
        let Some(stream) = self.streams.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        let Some(file) = stream.files.get_mut(at) else {
            return;
        };
        let (source, number) = (Arc::clone(&place.source), file.number);
        file.meet(place);
        if file.tail.carrier.is_some() {
            // A text that was empty when it was looked at last has lines now, or there would be no copy of it.
            let is_done = file.is_done() && file.tail.size() > 0;
            if file.reserve.is_none() && !is_done {
                // What is read may have no name any more that could be linked; this has one.
                file.reserve = self.reserve.keep(&carrier, &source, number);
                if file.reserve.is_some() {
                    file.dirty = true;
                    self.urgent = true;
                    self.dirty.insert((index, number));
                }
            }
            return;
        }
        file.tail.carrier = Some(carrier);
        file.trouble = None;
        file.grown_at = now;
        stream.ledger.seen += take_up(file);
        if file.unread() == 0 && file.source.link.gzip {
            // Every look at its end would inflate all that comes before.
            file.tail.carrier = None;
            return;
        }
        self.look_up_known(index, number);
        self.keep(index, number);
    }

    /// Gives a text its identity, by its first line.
    fn identify(&mut self, index: usize, number: u64, line: &[u8], modified: Timestamp) {
        let wall = self.clock.wall();
        let fingerprint = Fingerprint::of_first_line(line);
        let node = Arc::clone(&self.config.node);
        let Some(stream) = self.streams.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        let Some(at) = stream.files.iter().position(|file| file.number == number) else {
            return;
        };
        let Some(source) = stream.files.get(at).map(|file| file.source.clone()) else {
            return;
        };
        let generation = stream.next_generation(fingerprint);
        let own = parse::first_time(source.format, line).unwrap_or(wall).0;
        let started = own.max(stream.earliest_start(&source));
        let key = if source.format == Format::Text {
            random_key()
        } else {
            fingerprint.key(generation)
        };
        let Some(file) = stream.files.get_mut(at) else {
            return;
        };
        file.identity = Some(Identity {
            key,
            fingerprint: Some(fingerprint),
            generation,
            file: enrich::file(&source, &node, key, Some(fingerprint), started),
        });
        file.saved = source.format != Format::Text;
        file.begin_day(wall);
        file.dirty = true;
        // Its reserve link is of use to the next process only if the state knows of it.
        self.urgent = true;
        stream.sort();
        self.apply_start_policy(index, number, modified);
        if self.starting {
            // What an earlier process has sent of a text was there when this one began; later ones are new to the sink.
            self.look_up_known(index, number);
        }
        self.keep(index, number);
        self.dirty.insert((index, number));
    }

    /// Passes over what was there before we were, if so configured.
    fn apply_start_policy(&mut self, index: usize, number: u64, modified: Timestamp) {
        let older = self.first_scan || modified < self.checkpoint.created();
        let passed = match self.config.start {
            StartPolicy::Beginning => false,
            StartPolicy::End => older,
            StartPolicy::Age(age) => {
                let limit = self
                    .checkpoint
                    .created()
                    .0
                    .saturating_sub(age.as_nanos() as i64);
                older && modified.0 < limit
            }
        };
        if !passed {
            return;
        }
        let Some(stream) = self.stream_mut(index) else {
            return;
        };
        stream.touched = true;
        let Some(file) = stream.files.iter_mut().find(|file| file.number == number) else {
            return;
        };
        let size = file.tail.size();
        file.tail.skip_to(size);
        file.filter(size);
        self.touched.push(index);
        let now = self.clock.elapsed();
        self.batch_since.get_or_insert(now);
    }

    /// Asks the sink what it has of a text beyond what is acknowledged: an earlier process may not have lived to note it.
    pub(super) fn look_up_known(&mut self, index: usize, number: u64) {
        let Some(stream) = self.streams.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        let Some(file) = stream.files.iter_mut().find(|file| file.number == number) else {
            return;
        };
        let Some(started) = file.started() else {
            return;
        };
        file.may_be_sent();
        if file.unread() > 0 {
            file.known = self.sink.stored_from(&Doubt {
                file: number,
                stream: &stream.origin.stream,
                started,
                from: file.acknowledged,
                until: file.tail.size(),
            });
        }
    }

    /// Links a text into the reserve.
    fn keep(&mut self, index: usize, number: u64) {
        let Some(stream) = self.streams.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        let Some(file) = stream.files.iter_mut().find(|file| file.number == number) else {
            return;
        };
        if file.reserve.is_some() || file.places.is_empty() {
            return;
        }
        let Some(carrier) = &file.tail.carrier else {
            return;
        };
        file.reserve = self.reserve.keep(carrier, &file.source, number);
        file.dirty |= file.reserve.is_some();
    }

    /// Tries again to learn what texts are whose first line was not complete.
    pub(super) fn identify_waiting(&mut self, index: usize) {
        let draining = self.draining;
        let Some(stream) = self.stream_mut(index) else {
            return;
        };
        let mut complete = Vec::new();
        for file in stream
            .files
            .iter_mut()
            .filter(|file| file.identity.is_none())
        {
            let ended = draining || file.places.is_empty();
            let Some(carrier) = &mut file.tail.carrier else {
                continue;
            };
            match first_line(carrier) {
                Ok(FirstLine::Complete(line)) => complete.push((file.number, line)),
                Ok(FirstLine::Incomplete(line)) if ended && line.iter().any(|byte| *byte != 0) => {
                    complete.push((file.number, line));
                }
                Ok(FirstLine::Incomplete(_)) => {}
                Err(error) => file.trouble = Some(error.to_string()),
            }
        }
        for (number, line) in complete {
            if !self.merge_waiting(index, number, &line) {
                let now = self.clock.wall();
                self.identify(index, number, &line, now);
            }
        }
    }

    /// A text whose first line is complete now may be one that is followed already: a copy in the making.
    fn merge_waiting(&mut self, index: usize, number: u64, line: &[u8]) -> bool {
        let fingerprint = Fingerprint::of_first_line(line);
        let Some(stream) = self.stream_mut(index) else {
            return false;
        };
        let Some(at) = stream.files.iter().position(|file| file.number == number) else {
            return false;
        };
        let mut file = stream.files.remove(at);
        // A deleted text lives on in its carrier only, which must not be let go of here.
        let Some(place) = file.places.first().cloned() else {
            stream.files.insert(at, file);
            return false;
        };
        if let Some(mut carrier) = file.tail.carrier.take() {
            if let Some(known) = stream.recognise(&place, &mut carrier, fingerprint) {
                // What was seen of it is seen under its other name.
                stream.ledger.seen -= file.tail.size();
                self.rejoin(index, known, place, carrier);
                return true;
            }
            file.tail.carrier = Some(carrier);
        }
        stream.files.insert(at, file);
        false
    }

    /// Notes that a writer closed a stream's file. What it had written until then is no sign of another writer.
    pub(super) fn note_closed(&mut self, index: usize, name: &std::ffi::OsStr) {
        let now = self.clock.elapsed();
        let Some(stream) = self.stream_mut(index) else {
            return;
        };
        for file in &mut stream.files {
            if file.source.path.file_name() != Some(name) {
                continue;
            }
            match file.tail.measure() {
                Ok(grown) => stream.ledger.seen += grown,
                Err(error) => file.trouble = Some(error.to_string()),
            }
            file.grown_at = now;
            file.closed_at = Some(now);
        }
    }

    fn open(&self, source: &record::Source) -> Result<File, OpenError> {
        self.discovery.open(source)
    }

    /// Notes every changed file of a stream for the next commit.
    pub(super) fn note_dirty(&mut self, index: usize) {
        let Some(stream) = self.streams.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        for file in &mut stream.files {
            if std::mem::take(&mut file.dirty) {
                self.dirty.insert((index, file.number));
            }
        }
    }
}

/// Measures a text that has a carrier again and makes it ready to go on. Says how many bytes are new.
pub(super) fn take_up(file: &mut Followed) -> u64 {
    let grown = match file.tail.measure() {
        Ok(grown) => grown,
        Err(error) => {
            file.trouble = Some(error.to_string());
            0
        }
    };
    if file.unread() > 0
        && let Err(error) = file.tail.prime()
    {
        file.trouble = Some(error.to_string());
    }
    grown
}

/// A key that no other text will have.
fn random_key() -> FileKey {
    let mut key = [0; 16];
    let mut filled = 0;
    while filled < key.len() {
        let rest = key.get_mut(filled..).unwrap_or_default();
        match rustix::rand::getrandom(rest, rustix::rand::GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(error) => tracing::trace!(%error, "random bytes not ready"),
        }
    }
    FileKey(key)
}
