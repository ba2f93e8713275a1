//! How do rows stand in the fresh stream? As an Arrow IPC stream whose every message carries a checksum.
//!
//! The IPC format lets a message's metadata be followed by padding. Its last eight bytes are taken for a CRC-32 of
//! metadata and body and a magic number, so any Arrow library reads the stream while a torn or rotten message is
//! told from a whole one. Each append stands for itself: a dictionary of the files it has rows of, then the rows.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::buffer::Buffer;
use arrow::error::ArrowError;
use arrow::ipc::writer::{
    DictionaryTracker, EncodedData, IpcDataGenerator, IpcWriteContext, IpcWriteOptions,
};
use arrow::ipc::{Message, MessageHeader, root_as_message};

use crate::schema;

/// Opens each message (IPC format, "Encapsulated message format").
const CONTINUATION: [u8; 4] = [0xff; 4];

/// Closes the padding after the checksum.
const MAGIC: [u8; 4] = *b"ntap";

/// Bytes before a message's metadata.
const PREFIX_BYTES: usize = 8;

/// Bytes of the checksum and its magic number.
const SEAL_BYTES: usize = 8;

/// The longest metadata of a message that is believed, in bytes; that of our schema takes some hundreds.
const METADATA_BYTES_MAX: u64 = 1 << 20;

/// What is whole in the bytes of a fresh stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whole {
    /// Up to where everything is whole: behind the last message with rows.
    pub bytes: usize,
    /// How many rows that is.
    pub rows: u64,
}

/// One message of a stream.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    body: Range<usize>,
}

/// Walks the messages of a stream.
#[derive(Debug)]
pub(crate) struct Frames<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Finds how far the bytes of a fresh stream are whole; what follows is cut on recovery.
///
/// Never panics and takes linear time, whatever the bytes are.
pub fn recover_fresh(bytes: &[u8]) -> Whole {
    let mut whole = Whole::default();
    let schema = schema_message();
    if !bytes.starts_with(&schema) {
        return whole;
    }
    whole.bytes = schema.len();
    let mut frames = Frames::new(bytes, schema.len());
    while let Some((frame, message)) = frames.next() {
        match message.header_type() {
            MessageHeader::DictionaryBatch => {}
            MessageHeader::RecordBatch => {
                let rows = message
                    .header_as_record_batch()
                    .map_or(0, |batch| batch.length());
                whole.rows += rows.max(0) as u64;
                whole.bytes = frame.body.end;
            }
            _ => break,
        }
    }
    whole
}

/// The first message of every stream.
pub(crate) fn schema_message() -> Vec<u8> {
    let mut tracker = DictionaryTracker::new(false);
    let options = IpcWriteOptions::default();
    let generator = IpcDataGenerator {};
    let encoded =
        generator.schema_to_bytes_with_dictionary_tracker(&schema::fresh(), &mut tracker, &options);
    let mut out = Vec::new();
    write(&encoded, &mut out);
    out
}

/// Appends the messages of one chunk of rows: its dictionary, then itself.
pub(crate) fn encode(chunk: &RecordBatch, out: &mut Vec<u8>) -> Result<(), ArrowError> {
    let mut tracker = DictionaryTracker::new(false);
    let options = IpcWriteOptions::default();
    let generator = IpcDataGenerator {};
    // Only for the numbers of the dictionaries, which the tracker learns from the schema.
    generator.schema_to_bytes_with_dictionary_tracker(chunk.schema_ref(), &mut tracker, &options);
    let (dictionaries, rows) = generator.encode(
        chunk,
        &mut tracker,
        &options,
        &mut IpcWriteContext::default(),
    )?;
    for dictionary in &dictionaries {
        write(dictionary, out);
    }
    write(&rows, out);
    Ok(())
}

/// Reads the rows that begin at `at`, and where they end; `None` where nothing whole follows.
///
/// `bytes` must begin at a multiple of eight, as an allocation does.
pub(crate) fn decode(
    bytes: &Buffer,
    at: usize,
) -> Option<Result<(RecordBatch, usize), ArrowError>> {
    decode_some(bytes, at, None)
}

/// Like [`decode`], only some columns, in the order of their places.
pub(crate) fn decode_some(
    bytes: &Buffer,
    at: usize,
    columns: Option<&[usize]>,
) -> Option<Result<(RecordBatch, usize), ArrowError>> {
    let mut dictionaries: HashMap<i64, ArrayRef> = HashMap::new();
    let mut frames = Frames::new(bytes.as_slice(), at);
    while let Some((frame, message)) = frames.next() {
        let body = bytes.slice_with_length(frame.body.start, frame.body.len());
        let version = message.version();
        if let Some(dictionary) = message.header_as_dictionary_batch() {
            let read = arrow::ipc::reader::read_dictionary(
                &body,
                dictionary,
                &schema::fresh(),
                &mut dictionaries,
                &version,
            );
            if let Err(error) = read {
                return Some(Err(error));
            }
        } else if let Some(rows) = message.header_as_record_batch() {
            let read = arrow::ipc::reader::read_record_batch(
                &body,
                rows,
                schema::fresh(),
                &dictionaries,
                columns,
                &version,
            );
            return Some(read.map(|rows| (rows, frame.body.end)));
        }
    }
    None
}

/// Finds how far a stream is whole by the heads of its messages, and how many rows that is.
///
/// Reads no bodies: what is not checked here is checked by [`decode`]. A message that is being written is cut short
/// by the file's end.
pub(crate) fn walk(file: &File, start: u64, length: u64) -> io::Result<(u64, u64)> {
    let mut found = (0, 0);
    match walk_on(file, start, length, &mut found) {
        // A failed append was cut off meanwhile.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(found),
        other => other.map(|()| found),
    }
}

fn walk_on(file: &File, start: u64, length: u64, found: &mut (u64, u64)) -> io::Result<()> {
    let schema = schema_message();
    let mut at = start;
    if at == 0 {
        let mut head = vec![0; schema.len()];
        if length < schema.len() as u64 {
            return Ok(());
        }
        file.read_exact_at(&mut head, 0)?;
        if head != schema {
            return Ok(());
        }
        at = schema.len() as u64;
    }
    found.0 = at;
    let mut head = Vec::new();
    while at + (PREFIX_BYTES as u64) < length {
        let mut prefix = [0; PREFIX_BYTES];
        file.read_exact_at(&mut prefix, at)?;
        let Some(Ok(metadata)) = prefix.strip_prefix(&CONTINUATION).map(<[u8; 4]>::try_from) else {
            break;
        };
        let metadata = u64::from(u32::from_le_bytes(metadata));
        let body = at + PREFIX_BYTES as u64 + metadata;
        if body > length || metadata > METADATA_BYTES_MAX || metadata < SEAL_BYTES as u64 {
            break;
        }
        head.resize(metadata as usize, 0);
        file.read_exact_at(&mut head, at + PREFIX_BYTES as u64)?;
        let covered = head.get(..head.len() - SEAL_BYTES).unwrap_or_default();
        let Ok(message) = root_as_message(covered) else {
            break;
        };
        let Ok(body_length) = u64::try_from(message.bodyLength()) else {
            break;
        };
        if body_length > length - body {
            break;
        }
        at = body + body_length;
        if let Some(batch) = message.header_as_record_batch() {
            found.1 += batch.length().max(0) as u64;
            found.0 = at;
        }
    }
    Ok(())
}

fn write(encoded: &EncodedData, out: &mut Vec<u8>) {
    let metadata = &encoded.ipc_message;
    let padding = (metadata.len() + SEAL_BYTES).next_multiple_of(8) - metadata.len() - SEAL_BYTES;
    out.extend_from_slice(&CONTINUATION);
    out.extend_from_slice(&((metadata.len() + padding + SEAL_BYTES) as u32).to_le_bytes());
    out.extend_from_slice(metadata);
    out.extend_from_slice(&[0; 8][..padding]);
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(metadata);
    checksum.update(&[0; 8][..padding]);
    checksum.update(&encoded.arrow_data);
    out.extend_from_slice(&checksum.finalize().to_le_bytes());
    out.extend_from_slice(&MAGIC);
    // Bodies come padded to the alignment of the options, which is a multiple of eight.
    out.extend_from_slice(&encoded.arrow_data);
}

// === impl Frames ===

impl<'a> Frames<'a> {
    pub(crate) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// The next message, when it is whole.
    fn next(&mut self) -> Option<(Frame, Message<'a>)> {
        let rest = self.bytes.get(self.at..)?;
        let (prefix, rest) = rest.split_at_checked(PREFIX_BYTES)?;
        let length = prefix.strip_prefix(&CONTINUATION)?;
        let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
        if !length.is_multiple_of(8) {
            return None;
        }
        let (metadata, rest) = rest.split_at_checked(length)?;
        let (covered, seal) = metadata.split_at_checked(length.checked_sub(SEAL_BYTES)?)?;
        let checksum = seal.strip_suffix(&MAGIC)?;
        let message = root_as_message(covered).ok()?;
        let body_length = usize::try_from(message.bodyLength()).ok()?;
        let body = rest.get(..body_length)?;
        if !body_length.is_multiple_of(8) {
            return None;
        }
        let mut own = crc32fast::Hasher::new();
        own.update(covered);
        own.update(body);
        if own.finalize().to_le_bytes() != checksum {
            return None;
        }
        let start = self.at + PREFIX_BYTES;
        self.at = start + length + body_length;
        let body = start + length..self.at;
        Some((Frame { body }, message))
    }
}
