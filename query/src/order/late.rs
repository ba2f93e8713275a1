//! How is an answer of any size put in order? In two passes over rows that come by time, holding back few of them.
//!
//! A row is *late* when a row behind it in its stream came before it. The first pass notes the late rows
//! ([`Lateness::note`]), which is none where no clock went back. In the second pass a row is held while a late row
//! before it in its stream has yet to come ([`Lateness::release`]).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use record::Document;

use super::Place;

/// What is known of the late rows.
#[derive(Debug, Default)]
pub(crate) struct Lateness {
    numbers: HashMap<String, usize>,
    streams: Vec<Stream>,
    held_bytes: usize,
}

#[derive(Debug, Default)]
struct Stream {
    last: Option<Place>,
    late: BTreeSet<Place>,
    held: BTreeMap<Place, Document>,
}

// === impl Lateness ===

impl Lateness {
    /// First pass: takes note of a row. Rows come in the order of their times.
    pub(crate) fn note(&mut self, document: &Document) {
        let place = Place::of(document);
        let Some(stream) = self.stream(document) else {
            return;
        };
        if stream.last.is_some_and(|last| place < last) {
            stream.late.insert(place);
        } else {
            stream.last = Some(place);
        }
    }

    /// Second pass, over the same rows: appends those that are due, in reading order.
    pub(crate) fn release(&mut self, document: Document, due: &mut Vec<Document>) {
        let place = Place::of(&document);
        let Some(stream) = self.stream(&document) else {
            return;
        };
        let late = !stream.late.is_empty() && stream.late.remove(&place);
        if stream.late.first().is_some_and(|first| *first < place) {
            let bytes = held_bytes(&document);
            stream.held.insert(place, document);
            self.held_bytes += bytes;
            return;
        }
        due.push(document);
        if !late {
            return;
        }
        let mut released = 0;
        while let Some(entry) = stream.held.first_entry() {
            if stream.late.first().is_some_and(|first| first < entry.key()) {
                break;
            }
            let held = entry.remove();
            released += held_bytes(&held);
            due.push(held);
        }
        self.held_bytes -= released;
    }

    /// About how much memory the rows take that are held, in bytes.
    pub(crate) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// A row's stream; always there, for it is made when it is not.
    fn stream(&mut self, document: &Document) -> Option<&mut Stream> {
        let name = &document.file.origin.stream;
        let number = if let Some(number) = self.numbers.get(name) {
            *number
        } else {
            self.streams.push(Stream::default());
            self.numbers.insert(name.clone(), self.streams.len() - 1);
            self.streams.len() - 1
        };
        self.streams.get_mut(number)
    }
}

/// About how much memory a row takes while it waits, in bytes.
pub(crate) fn held_bytes(document: &Document) -> usize {
    size_of::<Document>()
        + document.message.len()
        + document.app.as_ref().map_or(0, String::len)
        + document.error.as_ref().map_or(0, String::len)
}
