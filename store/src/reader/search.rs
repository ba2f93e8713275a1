//! Which documents are wanted, in order? Newest pieces first, on all threads, only as many as asked for.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use record::{Document, Timestamp};

use super::source::{Piece, Window};
use super::{Interrupted, ReadError, Reader, Scan, Snapshot, Stats};
use crate::evaluate::{Compiled, Needed};
use crate::manifest::Sealed;

/// Up to this limit the last moments are searched first.
const NEWEST_ROWS: usize = 10_000;

/// The first of these moments has about so many rows for each that is asked for …
const WINDOW_ROWS: usize = 20;

/// … and each further one is so many times as long.
const WINDOW_GROWTH: i64 = 32;

mod newest;

use newest::{Hit, keep_newest, sort};

/// Without a limit, a slice of time is cut in two when it has more wanted rows than this.
const SLICE_ROWS: usize = 100_000;

/// The wanted rows of a piece, newest at the end.
#[derive(Debug)]
struct Found {
    piece: Piece,
    hits: Vec<Hit>,
}

/// What is still to be looked at, newest first.
#[derive(Debug, Default)]
struct Queue {
    ready: Vec<(i64, Task)>,
    /// Threads that may still add tasks.
    opening: usize,
}

#[derive(Debug)]
enum Task {
    /// Open this file and queue its row groups.
    Open(Sealed),
    Look(Piece),
}

/// One search that many threads work on.
#[derive(Debug)]
struct Search<'a> {
    snapshot: &'a Snapshot,
    compiled: &'a Compiled,
    scan: &'a Scan,
    limit: Option<usize>,
    queue: Mutex<Queue>,
    more: Condvar,
    found: Mutex<Vec<Found>>,
    /// The newest times found so far, as many as the limit.
    newest: Mutex<BinaryHeap<Reverse<i64>>>,
    /// Rows before this can't be among the newest any more.
    floor: AtomicI64,
    hits: AtomicU64,
    scanned: AtomicU64,
    pruned: AtomicU64,
    damaged: AtomicU64,
    stop: AtomicBool,
    failure: Mutex<Option<Interrupted>>,
}

/// What a search of one slice came to.
#[derive(Debug)]
enum Outcome {
    Documents(Vec<Document>, Stats),
    /// Too many rows; cut the slice here.
    Split(Timestamp),
}

pub(super) fn scan(
    reader: &Reader,
    scan: &Scan,
    each: &mut dyn FnMut(Document) -> ControlFlow<()>,
) -> Result<Stats, ReadError> {
    match scan.limit {
        Some(limit) if (1..=NEWEST_ROWS).contains(&limit) => newest(reader, scan, limit, each),
        _ => slices(reader, scan, each),
    }
}

/// Gives the newest rows: what is frequent is found in the last moments, so these are searched first, and when they
/// have not enough, ever longer ones.
fn newest(
    reader: &Reader,
    scan: &Scan,
    limit: usize,
    each: &mut dyn FnMut(Document) -> ControlFlow<()>,
) -> Result<Stats, ReadError> {
    let mut last = scan.clone();
    let (until, mut length) = reader
        .current()
        .density(scan, limit.saturating_mul(WINDOW_ROWS));
    let mut all = Stats::default();
    loop {
        let from = Timestamp(until.saturating_sub(length));
        let whole = length == i64::MAX || scan.from.is_some_and(|first| first >= from);
        last.from = if whole { scan.from } else { Some(from) };
        let compiled = last.compile()?;
        let found = reader.steady(|snapshot| {
            Search::new(snapshot, &compiled, &last).run(reader.threads.get(), false)
        })?;
        let Outcome::Documents(documents, stats) = found else {
            return Ok(all);
        };
        all.rows_scanned += stats.rows_scanned;
        all.rows_pruned = stats.rows_pruned;
        all.files_damaged = all.files_damaged.max(stats.files_damaged);
        if whole || documents.len() >= limit {
            for document in documents {
                all.rows_matched += 1;
                if each(document).is_break() {
                    break;
                }
            }
            return Ok(all);
        }
        length = length.checked_mul(WINDOW_GROWTH).unwrap_or(i64::MAX);
    }
}

/// Gives all rows, a slice of time after another.
fn slices(
    reader: &Reader,
    scan: &Scan,
    each: &mut dyn FnMut(Document) -> ControlFlow<()>,
) -> Result<Stats, ReadError> {
    let mut all = Stats::default();
    // Slices of time, the oldest last.
    let mut slices = vec![scan.clone()];
    let mut may_split = scan.limit.is_none();
    while let Some(slice) = slices.pop() {
        let compiled = slice.compile()?;
        let outcome = reader.steady(|snapshot| {
            Search::new(snapshot, &compiled, &slice).run(reader.threads.get(), may_split)
        })?;
        may_split = scan.limit.is_none();
        match outcome {
            Outcome::Split(at) => {
                let newer = Scan {
                    from: Some(at),
                    ..slice.clone()
                };
                let older = Scan {
                    until: Some(at),
                    ..slice.clone()
                };
                if slice.from.is_some_and(|from| from >= at) {
                    // All of it has one time: take it whole.
                    may_split = false;
                    slices.push(slice);
                } else {
                    slices.push(newer);
                    slices.push(older);
                }
            }
            Outcome::Documents(documents, stats) => {
                all.rows_scanned += stats.rows_scanned;
                all.rows_pruned += stats.rows_pruned;
                all.files_damaged = all.files_damaged.max(stats.files_damaged);
                for document in documents {
                    all.rows_matched += 1;
                    if each(document).is_break() {
                        return Ok(all);
                    }
                }
            }
        }
    }
    Ok(all)
}

// === impl Search ===

impl<'a> Search<'a> {
    fn new(snapshot: &'a Snapshot, compiled: &'a Compiled, scan: &'a Scan) -> Self {
        Self {
            snapshot,
            compiled,
            scan,
            limit: scan.limit,
            queue: Mutex::default(),
            more: Condvar::new(),
            found: Mutex::default(),
            newest: Mutex::default(),
            floor: AtomicI64::new(i64::MIN),
            hits: AtomicU64::new(0),
            scanned: AtomicU64::new(0),
            pruned: AtomicU64::new(0),
            damaged: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            failure: Mutex::default(),
        }
    }

    fn run(self, threads: usize, may_split: bool) -> Result<Outcome, Interrupted> {
        self.fill()?;
        if self.limit != Some(0) {
            std::thread::scope(|scope| {
                for _ in 1..threads {
                    scope.spawn(|| self.work(may_split));
                }
                self.work(may_split);
            });
        }
        if let Some(failure) = lock(&self.failure).take() {
            return Err(failure);
        }
        if self.stop.load(Ordering::Relaxed) {
            return Ok(Outcome::Split(self.middle()));
        }
        let documents = self.documents()?;
        let stats = Stats {
            rows_matched: documents.len() as u64,
            rows_scanned: self.scanned.into_inner(),
            rows_pruned: self.pruned.into_inner(),
            files_damaged: self.damaged.into_inner(),
        };
        Ok(Outcome::Documents(documents, stats))
    }

    /// Queues all that may have wanted rows.
    fn fill(&self) -> Result<(), Interrupted> {
        let mut queue = lock(&self.queue);
        for sealed in &self.snapshot.manifest.sealed {
            if self.scan.overlaps(sealed.time) {
                queue
                    .ready
                    .push((sealed.time.1, Task::Open(sealed.clone())));
            }
        }
        for part in &self.snapshot.fresh {
            for (number, chunk) in self.snapshot.chunks(part)?.iter().enumerate() {
                let newest = chunk
                    .runs
                    .iter()
                    .map(|run| run.time_max)
                    .max()
                    .unwrap_or(i64::MIN);
                let oldest = chunk
                    .runs
                    .iter()
                    .map(|run| run.time_min)
                    .min()
                    .unwrap_or(i64::MAX);
                if self.scan.overlaps((oldest, newest)) {
                    let piece = Piece::Fresh {
                        part: part.clone(),
                        chunk: number,
                    };
                    queue.ready.push((newest, Task::Look(piece)));
                }
            }
        }
        queue.ready.sort_by_key(|(newest, _)| *newest);
        Ok(())
    }

    /// Takes tasks until there are none.
    fn work(&self, may_split: bool) {
        while let Some((newest, task)) = self.next() {
            let opening = matches!(task, Task::Open(_));
            let floor = self.floor.load(Ordering::Relaxed);
            let done = if newest < floor {
                Ok(())
            } else {
                self.perform(task, floor)
            };
            if opening {
                lock(&self.queue).opening -= 1;
                self.more.notify_all();
            }
            if let Err(failure) = done {
                *lock(&self.failure) = Some(failure);
                self.abandon();
            }
            if may_split && self.hits.load(Ordering::Relaxed) > SLICE_ROWS as u64 {
                self.stop.store(true, Ordering::Relaxed);
                self.abandon();
            }
        }
    }

    fn next(&self) -> Option<(i64, Task)> {
        let mut queue = lock(&self.queue);
        loop {
            if let Some(task) = queue.ready.pop() {
                if matches!(task.1, Task::Open(_)) {
                    queue.opening += 1;
                }
                return Some(task);
            }
            if queue.opening == 0 {
                return None;
            }
            queue = self
                .more
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn abandon(&self) {
        lock(&self.queue).ready.clear();
        self.more.notify_all();
    }

    fn perform(&self, task: Task, floor: i64) -> Result<(), Interrupted> {
        match task {
            Task::Open(sealed) => {
                let Some(file) = self.snapshot.sealed(&sealed)? else {
                    self.damaged.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                };
                let mut queue = lock(&self.queue);
                for row_group in 0..file.row_groups() {
                    let runs = file.runs(row_group);
                    let newest = runs
                        .iter()
                        .map(|run| run.time_max)
                        .max()
                        .unwrap_or(i64::MIN);
                    let oldest = runs
                        .iter()
                        .map(|run| run.time_min)
                        .min()
                        .unwrap_or(i64::MAX);
                    if self.scan.overlaps((oldest, newest)) {
                        let piece = Piece::Sealed {
                            file: file.clone(),
                            row_group,
                        };
                        queue.ready.push((newest, Task::Look(piece)));
                    }
                }
                queue.ready.sort_by_key(|(newest, _)| *newest);
                Ok(())
            }
            Task::Look(piece) => self.look(piece, floor),
        }
    }

    fn look(&self, piece: Piece, floor: i64) -> Result<(), Interrupted> {
        let mut hits = Vec::new();
        let window = Window::of(self.scan);
        let window = Window {
            first: window.first.max(floor),
            ..window
        };
        let time_only = Needed {
            time: true,
            ..Needed::default()
        };
        let looked = piece.look(
            self.snapshot,
            self.compiled,
            window,
            time_only,
            &mut |wanted| {
                let Some(time) = &wanted.columns.time else {
                    return;
                };
                for place in wanted.rows {
                    let time = time.value(*place as usize);
                    if time >= floor {
                        hits.push(Hit {
                            time,
                            row: wanted.row(*place),
                        });
                    }
                }
                // A piece may have far more than are asked for; what can't be needed is dropped at times.
                if let Some(limit) = self.limit
                    && hits.len() >= limit.saturating_mul(2).max(4096)
                {
                    keep_newest(&mut hits, limit);
                }
            },
        )?;
        self.scanned.fetch_add(looked.scanned, Ordering::Relaxed);
        self.pruned.fetch_add(looked.pruned, Ordering::Relaxed);
        if hits.is_empty() {
            return Ok(());
        }
        if let Some(limit) = self.limit {
            keep_newest(&mut hits, limit);
            self.raise_floor(&hits, limit);
        }
        self.hits.fetch_add(hits.len() as u64, Ordering::Relaxed);
        lock(&self.found).push(Found { piece, hits });
        Ok(())
    }

    fn raise_floor(&self, hits: &[Hit], limit: usize) {
        let mut newest = lock(&self.newest);
        for hit in hits.iter().rev() {
            if newest.len() < limit {
                newest.push(Reverse(hit.time));
            } else if newest.peek().is_some_and(|oldest| oldest.0 < hit.time) {
                newest.pop();
                newest.push(Reverse(hit.time));
            }
        }
        if newest.len() >= limit
            && let Some(oldest) = newest.peek()
        {
            self.floor.fetch_max(oldest.0, Ordering::Relaxed);
        }
    }

    /// A time with about as many found rows before it as after.
    fn middle(&self) -> Timestamp {
        let found = lock(&self.found);
        let mut times: Vec<i64> = found
            .iter()
            .flat_map(|found| found.hits.iter().map(|hit| hit.time))
            .collect();
        times.sort_unstable();
        Timestamp(times.get(times.len() / 2).copied().unwrap_or(i64::MIN))
    }

    /// The documents of what was found, in order, not more than asked for.
    fn documents(&self) -> Result<Vec<Document>, Interrupted> {
        let mut found = lock(&self.found);
        let floor = self.floor.load(Ordering::Relaxed);
        let mut documents = Vec::new();
        for Found { piece, hits } in found.drain(..) {
            let mut rows: Vec<u32> = hits
                .iter()
                .filter(|hit| hit.time >= floor)
                .map(|hit| hit.row)
                .collect();
            rows.sort_unstable();
            if !rows.is_empty() {
                documents.extend(piece.documents(self.snapshot, &rows)?);
            }
        }
        sort(&mut documents);
        if let Some(limit) = self.limit
            && documents.len() > limit
        {
            documents.drain(..documents.len() - limit);
        }
        Ok(documents)
    }
}

/// The wanted documents of one sealed file, in order.
pub(super) fn of_file(
    snapshot: &Snapshot,
    sealed: &Sealed,
    scan: &Scan,
) -> Result<Vec<Document>, Interrupted> {
    let compiled = scan.compile()?;
    let unlimited = Scan {
        limit: None,
        ..scan.clone()
    };
    let search = Search::new(snapshot, &compiled, &unlimited);
    lock(&search.queue)
        .ready
        .push((i64::MAX, Task::Open(sealed.clone())));
    search.work(false);
    if let Some(failure) = lock(&search.failure).take() {
        return Err(failure);
    }
    search.documents()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
