//! How many, when, how grave? Counts per bucket of time and level.

use std::collections::BTreeMap;
use std::time::Duration;

use record::Timestamp;

use super::source::{Piece, Window};
use super::{Histogram, Interrupted, ReadError, Reader, Scan, Snapshot};
use crate::evaluate::{Compiled, Needed};

pub(super) fn histogram(
    reader: &Reader,
    scan: &Scan,
    bucket: Duration,
) -> Result<Histogram, ReadError> {
    let compiled = scan.compile()?;
    let nanos = i64::try_from(bucket.as_nanos()).unwrap_or(i64::MAX).max(1);
    reader.steady(|snapshot| {
        let pieces = pieces(snapshot, scan)?;
        let share = pieces.len().div_ceil(reader.threads.get()).max(1);
        let counted = std::thread::scope(|scope| {
            let threads: Vec<_> = pieces
                .chunks(share)
                .map(|pieces| {
                    scope.spawn(|| count(snapshot, &compiled, Window::of(scan), nanos, pieces))
                })
                .collect();
            threads
                .into_iter()
                .map(std::thread::ScopedJoinHandle::join)
                .collect::<Vec<_>>()
        });
        let mut all = Histogram::default();
        for counted in counted {
            let counted = counted.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            for (time, counts) in counted {
                let sums = all.buckets.entry(time).or_default();
                for (sum, count) in sums.iter_mut().zip(counts) {
                    *sum += count;
                }
            }
        }
        Ok(all)
    })
}

/// All pieces that may have wanted rows.
fn pieces(snapshot: &Snapshot, scan: &Scan) -> Result<Vec<Piece>, Interrupted> {
    let mut pieces = Vec::new();
    for sealed in snapshot
        .manifest
        .sealed
        .iter()
        .filter(|sealed| scan.overlaps(sealed.time))
    {
        if let Some(file) = snapshot.sealed(sealed)? {
            let groups = 0..file.row_groups();
            pieces.extend(groups.map(|row_group| Piece::Sealed {
                file: file.clone(),
                row_group,
            }));
        }
    }
    for part in &snapshot.fresh {
        let chunks = 0..snapshot.chunks(part)?.len();
        pieces.extend(chunks.map(|chunk| Piece::Fresh {
            part: part.clone(),
            chunk,
        }));
    }
    Ok(pieces)
}

fn count(
    snapshot: &Snapshot,
    compiled: &Compiled,
    window: Window,
    bucket: i64,
    pieces: &[Piece],
) -> Result<BTreeMap<Timestamp, [u64; 7]>, Interrupted> {
    let mut counts: BTreeMap<Timestamp, [u64; 7]> = BTreeMap::new();
    let also = Needed {
        time: true,
        level: true,
        ..Needed::default()
    };
    for piece in pieces {
        piece.look(snapshot, compiled, window, also, &mut |wanted| {
            let Some(time) = &wanted.columns.time else {
                return;
            };
            // Rows near one another mostly share a bucket: look it up once.
            let mut now: Option<(i64, [u64; 7])> = None;
            for place in wanted.rows {
                let time = time.value(*place as usize);
                let start = time.saturating_sub(time.rem_euclid(bucket));
                if now.is_none_or(|(own, _)| own != start) {
                    flush(&mut counts, now.take());
                    now = Some((start, [0; 7]));
                }
                let level = wanted.columns.level_at(*place as usize);
                if let Some((_, own)) = &mut now
                    && let Some(count) = own.get_mut(usize::from(crate::batch::level_number(level)))
                {
                    *count += 1;
                }
            }
            flush(&mut counts, now.take());
        })?;
    }
    Ok(counts)
}

fn flush(counts: &mut BTreeMap<Timestamp, [u64; 7]>, now: Option<(i64, [u64; 7])>) {
    let Some((start, own)) = now else { return };
    let sums = counts.entry(Timestamp(start)).or_default();
    for (sum, count) in sums.iter_mut().zip(own) {
        *sum += count;
    }
}
