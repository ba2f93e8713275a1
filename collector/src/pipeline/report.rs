//! The loop's state as others see it.

use record::Timestamp;

use super::engine::Engine;
use super::followed::Followed;
use super::stream::Stream;
use crate::derive::Snapshot;
use crate::status::{FileStatus, Status, StreamStatus, reasons};

// === impl Engine ===

impl Engine {
    /// What the lines so far say in numbers.
    pub(super) fn derived(&mut self) -> Snapshot {
        self.derive.sweep(self.clock.elapsed());
        self.derive
            .snapshot(self.clock.wall(), &self.redactor.counts())
    }

    /// A snapshot of everything.
    pub(super) fn status(&mut self) -> Status {
        let now = self.clock.wall();
        let mut streams: Vec<StreamStatus> = self
            .all()
            .map(|stream| self.stream_status(stream, now))
            .collect();
        streams.sort_by(|one, other| {
            let key = |status: &StreamStatus| {
                let origin = &status.origin;
                (
                    origin.namespace().to_owned(),
                    origin.pod_name().to_owned(),
                    origin.container_name().to_owned(),
                    origin.stream.clone(),
                )
            };
            key(one).cmp(&key(other))
        });
        let mut total = self.retired;
        for stream in self.all() {
            total.add(&stream.ledger);
        }
        let in_flight_bytes = self.all().map(Stream::unreceived).sum();
        let unread_bytes = self.all().map(Stream::unread).sum();
        let mut abandoned_bytes = reasons();
        let mut gaps = reasons();
        for (reason, (bytes, count)) in &self.gaps {
            abandoned_bytes.insert(reason.as_str().to_owned(), *bytes);
            gaps.insert(reason.as_str().to_owned(), *count);
        }
        let counts = self.all().map(|stream| stream.assembler.counts());
        let (invalid, unparsed) = counts.fold(
            (
                self.retired_counts.invalid_utf8,
                self.retired_counts.unparsed,
            ),
            |sum, counts| (sum.0 + counts.invalid_utf8, sum.1 + counts.unparsed),
        );
        let sink = self.sink.status();
        Status {
            total,
            in_flight_bytes,
            unread_bytes,
            imbalance_bytes: total.imbalance(in_flight_bytes, unread_bytes),
            abandoned_bytes,
            gaps,
            held_deleted_bytes: self.held_deleted_bytes(),
            sink_in_flight_bytes: self.sink.in_flight_bytes(),
            sink_trouble: sink.trouble.clone(),
            sink,
            checkpoint_trouble: self.checkpoint_trouble.clone(),
            invalid_utf8_lines: invalid,
            unparsed_lines: unparsed,
            found: self.discovery.report(),
            drained: streams.iter().all(|stream| stream.drained) && self.batches.is_empty(),
            turned_seconds_ago: self
                .clock
                .elapsed()
                .saturating_sub(self.turned_at)
                .as_secs_f64(),
            streams,
        }
    }

    fn held_deleted_bytes(&self) -> u64 {
        self.all()
            .flat_map(|stream| &stream.files)
            .filter(|file| file.places.is_empty() && file.tail.carrier.is_some())
            .map(|file| file.tail.size())
            .sum()
    }

    fn stream_status(&self, stream: &Stream, now: Timestamp) -> StreamStatus {
        let (unread, unreceived) = (stream.unread(), stream.unreceived());
        let lag_bytes = unread + unreceived;
        let oldest = stream.waiting_since.unwrap_or(stream.last_time);
        let lag_seconds = if lag_bytes == 0 || oldest.0 == 0 {
            0.0
        } else {
            ((now.0 - oldest.0) as f64 / 1e9).max(0.0)
        };
        StreamStatus {
            origin: std::sync::Arc::clone(&stream.origin),
            files: stream.files.iter().map(file_status).collect(),
            ledger: stream.ledger,
            in_flight_bytes: unreceived,
            unread_bytes: unread,
            lag_bytes,
            lag_seconds,
            time_to_loss_seconds: self.time_to_loss(stream, lag_bytes),
            drained: lag_bytes == 0 && stream.assembler.pending_from().is_none(),
            limited: stream
                .allowance
                .is_some_and(|allowance| allowance.left <= 0),
        }
    }

    /// What retention is left, divided by the rate at which we fall behind.
    ///
    /// Retention is the reserve's budget where there are links, else the bytes that the platform was seen to keep of
    /// this stream beyond what is unread: when that is used up, the next rotation deletes unread text.
    fn time_to_loss(&self, stream: &Stream, lag_bytes: u64) -> Option<f64> {
        let behind = stream.pace.written_per_second - stream.pace.received_per_second;
        if behind < 1.0 || lag_bytes == 0 {
            return None;
        }
        let linked = stream.files.iter().any(|file| file.reserve.is_some());
        let left = if linked {
            self.config
                .reserve
                .bytes_max
                .saturating_sub(self.held_deleted_bytes())
        } else {
            let kept: u64 = stream
                .files
                .iter()
                .filter(|file| !file.places.is_empty())
                .map(|file| file.tail.size())
                .sum();
            kept.saturating_sub(lag_bytes)
        };
        Some(left as f64 / behind)
    }
}

fn file_status(file: &Followed) -> FileStatus {
    let state = match (file.places.is_empty(), &file.source.link) {
        (true, _) => "deleted",
        (false, link) if link.gzip => "archived",
        (false, link) if link.is_rotated() => "rotated",
        (false, _) => "live",
    };
    FileStatus {
        path: file.source.path.display().to_string(),
        started: file
            .started()
            .map(|started| Timestamp(started).to_string())
            .unwrap_or_default(),
        fingerprint: file
            .identity
            .as_ref()
            .and_then(|identity| identity.fingerprint)
            .map(|fingerprint| fingerprint.to_string())
            .unwrap_or_default(),
        key: file
            .identity
            .as_ref()
            .map(|identity| identity.key.to_string())
            .unwrap_or_default(),
        size: file.tail.size(),
        read: file.tail.read(),
        acknowledged: file.acknowledged,
        state: state.to_owned(),
        trouble: file.trouble.clone(),
    }
}
