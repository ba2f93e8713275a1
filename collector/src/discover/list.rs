//! Which log files are in a directory, whose are they, and which of them are wanted?

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use record::origin::{Format, Kind, Link};
use record::{Container, Origin, Pod, Source, Timestamp};
use rustix::fs::{AtFlags, Dir, Stat};
use rustix::io::Errno;

use super::beneath::{self, Refusal, Verdict, is_absent};
use super::docker::Facts;
use super::know::{Hold, hold};
use super::names::{self, Chained};
use super::tree::{Directory, Key, Knowledge, PodNames, Role, Tally};
use super::walk::NAMES_MAX;
use super::{DirId, Discovery, Found, Listing};

/// What a listing came to.
enum Outcome {
    Files(Vec<Found>),
    /// Whose the files are is not known yet; to be asked again then, or when there is news.
    Held(Option<Instant>),
    /// The directory is another or none.
    Gone,
    /// It could not be read this time.
    Failed(io::Error),
}

/// The files of one directory while they are collected.
struct Files<'a> {
    discovery: &'a Discovery,
    known: &'a Directory,
    path: PathBuf,
    /// By what makes the origins of a directory differ: the live file's name.
    origins: BTreeMap<String, Arc<Origin>>,
    found: Vec<Found>,
    tally: Tally,
}

impl Discovery {
    /// Lists directories for the caller, and tells of those that went.
    pub(super) fn listings(&mut self, keys: &[Key], now: Instant) -> Vec<Listing> {
        let ids: BTreeSet<DirId> = keys
            .iter()
            .filter_map(|key| Some(self.tree.get(*key)?.id))
            .collect();
        let mut out = Vec::with_capacity(ids.len());
        for id in ids {
            let Some(files) = self.list_members(id, now) else {
                continue;
            };
            for key in self.tree.members(id).to_vec() {
                if let Some(known) = self.tree.get_mut(key) {
                    known.is_told = true;
                }
            }
            out.push(Listing {
                dir: id,
                files,
                gone: false,
            });
        }
        let gone = self.take_gone().into_iter();
        out.extend(gone.map(|dir| Listing {
            dir,
            files: Vec::new(),
            gone: true,
        }));
        out
    }

    /// The files of all directories of an id; `None` if they can't all be told now.
    fn list_members(&mut self, id: DirId, now: Instant) -> Option<Vec<Found>> {
        let mut all = Vec::new();
        let members = self.tree.members(id).to_vec();
        let mut is_whole = !members.is_empty();
        for key in members {
            self.due.remove(&key);
            if self.is_awaited(key) {
                self.know_docker(key, now);
            }
            if self.tree.get(key).is_some_and(|known| known.id != id) {
                // Its configuration gave it to another stream; that one is told soon.
                is_whole = false;
                continue;
            }
            match self.list(key, now) {
                Outcome::Files(mut files) => all.append(&mut files),
                Outcome::Held(until) => {
                    self.due.extend(until.map(|until| (key, until)));
                    is_whole = false;
                }
                Outcome::Gone => {
                    self.ended(key, now);
                    is_whole &= !self.tree.members(id).is_empty();
                }
                Outcome::Failed(error) => {
                    if let Some(path) = self.tree.get(key).map(|known| known.place.path()) {
                        self.note_unreadable(&path, &error);
                    }
                    self.retry(key, now);
                    is_whole = false;
                }
            }
        }
        is_whole.then(|| {
            all.sort_by(|a, b| {
                let order = |found: &Found| (found.source.link.clone(), found.source.path.clone());
                a.source
                    .origin
                    .stream
                    .cmp(&b.source.origin.stream)
                    .then_with(|| order(a).cmp(&order(b)))
            });
            all
        })
    }

    fn list(&mut self, key: Key, now: Instant) -> Outcome {
        let Some(known) = self.tree.get(key) else {
            return Outcome::Gone;
        };
        let directory = match self.root.directory(&known.place) {
            Ok(directory) => directory,
            Err(error) => {
                let is_gone = is_absent(&error);
                return if is_gone {
                    Outcome::Gone
                } else {
                    Outcome::Failed(error)
                };
            }
        };
        match rustix::fs::fstat(&directory) {
            Ok(stat) if (stat.st_dev, stat.st_ino) == known.inode => {}
            Ok(_) => return Outcome::Gone,
            Err(error) => return Outcome::Failed(error.into()),
        }
        let mut files = Files {
            discovery: self,
            known,
            path: known.place.path(),
            origins: BTreeMap::new(),
            found: Vec::new(),
            tally: Tally::default(),
        };
        if let Err(error) = files.read(directory) {
            return Outcome::Failed(error);
        }
        let (found, tally) = (files.found, files.tally);
        if tally.is_cut {
            self.note_limit(format!(
                "files of {}, {} taken",
                self.path_of(key),
                tally.files
            ));
        }
        let Some(known) = self.tree.get_mut(key) else {
            return Outcome::Gone;
        };
        let is_unwanted = tally.files > 0 && found.is_empty();
        let is_other = std::mem::replace(&mut known.is_unwanted, is_unwanted) != is_unwanted;
        known.tally = tally;
        known.listed = Some(now);
        let held = hold(known, !found.is_empty(), now);
        if is_other {
            self.rewatch(key);
            if !is_unwanted {
                // Writes before the watch was changed were not told.
                self.mark(key, now);
            }
        }
        match held {
            Hold::Free => Outcome::Files(found),
            Hold::Until(until) => Outcome::Held(Some(until)),
            Hold::Unknown => Outcome::Held(None),
        }
    }

    fn path_of(&self, key: Key) -> String {
        self.tree.get(key).map_or_else(String::new, |known| {
            known.place.path().to_string_lossy().into_owned()
        })
    }
}

impl Files<'_> {
    fn read(&mut self, directory: std::os::fd::OwnedFd) -> io::Result<()> {
        let (entries_max, files_max) = self.limits();
        let mut wanted = Vec::new();
        let mut entries = Dir::new(directory)?;
        for entry in entries.by_ref() {
            let entry = entry?;
            self.tally.entries += 1;
            if self.tally.entries > entries_max || wanted.len() >= files_max {
                self.tally.is_cut = true;
                break;
            }
            match entry.file_name().to_str() {
                Ok(name) if self.known.role.is_log(name) => {
                    wanted.push(name.to_owned());
                }
                Ok(_) => {}
                Err(_) => {
                    let name = entry.file_name().to_string_lossy();
                    // Only what would else be taken is worth a word.
                    if self.known.role.is_log(&name) {
                        self.refuse(Refusal::Name, &name);
                    }
                }
            }
        }
        let directory = entries.fd()?;
        for name in wanted {
            let stat = match rustix::fs::statat(directory, &*name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => stat,
                // It went since; an event says so too.
                Err(Errno::NOENT) => continue,
                Err(error) => return Err(error.into()),
            };
            self.take(&name, &stat, directory);
        }
        Ok(())
    }

    fn limits(&self) -> (usize, usize) {
        match (&self.known.role, self.discovery.settings.volumes) {
            (Role::Volume { .. }, Some(limits)) => (limits.entries_max, limits.files_max),
            _ => (NAMES_MAX, NAMES_MAX),
        }
    }

    fn take(&mut self, name: &str, stat: &Stat, directory: BorrowedFd<'_>) {
        match beneath::refusal(stat) {
            None => {}
            Some(Verdict::Directory) => return,
            Some(Verdict::Refused(Refusal::Link)) if self.leads_to_docker(name, directory) => {
                self.tally.untaken().docker_links += 1;
                return;
            }
            Some(Verdict::Refused(refusal)) => return self.refuse(refusal, name),
        }
        let Some(source) = self.source(name, stat) else {
            return;
        };
        self.tally.files += 1;
        if let Some(reason) = self.discovery.settings.select.excluded(&source) {
            *self
                .tally
                .untaken()
                .excluded
                .entry(reason.to_owned())
                .or_default() += 1;
            return;
        }
        self.found.push(Found {
            source,
            device: stat.st_dev,
            inode: stat.st_ino,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            modified: Timestamp(
                stat.st_mtime
                    .saturating_mul(record::time::NANOS_PER_SECOND)
                    .saturating_add(i64::try_from(stat.st_mtime_nsec).unwrap_or(0)),
            ),
            links: stat.st_nlink,
        });
    }

    fn refuse(&mut self, refusal: Refusal, name: &str) {
        let path = self.path.join(name);
        let before = self.known.tally.untaken.as_ref();
        let before = before.and_then(|untaken| untaken.refused.get(&refusal));
        let untaken = self.tally.untaken();
        let count = untaken.refused.entry(refusal).or_default();
        *count += 1;
        // Once for each directory: a tenant can make thousands.
        if before.is_none() && *count == 1 {
            tracing::warn!(?path, reason = %refusal, "refused a file");
        }
        untaken
            .refused_example
            .get_or_insert_with(|| path.to_string_lossy().into_owned());
    }

    fn source(&mut self, name: &str, stat: &Stat) -> Option<Source> {
        let known = self.known;
        let (chained, format, restart_count) = match &known.role {
            Role::PodContainer { .. } => {
                let (restart, chained) = names::pod_log(name)?;
                (chained, Format::Cri, Some(restart))
            }
            Role::DockerContainer(container) => {
                let restart = match &container.knowledge {
                    // A sandbox has a log like all containers, and says something only when it fails.
                    Knowledge::Known { facts, .. } if facts.is_sandbox() && stat.st_size == 0 => {
                        return None;
                    }
                    Knowledge::Known { facts, .. } => facts.restart(),
                    Knowledge::Awaited { .. } | Knowledge::Missing { .. } => None,
                };
                (
                    names::docker_log(name, &container.id)?,
                    Format::JsonFile,
                    restart,
                )
            }
            Role::Volume { .. } => (
                names::text_log(name, &names::is_text_log)?,
                Format::Text,
                None,
            ),
            Role::Host { patterns } => {
                let is_live = |name: &str| patterns.iter().any(|pattern| pattern.is_match(name));
                (names::text_log(name, &is_live)?, Format::Text, None)
            }
            _ => return None,
        };
        let Chained {
            live,
            rotation,
            gzip,
        } = chained;
        let live_path = self.path.join(live);
        let origin = if let Some(origin) = self.origins.get(live) {
            Arc::clone(origin)
        } else {
            let origin = self.origin(&live_path)?;
            self.origins.insert(live.to_owned(), Arc::clone(&origin));
            origin
        };
        Some(Source {
            path: self.path.join(name),
            live_path,
            origin,
            format,
            link: Link {
                restart: restart_count.unwrap_or(0),
                rotation,
                gzip,
            },
            restart_count,
        })
    }

    fn origin(&self, live_path: &std::path::Path) -> Option<Arc<Origin>> {
        let named = |names: &PodNames| Pod {
            namespace: names.namespace.clone(),
            name: names.name.clone(),
            uid: names.uid.clone(),
            ..Pod::default()
        };
        let origin = match &self.known.role {
            Role::PodContainer { pod, container } => Origin {
                stream: format!("{}/{container}", pod.uid),
                pod: Some(named(pod)),
                container: Some(Container {
                    name: container.clone(),
                    id: self
                        .discovery
                        .links
                        .get(live_path)
                        .cloned()
                        .unwrap_or_default(),
                    ..Container::default()
                }),
                kind: Kind::Container,
            },
            Role::DockerContainer(container) => match &container.knowledge {
                Knowledge::Known { origin, .. } | Knowledge::Missing { origin } => {
                    return Some(Arc::clone(origin));
                }
                Knowledge::Awaited { .. } => Facts::default().origin(&container.id),
            },
            Role::Volume { uid, .. } => Origin {
                stream: live_path.to_str()?.to_owned(),
                pod: Some(self.discovery.pods.get(&**uid).map_or_else(
                    || Pod {
                        uid: uid.to_string(),
                        ..Pod::default()
                    },
                    |pod| named(pod),
                )),
                container: None,
                kind: Kind::Volume,
            },
            Role::Host { .. } => Origin {
                stream: live_path.to_str()?.to_owned(),
                kind: Kind::Host,
                ..Origin::default()
            },
            _ => return None,
        };
        Some(Arc::new(origin))
    }

    /// Whether a link in a pod's directory leads to a container that is known by Docker's own directory.
    ///
    /// It is never followed: its file is taken where it stands, with the pod's names from Docker's labels.
    fn leads_to_docker(&self, name: &str, directory: BorrowedFd<'_>) -> bool {
        if !matches!(self.known.role, Role::PodContainer { .. }) {
            return false;
        }
        let Ok(target) = beneath::read_link(directory.as_fd(), OsStr::new(name)) else {
            return false;
        };
        self.discovery.docker_container(&target).is_some()
    }
}
