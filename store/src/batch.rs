//! Which rows go in together? Columns that grow by one row at a push, with no heap object per row.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray,
    UInt8Array, UInt32Array, UInt64Array,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::UInt32Type;
use arrow::error::ArrowError;
use record::{File, Level, OutputStream, Record};

use crate::schema;

/// A chunk is closed at this many bytes of text: what a reader and a sealer must hold at least.
const CHUNK_TEXT_BYTES: usize = 1 << 20;

/// What a row takes beside its texts, in bytes.
const ROW_BYTES: usize = 56;

/// The longest text of a row, in bytes; column offsets are 32 bits wide.
const TEXT_BYTES_MAX: usize = 1 << 28;

/// Rows on their way into a [`crate::Writer`].
///
/// What is the same for a file is written once per batch and file, so a batch should have the rows of some 100 ms
/// rather than a few.
#[derive(Debug, Default)]
pub struct Batch {
    /// Chunks that are closed and not yet written.
    closed: Vec<RecordBatch>,
    closed_rows: usize,
    closed_bytes: usize,
    open: Columns,
}

/// The columns of one chunk.
#[derive(Debug, Default)]
struct Columns {
    files: Vec<Arc<File>>,
    /// By the address of a [`File`], which stays taken while `files` holds it.
    places: HashMap<usize, u32>,
    last: Option<(usize, u32)>,
    time: Vec<i64>,
    file: Vec<u32>,
    offset: Vec<u64>,
    end: Vec<u64>,
    end_started: Vec<i64>,
    ends_elsewhere: Vec<bool>,
    output: Vec<u8>,
    level: Vec<u8>,
    part: Vec<u32>,
    tags: Vec<u8>,
    message: Texts,
    app: Texts,
    error: Texts,
}

/// A text column: all texts behind one another, and where each ends.
#[derive(Debug)]
struct Texts {
    bytes: Vec<u8>,
    ends: Vec<i32>,
    there: Vec<bool>,
}

// === impl Batch ===

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a row.
    pub fn push(&mut self, record: &Record<'_>) {
        if self.open.text_bytes() >= CHUNK_TEXT_BYTES {
            self.close();
        }
        self.open.push(record);
    }

    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.closed_rows + self.open.time.len()
    }

    /// Whether it has no row.
    pub fn is_empty(&self) -> bool {
        self.rows() == 0
    }

    /// About how many bytes it takes in memory.
    pub fn bytes(&self) -> usize {
        self.closed_bytes + self.open.text_bytes() + self.open.time.len() * ROW_BYTES
    }

    /// Removes all rows.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// All rows as chunks. They stay in the batch until it is cleared.
    pub(crate) fn chunks(&mut self) -> &[RecordBatch] {
        self.close();
        &self.closed
    }

    fn close(&mut self) {
        if self.open.time.is_empty() {
            return;
        }
        let (rows, bytes) = (self.open.time.len(), self.open.text_bytes());
        match std::mem::take(&mut self.open).finish() {
            Ok(chunk) => {
                self.closed.push(chunk);
                self.closed_rows += rows;
                self.closed_bytes += bytes + rows * ROW_BYTES;
            }
            // The columns have equal lengths and whole texts, so arrow has nothing to refuse.
            Err(error) => tracing::error!(%error, rows, "bug: columns refused, rows dropped"),
        }
    }
}

// === impl Columns ===

impl Columns {
    #[inline]
    fn push(&mut self, record: &Record<'_>) {
        let entry = &record.entry;
        let file = self.place(record.file);
        self.time.push(entry.time.0);
        self.file.push(file);
        self.offset.push(entry.offset);
        self.end.push(entry.end);
        self.end_started.push(entry.end_started);
        self.ends_elsewhere
            .push(entry.end_started != record.file.started);
        self.output.push(number_of(entry.output));
        self.level.push(level_number(entry.level));
        self.part.push(entry.part);
        self.tags.push(entry.tags.0);
        self.message.push(Some(entry.message));
        self.app.push(entry.app);
        self.error.push(entry.error);
    }

    fn place(&mut self, file: &Arc<File>) -> u32 {
        let address = Arc::as_ptr(file) as usize;
        if let Some((last, place)) = self.last
            && last == address
        {
            return place;
        }
        let place = *self.places.entry(address).or_insert_with(|| {
            self.files.push(Arc::clone(file));
            self.files.len() as u32 - 1
        });
        self.last = Some((address, place));
        place
    }

    fn text_bytes(&self) -> usize {
        self.message.bytes.len() + self.app.bytes.len() + self.error.bytes.len()
    }

    fn finish(self) -> Result<RecordBatch, ArrowError> {
        let names = self
            .files
            .iter()
            .map(|file| serde_json::to_string(file.as_ref()));
        let names = names
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| ArrowError::ExternalError(Box::new(error)))?;
        let file = DictionaryArray::<UInt32Type>::try_new(
            UInt32Array::from(self.file),
            Arc::new(StringArray::from_iter_values(names)),
        )?;
        let ends_elsewhere = NullBuffer::new(BooleanBuffer::from(self.ends_elsewhere));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(TimestampNanosecondArray::from(self.time).with_timezone("UTC")),
            Arc::new(file),
            Arc::new(UInt64Array::from(self.offset)),
            Arc::new(UInt64Array::from(self.end)),
            Arc::new(Int64Array::try_new(
                self.end_started.into(),
                Some(ends_elsewhere),
            )?),
            Arc::new(UInt8Array::from(self.output)),
            Arc::new(UInt8Array::from(self.level)),
            Arc::new(UInt32Array::from(self.part)),
            Arc::new(UInt8Array::from(self.tags)),
            self.message.finish()?,
            self.app.finish()?,
            self.error.finish()?,
        ];
        RecordBatch::try_new(schema::fresh(), columns)
    }
}

// === impl Texts ===

impl Default for Texts {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            ends: vec![0],
            there: Vec::new(),
        }
    }
}

impl Texts {
    #[inline]
    fn push(&mut self, text: Option<&str>) {
        if let Some(text) = text {
            self.bytes.extend_from_slice(start_of(text).as_bytes());
        }
        self.there.push(text.is_some());
        self.ends.push(self.bytes.len() as i32);
    }

    fn finish(self) -> Result<ArrayRef, ArrowError> {
        let nulls = NullBuffer::new(BooleanBuffer::from(self.there));
        let nulls = (nulls.null_count() > 0).then_some(nulls);
        let ends = OffsetBuffer::new(ScalarBuffer::from(self.ends));
        Ok(Arc::new(StringArray::try_new(
            ends,
            Buffer::from_vec(self.bytes),
            nulls,
        )?))
    }
}

/// The start of a text that may be too long for a column, cut between characters.
fn start_of(text: &str) -> &str {
    if text.len() <= TEXT_BYTES_MAX {
        return text;
    }
    text.get(..text.floor_char_boundary(TEXT_BYTES_MAX))
        .unwrap_or_default()
}

/// The number of an output in a fresh column: its place in [`OutputStream::ALL`].
fn number_of(output: OutputStream) -> u8 {
    match output {
        OutputStream::None => 0,
        OutputStream::Stdout => 1,
        OutputStream::Stderr => 2,
    }
}

/// The number of a level: its place in [`Level::ALL`].
pub(crate) fn level_number(level: Level) -> u8 {
    match level {
        Level::Unknown => 0,
        Level::Trace => 1,
        Level::Debug => 2,
        Level::Info => 3,
        Level::Warn => 4,
        Level::Error => 5,
        Level::Fatal => 6,
    }
}
