//! What comes back of a parcel: items that are done, that go again, that are refused.

use std::collections::BTreeMap;
use std::time::Instant;

use elastic::SendError;
use serde_json::value::RawValue;

use super::super::Done;
use super::super::body::{Body, IndexNumber, Item};
use super::super::dead_letters::DeadLetter;
use super::super::pace::{PAUSE_MAX, UNREACHABLE_PAUSE_MAX};
use super::super::plain::plain;
use super::super::verdict::{Again, Outcome, Verdict, verdict};
use super::{Courier, Landed, Parcel};

/// Smaller memory is not worth keeping.
const SPARE_BYTES_MIN: usize = 256 << 10;

/// Items of one parcel by what is next for them.
#[derive(Default)]
struct Sorted {
    created: u64,
    known: u64,
    /// Go again, with the reason.
    again: Vec<(Item, String)>,
    /// Refused as they are.
    refused: Vec<(Item, u16, String)>,
}

// === impl Courier ===

impl Courier {
    pub(super) fn land(&mut self, landed: Landed) {
        let Landed {
            parcel,
            took,
            result,
            known,
        } = landed;
        let sent = parcel.body.items.len() - known.len();
        let verdict = match result {
            Ok(answer) => {
                self.count_request(&answer.status.to_string(), took.as_secs_f64());
                verdict(&answer, sent)
            }
            Err(error) => {
                self.count_request("error", took.as_secs_f64());
                Verdict::Again(again_after(&error))
            }
        };
        match verdict {
            Verdict::Items(outcomes) => {
                let was_open = self.cluster.reset();
                if was_open {
                    tracing::info!("the cluster takes documents again");
                }
                self.limit.succeeded(took, !self.ready.is_empty());
                self.sort_out(parcel, outcomes, &known);
            }
            Verdict::TooLarge => {
                self.cluster.reset();
                self.split(parcel);
            }
            Verdict::Again(again) => self.bring_again(parcel, again),
        }
        self.waker.wake();
    }

    /// The whole parcel goes again, first in line.
    fn bring_again(&mut self, mut parcel: Parcel, again: Again) {
        if again.overloaded {
            self.limit.failed();
        }
        if again.doubtful {
            for item in &mut parcel.body.items {
                item.doubtful = true;
            }
        }
        self.count_items("retried", parcel.body.items.len() as u64);
        if self.cluster.trouble() != Some(&again.reason) {
            tracing::warn!(reason = %again.reason, "the cluster takes no documents: trying again");
        }
        let now = Instant::now();
        if again.unreachable {
            self.cluster.trip(now, UNREACHABLE_PAUSE_MAX, again.reason);
        } else {
            self.cluster
                .trip_as_asked(now, again.retry_after, again.reason);
        }
        self.ready.push_front(parcel);
    }

    /// The cluster wants smaller requests.
    fn split(&mut self, parcel: Parcel) {
        let count = parcel.body.items.len();
        if count <= 1 {
            if parcel.on_trial {
                for index in parcel.indices.clone() {
                    // It was not the index that refused; whether it takes anything is for the next one to find out.
                    self.index_takes(index);
                }
            }
            let reason = "HTTP 413: the document alone is larger than the cluster takes".to_owned();
            let refused = parcel
                .body
                .items
                .iter()
                .map(|item| (*item, 413, reason.clone()));
            let sorted = Sorted {
                refused: refused.collect(),
                ..Sorted::default()
            };
            self.settle(parcel, sorted);
            return;
        }
        tracing::info!(
            items = count,
            bytes = parcel.body.len(),
            "request too large for the cluster: sending it in halves"
        );
        self.count_items("retried", count as u64);
        let (first, second) = parcel.body.items.split_at(count / 2);
        for half in [second, first] {
            let part = parcel.body.part(half.iter().copied());
            let mut part = Parcel::new(parcel.batch, part);
            part.on_trial = parcel.on_trial;
            self.ready.push_front(part);
        }
    }

    fn sort_out(&mut self, parcel: Parcel, outcomes: Vec<Outcome>, known: &[usize]) {
        let mut sorted = Sorted::default();
        let mut outcomes = outcomes.into_iter();
        let mut taken = Vec::new();
        for (place, item) in parcel.body.items.iter().enumerate() {
            if known.binary_search(&place).is_ok() {
                sorted.known += 1;
                taken.push(item.index);
                continue;
            }
            match outcomes.next() {
                Some(Outcome::Created) => {
                    sorted.created += 1;
                    taken.push(item.index);
                }
                Some(Outcome::Known) => {
                    sorted.known += 1;
                    taken.push(item.index);
                }
                Some(Outcome::Refused { status, reason }) => {
                    sorted.refused.push((*item, status, reason));
                    taken.push(item.index);
                }
                Some(Outcome::Retry { reason }) => sorted.again.push((*item, reason)),
                // As many outcomes as items were checked for.
                None => sorted.again.push((*item, "no result".to_owned())),
            }
        }
        taken.sort_unstable();
        taken.dedup();
        for index in taken {
            self.index_takes(index);
        }
        self.settle(parcel, sorted);
    }

    /// An index took something: what waits for it can go.
    fn index_takes(&mut self, index: IndexNumber) {
        let Some(held) = self.held.remove(&index) else {
            return;
        };
        tracing::info!(index = self.name(index), "index takes documents again");
        for parcel in held.parcels.into_iter().rev() {
            self.ready.push_front(parcel);
        }
    }

    fn settle(&mut self, parcel: Parcel, sorted: Sorted) {
        let Sorted {
            created,
            known,
            mut again,
            refused,
        } = sorted;
        self.count_items("created", created);
        self.count_items("known", known);
        let (mut letters, mut dead) = (Vec::new(), Vec::new());
        let mut rewritten = (Vec::new(), Vec::new());
        for (item, status, reason) in refused {
            let document = parcel.body.document(&item);
            let is_first = !item.plain;
            if is_first && let Some(document) = plain(document, &reason) {
                parcel
                    .body
                    .rewrite(&item, document, &mut rewritten.0, &mut rewritten.1);
                continue;
            }
            letters.push(self.letter(&parcel.body, &item, status, reason.clone()));
            dead.push((item, reason));
        }
        if let Err(error) = self.keep_letters(&letters) {
            // A document that is not kept anywhere is not done.
            again.extend(dead.drain(..).map(|(item, _)| (item, error.clone())));
        }
        self.count_items("dead_lettered", dead.len() as u64);
        for (item, reason) in &dead {
            tracing::error!(id = parcel.body.id(item), index = self.name(item.index), %reason, "document refused for good, kept as a dead letter");
            self.books.dead_letter(parcel.batch, item);
        }
        let (items, bytes) = rewritten;
        let mut kept = bytes.len() as i64;
        if !items.is_empty() {
            self.count_items("retried", items.len() as u64);
            let body = Body {
                bytes: bytes.into(),
                items,
            };
            self.ready.push_front(Parcel::new(parcel.batch, body));
        }
        kept += self.hold_back(&parcel, again);
        self.finish(parcel, created as usize + known as usize + dead.len(), kept);
    }

    fn letter(&self, body: &Body, item: &Item, status: u16, reason: String) -> DeadLetter {
        let text = String::from_utf8_lossy(body.document(item)).into_owned();
        let document = RawValue::from_string(text).unwrap_or_else(|error| {
            tracing::error!(%error, "bug: a document that is not JSON");
            RawValue::NULL.to_owned()
        });
        DeadLetter {
            time: self.clock.wall().to_string(),
            index: self.name(item.index).to_owned(),
            id: body.id(item).to_owned(),
            status,
            reason,
            document,
        }
    }

    fn keep_letters(&self, letters: &[DeadLetter]) -> Result<(), String> {
        if letters.is_empty() {
            return Ok(());
        }
        self.dead_letters
            .append(letters, self.clock.wall())
            .map_err(|error| {
                let text = crate::chain::Chain(&error).to_string();
                tracing::error!(error = %text, "cannot keep dead letters: trying again");
                text
            })
    }

    /// What was not taken waits with its index. Gives the bytes that are kept for it.
    fn hold_back(&mut self, parcel: &Parcel, again: Vec<(Item, String)>) -> i64 {
        self.count_items("retried", again.len() as u64);
        let overload =
            |reason: &str| reason.starts_with("HTTP 429") || reason.starts_with("HTTP 503");
        if again.iter().any(|(_, reason)| overload(reason)) {
            self.limit.failed();
        }
        let mut by_index: BTreeMap<IndexNumber, (Vec<Item>, String)> = BTreeMap::new();
        for (mut item, reason) in again {
            // A primary that failed may have written it before it did; only a clear refusal says that it was not.
            item.doubtful |= !reason.starts_with("HTTP 4");
            let entry = by_index.entry(item.index).or_default();
            entry.0.push(item);
            entry.1 = reason;
        }
        let (now, mut kept) = (Instant::now(), 0);
        for (index, (items, reason)) in by_index {
            let part = Parcel::new(parcel.batch, parcel.body.part(items.into_iter()));
            kept += part.body.len() as i64;
            let name = self.name(index).to_owned();
            let held = self.held.entry(index).or_default();
            if held.breaker.trouble() != Some(&reason) {
                let items = part.body.items.len();
                tracing::warn!(index = %name, %reason, items, "index does not take documents: trying again");
            }
            held.breaker.trip(now, PAUSE_MAX, reason);
            held.parcels.push_front(part);
        }
        kept
    }

    /// Some items need nothing more; `kept` bytes of the parcel go on.
    fn finish(&mut self, parcel: Parcel, done: usize, kept: i64) {
        self.say(Done::Freed(parcel.body.len() as i64 - kept));
        if let Some(receipt) = self.books.close(parcel.batch, done) {
            self.say(Done::Receipt(receipt));
        }
        if let Ok(body) = parcel.body.bytes.try_into_mut()
            && body.capacity() >= SPARE_BYTES_MIN
        {
            self.say(Done::Spare(body.into()));
        }
    }
}

/// What an answer that did not come means.
fn again_after(error: &SendError) -> Again {
    Again {
        reason: error.to_string(),
        retry_after: None,
        doubtful: !error.is_unsent(),
        overloaded: matches!(error, SendError::Timeout { .. }),
        unreachable: error.is_unsent(),
    }
}
