//! How is an answer of any size put in order? In two passes over rows that come by time, holding back few of them.
//!
//! A row is *late* when a row behind it in its stream came before it. The first pass notes the late rows
//! ([`Lateness::note`]), which is none where no clock went back. In the second pass a row is held while a late row
//! before it in its stream has yet to come ([`Lateness::release`]).
//!
//! A clock that goes back by an hour makes an hour's rows wait. When they are too many, the late rows of a stream are
//! fetched before their time ([`Lateness::fetched`]): the stream stays in exact order, and between streams the order
//! is no longer quite that of time.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use record::Document;

use super::Place;

/// What is known of the late rows.
#[derive(Debug, Default)]
pub(crate) struct Lateness {
    numbers: HashMap<String, usize>,
    streams: Vec<Stream>,
    held_bytes: usize,
}

/// A stream of which much is held.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heaviest<'a> {
    /// `log.stream`
    pub(crate) name: &'a str,
    late: &'a BTreeSet<Place>,
    last_held: Place,
}

#[derive(Debug, Default)]
struct Stream {
    last: Option<Place>,
    /// Late rows that have yet to come.
    late: BTreeSet<Place>,
    /// Late rows that were fetched and have yet to come once more.
    fetched: HashSet<Place>,
    held: BTreeMap<Place, Document>,
    held_bytes: usize,
}

// === impl Heaviest ===

impl Heaviest<'_> {
    /// Whether held rows wait for this one.
    ///
    /// Not every late row is meant: between those that are held and a later late one, rows in time may be yet to come.
    pub(crate) fn waits_for(&self, place: Place) -> bool {
        place < self.last_held && self.late.contains(&place)
    }
}

// === impl Lateness ===

impl Lateness {
    /// First pass: takes note of a stream's row. Rows come in the order of their times.
    pub(crate) fn note(&mut self, stream: &str, place: Place) {
        let Some(stream) = self.stream(stream) else {
            return;
        };
        if stream.last.is_some_and(|last| place < last) {
            stream.late.insert(place);
        } else {
            stream.last = Some(place);
        }
    }

    /// Second pass, over the same rows: appends those that are due, in reading order.
    pub(crate) fn release(&mut self, place: Place, document: Document, due: &mut Vec<Document>) {
        let Some(stream) = self.stream(&document.file.origin.stream) else {
            return;
        };
        if !stream.fetched.is_empty() && stream.fetched.remove(&place) {
            return;
        }
        let late = !stream.late.is_empty() && stream.late.remove(&place);
        if stream.late.first().is_some_and(|first| *first < place) {
            let bytes = held_bytes(&document);
            stream.held.insert(place, document);
            stream.held_bytes += bytes;
            self.held_bytes += bytes;
            return;
        }
        due.push(document);
        if late {
            let released = stream.release_held(due);
            self.held_bytes -= released;
        }
    }

    /// The stream of which most is held.
    pub(crate) fn heaviest(&self) -> Option<Heaviest<'_>> {
        let (name, number) = self.numbers.iter().max_by_key(|(_, number)| {
            self.streams
                .get(**number)
                .map_or(0, |stream| stream.held_bytes)
        })?;
        let stream = self.streams.get(*number)?;
        let (last_held, _) = stream.held.last_key_value()?;
        Some(Heaviest {
            name,
            late: &stream.late,
            last_held: *last_held,
        })
    }

    /// Takes a stream's rows that its held ones wait for, all of them, before their time; appends what is due by that.
    pub(crate) fn fetched(&mut self, rows: Vec<(Place, Document)>, due: &mut Vec<Document>) {
        let name = rows.first().map(|(_, row)| &row.file.origin.stream);
        let Some(stream) = name.and_then(|name| self.stream(name)) else {
            return;
        };
        let before = stream.held_bytes;
        for (place, row) in rows {
            stream.late.remove(&place);
            stream.fetched.insert(place);
            stream.held_bytes += held_bytes(&row);
            stream.held.insert(place, row);
        }
        stream.release_held(due);
        let now = stream.held_bytes;
        self.held_bytes = self.held_bytes + now - before;
    }

    /// After the second pass: appends what is still held. Nothing is, unless rows were removed between the passes.
    pub(crate) fn rest(&mut self, due: &mut Vec<Document>) {
        for stream in &mut self.streams {
            due.extend(std::mem::take(&mut stream.held).into_values());
            stream.held_bytes = 0;
        }
        self.held_bytes = 0;
    }

    /// About how much memory the rows take that are held, in bytes.
    pub(crate) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// The stream of a name; always there, for it is made when it is not.
    fn stream(&mut self, name: &str) -> Option<&mut Stream> {
        let number = if let Some(number) = self.numbers.get(name) {
            *number
        } else {
            self.streams.push(Stream::default());
            self.numbers.insert(name.to_owned(), self.streams.len() - 1);
            self.streams.len() - 1
        };
        self.streams.get_mut(number)
    }
}

// === impl Stream ===

impl Stream {
    /// Appends the held rows that no late one precedes; gives their bytes.
    fn release_held(&mut self, due: &mut Vec<Document>) -> usize {
        let mut released = 0;
        while let Some(entry) = self.held.first_entry() {
            if self.late.first().is_some_and(|first| first < entry.key()) {
                break;
            }
            let held = entry.remove();
            released += held_bytes(&held);
            due.push(held);
        }
        self.held_bytes -= released;
        released
    }
}

/// About how much memory a row takes while it waits, in bytes.
pub(crate) fn held_bytes(document: &Document) -> usize {
    size_of::<Document>()
        + document.message.len()
        + document.app.as_ref().map_or(0, String::len)
        + document.error.as_ref().map_or(0, String::len)
}
