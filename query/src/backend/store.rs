//! What does the embedded store answer? Searches of any size in reading order, within bounded memory.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use record::{Document, Position};
use store::{Field, Predicate, Reader, Scan, Stats, Test};

use super::context::{self, Neighbours};
use super::passes::{self, Rows};
use super::{Backend, BackendError, Bookmark, Each, Histogram, Item, Summary};
use crate::order::Place;
use crate::order::late::held_bytes;
use crate::{Query, order};

const DAY: Duration = Duration::from_hours(24);
/// How much of an answer is put in order in memory, in bytes. A larger one is read twice instead.
const BUFFER_BYTES_MAX: usize = 64 << 20;
/// How much may wait in the second reading for lines whose clock went back, in bytes. Then they are fetched.
const HELD_BYTES_MAX: usize = 128 << 20;
/// With a greater limit the hits are counted first: the store keeps as many as a limit allows, and often none is needed.
const COUNT_FROM_HITS: usize = 100_000;
/// How many new lines are put in order at once when following.
const FOLLOW_ROWS_MAX: usize = 10_000;

/// The embedded store in a directory, as it was at the last refresh.
#[derive(Debug)]
pub struct StoreBackend {
    reader: Reader,
    buffer_bytes_max: usize,
    held_bytes_max: usize,
    follow_rows_max: usize,
}

// === impl StoreBackend ===

impl StoreBackend {
    /// Opens the store in `dir`, whether a writer runs or not. A directory without a store has no lines.
    pub fn open(dir: &Path) -> Result<Self, BackendError> {
        let reader = Reader::open(dir)?;
        Ok(Self {
            reader,
            buffer_bytes_max: BUFFER_BYTES_MAX,
            held_bytes_max: HELD_BYTES_MAX,
            follow_rows_max: FOLLOW_ROWS_MAX,
        })
    }

    /// The snapshot itself, for what is asked of the store alone.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// As if memory were that small; for tests.
    #[cfg(test)]
    pub(crate) fn with_memory(mut self, buffer_bytes_max: usize, held_bytes_max: usize) -> Self {
        self.buffer_bytes_max = buffer_bytes_max;
        self.held_bytes_max = held_bytes_max;
        self
    }

    /// As if so few rows were followed at once; for tests.
    #[cfg(test)]
    pub(crate) fn with_follow_rows_max(mut self, follow_rows_max: usize) -> Self {
        self.follow_rows_max = follow_rows_max;
        self
    }

    /// The question to the store. Its limit is one more than the hits that are wanted, to see whether there are more.
    fn scan(&self, query: &Query) -> Result<Scan, BackendError> {
        let Some(hits_max) = query.hits_max() else {
            return Ok(query.scan(None));
        };
        if COUNT_FROM_HITS < hits_max {
            let counts = self.reader.histogram(&query.scan(None), DAY)?;
            let hits: u64 = counts.buckets.values().flatten().sum();
            if hits <= hits_max as u64 {
                return Ok(query.scan(None));
            }
        }
        Ok(query.scan(Some(hits_max.saturating_add(1))))
    }

    /// The newest hits by time, as many as the scan's limit allows; `None` when they don't fit in memory.
    fn buffered(&self, scan: &Scan) -> Result<(Option<Vec<Document>>, Stats), BackendError> {
        let mut hits = Vec::new();
        let mut bytes = 0;
        let mut overflow = false;
        let stats = self.reader.scan(scan, &mut |document| {
            bytes += held_bytes(&document);
            overflow = self.buffer_bytes_max < bytes;
            if overflow {
                return ControlFlow::Break(());
            }
            hits.push(document);
            ControlFlow::Continue(())
        })?;
        Ok(((!overflow).then_some(hits), stats))
    }

    /// Gives hits that don't fit in memory.
    fn in_two_passes(&self, scan: &Scan, each: Each<'_>) -> Result<Summary, BackendError> {
        let rows = ScannedTwice {
            reader: &self.reader,
            scan,
            stats: Cell::default(),
        };
        let given = passes::in_two_passes(&rows, scan.limit, self.held_bytes_max, each)?;
        Ok(Summary {
            hits: given.hits,
            limited: given.limited,
            ..summary(&rows.stats.get())
        })
    }
}

/// The rows of a scan, for an answer that is too large for memory.
struct ScannedTwice<'a> {
    reader: &'a Reader,
    scan: &'a Scan,
    /// What the first reading had to do.
    stats: Cell<Stats>,
}

impl Rows for ScannedTwice<'_> {
    fn places(&self, each: &mut dyn FnMut(&str, Place)) -> Result<(), BackendError> {
        let stats = self.reader.scan(self.scan, &mut |document| {
            each(&document.file.origin.stream, Place::of(&document));
            ControlFlow::Continue(())
        })?;
        self.stats.set(stats);
        Ok(())
    }

    fn documents(
        &self,
        each: &mut dyn FnMut(Place, Document) -> ControlFlow<()>,
    ) -> Result<(), BackendError> {
        self.reader.scan(self.scan, &mut |document| {
            each(Place::of(&document), document)
        })?;
        Ok(())
    }

    fn of_stream(
        &self,
        stream: &str,
        each: &mut dyn FnMut(Place, Document),
    ) -> Result<(), BackendError> {
        let test = Test::Equals(stream.to_owned());
        let of_stream = Predicate::Field {
            field: Field::Stream,
            test,
        };
        let own = Scan {
            predicate: Predicate::all([of_stream, self.scan.predicate.clone()]),
            limit: None,
            ..self.scan.clone()
        };
        // Names are compared without regard to case, and the limit may exclude rows: the caller looks again.
        self.reader.scan(&own, &mut |document| {
            each(Place::of(&document), document);
            ControlFlow::Continue(())
        })?;
        Ok(())
    }
}

impl Backend for StoreBackend {
    fn refresh(&mut self) -> Result<(), BackendError> {
        Ok(self.reader.refresh()?)
    }

    fn search(&self, query: &Query, each: Each<'_>) -> Result<Summary, BackendError> {
        let scan = self.scan(query)?;
        let (hits, stats) = self.buffered(&scan)?;
        let Some(mut hits) = hits else {
            if 0 < query.context {
                return Err(BackendError::Context {
                    bytes_max: self.buffer_bytes_max,
                });
            }
            return self.in_two_passes(&scan, each);
        };
        let mut summary = summary(&stats);
        summary.limited = scan.limit.is_some_and(|one_more| one_more <= hits.len());
        if summary.limited {
            // Hits come by time: the oldest is the one too many.
            hits.remove(0);
        }
        let mut counted = |item: Item| {
            summary.hits += u64::from(matches!(item, Item::Hit(_)));
            each(item)
        };
        context::in_order(hits, query.context, self, &mut counted)?;
        Ok(summary)
    }

    fn histogram(&self, query: &Query, bucket: Duration) -> Result<Histogram, BackendError> {
        Ok(self.reader.histogram(&query.scan(None), bucket)?)
    }

    fn tail(&mut self, query: &Query, each: Each<'_>) -> Result<Bookmark, BackendError> {
        self.refresh()?;
        let bookmark = Bookmark::Store(self.reader.end());
        self.search(
            &Query {
                context: 0,
                ..query.clone()
            },
            each,
        )?;
        Ok(bookmark)
    }

    fn follow(
        &mut self,
        query: &Query,
        bookmark: &mut Bookmark,
        each: Each<'_>,
    ) -> Result<Summary, BackendError> {
        let Bookmark::Store(cursor) = bookmark else {
            return Err(BackendError::Bookmark);
        };
        let scan = query.scan(None);
        let mut total = Summary::default();
        loop {
            let mut rows = Vec::new();
            let stats = self.reader.follow(cursor, &scan, &mut |document| {
                rows.push(document);
                if rows.len() < self.follow_rows_max {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            })?;
            let more = rows.len() == self.follow_rows_max;
            let own = summary(&stats);
            total.rows_scanned += own.rows_scanned;
            total.files_damaged = total.files_damaged.max(own.files_damaged);
            for document in order::merged(rows, |row| row) {
                total.hits += 1;
                if each(Item::Hit(document)).is_break() {
                    return Ok(total);
                }
            }
            if !more {
                return Ok(total);
            }
        }
    }
}

impl Neighbours for StoreBackend {
    fn before(
        &self,
        stream: &str,
        position: Position,
        rows: usize,
    ) -> Result<Vec<Document>, BackendError> {
        Ok(self.reader.before(stream, position, rows)?)
    }

    fn after(
        &self,
        stream: &str,
        position: Position,
        rows: usize,
    ) -> Result<Vec<Document>, BackendError> {
        Ok(self.reader.after(stream, position, rows)?)
    }
}

fn summary(stats: &Stats) -> Summary {
    Summary {
        rows_scanned: stats.rows_scanned,
        files_damaged: stats.files_damaged,
        ..Summary::default()
    }
}

#[cfg(test)]
mod tests;
