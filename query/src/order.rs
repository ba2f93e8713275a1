//! In which order do people read lines? Within a stream exactly as they were written, between streams by time.
//!
//! A clock may go back, so the two orders can contradict each other. Then the stream wins: the answer is the merge of
//! the streams, each in exact order, that always takes the stream whose next line is earliest. A line with a time
//! before its predecessor's therefore comes right after it.
//!
//! The same order said without a merge: a line counts with the latest time that it or a line before it in its stream
//! has (among the lines that are merged), then stream, then position. [`late`] builds on that.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use record::{Document, Position, Timestamp};

pub(crate) mod late;

/// Where a line stands in its stream. Two lines never begin at one place; the rest only makes the order total.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// `log.file.started` in nanoseconds.
    pub started: i64,
    /// `log.offset`
    pub offset: u64,
    /// `log.part`
    pub part: u32,
    /// Where its last piece ends.
    pub end: u64,
}

// === impl Place ===

impl Place {
    /// Where `document` stands in its stream.
    pub fn of(document: &Document) -> Self {
        Self {
            started: document.file.started,
            offset: document.offset,
            part: document.part,
            end: document.end,
        }
    }

    /// The position alone.
    pub fn position(&self) -> Position {
        Position {
            started: self.started,
            offset: self.offset,
        }
    }
}

/// Puts items in reading order; each counts as the line that `line` finds in it.
pub fn merged<T>(items: Vec<T>, line: impl Fn(&T) -> &Document) -> Vec<T> {
    let mut streams: HashMap<String, Vec<T>> = HashMap::new();
    let total = items.len();
    for item in items {
        let stream = &line(&item).file.origin.stream;
        // The name is copied once a stream, not once a line.
        if let Some(own) = streams.get_mut(stream) {
            own.push(item);
        } else {
            streams.insert(stream.clone(), vec![item]);
        }
    }
    let mut streams: Vec<(String, Vec<T>)> = streams.into_iter().collect();
    streams.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut queues: Vec<_> = streams
        .into_iter()
        .map(|(_, mut items)| {
            items.sort_by_key(|item| Place::of(line(item)));
            items.into_iter().peekable()
        })
        .collect();
    // Streams are numbered in the order of their names, so a number stands for the name among equal times.
    let mut heads: BinaryHeap<Reverse<(Timestamp, usize)>> = queues
        .iter_mut()
        .enumerate()
        .filter_map(|(index, queue)| queue.peek().map(|item| Reverse((line(item).time, index))))
        .collect();
    let mut out = Vec::with_capacity(total);
    while let Some(Reverse((_, index))) = heads.pop() {
        let Some(queue) = queues.get_mut(index) else {
            continue;
        };
        out.extend(queue.next());
        if let Some(item) = queue.peek() {
            heads.push(Reverse((line(item).time, index)));
        }
    }
    out
}

#[cfg(test)]
mod tests;
