//! Which rows are the newest, and in which order do people read them?

use std::cmp::Reverse;

use record::Document;

/// A wanted row of a piece.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hit {
    pub(super) time: i64,
    pub(super) row: u32,
}

/// Keeps the newest rows, by time and then by row, in this order.
pub(super) fn keep_newest(hits: &mut Vec<Hit>, limit: usize) {
    if hits.len() > limit {
        hits.select_nth_unstable_by_key(limit, |hit| Reverse((hit.time, hit.row)));
        hits.truncate(limit);
    }
    hits.sort_unstable_by_key(|hit| (hit.time, hit.row));
}

/// Puts documents into the order that people read: by time, then by exact position.
pub(super) fn sort(documents: &mut [Document]) {
    // Most come in runs of one stream, whose names compare slowly; equal times are the exception.
    documents.sort_by(|a, b| {
        a.time.cmp(&b.time).then_with(|| {
            let key = |document: &Document| {
                (
                    document.file.started,
                    document.offset,
                    document.part,
                    document.end,
                )
            };
            a.file
                .origin
                .stream
                .cmp(&b.file.origin.stream)
                .then_with(|| key(a).cmp(&key(b)))
        })
    });
}
