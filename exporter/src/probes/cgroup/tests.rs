//! Costs of both versions, and whose they are.

use std::fs;
use std::path::Path;
use std::time::{Instant, SystemTime};

use proptest::prelude::*;

use super::*;

const UID: &str = "0f2c1a9e-5b7d-4c57-9d0c-5a1f4f6f7a11";
const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A node with a pod in which a program runs.
fn node(cgroup: &str, program: &str) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "proc/7/comm", &format!("{program}\n"));
    write(root.path(), "proc/7/cgroup", cgroup);
    write(root.path(), "proc/8/comm", "sleep\n");
    fs::create_dir_all(root.path().join(format!("var/log/pods/shop_web-1_{UID}"))).unwrap();
    write(
        root.path(),
        &format!("var/log/containers/web-1_shop_app-{ID}.log"),
        "",
    );
    root
}

fn collect(root: &Path) -> (Vec<String>, Result<(), ProbeError>) {
    let place = Place::new(root);
    let context = Context {
        place: &place,
        now: SystemTime::UNIX_EPOCH,
        deadline: Instant::now(),
    };
    let mut families = Families::new(ENTRY.series_max);
    let result = Cgroups.collect(&context, &mut families);
    let mut lines = Vec::new();
    for group in families.groups() {
        let mut text = String::new();
        crate::text::write(group, &mut text);
        lines.extend(
            text.lines()
                .filter(|line| !line.starts_with('#'))
                .map(str::to_owned),
        );
    }
    (lines, result)
}

/// Both versions say the same of a container with half a CPU and 64 MiB.
fn wanted(program: &str) -> Vec<String> {
    let sample = |name: &str, value: &str| {
        format!(
            "cgroup_{name}{{container=\"app\",namespace=\"shop\",pod=\"web-1\",program=\"{program}\"}} {value}"
        )
    };
    vec![
        sample("cpu_limit_cores", "0.5"),
        sample("cpu_periods_total", "40"),
        sample("cpu_throttled_periods_total", "7"),
        sample("cpu_throttled_seconds_total", "1.25"),
        sample("cpu_usage_seconds_total", "2.5"),
        sample("memory_limit_bytes", "67108864"),
        sample("memory_oom_kills_total", "3"),
        sample("memory_usage_bytes", "1000000"),
        sample("memory_working_set_bytes", "600000"),
    ]
}

fn second(root: &Path, group: &str) {
    let files = [
        ("cgroup.procs", "7\n"),
        (
            "cpu.stat",
            "usage_usec 2500000\nuser_usec 1\nnr_periods 40\nnr_throttled 7\nthrottled_usec 1250000\n",
        ),
        ("cpu.max", "50000 100000\n"),
        ("memory.current", "1000000\n"),
        ("memory.max", "67108864\n"),
        ("memory.stat", "anon 5\ninactive_file 400000\n"),
        ("memory.events", "oom 4\noom_kill 3\noom_group_kill 0\n"),
    ];
    for (name, text) in files {
        write(root, &format!("sys/fs/cgroup/{group}/{name}"), text);
    }
}

#[test]
fn the_second_version() {
    let slice = format!(
        "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{}.slice",
        UID.replace('-', "_")
    );
    let group = format!("{slice}/cri-containerd-{ID}.scope");
    let root = node(&format!("0::/{group}/inner\n"), "nginx");
    second(root.path(), &group);
    let (lines, result) = collect(root.path());
    result.unwrap();
    assert_eq!(lines, wanted("nginx"));
    // Without limits.
    write(
        root.path(),
        &format!("sys/fs/cgroup/{group}/cpu.max"),
        "max 100000\n",
    );
    write(
        root.path(),
        &format!("sys/fs/cgroup/{group}/memory.max"),
        "max\n",
    );
    let (lines, _) = collect(root.path());
    assert!(
        !lines.iter().any(|line| line.contains("limit")),
        "{lines:?}"
    );
}

#[test]
fn seen_from_a_container_with_a_cgroup_namespace_of_its_own() {
    let root = node(&format!("0::/../../pod{UID}/{ID}\n"), "java");
    second(root.path(), &format!("kubepods/besteffort/pod{UID}/{ID}"));
    let (lines, result) = collect(root.path());
    result.unwrap();
    assert_eq!(lines, wanted("java"));
}

#[test]
fn the_first_version() {
    let group = format!("kubepods/pod{UID}/{ID}");
    let text = format!("4:memory:/{group}\n2:cpu,cpuacct:/{group}\n0::/\n");
    let root = node(&text, "java");
    let files = [
        (
            "cpu",
            "cpu.stat",
            "nr_periods 40\nnr_throttled 7\nthrottled_time 1250000000\n",
        ),
        ("cpu", "cpu.cfs_quota_us", "50000\n"),
        ("cpu", "cpu.cfs_period_us", "100000\n"),
        ("cpuacct", "cpuacct.usage", "2500000000\n"),
        ("memory", "memory.usage_in_bytes", "1000000\n"),
        ("memory", "memory.limit_in_bytes", "67108864\n"),
        (
            "memory",
            "memory.stat",
            "inactive_file 1\ntotal_inactive_file 400000\n",
        ),
        (
            "memory",
            "memory.oom_control",
            "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
        ),
    ];
    for (controller, name, text) in files {
        write(
            root.path(),
            &format!("sys/fs/cgroup/{controller}/{group}/{name}"),
            text,
        );
    }
    let (lines, result) = collect(root.path());
    result.unwrap();
    assert_eq!(lines, wanted("java"));
    // Without limits.
    for (name, text) in [
        ("cpu/{}/cpu.cfs_quota_us", "-1\n"),
        ("memory/{}/memory.limit_in_bytes", "9223372036854771712\n"),
    ] {
        write(
            root.path(),
            &format!("sys/fs/cgroup/{}", name.replace("{}", &group)),
            text,
        );
    }
    let (lines, _) = collect(root.path());
    assert!(
        !lines.iter().any(|line| line.contains("limit")),
        "{lines:?}"
    );
}

#[test]
fn what_is_in_no_pod_is_not_looked_at() {
    let root = node("0::/system.slice/nginx.service\n", "nginx");
    let (lines, result) = collect(root.path());
    assert!(lines.is_empty() && result.is_ok(), "{lines:?}");
}

#[test]
fn a_node_whose_cgroups_are_not_there_says_so() {
    let root = node(&format!("0::/kubepods/pod{UID}/{ID}\n"), "nginx");
    let (lines, result) = collect(root.path());
    assert!(lines.is_empty(), "{lines:?}");
    assert_eq!(result.unwrap_err().reason(), Reason::NoFile);
}

proptest! {
    #[test]
    fn any_text_ends_without_a_panic(text in "([0-9]:|:|cpu,|memory|/[.]{0,3}|/pod|[0-9a-f]{60,65}|[ä\n]){0,40}") {
        let group = Group::of_process(&text);
        let place = Place::new("/nonexistent");
        prop_assert_eq!(group.read(&place), Cost::default());
    }
}
