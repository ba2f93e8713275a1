//! What if others delete a file that is not read yet? A hard link in a directory of ours keeps its bytes.
//!
//! An open descriptor keeps a deleted file too, but not over a restart of ours. A link can't leave its file system, so
//! there is one reserve directory for each base directory ([`base_of`]), used only where the log files are on the same
//! device, that is writable to us and not in memory (a tmpfs would pay for it with the pod's own memory).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use record::Source;
use record::origin::Kind;
use rustix::fs::{AtFlags, CWD};

use crate::tail::Carrier;

/// The name of a reserve directory below its base.
pub const DIRECTORY: &str = ".nodetap-reserve";
/// `TMPFS_MAGIC` of linux/magic.h.
const TMPFS_MAGIC: u64 = 0x0102_1994;
/// `RAMFS_MAGIC` of linux/magic.h.
const RAMFS_MAGIC: u64 = 0x8584_58f6;

/// The reserve directories of one root.
#[derive(Debug)]
pub struct Reserve {
    root: PathBuf,
    enabled: bool,
    /// What distinguishes our links from those of another state directory.
    token: String,
    /// The device of each base's reserve directory; `None` where there can be none.
    devices: BTreeMap<PathBuf, Option<u64>>,
}

// === impl Reserve ===

impl Reserve {
    /// A reserve below `root`; `token` must be the same for each start on one state directory.
    pub fn new(root: &Path, enabled: bool, token: String) -> Self {
        Self {
            root: root.to_owned(),
            enabled,
            token,
            devices: BTreeMap::new(),
        }
    }

    /// Links an open file under its number. Gives the link's path without root, or `None` where that can't be.
    ///
    /// An archive's link says so in its name, because what its file is called on disk changes while it is kept.
    pub fn keep(&mut self, carrier: &Carrier, source: &Source, number: u64) -> Option<PathBuf> {
        let file = carrier.file();
        let base = self.enabled.then(|| base_of(source)).flatten()?;
        let device = file.metadata().ok()?.dev();
        if self.device(&base)? != device {
            return None;
        }
        let ending = if carrier.is_gzip() { ".gz" } else { "" };
        let path = base
            .join(DIRECTORY)
            .join(format!("{}-{number:x}{ending}", self.token));
        match Self::link(file, &self.place(&path)) {
            Ok(()) => Some(path),
            Err(error) => {
                tracing::debug!(path = %path.display(), %error, "no reserve link");
                None
            }
        }
    }

    /// Opens a link that [`Reserve::keep`] made.
    pub fn open(&self, path: &Path) -> io::Result<Carrier> {
        let gzip = path.extension().is_some_and(|extension| extension == "gz");
        Ok(Carrier::new(File::open(self.place(path))?, gzip))
    }

    /// Removes a link; the bytes go with it if nothing else holds them.
    pub fn release(&self, path: &Path) {
        if let Err(error) = fs::remove_file(self.place(path))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %path.display(), %error, "cannot remove reserve link");
        }
    }

    /// Removes links of an earlier process whose files need them no more. `wanted` are the links still in the state.
    pub fn sweep(&self, wanted: &BTreeSet<PathBuf>, bases: &BTreeSet<PathBuf>) {
        for base in bases {
            let directory = base.join(DIRECTORY);
            let Ok(entries) = fs::read_dir(self.place(&directory)) else {
                continue;
            };
            for entry in entries.flatten() {
                let name = entry.file_name();
                let path = directory.join(&name);
                let ours = name
                    .to_str()
                    .and_then(|name| name.strip_prefix(&self.token))
                    .is_some_and(|rest| rest.starts_with('-'));
                if ours && !wanted.contains(&path) {
                    self.release(&path);
                }
            }
        }
    }

    fn link(file: &File, place: &Path) -> io::Result<()> {
        // Through the descriptor, so that what is linked is what was opened, whatever its path names by now.
        let opened = format!("/proc/self/fd/{}", file.as_raw_fd());
        let link = || rustix::fs::linkat(CWD, &opened, CWD, place, AtFlags::SYMLINK_FOLLOW);
        match link() {
            Err(rustix::io::Errno::EXIST) => {
                fs::remove_file(place)?;
                Ok(link()?)
            }
            other => Ok(other?),
        }
    }

    /// The device of a base's reserve directory, made at its first use.
    fn device(&mut self, base: &Path) -> Option<u64> {
        if let Some(device) = self.devices.get(base) {
            return *device;
        }
        let device = self.prepare(base);
        if let Err(error) = &device {
            tracing::warn!(
                base = %base.display(), %error,
                "no reserve here: what is deleted unread while nodetap restarts is lost (and counted)"
            );
        }
        let device = device.ok();
        self.devices.insert(base.to_owned(), device);
        device
    }

    fn prepare(&self, base: &Path) -> io::Result<u64> {
        let directory = self.place(&base.join(DIRECTORY));
        let kind = rustix::fs::statfs(self.place(base))?.f_type as u64;
        if matches!(kind, TMPFS_MAGIC | RAMFS_MAGIC) {
            return Err(io::Error::other("the file system is in memory"));
        }
        match fs::DirBuilder::new().mode(0o700).create(&directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let metadata = fs::symlink_metadata(&directory)?;
        if !metadata.is_dir() {
            return Err(io::Error::other("the reserve directory is not a directory"));
        }
        Ok(metadata.dev())
    }

    fn place(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }
}

/// The directory of the platform, not of a tenant, under which a file's reserve directory belongs: `/var/log`, a Docker
/// root, or a kubelet root.
pub fn base_of(source: &Source) -> Option<PathBuf> {
    let path = &source.path;
    if source.origin.kind == Kind::Volume {
        return before(path, "pods");
    }
    if path.starts_with("/var/log") {
        return Some(PathBuf::from("/var/log"));
    }
    before(path, "containers")
}

/// The part of a path before the last component of this name.
fn before(path: &Path, component: &str) -> Option<PathBuf> {
    path.ancestors()
        .find(|ancestor| ancestor.file_name().is_some_and(|name| name == component))
        .and_then(Path::parent)
        .map(Path::to_owned)
}
