//! Is anyone else writing here? One advisory lock per directory, which ends with the process.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use super::OpenError;

/// The lock's name in the store's directory. Its text is the process that has it.
const NAME: &str = "lock";

/// The right to write to a directory.
#[derive(Debug)]
pub(super) struct Lock {
    /// Never read: open, it holds the lock.
    _file: File,
}

// === impl Lock ===

impl Lock {
    pub(super) fn take(dir: &Path) -> Result<Self, OpenError> {
        let path = dir.join(NAME);
        let io = |action| {
            let path = path.clone();
            move |source| OpenError::Io {
                action,
                path,
                source,
            }
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(io("open"))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut text = String::new();
                let pid = match file.read_to_string(&mut text) {
                    Ok(_) => text.trim().parse().unwrap_or(0),
                    Err(_) => 0,
                };
                return Err(OpenError::Busy {
                    directory: dir.to_owned(),
                    pid,
                });
            }
            Err(error) => return Err(io("lock")(error.into())),
        }
        // The text is a courtesy; a full disk must not keep the store from opening.
        let noted = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        if let Err(error) = noted {
            tracing::debug!(%error, "lock does not tell its owner");
        }
        Ok(Self { _file: file })
    }
}
