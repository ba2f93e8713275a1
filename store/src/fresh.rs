//! The stream that rows are appended to: one file of whole messages, cut back when a write fails.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use record::Timestamp;

use crate::fault;
use crate::frame;

/// The directory of fresh streams below the store's.
pub(crate) const DIRECTORY: &str = "fresh";

/// The fresh stream that is written to.
#[derive(Debug)]
pub(crate) struct Fresh {
    pub(crate) number: u64,
    pub(crate) path: PathBuf,
    file: File,
    /// Up to where it has whole messages; what is behind it, if anything, is of a failed write.
    pub(crate) whole_bytes: u64,
    /// Up to where it is known to be durable.
    synced_bytes: u64,
    /// When its first rows came.
    pub(crate) since: Timestamp,
    pub(crate) rows: u64,
}

/// What could not be made durable and was taken out of a stream again.
#[derive(Debug)]
pub(crate) struct Rescued {
    pub(crate) bytes: Vec<u8>,
    pub(crate) rows: u64,
}

/// The path of a fresh stream.
pub(crate) fn path_of(dir: &Path, number: u64) -> PathBuf {
    dir.join(DIRECTORY).join(format!("{number:010}.arrows"))
}

/// The numbers of the fresh streams in a store, ascending.
pub(crate) fn numbers(dir: &Path) -> io::Result<Vec<u64>> {
    let entries = match fs::read_dir(dir.join(DIRECTORY)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".arrows"));
        numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

// === impl Fresh ===

impl Fresh {
    /// Starts a new stream, its name durable.
    pub(crate) fn create(dir: &Path, number: u64, now: Timestamp) -> io::Result<Self> {
        let path = path_of(dir, number);
        fault::point("create")?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)?;
        let schema = frame::schema_message();
        let begun = fault::point("write")
            .and_then(|()| file.write_all_at(&schema, 0))
            .and_then(|()| crate::manifest::sync_directory(&dir.join(DIRECTORY)));
        if let Err(error) = begun {
            // Without this, the next try would meet the name again.
            fs::remove_file(&path)?;
            return Err(error);
        }
        let whole_bytes = schema.len() as u64;
        Ok(Self {
            number,
            path,
            file,
            whole_bytes,
            synced_bytes: 0,
            since: now,
            rows: 0,
        })
    }

    /// Continues a stream that was found, cutting what is not whole; also tells how many bytes were cut.
    ///
    /// A stream that begins otherwise than ours is not cut to nothing but set aside: `None`.
    pub(crate) fn recover(
        dir: &Path,
        number: u64,
        now: Timestamp,
    ) -> io::Result<Option<(Self, u64)>> {
        let path = path_of(dir, number);
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        let bytes = fs::read(&path)?;
        let schema = frame::schema_message();
        // A shorter one was torn at its first write, before any row came.
        if bytes.len() >= schema.len() && !bytes.starts_with(&schema) {
            fs::rename(&path, path.with_extension("arrows.damaged"))?;
            return Ok(None);
        }
        let whole = frame::recover_fresh(&bytes);
        let mut whole_bytes = whole.bytes as u64;
        let cut = bytes.len() as u64 - whole_bytes;
        if cut > 0 {
            file.set_len(whole_bytes)?;
        }
        if whole_bytes == 0 {
            file.write_all_at(&schema, 0)?;
            whole_bytes = schema.len() as u64;
        }
        // What is found here will be reported as stored, so it must be durable.
        file.sync_all()?;
        let synced_bytes = whole_bytes;
        let rows = whole.rows;
        Ok(Some((
            Self {
                number,
                path,
                file,
                whole_bytes,
                synced_bytes,
                since: now,
                rows,
            },
            cut,
        )))
    }

    /// Appends all of these rows or none. An error leaves the stream as it was; should even that fail, a reader
    /// still stops at the last whole message, and so does the next append.
    pub(crate) fn append(&mut self, chunks: &[RecordBatch]) -> io::Result<()> {
        let mut at = self.whole_bytes;
        let mut rows = 0;
        let mut buffer = Vec::new();
        for chunk in chunks {
            buffer.clear();
            let written = frame::encode(chunk, &mut buffer)
                .map_err(io::Error::other)
                .and_then(|()| write_at(&self.file, &buffer, at));
            if let Err(error) = written {
                self.file.set_len(self.whole_bytes)?;
                return Err(error);
            }
            at += buffer.len() as u64;
            rows += chunk.num_rows() as u64;
        }
        self.whole_bytes = at;
        self.rows += rows;
        Ok(())
    }

    /// Appends messages that were taken out of another stream.
    pub(crate) fn append_rescued(&mut self, rescued: &Rescued) -> io::Result<()> {
        if let Err(error) = write_at(&self.file, &rescued.bytes, self.whole_bytes) {
            self.file.set_len(self.whole_bytes)?;
            return Err(error);
        }
        self.whole_bytes += rescued.bytes.len() as u64;
        self.rows += rescued.rows;
        Ok(())
    }

    /// Makes durable what was appended.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        if self.synced_bytes == self.whole_bytes {
            return Ok(());
        }
        fault::point("sync")?;
        self.file.sync_data()?;
        self.synced_bytes = self.whole_bytes;
        Ok(())
    }

    /// Takes out what a failed [`Fresh::sync`] left in doubt.
    ///
    /// After an error the kernel may have marked pages as written that are not, so a second sync of the same pages
    /// proves nothing: they are read back, checked, and cut off here, to be written anew elsewhere.
    pub(crate) fn rescue(&mut self) -> io::Result<Rescued> {
        let start = self.synced_bytes.max(frame::schema_message().len() as u64);
        let mut bytes = frame::schema_message();
        let schema_bytes = bytes.len();
        bytes.resize(schema_bytes + (self.whole_bytes - start) as usize, 0);
        self.file
            .read_exact_at(bytes.get_mut(schema_bytes..).unwrap_or_default(), start)?;
        let whole = frame::recover_fresh(&bytes);
        if whole.bytes != bytes.len() {
            return Err(io::Error::other("appended rows can't be read back"));
        }
        self.file.set_len(start)?;
        self.whole_bytes = start;
        self.synced_bytes = start;
        self.rows -= whole.rows;
        bytes.drain(..schema_bytes);
        Ok(Rescued {
            bytes,
            rows: whole.rows,
        })
    }
}

fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    if let Err(error) = fault::point("write") {
        // A full disk takes a part of it.
        file.write_all_at(bytes.get(..bytes.len() / 2).unwrap_or_default(), at)?;
        return Err(error);
    }
    file.write_all_at(bytes, at)
}
