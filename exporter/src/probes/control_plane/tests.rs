//! A control plane's files, restarts, and names that look like it.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use super::*;
use crate::text;

const UID: &str = "ffea3941000000000000000000000000";

struct Node(tempfile::TempDir);

impl Node {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn process(&self, pid: u32, name: &str, started: u64, uid: &str) {
        let stat =
            format!("{pid} ({name}) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 {started} 0 0 0\n");
        self.write(&format!("proc/{pid}/stat"), &stat);
        let cgroup = format!("0::/kubepods/burstable/pod{uid}/0123\n");
        self.write(&format!("proc/{pid}/cgroup"), &cgroup);
    }

    fn scrape(&self, probe: &mut ControlPlane) -> Result<String, ProbeError> {
        let place = Place::new(self.0.path());
        let context = Context {
            place: &place,
            now: SystemTime::now(),
            deadline: Instant::now() + Duration::from_secs(10),
        };
        let mut out = Families::new(1000);
        probe.collect(&context, &mut out)?;
        out.settle();
        assert!(out.take_dropped().is_empty());
        let mut shown = String::new();
        for group in out.groups() {
            text::write(group, &mut shown);
        }
        Ok(shown)
    }
}

const SCHEDULER: &str = "component=\"kube-scheduler\",container=\"kube-scheduler\",namespace=\"kube-system\",pod=\"kube-scheduler-a\"";

#[test]
fn restarts_are_the_newest_logs_number() {
    let node = Node::new();
    let directory = format!("var/log/pods/kube-system_kube-scheduler-a_{UID}/kube-scheduler");
    node.write(&format!("{directory}/3.log.20261121-115441.gz"), "");
    node.write(&format!("{directory}/4.log"), "");
    node.write(&format!("{directory}/lost"), "");
    node.write("etc/kubernetes/manifests/kube-scheduler.yaml", "");
    node.write("etc/kubernetes/manifests/etcd.yaml.bak", "");
    node.write("etc/kubernetes/manifests/kube-apiserver.yaml", "");
    node.write(
        "proc/stat",
        "cpu  1 2 3 4\ncpu0 1 2 3 4\nctxt 5\nbtime 1000\nprocesses 6\n",
    );
    node.process(7, "kube-scheduler", 200, UID);
    let mut probe = ControlPlane::default();
    let shown = node.scrape(&mut probe).unwrap();
    for line in [
        &format!("control_plane_container_restarts_total{{{SCHEDULER},uid=\"{UID}\"}} 4\n"),
        &format!("control_plane_process_starts_observed_total{{{SCHEDULER}}} 0\n"),
        "control_plane_process_start_time_seconds{component=\"kube-scheduler\",pod=\"kube-scheduler-a\"} 1002\n",
        "control_plane_container_running{component=\"kube-scheduler\",pod=\"kube-scheduler-a\"} 1\n",
        "control_plane_container_running{component=\"kube-apiserver\",pod=\"\"} 0\n",
        "control_plane_container_expected{component=\"etcd\"} 0\n",
        "control_plane_container_expected{component=\"kube-apiserver\"} 1\n",
    ] {
        assert!(shown.contains(line), "no {line} in:\n{shown}");
    }
}

#[test]
fn a_start_is_seen_even_if_the_manifest_changed_meanwhile() {
    let node = Node::new();
    let second = UID.replace('f', "e");
    let log =
        |uid: &str| format!("var/log/pods/kube-system_kube-scheduler-a_{uid}/kube-scheduler/0.log");
    node.write(&log(UID), "");
    node.process(7, "kube-scheduler", 200, UID);
    let mut probe = ControlPlane::default();
    node.scrape(&mut probe).unwrap();
    fs::remove_dir_all(node.0.path().join("proc/7")).unwrap();
    let shown = node.scrape(&mut probe).unwrap();
    assert!(
        shown.contains(&format!("observed_total{{{SCHEDULER}}} 0\n")),
        "still there while it is down:\n{shown}"
    );
    assert!(
        shown.contains("running{component=\"kube-scheduler\",pod=\"kube-scheduler-a\"} 0\n"),
        "{shown}"
    );
    node.write(&log(&second), "");
    let later = SystemTime::now() + Duration::from_mins(1);
    let file = fs::File::options()
        .write(true)
        .open(node.0.path().join(log(&second)))
        .unwrap();
    file.set_modified(later).unwrap();
    node.process(9, "kube-scheduler", 900, &second);
    let shown = node.scrape(&mut probe).unwrap();
    assert!(
        shown.contains(&format!("observed_total{{{SCHEDULER}}} 1\n")),
        "{shown}"
    );
    assert!(
        shown.contains(&format!(
            "restarts_total{{{SCHEDULER},uid=\"{second}\"}} 0\n"
        )),
        "{shown}"
    );
}

#[test]
fn a_node_without_a_control_plane_is_no_failure() {
    let node = Node::new();
    node.process(3, "java", 1, UID);
    let error = node.scrape(&mut ControlPlane::default()).unwrap_err();
    assert_eq!(error.reason(), Reason::NoFile);
}

#[test]
fn the_real_pods_of_the_fixture_node() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/node");
    let found: Vec<(String, u64)> = containers(&Place::new(root))
        .into_iter()
        .map(|container| (container.component.to_owned(), container.restarts))
        .collect();
    let wanted = [
        ("etcd", 0),
        ("kube-controller-manager", 4),
        ("kube-scheduler", 1),
    ];
    assert_eq!(
        found,
        wanted.map(|(name, restarts)| (name.to_owned(), restarts))
    );
}

#[test]
fn names_are_cut_by_the_kernel() {
    let line = |name: &str| format!("7 ({name}) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 55 0\n");
    assert_eq!(
        stat(&line("kube-controller")),
        Some(("kube-controller-manager", 55))
    );
    assert_eq!(stat(&line("etcd")), Some(("etcd", 55)));
    assert_eq!(stat(&line("etcdctl")), None);
    assert_eq!(stat("7 (etcd"), None);
    assert_eq!(life("0.log"), Some(0));
    assert_eq!(life("12.log.1"), Some(12));
    assert_eq!(life("1.logs"), None);
}
