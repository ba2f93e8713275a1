//! Handing over, receipts and positions: what is out, what is received, what is durable.

use std::time::Duration;

use super::engine::Engine;
use crate::chain::Chain;
use crate::ship::{BatchId, Receipt};

// === impl Engine ===

impl Engine {
    /// Hands the open batch over if it has waited long enough, or if nothing would join it before it has.
    pub(super) fn submit_due(&mut self) {
        let Some(since) = self.batch_since else {
            return;
        };
        let now = self.clock.elapsed();
        let next_look = match (self.more, self.hot.is_empty()) {
            (true, _) => Duration::ZERO,
            (false, false) => (self.looked_at + self.look_pause).saturating_sub(now),
            (false, true) => self.config.batch_delay,
        };
        let waited = now.saturating_sub(since);
        if waited + next_look >= self.config.batch_delay {
            self.submit();
        }
    }

    /// Hands the open batch over, with a note of how far each text is out with it.
    pub(super) fn submit(&mut self) {
        let batch = self.batch;
        self.batch = BatchId(batch.0 + 1);
        self.batch_since = None;
        let mut parts = Vec::new();
        for index in std::mem::take(&mut self.touched) {
            let Some(stream) = self.stream_mut(index) else {
                continue;
            };
            stream.touched = false;
            let pending = stream.assembler.pending_from();
            for file in &mut stream.files {
                if file.sent_with(batch, pending) {
                    parts.push((index, file.number));
                }
            }
        }
        let is_empty = self.sink.open_bytes() == 0;
        self.batches.insert(batch, parts);
        if is_empty {
            // Only known or filtered lines: nobody else has to say anything about them.
            self.take(&Receipt {
                batch,
                dead_lettered: Vec::new(),
            });
        } else {
            self.sink.submit(batch);
        }
    }

    /// Takes the receipts that have come.
    pub(super) fn receive(&mut self) {
        let mut receipts = Vec::new();
        self.sink.receipts(&mut receipts);
        for receipt in &receipts {
            self.take(receipt);
        }
    }

    fn take(&mut self, receipt: &Receipt) {
        for (index, number) in self.batches.remove(&receipt.batch).unwrap_or_default() {
            let dead: u64 = receipt
                .dead_lettered
                .iter()
                .filter(|(file, _)| *file == number)
                .map(|(_, bytes)| bytes)
                .sum();
            let Some(stream) = self.streams.get_mut(index).and_then(Option::as_mut) else {
                continue;
            };
            let mut ledger = stream.ledger;
            if let Some(file) = stream.files.iter_mut().find(|file| file.number == number) {
                file.received(receipt.batch, dead, &mut ledger);
                if std::mem::take(&mut file.dirty) {
                    self.dirty.insert((index, number));
                }
            }
            stream.ledger = ledger;
            stream.waiting_since = (stream.unreceived() > 0).then_some(stream.last_time);
        }
    }

    /// Makes positions durable when it is time, or at once where an identity must be known before its text is sent.
    pub(super) fn commit_due(&mut self) {
        let now = self.clock.elapsed();
        if now < self.retry_commit_at {
            return;
        }
        let due = now.saturating_sub(self.committed_at) >= self.config.checkpoint_interval;
        let waiting = !self.dirty.is_empty() || !self.forgotten.is_empty();
        if self.urgent || (due && waiting) {
            self.commit();
        }
    }

    /// Makes positions durable. On an error everything stays as it is and is tried again.
    pub(super) fn commit(&mut self) -> bool {
        const RETRY: Duration = Duration::from_secs(1);
        let now = self.clock.elapsed();
        let streams = &self.streams;
        let states = self.dirty.iter().filter_map(|(index, number)| {
            let stream = streams.get(*index)?.as_ref()?;
            let file = stream.files.iter().find(|file| file.number == *number)?;
            Some((*number, file.state()?))
        });
        if let Err(error) = self.checkpoint.commit(states, &self.forgotten) {
            let text = Chain(&error).to_string();
            if self.checkpoint_trouble.as_ref() != Some(&text) {
                tracing::error!(
                    error = %text,
                    "cannot write positions: a restart now would read again from the last ones, trying again"
                );
            }
            self.checkpoint_trouble = Some(text);
            self.retry_commit_at = now + RETRY;
            return false;
        }
        if self.checkpoint_trouble.take().is_some() {
            tracing::info!("positions can be written again");
        }
        self.committed_at = now;
        self.forgotten.clear();
        for link in std::mem::take(&mut self.released) {
            self.reserve.release(&link);
        }
        self.urgent = false;
        for (index, number) in std::mem::take(&mut self.dirty) {
            if let Some(file) = self.file_mut(index, number) {
                // Something of it may wait for this.
                let first = !std::mem::replace(&mut file.saved, true);
                if first {
                    self.heat(index);
                    self.more = true;
                }
            }
        }
        true
    }
}
