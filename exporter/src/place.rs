//! Where is the node? Every file is read below one root, never more of it than a limit says.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The most that is read of one file, in bytes: a table of ten thousand IPVS destinations has a megabyte.
pub const FILE_BYTES_MAX: u64 = 16 << 20;

/// The root of the node's file systems: `/`, or where a container has them mounted.
#[derive(Clone, Debug)]
pub struct Place {
    root: PathBuf,
}

/// A file of the node can't be read.
#[derive(Debug, thiserror::Error)]
#[error("read /{path}")]
pub struct ReadError {
    /// The file, below the root.
    pub path: String,
    /// Why not.
    pub source: io::Error,
}

// === impl Place ===

impl Place {
    /// The node below a root.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Where a path of the node is for us. The path has no leading slash.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Whether the node is what we see ourselves: its /proc is ours.
    pub fn is_here(&self) -> bool {
        self.root == Path::new("/")
    }

    /// Reads a file.
    pub fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        let mut bytes = Vec::new();
        File::open(self.path(path))
            .and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes))
            .map_err(|source| ReadError {
                path: path.to_owned(),
                source,
            })?;
        Ok(bytes)
    }

    /// Reads a file as text; what is not UTF-8 is replaced.
    pub fn text(&self, path: &str) -> Result<String, ReadError> {
        let bytes = self.read(path)?;
        Ok(String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// Reads a file that holds one number, as most of /proc/sys does.
    pub fn number(&self, path: &str) -> Result<u64, ReadError> {
        self.text(path)?.trim().parse().map_err(|error| ReadError {
            path: path.to_owned(),
            source: io::Error::new(io::ErrorKind::InvalidData, error),
        })
    }

    /// The names in a directory, sorted.
    pub fn names(&self, path: &str) -> Result<Vec<String>, ReadError> {
        let wrap = |source| ReadError {
            path: path.to_owned(),
            source,
        };
        let mut names = Vec::new();
        for entry in fs::read_dir(self.path(path)).map_err(wrap)? {
            if let Ok(name) = entry.map_err(wrap)?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Where a symbolic link points to, as text.
    pub fn link(&self, path: &str) -> Result<String, ReadError> {
        fs::read_link(self.path(path))
            .map(|target| target.to_string_lossy().into_owned())
            .map_err(|source| ReadError {
                path: path.to_owned(),
                source,
            })
    }

    /// The directory of the node's network files.
    ///
    /// `/proc/net` shows the reader's own network namespace, so below a mounted root it is the first process's.
    pub fn network(&self) -> &'static str {
        if !self.is_here() && self.path("proc/1/net").is_dir() {
            "proc/1/net"
        } else {
            "proc/net"
        }
    }

    /// Whether we are known to be in another network namespace than the node: then /proc/sys/net, wherever it is
    /// mounted, is about ours.
    pub fn network_is_foreign(&self) -> bool {
        !self.is_here() && self.path("proc/1/ns/net").read_link().is_ok() && !self.netlink_is_ours()
    }

    /// Whether what the kernel answers to us by netlink is about the node's own network namespace.
    pub fn netlink_is_ours(&self) -> bool {
        self.is_here()
            || fs::read_link("/proc/self/ns/net")
                .ok()
                .zip(fs::read_link(self.path("proc/1/ns/net")).ok())
                .is_some_and(|(ours, theirs)| ours == theirs)
    }
}

// === impl ReadError ===

impl ReadError {
    /// Whether the file is not there.
    pub fn is_absent(&self) -> bool {
        matches!(
            self.source.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
        )
    }

    /// Whether the file may not be read.
    pub fn is_forbidden(&self) -> bool {
        self.source.kind() == io::ErrorKind::PermissionDenied
    }
}
