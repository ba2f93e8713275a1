//! Which directories are known? A table of them, by parent, by inode and by the stream they belong to.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use globset::GlobMatcher;
use record::origin::Origin;

use super::DirId;
use super::beneath::{Place, Refusal};
use super::children::Children;
use super::docker::Facts;
use super::names;
use super::roots::Holds;

/// One directory of this table; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key(pub(super) u64);

/// A directory's device and inode.
pub(super) type Inode = (u64, u64);

/// A directory that is known.
#[derive(Debug)]
pub(super) struct Directory {
    /// How the caller knows it; the Docker directories of one pod's container share one.
    pub(super) id: DirId,
    pub(super) place: Place,
    pub(super) inode: Inode,
    pub(super) parent: Option<(Key, String)>,
    pub(super) children: Children,
    /// What is looked for further down.
    pub(super) wants: Vec<Want>,
    pub(super) role: Role,
    /// Whether the caller looks at the sizes of the files itself.
    pub(super) is_hot: bool,
    /// Whether all its files are excluded, so that writes into them need not be told.
    pub(super) is_unwanted: bool,
    /// Whether the caller was told of it.
    pub(super) is_told: bool,
    /// The scan that saw it last.
    pub(super) scan: u64,
    /// When it was listed last.
    pub(super) listed: Option<Instant>,
    pub(super) tally: Tally,
}

/// What a directory is for.
#[derive(Clone, Debug)]
pub(super) enum Role {
    /// On the way to another.
    Way,
    /// `/var/log/pods`
    Pods,
    /// `<namespace>_<pod>_<uid>`
    Pod(Arc<PodNames>),
    /// A container's directory below a pod's.
    PodContainer {
        pod: Arc<PodNames>,
        container: String,
    },
    /// `/var/log/containers`
    Links,
    /// `containers` below a data root of Docker.
    DockerContainers,
    /// A container's directory below it.
    DockerContainer(Box<DockerContainer>),
    /// `pods` below kubelet's root.
    VolumePods,
    /// A pod's directory below it.
    VolumePod { uid: Arc<str> },
    /// `volumes`
    Volumes { uid: Arc<str> },
    /// `kubernetes.io~empty-dir`
    EmptyDirs { uid: Arc<str> },
    /// A volume, or a directory in it at a depth of `depth`.
    Volume { uid: Arc<str>, depth: usize },
    /// A directory of the node's own logs.
    Host { patterns: Arc<Vec<GlobMatcher>> },
}

/// Whose pod directory it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PodNames {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) uid: String,
}

/// What is known of a Docker container so far.
#[derive(Clone, Debug)]
pub(super) struct DockerContainer {
    pub(super) id: String,
    pub(super) knowledge: Knowledge,
    pub(super) driver: Option<String>,
}

/// How far a Docker container's configuration is known.
#[derive(Clone, Debug)]
pub(super) enum Knowledge {
    /// Not yet; its files are held back until then.
    Awaited { until: Option<Instant> },
    /// It was read.
    Known { facts: Facts, origin: Arc<Origin> },
    /// It did not come in time; the id has to do, and stays, so that the stream keeps its name.
    Missing { origin: Arc<Origin> },
}

/// Something that is looked for below a directory.
#[derive(Clone, Debug)]
pub(super) struct Want {
    pub(super) path: Arc<[Segment]>,
    /// How many segments are behind.
    pub(super) at: usize,
    pub(super) role: Role,
}

/// One component of a path that is looked for.
#[derive(Clone, Debug)]
pub(super) enum Segment {
    Name(String),
    Pattern(GlobMatcher),
}

/// What the last listing of a directory came upon.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) files: usize,
    pub(super) entries: usize,
    pub(super) is_cut: bool,
    /// Most directories have none of it, and thousands of them are known.
    pub(super) untaken: Option<Box<Untaken>>,
}

/// What a listing came upon and did not take.
#[derive(Debug, Default)]
pub(super) struct Untaken {
    pub(super) excluded: BTreeMap<String, usize>,
    pub(super) refused: BTreeMap<Refusal, usize>,
    pub(super) refused_example: Option<String>,
    pub(super) docker_links: usize,
}

/// The table.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) directories: HashMap<Key, Box<Directory>>,
    inodes: HashMap<Inode, Key>,
    members: HashMap<DirId, Vec<Key>>,
    streams: HashMap<String, DirId>,
    /// How many directories of volumes are known, by the pod's uid.
    volumes: HashMap<Arc<str>, usize>,
    pub(super) volumes_count: usize,
    next: u64,
}

// === impl Tally ===

impl Tally {
    pub(super) fn untaken(&mut self) -> &mut Untaken {
        self.untaken.get_or_insert_default()
    }
}

// === impl Role ===

impl Role {
    /// Whether files of this directory are listed.
    pub(super) fn has_logs(&self) -> bool {
        match self {
            Self::PodContainer { .. }
            | Self::DockerContainer(_)
            | Self::Volume { .. }
            | Self::Host { .. } => true,
            Self::Way
            | Self::Pods
            | Self::Pod(_)
            | Self::Links
            | Self::DockerContainers
            | Self::VolumePods
            | Self::VolumePod { .. }
            | Self::Volumes { .. }
            | Self::EmptyDirs { .. } => false,
        }
    }

    /// Whether a name in a directory of this role is a log's.
    pub(super) fn is_log(&self, name: &str) -> bool {
        match self {
            Self::PodContainer { .. } => names::pod_log(name).is_some(),
            Self::DockerContainer(container) => names::docker_log(name, &container.id).is_some(),
            Self::Volume { .. } => names::text_log(name, &names::is_text_log).is_some(),
            Self::Host { patterns } => names::text_log(name, &|name| {
                patterns.iter().any(|pattern| pattern.is_match(name))
            })
            .is_some(),
            _ => false,
        }
    }

    /// What a root directory of this role holds.
    pub(super) fn holds(&self) -> Option<Holds> {
        match self {
            Self::Pods => Some(Holds::Pods),
            Self::Links => Some(Holds::Links),
            Self::DockerContainers => Some(Holds::Docker),
            Self::VolumePods => Some(Holds::Volumes),
            Self::Host { .. } => Some(Holds::Host),
            Self::Way
            | Self::Pod(_)
            | Self::PodContainer { .. }
            | Self::DockerContainer(_)
            | Self::VolumePod { .. }
            | Self::Volumes { .. }
            | Self::EmptyDirs { .. }
            | Self::Volume { .. } => None,
        }
    }
}

// === impl Want ===

impl Want {
    /// The component that is looked for next; `None` at the goal.
    pub(super) fn next(&self) -> Option<&Segment> {
        self.path.get(self.at)
    }

    /// The same want one directory further down.
    pub(super) fn step(&self) -> Self {
        Self {
            path: Arc::clone(&self.path),
            at: self.at + 1,
            role: self.role.clone(),
        }
    }
}

// === impl Segment ===

impl Segment {
    pub(super) fn is(&self, name: &str) -> bool {
        match self {
            Self::Name(own) => own == name,
            Self::Pattern(glob) => glob.is_match(name),
        }
    }
}

// === impl Tree ===

impl Tree {
    pub(super) fn get(&self, key: Key) -> Option<&Directory> {
        self.directories.get(&key).map(Box::as_ref)
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Directory> {
        self.directories.get_mut(&key).map(Box::as_mut)
    }

    /// The directory that has this inode.
    pub(super) fn by_inode(&self, inode: Inode) -> Option<Key> {
        self.inodes.get(&inode).copied()
    }

    /// The directory `name` in another.
    pub(super) fn child(&self, parent: Key, name: &str) -> Option<Key> {
        self.get(parent)?.children.get(name)
    }

    /// The directories that the caller knows by one id.
    pub(super) fn members(&self, id: DirId) -> &[Key] {
        self.members.get(&id).map_or(&[], Vec::as_slice)
    }

    /// How many directories of a pod's volumes are known.
    pub(super) fn volumes_of(&self, uid: &str) -> usize {
        self.volumes.get(uid).copied().unwrap_or(0)
    }

    /// Enters a directory.
    pub(super) fn insert(
        &mut self,
        parent: Option<(Key, String)>,
        place: Place,
        inode: Inode,
        role: Role,
    ) -> Key {
        self.next += 1;
        let (key, id) = (Key(self.next), DirId(self.next));
        if let Some((parent, name)) = &parent
            && let Some(parent) = self.directories.get_mut(parent)
        {
            parent.children.insert(name, key);
        }
        if let Role::Volume { uid, .. } = &role {
            *self.volumes.entry(Arc::clone(uid)).or_default() += 1;
            self.volumes_count += 1;
        }
        self.inodes.insert(inode, key);
        self.members.insert(id, vec![key]);
        self.directories.insert(
            key,
            Box::new(Directory {
                id,
                place,
                inode,
                parent,
                children: Children::default(),
                wants: Vec::new(),
                role,
                is_hot: false,
                is_told: false,
                is_unwanted: false,
                scan: 0,
                listed: None,
                tally: Tally::default(),
            }),
        );
        key
    }

    /// Gives a Docker directory the id of its pod's container, which other directories may have too.
    pub(super) fn join_stream(&mut self, key: Key, stream: String) -> Option<DirId> {
        let own = self.get(key)?.id;
        let id = *self.streams.entry(stream).or_insert(own);
        if id != own {
            self.members.remove(&own);
            self.members.entry(id).or_default().push(key);
            let is_hot = self
                .members(id)
                .iter()
                .any(|member| self.get(*member).is_some_and(|directory| directory.is_hot));
            let directory = self.get_mut(key)?;
            directory.id = id;
            directory.is_hot = is_hot;
        }
        Some(id)
    }

    /// Takes a directory and all below it out, the lowest first.
    pub(super) fn remove(&mut self, key: Key) -> Vec<(Key, Box<Directory>)> {
        let mut order = vec![key];
        let mut at = 0;
        while let Some(key) = order.get(at) {
            let children = self.get(*key).map(|directory| directory.children.keys());
            let children: Vec<Key> = children.into_iter().flatten().collect();
            order.extend(children);
            at += 1;
        }
        order
            .into_iter()
            .rev()
            .filter_map(|key| Some((key, self.remove_one(key)?)))
            .collect()
    }

    fn remove_one(&mut self, key: Key) -> Option<Box<Directory>> {
        let directory = self.directories.remove(&key)?;
        if let Some((parent, name)) = &directory.parent
            && let Some(parent) = self.directories.get_mut(parent)
            && parent.children.get(name) == Some(key)
        {
            parent.children.remove(name);
        }
        if self.inodes.get(&directory.inode) == Some(&key) {
            self.inodes.remove(&directory.inode);
        }
        if let Role::Volume { uid, .. } = &directory.role {
            self.volumes_count -= 1;
            if let Some(count) = self.volumes.get_mut(uid) {
                *count -= 1;
                if *count == 0 {
                    self.volumes.remove(uid);
                }
            }
        }
        let members = self.members.entry(directory.id).or_default();
        members.retain(|member| *member != key);
        if members.is_empty() {
            self.members.remove(&directory.id);
            if let Role::DockerContainer(container) = &directory.role
                && let Knowledge::Known { origin, .. } = &container.knowledge
            {
                self.streams.remove(&origin.stream);
            }
        }
        Some(directory)
    }
}
