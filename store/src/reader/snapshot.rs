//! Which files count at one moment, and what was read of them.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arrow::array::{AsArray as _, RecordBatch};
use arrow::buffer::Buffer;
use arrow::datatypes::UInt32Type;
use record::Timestamp;

use super::{Extent, Interrupted, ReadError, Scan};
use crate::columns::Columns;
use crate::frame;
use crate::fresh;
use crate::index::Run;
use crate::manifest::{Manifest, Sealed};
use crate::sealed::SealedFile;

/// What counts at one moment.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) dir: PathBuf,
    pub(super) manifest: Manifest,
    pub(super) fresh: Vec<Arc<FreshPart>>,
    shared: Arc<Shared>,
}

/// What later snapshots take over.
#[derive(Debug, Default)]
struct Shared {
    footers: Mutex<HashMap<String, Arc<SealedFile>>>,
    /// Files that the manifest names and that are missing or can't be understood.
    given_up: Mutex<HashSet<PathBuf>>,
    files: Mutex<HashMap<String, Arc<record::File>>>,
}

/// A fresh stream, up to where it was whole.
#[derive(Debug)]
pub(super) struct FreshPart {
    pub(super) number: u64,
    pub(super) file: Arc<File>,
    pub(super) whole_bytes: u64,
    pub(super) rows: u64,
    chunks: OnceLock<Vec<Chunk>>,
}

/// The rows of one append, or a part of them.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) columns: Columns,
    pub(super) files: Vec<Arc<record::File>>,
    /// The file of each row.
    pub(super) file: Vec<u32>,
    /// What the rows of each file have; their rows need not be together.
    pub(super) runs: Vec<Run>,
    /// Where it ends in its stream.
    pub(super) end: u64,
}

/// At most this many footers are kept in memory.
const FOOTERS_MAX: usize = 512;

// === impl Snapshot ===

impl Snapshot {
    /// Takes a snapshot; what an older one has read is used again.
    pub(super) fn take(dir: &Path, old: Option<&Self>) -> Result<Self, ReadError> {
        const TRIES: usize = 50;
        let mut manifest = Manifest::read(dir)?;
        for _ in 0..TRIES {
            let fresh = take_fresh(dir, &manifest, old)?;
            // A stream that was sealed and removed meanwhile would be missed.
            let again = Manifest::read(dir)?;
            if again == manifest {
                let shared = old.map(|old| Arc::clone(&old.shared)).unwrap_or_default();
                return Ok(Self {
                    dir: dir.to_owned(),
                    manifest,
                    fresh,
                    shared,
                });
            }
            manifest = again;
        }
        Err(ReadError::Restless {
            directory: dir.to_owned(),
        })
    }

    pub(super) fn extent(&self) -> Extent {
        let sealed = &self.manifest.sealed;
        let rows_fresh = self.fresh.iter().map(|part| part.rows).sum::<u64>();
        let first = sealed.iter().map(|sealed| sealed.time.0).min();
        let last = sealed.iter().map(|sealed| sealed.time.1).max();
        Extent {
            rows: rows_fresh + sealed.iter().map(|sealed| sealed.rows).sum::<u64>(),
            rows_fresh,
            bytes: self.fresh.iter().map(|part| part.whole_bytes).sum::<u64>()
                + sealed.iter().map(|sealed| sealed.bytes).sum::<u64>(),
            files: sealed.len() as u64,
            range: first
                .zip(last)
                .map(|(first, last)| (Timestamp(first), Timestamp(last))),
        }
    }

    /// The time of the newest row that a scan may want, and how long a time before it has about so many rows.
    pub(super) fn density(&self, scan: &Scan, rows: usize) -> (i64, i64) {
        let sealed = self
            .manifest
            .sealed
            .iter()
            .filter(|sealed| scan.overlaps(sealed.time));
        let mut newest: Option<(i64, i64, u64)> = sealed
            .map(|sealed| (sealed.time.1, sealed.time.0, sealed.rows))
            .max_by_key(|(last, ..)| *last);
        for chunk in self
            .fresh
            .iter()
            .filter_map(|part| self.chunks(part).ok())
            .flatten()
        {
            let last = chunk
                .runs
                .iter()
                .map(|run| run.time_max)
                .max()
                .unwrap_or(i64::MIN);
            let first = chunk
                .runs
                .iter()
                .map(|run| run.time_min)
                .min()
                .unwrap_or(i64::MAX);
            let newer = newest.is_none_or(|(newest, ..)| newest < last);
            if newer && scan.overlaps((first, last)) {
                newest = Some((last, first, chunk.columns.rows as u64));
            }
        }
        let Some((last, first, count)) = newest else {
            return (i64::MAX, i64::MAX);
        };
        let length = i128::from(last) - i128::from(first) + 1;
        let length = length * rows as i128 / i128::from(count.max(1)) + 1;
        let last = scan.until.map_or(last, |until| last.min(until.0));
        (last, i64::try_from(length).unwrap_or(i64::MAX))
    }

    /// A sealed file with its footer; `None` for one that can't be understood.
    pub(super) fn sealed(&self, sealed: &Sealed) -> Result<Option<Arc<SealedFile>>, Interrupted> {
        let path = self.dir.join(&sealed.path);
        if self
            .shared
            .given_up
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(&path)
        {
            return Ok(None);
        }
        let footers = || {
            self.shared
                .footers
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        if let Some(known) = footers().get(&sealed.path) {
            return Ok(Some(Arc::clone(known)));
        }
        match SealedFile::open(&path) {
            Ok(file) => {
                let file = Arc::new(file);
                let mut footers = footers();
                if footers.len() >= FOOTERS_MAX {
                    footers.clear();
                }
                footers.insert(sealed.path.clone(), Arc::clone(&file));
                Ok(Some(file))
            }
            Err(error) if error.is_gone() => Err(Interrupted::Gone(path)),
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    path = %path.display(),
                    "left out a damaged file"
                );
                self.give_up(&path);
                Ok(None)
            }
        }
    }

    /// Leaves a file out from now on.
    pub(super) fn give_up(&self, path: &Path) {
        let mut given_up = self
            .shared
            .given_up
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        given_up.insert(path.to_owned());
    }

    /// Whether a sealed file of this path counts.
    pub(super) fn names(&self, path: &Path) -> bool {
        self.manifest
            .sealed
            .iter()
            .any(|sealed| self.dir.join(&sealed.path) == path)
    }

    /// The chunks of a fresh stream, read at the first call.
    pub(super) fn chunks<'a>(&self, part: &'a FreshPart) -> Result<&'a [Chunk], ReadError> {
        if let Some(chunks) = part.chunks.get() {
            return Ok(chunks);
        }
        let path = fresh::path_of(&self.dir, part.number);
        let start = frame::schema_message().len() as u64;
        let chunks = self
            .chunks_between(&part.file, start, part.whole_bytes)
            .map_err(|source| ReadError::Io {
                action: "read",
                path,
                source,
            })?;
        Ok(part.chunks.get_or_init(|| chunks))
    }

    /// Reads the whole chunks of a stream between two places.
    pub(super) fn chunks_between(
        &self,
        file: &File,
        start: u64,
        end: u64,
    ) -> io::Result<Vec<Chunk>> {
        let mut bytes = vec![0; end.saturating_sub(start) as usize];
        let mut read = 0;
        // A failed append may have been cut off meanwhile.
        while let Some(rest) = bytes.get_mut(read..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, start + read as u64)? {
                0 => break,
                more => read += more,
            }
        }
        bytes.truncate(read);
        let bytes = Buffer::from_vec(bytes);
        let mut chunks = Vec::new();
        let mut at = 0;
        while let Some(decoded) = frame::decode(&bytes, at) {
            let (batch, end) = decoded.map_err(io::Error::other)?;
            at = end;
            chunks.push(
                self.chunk(&batch, start + end as u64)
                    .map_err(io::Error::other)?,
            );
        }
        Ok(chunks)
    }

    fn chunk(&self, batch: &RecordBatch, end: u64) -> Result<Chunk, serde_json::Error> {
        let columns = Columns::from_fresh(batch);
        let mut files = Vec::new();
        let mut file = Vec::new();
        let dictionary = batch
            .column(schema_file())
            .as_dictionary_opt::<UInt32Type>();
        if let Some(dictionary) = dictionary {
            file = dictionary.keys().values().to_vec();
            if let Some(names) = dictionary.values().as_string_opt::<i32>() {
                for name in names.iter().flatten() {
                    files.push(self.file(name)?);
                }
            }
        }
        let mut runs: Vec<Run> = (0..files.len() as u32)
            .map(|place| Run::new(0, place, 0, u64::MAX))
            .collect();
        for (row, place) in file.iter().enumerate() {
            let Some(run) = runs.get_mut(*place as usize) else {
                continue;
            };
            let time = columns.time.as_ref().map_or(0, |time| time.value(row));
            let level = columns.level.as_ref().map_or(0, |level| level.value(row));
            let (offset, ..) = columns.place(row);
            if run.rows == 0 {
                run.offset_max = offset;
            }
            run.add(time, offset, level);
        }
        Ok(Chunk {
            columns,
            files,
            file,
            runs,
            end,
        })
    }

    /// The file of a text, shared by all chunks that name it.
    fn file(&self, text: &str) -> Result<Arc<record::File>, serde_json::Error> {
        let mut files = self
            .shared
            .files
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = files.get(text) {
            return Ok(Arc::clone(file));
        }
        let file: Arc<record::File> = Arc::new(serde_json::from_str(text)?);
        if files.len() > 1 << 16 {
            files.clear();
        }
        files.insert(text.to_owned(), Arc::clone(&file));
        Ok(file)
    }
}

fn schema_file() -> usize {
    crate::schema::fresh::FILE
}

fn take_fresh(
    dir: &Path,
    manifest: &Manifest,
    old: Option<&Snapshot>,
) -> Result<Vec<Arc<FreshPart>>, ReadError> {
    let numbers = fresh::numbers(dir).map_err(|source| ReadError::Io {
        action: "list",
        path: dir.join(fresh::DIRECTORY),
        source,
    })?;
    let mut parts = Vec::new();
    for number in numbers
        .into_iter()
        .filter(|number| *number >= manifest.fresh_from)
    {
        let known = old.and_then(|old| old.fresh.iter().find(|part| part.number == number));
        match FreshPart::open(dir, number, known) {
            Ok(part) => parts.push(part),
            // Sealed and removed meanwhile; the manifest will tell.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => {
                let path = fresh::path_of(dir, number);
                return Err(ReadError::Io {
                    action: "read",
                    path,
                    source,
                });
            }
        }
    }
    Ok(parts)
}

// === impl FreshPart ===

impl FreshPart {
    /// A stream that was opened before, up to where it is whole now.
    pub(super) fn of(file: Arc<File>, number: u64) -> io::Result<Arc<Self>> {
        let length = file.metadata()?.len();
        let (whole_bytes, rows) = frame::walk(&file, 0, length)?;
        Ok(Arc::new(Self {
            number,
            file,
            whole_bytes,
            rows,
            chunks: OnceLock::new(),
        }))
    }

    /// Opens a stream and finds how far it is whole.
    pub(super) fn open(
        dir: &Path,
        number: u64,
        known: Option<&Arc<Self>>,
    ) -> io::Result<Arc<Self>> {
        let file = match known {
            Some(known) => Arc::clone(&known.file),
            None => Arc::new(File::open(fresh::path_of(dir, number))?),
        };
        let (start, rows) = known.map_or((0, 0), |known| (known.whole_bytes, known.rows));
        let length = file.metadata()?.len();
        if let Some(known) = known
            && length == known.whole_bytes
        {
            return Ok(Arc::clone(known));
        }
        let (whole_bytes, more) = frame::walk(&file, start, length)?;
        if let Some(known) = known
            && more == 0
        {
            return Ok(Arc::clone(known));
        }
        let rows = rows + more;
        Ok(Arc::new(Self {
            number,
            file,
            whole_bytes,
            rows,
            chunks: OnceLock::new(),
        }))
    }
}
