//! How is a path opened that a tenant may have prepared? Never through its links, never a FIFO or device.
//!
//! A [`Place`] has two parts: a base whose symbolic links are the platform's and are followed inside the root
//! directory, and a rest in which any link is refused. Source: openat2(2), open(2) on `O_PATH`.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

/// Which kernel interface keeps an open below a directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resolve {
    /// `openat2` where the kernel has it, else as [`Resolve::Components`].
    #[default]
    Kernel,
    /// Component by component with `O_NOFOLLOW`, for kernels before 5.6.
    Components,
}

/// Where something stands below the root directory: `base`/`rest`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Absolute; its links are followed inside the root directory.
    pub(super) base: Arc<Path>,
    /// Relative; links in it are refused.
    pub(super) rest: PathBuf,
}

/// The directory below which everything is looked for.
#[derive(Debug)]
pub(super) struct Root {
    directory: OwnedFd,
    resolve: Resolve,
}

/// Why a file is never opened.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    thiserror::Error,
)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Links in a place that others write to are not followed.
    #[error("a symbolic link")]
    Link,
    /// Opening it could block for ever.
    #[error("a FIFO")]
    Fifo,
    /// Opening it could do anything.
    #[error("a device")]
    Device,
    /// It can't be read.
    #[error("a socket")]
    Socket,
    /// A name that no document can carry.
    #[error("a name that is not UTF-8")]
    Name,
}

const PATH_FLAGS: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const DIRECTORY_FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);
const READ_FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// As many links as the kernel follows in one path; `path_resolution(7)`.
const LINKS_MAX: usize = 40;

// === impl Place ===

impl Place {
    pub(super) fn new(base: impl AsRef<Path>) -> Self {
        Self {
            base: base.as_ref().into(),
            rest: PathBuf::new(),
        }
    }

    /// The place of `name` in this directory, in the part whose links are refused.
    pub(super) fn join(&self, name: &str) -> Self {
        Self {
            base: Arc::clone(&self.base),
            rest: self.rest.join(name),
        }
    }

    /// The whole path, absolute and without the root directory.
    pub(super) fn path(&self) -> PathBuf {
        if self.rest.as_os_str().is_empty() {
            self.base.to_path_buf()
        } else {
            self.base.join(&self.rest)
        }
    }
}

// === impl Root ===

impl Root {
    pub(super) fn open(path: &Path, resolve: Resolve) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::openat(CWD, path, flags, Mode::empty())?;
        let resolve = match resolve {
            Resolve::Kernel if has_openat2(&directory) => Resolve::Kernel,
            Resolve::Kernel | Resolve::Components => Resolve::Components,
        };
        Ok(Self { directory, resolve })
    }

    /// Opens a directory to list it.
    pub(super) fn directory(&self, place: &Place) -> io::Result<OwnedFd> {
        if place.rest.as_os_str().is_empty() {
            return self.platform(&place.base, DIRECTORY_FLAGS);
        }
        let base = self.platform(
            &place.base,
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        )?;
        self.strict(
            base.as_fd(),
            &place.rest,
            DIRECTORY_FLAGS | OFlags::NOFOLLOW,
        )
    }

    /// Opens a regular file to read it; whatever else stands there is left alone.
    pub(super) fn regular(&self, place: &Place) -> io::Result<Result<File, Refusal>> {
        let handle = if place.rest.as_os_str().is_empty() {
            self.platform(&place.base, OFlags::PATH | OFlags::CLOEXEC)?
        } else {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let base = self.platform(&place.base, flags)?;
            match self.strict(base.as_fd(), &place.rest, PATH_FLAGS) {
                Ok(handle) => handle,
                Err(error) if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => {
                    return Ok(Err(Refusal::Link));
                }
                Err(error) => return Err(error),
            }
        };
        match refusal(&rustix::fs::fstat(&handle)?) {
            Some(Verdict::Refused(refusal)) => Ok(Err(refusal)),
            Some(Verdict::Directory) => Err(Errno::ISDIR.into()),
            None => Ok(Ok(File::from(reopen(&handle)?))),
        }
    }

    /// Reads a small file of the platform whole; more than `bytes_max` is an error.
    pub(super) fn read(&self, place: &Place, bytes_max: u64) -> io::Result<Vec<u8>> {
        let file = self.regular(place)?.map_err(io::Error::other)?;
        let mut bytes = Vec::new();
        file.take(bytes_max + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > bytes_max {
            return Err(Errno::FBIG.into());
        }
        Ok(bytes)
    }

    /// Where a link of the platform points to, as written in it.
    pub(super) fn link(&self, path: &Path) -> io::Result<PathBuf> {
        let parent = path.parent().unwrap_or(Path::new("/"));
        let name = path.file_name().unwrap_or_default();
        let parent = self.platform(parent, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC)?;
        read_link(parent.as_fd(), name)
    }

    /// What stands at a path of the platform, links followed.
    pub(super) fn stat(&self, path: &Path) -> io::Result<Stat> {
        Ok(rustix::fs::fstat(
            self.platform(path, OFlags::PATH | OFlags::CLOEXEC)?,
        )?)
    }

    fn platform(&self, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        if self.resolve == Resolve::Components {
            return self.platform_by_components(path, flags);
        }
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        open_beneath(self.directory.as_fd(), path, flags, resolve)
    }

    fn strict(&self, base: BorrowedFd<'_>, rest: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        if self.resolve == Resolve::Components {
            return strict_by_components(base, rest, flags);
        }
        let resolve =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        open_beneath(base, rest, flags, resolve)
    }

    /// Follows links by hand, none of them out of the root directory.
    fn platform_by_components(&self, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        let mut ahead: VecDeque<OsString> = names(path);
        let mut behind: Vec<OwnedFd> = Vec::new();
        let mut links = 0;
        while let Some(name) = ahead.pop_front() {
            if name == ".." {
                behind.pop();
                continue;
            }
            let here = behind.last().unwrap_or(&self.directory);
            let next = rustix::fs::openat(here, &name, PATH_FLAGS, Mode::empty())?;
            if kind(&rustix::fs::fstat(&next)?) != FileType::Symlink {
                behind.push(next);
                continue;
            }
            links += 1;
            if links > LINKS_MAX {
                return Err(Errno::LOOP.into());
            }
            let target = read_link(here.as_fd(), &name)?;
            if target.is_absolute() {
                behind.clear();
            }
            for name in names(&target).into_iter().rev() {
                ahead.push_front(name);
            }
        }
        let last = behind.last().unwrap_or(&self.directory);
        if flags.contains(OFlags::DIRECTORY) {
            return Ok(rustix::fs::openat(last, ".", flags, Mode::empty())?);
        }
        match behind.pop() {
            Some(last) => Ok(last),
            None => Ok(self.directory.try_clone()?),
        }
    }
}

/// Whether an open failed because no such directory or file stands there, or a link that is not followed.
pub(super) fn is_absent(error: &io::Error) -> bool {
    let absent = [Errno::NOENT, Errno::NOTDIR, Errno::LOOP, Errno::XDEV];
    absent
        .iter()
        .any(|absent| error.raw_os_error() == Some(absent.raw_os_error()))
}

/// What a file that is not regular is.
pub(super) enum Verdict {
    Directory,
    Refused(Refusal),
}

/// Why a file of this kind is not read; `None` for a regular one.
pub(super) fn refusal(stat: &Stat) -> Option<Verdict> {
    match kind(stat) {
        FileType::RegularFile => None,
        FileType::Directory => Some(Verdict::Directory),
        FileType::Symlink => Some(Verdict::Refused(Refusal::Link)),
        FileType::Fifo => Some(Verdict::Refused(Refusal::Fifo)),
        FileType::Socket => Some(Verdict::Refused(Refusal::Socket)),
        FileType::CharacterDevice | FileType::BlockDevice | FileType::Unknown => {
            Some(Verdict::Refused(Refusal::Device))
        }
    }
}

/// The target of the link `name` in a directory, as written in it.
pub(super) fn read_link(directory: BorrowedFd<'_>, name: &OsStr) -> io::Result<PathBuf> {
    let target = rustix::fs::readlinkat(directory, name, Vec::new())?;
    Ok(PathBuf::from(OsString::from_vec(target.into_bytes())))
}

/// The kind of file.
pub(super) fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

fn has_openat2(directory: &OwnedFd) -> bool {
    // Old container runtimes answer EPERM to system calls they do not know.
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let probe = rustix::fs::openat2(directory, ".", flags, Mode::empty(), ResolveFlags::BENEATH);
    probe.is_ok()
}

fn open_beneath(
    directory: BorrowedFd<'_>,
    path: &Path,
    flags: OFlags,
    resolve: ResolveFlags,
) -> io::Result<OwnedFd> {
    // A rename on the way makes the kernel unsure of `..`, and it asks to try again.
    for _ in 0..8 {
        match rustix::fs::openat2(directory, path, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN) => {}
            opened => return Ok(opened?),
        }
    }
    Err(Errno::AGAIN.into())
}

fn strict_by_components(base: BorrowedFd<'_>, rest: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let mut here: Option<OwnedFd> = None;
    let mut ahead = rest.components().peekable();
    while let Some(component) = ahead.next() {
        let Component::Normal(name) = component else {
            return Err(Errno::XDEV.into());
        };
        let directory = here.as_ref().map_or(base, AsFd::as_fd);
        if ahead.peek().is_none() {
            return Ok(rustix::fs::openat(
                directory,
                name,
                flags | OFlags::NOFOLLOW,
                Mode::empty(),
            )?);
        }
        let way = PATH_FLAGS | OFlags::DIRECTORY;
        let next = rustix::fs::openat(directory, name, way, Mode::empty());
        // With O_DIRECTORY a link is "not a directory"; to the caller it is a link, as with openat2.
        here = Some(next.map_err(|error| {
            if error == Errno::NOTDIR {
                Errno::LOOP
            } else {
                error
            }
        })?);
    }
    Err(Errno::INVAL.into())
}

/// Opens for reading the very file that a path handle stands for; no name is looked up again.
fn reopen(handle: &OwnedFd) -> io::Result<OwnedFd> {
    let link = format!("/proc/self/fd/{}", handle.as_raw_fd());
    Ok(rustix::fs::open(link, READ_FLAGS, Mode::empty())?)
}

fn names(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}
