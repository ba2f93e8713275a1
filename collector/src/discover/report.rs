//! What was found where and why, and what was not taken?

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Discovery;
use super::beneath::Refusal;
use super::roots::Holds;
use super::tree::{Knowledge, Role};
use super::watch::LIMIT_FILE;

/// What was found, and what was not taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Where was looked.
    pub roots: Vec<FoundRoot>,
    /// Directories with logs.
    pub directories: usize,
    /// Log files in them, before selection.
    pub files: usize,
    /// The state of the watches.
    pub watches: Watches,
    /// How many files no rule wants, by the rule.
    pub excluded: BTreeMap<String, usize>,
    /// Files that are never opened.
    pub refused: Vec<RefusedFiles>,
    /// Directories that can't be read.
    pub unreadable: Vec<Unreadable>,
    /// Bounds that were reached: what is beyond them is not read.
    pub limits: Vec<String>,
    /// Links by container.
    pub links: Links,
    /// Directories that are the same as another, which has their files.
    pub aliases: BTreeMap<PathBuf, PathBuf>,
    /// Directories of pods and containers with names that are none.
    pub unknown_names: usize,
    /// Docker containers by a log driver whose files are not read.
    pub other_drivers: BTreeMap<String, usize>,
    /// Docker containers without a readable configuration.
    pub without_configuration: usize,
}

/// A place that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundRoot {
    /// Absolute, without the root directory; may have patterns in it.
    pub path: String,
    /// What it holds.
    pub holds: Holds,
    /// Why it was looked at.
    pub why: String,
    /// Whether there is such a directory.
    pub is_there: bool,
}

/// The state of the inotify watches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watches {
    /// How many there are.
    pub used: usize,
    /// How many the kernel gives one user.
    pub limit: Option<u64>,
    /// How many directories have none and are scanned every few seconds instead. The remedy is a higher
    /// `sysctl fs.inotify.max_user_watches`.
    pub missing: usize,
}

/// Files that are never opened, for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedFiles {
    /// What they are.
    pub reason: Refusal,
    /// How many.
    pub count: usize,
    /// Some directories' first.
    pub examples: Vec<String>,
}

/// A directory that can't be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// Without the root directory.
    pub path: PathBuf,
    /// What the kernel said.
    pub error: String,
}

/// The links by container, `/var/log/containers` and those that lead to Docker: a check, not a source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Links {
    /// How many there are in `/var/log/containers`.
    pub count: usize,
    /// How many in pods' directories lead to a container that is taken where Docker has it.
    pub to_docker: usize,
    /// The targets of links that lead to nothing that was found.
    pub to_unknown: Vec<PathBuf>,
}

/// How many examples of one kind are given.
const EXAMPLES_MAX: usize = 20;

impl Discovery {
    /// What was found by now, and what was not taken.
    pub fn report(&self) -> Report {
        let mut report = Report {
            roots: self.found_roots(),
            watches: Watches {
                used: self.watcher.used(),
                limit: std::fs::read_to_string(LIMIT_FILE)
                    .ok()
                    .and_then(|text| text.trim().parse().ok()),
                missing: self.unwatched.len(),
            },
            limits: self.limits.iter().cloned().collect(),
            aliases: self.aliases.clone(),
            unknown_names: self.unknown_names,
            ..Report::default()
        };
        let unreadable = self.unreadable.iter();
        report.unreadable = unreadable
            .map(|(path, error)| Unreadable {
                path: path.clone(),
                error: error.clone(),
            })
            .collect();
        let mut refused: BTreeMap<Refusal, (usize, Vec<String>)> = BTreeMap::new();
        for known in self.tree.directories.values() {
            let tally = &known.tally;
            report.directories += usize::from(known.role.has_logs());
            report.files += tally.files;
            let untaken = tally.untaken.iter();
            report.links.to_docker += untaken
                .clone()
                .map(|untaken| untaken.docker_links)
                .sum::<usize>();
            for (reason, count) in untaken.clone().flat_map(|untaken| &untaken.excluded) {
                *report.excluded.entry(reason.clone()).or_default() += count;
            }
            for (reason, count) in untaken.clone().flat_map(|untaken| &untaken.refused) {
                let (all, examples) = refused.entry(*reason).or_default();
                *all += count;
                if examples.len() < EXAMPLES_MAX {
                    examples.extend(
                        untaken
                            .clone()
                            .filter_map(|untaken| untaken.refused_example.clone()),
                    );
                }
            }
            if let Role::DockerContainer(container) = &known.role {
                report.without_configuration +=
                    usize::from(!matches!(container.knowledge, Knowledge::Known { .. }));
                if let Some(driver) = container
                    .driver
                    .as_deref()
                    .filter(|name| *name != "json-file")
                {
                    *report.other_drivers.entry(driver.to_owned()).or_default() += 1;
                }
            }
        }
        report.refused = refused
            .into_iter()
            .map(|(reason, (count, examples))| RefusedFiles {
                reason,
                count,
                examples,
            })
            .collect();
        report.links.count = self.links.len();
        report.links.to_unknown = self.unknown_links();
        report
    }

    fn found_roots(&self) -> Vec<FoundRoot> {
        let there: Vec<(Holds, PathBuf)> = self
            .tree
            .directories
            .values()
            .filter_map(|known| Some((known.role.holds()?, known.place.path())))
            .collect();
        let candidates = self.candidates.iter();
        candidates
            .map(|candidate| FoundRoot {
                path: candidate.path.clone(),
                holds: candidate.holds,
                why: candidate.why.clone(),
                is_there: is_there(candidate.holds, &candidate.path, &there)
                    || self
                        .aliases
                        .keys()
                        .any(|path| path.to_str() == Some(&candidate.path)),
            })
            .collect()
    }

    fn unknown_links(&self) -> Vec<PathBuf> {
        let targets = self.links.keys().filter(|target| {
            let directory = target
                .parent()
                .and_then(|directory| self.pod_container(directory));
            directory.is_none() && self.docker_container(target).is_none()
        });
        targets.take(EXAMPLES_MAX).cloned().collect()
    }
}

fn is_there(holds: Holds, pattern: &str, there: &[(Holds, PathBuf)]) -> bool {
    let directory = match holds {
        Holds::Host => pattern
            .rsplit_once('/')
            .map_or(pattern, |(directory, _)| directory),
        Holds::Pods | Holds::Links | Holds::Docker | Holds::Volumes => pattern,
    };
    let Ok(glob) = super::select::path_glob(directory) else {
        return false;
    };
    let glob = glob.compile_matcher();
    there
        .iter()
        .any(|(its, path)| *its == holds && glob.is_match(path))
}
