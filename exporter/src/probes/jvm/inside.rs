//! How is a file of a tenant's read? Below `/proc/<pid>/root`, opened once, and never through a link of theirs.
//!
//! What is in a container belongs to whoever runs there. A link could point at the node's files, a FIFO could hold us for
//! ever: every path is opened without following links, looked at, and only then read.

use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat, openat2};
use rustix::io::Errno;

use crate::place::Place;

/// A process's file system.
#[derive(Debug)]
pub struct Inside {
    root: OwnedFd,
}

/// Something in it, looked at and not yet opened.
#[derive(Debug)]
pub struct Found {
    handle: OwnedFd,
    stat: Stat,
}

/// Why something in there is not read.
#[derive(Debug, thiserror::Error)]
pub enum InsideError {
    /// It is not there.
    #[error("it is not there")]
    Absent,
    /// We may not.
    #[error("permission denied")]
    Forbidden,
    /// It is not what it should be.
    #[error("{0}")]
    Untrusted(&'static str),
    /// The kernel says something else.
    #[error("read it")]
    Read(#[source] std::io::Error),
}

// === impl Inside ===

impl Inside {
    /// Opens the root of a process.
    pub fn of(place: &Place, pid: u32) -> Result<Self, InsideError> {
        // The last step is the kernel's own link, so this one is followed.
        let path = place.path(&format!("proc/{pid}/root"));
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = openat(CWD, path, flags, Mode::empty())?;
        Ok(Self { root })
    }

    /// Looks at a path, which has no leading slash and no `..`.
    pub fn look(&self, path: &str) -> Result<Found, InsideError> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let handle = match openat2(&self.root, path, flags, Mode::empty(), resolve) {
            // Linux before 5.6.
            Err(Errno::NOSYS) => self.step_by_step(path)?,
            other => other?,
        };
        let stat = fstat(&handle)?;
        Ok(Found { handle, stat })
    }

    fn step_by_step(&self, path: &str) -> Result<OwnedFd, InsideError> {
        let mut handle = self.root.try_clone().map_err(InsideError::Read)?;
        let mut steps = path.split('/').peekable();
        while let Some(step) = steps.next() {
            if matches!(step, "" | "." | "..") {
                return Err(InsideError::Untrusted("a path that leads elsewhere"));
            }
            let mut flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            if steps.peek().is_some() {
                flags |= OFlags::DIRECTORY;
            }
            handle = openat(&handle, step, flags, Mode::empty())?;
        }
        Ok(handle)
    }

    /// Reads a regular file, no more of it than said.
    pub fn read(&self, path: &str, bytes_max: u64) -> Result<Vec<u8>, InsideError> {
        self.look(path)?.read(bytes_max)
    }
}

// === impl Found ===

impl Found {
    /// The handle itself, for what is below a directory.
    pub fn into_handle(self) -> OwnedFd {
        self.handle
    }

    /// Whose it is.
    pub fn uid(&self) -> u32 {
        self.stat.st_uid
    }

    /// How many names it has.
    pub fn links(&self) -> u64 {
        // The type differs between architectures.
        #[expect(
            clippy::useless_conversion,
            reason = "st_nlink is u32 on other architectures"
        )]
        u64::from(self.stat.st_nlink)
    }

    /// How large it is, in bytes.
    pub fn size(&self) -> u64 {
        self.stat.st_size.try_into().unwrap_or_default()
    }

    /// Whether others than its owner may write to it.
    pub fn others_write(&self) -> bool {
        self.stat.st_mode & 0o022 != 0
    }

    /// What it is.
    pub fn kind(&self) -> FileType {
        FileType::from_raw_mode(self.stat.st_mode)
    }

    /// A path at which this process reaches it, whatever happens to its names.
    pub fn path(&self) -> String {
        format!("/proc/self/fd/{}", self.handle.as_fd().as_raw_fd())
    }

    /// Opens a regular file to read.
    pub fn open(&self) -> Result<File, InsideError> {
        if self.kind() != FileType::RegularFile {
            return Err(InsideError::Untrusted("it is no regular file"));
        }
        File::open(self.path()).map_err(InsideError::from_io)
    }

    /// Reads a regular file, no more of it than said.
    pub fn read(&self, bytes_max: u64) -> Result<Vec<u8>, InsideError> {
        self.read_from(&self.open()?, bytes_max)
    }

    /// Reads from the beginning of what [`Self::open`] gave, no more of it than said.
    pub fn read_from(&self, mut file: &File, bytes_max: u64) -> Result<Vec<u8>, InsideError> {
        // One more than there should be, so that the end is seen by the same read.
        let size = self.size().saturating_add(1).min(bytes_max);
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
        file.rewind()
            .and_then(|()| file.take(bytes_max).read_to_end(&mut bytes))
            .map_err(InsideError::from_io)?;
        Ok(bytes)
    }
}

// === impl InsideError ===

impl InsideError {
    /// What the kernel's answer means.
    pub fn from_io(error: std::io::Error) -> Self {
        match Errno::from_io_error(&error) {
            Some(Errno::NOENT | Errno::NOTDIR | Errno::SRCH) => Self::Absent,
            Some(Errno::ACCESS | Errno::PERM) => Self::Forbidden,
            Some(Errno::LOOP) => Self::Untrusted("it is a link"),
            Some(Errno::XDEV) => Self::Untrusted("it leads out of its root"),
            _ => Self::Read(error),
        }
    }
}

impl From<Errno> for InsideError {
    fn from(errno: Errno) -> Self {
        Self::from_io(errno.into())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_and_fifos_of_a_tenant_are_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let inside = root.path().join("proc/7/root");
        fs::create_dir_all(inside.join("tmp/d")).unwrap();
        fs::write(root.path().join("secret"), "secret").unwrap();
        fs::write(inside.join("tmp/d/file"), "0123456789").unwrap();
        symlink("../../../../secret", inside.join("tmp/link")).unwrap();
        symlink("d", inside.join("tmp/other")).unwrap();
        rustix::fs::mknodat(
            CWD,
            inside.join("tmp/fifo"),
            FileType::Fifo,
            Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        let opened = Inside::of(&Place::new(root.path()), 7).unwrap();
        assert_eq!(opened.read("tmp/d/file", 4).unwrap(), b"0123");
        for path in ["tmp/link", "tmp/other/file", "tmp/fifo", "tmp/d"] {
            let refused = opened.read(path, 4);
            assert!(
                matches!(refused, Err(InsideError::Untrusted(_))),
                "{path}: {refused:?}"
            );
            let stepped = opened.step_by_step(path).and_then(|handle| {
                let stat = fstat(&handle)?;
                Found { handle, stat }.read(4)
            });
            // A directory's link is "no directory" to a kernel without openat2.
            assert!(stepped.is_err(), "{path}: {stepped:?}");
        }
        for path in ["tmp/none", "tmp/d/file/x"] {
            let refused = opened.read(path, 4);
            assert!(
                matches!(refused, Err(InsideError::Absent)),
                "{path}: {refused:?}"
            );
        }
        assert!(opened.step_by_step("tmp/../../secret").is_err());
        assert!(Inside::of(&Place::new(root.path()), 8).is_err());
    }
}
