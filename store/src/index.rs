//! Whose rows are where in a sealed file? The table of files and their runs, kept in the footer.
//!
//! Rows are sorted by (stream, started, offset), so each file's rows are one run of a row group. A run tells its
//! times, offsets and levels, so that a search reads no row of a pod, a time or a level it did not ask for, and the
//! lines around a hit are found without searching. Binary, zstd, Base64: footers hold texts only.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use record::{File, Level};

use crate::batch::level_number;

/// The footer's key of the index.
pub(crate) const KEY: &str = "nodetap.index";

/// The longest index that is read, in bytes: some 10 million runs.
const INDEX_BYTES_MAX: usize = 1 << 29;

/// Whose rows are where.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    pub(crate) files: Vec<Arc<File>>,
    /// By row group, then by first row; without gaps.
    pub(crate) runs: Vec<Run>,
}

/// Consecutive rows of one file in one row group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) row_group: u32,
    /// Its place in [`Index::files`].
    pub(crate) file: u32,
    pub(crate) first_row: u32,
    pub(crate) rows: u32,
    pub(crate) offset_min: u64,
    pub(crate) offset_max: u64,
    pub(crate) time_min: i64,
    pub(crate) time_max: i64,
    /// The levels that its rows have, as bits by number.
    pub(crate) levels: u8,
}

/// Why an index can't be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IndexError {
    #[error("read the index's text")]
    Base64(#[source] base64::DecodeError),
    #[error("decompress the index")]
    Zstd(#[source] std::io::Error),
    #[error("read the index's files")]
    Files(#[source] serde_json::Error),
    #[error("read the index's runs")]
    Runs,
}

// === impl Run ===

impl Run {
    /// A run of one row.
    pub(crate) fn new(row_group: u32, file: u32, row: u32, offset: u64) -> Self {
        Self {
            row_group,
            file,
            first_row: row,
            rows: 0,
            offset_min: offset,
            offset_max: offset,
            time_min: i64::MAX,
            time_max: i64::MIN,
            levels: 0,
        }
    }

    /// Adds the next row.
    pub(crate) fn add(&mut self, time: i64, offset: u64, level: u8) {
        self.rows += 1;
        self.offset_min = self.offset_min.min(offset);
        self.offset_max = self.offset_max.max(offset);
        self.time_min = self.time_min.min(time);
        self.time_max = self.time_max.max(time);
        self.levels |= 1 << (level & 7);
    }

    /// Whether a row may have this level.
    pub(crate) fn may_have(&self, level: Level) -> bool {
        self.levels & (1 << level_number(level)) != 0
    }

    /// The row after the last.
    pub(crate) fn end_row(&self) -> u32 {
        self.first_row + self.rows
    }
}

// === impl Index ===

impl Index {
    /// The index as the footer holds it.
    pub(crate) fn to_text(&self) -> Result<String, IndexError> {
        let files: Vec<&File> = self.files.iter().map(AsRef::as_ref).collect();
        let files = serde_json::to_vec(&files).map_err(IndexError::Files)?;
        let mut out = Vec::with_capacity(files.len() + self.runs.len() * 24);
        put(&mut out, files.len() as u64);
        out.extend_from_slice(&files);
        put(&mut out, self.runs.len() as u64);
        let mut time = 0;
        for run in &self.runs {
            put(&mut out, u64::from(run.row_group));
            put(&mut out, u64::from(run.file));
            put(&mut out, u64::from(run.rows));
            put(&mut out, run.offset_min);
            put(&mut out, run.offset_max - run.offset_min);
            put_signed(&mut out, run.time_min.wrapping_sub(time));
            put_signed(&mut out, run.time_max.wrapping_sub(run.time_min));
            time = run.time_min;
            out.push(run.levels);
        }
        let packed = zstd::bulk::compress(&out, 3).map_err(IndexError::Zstd)?;
        Ok(STANDARD.encode(packed))
    }

    /// Reads what [`Index::to_text`] made.
    pub(crate) fn from_text(text: &str) -> Result<Self, IndexError> {
        let packed = STANDARD.decode(text).map_err(IndexError::Base64)?;
        let mut bytes = Vec::new();
        let decoder = zstd::stream::read::Decoder::new(packed.as_slice());
        let mut decoder =
            std::io::Read::take(decoder.map_err(IndexError::Zstd)?, INDEX_BYTES_MAX as u64);
        std::io::Read::read_to_end(&mut decoder, &mut bytes).map_err(IndexError::Zstd)?;
        let mut rest = bytes.as_slice();
        let length = take(&mut rest).ok_or(IndexError::Runs)? as usize;
        let (files, mut rest) = rest.split_at_checked(length).ok_or(IndexError::Runs)?;
        let files: Vec<Arc<File>> = serde_json::from_slice(files).map_err(IndexError::Files)?;
        let runs = take_runs(&mut rest, files.len()).ok_or(IndexError::Runs)?;
        Ok(Self { files, runs })
    }
}

fn take_runs(rest: &mut &[u8], files: usize) -> Option<Vec<Run>> {
    let count = take(rest)? as usize;
    // A run takes at least eight bytes, so a wrong count can't ask for much memory.
    let mut runs = Vec::with_capacity(count.min(rest.len() / 8));
    let mut time: i64 = 0;
    let mut next: (u32, u32) = (0, 0);
    for _ in 0..count {
        let row_group = u32::try_from(take(rest)?).ok()?;
        let file = u32::try_from(take(rest)?)
            .ok()
            .filter(|file| (*file as usize) < files)?;
        let rows = u32::try_from(take(rest)?).ok()?;
        let first_row = if next.0 == row_group { next.1 } else { 0 };
        let offset_min = take(rest)?;
        let offset_max = offset_min.checked_add(take(rest)?)?;
        time = time.wrapping_add(take_signed(rest)?);
        let time_max = time.wrapping_add(take_signed(rest)?);
        let (levels, after) = rest.split_first()?;
        let levels = *levels;
        *rest = after;
        next = (row_group, first_row.checked_add(rows)?);
        runs.push(Run {
            row_group,
            file,
            first_row,
            rows,
            offset_min,
            offset_max,
            time_min: time,
            time_max,
            levels,
        });
    }
    Some(runs)
}

/// Appends a number as LEB128.
fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_signed(out: &mut Vec<u8>, value: i64) {
    put(out, ((value << 1) ^ (value >> 63)) as u64);
}

fn take(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn take_signed(rest: &mut &[u8]) -> Option<i64> {
    let value = take(rest)?;
    Some((value >> 1) as i64 ^ -((value & 1) as i64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_index_survives_the_footer(
            numbers in prop::collection::vec((0_u32..3, any::<u32>(), any::<u32>(), any::<i64>(), any::<i64>(), any::<u8>()), 0..40),
        ) {
            let file = Arc::new(File {
                origin: Arc::default(),
                key: record::FileKey([7; 16]),
                fingerprint: "f".into(),
                path: "/p".into(),
                started: -3,
                restart_count: None,
                node: Arc::default(),
            });
            let mut runs: Vec<Run> = Vec::new();
            let mut sorted = numbers;
            sorted.sort_by_key(|numbers| numbers.0);
            for (row_group, offset, more, time_min, time_max, levels) in sorted {
                let first_row = runs
                    .last()
                    .filter(|last| last.row_group == row_group)
                    .map_or(0, Run::end_row);
                runs.push(Run {
                    row_group,
                    file: 0,
                    first_row,
                    rows: more % 1000,
                    offset_min: u64::from(offset),
                    offset_max: u64::from(offset) + u64::from(more),
                    time_min,
                    time_max,
                    levels,
                });
            }
            let index = Index { files: vec![file], runs };
            let read = Index::from_text(&index.to_text().unwrap()).unwrap();
            prop_assert_eq!(read.files, index.files);
            prop_assert_eq!(read.runs, index.runs);
        }

        #[test]
        fn no_bytes_break_the_runs(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            take_runs(&mut bytes.as_slice(), 2);
        }
    }
}
