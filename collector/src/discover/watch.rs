//! What happens in which directory? The one door to inotify.
//!
//! Directories are watched, not files: one watch covers all files of a container. Source: inotify(7).

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

use super::tree::Key;

/// What is to be known of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interest {
    /// Names that come and go.
    Names,
    /// Names, and every write into a file.
    Writes,
    /// Names and the close of a writer; the caller looks at the sizes itself.
    Closes,
}

/// What happened to a name in a directory, or to the directory itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happening {
    /// A name came into being; perhaps a directory's.
    Appeared,
    /// A name went.
    Vanished,
    /// A file was written to or cut.
    Written,
    /// A writer closed the file.
    Closed,
    /// The directory is gone, and its watch with it.
    Ended,
}

/// One thing that happened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event<'a> {
    pub(super) key: Key,
    pub(super) happening: Happening,
    pub(super) name: &'a OsStr,
    /// Whether the name is a directory's.
    pub(super) is_directory: bool,
}

/// The watches of this process.
#[derive(Debug)]
pub(super) struct Watcher {
    inotify: OwnedFd,
    keys: HashMap<i32, Key>,
    watches: HashMap<Key, i32>,
    watches_max: usize,
    buffer: Vec<MaybeUninit<u8>>,
}

/// Why a directory is not watched.
#[derive(Debug, thiserror::Error)]
pub(super) enum WatchError {
    /// The limit of watches is reached.
    #[error("watch another directory: the limit of watches is reached")]
    Limit,
    /// Anything else.
    #[error("watch directory")]
    Watch(#[source] io::Error),
}

const NAMES: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::ONLYDIR);

/// Where the kernel says how many watches a user may have.
pub(super) const LIMIT_FILE: &str = "/proc/sys/fs/inotify/max_user_watches";

const BUFFER_BYTES: usize = 64 << 10;

/// How many buffers one [`Watcher::drain`] reads at most, so that a storm of events can't keep the caller.
const BUFFERS_MAX: usize = 16;

// === impl Watcher ===

impl Watcher {
    pub(super) fn new(watches_max: Option<usize>) -> io::Result<Self> {
        Ok(Self {
            inotify: inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?,
            keys: HashMap::new(),
            watches: HashMap::new(),
            watches_max: watches_max.unwrap_or(usize::MAX),
            buffer: vec![MaybeUninit::uninit(); BUFFER_BYTES],
        })
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }

    pub(super) fn used(&self) -> usize {
        self.keys.len()
    }

    /// Watches an open directory for `key`, or changes what is to be known of it.
    pub(super) fn watch(
        &mut self,
        key: Key,
        directory: BorrowedFd<'_>,
        interest: Interest,
    ) -> Result<(), WatchError> {
        if !self.watches.contains_key(&key) && self.watches.len() >= self.watches_max {
            return Err(WatchError::Limit);
        }
        let mask = match interest {
            Interest::Names => NAMES,
            Interest::Writes => NAMES | WatchFlags::MODIFY | WatchFlags::CLOSE_WRITE,
            Interest::Closes => NAMES | WatchFlags::CLOSE_WRITE,
        };
        // By descriptor, so that exactly the directory that was checked is watched, whatever its name means by now.
        let link = format!("/proc/self/fd/{}", directory.as_raw_fd());
        let watch = match inotify::add_watch(&self.inotify, link, mask) {
            Ok(watch) => watch,
            Err(Errno::NOSPC | Errno::NOMEM) => return Err(WatchError::Limit),
            Err(error) => return Err(WatchError::Watch(error.into())),
        };
        if let Some(old) = self.watches.insert(key, watch)
            && old != watch
        {
            self.forget(old);
        }
        self.keys.insert(watch, key);
        Ok(())
    }

    /// Ends the watch of `key`.
    pub(super) fn unwatch(&mut self, key: Key) {
        if let Some(watch) = self.watches.remove(&key) {
            self.forget(watch);
        }
    }

    fn forget(&mut self, watch: i32) {
        self.keys.remove(&watch);
        // The kernel ended the watch itself when the directory went; then there is nothing left to remove.
        if let Err(error) = inotify::remove_watch(&self.inotify, watch)
            && error != Errno::INVAL
        {
            tracing::debug!(%error, "cannot remove a watch");
        }
    }

    /// Hands over what happened, without blocking and bounded; true if events were lost.
    pub(super) fn drain(&mut self, mut each: impl FnMut(Event<'_>)) -> io::Result<bool> {
        let mut lost = false;
        let mut ended = Vec::new();
        let mut buffers = 0;
        let mut reader = inotify::Reader::new(&self.inotify, &mut self.buffer);
        loop {
            if reader.is_buffer_empty() {
                if buffers == BUFFERS_MAX {
                    break;
                }
                buffers += 1;
            }
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            let flags = event.events();
            if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
                lost = true;
                continue;
            }
            let Some(&key) = self.keys.get(&event.wd()) else {
                continue;
            };
            let Some(happening) = happening(flags) else {
                continue;
            };
            if happening == Happening::Ended {
                ended.push(event.wd());
            }
            let name = OsStr::from_bytes(event.file_name().map_or(&[], |name| name.to_bytes()));
            let is_directory = flags.contains(ReadFlags::ISDIR);
            each(Event {
                key,
                happening,
                name,
                is_directory,
            });
        }
        for watch in ended {
            if let Some(key) = self.keys.remove(&watch) {
                self.watches.remove(&key);
            }
        }
        Ok(lost)
    }
}

fn happening(flags: ReadFlags) -> Option<Happening> {
    if flags.contains(ReadFlags::IGNORED) {
        Some(Happening::Ended)
    } else if flags.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO) {
        Some(Happening::Appeared)
    } else if flags.intersects(ReadFlags::DELETE | ReadFlags::MOVED_FROM) {
        Some(Happening::Vanished)
    } else if flags.contains(ReadFlags::MODIFY) {
        Some(Happening::Written)
    } else if flags.contains(ReadFlags::CLOSE_WRITE) {
        Some(Happening::Closed)
    } else {
        None
    }
}
