//! How do rows become a sealed file? Sorted by (stream, started, offset), one row group, one Parquet file a day.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _, StringArray};
use arrow::buffer::Buffer;
use arrow::datatypes::UInt32Type;
use arrow::error::ArrowError;
use parquet::errors::ParquetError;
use record::{File, Timestamp};

use crate::columns::Columns;
use crate::frame;
use crate::index::IndexError;
use crate::manifest::Sealed;

mod parquet_file;

mod merge;

pub(crate) use merge::merge;

/// At most this many days get a file of their own at one sealing; a tenant's clock must not make a thousand files.
/// Rows of further days go into the file of the day before.
const DAYS_MAX: usize = 32;

/// Rows to be sealed together.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    files: Vec<Arc<File>>,
    by_text: HashMap<String, u32>,
    parts: Vec<Part>,
    count: usize,
}

/// Some rows as they were read, with the file of each.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) columns: Columns,
    /// The places of the files in [`Rows::files`].
    pub(crate) file: Vec<u32>,
}

/// A row's place before sorting.
pub(crate) type Spot = (u32, u32);

/// Why rows can't be sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The file system refused.
    #[error("{action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// Rows could not be read or brought into order.
    #[error("arrange rows of {path}")]
    Arrow {
        /// Where they come from or go to.
        path: PathBuf,
        /// What is wrong.
        source: ArrowError,
    },
    /// The Parquet file could not be read or written.
    #[error("handle {path}")]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ParquetError,
    },
    /// A file of the store holds what this program did not write.
    #[error("understand {path}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

// === impl Rows ===

impl Rows {
    /// Adds the whole rows of a fresh stream.
    pub(crate) fn add_fresh(&mut self, path: &Path) -> Result<(), SealError> {
        let bytes = fs::read(path).map_err(|source| SealError::Io {
            action: "read",
            path: path.to_owned(),
            source,
        })?;
        let bytes = Buffer::from_vec(bytes);
        let arrow = |source| SealError::Arrow {
            path: path.to_owned(),
            source,
        };
        let mut at = frame::schema_message().len();
        while let Some(chunk) = frame::decode(&bytes, at) {
            let (chunk, end) = chunk.map_err(arrow)?;
            at = end;
            let files = chunk
                .column(crate::schema::fresh::FILE)
                .as_dictionary_opt::<UInt32Type>()
                .ok_or_else(|| arrow(ArrowError::SchemaError("no file column".to_owned())))?;
            let names = files.values().as_string_opt::<i32>();
            let names = names.ok_or_else(|| arrow(ArrowError::SchemaError("no files".into())))?;
            let places = self.places(names, path)?;
            let file = files.keys().values().iter();
            let file = file
                .map(|key| places.get(*key as usize).copied().unwrap_or(0))
                .collect();
            self.add(Columns::from_fresh(&chunk), file);
        }
        Ok(())
    }

    /// Adds rows with the places of their files.
    pub(crate) fn add(&mut self, columns: Columns, file: Vec<u32>) {
        self.count += columns.rows;
        self.parts.push(Part { columns, file });
    }

    /// The place of a file in the common table.
    pub(crate) fn place(&mut self, text: &str, file: impl FnOnce() -> Arc<File>) -> u32 {
        if let Some(place) = self.by_text.get(text) {
            return *place;
        }
        let place = self.files.len() as u32;
        self.files.push(file());
        self.by_text.insert(text.to_owned(), place);
        place
    }

    fn places(&mut self, names: &StringArray, path: &Path) -> Result<Vec<u32>, SealError> {
        let mut places = Vec::with_capacity(names.len());
        for name in names.iter().flatten() {
            let file: File = serde_json::from_str(name).map_err(|source| SealError::Damaged {
                path: path.to_owned(),
                source: Box::new(source),
            })?;
            places.push(self.place(name, || Arc::new(file)));
        }
        Ok(places)
    }

    /// All rows in exact order, by UTC day.
    fn sorted_by_day(&self) -> BTreeMap<i64, Vec<Spot>> {
        let mut days: BTreeMap<i64, usize> = BTreeMap::new();
        for time in self
            .parts
            .iter()
            .filter_map(|part| part.columns.time.as_ref())
        {
            let mut last = None;
            for time in time.values() {
                let day = Timestamp(*time).epoch_day();
                if last != Some(day) || days.is_empty() {
                    last = Some(day);
                    days.entry(day).or_default();
                }
            }
        }
        // With too many days the first ones are kept; the rest go with the last of them.
        let kept: Vec<i64> = days.keys().copied().take(DAYS_MAX).collect();
        let mut sorted: BTreeMap<i64, Vec<Spot>> = BTreeMap::new();
        for spot in self.sorted() {
            let (part, row) = (spot.0 as usize, spot.1 as usize);
            let time = self
                .parts
                .get(part)
                .and_then(|part| part.columns.time.as_ref());
            let day = time.map_or(0, |time| Timestamp(time.value(row)).epoch_day());
            let place = kept.partition_point(|kept| *kept <= day).saturating_sub(1);
            let day = kept.get(place).copied().unwrap_or(day);
            sorted.entry(day).or_default().push(spot);
        }
        sorted
    }

    /// All rows in exact order: by (stream, started, offset).
    fn sorted(&self) -> Vec<Spot> {
        // Files of one stream and start share a rank: they differ in what was learnt about the pod meanwhile.
        let mut order: Vec<u32> = (0..self.files.len() as u32).collect();
        let key = |place: &u32| {
            self.files
                .get(*place as usize)
                .map(|file| (file.origin.stream.as_str(), file.started))
        };
        order.sort_by(|a, b| key(a).cmp(&key(b)));
        let mut ranks = vec![0_usize; self.files.len()];
        let mut rank = 0;
        for (index, place) in order.iter().enumerate() {
            if index > 0 && order.get(index - 1).map(key) != Some(key(place)) {
                rank += 1;
            }
            if let Some(slot) = ranks.get_mut(*place as usize) {
                *slot = rank;
            }
        }
        let mut buckets: Vec<Vec<Spot>> = vec![Vec::new(); rank + 1];
        for (number, part) in self.parts.iter().enumerate() {
            for (row, file) in part.file.iter().enumerate() {
                let rank = ranks.get(*file as usize).copied().unwrap_or(0);
                if let Some(bucket) = buckets.get_mut(rank) {
                    bucket.push((number as u32, row as u32));
                }
            }
        }
        let place = |spot: &Spot| {
            self.parts
                .get(spot.0 as usize)
                .map(|part| part.columns.place(spot.1 as usize))
        };
        let mut sorted = Vec::with_capacity(self.count);
        for mut bucket in buckets {
            // Rows of a file mostly come in order, which the sort notices.
            if !bucket.is_sorted_by_key(place) {
                bucket.sort_by_cached_key(place);
            }
            sorted.append(&mut bucket);
        }
        sorted
    }
}

/// Where the sealed files of one sealing go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    /// The store's directory.
    pub(crate) dir: &'a Path,
    /// The number of the first sealed file.
    pub(crate) number: u64,
    /// The fresh streams that the rows come from, first and last.
    pub(crate) fresh: (u64, u64),
    /// When it is sealed.
    pub(crate) now: Timestamp,
}

/// Writes the rows into sealed files, one a day, durable and under their final names. They don't count until the
/// manifest names them.
pub(crate) fn seal(rows: &Rows, target: Target<'_>) -> Result<Vec<Sealed>, SealError> {
    let mut files = Vec::new();
    for (number, (day, spots)) in (target.number..).zip(rows.sorted_by_day()) {
        let (year, month, date) = Timestamp(day.saturating_mul(86_400 * 1_000_000_000)).day();
        let path = format!("{year:04}-{month:02}-{date:02}/{number:010}.parquet");
        files.push(parquet_file::write(rows, &spots, &path, target)?);
    }
    Ok(files)
}

// === impl IndexError ===

impl IndexError {
    /// The error of a file whose index can't be understood.
    pub(crate) fn of(self, path: &Path) -> SealError {
        SealError::Damaged {
            path: path.to_owned(),
            source: Box::new(self),
        }
    }
}
