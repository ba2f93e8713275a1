//! What do ingress controllers and JVMs cost, and are they held back?
//!
//! A container's cgroup has its CPU time, how often its quota stopped it, and its memory: the hard numbers beside the
//! requests and pauses that other probes show. Whose containers are looked at is told by the programs in them. Both
//! versions of cgroups are read, also where some controllers are of one and some of the other.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::family::{Families, Family};
use crate::labels::Labels;
use crate::place::Place;
use crate::pods::{self, Containers, PodName, Pods};
use crate::probe::{Context, Entry, Pace, Probe, ProbeError, Reason};

use self::read::{Cost, Group};

pub mod read;

/// The line of the table.
pub const ENTRY: Entry = Entry {
    name: "cgroup",
    about: "What do ingress controllers and JVMs cost, and are they held back?",
    families: FAMILIES,
    pace: Pace::Every(Duration::from_secs(15)),
    series_max: 20_000,
    make: |_| Box::new(Cgroups),
};

const L: &[&str] = &["container", "namespace", "pod", "program"];

const CPU: Family = Family::counter(
    "cgroup_cpu_usage_seconds_total",
    L,
    "CPU time of the container with this program.",
);
const CPU_LIMIT: Family = Family::gauge(
    "cgroup_cpu_limit_cores",
    L,
    "CPUs that the container may use at a time; absent where it has no limit.",
);
const PERIODS: Family = Family::counter(
    "cgroup_cpu_periods_total",
    L,
    "Periods of the scheduler in which the container wanted to run; 0 without a limit.",
);
const THROTTLED: Family = Family::counter(
    "cgroup_cpu_throttled_periods_total",
    L,
    "Periods in which the container had used up its limit and was stopped.",
);
const THROTTLED_SECONDS: Family = Family::counter(
    "cgroup_cpu_throttled_seconds_total",
    L,
    "Time for which the container was stopped, summed over its CPUs.",
);
const MEMORY: Family = Family::gauge(
    "cgroup_memory_usage_bytes",
    L,
    "Memory of the container, the cache of its files included.",
);
const WORKING_SET: Family = Family::gauge(
    "cgroup_memory_working_set_bytes",
    L,
    "Memory of the container without files that were not used lately: what the kubelet evicts by.",
);
const MEMORY_LIMIT: Family = Family::gauge(
    "cgroup_memory_limit_bytes",
    L,
    "Memory that the container may have; absent where it has no limit.",
);
const OOM_KILLS: Family = Family::counter(
    "cgroup_memory_oom_kills_total",
    L,
    "Processes of the container that were killed because its memory was full.",
);

const FAMILIES: &[Family] = &[
    CPU,
    CPU_LIMIT,
    PERIODS,
    THROTTLED,
    THROTTLED_SECONDS,
    MEMORY,
    WORKING_SET,
    MEMORY_LIMIT,
    OOM_KILLS,
];

/// The programs whose containers are looked at, as the kernel names their processes: ingress controllers and JVMs.
const PROGRAMS: [&str; 5] = ["envoy", "haproxy", "java", "nginx", "traefik"];

#[derive(Debug)]
struct Cgroups;

/// A container in which such a program runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Container {
    pod: PodName,
    name: String,
    program: &'static str,
}

impl Probe for Cgroups {
    fn collect(&mut self, context: &Context<'_>, out: &mut Families) -> Result<(), ProbeError> {
        let place = context.place;
        let containers = containers(place)?;
        if containers.is_empty() {
            return Ok(());
        }
        let mut readable = false;
        for (container, group) in &containers {
            let cost = group.read(place);
            readable |= cost != Cost::default();
            emit(container, &cost, out);
        }
        if readable {
            Ok(())
        } else {
            Err(ProbeError::unavailable(
                Reason::NoFile,
                "no container's cgroup is found below /sys/fs/cgroup",
            ))
        }
    }
}

/// The containers that these programs run in, each once for each program, with its cgroups.
fn containers(place: &Place) -> Result<BTreeMap<Container, Group>, ProbeError> {
    let processes = place
        .names("proc")
        .map_err(|error| ProbeError::of_read(error, Reason::NoFile))?;
    let mut names: Option<(Pods, Containers)> = None;
    let mut found = BTreeMap::new();
    for process in processes {
        if !process.starts_with(|letter: char| letter.is_ascii_digit()) {
            continue;
        }
        // It may end at any of these reads.
        let Ok(name) = place.text(&format!("proc/{process}/comm")) else {
            continue;
        };
        let Some(program) = PROGRAMS.into_iter().find(|known| *known == name.trim_end()) else {
            continue;
        };
        let Ok(text) = place.text(&format!("proc/{process}/cgroup")) else {
            continue;
        };
        let Some(uid) = pods::uid_of_cgroup(&text) else {
            continue;
        };
        let (pods, containers) =
            names.get_or_insert_with(|| (Pods::read(place), Containers::read(place)));
        let container = Container {
            // A pod whose logs are gone still has its uid.
            pod: pods.of_cgroup(&text).cloned().unwrap_or_else(|| PodName {
                pod: uid,
                ..PodName::default()
            }),
            name: containers.of_cgroup(&text).unwrap_or_default().to_owned(),
            program,
        };
        found
            .entry(container)
            .or_insert_with(|| Group::of_process(&text));
    }
    Ok(found)
}

fn emit(container: &Container, cost: &Cost, out: &mut Families) {
    let labels = Labels::of(&[
        ("container", &container.name),
        ("namespace", &container.pod.namespace),
        ("pod", &container.pod.pod),
        ("program", container.program),
    ]);
    let numbers = [
        (&CPU, cost.cpu_seconds),
        (&CPU_LIMIT, cost.cpu_limit),
        (&THROTTLED_SECONDS, cost.throttled_seconds),
    ];
    for (family, value) in numbers {
        if let Some(value) = value {
            out.push(family, &labels, value);
        }
    }
    let wholes = [
        (&PERIODS, cost.periods),
        (&THROTTLED, cost.throttled_periods),
        (&MEMORY, cost.memory),
        (&WORKING_SET, cost.working_set),
        (&MEMORY_LIMIT, cost.memory_limit),
        (&OOM_KILLS, cost.oom_kills),
    ];
    for (family, value) in wholes {
        if let Some(value) = value {
            out.push(family, &labels, value);
        }
    }
}

#[cfg(test)]
mod tests;
