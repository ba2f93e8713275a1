//! What has come since? The fresh streams are read on from where someone was, each row once, also across a seal.

use std::fs::File;
use std::ops::ControlFlow;
use std::sync::Arc;

use record::Document;

use super::search;
use super::source::{Look, Window};
use super::{FreshPart, Interrupted, ReadError, Reader, Scan, Snapshot, Stats};
use crate::evaluate::{Compiled, Needed};
use crate::frame;
use crate::fresh;

/// How far someone has followed the store.
///
/// Holds the stream open, so that its rows can be read on when it was sealed and removed meanwhile.
#[derive(Clone, Debug, Default)]
pub struct Cursor {
    /// The number of the fresh stream.
    number: u64,
    /// Up to where it was read; 0 when nothing was.
    at: u64,
    /// Rows behind `at` that were given before the follower broke off.
    rows: usize,
    file: Option<Arc<File>>,
}

// === impl Cursor ===

impl Cursor {
    /// Behind everything in a snapshot.
    pub(super) fn at_end(snapshot: &Snapshot) -> Self {
        match snapshot.fresh.last() {
            Some(part) => Self {
                number: part.number,
                at: part.whole_bytes,
                rows: 0,
                file: Some(Arc::clone(&part.file)),
            },
            None => Self {
                number: snapshot.manifest.fresh_from,
                ..Self::default()
            },
        }
    }

    fn next(&mut self, number: u64) {
        *self = Self {
            number,
            ..Self::default()
        };
    }
}

pub(super) fn follow(
    reader: &Reader,
    cursor: &mut Cursor,
    scan: &Scan,
    each: &mut dyn FnMut(Document) -> ControlFlow<()>,
) -> Result<Stats, ReadError> {
    let compiled = scan.compile()?;
    let snapshot = reader.renew()?;
    let mut stats = Stats::default();
    let io = |number| {
        let path = fresh::path_of(&snapshot.dir, number);
        move |source| ReadError::Io {
            action: "read",
            path,
            source,
        }
    };
    loop {
        let known = snapshot
            .fresh
            .iter()
            .find(|part| part.number == cursor.number);
        let part = match (known, cursor.file.clone()) {
            (Some(part), _) => Some(Arc::clone(part)),
            (None, Some(file)) => {
                Some(FreshPart::of(file, cursor.number).map_err(io(cursor.number))?)
            }
            // Sealed, but kept a while for those who follow.
            (None, None) => match FreshPart::open(&snapshot.dir, cursor.number, None) {
                Ok(part) => Some(part),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                Err(error) => return Err(io(cursor.number)(error)),
            },
        };
        let Some(part) = part else {
            // Too far behind, or a number that was never used.
            match missed(reader, &snapshot, cursor, scan, &mut stats, each)? {
                Step::Next => continue,
                Step::End | Step::Broken => return Ok(stats),
            }
        };
        cursor.file = Some(Arc::clone(&part.file));
        if read_on(&snapshot, &part, cursor, &compiled, &mut stats, each)
            .map_err(io(part.number))?
            .is_break()
        {
            return Ok(stats);
        }
        let later = snapshot
            .fresh
            .iter()
            .any(|part| part.number > cursor.number);
        if !later && cursor.number >= snapshot.manifest.fresh_from {
            return Ok(stats);
        }
        // A later stream exists only when this one is complete.
        cursor.next(cursor.number + 1);
    }
}

enum Step {
    /// Go on with the cursor's stream.
    Next,
    /// There is nothing more.
    End,
    /// The follower broke off.
    Broken,
}

/// Gives what was sealed before it could be followed, and moves on.
fn missed(
    reader: &Reader,
    snapshot: &Snapshot,
    cursor: &mut Cursor,
    scan: &Scan,
    stats: &mut Stats,
    each: &mut dyn FnMut(Document) -> ControlFlow<()>,
) -> Result<Step, ReadError> {
    if cursor.number >= snapshot.manifest.fresh_from {
        let later = snapshot
            .fresh
            .iter()
            .map(|part| part.number)
            .find(|at| *at > cursor.number);
        let Some(later) = later else {
            return Ok(Step::End);
        };
        cursor.next(later);
        return Ok(Step::Next);
    }
    // Only the streams from the cursor on: a file that has older ones too was followed in part.
    let ahead = snapshot
        .manifest
        .sealed
        .iter()
        .filter(|sealed| sealed.fresh.0 >= cursor.number);
    let Some(first) = ahead.clone().map(|sealed| sealed.fresh.0).min() else {
        cursor.next(snapshot.manifest.fresh_from);
        return Ok(Step::Next);
    };
    let sealed: Vec<_> = ahead
        .filter(|sealed| sealed.fresh.0 == first)
        .cloned()
        .collect();
    let done = reader.steady(|snapshot| {
        let mut all = Vec::new();
        for sealed in &sealed {
            all.extend(search::of_file(snapshot, sealed, scan)?);
        }
        Ok::<_, Interrupted>(all)
    })?;
    if cursor.number != first {
        cursor.next(first);
    }
    for document in done.into_iter().skip(cursor.rows) {
        cursor.rows += 1;
        stats.rows_matched += 1;
        if each(document).is_break() {
            return Ok(Step::Broken);
        }
    }
    cursor.next(first + 1);
    Ok(Step::Next)
}

/// Gives the wanted rows of a stream from the cursor on, and moves it.
fn read_on(
    snapshot: &Snapshot,
    part: &FreshPart,
    cursor: &mut Cursor,
    compiled: &Compiled,
    stats: &mut Stats,
    each: &mut dyn FnMut(Document) -> ControlFlow<()>,
) -> std::io::Result<ControlFlow<()>> {
    let start = cursor.at.max(frame::schema_message().len() as u64);
    if part.whole_bytes <= start {
        return Ok(ControlFlow::Continue(()));
    }
    for chunk in snapshot.chunks_between(&part.file, start, part.whole_bytes)? {
        let look = Look {
            compiled,
            window: Window::ALL,
            also: Needed::default(),
        };
        let mut rows = Vec::new();
        let looked = look.chunk(&chunk, &mut |wanted| rows.extend_from_slice(wanted.rows));
        stats.rows_scanned += looked.scanned;
        stats.rows_pruned += looked.pruned;
        for document in rows
            .iter()
            .skip(cursor.rows)
            .filter_map(|row| chunk.document(*row as usize))
        {
            cursor.rows += 1;
            stats.rows_matched += 1;
            if each(document).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        cursor.at = chunk.end;
        cursor.rows = 0;
    }
    Ok(ControlFlow::Continue(()))
}
