//! What do the links of `/var/log/containers` tell? They are a check and the source of container ids, no second source.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::Discovery;
use super::beneath;
use super::names;
use super::tree::Key;
use super::walk::NAMES_MAX;

/// How many links are kept at most.
const LINKS_MAX: usize = 100_000;

impl Discovery {
    pub(super) fn read_links(&mut self, key: Key, directory: &OwnedFd, now: Instant) {
        let Some(known) = self.tree.get(key) else {
            return;
        };
        let path = known.place.path();
        let mut found = Vec::new();
        self.each_name(directory, &path, NAMES_MAX, |name, _| {
            found.push(name.to_owned());
        });
        for name in found {
            let link = beneath::read_link(directory.as_fd(), OsStr::new(&name));
            self.take_link(&name, link, now);
        }
    }

    pub(super) fn read_link(&mut self, key: Key, name: &str, now: Instant) {
        let Some(known) = self.tree.get(key) else {
            return;
        };
        let link = self.root.link(&known.place.path().join(name));
        self.take_link(name, link, now);
    }

    /// Learns from a link of `/var/log/containers` which container a log file is of.
    fn take_link(&mut self, name: &str, link: io::Result<PathBuf>, now: Instant) {
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

    /// The Docker container whose log stands at a path.
    pub(super) fn docker_container(&self, log: &Path) -> Option<Key> {
        let directory = log.parent()?;
        let id = directory.file_name()?.to_str()?;
        names::docker_log(log.file_name()?.to_str()?, id)?;
        self.docker_roots
            .iter()
            .find_map(|root| self.tree.child(*root, id))
    }
}
