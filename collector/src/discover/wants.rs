//! What is looked for? Paths from the root directory, by convention, configuration and what runs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};
use std::sync::Arc;

use globset::GlobMatcher;

use super::roots::{self, Candidate, Holds, Running};
use super::select::path_glob;
use super::tree::{Role, Segment, Want};
use super::{DiscoverError, Discovery, Settings};

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
    /// Everything that is looked for, as paths from the root directory.
    pub(super) fn wants(&mut self) -> Vec<Want> {
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
