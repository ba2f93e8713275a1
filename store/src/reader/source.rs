//! Which rows of one piece of the store are wanted? A row group of a sealed file, or a chunk of a fresh stream.

use std::ops::Range;
use std::sync::Arc;

use record::{Document, File};

use super::snapshot::{Chunk, FreshPart, Snapshot};
use super::{Interrupted, ReadError, Scan};
use crate::columns::Columns;
use crate::evaluate::{Bound, Compiled, Needed};
use crate::index::Run;
use crate::sealed::{SealedError, SealedFile};

/// A piece of the store that is searched at once.
#[derive(Clone, Debug)]
pub(super) enum Piece {
    Sealed {
        file: Arc<SealedFile>,
        row_group: usize,
    },
    Fresh {
        part: Arc<FreshPart>,
        chunk: usize,
    },
}

/// The times that are wanted, first and last. What the predicate says about times is asked besides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) first: i64,
    pub(super) last: i64,
}

// === impl Window ===

impl Window {
    /// Every time.
    pub(super) const ALL: Self = Self {
        first: i64::MIN,
        last: i64::MAX,
    };

    /// The window of a scan.
    pub(super) fn of(scan: &Scan) -> Self {
        Self {
            first: scan.from.map_or(i64::MIN, |from| from.0),
            last: scan
                .until
                .map_or(i64::MAX, |until| until.0.saturating_sub(1)),
        }
    }

    fn misses(&self, run: &Run) -> bool {
        run.time_max < self.first || run.time_min > self.last
    }

    fn cuts(&self, run: &Run) -> bool {
        run.time_min < self.first || run.time_max > self.last
    }
}

/// What looking at a piece took.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Looked {
    pub(super) scanned: u64,
    pub(super) pruned: u64,
}

/// Rows that were looked at together: some are wanted.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub(super) columns: &'a Columns,
    /// The wanted rows, by their place in `columns`, ascending.
    pub(super) rows: &'a [u32],
    /// The piece's row that is the first of `columns`' rows of this run …
    pub(super) first_row: usize,
    /// … which is at this place in `columns`.
    pub(super) first_place: usize,
}

// === impl Wanted ===

impl Wanted<'_> {
    /// The piece's row of a place in the columns.
    pub(super) fn row(&self, place: u32) -> u32 {
        (place as usize - self.first_place + self.first_row) as u32
    }
}

// === impl Piece ===

impl Piece {
    /// Finds the wanted rows of runs that reach into the window, reading what the predicate asks and `also`.
    pub(super) fn look(
        &self,
        snapshot: &Snapshot,
        compiled: &Compiled,
        window: Window,
        also: Needed,
        each: &mut dyn FnMut(Wanted<'_>),
    ) -> Result<Looked, Interrupted> {
        match self {
            Self::Sealed { file, row_group } => {
                let look = Look {
                    compiled,
                    window,
                    also,
                };
                look.sealed(file, *row_group, each)
                    .map_err(|error| broken(file, &error))
            }
            Self::Fresh { part, chunk } => {
                let chunks = snapshot.chunks(part)?;
                let Some(chunk) = chunks.get(*chunk) else {
                    return Ok(Looked::default());
                };
                Ok(Look {
                    compiled,
                    window,
                    also,
                }
                .chunk(chunk, each))
            }
        }
    }

    /// The documents of some rows (ascending).
    pub(super) fn documents(
        &self,
        snapshot: &Snapshot,
        rows: &[u32],
    ) -> Result<Vec<Document>, Interrupted> {
        match self {
            Self::Sealed { file, row_group } => documents_of(file, *row_group, rows),
            Self::Fresh { part, chunk } => {
                let chunks = snapshot.chunks(part)?;
                let Some(chunk) = chunks.get(*chunk) else {
                    return Ok(Vec::new());
                };
                Ok(rows
                    .iter()
                    .filter_map(|row| chunk.document(*row as usize))
                    .collect())
            }
        }
    }
}

// === impl Chunk ===

impl Chunk {
    /// The document of a row.
    pub(super) fn document(&self, row: usize) -> Option<Document> {
        let file = self.files.get(*self.file.get(row)? as usize)?;
        Some(self.columns.document(row, file))
    }
}

/// What is looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look<'a> {
    pub(super) compiled: &'a Compiled,
    pub(super) window: Window,
    pub(super) also: Needed,
}

// === impl Look ===

impl Look<'_> {
    fn sealed(
        &self,
        file: &SealedFile,
        row_group: usize,
        each: &mut dyn FnMut(Wanted<'_>),
    ) -> Result<Looked, SealedError> {
        let mut looked = Looked::default();
        let mut needed = self.also;
        let mut open: Vec<(&Run, &Arc<File>, Bound<'_>)> = Vec::new();
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for run in file.runs(row_group) {
            let Some(own) = file.index.files.get(run.file as usize) else {
                continue;
            };
            let bound = if self.window.misses(run) {
                Bound::False
            } else {
                self.compiled.bind(own, Some(run))
            };
            if matches!(bound, Bound::False) {
                looked.pruned += u64::from(run.rows);
                continue;
            }
            looked.scanned += u64::from(run.rows);
            bound.need(&mut needed);
            let (first, end) = (run.first_row as usize, run.end_row() as usize);
            match ranges.last_mut() {
                Some(last) if last.end == first => last.end = end,
                _ => ranges.push(first..end),
            }
            open.push((run, own, bound));
        }
        if open.is_empty() {
            return Ok(looked);
        }
        if needed == Needed::default() {
            // Something must be read to count rows by; the offsets are small.
            needed.offset = true;
        }
        if needed.message && open.iter().any(|(run, ..)| self.window.cuts(run)) {
            ranges = self.in_window(file, row_group, &open, &ranges)?;
            if ranges.is_empty() {
                return Ok(looked);
            }
        }
        let mut required = open.iter().map(|(.., bound)| bound.required());
        if let Some(Some(needle)) = required.next()
            && required.all(|other| other.is_some_and(|other| std::ptr::eq(other, needle)))
        {
            ranges = file.narrow(row_group, needle, ranges)?;
            if ranges.is_empty() {
                return Ok(looked);
            }
        }
        drop(required);
        // What is read, as pieces of runs, in order.
        let mut pieces = Vec::new();
        for (run, own, bound) in &open {
            let (first, end) = (run.first_row as usize, run.end_row() as usize);
            let from = ranges.partition_point(|range| range.end <= first);
            for range in ranges.get(from..).unwrap_or_default() {
                if range.start >= end {
                    break;
                }
                pieces.push((range.start.max(first)..range.end.min(end), *own, bound));
            }
        }
        let mut pieces = pieces.into_iter();
        let mut now = pieces.next();
        file.read(row_group, needed, &ranges, &mut |columns| {
            let mut place = 0;
            while place < columns.rows {
                let Some((range, own, bound)) = &mut now else {
                    return false;
                };
                let take = (columns.rows - place).min(range.len());
                let rows = bound.rows(&columns, place..place + take, own);
                if !rows.is_empty() {
                    let first_row = range.start;
                    each(Wanted {
                        columns: &columns,
                        rows: &rows,
                        first_row,
                        first_place: place,
                    });
                }
                place += take;
                range.start += take;
                if range.start == range.end {
                    now = pieces.next();
                }
            }
            true
        })?;
        Ok(looked)
    }

    /// The part of each run that has rows in the window, by the times alone: rows of a run mostly stand in the order
    /// of time, so a narrow window is a small part of each.
    fn in_window(
        &self,
        file: &SealedFile,
        row_group: usize,
        open: &[(&Run, &Arc<File>, Bound<'_>)],
        ranges: &[Range<usize>],
    ) -> Result<Vec<Range<usize>>, SealedError> {
        let mut cut: Vec<Range<usize>> = Vec::new();
        let mut runs = open.iter();
        let mut now = runs
            .next()
            .map(|(run, ..)| (*run, run.first_row as usize, None));
        let mut take = |range: Option<Range<usize>>| match (range, cut.last_mut()) {
            (Some(range), Some(last)) if last.end == range.start => last.end = range.end,
            (Some(range), _) => cut.push(range),
            (None, _) => {}
        };
        let time = Needed {
            time: true,
            ..Needed::default()
        };
        file.read(row_group, time, ranges, &mut |columns| {
            let Some(times) = &columns.time else {
                return false;
            };
            for time in times.values() {
                let Some((run, row, part)) = &mut now else {
                    return false;
                };
                if (self.window.first..=self.window.last).contains(time) {
                    let part: &mut Range<usize> = part.get_or_insert(*row..*row + 1);
                    part.end = *row + 1;
                }
                *row += 1;
                if *row == run.end_row() as usize {
                    take(part.take());
                    now = runs
                        .next()
                        .map(|(run, ..)| (*run, run.first_row as usize, None));
                }
            }
            true
        })?;
        Ok(cut)
    }

    /// Looks at a chunk of a fresh stream.
    pub(super) fn chunk(&self, chunk: &Chunk, each: &mut dyn FnMut(Wanted<'_>)) -> Looked {
        let mut looked = Looked::default();
        let columns = &chunk.columns;
        let bounds: Vec<Bound<'_>> = chunk
            .runs
            .iter()
            .zip(&chunk.files)
            .map(|(run, file)| match () {
                () if self.window.misses(run) => Bound::False,
                () => self.compiled.bind(file, Some(run)),
            })
            .collect();
        for (run, bound) in chunk.runs.iter().zip(&bounds) {
            match bound {
                Bound::False => looked.pruned += u64::from(run.rows),
                _ => looked.scanned += u64::from(run.rows),
            }
        }
        let Some((first, file)) = bounds.first().zip(chunk.files.first()) else {
            return looked;
        };
        let rows = if bounds.iter().all(|bound| bound.is_same(first)) {
            // What is left asks nothing of the file, so all rows are searched as one.
            first.rows(columns, 0..columns.rows, file)
        } else {
            let mut by_file: Vec<Vec<u32>> = vec![Vec::new(); bounds.len()];
            for (row, place) in chunk.file.iter().enumerate() {
                let place = *place as usize;
                if bounds
                    .get(place)
                    .is_some_and(|bound| !matches!(bound, Bound::False))
                    && let Some(rows) = by_file.get_mut(place)
                {
                    rows.push(row as u32);
                }
            }
            let mut all = Vec::new();
            for ((rows, bound), file) in by_file.into_iter().zip(&bounds).zip(&chunk.files) {
                all.extend(bound.among(columns, rows, file));
            }
            all.sort_unstable();
            all
        };
        if !rows.is_empty() {
            each(Wanted {
                columns,
                rows: &rows,
                first_row: 0,
                first_place: 0,
            });
        }
        looked
    }
}

fn documents_of(
    file: &SealedFile,
    row_group: usize,
    rows: &[u32],
) -> Result<Vec<Document>, Interrupted> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for row in rows {
        let row = *row as usize;
        match ranges.last_mut() {
            Some(last) if last.end == row => last.end += 1,
            _ => ranges.push(row..row + 1),
        }
    }
    let runs = file.runs(row_group);
    let mut documents = Vec::with_capacity(rows.len());
    let read = file.read(row_group, Needed::DOCUMENT, &ranges, &mut |columns| {
        for place in 0..columns.rows {
            let Some(row) = rows.get(documents.len()) else {
                return false;
            };
            let run = runs.get(runs.partition_point(|run| run.end_row() <= *row));
            let own = run.and_then(|run| file.index.files.get(run.file as usize));
            let Some(own) = own else { return false };
            documents.push(columns.document(place, own));
        }
        true
    });
    read.map_err(|error| broken(file, &error))?;
    Ok(documents)
}

/// A file that opened well and can't be read on is damaged.
pub(super) fn broken(file: &SealedFile, error: &SealedError) -> Interrupted {
    Interrupted::Failed(ReadError::Io {
        action: "read",
        path: file.path.clone(),
        source: std::io::Error::other(chain(error)),
    })
}

/// An error with its sources as one text.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
