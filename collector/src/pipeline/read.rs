//! Reading: the streams that have something take turns by bytes, oldest text first.

use std::time::Duration;

use super::LOOK_INTERVAL;
use super::engine::Engine;
use super::stream::{Hands, Look, Stream};
use crate::parse::Flush;

/// How long a turn may read before events and receipts are seen to.
const TURN_TIME: Duration = Duration::from_millis(50);
/// When this much is written, the next look comes soon.
const BUSY_BYTES_PER_SECOND: f64 = 512.0 * 1024.0;
/// After this many looks in a row that found something, a directory's events are turned off.
const LOOKS_UNTIL_PARKED: u32 = 20;

// === impl Engine ===

impl Engine {
    /// Reads what the listed streams have, in turns, until nothing is left, the sink is full or time is up.
    pub(super) fn read(&mut self) {
        let begin = self.clock.elapsed();
        let since = begin.saturating_sub(self.looked_at);
        if !self.more && since < self.look_pause {
            // It is a receipt that woke us.
            return;
        }
        self.looked_at = begin;
        let mut ready = self.hot.clone();
        if !self.has_room() {
            // Nothing is read, but what came meanwhile is known by its first line, and kept by a link, while it has a name.
            for index in &ready {
                self.identify_waiting(*index);
                self.measure_waiting(*index);
            }
        }
        let mut found = Vec::new();
        let mut read_bytes = 0;
        self.more = false;
        while !ready.is_empty() {
            let mut again = Vec::new();
            for index in ready {
                if !self.has_room() || self.stopping {
                    self.more |= !self.stopping;
                    again.clear();
                    break;
                }
                if let Some(bytes) = self.read_stream(index)
                    && bytes > 0
                {
                    read_bytes += bytes;
                    again.push(index);
                    found.push(index);
                }
                if self.sink.open_bytes() >= self.sink.batch_bytes() {
                    self.submit();
                }
            }
            ready = again;
            if self.clock.elapsed().saturating_sub(begin) >= TURN_TIME {
                self.more |= !ready.is_empty();
                break;
            }
        }
        self.look_pause = if read_bytes as f64 >= since.as_secs_f64() * BUSY_BYTES_PER_SECOND {
            LOOK_INTERVAL.0
        } else {
            LOOK_INTERVAL.1
        };
        found.sort_unstable();
        found.dedup();
        self.cool(&found);
    }

    /// Lets streams that were quiet for a while wait for events again, and parks those that never are.
    fn cool(&mut self, found: &[usize]) {
        let now = self.clock.elapsed();
        let mut quiet = Vec::new();
        let mut busy = Vec::new();
        for index in self.hot.clone() {
            let grew = found.binary_search(&index).is_ok();
            let Some(stream) = self.stream_mut(index) else {
                continue;
            };
            if grew {
                stream.hot_until = now + Duration::from_secs(2);
                stream.busy_looks += 1;
                if stream.busy_looks >= LOOKS_UNTIL_PARKED && !stream.parked {
                    stream.parked = true;
                    busy.push(index);
                }
                continue;
            }
            stream.busy_looks = 0;
            let waits = stream.assembler.pending_from().is_some()
                || stream.files.iter().any(|file| {
                    (file.unread() > 0 && file.trouble.is_none()) || file.places.is_empty()
                });
            if now >= stream.hot_until && !waits {
                quiet.push(index);
            }
        }
        for index in busy {
            self.park(index, true);
        }
        for index in quiet {
            if let Some(stream) = self.stream_mut(index) {
                stream.listed = false;
                if std::mem::take(&mut stream.parked) {
                    self.park(index, false);
                }
            }
        }
        let streams = &self.streams;
        self.hot.retain(|index| {
            streams
                .get(*index)
                .and_then(Option::as_ref)
                .is_some_and(|stream| stream.listed)
        });
    }

    fn park(&mut self, index: usize, hot: bool) {
        let Some(directory) = self.stream_mut(index).and_then(|stream| stream.directory) else {
            return;
        };
        // A directory with several streams is parked only while all of them are busy.
        let all_busy = self.directories.get(&directory).is_some_and(|names| {
            names.values().all(|other| {
                let other = self.streams.get(*other).and_then(Option::as_ref);
                other.is_none_or(|other| other.parked)
            })
        });
        if hot && !all_busy {
            return;
        }
        let now = self.clock.instant();
        if let Some(listing) = self.discovery.park(directory, hot, now) {
            self.meet(listing);
            self.heat(index);
        }
    }

    /// Looks how much there is of a stream that gets no turn now: what waits is part of its lag.
    fn measure_waiting(&mut self, index: usize) {
        let now = self.clock.elapsed();
        let Some(stream) = self.stream_mut(index) else {
            return;
        };
        for at in 0..stream.files.len() {
            // One that can't be measured says so itself, in its trouble.
            measure(stream, at, now).unwrap_or_default();
        }
    }

    /// Gives one stream its turn, and says how many bytes it moved on: 0 if there was nothing. `None`: it has ended.
    fn read_stream(&mut self, index: usize) -> Option<u64> {
        let now = self.clock.elapsed();
        let draining = self.draining;
        self.reopen(index);
        self.identify_waiting(index);
        let stream = self.stream_mut(index)?;
        let (was_touched, read_before) = (stream.touched, stream.ledger.read);
        let mut replaced = None;
        let mut read_some = false;
        {
            let (stream, mut hands) = self.hands(index)?;
            hands.quantum_bytes = if stream.is_limited(now) {
                // Measured all the same: what waits is part of its lag.
                0
            } else {
                stream.quantum_bytes(hands.sink, now)
            };
            let mut at = 0;
            while at < stream.files.len() {
                match look_at(stream, at, now, draining, &mut hands) {
                    Look::More => {
                        read_some = true;
                        break;
                    }
                    Look::Replaced => {
                        replaced = Some(at);
                        break;
                    }
                    Look::End | Look::Failed => {}
                }
                end_restart(stream, at, &mut hands);
                at += 1;
            }
        }
        let stream = self.stream_mut(index)?;
        let is_touched = stream.touched && !was_touched;
        let read_bytes = stream.ledger.read - read_before;
        let unsaved = stream.files.iter().filter(|file| !file.saved && file.dirty);
        let unsaved: Vec<u64> = unsaved.map(|file| file.number).collect();
        self.urgent |= !unsaved.is_empty();
        self.dirty
            .extend(unsaved.into_iter().map(|number| (index, number)));
        if is_touched {
            self.touched.push(index);
            self.batch_since.get_or_insert(now);
        }
        if let Some(at) = replaced {
            self.replace(index, at);
            return Some(1);
        }
        Some(if read_some { read_bytes.max(1) } else { 0 })
    }
}

/// Looks for growth of one text; an error is why it can't be read now.
fn measure(stream: &mut Stream, at: usize, now: Duration) -> Result<(), Look> {
    let Some(file) = stream.files.get_mut(at) else {
        return Err(Look::End);
    };
    if file.identity.is_none() || !file.saved || file.tail.carrier.is_none() {
        return Err(Look::End);
    }
    match file.tail.measure() {
        Ok(grown) if grown > 0 => {
            file.grown_at = now;
            file.closed_at = None;
            stream.ledger.seen += grown;
        }
        Ok(_) => {}
        Err(error) => {
            file.trouble = Some(error.to_string());
            return Err(Look::Failed);
        }
    }
    Ok(())
}

/// Looks for growth of one text and reads some of it.
fn look_at(
    stream: &mut Stream,
    at: usize,
    now: Duration,
    draining: bool,
    hands: &mut Hands<'_>,
) -> Look {
    let ended = is_ended(stream, at, now, draining);
    if let Err(look) = measure(stream, at, now) {
        return look;
    }
    let Some(file) = stream.files.get_mut(at) else {
        return Look::End;
    };
    if file.unread() > 0 && file.begin_day(hands.now) {
        // Nothing of the new day is sent before the day is durable.
        return Look::End;
    }
    if file.tail.is_at_end() || hands.quantum_bytes == 0 {
        // Most looks at a slow file end here, with one system call.
        return Look::End;
    }
    let look = stream.read(at, ended, hands);
    if look == Look::End
        && let Some(file) = stream.files.get_mut(at)
    {
        match file.tail.settle() {
            Ok(excess) => stream.ledger.seen -= excess,
            Err(error) => tracing::debug!(%error, "cannot tell the archive's true size"),
        }
    }
    // A read can find more than the look before it knew of.
    if let Some(file) = stream.files.get_mut(at) {
        stream.ledger.seen += file.tail.take_outgrown();
    }
    look
}

/// Whether the writer of a text is done, so that what follows its last newline is a line.
fn is_ended(stream: &Stream, at: usize, now: Duration, draining: bool) -> bool {
    const QUIET: Duration = Duration::from_secs(1);
    const QUIET_AFTER_CLOSE: Duration = Duration::from_secs(5);
    let Some(file) = stream.files.get(at) else {
        return false;
    };
    let quiet = now.saturating_sub(file.grown_at);
    let followed = stream
        .files
        .get(at + 1..)
        .is_some_and(|newer| newer.iter().any(|newer| newer.identity.is_some()));
    draining
        || (file.is_set_aside() && quiet >= QUIET && (followed || file.places.is_empty()))
        || is_of_earlier_restart(stream, at)
        || (file
            .closed_at
            .is_some_and(|closed| now.saturating_sub(closed) >= QUIET_AFTER_CLOSE)
            && file.source.format != record::origin::Format::Text)
}

/// Whether the container was started again since it wrote this text.
fn is_of_earlier_restart(stream: &Stream, at: usize) -> bool {
    let Some(file) = stream.files.get(at) else {
        return false;
    };
    stream
        .files
        .iter()
        .any(|other| other.source.link.restart > file.source.link.restart)
}

/// Gives out what a container left unfinished when it is known to have ended with this text.
fn end_restart(stream: &mut Stream, at: usize, hands: &mut Hands<'_>) {
    let Some(pending) = stream.assembler.pending_from() else {
        return;
    };
    let Some(file) = stream.files.get(at) else {
        return;
    };
    let restart = file.source.link.restart;
    let next = stream
        .files
        .get(at + 1)
        .filter(|next| next.source.link.restart != restart);
    let began_here = file
        .started()
        .is_some_and(|started| pending.started <= started);
    if next.is_some() && began_here && file.unread() == 0 {
        stream.flush(Flush::ContainerEnded, hands);
    }
}
