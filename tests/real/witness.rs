//! What stood in the files? A witness opens every log file the moment it appears and keeps it open.
//!
//! A descriptor outlives renames, compression and deletion, and shows what was written after the rename too. Only
//! descriptors are held: a hard link would change what the collector sees of the file.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{Read, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::stopwatch::within;

/// Less than a tenth of the shortest life of a file that was ever measured here.
const POLL: Duration = Duration::from_millis(20);

/// Containers start within seconds, also on a busy machine; a crash loop waits longer each time.
const PATIENCE: Duration = Duration::from_mins(3);

/// A thread that watches directories.
#[derive(Debug)]
pub(crate) struct Witness {
    seen: Arc<Mutex<Seen>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// A file that was seen.
#[derive(Debug)]
pub(crate) struct Exhibit {
    /// Where it was seen first.
    pub(crate) path: PathBuf,
    file: File,
}

#[derive(Debug, Default)]
struct Seen {
    /// In the order in which they appeared.
    exhibits: Vec<Exhibit>,
    identities: HashSet<(u64, u64)>,
}

// === impl Witness ===

impl Witness {
    /// Watches everything below `directories`, which need not exist yet.
    pub(crate) fn watch(directories: &[PathBuf]) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let ends = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (seen, ends, directories) =
                (Arc::clone(&seen), Arc::clone(&ends), directories.to_vec());
            move || {
                while !ends.load(Ordering::Relaxed) {
                    for directory in &directories {
                        look(directory, &seen);
                    }
                    std::thread::sleep(POLL);
                }
            }
        });
        Self {
            seen,
            ends,
            thread: Some(thread),
        }
    }

    /// How many files whose path contains `part` were seen.
    pub(crate) fn count(&self, part: &str) -> usize {
        self.sizes(part).len()
    }

    /// How many bytes stand in files whose path contains `part`.
    pub(crate) fn bytes(&self, part: &str) -> u64 {
        self.sizes(part).iter().sum()
    }

    /// Waits until there are `more` further files whose path contains `part`.
    pub(crate) fn wait_for_files(&self, part: &str, more: usize) {
        let wanted = self.count(part) + more;
        within(
            PATIENCE,
            &format!("{wanted} files of {part}"),
            || match self.count(part) {
                count if count >= wanted => Ok(()),
                count => Err(format!("{count} files")),
            },
        );
    }

    /// Waits until `more` further bytes stand in files whose path contains `part`.
    pub(crate) fn wait_for_bytes(&self, part: &str, more: u64) {
        let wanted = self.bytes(part) + more;
        within(
            PATIENCE,
            &format!("{wanted} bytes of {part}"),
            || match self.bytes(part) {
                bytes if bytes >= wanted => Ok(()),
                bytes => Err(format!("{bytes} bytes")),
            },
        );
    }

    /// Ends and hands over all files in the order in which they appeared.
    pub(crate) fn testify(mut self) -> Vec<Exhibit> {
        self.end();
        std::mem::take(
            &mut self
                .seen
                .lock()
                .expect("the witness did not panic")
                .exhibits,
        )
    }

    fn sizes(&self, part: &str) -> Vec<u64> {
        let seen = self.seen.lock().expect("the witness did not panic");
        seen.exhibits
            .iter()
            .filter(|exhibit| exhibit.path.to_string_lossy().contains(part))
            .map(|exhibit| exhibit.file.metadata().expect("ask an open file").len())
            .collect()
    }

    fn end(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.end();
    }
}

// === impl Exhibit ===

impl Exhibit {
    /// All that stands in the file now.
    pub(crate) fn read(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut file = &self.file;
        file.rewind().expect("rewind an open file");
        file.read_to_end(&mut bytes).expect("read an open file");
        bytes
    }
}

/// Opens what is new below `directory`. What vanishes meanwhile had its chance.
fn look(directory: &Path, seen: &Mutex<Seen>) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_dir() {
            look(&path, seen);
        } else if kind.is_file() && is_log(&path) {
            let Ok(file) = File::open(&path) else {
                continue;
            };
            let Ok(state) = file.metadata() else { continue };
            let mut seen = seen.lock().expect("one thread looks");
            // Held open, an inode's number is not given to another file.
            if seen.identities.insert((state.dev(), state.ino())) {
                seen.exhibits.push(Exhibit { path, file });
            }
        }
    }
}

/// Logs and what they were renamed to; not the copies that compression makes.
fn is_log(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let copy = name.ends_with(".gz") || name.ends_with(".tmp");
    !copy && (name.ends_with(".log") || name.contains(".log."))
}
