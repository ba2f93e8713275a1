//! How do new lines become part of the answer? Each that is wanted is kept until all that came with it are in order.

use record::Document;

use crate::backend::elasticsearch::document::{self, Files};
use crate::backend::elasticsearch::pages::Row;
use crate::backend::elasticsearch::translate::Plan;
use crate::backend::{Each, Item, Summary};
use crate::order;
use crate::order::late::held_bytes;

/// How many bytes of new lines are put in order at once.
const ORDERED_BYTES_MAX: usize = 16 << 20;

/// Lines that are new, until they are put in order and given.
pub(super) struct New<'a, 'b> {
    pub(super) plan: &'a Plan,
    documents: Vec<Document>,
    bytes: usize,
    files: Files,
    summary: &'a mut Summary,
    each: Each<'b>,
    pub(super) ended: bool,
}

// === impl New ===

impl<'a, 'b> New<'a, 'b> {
    pub(super) fn of(plan: &'a Plan, summary: &'a mut Summary, each: Each<'b>) -> Self {
        Self {
            plan,
            documents: Vec::new(),
            bytes: 0,
            files: Files::default(),
            summary,
            each,
            ended: false,
        }
    }

    /// Takes a row that was not given before, if it is wanted.
    pub(super) fn take(&mut self, row: &Row<'_>) {
        self.summary.rows_scanned += 1;
        let document = document::document(row.source, row.key.time, &mut self.files);
        if self.ended || !self.plan.wants(row.matched, &document.record()) {
            return;
        }
        self.bytes += held_bytes(&document);
        self.documents.push(document);
        if ORDERED_BYTES_MAX < self.bytes {
            self.give();
        }
    }

    /// Gives what there is, in reading order.
    pub(super) fn give(&mut self) {
        self.bytes = 0;
        for document in order::merged(std::mem::take(&mut self.documents), |document| document) {
            if self.ended {
                return;
            }
            self.summary.hits += 1;
            self.ended = (self.each)(Item::Hit(document)).is_break();
        }
    }
}
