//! Did the control plane restart? Counted from the node, alive when the API server is not.
//!
//! kubelet writes a container's n-th life to `<n>.log`, counting on from the largest number it finds: that number is how
//! often the container restarted. A changed manifest makes a new pod with a new directory and begins at 0, so the start
//! of each process is watched too. A static pod's uid in the directory is the hash of its manifest, not the uid that the
//! API shows: series of the two can't be joined on it.

use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;

use crate::family::{Families, Family};
use crate::labels::Labels;
use crate::machine::Machine;
use crate::place::Place;
use crate::pods::{self, PodName, Pods};
use crate::probe::{Context, Entry, Pace, Probe, ProbeError, Reason};

/// The line of the table.
pub const ENTRY: Entry = Entry {
    name: "control_plane",
    about: "Did the control plane restart, and does it run?",
    families: FAMILIES,
    pace: Pace::Scrape,
    series_max: 2_000,
    make: |_| Box::new(ControlPlane::default()),
};

const RESTARTS: Family = Family::counter(
    "control_plane_container_restarts_total",
    &["component", "container", "namespace", "pod", "uid"],
    "Restarts of a container by the number of its newest log; survives the API server, begins anew with a new uid.",
);
const STARTS: Family = Family::counter(
    "control_plane_process_starts_observed_total",
    &["component", "container", "namespace", "pod"],
    "Starts of a component's process that were seen since nodetap started; the first one seen is 0.",
);
const START_TIME: Family = Family::gauge(
    "control_plane_process_start_time_seconds",
    &["component", "pod"],
    "Start of the component's process since the epoch.",
);
const RUNNING: Family = Family::gauge(
    "control_plane_container_running",
    &["component", "pod"],
    "Whether a process of the component runs; pod is empty where only its manifest is known.",
);
const EXPECTED: Family = Family::gauge(
    "control_plane_container_expected",
    &["component"],
    "Whether the component has a static pod manifest on this node.",
);
const MODIFIED: Family = Family::gauge(
    "control_plane_container_log_modified_timestamp_seconds",
    &["component", "pod"],
    "When the component's newest log was last written to, since the epoch.",
);

const FAMILIES: &[Family] = &[RESTARTS, STARTS, START_TIME, RUNNING, EXPECTED, MODIFIED];

/// The components, which are also the names of their containers and programs.
const COMPONENTS: [&str; 4] = [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
];

/// The kernel keeps so many letters of a process's name (`TASK_COMM_LEN` without its NUL).
const NAME_LETTERS_MAX: usize = 15;

const LOGS: &str = "var/log/pods";
const MANIFESTS: &str = "etc/kubernetes/manifests";

#[derive(Debug, Default)]
struct ControlPlane {
    seen: BTreeMap<(&'static str, PodName), Seen>,
}

/// The process of a component that was seen last.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    pid: u32,
    /// In ticks since boot.
    started: u64,
    starts: u64,
}

/// A component's container, by its log directory.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Container {
    component: &'static str,
    pod: PodName,
    uid: String,
    restarts: u64,
    log: String,
}

/// A component's process.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Process {
    component: &'static str,
    pod: PodName,
    pid: u32,
    started: u64,
}

impl Probe for ControlPlane {
    fn collect(&mut self, context: &Context<'_>, out: &mut Families) -> Result<(), ProbeError> {
        let place = context.place;
        let expected = manifests(place);
        let containers = containers(place);
        let processes = processes(place, &Pods::read(place));
        if expected.is_empty() && containers.is_empty() && processes.is_empty() {
            return Err(ProbeError::unavailable(
                Reason::NoFile,
                "no part of a control plane is on this node",
            ));
        }
        for component in COMPONENTS {
            let labels = Labels::of(&[("component", component)]);
            out.push(&EXPECTED, &labels, expected.contains(&component));
        }
        for container in &containers {
            emit_container(place, container, out);
        }
        self.emit_processes(place, &processes, out);
        emit_running(&expected, &containers, &processes, out);
        Ok(())
    }
}

// === impl ControlPlane ===

impl ControlPlane {
    /// Counts a start when a component's process is another than the last time.
    fn emit_processes(&mut self, place: &Place, processes: &[Process], out: &mut Families) {
        let boot = Machine::read(place).map(|machine| machine.booted);
        let ticks = rustix::param::clock_ticks_per_second().max(1);
        for process in processes {
            let seen = self
                .seen
                .entry((process.component, process.pod.clone()))
                .or_insert(Seen {
                    pid: process.pid,
                    started: process.started,
                    starts: 0,
                });
            if (seen.pid, seen.started) != (process.pid, process.started) {
                seen.pid = process.pid;
                seen.started = process.started;
                seen.starts += 1;
            }
            if let Some(boot) = boot {
                let labels =
                    Labels::of(&[("component", process.component), ("pod", &process.pod.pod)]);
                let started = boot as f64 + process.started as f64 / ticks as f64;
                out.push(&START_TIME, &labels, started);
            }
        }
        // What was seen once stays, or the next start would begin a series at 0 and nobody would see it grow. The
        // number of a node's static pods is small, and a pod that is gone from the disk is forgotten.
        let pods = place.names(LOGS).unwrap_or_default();
        self.seen.retain(|(_, pod), _| {
            let prefix = format!("{}_{}_", pod.namespace, pod.pod);
            pod.pod.is_empty() || pods.iter().any(|name| name.starts_with(&prefix))
        });
        for ((component, pod), seen) in &self.seen {
            let labels = Labels::of(&[
                ("component", component),
                ("container", component),
                ("namespace", &pod.namespace),
                ("pod", &pod.pod),
            ]);
            out.push(&STARTS, &labels, seen.starts);
        }
    }
}

fn emit_container(place: &Place, container: &Container, out: &mut Families) {
    let labels = Labels::of(&[
        ("component", container.component),
        ("container", container.component),
        ("namespace", &container.pod.namespace),
        ("pod", &container.pod.pod),
        ("uid", &container.uid),
    ]);
    out.push(&RESTARTS, &labels, container.restarts);
    let modified = std::fs::metadata(place.path(&container.log))
        .and_then(|found| found.modified())
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    if let Some(since) = modified {
        let labels = Labels::of(&[
            ("component", container.component),
            ("pod", &container.pod.pod),
        ]);
        out.push(&MODIFIED, &labels, since.as_secs_f64());
    }
}

fn emit_running(
    expected: &[&'static str],
    containers: &[Container],
    processes: &[Process],
    out: &mut Families,
) {
    let mut running: BTreeMap<(&str, &str), bool> = BTreeMap::new();
    for process in processes {
        running.insert((process.component, &process.pod.pod), true);
    }
    for container in containers {
        running
            .entry((container.component, &container.pod.pod))
            .or_insert(false);
    }
    for component in expected {
        if !running.keys().any(|(known, _)| known == component) {
            running.insert((component, ""), false);
        }
    }
    for ((component, pod), runs) in running {
        let labels = Labels::of(&[("component", component), ("pod", pod)]);
        out.push(&RUNNING, &labels, runs);
    }
}

/// The components that have a manifest.
fn manifests(place: &Place) -> Vec<&'static str> {
    let names = place.names(MANIFESTS).unwrap_or_default();
    let stems = names.iter().filter_map(|name| {
        name.strip_suffix(".yaml")
            .or_else(|| name.strip_suffix(".yml"))
            .or_else(|| name.strip_suffix(".json"))
    });
    let stems: Vec<&str> = stems.collect();
    COMPONENTS
        .into_iter()
        .filter(|component| stems.contains(component))
        .collect()
}

/// The components' containers; of a pod that has several directories (its manifest changed) the one written to last.
fn containers(place: &Place) -> Vec<Container> {
    let mut found: BTreeMap<(&'static str, PodName), (std::time::SystemTime, Container)> =
        BTreeMap::new();
    for name in place.names(LOGS).unwrap_or_default() {
        let Some((uid, pod)) = pods::directory(&name) else {
            continue;
        };
        for component in COMPONENTS {
            let directory = format!("{LOGS}/{name}/{component}");
            let Ok(names) = place.names(&directory) else {
                continue;
            };
            let Some(restarts) = names.iter().filter_map(|name| life(name)).max() else {
                continue;
            };
            let log = format!("{directory}/{restarts}.log");
            let written = std::fs::metadata(place.path(&log))
                .and_then(|found| found.modified())
                .unwrap_or(UNIX_EPOCH);
            let container = Container {
                component,
                pod: pod.clone(),
                uid: uid.clone(),
                restarts,
                log,
            };
            let newest = found
                .entry((component, pod.clone()))
                .or_insert_with(|| (written, container.clone()));
            if newest.0 < written {
                *newest = (written, container);
            }
        }
    }
    found
        .into_values()
        .map(|(_, container)| container)
        .collect()
}

/// Which life of a container a log is of: `3.log`, `3.log.20261121-115441`, `3.log.20261121-115441.gz`.
fn life(name: &str) -> Option<u64> {
    let (number, rest) = name.split_once('.')?;
    (rest == "log" || rest.starts_with("log.")).then(|| number.parse().ok())?
}

/// The components' processes; of several (an upgrade, a second cluster on one machine) the oldest of each pod.
fn processes(place: &Place, pods: &Pods) -> Vec<Process> {
    let mut found: BTreeMap<(&'static str, PodName), Process> = BTreeMap::new();
    for name in place.names("proc").unwrap_or_default() {
        let Ok(pid) = name.parse() else {
            continue;
        };
        // The process may end at any of these reads.
        let Some((component, started)) = place
            .text(&format!("proc/{name}/stat"))
            .ok()
            .and_then(|text| stat(&text))
        else {
            continue;
        };
        let cgroup = place
            .text(&format!("proc/{name}/cgroup"))
            .unwrap_or_default();
        let process = Process {
            component,
            pod: pods.of_cgroup(&cgroup).cloned().unwrap_or_default(),
            pid,
            started,
        };
        let oldest = found
            .entry((component, process.pod.clone()))
            .or_insert_with(|| process.clone());
        if process.started < oldest.started {
            *oldest = process;
        }
    }
    found.into_values().collect()
}

/// Reads `/proc/<pid>/stat`; pure. The component it is and its start in ticks since boot, `proc_pid_stat(5)` field 22.
fn stat(text: &str) -> Option<(&'static str, u64)> {
    const START_AFTER_NAME: usize = 19;
    let (before, after) = text.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    let component = COMPONENTS
        .into_iter()
        .find(|component| component.get(..NAME_LETTERS_MAX).unwrap_or(component) == name)?;
    let started = after
        .split_ascii_whitespace()
        .nth(START_AFTER_NAME)?
        .parse()
        .ok()?;
    Some((component, started))
}

#[cfg(test)]
mod tests;
