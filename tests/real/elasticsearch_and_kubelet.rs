//! A real kubelet rotates and deletes while a real Elasticsearch is down for a minute: nothing is lost, nothing doubled.

use std::time::{Duration, Instant};

use serde_json::json;
use tests::cluster::{Cluster, Engine};

use crate::kubelet::{
    ROOT_DIRECTORY, add, find_pod, testimony, wait_for_the_end_of_all_containers,
};
use crate::machine::Machine;
use crate::server::{Doors, Server, take};
use crate::stopwatch::{Stopwatch, within};
use crate::witness::Witness;

/// Longer than the files of a busy container live: 1 MiB each, five of them, looked at every three seconds.
const OUTAGE: Duration = Duration::from_mins(1);
/// The kubelet collects the logs of removed pods once a minute.
const PATIENCE: Duration = Duration::from_mins(3);

#[test]
fn a_minute_without_elasticsearch() {
    let mut watch = Stopwatch::start("kubelet with Elasticsearch");
    let machine = Machine::kubelet(ROOT_DIRECTORY);
    let mut server = take(Engine::Elasticsearch, Doors::Open);
    watch.did("started both");
    let witness = Witness::watch(&[
        machine.directory("var-log/pods"),
        machine.directory("kubelet/pods"),
    ]);
    let pods = start_pods(&machine);
    let nodetap = machine.nodetap().ships_to(&server.access(), &[], "");
    let running = nodetap.start();
    witness.wait_for_files("_steady-", 3);
    witness.wait_for_bytes("_doomed-", 100_000);
    outage(&machine, &witness, &mut server);
    watch.did("stopped Elasticsearch for a minute, and started it");
    witness.wait_for_bytes("_steady-", 1_000_000);
    // What is on its way is sent again by the next process.
    running.kill();
    let running = nodetap.start();
    for pod in pods {
        machine.remove_pod(pod);
    }
    wait_for_the_end_of_all_containers(&machine);
    running.settle().must_have_lost_nothing();
    running.stop();
    let documents = server.documents_by_stream();
    let truth = testimony(witness);
    let tally = truth
        .compare(&documents, |_| false)
        .unwrap_or_else(|report| panic!("{report}\n{}", nodetap.log()));
    watch.did(&format!(
        "found {} lines of {} streams once each",
        tally.lines, tally.streams
    ));
    assert!(!truth.lines("/doomed").is_empty());
    drop(server);
    drop(machine);
    watch.did("ended the kubelet");
}

fn start_pods(machine: &Machine) -> [&'static str; 4] {
    let one = |name: &'static str, arguments: &str, more: &serde_json::Value| {
        let arguments = format!("-tag={name} {arguments}");
        add(machine, "shop", name, &[(name, &arguments)], more);
        name
    };
    let none = json!({});
    let volume = json!({"volumes": [{"name": "logs", "emptyDir": {}}]});
    one("doomed", "-rate=300 -size=300", &none);
    [
        // 600 KB/s: a rotation at each look of the kubelet.
        one("steady", "-rate=600 -size=1000", &none),
        one(
            "long",
            "-rate=100 -size=300 -long-every=50 -long-size=40000 -stderr-every=3",
            &none,
        ),
        one("crash", "-rate=20 -lines=40 -exit=1", &none),
        one(
            "files",
            "-rate=100 -file=/logs/app.log -rotate=100000",
            &volume,
        ),
    ]
}

/// Elasticsearch stops in good order; a pod and many rotated files are deleted before it is back.
fn outage(machine: &Machine, witness: &Witness, server: &mut Server) {
    let begin = Instant::now();
    server.stop();
    machine.remove_pod("doomed");
    // Eight more files are more than the kubelet keeps.
    witness.wait_for_files("_steady-", 8);
    within(
        PATIENCE,
        "the kubelet removes the log of a removed pod",
        || match find_pod(machine, "_doomed-") {
            None => Ok(()),
            Some(name) => Err(format!("{name} is still there")),
        },
    );
    within(PATIENCE, "the minute is over", || {
        match OUTAGE.checked_sub(begin.elapsed()) {
            None => Ok(()),
            Some(rest) => Err(format!("{rest:?} are left")),
        }
    });
    server.run(&[]);
}
