//! How does a search become an answer? The newest hits in memory where they fit, else two readings, oldest first.

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;

use record::Document;
use store::{Field, Predicate, Test};

use super::document::{self, Files};
use super::pages::{Key, Order, Read, Reading, Row, Snapshot};
use super::translate::Plan;
use super::{ElasticsearchBackend, neighbours::Around};
use crate::Query;
use crate::backend::passes::{self, Rows};
use crate::backend::{BackendError, Each, Item, Summary, context};
use crate::order::Place;
use crate::order::late::held_bytes;

/// Up to so many hits are read newest first and turned round. More are counted first, by their places alone.
const TURNED_ROUND_MAX: usize = 10_000;
/// So few hits are one page, which needs no point in time.
const ONE_PAGE_MAX: usize = 200;

/// One search of a cluster.
#[derive(Debug)]
pub(super) struct Search<'a> {
    backend: &'a ElasticsearchBackend,
    query: &'a Query,
    plan: Plan,
    snapshot: Option<Snapshot<'a>>,
    files: RefCell<Files>,
    read: Cell<Read>,
    /// Takes note of the rows that become documents.
    notes: Option<&'a dyn Notes>,
}

/// Who wants to know which rows were shown.
pub(super) trait Notes: std::fmt::Debug {
    /// Takes note of a row.
    fn note(&self, row: &Row<'_>);
}

/// Hits as far as memory allows.
#[derive(Debug)]
enum Buffered {
    All(Vec<Document>),
    TooMany,
}

// === impl Search ===

impl<'a> Search<'a> {
    /// Prepares a search.
    pub(super) fn begin(
        backend: &'a ElasticsearchBackend,
        query: &'a Query,
    ) -> Result<Self, BackendError> {
        let plan = backend.plan(&query.wanted(), query.since, query.until)?;
        let one_page = query.hits_max().is_some_and(|hits| hits < ONE_PAGE_MAX);
        let snapshot = if one_page {
            None
        } else {
            Snapshot::take(&backend.link, &backend.patterns)
        };
        Ok(Self {
            backend,
            query,
            plan,
            snapshot,
            files: RefCell::default(),
            read: Cell::default(),
            notes: None,
        })
    }

    /// The same search, of which each row is noted.
    pub(super) fn noted(self, notes: &'a dyn Notes) -> Self {
        Self {
            notes: Some(notes),
            ..self
        }
    }

    /// Gives the newest hits in reading order.
    pub(super) fn answer(&self, each: Each<'_>) -> Result<Summary, BackendError> {
        let one_more = self.query.hits_max().map(|hits| hits.saturating_add(1));
        let small = one_more.filter(|one_more| *one_more <= TURNED_ROUND_MAX);
        let newest = match small {
            Some(one_more) => self.newest(one_more)?,
            None => Buffered::TooMany,
        };
        let mut summary = Summary::default();
        match (newest, one_more) {
            (Buffered::All(mut hits), Some(one_more)) => {
                summary.limited = one_more <= hits.len();
                if summary.limited {
                    // They come by time: the oldest is the one too many.
                    hits.remove(0);
                }
                self.give(hits, &mut summary, each)?;
            }
            (_, one_more) => self.answer_many(one_more, &mut summary, each)?,
        }
        let read = self.read.get();
        summary.rows_scanned = read.rows;
        summary.shards_failed = read.failed;
        Ok(summary)
    }

    /// Gives hits of which there are many, or large ones: oldest first, in memory while that lasts.
    fn answer_many(
        &self,
        one_more: Option<usize>,
        summary: &mut Summary,
        each: Each<'_>,
    ) -> Result<(), BackendError> {
        let before = match one_more {
            Some(one_more) => self.nth_newest(one_more)?,
            None => None,
        };
        summary.limited = before.is_some();
        let rows = Many {
            search: self,
            before,
        };
        match rows.buffered()? {
            Buffered::All(hits) => self.give(hits, summary, each),
            Buffered::TooMany if 0 < self.query.context => Err(BackendError::Context {
                bytes_max: self.backend.buffer_bytes_max,
            }),
            Buffered::TooMany => {
                let held = self.backend.held_bytes_max;
                let given = passes::in_two_passes(&rows, None, held, each)?;
                summary.hits = given.hits;
                Ok(())
            }
        }
    }

    /// Gives hits that are in memory, in reading order and with their context.
    fn give(
        &self,
        hits: Vec<Document>,
        summary: &mut Summary,
        each: Each<'_>,
    ) -> Result<(), BackendError> {
        let mut counted = |item: Item| {
            summary.hits += u64::from(matches!(item, Item::Hit(_)));
            each(item)
        };
        let around = Around::new(self.backend);
        context::in_order(hits, self.query.context, &around, &mut counted)
    }

    /// So many of the newest hits, oldest first.
    fn newest(&self, rows_max: usize) -> Result<Buffered, BackendError> {
        let mut hits = Vec::new();
        let fits = self.collect(Order::NewestFirst, None, Some(rows_max), &mut hits)?;
        hits.reverse();
        Ok(if fits {
            Buffered::All(hits)
        } else {
            Buffered::TooMany
        })
    }

    /// Collects hits after a place until there are enough; whether they fit in memory.
    fn collect(
        &self,
        order: Order,
        after: Option<&Key>,
        rows_max: Option<usize>,
        hits: &mut Vec<Document>,
    ) -> Result<bool, BackendError> {
        let mut bytes = 0;
        let bytes_max = self.backend.buffer_bytes_max;
        self.documents(order, after, rows_max, &mut |_, document| {
            bytes += held_bytes(&document);
            hits.push(document);
            if bytes_max < bytes || rows_max.is_some_and(|rows| rows <= hits.len()) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        Ok(bytes <= bytes_max)
    }

    /// The place of the n-th newest hit; `None` when there are fewer.
    fn nth_newest(&self, number: usize) -> Result<Option<Key>, BackendError> {
        let mut left = number;
        let mut found = None;
        self.keys(Order::NewestFirst, None, &mut |key| {
            left = left.saturating_sub(1);
            if 0 < left {
                return ControlFlow::Continue(());
            }
            found = Some(key.clone());
            ControlFlow::Break(())
        })?;
        Ok(found)
    }

    /// Gives the places of hits, without reading the documents where that is not needed.
    fn keys(
        &self,
        order: Order,
        after: Option<&Key>,
        each: &mut dyn FnMut(&Key) -> ControlFlow<()>,
    ) -> Result<(), BackendError> {
        if self.plan.check.is_some() {
            return self.documents(order, after, None, &mut |key, _| each(key));
        }
        let mut last = Last::default();
        self.read(&self.plan, order, false, (after, None), &mut |row| {
            if last.is(row) {
                return ControlFlow::Continue(());
            }
            each(&row.key)
        })
    }

    /// Gives hits with their places.
    pub(super) fn documents(
        &self,
        order: Order,
        after: Option<&Key>,
        rows_max: Option<usize>,
        each: &mut dyn FnMut(&Key, Document) -> ControlFlow<()>,
    ) -> Result<(), BackendError> {
        self.documents_of(&self.plan, order, (after, rows_max), each)
    }

    fn documents_of(
        &self,
        plan: &Plan,
        order: Order,
        range: (Option<&Key>, Option<usize>),
        each: &mut dyn FnMut(&Key, Document) -> ControlFlow<()>,
    ) -> Result<(), BackendError> {
        let mut last = Last::default();
        self.read(plan, order, true, range, &mut |row| {
            if last.is(row) {
                return ControlFlow::Continue(());
            }
            if let Some(notes) = self.notes {
                notes.note(row);
            }
            let document =
                document::document(row.source, row.key.time, &mut self.files.borrow_mut());
            if plan.wants(row.matched, &document.record()) {
                each(&row.key, document)
            } else {
                ControlFlow::Continue(())
            }
        })
    }

    fn read(
        &self,
        plan: &Plan,
        order: Order,
        documents: bool,
        (after, rows_max): (Option<&Key>, Option<usize>),
        each: &mut dyn FnMut(&Row<'_>) -> ControlFlow<()>,
    ) -> Result<(), BackendError> {
        let reading = Reading {
            link: &self.backend.link,
            patterns: &self.backend.patterns,
            query: &plan.query,
            order,
            documents,
            snapshot: self.snapshot.as_ref(),
        };
        let read = reading.rows(after, rows_max, each)?;
        if read.shards == 0 {
            return Err(self.backend.no_index());
        }
        let before = self.read.get();
        self.read.set(Read {
            rows: before.rows + read.rows,
            shards: read.shards,
            failed: before.failed.max(read.failed),
        });
        Ok(())
    }
}

/// The row before, to know a second copy of it: in a data stream a line may be in two of its indices.
#[derive(Debug, Default)]
struct Last {
    id: String,
    key: Key,
}

// === impl Last ===

impl Last {
    /// Whether this is the same line once more; remembers it.
    fn is(&mut self, row: &Row<'_>) -> bool {
        let key = &self.key;
        let same = self.id == row.id
            && (key.time, key.started, key.offset)
                == (row.key.time, row.key.started, row.key.offset)
            && key.stream == row.key.stream;
        if !same {
            row.id.clone_into(&mut self.id);
            self.key = row.key.clone();
        }
        same
    }
}

/// The hits of a search after a place in the order, oldest first.
struct Many<'a> {
    search: &'a Search<'a>,
    before: Option<Key>,
}

// === impl Many ===

impl Many<'_> {
    fn buffered(&self) -> Result<Buffered, BackendError> {
        let mut hits = Vec::new();
        let fits =
            self.search
                .collect(Order::OldestFirst, self.before.as_ref(), None, &mut hits)?;
        Ok(if fits {
            Buffered::All(hits)
        } else {
            Buffered::TooMany
        })
    }
}

impl Rows for Many<'_> {
    fn places(&self, each: &mut dyn FnMut(&str, Place)) -> Result<(), BackendError> {
        let before = self.before.as_ref();
        self.search.keys(Order::OldestFirst, before, &mut |key| {
            each(&key.stream, key.place());
            ControlFlow::Continue(())
        })
    }

    fn documents(
        &self,
        each: &mut dyn FnMut(Place, Document) -> ControlFlow<()>,
    ) -> Result<(), BackendError> {
        let before = self.before.as_ref();
        let mut each = |key: &Key, document| each(key.place(), document);
        self.search
            .documents(Order::OldestFirst, before, None, &mut each)
    }

    fn of_stream(
        &self,
        stream: &str,
        each: &mut dyn FnMut(Place, Document),
    ) -> Result<(), BackendError> {
        let query = self.search.query;
        let of_stream = Predicate::Field {
            field: Field::Stream,
            test: Test::Equals(stream.to_owned()),
        };
        let wanted = Predicate::all([of_stream, query.wanted()]);
        let plan = self
            .search
            .backend
            .plan(&wanted, query.since, query.until)?;
        let range = (self.before.as_ref(), None);
        self.search
            .documents_of(&plan, Order::OldestFirst, range, &mut |key, document| {
                each(key.place(), document);
                ControlFlow::Continue(())
            })
    }
}

// === impl Key ===

impl Key {
    /// The place in its stream that a row is sorted by; all that tells one line of a stream from another.
    pub(super) fn place(&self) -> Place {
        Place {
            started: self.started,
            offset: self.offset,
            part: 0,
            end: 0,
        }
    }
}
