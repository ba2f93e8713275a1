//! What do the events of inotify change? They keep the table true between two scans.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use super::docker::CONFIG_NAMES;
use super::tree::{Key, Knowledge, Role};
use super::walk::{Child, child_role};
use super::watch::{Happening, Interest, LIMIT_FILE, WatchError};
use super::{Changes, Discovery};

/// How long a directory rests after it was listed, by entry: a tenth of the time goes into listing at most.
const REST_PER_ENTRY: Duration = Duration::from_micros(20);

/// Directories with fewer entries never rest, so that a new file is seen at once.
const REST_ENTRIES_MIN: usize = 1_000;

/// How long to wait before a directory is tried again that could not be listed.
const RETRY: Duration = Duration::from_secs(1);

impl Discovery {
    pub(super) fn watch(&mut self, key: Key, directory: &OwnedFd) {
        let Some(known) = self.tree.get(key) else {
            return;
        };
        let interest = match (known.role.has_logs(), known.is_hot || known.is_unwanted) {
            (false, _) => Interest::Names,
            (true, false) => Interest::Writes,
            (true, true) => Interest::Closes,
        };
        match self.watcher.watch(key, directory.as_fd(), interest) {
            Ok(()) => _ = self.unwatched.remove(&key),
            Err(WatchError::Limit) => {
                self.unwatched.insert(key);
                if !self.is_limit_said {
                    self.is_limit_said = true;
                    tracing::warn!(
                        watches = self.watcher.used(),
                        remedy = "raise sysctl fs.inotify.max_user_watches",
                        limit_file = LIMIT_FILE,
                        "limit of inotify watches reached, new lines are seen only every few seconds"
                    );
                }
            }
            Err(error @ WatchError::Watch(_)) => {
                self.unwatched.insert(key);
                let path = known.place.path();
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(?path, cause, "cannot watch directory");
            }
        }
    }

    /// Watches a directory again, as its interest or its stream changed.
    pub(super) fn rewatch(&mut self, key: Key) {
        let Some(known) = self.tree.get(key) else {
            return;
        };
        let Ok(directory) = self.root.directory(&known.place) else {
            return;
        };
        let Ok(stat) = rustix::fs::fstat(&directory) else {
            return;
        };
        if known.inode == (stat.st_dev, stat.st_ino) {
            self.watch(key, &directory);
        }
    }

    /// Takes what inotify has to tell into the table, and into `changes` what concerns files alone.
    pub(super) fn take_events(&mut self, now: Instant, changes: &mut Changes) {
        let mut written: HashMap<Key, BTreeMap<OsString, bool>> = HashMap::new();
        let mut named: Vec<(Key, Happening, OsString, bool)> = Vec::new();
        let drained = self.watcher.drain(|event| {
            let is_close = match event.happening {
                Happening::Written => false,
                Happening::Closed => true,
                Happening::Appeared | Happening::Vanished | Happening::Ended => {
                    let name = event.name.to_owned();
                    named.push((event.key, event.happening, name, event.is_directory));
                    return;
                }
            };
            let names = written.entry(event.key).or_default();
            match names.get_mut(event.name) {
                Some(closed) => *closed |= is_close,
                None => _ = names.insert(event.name.to_owned(), is_close),
            }
        });
        match drained {
            Ok(lost) => changes.overflow = lost,
            Err(error) => {
                tracing::warn!(%error, "cannot read inotify events");
                changes.overflow = true;
            }
        }
        named.dedup();
        for (key, happening, name, is_directory) in &named {
            match happening {
                Happening::Ended => self.ended(*key, now),
                Happening::Appeared => {
                    self.name_vanished(*key, name, now);
                    self.name_appeared(*key, name, *is_directory, now);
                }
                Happening::Vanished => self.name_vanished(*key, name, now),
                Happening::Written | Happening::Closed => {}
            }
        }
        for (key, names) in written {
            for (name, closed) in names {
                self.file_changed(key, name, closed, now, changes);
            }
        }
    }

    /// The kernel ended a watch: the directory is gone, or its file system is.
    pub(super) fn ended(&mut self, key: Key, now: Instant) {
        let Some(known) = self.tree.get(key) else {
            return;
        };
        let parent = known.parent.clone();
        self.leave(key, now);
        // What a mount had hidden may stand there now.
        if let Some((parent, name)) = parent {
            self.name_appeared(parent, OsStr::new(&name), true, now);
        }
    }

    /// A name went from a directory, or came anew: what stood under it may be gone.
    fn name_vanished(&mut self, key: Key, name: &OsStr, now: Instant) {
        let Some(known) = self.tree.get(key) else {
            return;
        };
        let Some(text) = name.to_str() else {
            if known.role.has_logs() {
                self.mark(key, now);
            }
            return;
        };
        if known.role.is_log(text) {
            self.mark(key, now);
        }
        if let Some(child) = self.tree.child(key, text)
            && self.is_replaced(child)
        {
            self.leave(child, now);
        }
    }

    /// Whether another directory or none stands where one was; false if that can't be told now.
    fn is_replaced(&self, key: Key) -> bool {
        let Some(known) = self.tree.get(key) else {
            return false;
        };
        self.inode(&known.place)
            .is_ok_and(|inode| inode != Some(known.inode))
    }

    /// A name came into a directory.
    fn name_appeared(&mut self, key: Key, name: &OsStr, is_directory: bool, now: Instant) {
        let Some(name) = name.to_str() else { return };
        // A link on the way to a root may lead to a directory, too.
        self.arrive_wanted(key, name, now);
        let Some(known) = self.tree.get(key) else {
            return;
        };
        let depth_max = self.settings.volumes.map_or(0, |limits| limits.depth_max);
        match &known.role {
            Role::Links => self.read_link(key, name, now),
            Role::DockerContainer(_) if CONFIG_NAMES.contains(&name) => self.know_docker(key, now),
            role if is_directory => match child_role(role, name, depth_max) {
                Child::Of(role) => self.arrive_child(key, name, role, None, now),
                Child::Unknown => self.unknown_names += 1,
                Child::TooDeep => self.note_too_deep(),
                Child::Uninteresting => {}
            },
            _ => {}
        }
    }

    /// A file was written to, or its writer closed it.
    fn file_changed(
        &mut self,
        key: Key,
        name: OsString,
        closed: bool,
        now: Instant,
        changes: &mut Changes,
    ) {
        let Some(known) = self.tree.get(key) else {
            return;
        };
        let (id, role) = (known.id, &known.role);
        let Some(text) = name.to_str() else { return };
        if let Role::DockerContainer(container) = role {
            if closed && CONFIG_NAMES.contains(&text) {
                return self.know_docker(key, now);
            }
            // A sandbox is listed only when it says something.
            if let Knowledge::Known { facts, .. } = &container.knowledge
                && facts.is_sandbox()
            {
                return self.mark(key, now);
            }
        }
        if !role.is_log(text) {
            return;
        }
        if closed {
            changes.closed.push((id, name.clone()));
        }
        changes.grown.push((id, name));
    }

    /// Has a directory listed as soon as it has rested.
    pub(super) fn mark(&mut self, key: Key, now: Instant) {
        let Some(known) = self.tree.get(key) else {
            return;
        };
        let entries = known.tally.entries;
        let rest = if entries < REST_ENTRIES_MIN {
            None
        } else {
            let rest = REST_PER_ENTRY.saturating_mul(u32::try_from(entries).unwrap_or(u32::MAX));
            known.listed.and_then(|listed| listed.checked_add(rest))
        };
        let at = rest.map_or(now, |rest| rest.max(now));
        let due = self.due.entry(key).or_insert(at);
        *due = (*due).min(at);
    }

    /// Has the caller try a directory again that could not be listed.
    pub(super) fn retry(&mut self, key: Key, now: Instant) {
        if let Some(at) = now.checked_add(RETRY) {
            self.due.insert(key, at);
        }
    }
}
