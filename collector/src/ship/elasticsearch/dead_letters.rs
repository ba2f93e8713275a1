//! Documents that a cluster refuses for good: kept in files that people can read, list and send again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use record::Timestamp;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A file is closed at this size, so that the oldest can be removed by itself.
const FILE_BYTES_MAX: u64 = 16 << 20;
const SUFFIX: &str = "ndjson";

/// One refused document, as a line of a file.
#[derive(Debug, Serialize, Deserialize)]
pub struct DeadLetter {
    /// When it was refused, RFC 3339.
    pub time: String,
    /// The index or data stream it was meant for.
    pub index: String,
    /// Its `_id`.
    pub id: String,
    /// The item's HTTP status.
    pub status: u16,
    /// What the cluster said.
    pub reason: String,
    /// The document as it was sent last: the whole text, without `app` and labels.
    pub document: Box<RawValue>,
}

/// Why dead letters can't be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum DeadLetterError {
    /// The directory or a file in it can't be used.
    #[error("use dead-letter file {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line is damaged.
    #[error("understand line {line} of dead-letter file {}", path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
}

/// Appends dead letters below a directory.
#[derive(Debug)]
pub(super) struct Writer {
    directory: PathBuf,
    bytes_max: u64,
}

// === impl Writer ===

impl Writer {
    pub(super) fn new(directory: PathBuf, bytes_max: u64) -> Self {
        Self {
            directory,
            bytes_max,
        }
    }

    /// Makes letters durable. Past the budget the oldest files go, said in the log.
    pub(super) fn append(
        &self,
        letters: &[DeadLetter],
        now: Timestamp,
    ) -> Result<(), DeadLetterError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| DeadLetterError::File { path, source }
        };
        fs::create_dir_all(&self.directory).map_err(failed(&self.directory))?;
        let mut text = Vec::new();
        for letter in letters {
            serde_json::to_writer(&mut text, letter)
                .map_err(io::Error::from)
                .map_err(failed(&self.directory))?;
            text.push(b'\n');
        }
        let existing = files(&self.directory)?;
        let path = match existing.last() {
            Some((path, bytes)) if *bytes < FILE_BYTES_MAX => path.clone(),
            _ => self
                .directory
                .join(format!("{:020}.{SUFFIX}", now.0.max(0))),
        };
        let file = open_locked(&path).map_err(failed(&path))?;
        write_whole(&file, &text).map_err(failed(&path))?;
        if existing.is_empty() {
            sync_directory(&self.directory).map_err(failed(&self.directory))?;
        }
        self.keep_budget()
    }

    fn keep_budget(&self) -> Result<(), DeadLetterError> {
        let files = files(&self.directory)?;
        let mut total: u64 = files.iter().map(|(_, bytes)| bytes).sum();
        let spared = files.len().saturating_sub(1);
        for (path, bytes) in files.iter().take(spared) {
            if total <= self.bytes_max {
                break;
            }
            fs::remove_file(path).map_err(|source| DeadLetterError::File {
                path: path.clone(),
                source,
            })?;
            tracing::error!(path = %path.display(), bytes, "oldest dead letters removed: the budget is used up");
            total -= bytes;
        }
        Ok(())
    }
}

/// Every dead letter below a directory, oldest first. A damaged line is an error of its own; the others are given.
pub fn list(directory: &Path) -> Result<Vec<Result<DeadLetter, DeadLetterError>>, DeadLetterError> {
    let mut letters = Vec::new();
    for (path, _) in files(directory)? {
        let failed = |source| DeadLetterError::File {
            path: path.clone(),
            source,
        };
        let file = File::open(&path).map_err(failed)?;
        for (number, line) in BufReader::new(file).split(b'\n').enumerate() {
            let line = line.map_err(failed)?;
            letters.push(
                serde_json::from_slice(&line).map_err(|source| DeadLetterError::Line {
                    path: path.clone(),
                    line: number + 1,
                    source,
                }),
            );
        }
    }
    Ok(letters)
}

/// Takes all letters out of a directory, gives them to `deliver`, and puts back those that it returns.
///
/// A running collector goes on appending meanwhile. If we end in between, a `.taken` file is left and read next time.
pub fn replay<E>(
    directory: &Path,
    mut deliver: impl FnMut(Vec<DeadLetter>) -> Result<Vec<DeadLetter>, E>,
) -> Result<Result<(), E>, DeadLetterError> {
    for (path, _) in files(directory)? {
        let failed = |source| DeadLetterError::File {
            path: path.clone(),
            source,
        };
        let taken = path.with_extension("taken");
        {
            // No append can be under way while it is renamed.
            let _locked = open_locked(&path).map_err(failed)?;
            fs::rename(&path, &taken).map_err(failed)?;
        }
    }
    for taken in with_suffix(directory, "taken")? {
        let failed = |source| DeadLetterError::File {
            path: taken.0.clone(),
            source,
        };
        let text = fs::read(&taken.0).map_err(failed)?;
        let mut letters = Vec::new();
        let mut kept = Vec::new();
        for line in text
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
        {
            match serde_json::from_slice(line) {
                Ok(letter) => letters.push(letter),
                Err(error) => {
                    tracing::error!(path = %taken.0.display(), %error, "damaged dead letter is kept as it is");
                    kept.extend_from_slice(line);
                    kept.push(b'\n');
                }
            }
        }
        let back = match deliver(letters) {
            Ok(back) => back,
            Err(error) => {
                fs::rename(&taken.0, taken.0.with_extension(SUFFIX)).map_err(failed)?;
                return Ok(Err(error));
            }
        };
        for letter in &back {
            serde_json::to_writer(&mut kept, letter)
                .map_err(io::Error::from)
                .map_err(failed)?;
            kept.push(b'\n');
        }
        if !kept.is_empty() {
            let path = taken.0.with_extension(SUFFIX);
            let file = open_locked(&path).map_err(failed)?;
            write_whole(&file, &kept).map_err(failed)?;
        }
        fs::remove_file(&taken.0).map_err(failed)?;
    }
    Ok(Ok(()))
}

fn files(directory: &Path) -> Result<Vec<(PathBuf, u64)>, DeadLetterError> {
    with_suffix(directory, SUFFIX)
}

fn with_suffix(directory: &Path, suffix: &str) -> Result<Vec<(PathBuf, u64)>, DeadLetterError> {
    let failed = |source| DeadLetterError::File {
        path: directory.to_owned(),
        source,
    };
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == suffix)
        {
            let bytes = fs::metadata(&path).map_err(failed)?.len();
            files.push((path, bytes));
        }
    }
    files.sort();
    Ok(files)
}

/// Opens a file to append to, when nobody else has it; not one that was renamed away meanwhile.
fn open_locked(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::MetadataExt;
    loop {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .read(true)
            .open(path)?;
        flock(&file, FlockOperation::LockExclusive)?;
        match fs::metadata(path) {
            Ok(named) if named.ino() == file.metadata()?.ino() => {
                cut_torn(&file)?;
                return Ok(file);
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
}

/// Cuts off a last line without its end: a process was killed amid its write, so nobody was told that it is kept.
fn cut_torn(file: &File) -> io::Result<()> {
    const BLOCK_BYTES: usize = 64 << 10;
    let length = file.metadata()?.len();
    let (mut whole, mut block) = (length, vec![0; BLOCK_BYTES]);
    while whole > 0 {
        let begin = whole.saturating_sub(BLOCK_BYTES as u64);
        let part = block
            .get_mut(..(whole - begin) as usize)
            .unwrap_or_default();
        file.read_exact_at(part, begin)?;
        if let Some(at) = memchr::memrchr(b'\n', part) {
            whole = begin + at as u64 + 1;
            break;
        }
        whole = begin;
    }
    if whole < length {
        tracing::warn!(
            bytes = length - whole,
            "a torn dead letter is cut off: its document is sent again"
        );
        file.set_len(whole)?;
    }
    Ok(())
}

/// All or nothing: what was written in part is cut off again.
fn write_whole(mut file: &File, text: &[u8]) -> io::Result<()> {
    let before = file.metadata()?.len();
    let written = file.write_all(text).and_then(|()| file.sync_all());
    if written.is_err() {
        file.set_len(before)?;
    }
    written
}

fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(id: &str) -> DeadLetter {
        DeadLetter {
            time: "2026-01-01T00:00:00.000000000Z".into(),
            index: "nodetap-2026.01.01".into(),
            id: id.into(),
            status: 400,
            reason: "document_parsing_exception: no".into(),
            document: RawValue::from_string("{\"message\":\"a\"}".into()).unwrap(),
        }
    }

    fn ids(directory: &Path) -> Vec<String> {
        let listed = list(directory).unwrap();
        listed
            .into_iter()
            .map(|letter| letter.unwrap().id)
            .collect()
    }

    #[test]
    fn letters_are_listed_in_order_and_those_that_are_refused_again_stay() {
        let directory = tempfile::tempdir().unwrap();
        let writer = Writer::new(directory.path().join("dead"), 1 << 30);
        let dead = directory.path().join("dead");
        assert!(ids(&dead).is_empty());
        writer
            .append(&[letter("a"), letter("b")], Timestamp(1))
            .unwrap();
        writer.append(&[letter("c")], Timestamp(2)).unwrap();
        assert_eq!(ids(&dead), ["a", "b", "c"]);
        let outcome = replay(&dead, |letters| {
            // A collector that runs beside it is not in the way.
            writer.append(&[letter("d")], Timestamp(3)).unwrap();
            Ok::<_, ()>(
                letters
                    .into_iter()
                    .filter(|letter| letter.id == "b")
                    .collect(),
            )
        });
        outcome.unwrap().unwrap();
        let mut left = ids(&dead);
        left.sort();
        assert_eq!(left, ["b", "d"]);
    }

    #[test]
    fn what_a_killed_process_left_is_cut_before_more_is_appended() {
        let directory = tempfile::tempdir().unwrap();
        let writer = Writer::new(directory.path().to_owned(), 1 << 30);
        writer.append(&[letter("a")], Timestamp(1)).unwrap();
        let (path, whole) = files(directory.path()).unwrap().pop().unwrap();
        for torn in [1, 70_000, 200_000] {
            let mut file = OpenOptions::new().append(true).open(&path).unwrap();
            file.write_all(&vec![b'{'; torn]).unwrap();
            writer.append(&[], Timestamp(2)).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().len(), whole, "{torn} bytes");
        }
        writer.append(&[letter("b")], Timestamp(3)).unwrap();
        assert_eq!(ids(directory.path()), ["a", "b"]);
    }

    #[test]
    fn a_replay_that_fails_loses_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let writer = Writer::new(directory.path().to_owned(), 1 << 30);
        writer.append(&[letter("a")], Timestamp(1)).unwrap();
        replay(directory.path(), |_| Err("down"))
            .unwrap()
            .unwrap_err();
        assert_eq!(ids(directory.path()), ["a"]);
    }

    #[test]
    fn past_the_budget_the_oldest_file_goes() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(
            directory.path().join("00000000000000000001.ndjson"),
            vec![b'\n'; 17 << 20],
        )
        .unwrap();
        let writer = Writer::new(directory.path().to_owned(), 1 << 20);
        writer.append(&[letter("a")], Timestamp(2)).unwrap();
        assert_eq!(ids(directory.path()), ["a"]);
    }
}
