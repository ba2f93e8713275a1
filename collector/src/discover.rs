//! Which log files are there? Found by convention, watched by directory, chosen before they are opened.
//!
//! A [`Discovery`] walks the places where kubelet, Docker, pods' volumes and the node itself keep logs, tells of every
//! directory that has some as a [`Listing`], and then of what changes. It reads no log; [`Discovery::open`] hands out
//! files in a way that no tenant's link, FIFO or device can misuse. Directories, never files, are watched. A directory
//! is watched first and listed then, so that nothing can come between.

mod beneath;
mod children;
mod docker;
mod follow;
mod know;
mod links;
mod list;
mod names;
mod report;
mod roots;
mod select;
mod tree;
mod walk;
mod wants;
mod watch;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use record::{Source, Timestamp};

pub use self::beneath::{Refusal, Resolve};
pub use self::report::{FoundRoot, Links, RefusedFiles, Report, Unreadable, Watches};
pub use self::roots::Holds;
pub use self::select::{RawRule, SelectError, Selection};

use self::beneath::{Place, Root};
use self::roots::Candidate;
use self::tree::{Key, PodNames, Tree};
use self::watch::Watcher;

/// What to look for, and where.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The directory below which every conventional path is looked for, `/proc` included.
    pub root: PathBuf,
    /// kubelet's directory of pod logs.
    pub pod_logs: PathBuf,
    /// kubelet's directory of links by container.
    pub container_links: PathBuf,
    /// Further data roots of Docker: absolute paths, each component of which may be a glob.
    pub docker_roots: Vec<String>,
    /// Whether and how far pods' volumes are looked into; `None` leaves them alone.
    pub volumes: Option<VolumeLimits>,
    /// The node's own logs: absolute paths, each component of which may be a glob.
    pub host_logs: Vec<String>,
    /// Which of the files are wanted.
    pub select: Selection,
    /// How often the caller should scan again in case events were lost.
    pub rescan_interval: Duration,
    /// How many directories are watched at most, beside the kernel's own limit.
    pub watches_max: Option<usize>,
    /// How opens are kept below the root directory.
    pub resolve: Resolve,
}

/// How far pods' volumes are looked into. Tenants make these directories, so each number is a bound on our work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolumeLimits {
    /// How many directories deep, below the volume's own.
    pub depth_max: usize,
    /// How many directories of all pods.
    pub directories_max: usize,
    /// How many directories of one pod, so that it can't use up the others' share.
    pub pod_directories_max: usize,
    /// How many log files of one directory.
    pub files_max: usize,
    /// How many names of one directory are looked at.
    pub entries_max: usize,
}

/// What is known of the node's log files, and the watches that keep it true.
#[derive(Debug)]
pub struct Discovery {
    settings: Settings,
    root: Root,
    watcher: Watcher,
    tree: Tree,
    /// Names of pods by uid, for their volumes.
    pods: HashMap<String, Arc<PodNames>>,
    /// Container ids by the log file that a link of `/var/log/containers` names.
    links: BTreeMap<PathBuf, String>,
    /// Below these directories links are refused.
    bases: BTreeSet<Arc<Path>>,
    candidates: Vec<Candidate>,
    pod_roots: Vec<Key>,
    docker_roots: Vec<Key>,
    /// Directories to list, and when.
    due: HashMap<Key, Instant>,
    /// Directories that went since the caller was told.
    gone: Vec<DirId>,
    unreadable: BTreeMap<PathBuf, String>,
    limits: BTreeSet<String>,
    unwatched: BTreeSet<Key>,
    aliases: BTreeMap<PathBuf, PathBuf>,
    unknown_names: usize,
    is_limit_said: bool,
    scans: u64,
}

/// A directory that holds log files, by which the caller keeps them. Never used for another.
///
/// The Docker directories of one pod's container (one for each restart) are one to the caller, so that all files of a
/// stream are in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DirId(pub u64);

/// All log files of a directory as they are now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Which directory.
    pub dir: DirId,
    /// The wanted files, each stream's in order, oldest first.
    pub files: Vec<Found>,
    /// The directory is gone; there will be no more word of it. What the caller still holds open it has to look at
    /// itself.
    pub gone: bool,
}

/// A log file as it was when its directory was listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Whose it is and where.
    pub source: Source,
    /// Its device.
    pub device: u64,
    /// Its inode on that device.
    pub inode: u64,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written to last.
    pub modified: Timestamp,
    /// How many names it has.
    pub links: u64,
}

/// What happened since the last call.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The directories whose names changed or whose files are known better, with all their files.
    pub listings: Vec<Listing>,
    /// Files that were written to or cut.
    pub grown: Vec<(DirId, OsString)>,
    /// Files that a writer closed.
    pub closed: Vec<(DirId, OsString)>,
    /// Events were lost: only a scan shows what happened.
    pub overflow: bool,
}

/// Why discovery can't begin.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    /// The root directory can't be opened.
    #[error("open the root directory {}", path.display())]
    Root {
        /// As configured.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel gives no inotify instance; there are too many when the source is `EMFILE`.
    #[error("make an inotify instance (sysctl fs.inotify.max_user_instances limits them)")]
    Watch(#[source] io::Error),
    /// A path pattern can't be used.
    #[error("read the path pattern {pattern:?}")]
    Pattern {
        /// As configured.
        pattern: String,
        /// What is wrong with it.
        source: globset::Error,
    },
    /// A path pattern does not say where it begins.
    #[error(
        "read the path pattern {pattern:?}: it must begin with / and have no ** and no .. in it"
    )]
    Relative {
        /// As configured.
        pattern: String,
    },
}

/// Why a found file is not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It is no longer there under this name.
    #[error("open {}: it is gone", path.display())]
    Gone {
        /// Without the root directory.
        path: PathBuf,
    },
    /// It is never opened.
    #[error("open {}: refused, it is {refusal}", path.display())]
    Refused {
        /// Without the root directory.
        path: PathBuf,
        /// What it is.
        refusal: Refusal,
    },
    /// The kernel refuses, for now or for ever.
    #[error("open {}", path.display())]
    Open {
        /// Without the root directory.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

/// While a directory is not watched, the caller should scan this often.
const UNWATCHED_INTERVAL: Duration = Duration::from_secs(5);

// === impl Settings ===

impl Settings {
    /// Everything by convention, below `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            pod_logs: PathBuf::from("/var/log/pods"),
            container_links: PathBuf::from("/var/log/containers"),
            docker_roots: Vec::new(),
            volumes: Some(VolumeLimits::default()),
            host_logs: ["/var/log/*.log", "/var/log/syslog", "/var/log/messages"]
                .map(str::to_owned)
                .into(),
            select: Selection::default(),
            rescan_interval: Duration::from_mins(3),
            watches_max: None,
            resolve: Resolve::default(),
        }
    }
}

impl Default for VolumeLimits {
    fn default() -> Self {
        Self {
            depth_max: 5,
            directories_max: 4_096,
            pod_directories_max: 512,
            files_max: 4_096,
            entries_max: 20_000,
        }
    }
}

// === impl Discovery ===

impl Discovery {
    /// Opens the root directory and an inotify instance; looks at nothing yet.
    pub fn new(settings: Settings) -> Result<Self, DiscoverError> {
        wants::check_patterns(&settings)?;
        let root =
            Root::open(&settings.root, settings.resolve).map_err(|source| DiscoverError::Root {
                path: settings.root.clone(),
                source,
            })?;
        let watcher = Watcher::new(settings.watches_max).map_err(DiscoverError::Watch)?;
        Ok(Self {
            settings,
            root,
            watcher,
            tree: Tree::default(),
            pods: HashMap::new(),
            links: BTreeMap::new(),
            bases: BTreeSet::new(),
            candidates: Vec::new(),
            pod_roots: Vec::new(),
            docker_roots: Vec::new(),
            due: HashMap::new(),
            gone: Vec::new(),
            unreadable: BTreeMap::new(),
            limits: BTreeSet::new(),
            unwatched: BTreeSet::new(),
            aliases: BTreeMap::new(),
            unknown_names: 0,
            is_limit_said: false,
            scans: 0,
        })
    }

    /// Takes another selection; the next scan follows it.
    pub fn select(&mut self, select: Selection) {
        self.settings.select = select;
    }

    /// The descriptor that is readable when [`Discovery::events`] has something to tell.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.watcher.fd()
    }

    /// Looks at everything and gives every directory's listing; directories that went since are among them.
    pub fn scan(&mut self, now: Instant) -> Vec<Listing> {
        self.walk(now);
        let keys = self
            .tree
            .directories
            .iter()
            .filter(|(_, known)| known.role.has_logs());
        let mut keys: Vec<Key> = keys.map(|(key, _)| *key).collect();
        keys.sort_unstable();
        self.due.clear();
        self.listings(&keys, now)
    }

    /// How long after a scan the next one should be.
    pub fn rescan_after(&self) -> Duration {
        if self.unwatched.is_empty() {
            self.settings.rescan_interval
        } else {
            self.settings.rescan_interval.min(UNWATCHED_INTERVAL)
        }
    }

    /// When [`Discovery::events`] wants to be called although [`Discovery::fd`] is not readable.
    pub fn wake_at(&self) -> Option<Instant> {
        self.due.values().min().copied()
    }

    /// Tells what happened since the last call, without blocking; bounded, so the descriptor may still be readable.
    pub fn events(&mut self, now: Instant) -> Changes {
        let mut changes = Changes::default();
        self.take_events(now, &mut changes);
        let mut keys: Vec<Key> = self
            .due
            .iter()
            .filter(|(_, due)| **due <= now)
            .map(|(key, _)| *key)
            .collect();
        keys.sort_unstable();
        for key in &keys {
            self.due.remove(key);
        }
        changes.listings = self.listings(&keys, now);
        changes
    }

    /// Stops (`hot`) or resumes telling of each write into a directory's files.
    ///
    /// A busy file is cheaper to look at than to be told of. A directory that becomes quiet again is listed, since
    /// writes before the change were not told.
    pub fn park(&mut self, dir: DirId, hot: bool, now: Instant) -> Option<Listing> {
        for key in self.tree.members(dir).to_vec() {
            if let Some(directory) = self.tree.get_mut(key) {
                directory.is_hot = hot;
            }
            self.rewatch(key);
        }
        if hot {
            return None;
        }
        let first = self.tree.members(dir).first().copied()?;
        self.listings(&[first], now)
            .into_iter()
            .find(|listing| listing.dir == dir)
    }

    /// Opens a found file for reading. Never blocks, never follows a link that a tenant could have made.
    pub fn open(&self, source: &Source) -> Result<File, OpenError> {
        let path = &source.path;
        let Some(place) = self.place(path) else {
            return Err(OpenError::Gone { path: path.clone() });
        };
        match self.root.regular(&place) {
            Ok(Ok(file)) => Ok(file),
            Ok(Err(refusal)) => Err(OpenError::Refused {
                path: path.clone(),
                refusal,
            }),
            Err(source) if source.kind() == io::ErrorKind::NotFound => {
                Err(OpenError::Gone { path: path.clone() })
            }
            Err(source) => Err(OpenError::Open {
                path: path.clone(),
                source,
            }),
        }
    }

    /// Splits a path at the directory below which links are refused.
    fn place(&self, path: &Path) -> Option<Place> {
        let base = path.ancestors().find_map(|base| self.bases.get(base))?;
        let rest = path.strip_prefix(base).ok()?;
        let is_plain = rest
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)));
        is_plain.then(|| Place {
            base: Arc::clone(base),
            rest: rest.to_path_buf(),
        })
    }
}

#[cfg(test)]
mod tests;
