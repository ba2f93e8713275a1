//! Situations on a node, in trees made for each test, watched by the kernel's own inotify.

mod docker;
mod hostile;
mod pods;
mod volumes;
mod watching;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tempfile::TempDir;

use super::*;

const STATIC_UID: &str = "a97bda8a0017c1c64ac112c45eefa1e6";
const UID: &str = "0f0e2c1a-1111-4222-8333-444455556666";
/// How long a test waits for something that must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// A machine's directories.
struct Node {
    directory: TempDir,
}

/// A discovery and all it has told.
struct Watched {
    discovery: Discovery,
    listings: HashMap<DirId, Vec<Found>>,
    changes: Vec<Changes>,
}

impl Node {
    fn new() -> Self {
        Self {
            directory: TempDir::new().unwrap(),
        }
    }

    fn settings(&self) -> Settings {
        Settings::new(self.directory.path())
    }

    fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join(path.trim_start_matches('/'))
    }

    fn make(&self, path: &str) {
        fs::create_dir_all(self.path(path)).unwrap();
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Replaces a file as kubelet and Docker do.
    fn replace(&self, path: &str, text: &str) {
        let new = self.path(&format!("{path}.tmp1"));
        fs::write(&new, text).unwrap();
        fs::rename(new, self.path(path)).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn link(&self, target: &str, path: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    }

    fn watch(&self) -> Watched {
        Watched::new(self.settings())
    }

    /// What a scan finds, as `path stream` lines.
    #[track_caller]
    fn check(&self, expect: &[&str]) {
        assert_eq!(self.watch().paths(), expect);
    }
}

impl Watched {
    fn new(settings: Settings) -> Self {
        let mut watched = Self::unscanned(settings);
        watched.scan();
        watched
    }

    fn unscanned(settings: Settings) -> Self {
        let discovery = Discovery::new(settings).unwrap();
        Self {
            discovery,
            listings: HashMap::new(),
            changes: Vec::new(),
        }
    }

    fn scan(&mut self) {
        let listings = self.discovery.scan(Instant::now());
        self.take(listings);
    }

    fn take(&mut self, listings: Vec<Listing>) {
        for listing in listings {
            if listing.gone {
                assert!(
                    self.listings.remove(&listing.dir).is_some(),
                    "gone, but never listed"
                );
            } else {
                self.listings.insert(listing.dir, listing.files);
            }
        }
    }

    /// Waits as the engine does: for the descriptor or for the time that discovery named.
    fn step(&mut self) {
        let now = Instant::now();
        let wake = self
            .discovery
            .wake_at()
            .map(|at| at.saturating_duration_since(now));
        let patience = wake
            .unwrap_or(Duration::from_millis(200))
            .min(Duration::from_millis(200));
        let timeout = Timespec::try_from(patience).unwrap();
        let fd = self.discovery.fd();
        poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&timeout)).unwrap();
        let mut changes = self.discovery.events(Instant::now());
        self.take(std::mem::take(&mut changes.listings));
        self.changes.push(changes);
    }

    #[track_caller]
    fn until(&mut self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        let begun = Instant::now();
        while !done(self) {
            assert!(begun.elapsed() < PATIENCE, "{what}: {:#?}", self.paths());
            self.step();
        }
    }

    /// Waits until exactly these `path stream` lines are known.
    #[track_caller]
    fn until_paths(&mut self, expect: &[&str]) {
        self.until(&format!("{expect:#?} instead of"), |watched| {
            watched.paths() == expect
        });
    }

    /// Takes what is there to take until nothing more comes for a moment.
    fn settle(&mut self) {
        loop {
            self.step();
            let fd = self.discovery.fd();
            let quiet = Timespec {
                tv_sec: 0,
                tv_nsec: 20_000_000,
            };
            let ready = poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&quiet)).unwrap();
            if ready == 0 && self.discovery.wake_at().is_none() {
                return;
            }
        }
    }

    fn files(&self) -> Vec<&Found> {
        let mut files: Vec<&Found> = self.listings.values().flatten().collect();
        files.sort_by(|a, b| a.source.path.cmp(&b.source.path));
        files
    }

    fn paths(&self) -> Vec<String> {
        self.files()
            .iter()
            .map(|found| {
                format!(
                    "{} {}",
                    found.source.path.display(),
                    found.source.origin.stream
                )
            })
            .collect()
    }

    #[track_caller]
    fn file(&self, path: &str) -> &Found {
        let files = self.files();
        files
            .into_iter()
            .find(|found| found.source.path == Path::new(path))
            .expect(path)
    }

    fn directory_of(&self, path: &str) -> DirId {
        let holds = |files: &Vec<Found>| {
            files
                .iter()
                .any(|found| found.source.path == Path::new(path))
        };
        *self
            .listings
            .iter()
            .find(|(_, files)| holds(files))
            .expect(path)
            .0
    }

    fn grown(&self) -> Vec<&OsString> {
        self.changes
            .iter()
            .flat_map(|changes| &changes.grown)
            .map(|(_, name)| name)
            .collect()
    }
}

fn append(path: &Path, text: &str) {
    use std::io::Write as _;
    let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}
