//! How does the table of directories become and stay true? By walking what is there, and by what inotify tells.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rustix::fs::{Dir, FileType, Mode, OFlags};

use super::beneath::{Place, is_absent};
use super::names;
use super::roots::Holds;
use super::tree::{DockerContainer, Inode, Key, Knowledge, PodNames, Role, Segment, Want};
use super::{DirId, Discovery};

/// How many links, unreadable directories and other curiosities are kept at most for the report.
const KEPT_MAX: usize = 1_000;

/// How many names of one of the platform's own directories are looked at.
pub(super) const NAMES_MAX: usize = 1_000_000;

/// A directory that is about to be entered.
struct Arrival {
    parent: Option<(Key, String)>,
    place: Place,
    role: Role,
    wants: Vec<Want>,
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
            let is_alias = other != place && self.inode(&other).is_ok_and(|its| its == Some(inode));
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
    fn admits_volume(&mut self, uid: &str) -> bool {
        let Some(limits) = self.settings.volumes else {
            return false;
        };
        let (most, most_of_pod) = (limits.directories_max, limits.pod_directories_max);
        if self.tree.volumes_count >= most {
            self.note_limit(format!("{most} directories of volumes, at most"));
            return false;
        }
        if self.tree.volumes_of(uid) >= most_of_pod {
            self.note_limit(format!(
                "{most_of_pod} directories of volumes of pod {uid}, at most"
            ));
            return false;
        }
        true
    }

    /// Says that volumes have directories deeper than is looked.
    pub(super) fn note_too_deep(&mut self) {
        let depth_max = self.settings.volumes.map_or(0, |limits| limits.depth_max);
        self.note_limit(format!("{depth_max} directories deep in a volume, at most"));
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

    /// The inode of the directory that stands at a place, if one does.
    pub(super) fn inode(&self, place: &Place) -> io::Result<Option<Inode>> {
        match self.root.directory(place) {
            Ok(directory) => {
                let stat = rustix::fs::fstat(directory)?;
                Ok(Some((stat.st_dev, stat.st_ino)))
            }
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
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
            self.each_name(directory, &place, NAMES_MAX, |name, kind| {
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
    pub(super) fn arrive_wanted(&mut self, key: Key, name: &str, now: Instant) {
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
        // Volumes' directories are tenants', so no more names are looked at than a listing does.
        let most = match (&role, self.settings.volumes) {
            (Role::Volume { .. }, Some(limits)) => limits.entries_max,
            _ => NAMES_MAX,
        };
        let depth_max = self.settings.volumes.map_or(0, |limits| limits.depth_max);
        let mut found = Vec::new();
        let mut unknown = 0;
        let mut is_too_deep = false;
        self.each_name(directory, &path, most, |name, kind| {
            if !matches!(kind, FileType::Directory | FileType::Unknown) {
                return;
            }
            match child_role(&role, name, depth_max) {
                Child::Of(role) => found.push((name.to_owned(), role)),
                Child::TooDeep => is_too_deep = true,
                Child::Unknown => unknown += 1,
                Child::Uninteresting => {}
            }
        });
        self.unknown_names += unknown;
        if is_too_deep {
            self.note_too_deep();
        }
        for (name, role) in found {
            self.arrive_child(key, &name, role, Some(directory), now);
        }
    }

    /// Opens a directory whose links are refused, and enters it.
    pub(super) fn arrive_child(
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
        if let Role::Volume { uid, .. } = &role
            && known.children.get(name).is_none()
            && !self.admits_volume(uid)
        {
            return;
        }
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
        if is_absent(&error) {
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
                ahead.extend(directory.children.keys());
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
                None if directory.is_told => self.gone.push(directory.id),
                None => {}
            }
        }
    }

    /// Gives each name of a directory that is UTF-8 and its kind, as far as the directory tells it.
    pub(super) fn each_name(
        &mut self,
        directory: &OwnedFd,
        path: &Path,
        most: usize,
        mut each: impl FnMut(&str, FileType),
    ) {
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

    /// The ids of directories that went since the last call.
    pub(super) fn take_gone(&mut self) -> Vec<DirId> {
        std::mem::take(&mut self.gone)
    }
}

/// What a directory in another is.
pub(super) enum Child {
    Of(Role),
    TooDeep,
    /// It should have a meaning and has none.
    Unknown,
    Uninteresting,
}

pub(super) fn child_role(parent: &Role, name: &str, depth_max: usize) -> Child {
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
