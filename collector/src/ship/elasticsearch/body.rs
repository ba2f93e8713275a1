//! The body of bulk requests: an action line and a document for each record, made by hand as bytes.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use record::document::Rendered;
use record::id::IdKey;
use record::{File, Record, Timestamp};

use super::layout::Layout;

/// How many files' constant parts are kept between batches, about a KiB each.
const PREPARED_FILES_MAX: usize = 4096;

/// One action with its document, as a range of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// Where its action line begins.
    pub(super) start: u32,
    /// Where its document begins.
    pub(super) document: u32,
    /// Where it ends, newline included.
    pub(super) end: u32,
    /// The pipeline's number for its file.
    pub(super) file: u64,
    /// Bytes of the log text it stands for.
    pub(super) text_bytes: u32,
    /// Its index or data stream, by number.
    pub(super) index: IndexNumber,
    /// It may be there already though nobody said so.
    pub(super) doubtful: bool,
    /// It was refused once and goes as plain text now.
    pub(super) plain: bool,
}

/// Names an index or data stream for as long as the sink lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct IndexNumber(pub(super) u32);

/// Some items and their bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Body {
    pub(super) bytes: Bytes,
    pub(super) items: Vec<Item>,
}

/// A body being written.
#[derive(Debug)]
pub(super) struct Builder {
    layout: Layout,
    bytes: Vec<u8>,
    items: Vec<Item>,
    /// By the pipeline's number for a file; the one that was written to last is beside them.
    prepared: HashMap<u64, Prepared>,
    current: Option<(u64, Prepared)>,
    indices: HashMap<String, IndexNumber>,
    /// Names that are new since the last body was taken.
    fresh: Vec<(IndexNumber, String)>,
    /// Files whose next records may be there already, and up to which offset.
    doubts: HashMap<u64, u64>,
}

/// What all items of a file share.
#[derive(Debug)]
struct Prepared {
    file: Arc<File>,
    rendered: Rendered,
    ids: IdKey,
    /// The day that `index` is for; data streams have none.
    day: Option<i64>,
    index: IndexNumber,
    /// `{"create":{"_index":"…","_id":"`
    action: Vec<u8>,
}

// === impl Builder ===

impl Builder {
    pub(super) fn new(layout: Layout, batch_bytes: usize) -> Self {
        Self {
            layout,
            bytes: Vec::with_capacity(batch_bytes),
            items: Vec::new(),
            prepared: HashMap::new(),
            current: None,
            indices: HashMap::new(),
            fresh: Vec::new(),
            doubts: HashMap::new(),
        }
    }

    /// Appends a record.
    pub(super) fn push(&mut self, number: u64, named: Timestamp, record: &Record<'_>) {
        let day = self.layout.day(named);
        let is_ready = self
            .current
            .as_ref()
            .is_some_and(|(current, known)| *current == number && known.is_of(record.file, day));
        if !is_ready {
            self.turn_to(number, named, record.file, day);
        }
        let Some((_, prepared)) = &self.current else {
            return;
        };
        let entry = &record.entry;
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(&prepared.action);
        self.bytes
            .extend_from_slice(&prepared.ids.id_named(named, entry).0);
        self.bytes.extend_from_slice(b"\"}}\n");
        let document = self.bytes.len() as u32;
        prepared.rendered.write_json(entry, &mut self.bytes);
        self.bytes.push(b'\n');
        let doubtful = !self.doubts.is_empty()
            && self
                .doubts
                .get(&number)
                .is_some_and(|until| entry.offset < *until);
        self.items.push(Item {
            start,
            document,
            end: self.bytes.len() as u32,
            file: number,
            // A record that goes on in the next file has its length there; only its dead letter would count less.
            text_bytes: entry.end.saturating_sub(entry.offset) as u32,
            index: prepared.index,
            doubtful,
            plain: false,
        });
    }

    /// Makes a file the current one.
    fn turn_to(&mut self, number: u64, named: Timestamp, file: &Arc<File>, day: Option<i64>) {
        if let Some((before, prepared)) = self.current.take() {
            self.prepared.insert(before, prepared);
        }
        let known = self.prepared.remove(&number);
        let prepared = match known.filter(|known| known.is_of(file, day)) {
            Some(known) => known,
            None => self.prepare(named, file, day),
        };
        self.current = Some((number, prepared));
    }

    fn prepare(&mut self, named: Timestamp, file: &Arc<File>, day: Option<i64>) -> Prepared {
        let name = self.layout.index(file, named);
        let next = IndexNumber(self.indices.len() as u32);
        let index = *self.indices.entry(name.clone()).or_insert(next);
        if index == next {
            self.fresh.push((next, name.clone()));
        }
        let action = format!("{{\"create\":{{\"_index\":\"{name}\",\"_id\":\"").into_bytes();
        Prepared {
            rendered: Rendered::new(file),
            ids: IdKey::new(file),
            file: Arc::clone(file),
            day,
            index,
            action,
        }
    }

    /// Where the next record of a file is likely to belong, if anything went there before.
    pub(super) fn expected(&self, number: u64, file: &File) -> Option<IndexNumber> {
        match self.layout {
            Layout::DataStream => {
                let name = self.layout.index(file, Timestamp(file.started));
                self.indices.get(&name).copied()
            }
            Layout::Index { .. } => {
                let current = self
                    .current
                    .as_ref()
                    .filter(|(current, _)| *current == number);
                let known = current
                    .map(|(_, known)| known)
                    .or_else(|| self.prepared.get(&number));
                known.map(|known| known.index)
            }
        }
    }

    /// From here on, records of a file that begin before `until` may be there already.
    pub(super) fn doubt(&mut self, file: u64, until: u64) {
        self.doubts.insert(file, until);
    }

    /// Bytes so far.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Takes what was written, and the names of indices that are met for the first time. `spare` is written to next.
    pub(super) fn take(&mut self, spare: Vec<u8>) -> (Body, Vec<(IndexNumber, String)>) {
        if self.prepared.len() > PREPARED_FILES_MAX {
            self.prepared.clear();
        }
        let bytes = mem::replace(&mut self.bytes, spare);
        self.bytes.clear();
        let capacity = self.items.len();
        let items = mem::replace(&mut self.items, Vec::with_capacity(capacity));
        let body = Body {
            bytes: Bytes::from(bytes),
            items,
        };
        (body, mem::take(&mut self.fresh))
    }
}

// === impl Prepared ===

impl Prepared {
    fn is_of(&self, file: &Arc<File>, day: Option<i64>) -> bool {
        Arc::ptr_eq(&self.file, file) && self.day == day
    }
}

// === impl Item ===

impl Item {
    /// Its size in a body.
    pub(super) fn bytes(&self) -> u64 {
        u64::from(self.end - self.start)
    }
}

// === impl Body ===

impl Body {
    /// The bytes of an item, action line and document.
    pub(super) fn of(&self, item: &Item) -> &[u8] {
        self.range(item.start, item.end)
    }

    /// The document of an item, newline included.
    pub(super) fn document(&self, item: &Item) -> &[u8] {
        self.range(item.document, item.end)
    }

    /// The id of an item.
    pub(super) fn id(&self, item: &Item) -> &str {
        const CLOSING: u32 = 4;
        let end = item.document.saturating_sub(CLOSING);
        let begin = end.saturating_sub(record::id::ID_LENGTH as u32);
        std::str::from_utf8(self.range(begin, end)).unwrap_or_default()
    }

    fn range(&self, start: u32, end: u32) -> &[u8] {
        self.bytes
            .get(start as usize..end as usize)
            .unwrap_or_default()
    }

    /// The size of all items.
    pub(super) fn len(&self) -> u64 {
        self.items.iter().map(Item::bytes).sum()
    }

    /// A body of its own for some of the items, so that the memory of the others can go.
    pub(super) fn part(&self, items: impl Iterator<Item = Item>) -> Self {
        let mut part = Vec::new();
        let mut moved = Vec::new();
        for item in items {
            let start = part.len() as u32;
            part.extend_from_slice(self.of(&item));
            moved.push(Item {
                start,
                document: start + (item.document - item.start),
                end: part.len() as u32,
                ..item
            });
        }
        Self {
            bytes: Bytes::from(part),
            items: moved,
        }
    }

    /// Appends an item with another document, as plain text, to the items and bytes of a body to come.
    pub(super) fn rewrite(
        &self,
        item: &Item,
        document: Vec<u8>,
        items: &mut Vec<Item>,
        bytes: &mut Vec<u8>,
    ) {
        let start = bytes.len() as u32;
        bytes.extend_from_slice(self.range(item.start, item.document));
        let document_start = bytes.len() as u32;
        bytes.extend(document);
        bytes.push(b'\n');
        items.push(Item {
            start,
            document: document_start,
            end: bytes.len() as u32,
            plain: true,
            ..*item
        });
    }
}
