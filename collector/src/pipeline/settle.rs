//! What time alone decides: waiting groups, deleted files, budgets, the end.

use std::time::Duration;

use record::Timestamp;

use super::engine::Engine;
use super::followed::Followed;
use crate::ledger::AbandonReason;
use crate::parse::Flush;
use crate::pipeline::Outcome;

/// How long a deleted text is still looked at after it grew last: its writer may not know yet.
const DELETED_QUIET: Duration = Duration::from_secs(2);
/// How long a closed or quiet container's unfinished line waits before it counts as the last one.
const UNFINISHED_QUIET: Duration = Duration::from_mins(5);
/// The same once its writer has closed the file.
const CLOSED_QUIET: Duration = Duration::from_secs(5);
/// How long a text is quiet before its descriptor is closed; it is recognised when it grows again.
const IDLE_CLOSE: Duration = Duration::from_mins(10);

// === impl Engine ===

impl Engine {
    /// Sees to everything that waits for time to pass.
    pub(super) fn settle(&mut self) {
        let due = if self.draining {
            (0..self.streams.len()).collect()
        } else {
            self.hot.clone()
        };
        for index in due {
            self.settle_stream(index);
        }
        self.keep_budget();
        self.derive.sweep(self.clock.elapsed());
    }

    fn settle_stream(&mut self, index: usize) {
        let now = self.clock.elapsed();
        let wall = self.clock.wall();
        let was_touched = match self.stream_mut(index) {
            Some(stream) => stream.touched,
            None => return,
        };
        self.flush_due(index, now, wall);
        let Some(stream) = self.stream_mut(index) else {
            return;
        };
        let received = stream.ledger.acknowledged + stream.ledger.filtered;
        stream.pace.measure(now, stream.ledger.seen, received);
        if stream.touched && !was_touched {
            self.touched.push(index);
            self.batch_since.get_or_insert(now);
        }
        self.end_deleted(index, now);
        self.close_idle(index, now);
        let Some(stream) = self.stream_mut(index) else {
            return;
        };
        let is_over = stream.files.is_empty() && stream.assembler.pending_from().is_none();
        if is_over && stream.directory.is_none() && !stream.touched {
            self.forget_stream(index);
        }
    }

    /// Gives out what waits for its end when the lines' own times, or the container's end, say so.
    fn flush_due(&mut self, index: usize, now: Duration, wall: Timestamp) {
        let draining = self.draining;
        let Some(stream) = self.streams.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        if stream.assembler.pending_from().is_none() {
            return;
        }
        // Before the stream is read to its end the next line may belong to what is pending.
        let waits = |file: &Followed| {
            file.unread() > 0 && file.trouble.is_none() && file.identity.is_some()
        };
        if stream.files.iter().any(waits) {
            return;
        }
        let quiet = stream
            .files
            .iter()
            .map(|file| now.saturating_sub(file.grown_at))
            .min()
            .unwrap_or(Duration::MAX);
        let closed = stream.files.last().is_none_or(|file| {
            file.places.is_empty()
                || file
                    .closed_at
                    .is_some_and(|closed| now.saturating_sub(closed) >= CLOSED_QUIET)
        });
        let why = if draining {
            Some(Flush::Drained)
        } else if (closed && quiet >= DELETED_QUIET) || quiet >= UNFINISHED_QUIET {
            Some(Flush::ContainerEnded)
        } else if stream
            .assembler
            .next_deadline()
            .is_some_and(|deadline| deadline <= wall)
        {
            Some(Flush::GroupExpired(wall))
        } else {
            None
        };
        let Some(why) = why else { return };
        let Some((stream, mut hands)) = self.hands(index) else {
            return;
        };
        stream.flush(why, &mut hands);
    }

    /// Lets go of deleted texts that are received to their end.
    fn end_deleted(&mut self, index: usize, now: Duration) {
        let Some(stream) = self.stream_mut(index) else {
            return;
        };
        let deleted: Vec<(u64, bool, bool)> = stream
            .files
            .iter()
            .filter(|file| file.places.is_empty())
            .filter(|file| now.saturating_sub(file.grown_at) >= DELETED_QUIET || file.replaced)
            .map(|file| (file.number, file.tail.carrier.is_some(), file.is_done()))
            .collect();
        for (number, is_open, is_done) in deleted {
            if !is_open && !self.is_given_up(index, number) {
                self.take_from_reserve(index, number, AbandonReason::Deleted);
                continue;
            }
            if is_done {
                self.drop_file(index, number);
            }
        }
        self.fail_unreadable(index, now);
    }

    /// A text that can't be read and is deleted, or damaged for good, is lost; so is any when nobody will try again.
    fn fail_unreadable(&mut self, index: usize, now: Duration) {
        let draining = self.draining;
        let Some(stream) = self.stream_mut(index) else {
            return;
        };
        let failed: Vec<(u64, bool)> = stream
            .files
            .iter()
            .filter(|file| file.trouble.is_some() && file.unread() > 0)
            .filter(|file| {
                let quiet = now.saturating_sub(file.grown_at) >= DELETED_QUIET;
                draining || (quiet && (file.places.is_empty() || file.source.link.gzip))
            })
            .map(|file| (file.number, file.source.link.gzip))
            .collect();
        for (number, gzip) in failed {
            let Some(stream) = self.stream_mut(index) else {
                return;
            };
            let Some(at) = stream.files.iter().position(|file| file.number == number) else {
                continue;
            };
            let reason = if gzip {
                AbandonReason::DamagedArchive
            } else {
                AbandonReason::Unreadable
            };
            self.lose(index, at, reason);
        }
    }

    fn is_given_up(&mut self, index: usize, number: u64) -> bool {
        self.file_mut(index, number)
            .is_none_or(|file| file.unread() == 0 && file.size_before <= file.tail.size())
    }

    fn drop_file(&mut self, index: usize, number: u64) {
        let Some(stream) = self.streams.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        let Some(at) = stream.files.iter().position(|file| file.number == number) else {
            return;
        };
        let pending = stream.assembler.pending_from();
        let started = stream.files.get(at).and_then(Followed::started);
        if pending.is_some_and(|pending| Some(pending.started) == started) {
            return;
        }
        let file = stream.files.remove(at);
        let has_identity = file.identity.is_some();
        self.released.extend(file.reserve);
        self.dirty.remove(&(index, number));
        if has_identity {
            self.forgotten.push(number);
        }
    }

    /// Closes descriptors of texts that have been quiet for long. What was set aside and is received needs neither a
    /// descriptor nor a link: they would keep a plain text on disk beside its archive.
    pub(super) fn close_idle(&mut self, index: usize, now: Duration) {
        let Some(stream) = self.streams.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        for file in &mut stream.files {
            if !file.is_done() || file.places.is_empty() {
                continue;
            }
            let quiet = now.saturating_sub(file.grown_at);
            if file.is_set_aside() && quiet >= DELETED_QUIET * 5 {
                file.tail.carrier = None;
                if let Some(link) = file.reserve.take() {
                    self.released.push(link);
                    self.dirty.insert((index, file.number));
                }
            } else if quiet >= IDLE_CLOSE {
                file.tail.carrier = None;
            }
        }
    }

    /// Keeps what is held of deleted files within its budget; the oldest go first.
    fn keep_budget(&mut self) {
        let limits = self.config.reserve;
        let wall = self.clock.wall();
        let mut held = Vec::new();
        for index in &self.hot {
            let Some(stream) = self.streams.get(*index).and_then(Option::as_ref) else {
                continue;
            };
            for file in stream
                .files
                .iter()
                .filter(|file| file.places.is_empty() && !file.is_done())
            {
                let since = file.deleted_at.unwrap_or(wall);
                held.push((since, *index, file.number, file.tail.size()));
            }
        }
        held.sort_unstable();
        let mut total: u64 = held.iter().map(|(.., size)| size).sum();
        for (since, index, number, size) in held {
            let age = Duration::from_nanos((wall.0 - since.0).max(0) as u64);
            if total <= limits.bytes_max && age <= limits.age_max {
                continue;
            }
            total -= size;
            let Some(stream) = self.stream_mut(index) else {
                continue;
            };
            let Some(at) = stream.files.iter().position(|file| file.number == number) else {
                continue;
            };
            if stream.files.get(at).is_some_and(|file| file.unread() > 0) {
                self.lose(index, at, AbandonReason::ReserveBudget);
            }
        }
    }

    /// Whether `--until-drained` has done its work.
    pub(super) fn is_drained(&self) -> bool {
        self.draining
            && !self.more
            && self.batch_since.is_none()
            && self.batches.is_empty()
            && !self.urgent
            && self.all().all(|stream| {
                stream.assembler.pending_from().is_none()
                    && stream.files.iter().all(|file| {
                        // Without an identity there is nothing but NULs.
                        file.is_done() || (file.identity.is_none() && file.trouble.is_none())
                    })
            })
    }

    /// Ends: nothing more is read, what is out is waited for, the state is written.
    pub(super) fn finish(mut self, grace: Duration) -> Outcome {
        // What was written until now is read, if that takes no longer than a turn.
        self.look();
        self.more = true;
        self.read();
        self.stopping = true;
        let deadline = self.clock.elapsed() + grace;
        self.submit();
        loop {
            self.receive();
            if self.batches.is_empty() || self.clock.elapsed() >= deadline {
                break;
            }
            self.wait(Duration::from_millis(20));
        }
        if !self.batches.is_empty() {
            tracing::warn!(
                batches = self.batches.len(),
                "stopped before all receipts came: the lines will be sent again at the next start"
            );
        }
        let mut saved = self.commit();
        while !saved && self.clock.elapsed() < deadline {
            self.wait(Duration::from_millis(100));
            saved = self.commit();
        }
        let status = self.status();
        Outcome { status, saved }
    }

    /// Sleeps until a receipt comes, at most this long.
    fn wait(&mut self, most: Duration) {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let timeout = Timespec {
            tv_sec: 0,
            tv_nsec: i64::from(most.subsec_nanos()),
        };
        let mut fds = [PollFd::new(&self.waker, PollFlags::IN)];
        if let Err(error) = poll(&mut fds, Some(&timeout)) {
            tracing::trace!(%error, "wait for receipts");
        }
        self.waker.clear();
    }
}
