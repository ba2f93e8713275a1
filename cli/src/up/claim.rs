//! Is the state directory ours alone? A locked file in it, held until the process ends.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// The lock's file name below the state directory.
const FILE_NAME: &str = "lock";

/// Why the state directory can't be ours.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClaimError {
    /// Another process has it.
    #[error(
        "state directory {} is in use by another nodetap{owner}; stop it, or give another directory with --state",
        state.display()
    )]
    Busy {
        /// The directory.
        state: PathBuf,
        /// ` (process 7)`, as far as it is known.
        owner: String,
    },
    /// The file can't be made or locked.
    #[error("lock state directory {}", state.display())]
    Lock {
        /// The directory.
        state: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// The state directory, ours as long as this lives. The kernel ends it with the process, however that ends.
#[derive(Debug)]
pub(super) struct Claim {
    _file: File,
}

// === impl Claim ===

impl Claim {
    /// Takes a state directory that is there.
    pub(super) fn of(state: &Path) -> Result<Self, ClaimError> {
        let failed = |source| ClaimError::Lock {
            state: state.to_owned(),
            source,
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(state.join(FILE_NAME))
            .map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let mut text = String::new();
                // Who it is only helps; that it is taken is known.
                drop((&mut file).take(20).read_to_string(&mut text));
                let owner = match text.trim().parse::<u32>() {
                    Ok(process) => format!(" (process {process})"),
                    Err(_) => String::new(),
                };
                return Err(ClaimError::Busy {
                    state: state.to_owned(),
                    owner,
                });
            }
            Err(error) => return Err(failed(error.into())),
        }
        // On a full disk the number is missing, and the lock holds all the same.
        drop(
            file.set_len(0)
                .and_then(|()| writeln!(file, "{}", std::process::id())),
        );
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_directory_has_one_owner_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let first = Claim::of(directory.path()).unwrap();
        let refused = Claim::of(directory.path()).unwrap_err().to_string();
        let own = format!(
            "in use by another nodetap (process {});",
            std::process::id()
        );
        assert!(refused.contains(&own), "{refused}");
        drop(first);
        Claim::of(directory.path()).unwrap();
    }
}
