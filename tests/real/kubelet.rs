//! A real kubelet with a real containerd: crash loops, 16 KiB pieces, rotation, gzip, deletion, emptyDir files, under
//! a `--root-dir` that only the running kubelet's command line tells.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tests::Nodetap;
use tests::process::Running;

use crate::machine::Machine;
use crate::stopwatch::{Stopwatch, within};
use crate::truth::Truth;
use crate::witness::Witness;

/// Where nobody would look.
pub(crate) const ROOT_DIRECTORY: &str = "/srv/kubelet";
/// Pods start within seconds; the kubelet collects the logs of removed ones once a minute.
const PATIENCE: Duration = Duration::from_mins(3);
const IMAGE: &str = "localhost/nodetap/writer:1";

/// 200-byte lines at 600 KB/s: a rotation at each look of the kubelet.
const STEADY: &str = "-tag=steady -rate=3000 -size=200";

#[test]
fn every_line_of_a_real_kubelet() {
    let mut watch = Stopwatch::start("kubelet");
    let machine = Machine::kubelet(ROOT_DIRECTORY);
    watch.did("built or found and started a kubelet");
    let witness = Witness::watch(&[
        machine.directory("var-log/pods"),
        machine.directory("kubelet/pods"),
    ]);
    let nodetap = machine.nodetap();
    let pods = start_pods(&machine);
    let running = live_through_restarts(&machine, &witness, &nodetap);
    watch.did("wrote through rotations, crashes, a deletion and restarts");
    for pod in pods {
        machine.remove_pod(pod);
    }
    wait_for_the_end_of_all_containers(&machine);
    running.settle().must_have_lost_nothing();
    running.stop();
    let documents = nodetap.documents(&[]);
    let truth = testimony(witness);
    let tally = truth
        .compare(&documents, |_| false)
        .unwrap_or_else(|report| panic!("{report}"));
    watch.did(&format!(
        "found {} lines of {} streams once each",
        tally.lines, tally.streams
    ));
    the_situations_took_place(&truth);
    drop(machine);
    watch.did("ended the kubelet");
}

/// What was removed before anyone could open it must be counted, and shown where it stood.
#[test]
fn what_a_real_kubelet_deleted_while_we_were_down_is_a_gap() {
    let mut watch = Stopwatch::start("kubelet, long down");
    let machine = Machine::kubelet(ROOT_DIRECTORY);
    let witness = Witness::watch(&[machine.directory("var-log/pods")]);
    let nodetap = machine.nodetap();
    add(
        &machine,
        "shop",
        "steady",
        &[("steady", STEADY)],
        &json!({}),
    );
    add(
        &machine,
        "shop",
        "gone",
        &[("gone", "-tag=gone -rate=50")],
        &json!({}),
    );
    add(
        &machine,
        "shop",
        "quiet",
        &[("quiet", "-tag=quiet -rate=20")],
        &json!({}),
    );
    let running = nodetap.start();
    witness.wait_for_bytes("_gone-", 10_000);
    witness.wait_for_bytes("_steady-", 3_000_000);
    running.stop();
    machine.remove_pod("gone");
    witness.wait_for_files("_steady-", 8);
    within(
        PATIENCE,
        "the kubelet removes the log of a pod that is gone",
        || match find_pod(&machine, "_gone-") {
            None => Ok(()),
            Some(name) => Err(format!("{name} is still there")),
        },
    );
    watch.did("rotated and deleted while nodetap was down");
    let running = nodetap.start();
    machine.remove_pod("steady");
    machine.remove_pod("quiet");
    wait_for_the_end_of_all_containers(&machine);
    running.settle().must_balance();
    running.stop();
    let documents = nodetap.documents(&[]);
    let truth = testimony(witness);
    let may_lose = |stream: &str| stream.ends_with("/steady") || stream.ends_with("/gone");
    let tally = truth
        .compare(&documents, may_lose)
        .unwrap_or_else(|report| panic!("{report}"));
    assert!(
        tally.lost > 0,
        "eight rotations of four kept files lose something"
    );
    watch.did(&format!(
        "missed {} of {} lines, each behind a gap",
        tally.lost, tally.lines
    ));
}

/// One pod for each thing that a platform does to logs.
fn start_pods(machine: &Machine) -> [&'static str; 6] {
    let web = [
        ("web", "-tag=web -rate=50 -stderr-every=4"),
        ("side", "-tag=side -rate=1"),
    ];
    add(machine, "default", "web", &web, &json!({}));
    add(machine, "shop", "steady", &[("steady", STEADY)], &json!({}));
    add(
        machine,
        "shop",
        "doomed",
        &[("doomed", "-tag=doomed -rate=1000 -size=300")],
        &json!({}),
    );
    // Lines of three pieces in between, on both outputs: pieces stand apart, and across rotations.
    let long = "-tag=long -rate=1000 -size=300 -long-every=50 -long-size=40000 -stderr-every=3";
    add(machine, "shop", "long", &[("long", long)], &json!({}));
    let init = json!({"initContainers": [container("init", "-tag=init -rate=100 -lines=5")]});
    let crash = "-tag=crash -rate=20 -lines=40 -exit=1";
    add(machine, "shop", "crash", &[("crash", crash)], &init);
    let last = "-tag=last -rate=10 -lines=4 -size=40000 -no-newline -stderr-every=2";
    add(
        machine,
        "default",
        "last",
        &[("last", last)],
        &json!({"restartPolicy": "Never"}),
    );
    let files = "-tag=files -rate=200 -file=/logs/app.log -rotate=100000";
    let volume = json!({"volumes": [{"name": "logs", "emptyDir": {}}]});
    add(machine, "shop", "files", &[("files", files)], &volume);
    ["web", "steady", "long", "crash", "last", "files"]
}

/// Stops, starts and kills nodetap while the kubelet goes on, and gives the last one running.
fn live_through_restarts(machine: &Machine, witness: &Witness, nodetap: &Nodetap) -> Running {
    let running = nodetap.start();
    witness.wait_for_files("_steady-", 5);
    witness.wait_for_files("/crash/", 2);
    machine.remove_pod("doomed");
    witness.wait_for_files("_steady-", 2);
    running.stop();
    witness.wait_for_files("_steady-", 2);
    let mut running = nodetap.start();
    for _ in 0..4 {
        witness.wait_for_bytes("_steady-", 1_700_000);
        running.kill();
        running = nodetap.start();
    }
    within(
        PATIENCE,
        "the kubelet removes the log of a removed pod",
        || match find_pod(machine, "_doomed-") {
            None => Ok(()),
            Some(name) => Err(format!("{name} is still there")),
        },
    );
    running
}

fn the_situations_took_place(truth: &Truth) {
    let long = truth
        .lines("/long")
        .iter()
        .filter(|line| line.text.len() > 32 * 1024)
        .count();
    assert!(long > 100, "only {long} lines were long");
    assert_eq!(
        truth.lines("/last").len(),
        4,
        "the last line without a newline is a line"
    );
    assert_eq!(truth.lines("/init").len(), 5);
    assert!(
        truth.lines("/crash").len() >= 120,
        "the crashing container lived three times"
    );
    assert!(!truth.lines("/doomed").is_empty());
    assert!(
        truth.lines("/logs/app.log").len() > 1000,
        "the file in the volume was rotated"
    );
}

pub(crate) fn testimony(witness: Witness) -> Truth {
    let exhibits = witness.testify();
    let files = Truth::of_text(&exhibits, |path| {
        let (_, place) = path.split_once("/kubelet/pods/")?;
        Some(format!("{ROOT_DIRECTORY}/pods/{}", place.split_once(".log")?.0) + ".log")
    });
    let truth = Truth::of_pods(&exhibits).and(files);
    truth.must_be_whole();
    truth
}

fn container(name: &str, arguments: &str) -> Value {
    let command: Vec<&str> = ["writer"].into_iter().chain(arguments.split(' ')).collect();
    let mounts = if arguments.contains("-file=/logs/") {
        json!([{"name": "logs", "mountPath": "/logs"}])
    } else {
        json!([])
    };
    json!({"name": name, "image": IMAGE, "imagePullPolicy": "Never", "command": command, "volumeMounts": mounts})
}

/// Adds a static pod of containers (name, arguments) with further members of its `spec`.
pub(crate) fn add(
    machine: &Machine,
    namespace: &str,
    name: &str,
    containers: &[(&str, &str)],
    more: &Value,
) {
    let containers: Vec<_> = containers
        .iter()
        .map(|(name, arguments)| container(name, arguments))
        .collect();
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace},
        "spec": {"hostNetwork": true, "terminationGracePeriodSeconds": 2, "containers": containers},
    });
    for (member, value) in more.as_object().expect("members of a spec") {
        pod["spec"][member] = value.clone();
    }
    machine.add_pod(name, &pod.to_string());
}

pub(crate) fn find_pod(machine: &Machine, part: &str) -> Option<String> {
    let pods = machine.directory("var-log/pods");
    let names = fs::read_dir(Path::new(&pods))
        .expect("list the pods")
        .flatten();
    names
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .find(|name| name.contains(part))
}

/// Containerd has closed a container's file before its task is gone.
pub(crate) fn wait_for_the_end_of_all_containers(machine: &Machine) {
    within(PATIENCE, "no container runs", || {
        let left = machine.run(&["ctr", "--namespace", "k8s.io", "tasks", "ls", "--quiet"]);
        if left.is_empty() { Ok(()) } else { Err(left) }
    });
}
