//! What is still out of each batch, and what is counted.

use std::collections::HashMap;

use super::body::{Body, Item};
use crate::ship::{BatchId, Histogram, Receipt, SinkStatus};

/// From a millisecond to a minute, the longest a request may take by default.
const DURATION_BOUNDS_SECONDS: [f64; 12] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0,
];

/// What became of an item, as the metric names it.
pub(super) const RESULTS: [&str; 4] = ["created", "known", "retried", "dead_lettered"];

/// What is out of each batch.
#[derive(Debug, Default)]
pub(super) struct Books {
    batches: HashMap<BatchId, Open>,
}

#[derive(Debug, Default)]
struct Open {
    items: usize,
    dead_lettered: Vec<(u64, u64)>,
}

/// A status in which each known name is there at 0.
pub(super) fn empty() -> SinkStatus {
    SinkStatus {
        name: "elasticsearch".to_owned(),
        items: RESULTS.iter().map(|name| ((*name).to_owned(), 0)).collect(),
        duration: Histogram::new(&DURATION_BOUNDS_SECONDS),
        ..SinkStatus::default()
    }
}

// === impl Books ===

impl Books {
    /// A batch has come.
    pub(super) fn open(&mut self, batch: BatchId, body: &Body) {
        let open = Open {
            items: body.items.len(),
            dead_lettered: Vec::new(),
        };
        self.batches.insert(batch, open);
    }

    /// An item was refused for good and kept aside.
    pub(super) fn dead_letter(&mut self, batch: BatchId, item: &Item) {
        if let Some(open) = self.batches.get_mut(&batch) {
            open.dead_lettered
                .push((item.file, u64::from(item.text_bytes)));
        }
    }

    /// So many items of a batch need nothing more. Gives the receipt when none is left.
    pub(super) fn close(&mut self, batch: BatchId, items: usize) -> Option<Receipt> {
        let open = self.batches.get_mut(&batch)?;
        open.items = open.items.saturating_sub(items);
        if open.items > 0 {
            return None;
        }
        let open = self.batches.remove(&batch)?;
        Some(Receipt {
            batch,
            dead_lettered: open.dead_lettered,
        })
    }
}
