//! What does a cgroup say? The files of both versions, by what they mean.
//!
//! `Documentation/admin-guide/cgroup-v2.rst`, and `cgroup-v1/` beside it. Whoever reads `/proc/<pid>/cgroup` in a cgroup
//! namespace of its own (a container) sees paths that climb out of it with `..`: what they climb to is looked for where
//! kubelet has its pods.

use crate::place::Place;
use crate::pods;

/// Where the hierarchies are.
const MOUNT: &str = "sys/fs/cgroup";

/// Where kubelet has its pods' cgroups, by the driver of either kind, as seen from the node's root.
const ABOVE: [&str; 7] = [
    "",
    "kubepods/burstable/",
    "kubepods/besteffort/",
    "kubepods/",
    "kubepods.slice/kubepods-burstable.slice/",
    "kubepods.slice/kubepods-besteffort.slice/",
    "kubepods.slice/",
];

/// From here on a limit of the first version is none: the largest number of pages, in bytes.
const NO_LIMIT: u64 = 1 << 62;

const MICROSECONDS: f64 = 1e6;
const NANOSECONDS: f64 = 1e9;

/// The cgroups of one container, as paths below their hierarchies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Of the first version, by controller.
    cpu: Option<String>,
    cpu_account: Option<String>,
    memory: Option<String>,
    /// Of the second one.
    unified: Option<String>,
}

/// What a container uses and may use; nothing where its cgroups don't tell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cost {
    /// CPU time.
    pub cpu_seconds: Option<f64>,
    /// CPUs at a time.
    pub cpu_limit: Option<f64>,
    /// Periods in which it wanted to run.
    pub periods: Option<u64>,
    /// Those in which it was stopped.
    pub throttled_periods: Option<u64>,
    /// For how long it was stopped.
    pub throttled_seconds: Option<f64>,
    /// In bytes.
    pub memory: Option<u64>,
    /// In bytes, without files that were not used lately.
    pub working_set: Option<u64>,
    /// In bytes.
    pub memory_limit: Option<u64>,
    /// Processes that were killed.
    pub oom_kills: Option<u64>,
}

// === impl Group ===

impl Group {
    /// Reads `/proc/<pid>/cgroup`; pure. What is below the container's own cgroup counts into it.
    pub fn of_process(text: &str) -> Self {
        let mut group = Self::default();
        for line in text.lines() {
            let mut parts = line.splitn(3, ':').skip(1);
            let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
                continue;
            };
            let path = container(path);
            if controllers.is_empty() {
                group.unified = Some(path);
                continue;
            }
            for controller in controllers.split(',') {
                match controller {
                    "cpu" => group.cpu = Some(path.clone()),
                    "cpuacct" => group.cpu_account = Some(path.clone()),
                    "memory" => group.memory = Some(path.clone()),
                    _ => {}
                }
            }
        }
        group
    }

    /// Reads what the container uses.
    pub fn read(&self, place: &Place) -> Cost {
        let mut cost = Cost::default();
        if let Some(unified) = &self.unified {
            for mount in [MOUNT.to_owned(), format!("{MOUNT}/unified")] {
                if let Some(directory) = directory(place, &mount, unified, "cgroup.procs") {
                    second(place, &directory, &mut cost);
                    break;
                }
            }
        }
        let first = |controller: &str, path: &Option<String>, file: &str| {
            directory(
                place,
                &format!("{MOUNT}/{controller}"),
                path.as_ref()?,
                file,
            )
        };
        if let Some(directory) = first("cpu", &self.cpu, "cpu.stat") {
            first_cpu(place, &directory, &mut cost);
        }
        if let Some(directory) = first("cpuacct", &self.cpu_account, "cpuacct.usage") {
            let used = place.number(&format!("{directory}/cpuacct.usage")).ok();
            cost.cpu_seconds = used.map(|used| used as f64 / NANOSECONDS);
        }
        if let Some(directory) = first("memory", &self.memory, "memory.usage_in_bytes") {
            first_memory(place, &directory, &mut cost);
        }
        cost
    }
}

/// The path of the container's own cgroup, without its leading slash and what climbs out of ours.
fn container(path: &str) -> String {
    let mut kept = Vec::new();
    for part in path.split('/') {
        // Nothing else in such a path is special; `..` is only ever at its beginning.
        if matches!(part, "" | "." | "..") {
            continue;
        }
        kept.push(part);
        if part.split(['-', '.', ':']).any(pods::is_container_id) {
            break;
        }
    }
    kept.join("/")
}

/// The directory of a cgroup, by a file that it must have.
fn directory(place: &Place, mount: &str, path: &str, file: &str) -> Option<String> {
    ABOVE
        .iter()
        .map(|above| format!("{mount}/{above}{path}"))
        .find(|directory| place.path(&format!("{directory}/{file}")).is_file())
}

/// The number behind a word at a line's beginning.
fn number(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (known, value) = line.split_once(' ')?;
        (known == name).then(|| value.trim().parse().ok())?
    })
}

fn working_set(used: Option<u64>, inactive: Option<u64>) -> Option<u64> {
    Some(used?.saturating_sub(inactive?))
}

/// Version 2. Where the first one has a controller its files are not here.
fn second(place: &Place, directory: &str, cost: &mut Cost) {
    let text = |name: &str| place.text(&format!("{directory}/{name}")).ok();
    if let Some(stat) = text("cpu.stat") {
        let seconds = |name| Some(number(&stat, name)? as f64 / MICROSECONDS);
        cost.cpu_seconds = seconds("usage_usec");
        cost.throttled_seconds = seconds("throttled_usec");
        cost.periods = number(&stat, "nr_periods");
        cost.throttled_periods = number(&stat, "nr_throttled");
    }
    cost.cpu_limit = text("cpu.max").and_then(|text| {
        let (quota, period) = text.trim().split_once(' ')?;
        limit(quota.parse().ok()?, period.parse().ok()?)
    });
    cost.memory = text("memory.current").and_then(|text| text.trim().parse().ok());
    cost.memory_limit = text("memory.max").and_then(|text| text.trim().parse().ok());
    let stat = text("memory.stat").unwrap_or_default();
    cost.working_set = working_set(cost.memory, number(&stat, "inactive_file"));
    cost.oom_kills = text("memory.events").and_then(|text| number(&text, "oom_kill"));
}

fn limit(quota: u64, period: u64) -> Option<f64> {
    (period > 0).then(|| quota as f64 / period as f64)
}

fn first_cpu(place: &Place, directory: &str, cost: &mut Cost) {
    let stat = place.text(&format!("{directory}/cpu.stat"));
    let stat = stat.unwrap_or_default();
    cost.periods = number(&stat, "nr_periods");
    cost.throttled_periods = number(&stat, "nr_throttled");
    cost.throttled_seconds = number(&stat, "throttled_time").map(|time| time as f64 / NANOSECONDS);
    // No limit is -1, which is no number of ours.
    let read = |name: &str| place.number(&format!("{directory}/{name}")).ok();
    cost.cpu_limit = read("cpu.cfs_quota_us")
        .zip(read("cpu.cfs_period_us"))
        .and_then(|(quota, period)| limit(quota, period));
}

fn first_memory(place: &Place, directory: &str, cost: &mut Cost) {
    let text = |name: &str| {
        place
            .text(&format!("{directory}/{name}"))
            .unwrap_or_default()
    };
    let read = |name: &str| place.number(&format!("{directory}/{name}")).ok();
    cost.memory = read("memory.usage_in_bytes");
    cost.memory_limit = read("memory.limit_in_bytes").filter(|limit| *limit < NO_LIMIT);
    let inactive = number(&text("memory.stat"), "total_inactive_file");
    cost.working_set = working_set(cost.memory, inactive);
    cost.oom_kills = number(&text("memory.oom_control"), "oom_kill");
}
