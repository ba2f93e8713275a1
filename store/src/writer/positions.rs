//! Which rows of a file are already there? What a restarted collector must skip.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::buffer::Buffer;
use arrow::datatypes::{UInt32Type, UInt64Type};

use crate::evaluate::Needed;
use crate::frame;
use crate::fresh;
use crate::index::Run;
use crate::manifest::{Manifest, Sealed};
use crate::reader::ReadError;
use crate::schema::fresh as at;
use crate::sealed::{SealedError, SealedFile};

/// Positions of rows, as far as they were read: needed after a start, given back soon after.
#[derive(Debug, Default)]
pub(super) struct Positions {
    streams: HashMap<String, HashMap<i64, Known>>,
    /// Up to where each fresh stream was read.
    read: HashMap<u64, u64>,
    /// The sealed files whose runs are known.
    opened: HashSet<String>,
}

/// What is known of one file.
#[derive(Debug, Default)]
struct Known {
    /// (offset, end) of its fresh rows.
    fresh: Vec<(u64, u64)>,
    sealed: Vec<(Arc<SealedFile>, Run)>,
}

// === impl Positions ===

impl Positions {
    /// See [`super::Writer::stored_from`]; `streams` are the fresh ones by number and whole bytes.
    pub(super) fn stored_from(
        &mut self,
        dir: &Path,
        manifest: &Manifest,
        streams: &[(u64, u64)],
        (stream, started, from): (&str, i64, u64),
    ) -> Result<Vec<(u64, u64)>, ReadError> {
        for (number, bytes) in streams {
            self.read_fresh(dir, *number, *bytes)
                .map_err(|source| ReadError::Io {
                    action: "read",
                    path: fresh::path_of(dir, *number),
                    source,
                })?;
        }
        let may_have =
            |sealed: &&Sealed| sealed.started.0 <= started && started <= sealed.started.1;
        for sealed in manifest.sealed.iter().filter(may_have) {
            if self.opened.insert(sealed.path.clone()) {
                self.open_sealed(&dir.join(&sealed.path));
            }
        }
        let Some(known) = self
            .streams
            .get(stream)
            .and_then(|files| files.get(&started))
        else {
            return Ok(Vec::new());
        };
        let mut stored: Vec<(u64, u64)> = known
            .fresh
            .iter()
            .filter(|(offset, _)| *offset >= from)
            .copied()
            .collect();
        for (file, run) in known
            .sealed
            .iter()
            .filter(|(_, run)| run.offset_max >= from)
        {
            if let Err(error) = add_sealed(file, run, from, &mut stored) {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, path = %file.path.display(), "left out a damaged file");
            }
        }
        stored.sort_unstable();
        stored.dedup();
        Ok(stored)
    }

    /// Adds the rows that a fresh stream has got since it was read.
    fn read_fresh(&mut self, dir: &Path, number: u64, bytes: u64) -> io::Result<()> {
        let start = frame::schema_message().len() as u64;
        let read = self.read.entry(number).or_insert(start);
        if *read >= bytes {
            return Ok(());
        }
        let file = File::open(fresh::path_of(dir, number))?;
        let mut buffer = vec![0; (bytes - *read) as usize];
        file.read_exact_at(&mut buffer, *read)?;
        *read = bytes;
        let buffer = Buffer::from_vec(buffer);
        let mut place = 0;
        while let Some(decoded) =
            frame::decode_some(&buffer, place, Some(&[at::FILE, at::OFFSET, at::END]))
        {
            let (batch, end) = decoded.map_err(io::Error::other)?;
            place = end;
            self.add_fresh(&batch).map_err(io::Error::other)?;
        }
        Ok(())
    }

    fn add_fresh(&mut self, batch: &RecordBatch) -> Result<(), serde_json::Error> {
        let files = batch.column(0).as_dictionary_opt::<UInt32Type>();
        let numbers = |index| batch.column(index).as_primitive_opt::<UInt64Type>();
        let Some(((files, offsets), ends)) = files.zip(numbers(1)).zip(numbers(2)) else {
            return Ok(());
        };
        let names = files.values().as_string_opt::<i32>();
        let mut rows: Vec<Vec<(u64, u64)>> =
            vec![Vec::new(); names.map_or(0, |names| names.iter().len())];
        for ((place, offset), end) in files
            .keys()
            .values()
            .iter()
            .zip(offsets.values())
            .zip(ends.values())
        {
            if let Some(rows) = rows.get_mut(*place as usize) {
                rows.push((*offset, *end));
            }
        }
        for (name, rows) in names.into_iter().flatten().flatten().zip(rows) {
            let file: record::File = serde_json::from_str(name)?;
            self.known(&file).fresh.extend(rows);
        }
        Ok(())
    }

    /// Adds the runs of a sealed file.
    fn open_sealed(&mut self, path: &Path) {
        match SealedFile::open(path) {
            Ok(file) => {
                let file = Arc::new(file);
                for run in &file.index.runs {
                    if let Some(own) = file.index.files.get(run.file as usize) {
                        self.known(own).sealed.push((Arc::clone(&file), *run));
                    }
                }
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, path = %path.display(), "left out a damaged file");
            }
        }
    }

    fn known(&mut self, file: &record::File) -> &mut Known {
        let files = self.streams.entry(file.origin.stream.clone()).or_default();
        files.entry(file.started).or_default()
    }
}

/// Adds the rows of a run with an offset of at least `from`.
fn add_sealed(
    file: &SealedFile,
    run: &Run,
    from: u64,
    stored: &mut Vec<(u64, u64)>,
) -> Result<(), SealedError> {
    let needed = Needed {
        offset: true,
        end: true,
        ..Needed::default()
    };
    let range = run.first_row as usize..run.end_row() as usize;
    file.read(run.row_group as usize, needed, &[range], &mut |columns| {
        let rows = (0..columns.rows).map(|row| columns.place(row));
        stored.extend(
            rows.filter(|(offset, ..)| *offset >= from)
                .map(|(offset, _, end)| (offset, end)),
        );
        true
    })
}
