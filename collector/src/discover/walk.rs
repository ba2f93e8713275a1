//! How does the table of directories become and stay true? By walking what is there, and by what inotify tells.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path};
use std::sync::Arc;
use std::time::Instant;

use globset::GlobMatcher;
use rustix::fs::{Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::beneath::{self, Place};
use super::docker::CONFIG_NAMES;
use super::names;
use super::roots::{self, Candidate, Holds, Running};
use super::select::path_glob;
use super::tree::{DockerContainer, Key, Knowledge, PodNames, Role, Segment, Want};
use super::watch::{Happening, Interest, LIMIT_FILE, WatchError};
use super::{Changes, DirId, DiscoverError, Discovery, RETRY, Settings};

/// How many links, unreadable directories and other curiosities are kept at most for the report.
const KEPT_MAX: usize = 1_000;

/// How many links of `/var/log/containers` are kept at most.
const LINKS_MAX: usize = 100_000;

/// How many names of one directory are looked at, at least, when directories are looked for.
const NAMES_MAX: usize = 100_000;

/// A directory that is about to be entered.
struct Arrival {
    parent: Option<(Key, String)>,
    place: Place,
    role: Role,
    wants: Vec<Want>,
}

/// Refuses patterns that can't be walked.
pub(super) fn check_patterns(settings: &Settings) -> Result<(), DiscoverError> {
    for pattern in settings.docker_roots.iter().chain(&settings.host_logs) {
        let is_plain = Path::new(pattern)
            .components()
            .all(|part| part != Component::ParentDir);
        if !pattern.starts_with('/') || !is_plain || pattern.contains("**") {
            return Err(DiscoverError::Relative {
                pattern: pattern.clone(),
            });
        }
        for part in pattern.split('/') {
            path_glob(part).map_err(|source| DiscoverError::Pattern {
                pattern: pattern.clone(),
                source,
            })?;
        }
    }
    Ok(())
}

impl Discovery {
    /// Walks everything from the root directory; what was not met is gone.
    pub(super) fn walk(&mut self, now: Instant) {
        self.scans += 1;
        self.unreadable.clear();
        self.limits.clear();
        self.aliases.clear();
        self.links.clear();
        self.unknown_names = 0;
        let wants = self.wants();
        let place = Place::new("/");
        match self.root.directory(&place) {
            Ok(directory) => {
                let arrival = Arrival {
                    parent: None,
                    place,
                    role: Role::Way,
                    wants,
                };
                self.enter(arrival, &directory, now);
            }
            Err(error) => {
                // Nothing can be said of what is below; what was known stays.
                self.note_unreadable(Path::new("/"), &error);
                return;
            }
        }
        let scan = self.scans;
        let missed = self
            .tree
            .directories
            .iter()
            .filter(|(_, known)| known.scan != scan);
        let missed: Vec<Key> = missed.map(|(key, _)| *key).collect();
        for key in missed {
            self.leave(key, now);
        }
        let tree = &self.tree;
        let live: BTreeSet<&str> = tree
            .directories
            .values()
            .filter_map(|known| match &known.role {
                Role::Pod(pod) | Role::PodContainer { pod, .. } => Some(&*pod.uid),
                _ => None,
            })
            .collect();
        self.pods
            .retain(|uid, _| live.contains(&**uid) || tree.volumes_of(uid) > 0);
    }

    /// Everything that is looked for, as paths from the root directory.
    fn wants(&mut self) -> Vec<Want> {
        let running = roots::running(&self.root);
        self.candidates = self.candidates(&running);
        let mut hosts: BTreeMap<String, Vec<GlobMatcher>> = BTreeMap::new();
        for pattern in &self.settings.host_logs {
            let Some((directory, name)) = pattern.rsplit_once('/') else {
                continue;
            };
            if let Ok(glob) = path_glob(name) {
                hosts
                    .entry(directory.to_owned())
                    .or_default()
                    .push(glob.compile_matcher());
            }
        }
        let hosts = hosts.into_iter().map(|(path, globs)| {
            (
                path,
                Role::Host {
                    patterns: Arc::new(globs),
                },
            )
        });
        let mut seen = BTreeSet::new();
        let roots = self
            .candidates
            .iter()
            .filter(|candidate| candidate.holds != Holds::Host);
        let roots = roots.map(|candidate| {
            let role = match candidate.holds {
                Holds::Pods => Role::Pods,
                Holds::Links => Role::Links,
                Holds::Docker => Role::DockerContainers,
                Holds::Volumes => Role::VolumePods,
                Holds::Host => Role::Way,
            };
            (candidate.path.clone(), role)
        });
        roots
            .chain(hosts)
            .filter(|(path, _)| seen.insert(path.clone()))
            .map(|(path, role)| Want {
                path: segments(&path),
                at: 0,
                role,
            })
            .collect()
    }

    fn candidates(&self, running: &Running) -> Vec<Candidate> {
        let settings = &self.settings;
        let own = |path: &Path, holds| Candidate {
            path: path.to_string_lossy().into_owned(),
            holds,
            why: "kubelet's convention".to_owned(),
        };
        let mut out = vec![
            own(&settings.pod_logs, Holds::Pods),
            own(&settings.container_links, Holds::Links),
        ];
        out.extend(roots::docker(&self.root, running, &settings.docker_roots));
        if settings.volumes.is_some() {
            out.extend(roots::volumes(running));
        }
        out.extend(settings.host_logs.iter().map(|pattern| Candidate {
            path: pattern.clone(),
            holds: Holds::Host,
            why: "the host logs".to_owned(),
        }));
        out
    }

    /// Enters a directory that is open: watches it first, then looks for directories in it.
    fn enter(&mut self, arrival: Arrival, directory: &OwnedFd, now: Instant) {
        let Ok(stat) = rustix::fs::fstat(directory) else {
            return;
        };
        let inode = (stat.st_dev, stat.st_ino);
        let Some(key) = self.settle(arrival, inode, now) else {
            return;
        };
        self.watch(key, directory);
        self.enter_wanted(key, directory, now);
        self.enter_children(key, directory, now);
    }

    /// Finds or makes the entry of a directory; `None` if it is to be left alone.
    fn settle(&mut self, arrival: Arrival, inode: (u64, u64), now: Instant) -> Option<Key> {
        let Arrival {
            parent,
            place,
            role,
            wants,
        } = arrival;
        let known = self.tree.by_inode(inode);
        if let Some(key) = known {
            let directory = self.tree.get_mut(key)?;
            let is_same = directory.place == place
                && std::mem::discriminant(&directory.role) == std::mem::discriminant(&role);
            if is_same {
                directory.scan = self.scans;
                directory.wants = wants;
                if matches!(role, Role::Host { .. }) {
                    directory.role = role;
                }
                return Some(key);
            }
            let other = directory.place.clone();
            let is_alias = other != place && self.inode(&other) == Some(inode);
            if is_alias {
                // One directory under two names, as with a link from one root to another: taken once.
                if self.aliases.len() < KEPT_MAX {
                    self.aliases.insert(place.path(), other.path());
                }
                return None;
            }
            self.leave(key, now);
        }
        // Another directory may have stood under this name.
        if let Some((parent, name)) = &parent
            && let Some(old) = self.tree.child(*parent, name)
        {
            self.leave(old, now);
        }
        if let Role::Volume { uid, .. } = &role {
            self.admit_volume(uid)?;
        }
        if role.holds().is_some() {
            self.bases.insert(Arc::clone(&place.base));
        }
        if let Role::Pod(pod) = &role {
            self.learn_pod(Arc::clone(pod), now);
        }
        let (has_logs, holds) = (role.has_logs(), role.holds());
        let key = self.tree.insert(parent, place, inode, role);
        match holds {
            Some(Holds::Pods) => self.pod_roots.push(key),
            Some(Holds::Docker) => self.docker_roots.push(key),
            Some(Holds::Links | Holds::Volumes | Holds::Host) | None => {}
        }
        let scan = self.scans;
        if let Some(directory) = self.tree.get_mut(key) {
            directory.scan = scan;
            directory.wants = wants;
        }
        if has_logs {
            self.due.insert(key, now);
        }
        Some(key)
    }

    /// Whether another directory of a pod's volumes may be taken.
    fn admit_volume(&mut self, uid: &str) -> Option<()> {
        let limits = self.settings.volumes?;
        if self.tree.volumes_count >= limits.directories_max {
            let text = format!("{} directories of volumes, at most", limits.directories_max);
            self.note_limit(text);
            return None;
        }
        if self.tree.volumes_of(uid) >= limits.pod_directories_max {
            let most = limits.pod_directories_max;
            self.note_limit(format!(
                "{most} directories of volumes of pod {uid}, at most"
            ));
            return None;
        }
        Some(())
    }

    /// Keeps a pod's names for its volumes, which may have been found before.
    pub(super) fn learn_pod(&mut self, pod: Arc<PodNames>, now: Instant) {
        if self.pods.get(&pod.uid) == Some(&pod) {
            return;
        }
        if self.tree.volumes_of(&pod.uid) > 0 {
            for (key, directory) in &self.tree.directories {
                if matches!(&directory.role, Role::Volume { uid, .. } if **uid == *pod.uid) {
                    self.due.insert(*key, now);
                }
            }
        }
        self.pods.insert(pod.uid.clone(), pod);
    }

    fn inode(&self, place: &Place) -> Option<(u64, u64)> {
        let directory = self.root.directory(place).ok()?;
        rustix::fs::fstat(directory)
            .ok()
            .map(|stat| (stat.st_dev, stat.st_ino))
    }

    /// Enters what is wanted below a directory on the way.
    fn enter_wanted(&mut self, key: Key, directory: &OwnedFd, now: Instant) {
        let Some(known) = self.tree.get(key) else {
            return;
        };
        let mut names: BTreeSet<String> = BTreeSet::new();
        let mut has_pattern = false;
        for want in &known.wants {
            match want.next() {
                Some(Segment::Name(name)) => {
                    names.insert(name.clone());
                }
                Some(Segment::Pattern(_)) => has_pattern = true,
                None => {}
            }
        }
        if has_pattern {
            let wants = known.wants.clone();
            let place = known.place.path();
            let is_wanted = |name: &str| {
                wants
                    .iter()
                    .any(|want| want.next().is_some_and(|segment| segment.is(name)))
            };
            self.each_name(directory, &place, |name, kind| {
                let may_be_directory = matches!(
                    kind,
                    FileType::Directory | FileType::Symlink | FileType::Unknown
                );
                if may_be_directory && is_wanted(name) {
                    names.insert(name.to_owned());
                }
            });
        }
        for name in names {
            self.arrive_wanted(key, &name, now);
        }
    }

    /// Opens a directory on the way, links followed, and enters it.
    fn arrive_wanted(&mut self, key: Key, name: &str, now: Instant) {
        let Some(known) = self.tree.get(key) else {
            return;
        };
        let wants = known.wants.iter();
        let wants = wants.filter(|want| want.next().is_some_and(|segment| segment.is(name)));
        let (goals, wants): (Vec<Want>, Vec<Want>) = wants
            .map(Want::step)
            .partition(|want| want.next().is_none());
        if goals.is_empty() && wants.is_empty() {
            return;
        }
        let role = goals.into_iter().next().map_or(Role::Way, |goal| goal.role);
        let place = Place::new(known.place.path().join(name));
        let opened = self.root.directory(&place);
        let arrival = Arrival {
            parent: Some((key, name.to_owned())),
            place,
            role,
            wants,
        };
        self.arrive(arrival, opened, now);
    }

    /// Enters the directories in one that its role makes interesting.
    fn enter_children(&mut self, key: Key, directory: &OwnedFd, now: Instant) {
        let Some(known) = self.tree.get(key) else {
            return;
        };
        match &known.role {
            Role::Links => return self.read_links(key, directory, now),
            Role::DockerContainer(_) => return self.know_docker(key, now),
            Role::Way | Role::PodContainer { .. } | Role::Host { .. } => return,
            _ => {}
        }
        let (role, path) = (known.role.clone(), known.place.path());
        let depth_max = self.settings.volumes.map_or(0, |limits| limits.depth_max);
        let mut found = Vec::new();
        let mut unknown = 0;
        let mut too_deep = 0;
        self.each_name(directory, &path, |name, kind| {
            if !matches!(kind, FileType::Directory | FileType::Unknown) {
                return;
            }
            match child_role(&role, name, depth_max) {
                Child::Of(role) => found.push((name.to_owned(), role)),
                Child::TooDeep => too_deep += 1,
                Child::Unknown => unknown += 1,
                Child::Uninteresting => {}
            }
        });
        self.unknown_names += unknown;
        if too_deep > 0 {
            self.note_limit(format!("{depth_max} directories deep in a volume, at most"));
        }
        for (name, role) in found {
            self.arrive_child(key, &name, role, Some(directory), now);
        }
    }

    /// Opens a directory whose links are refused, and enters it.
    fn arrive_child(
        &mut self,
        key: Key,
        name: &str,
        role: Role,
        parent: Option<&OwnedFd>,
        now: Instant,
    ) {
        let Some(known) = self.tree.get(key) else {
            return;
        };
        let place = known.place.join(name);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = match parent {
            Some(parent) => {
                rustix::fs::openat(parent, name, flags, Mode::empty()).map_err(io::Error::from)
            }
            None => self.root.directory(&place),
        };
        let arrival = Arrival {
            parent: Some((key, name.to_owned())),
            place,
            role,
            wants: Vec::new(),
        };
        self.arrive(arrival, opened, now);
    }

    fn arrive(&mut self, arrival: Arrival, opened: io::Result<OwnedFd>, now: Instant) {
        let error = match opened {
            Ok(directory) => return self.enter(arrival, &directory, now),
            Err(error) => error,
        };
        let gone = [Errno::NOENT, Errno::NOTDIR, Errno::LOOP, Errno::XDEV];
        if gone
            .iter()
            .any(|gone| error.raw_os_error() == Some(gone.raw_os_error()))
        {
            return;
        }
        self.note_unreadable(&arrival.place.path(), &error);
        // It may be there all the same, so what is known below it stays.
        if let Some((parent, name)) = &arrival.parent
            && let Some(key) = self.tree.child(*parent, name)
        {
            self.keep(key);
        }
    }

    fn keep(&mut self, key: Key) {
        let mut ahead = vec![key];
        while let Some(key) = ahead.pop() {
            let scan = self.scans;
            if let Some(directory) = self.tree.get_mut(key) {
                directory.scan = scan;
                ahead.extend(directory.children.values());
            }
        }
    }

    /// Forgets a directory and all below it.
    pub(super) fn leave(&mut self, key: Key, now: Instant) {
        for (key, directory) in self.tree.remove(key) {
            self.watcher.unwatch(key);
            self.due.remove(&key);
            self.unwatched.remove(&key);
            self.pod_roots.retain(|root| *root != key);
            self.docker_roots.retain(|root| *root != key);
            if !directory.role.has_logs() {
                continue;
            }
            match self.tree.members(directory.id).first() {
                Some(other) => _ = self.due.insert(*other, now),
                None => self.gone.push(directory.id),
            }
        }
    }

    fn watch(&mut self, key: Key, directory: &OwnedFd) {
        let Some(known) = self.tree.get(key) else {
            return;
        };
        let interest = match (known.role.has_logs(), known.is_hot) {
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
        let mut named: Vec<(Key, Happening, OsString)> = Vec::new();
        let drained = self.watcher.drain(|event| {
            let is_close = match event.happening {
                Happening::Written => false,
                Happening::Closed => true,
                Happening::Appeared | Happening::Vanished | Happening::Ended => {
                    named.push((event.key, event.happening, event.name.to_owned()));
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
        for (key, happening, name) in &named {
            match happening {
                Happening::Ended => self.ended(*key, now),
                Happening::Appeared | Happening::Vanished => {
                    self.name_changed(*key, name, *happening == Happening::Appeared, now);
                }
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
            self.name_changed(parent, OsStr::new(&name), true, now);
        }
    }

    /// A name came or went in a directory.
    fn name_changed(&mut self, key: Key, name: &OsStr, appeared: bool, now: Instant) {
        let Some(known) = self.tree.get(key) else {
            return;
        };
        let role = known.role.clone();
        let Some(name) = name.to_str() else {
            if role.has_logs() {
                self.mark(key, now);
            }
            return;
        };
        if let Some(child) = self.tree.child(key, name) {
            let here = self
                .tree
                .get(child)
                .map(|child| (child.place.clone(), child.inode));
            if here.is_some_and(|(place, inode)| self.inode(&place) != Some(inode)) {
                self.leave(child, now);
            }
        }
        if self.is_log(&role, name) {
            self.mark(key, now);
        }
        if !appeared {
            return;
        }
        self.arrive_wanted(key, name, now);
        let depth_max = self.settings.volumes.map_or(0, |limits| limits.depth_max);
        match &role {
            Role::Links => self.read_link(key, name, now),
            Role::DockerContainer(_) if CONFIG_NAMES.contains(&name) => self.know_docker(key, now),
            role => match child_role(role, name, depth_max) {
                Child::Of(role) => self.arrive_child(key, name, role, None, now),
                Child::Unknown => self.unknown_names += 1,
                Child::TooDeep | Child::Uninteresting => {}
            },
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
        if !self.is_log(role, text) {
            return;
        }
        if closed {
            changes.closed.push((id, name.clone()));
        }
        changes.grown.push((id, name));
    }

    /// Whether a name in a directory of this role is a log's.
    pub(super) fn is_log(&self, role: &Role, name: &str) -> bool {
        match role {
            Role::PodContainer { .. } => names::pod_log(name).is_some(),
            Role::DockerContainer(container) => names::docker_log(name, &container.id).is_some(),
            Role::Volume { .. } => names::text_log(name, &names::is_text_log).is_some(),
            Role::Host { patterns } => names::text_log(name, &|name| {
                patterns.iter().any(|pattern| pattern.is_match(name))
            })
            .is_some(),
            _ => false,
        }
    }

    /// Has a directory listed as soon as it has rested.
    pub(super) fn mark(&mut self, key: Key, now: Instant) {
        let Some(known) = self.tree.get(key) else {
            return;
        };
        let entries = known.tally.entries;
        let rest = if entries < super::REST_ENTRIES_MIN {
            None
        } else {
            let rest =
                super::REST_PER_ENTRY.saturating_mul(u32::try_from(entries).unwrap_or(u32::MAX));
            known.listed.and_then(|listed| listed.checked_add(rest))
        };
        let at = rest.map_or(now, |rest| rest.max(now));
        let due = self.due.entry(key).or_insert(at);
        *due = (*due).min(at);
    }

    fn read_links(&mut self, key: Key, directory: &OwnedFd, now: Instant) {
        let Some(known) = self.tree.get(key) else {
            return;
        };
        let path = known.place.path();
        let mut found = Vec::new();
        self.each_name(directory, &path, |name, _| found.push(name.to_owned()));
        for name in found {
            let link = beneath::read_link(directory.as_fd(), OsStr::new(&name));
            self.take_link(&name, link, now);
        }
    }

    fn read_link(&mut self, key: Key, name: &str, now: Instant) {
        let Some(known) = self.tree.get(key) else {
            return;
        };
        let link = self.root.link(&known.place.path().join(name));
        self.take_link(name, link, now);
    }

    /// Learns from a link of `/var/log/containers` which container a log file is of.
    fn take_link(&mut self, name: &str, link: io::Result<std::path::PathBuf>, now: Instant) {
        let (Some(id), Ok(target)) = (names::link_container_id(name), link) else {
            return;
        };
        if self.links.len() >= LINKS_MAX {
            return self.note_limit(format!("{LINKS_MAX} links of containers, at most"));
        }
        let container = target
            .parent()
            .and_then(|directory| self.pod_container(directory));
        self.links.insert(target, id.to_owned());
        if let Some(container) = container {
            self.mark(container, now);
        }
    }

    /// The directory of a pod's container that stands at a path.
    pub(super) fn pod_container(&self, path: &Path) -> Option<Key> {
        let container = path.file_name()?.to_str()?;
        let pod = path.parent()?;
        let root = self.pod_roots.iter().find(|root| {
            self.tree
                .get(**root)
                .is_some_and(|root| Some(&*root.place.base) == pod.parent())
        })?;
        let pod = self.tree.child(*root, pod.file_name()?.to_str()?)?;
        self.tree.child(pod, container)
    }

    /// Gives each name of a directory that is UTF-8 and its kind, as far as the directory tells it.
    ///
    /// A volume's directories are tenants', so it ends after as many names as a listing looks at.
    fn each_name(
        &mut self,
        directory: &OwnedFd,
        path: &Path,
        mut each: impl FnMut(&str, FileType),
    ) {
        let most = self
            .settings
            .volumes
            .map_or(NAMES_MAX, |limits| limits.entries_max.max(NAMES_MAX));
        let mut read = || -> io::Result<()> {
            for entry in Dir::read_from(directory)?.take(most) {
                let entry = entry?;
                if let Ok(name) = entry.file_name().to_str()
                    && name != "."
                    && name != ".."
                {
                    each(name, entry.file_type());
                }
            }
            Ok(())
        };
        if let Err(error) = read() {
            self.note_unreadable(path, &error);
        }
    }

    pub(super) fn note_unreadable(&mut self, path: &Path, error: &io::Error) {
        let is_gone = error.kind() == io::ErrorKind::NotFound;
        if is_gone || self.unreadable.len() >= KEPT_MAX || self.unreadable.contains_key(path) {
            return;
        }
        tracing::warn!(?path, %error, "cannot read directory");
        self.unreadable
            .insert(path.to_path_buf(), error.to_string());
    }

    pub(super) fn note_limit(&mut self, text: String) {
        if self.limits.len() < KEPT_MAX && !self.limits.contains(&text) {
            tracing::warn!(limit = text, "limit reached, what is beyond it is not read");
            self.limits.insert(text);
        }
    }

    /// Has the caller try a directory again that could not be listed.
    pub(super) fn retry(&mut self, key: Key, now: Instant) {
        if let Some(at) = now.checked_add(RETRY) {
            self.due.insert(key, at);
        }
    }

    /// The ids of directories that went since the last call.
    pub(super) fn take_gone(&mut self) -> Vec<DirId> {
        std::mem::take(&mut self.gone)
    }
}

/// What a directory in another is.
enum Child {
    Of(Role),
    TooDeep,
    /// It should have a meaning and has none.
    Unknown,
    Uninteresting,
}

fn child_role(parent: &Role, name: &str, depth_max: usize) -> Child {
    let when = |is: bool, role: Role| {
        if is {
            Child::Of(role)
        } else {
            Child::Uninteresting
        }
    };
    match parent {
        Role::Pods => names::pod_directory(name).map_or(Child::Unknown, |pod| {
            Child::Of(Role::Pod(Arc::new(PodNames {
                namespace: pod.namespace.to_owned(),
                name: pod.name.to_owned(),
                uid: pod.uid.to_owned(),
            })))
        }),
        Role::Pod(pod) if names::is_container(name) => Child::Of(Role::PodContainer {
            pod: Arc::clone(pod),
            container: name.to_owned(),
        }),
        Role::Pod(_) => Child::Unknown,
        Role::DockerContainers => when(
            names::is_container_id(name),
            Role::DockerContainer(Box::new(DockerContainer {
                id: name.to_owned(),
                knowledge: Knowledge::Awaited { until: None },
                driver: None,
            })),
        ),
        Role::VolumePods => when(names::is_uid(name), Role::VolumePod { uid: name.into() }),
        Role::VolumePod { uid } => when(
            name == "volumes",
            Role::Volumes {
                uid: Arc::clone(uid),
            },
        ),
        Role::Volumes { uid } => when(
            name == names::EMPTY_DIRS,
            Role::EmptyDirs {
                uid: Arc::clone(uid),
            },
        ),
        Role::EmptyDirs { uid } => Child::Of(Role::Volume {
            uid: Arc::clone(uid),
            depth: 0,
        }),
        Role::Volume { depth, .. } if *depth >= depth_max => Child::TooDeep,
        Role::Volume { uid, depth } => Child::Of(Role::Volume {
            uid: Arc::clone(uid),
            depth: depth + 1,
        }),
        Role::Way
        | Role::PodContainer { .. }
        | Role::Links
        | Role::DockerContainer(_)
        | Role::Host { .. } => Child::Uninteresting,
    }
}

/// Splits a path into components, each a name or a pattern.
fn segments(path: &str) -> Arc<[Segment]> {
    path.split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .map(|part| match path_glob(part) {
            Ok(glob) if part.contains(['*', '?', '[', '{', '\\']) => {
                Segment::Pattern(glob.compile_matcher())
            }
            Ok(_) | Err(_) => Segment::Name(part.to_owned()),
        })
        .collect()
}
