//! A sealed file that is read: its footer once, then the columns and rows that someone needs.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::column::page::PageReader as _;
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;

use crate::columns::Columns;
use crate::evaluate::Needed;
use crate::index::{self, Index, IndexError, Run};
use crate::needle::Needle;
use crate::schema::sealed as at;

/// So many pages are searched before it is judged whether that is worth while.
const PAGES_TRIED: usize = 3;

/// Rows that are decoded at a time.
const BATCH_ROWS: usize = 8192;

/// A sealed file with its footer.
#[derive(Debug)]
pub(crate) struct SealedFile {
    pub(crate) path: PathBuf,
    source: Source,
    metadata: ArrowReaderMetadata,
    pub(crate) index: Index,
}

/// Why a sealed file can't be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SealedError {
    #[error("open")]
    Open(#[source] io::Error),
    #[error("read columns")]
    Parquet(#[source] ParquetError),
    #[error("decode rows")]
    Arrow(#[source] arrow::error::ArrowError),
    #[error("find the index")]
    NoIndex,
    #[error(transparent)]
    Index(#[from] IndexError),
}

// === impl SealedError ===

impl SealedError {
    /// Whether the file is not there any more.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self, Self::Open(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

// === impl SealedFile ===

impl SealedFile {
    /// Opens a file and reads its footer.
    pub(crate) fn open(path: &Path) -> Result<Self, SealedError> {
        let file = File::open(path).map_err(SealedError::Open)?;
        let length = file.metadata().map_err(SealedError::Open)?.len();
        let source = Source {
            file: Arc::new(file),
            length,
        };
        let options = ArrowReaderOptions::new()
            .with_column_index_policy(PageIndexPolicy::Skip)
            .with_offset_index_policy(PageIndexPolicy::Required);
        let metadata = ArrowReaderMetadata::load(&source, options).map_err(SealedError::Parquet)?;
        let texts = metadata.metadata().file_metadata().key_value_metadata();
        let text = texts
            .into_iter()
            .flatten()
            .find(|text| text.key == index::KEY);
        let text = text
            .and_then(|text| text.value.as_deref())
            .ok_or(SealedError::NoIndex)?;
        let index = Index::from_text(text)?;
        let file = Self {
            path: path.to_owned(),
            source,
            metadata,
            index,
        };
        file.check()?;
        Ok(file)
    }

    /// Whether the index is about these rows.
    fn check(&self) -> Result<(), SealedError> {
        for group in 0..self.row_groups() {
            let rows = self.metadata.metadata().row_group(group).num_rows();
            let last = self.runs(group).last().map_or(0, Run::end_row);
            if i64::from(last) != rows {
                return Err(SealedError::Index(IndexError::Runs));
            }
        }
        Ok(())
    }

    /// The footer.
    pub(crate) fn metadata(&self) -> &ParquetMetaData {
        self.metadata.metadata()
    }

    /// What its columns take when they are not compressed, in bytes.
    pub(crate) fn plain_bytes(&self) -> u64 {
        self.metadata()
            .row_groups()
            .iter()
            .map(|group| group.total_byte_size().max(0) as u64)
            .sum()
    }

    pub(crate) fn row_groups(&self) -> usize {
        self.metadata.metadata().num_row_groups()
    }

    /// The runs of a row group, by first row.
    pub(crate) fn runs(&self, row_group: usize) -> &[Run] {
        let runs = &self.index.runs;
        let first = runs.partition_point(|run| (run.row_group as usize) < row_group);
        let last = runs.partition_point(|run| run.row_group as usize <= row_group);
        runs.get(first..last).unwrap_or_default()
    }

    /// Narrows ranges of rows (ascending) of a row group to the pages whose messages may have a text.
    ///
    /// A page is decompressed and its bytes are searched as they are, which is far cheaper than making texts of them:
    /// a text that is in a message is in its page. Where most pages have it, that would be work done twice, so the
    /// rest is left as it is.
    pub(crate) fn narrow(
        &self,
        row_group: usize,
        needle: &Needle,
        rows: Vec<Range<usize>>,
    ) -> Result<Vec<Range<usize>>, SealedError> {
        let group = self.metadata().row_group(row_group);
        let pages = self.metadata().page_index_for_row_group(row_group);
        let Some(locations) = pages.page_locations(at::MESSAGE) else {
            return Ok(rows);
        };
        let total = group.num_rows() as usize;
        let source = Arc::new(self.source.clone());
        let column = group.column(at::MESSAGE);
        let mut reader = SerializedPageReader::new(source, column, total, Some(locations.clone()))
            .map_err(SealedError::Parquet)?;
        let (mut looked, mut kept) = (0, 0);
        let mut narrowed: Vec<Range<usize>> = Vec::new();
        for (number, location) in locations.iter().enumerate() {
            let first = location.first_row_index as usize;
            let end = locations
                .get(number + 1)
                .map_or(total, |next| next.first_row_index as usize);
            let asked = rows
                .iter()
                .map(|range| range.start.max(first)..range.end.min(end));
            let asked: Vec<Range<usize>> = asked.filter(|range| !range.is_empty()).collect();
            if asked.is_empty() {
                reader.skip_next_page().map_err(SealedError::Parquet)?;
                continue;
            }
            if looked >= PAGES_TRIED && kept * 2 > looked {
                narrowed.extend(asked);
                continue;
            }
            looked += 1;
            let page = reader.get_next_page().map_err(SealedError::Parquet)?;
            if page.is_some_and(|page| needle.may_be_among(page.buffer())) {
                kept += 1;
                narrowed.extend(asked);
            }
        }
        Ok(narrowed)
    }

    /// Reads columns of some rows (ascending ranges) of a row group, a batch at a time.
    pub(crate) fn read(
        &self,
        row_group: usize,
        needed: Needed,
        rows: &[Range<usize>],
        each: &mut dyn FnMut(Columns) -> bool,
    ) -> Result<(), SealedError> {
        let total = self.metadata.metadata().row_group(row_group).num_rows() as usize;
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), needed.columns());
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(
            self.source.clone(),
            self.metadata.clone(),
        )
        .with_row_groups(vec![row_group])
        .with_projection(mask)
        .with_batch_size(BATCH_ROWS);
        let whole = rows
            .first()
            .is_some_and(|range| range.start == 0 && range.end == total);
        if !whole {
            let selection = RowSelection::from_consecutive_ranges(rows.iter().cloned(), total);
            builder = builder.with_row_selection(selection);
        }
        let reader = builder.build().map_err(SealedError::Parquet)?;
        for batch in reader {
            let batch: RecordBatch = batch.map_err(SealedError::Arrow)?;
            let columns = Columns::from_sealed(&batch).map_err(SealedError::Arrow)?;
            if !each(columns) {
                break;
            }
        }
        Ok(())
    }
}

// === impl Needed ===

impl Needed {
    /// What a document is made of.
    pub(crate) const DOCUMENT: Self = Self {
        time: true,
        message: true,
        output: true,
        level: true,
        offset: true,
        part: true,
        end: true,
        tags: true,
        app: true,
        error: true,
    };

    fn columns(self) -> Vec<usize> {
        let each = [
            (self.time, at::TIME),
            (self.message, at::MESSAGE),
            (self.output, at::OUTPUT),
            (self.level, at::LEVEL),
            (self.offset, at::OFFSET),
            (self.part, at::PART),
            (self.end, at::END),
            (self.end, at::END_STARTED),
            (self.tags, at::TAGS),
            (self.app, at::APP),
            (self.error, at::ERROR),
        ];
        each.into_iter()
            .filter(|(needed, _)| *needed)
            .map(|(_, column)| column)
            .collect()
    }
}

/// Reads at places of its own, so that many threads share one descriptor.
#[derive(Clone, Debug)]
struct Source {
    file: Arc<File>,
    length: u64,
}

/// A place in a [`Source`].
#[derive(Debug)]
struct At {
    file: Arc<File>,
    at: u64,
}

// === impl Source ===

impl Length for Source {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Source {
    type T = BufReader<At>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(BufReader::new(At {
            file: Arc::clone(&self.file),
            at: start,
        }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        // The footer says how long; the file says how long it can be.
        if start.saturating_add(length as u64) > self.length {
            return Err(ParquetError::EOF("columns end beyond the file".to_owned()));
        }
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, start)?;
        Ok(bytes.into())
    }
}

impl Read for At {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(into, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
