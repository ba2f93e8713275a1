//! What stands around a line? A range read by exact position, across files, fresh and sealed.

use std::sync::Arc;

use record::{Document, Position};

use super::source::Piece;
use super::{Interrupted, ReadError, Reader, Snapshot};
use crate::evaluate::Needed;
use crate::index::Run;

/// On which side of a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Before,
    After,
}

/// What orders rows within a stream: the file's start, offset, part, end.
type Key = (i64, u64, u32, u64);

/// A run of the stream, by where it reaches.
#[derive(Debug)]
struct Candidate {
    piece: Piece,
    run: Run,
    started: i64,
}

pub(super) fn beside(
    reader: &Reader,
    stream: &str,
    position: Position,
    side: Side,
    rows: usize,
) -> Result<Vec<Document>, ReadError> {
    if rows == 0 {
        return Ok(Vec::new());
    }
    reader.steady(|snapshot| {
        let mut candidates = candidates(snapshot, stream, position, side)?;
        // Nearest first.
        candidates.sort_by_key(|candidate| {
            let (first, last) = candidate.reach();
            match side {
                Side::Before => (-i128::from(last.0), -i128::from(last.1)),
                Side::After => (i128::from(first.0), i128::from(first.1)),
            }
        });
        let mut nearest: Vec<(Key, usize, u32)> = Vec::new();
        for (number, candidate) in candidates.iter().enumerate() {
            if nearest.len() >= rows
                && let Some((farthest, ..)) = nearest.get(rows - 1)
                && !candidate.may_be_nearer(*farthest, side)
            {
                break;
            }
            for (key, row) in candidate.keys(snapshot, position, side)? {
                nearest.push((key, number, row));
            }
            match side {
                Side::Before => nearest.sort_unstable_by(|a, b| b.cmp(a)),
                Side::After => nearest.sort_unstable(),
            }
            nearest.truncate(rows);
        }
        documents(snapshot, &candidates, &nearest)
    })
}

/// The runs of the stream that reach to the side of the position.
fn candidates(
    snapshot: &Snapshot,
    stream: &str,
    position: Position,
    side: Side,
) -> Result<Vec<Candidate>, Interrupted> {
    let mut candidates = Vec::new();
    let mut offer = |piece: &Piece, run: &Run, file: &record::File| {
        if file.origin.stream != stream || run.rows == 0 {
            return;
        }
        let candidate = Candidate {
            piece: piece.clone(),
            run: *run,
            started: file.started,
        };
        let (first, last) = candidate.reach();
        let reaches = match side {
            Side::Before => first < (position.started, position.offset),
            Side::After => last > (position.started, position.offset),
        };
        if reaches {
            candidates.push(candidate);
        }
    };
    for sealed in &snapshot.manifest.sealed {
        let may_reach = match side {
            Side::Before => sealed.started.0 <= position.started,
            Side::After => sealed.started.1 >= position.started,
        };
        if !may_reach {
            continue;
        }
        let Some(file) = snapshot.sealed(sealed)? else {
            continue;
        };
        for run in &file.index.runs {
            if let Some(own) = file.index.files.get(run.file as usize) {
                let piece = Piece::Sealed {
                    file: Arc::clone(&file),
                    row_group: run.row_group as usize,
                };
                offer(&piece, run, own);
            }
        }
    }
    for part in &snapshot.fresh {
        for (number, chunk) in snapshot.chunks(part)?.iter().enumerate() {
            let piece = Piece::Fresh {
                part: Arc::clone(part),
                chunk: number,
            };
            for (run, own) in chunk.runs.iter().zip(&chunk.files) {
                offer(&piece, run, own);
            }
        }
    }
    Ok(candidates)
}

// === impl Candidate ===

impl Candidate {
    /// Its first and last position.
    fn reach(&self) -> ((i64, u64), (i64, u64)) {
        (
            (self.started, self.run.offset_min),
            (self.started, self.run.offset_max),
        )
    }

    fn may_be_nearer(&self, farthest: Key, side: Side) -> bool {
        let (first, last) = self.reach();
        match side {
            Side::Before => last >= (farthest.0, farthest.1),
            Side::After => first <= (farthest.0, farthest.1),
        }
    }

    /// The keys of its rows on the side of the position.
    fn keys(
        &self,
        snapshot: &Snapshot,
        position: Position,
        side: Side,
    ) -> Result<Vec<(Key, u32)>, Interrupted> {
        let wanted = |key: &Key| match side {
            Side::Before => (key.0, key.1) < (position.started, position.offset),
            Side::After => (key.0, key.1) > (position.started, position.offset),
        };
        let keys = self.piece.keys(snapshot, &self.run)?;
        let keys = keys
            .into_iter()
            .map(|((offset, part, end), row)| ((self.started, offset, part, end), row));
        Ok(keys.filter(|(key, _)| wanted(key)).collect())
    }
}

// === impl Piece ===

/// A row's place within its file: offset, part, end; and its number in the piece.
type Place = ((u64, u32, u64), u32);

impl Piece {
    /// The places of a run's rows.
    fn keys(&self, snapshot: &Snapshot, run: &Run) -> Result<Vec<Place>, Interrupted> {
        match self {
            Self::Sealed { file, row_group } => {
                let needed = Needed {
                    offset: true,
                    part: true,
                    end: true,
                    ..Needed::default()
                };
                let mut keys = Vec::with_capacity(run.rows as usize);
                let range = run.first_row as usize..run.end_row() as usize;
                let read = file.read(*row_group, needed, &[range], &mut |columns| {
                    for place in 0..columns.rows {
                        let row = run.first_row + keys.len() as u32;
                        keys.push((columns.place(place), row));
                    }
                    true
                });
                read.map_err(|error| super::source::broken(file, &error))?;
                Ok(keys)
            }
            Self::Fresh { part, chunk } => {
                let chunks = snapshot.chunks(part)?;
                let Some(chunk) = chunks.get(*chunk) else {
                    return Ok(Vec::new());
                };
                let own = chunk
                    .file
                    .iter()
                    .enumerate()
                    .filter(|(_, file)| **file == run.file);
                Ok(own
                    .map(|(row, _)| (chunk.columns.place(row), row as u32))
                    .collect())
            }
        }
    }
}

/// The documents of the nearest rows, in exact order.
fn documents(
    snapshot: &Snapshot,
    candidates: &[Candidate],
    nearest: &[(Key, usize, u32)],
) -> Result<Vec<Document>, Interrupted> {
    let mut documents = Vec::with_capacity(nearest.len());
    for (number, candidate) in candidates.iter().enumerate() {
        let mut rows: Vec<u32> = nearest
            .iter()
            .filter(|(_, own, _)| *own == number)
            .map(|(.., row)| *row)
            .collect();
        rows.sort_unstable();
        if !rows.is_empty() {
            documents.extend(candidate.piece.documents(snapshot, &rows)?);
        }
    }
    documents.sort_by_key(|document| {
        (
            document.file.started,
            document.offset,
            document.part,
            document.end,
        )
    });
    Ok(documents)
}
