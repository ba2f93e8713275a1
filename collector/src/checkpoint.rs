//! What may be forgotten? How far each file's records are received, durable in one redb file.
//!
//! A file's number names it for its whole life; the value is its [`FileState`] as JSON, so that a person can read it.
//! Damage never means "start at the end": a state file that can't be opened is set aside, reading starts over, and the
//! document ids (or the store's own rows) remove the doubles.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use record::position::Marker;
use record::{FileKey, Fingerprint, Source, Timestamp};
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize};

/// The state's file name below the state directory.
pub const FILE_NAME: &str = "state.redb";

const FILES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("files");
const FACTS: TableDefinition<'_, &str, u64> = TableDefinition::new("facts");
/// When the state was made, in nanoseconds since the epoch.
const CREATED: &str = "created";
/// redb's own cache; the state of ten thousand files is about 10 MiB and is read once.
const CACHE_BYTES: usize = 1 << 20;

/// What is remembered of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileState {
    /// Where it was found, whose it is, how it is framed.
    pub source: Source,
    /// What names its text in document ids.
    pub key: FileKey,
    /// The hash of its first line; `None` for text that never had a complete one.
    pub fingerprint: Option<Fingerprint>,
    /// How many texts of this stream began with the same line before it.
    pub generation: u32,
    /// `log.file.started`
    pub started: i64,
    /// The device and inode it had.
    pub device: u64,
    /// See `device`.
    pub inode: u64,
    /// Everything before this offset is received.
    pub acknowledged: u64,
    /// How large its text was when last looked at.
    pub size: u64,
    /// The hash of the bytes before an offset that is not beyond `acknowledged`.
    pub marker: Option<(u64, Marker)>,
    /// Its hard link in a reserve directory, as an absolute path without `--root`.
    pub reserve: Option<PathBuf>,
    /// For untimed text: the moments that its records are named by, each from an offset on; at most one a day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub named: Vec<(u64, Timestamp)>,
}

/// Why the state can't be opened or written.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Another process has it open.
    #[error("state directory {} is in use by another nodetap", directory.display())]
    Busy {
        /// The state directory.
        directory: PathBuf,
    },
    /// The directory can't be made or the file can't be opened.
    #[error("open state {}", path.display())]
    Open {
        /// The state file.
        path: PathBuf,
        /// Why.
        source: redb::Error,
    },
    /// The directory can't be made, or a damaged file can't be set aside.
    #[error("prepare state directory {}", directory.display())]
    Prepare {
        /// The state directory.
        directory: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Positions could not be made durable; nothing was changed.
    #[error("write state")]
    Write {
        /// Why.
        source: redb::Error,
    },
    /// The state can't be read.
    #[error("read state")]
    Read {
        /// Why.
        source: redb::Error,
    },
}

/// The durable state.
#[derive(Debug)]
pub struct Checkpoint {
    database: Database,
    created: Timestamp,
}

// === impl Checkpoint ===

impl Checkpoint {
    /// Opens or makes the state in `directory` and reads it whole.
    pub fn open(
        directory: &Path,
        now: Timestamp,
    ) -> Result<(Self, BTreeMap<u64, FileState>), CheckpointError> {
        let prepare = |source| CheckpointError::Prepare {
            directory: directory.to_owned(),
            source,
        };
        fs::create_dir_all(directory).map_err(prepare)?;
        let path = directory.join(FILE_NAME);
        match Self::load(directory, &path, now) {
            Err(CheckpointError::Open { source, .. } | CheckpointError::Read { source })
                if is_damage(&source) =>
            {
                let aside = directory.join(format!("{FILE_NAME}.damaged-{}", now.0));
                tracing::error!(
                    error = %source, kept_as = %aside.display(),
                    "state is damaged: reading all files again, what is stored already is not stored twice"
                );
                fs::rename(&path, &aside).map_err(prepare)?;
                Self::load(directory, &path, now)
            }
            other => other,
        }
    }

    /// Reads the state of a directory in which no process may be running.
    pub fn read(directory: &Path) -> Result<BTreeMap<u64, FileState>, CheckpointError> {
        let path = directory.join(FILE_NAME);
        let database = redb::Builder::new()
            .set_cache_size(CACHE_BYTES)
            .open(&path)
            .map_err(|source| open_error(directory, &path, source))?;
        files(&database).map_err(|source| CheckpointError::Read { source })
    }

    fn load(
        directory: &Path,
        path: &Path,
        now: Timestamp,
    ) -> Result<(Self, BTreeMap<u64, FileState>), CheckpointError> {
        let database = redb::Builder::new()
            .set_cache_size(CACHE_BYTES)
            .create(path)
            .map_err(|source| open_error(directory, path, source))?;
        let created =
            created(&database, now).map_err(|source| CheckpointError::Write { source })?;
        let files = files(&database).map_err(|source| CheckpointError::Read { source })?;
        Ok((Self { database, created }, files))
    }

    /// When this state was made: files that were there before are subject to the start policy.
    pub fn created(&self) -> Timestamp {
        self.created
    }

    /// Makes changes durable, all or none. The states are made one by one, so that thousands need no memory at once.
    pub fn commit(
        &self,
        changed: impl Iterator<Item = (u64, FileState)>,
        removed: &[u64],
    ) -> Result<(), CheckpointError> {
        self.write(changed, removed)
            .map_err(|source| CheckpointError::Write { source })
    }

    fn write(
        &self,
        changed: impl Iterator<Item = (u64, FileState)>,
        removed: &[u64],
    ) -> Result<(), redb::Error> {
        let transaction = self.database.begin_write()?;
        {
            let mut table = transaction.open_table(FILES)?;
            for (number, state) in changed {
                let text = serde_json::to_vec(&state).map_err(io::Error::other)?;
                table.insert(number, text.as_slice())?;
            }
            for number in removed {
                table.remove(number)?;
            }
        }
        transaction.commit()?;
        Ok(())
    }
}

fn open_error(directory: &Path, path: &Path, source: DatabaseError) -> CheckpointError {
    match source {
        DatabaseError::DatabaseAlreadyOpen => CheckpointError::Busy {
            directory: directory.to_owned(),
        },
        other => CheckpointError::Open {
            path: path.to_owned(),
            source: other.into(),
        },
    }
}

/// Whether the file's content is at fault, and not the world around it.
fn is_damage(error: &redb::Error) -> bool {
    match error {
        redb::Error::Corrupted(_) | redb::Error::UpgradeRequired(_) => true,
        redb::Error::Io(error) => {
            matches!(
                error.kind(),
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
            )
        }
        _ => false,
    }
}

fn created(database: &Database, now: Timestamp) -> Result<Timestamp, redb::Error> {
    let transaction = database.begin_write()?;
    let created = {
        transaction.open_table(FILES)?;
        let mut facts = transaction.open_table(FACTS)?;
        let known = facts.get(CREATED)?.map(|value| value.value());
        if let Some(created) = known {
            created
        } else {
            facts.insert(CREATED, now.0 as u64)?;
            now.0 as u64
        }
    };
    transaction.commit()?;
    Ok(Timestamp(created as i64))
}

fn files(database: &Database) -> Result<BTreeMap<u64, FileState>, redb::Error> {
    let transaction = database.begin_read()?;
    let table = transaction.open_table(FILES)?;
    let mut files = BTreeMap::new();
    for entry in table.iter()? {
        let (number, value) = entry?;
        match serde_json::from_slice(value.value()) {
            Ok(state) => {
                files.insert(number.value(), state);
            }
            // One unreadable entry costs one file's position, not all of them.
            Err(error) => {
                tracing::error!(file = number.value(), %error, "position is unreadable: reading its file again");
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use record::Origin;
    use record::origin::{Format, Link};

    use super::*;

    fn state(acknowledged: u64) -> FileState {
        FileState {
            source: Source {
                path: "/var/log/a.log".into(),
                live_path: "/var/log/a.log".into(),
                origin: Arc::new(Origin::default()),
                format: Format::Text,
                link: Link::live(0),
                restart_count: None,
            },
            key: FileKey([7; 16]),
            fingerprint: Some(Fingerprint::of_first_line(b"a")),
            generation: 0,
            started: 5,
            device: 1,
            inode: 2,
            acknowledged,
            size: 100,
            marker: Some((acknowledged, Marker::of(b"abc"))),
            reserve: None,
            named: vec![(0, Timestamp(5))],
        }
    }

    #[test]
    fn positions_survive_and_the_second_instance_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let (checkpoint, files) = Checkpoint::open(directory.path(), Timestamp(9)).unwrap();
        assert!(files.is_empty());
        let (one, two) = (state(10), state(20));
        checkpoint
            .commit([(1, one), (2, two.clone())].into_iter(), &[])
            .unwrap();
        checkpoint
            .commit([(1, two.clone())].into_iter(), &[2])
            .unwrap();
        let second = Checkpoint::open(directory.path(), Timestamp(9)).unwrap_err();
        assert!(matches!(second, CheckpointError::Busy { .. }), "{second:?}");
        drop(checkpoint);
        let (checkpoint, files) = Checkpoint::open(directory.path(), Timestamp(11)).unwrap();
        assert_eq!(files.into_iter().collect::<Vec<_>>(), [(1, two)]);
        assert_eq!(checkpoint.created(), Timestamp(9));
    }

    #[test]
    fn a_damaged_state_is_set_aside_and_reading_starts_over() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(FILE_NAME), vec![b'x'; 9000]).unwrap();
        let (_checkpoint, files) = Checkpoint::open(directory.path(), Timestamp(9)).unwrap();
        assert!(files.is_empty());
        assert!(directory.path().join("state.redb.damaged-9").exists());
    }
}
