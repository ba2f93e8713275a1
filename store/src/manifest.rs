//! Which files count? One small file says so, and is replaced in one step.
//!
//! Sealing, merging and retention first make their new files durable, then replace the manifest, then remove what it
//! no longer names. A crash at any point leaves files that nobody counts, never rows that count twice or not at all.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The manifest's name in the store's directory.
pub(crate) const NAME: &str = "manifest.json";

/// The version of the layout that this code writes.
const VERSION: u32 = 1;

/// Which files count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) version: u32,
    /// Fresh streams with a lower number are sealed.
    pub(crate) fresh_from: u64,
    /// The number of the next sealed file.
    pub(crate) next_sealed: u64,
    pub(crate) sealed: Vec<Sealed>,
}

/// A sealed file, by what is needed to leave it out of a search.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sealed {
    /// Below the store's directory: `2026-11-21/0000000012.parquet`.
    pub(crate) path: String,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) row_groups: u32,
    /// Times of the rows, and starts of their files, lowest and highest, nanoseconds since the epoch.
    pub(crate) time: (i64, i64),
    pub(crate) started: (i64, i64),
    /// When it was sealed, nanoseconds since the epoch: bounds the age of rows whose own time lies in the future.
    pub(crate) made_at: i64,
    /// The first and the last fresh stream its rows come from.
    pub(crate) fresh: (u64, u64),
}

/// Why a manifest can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
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
    /// It is not what this program writes.
    #[error("parse {path}")]
    Parse {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A later program wrote it.
    #[error("read {path}: layout version {version} is newer than this program")]
    Version {
        /// The manifest.
        path: PathBuf,
        /// What it says.
        version: u32,
    },
}

// === impl Manifest ===

impl Default for Manifest {
    fn default() -> Self {
        Self {
            version: VERSION,
            fresh_from: 0,
            next_sealed: 0,
            sealed: Vec::new(),
        }
    }
}

impl Manifest {
    /// Reads the manifest of a store; a store without one is empty.
    pub(crate) fn read(dir: &Path) -> Result<Self, ManifestError> {
        let path = dir.join(NAME);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(source) => {
                return Err(ManifestError::Io {
                    action: "read",
                    path,
                    source,
                });
            }
        };
        let manifest: Self =
            serde_json::from_slice(&text).map_err(|source| ManifestError::Parse {
                path: path.clone(),
                source,
            })?;
        if manifest.version > VERSION {
            return Err(ManifestError::Version {
                path,
                version: manifest.version,
            });
        }
        Ok(manifest)
    }

    /// Replaces the manifest of a store, durably.
    pub(crate) fn write(&self, dir: &Path) -> Result<(), ManifestError> {
        let path = dir.join(NAME);
        let part = dir.join("manifest.json.tmp");
        let io = |action, path: &Path| {
            let path = path.to_owned();
            move |source| ManifestError::Io {
                action,
                path,
                source,
            }
        };
        let text = serde_json::to_vec(self).map_err(|source| ManifestError::Parse {
            path: path.clone(),
            source,
        })?;
        crate::fault::point("manifest").map_err(io("create", &part))?;
        let mut file = fs::File::create(&part).map_err(io("create", &part))?;
        file.write_all(&text).map_err(io("write", &part))?;
        file.sync_all().map_err(io("sync", &part))?;
        drop(file);
        fs::rename(&part, &path).map_err(io("rename", &part))?;
        sync_directory(dir).map_err(io("sync", dir))
    }
}

/// Makes the names in a directory durable.
pub(crate) fn sync_directory(dir: &Path) -> std::io::Result<()> {
    fs::File::open(dir)?.sync_all()
}
