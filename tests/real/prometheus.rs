//! The whole chain: nodes in trouble, our agent on them, a real Prometheus with our rules, a real Alertmanager with our
//! routes and inhibitions, and a webhook that must be told exactly what is wrong, and then that it is over.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tests::cluster::{Cluster, Engine, Fault};
use tests::elasticsearch::Fake;
use tests::process::{Running, program};
use tests::{Node, Nodetap, Writer};

use self::room::{Room, address, run_on, switch};
use self::watchers::{ALERTMANAGER, PROMETHEUS, Watchers, firing, query};
use crate::component::folder;
use crate::stopwatch::{Stopwatch, within};

mod panels;
mod room;
mod watchers;

/// A switch must be silent for a minute and its alert pend for another; machines that are busy take longer.
const PATIENCE: Duration = Duration::from_mins(5);
/// How often kube-controller-manager ends, and how often that is looked at.
const LIFE: Duration = Duration::from_secs(4);
const LOOK: Duration = Duration::from_millis(100);

/// Whether this machine's clock is right is no matter here.
const CONFIG: &str = "\
cluster: prod
export:
  probes_off: [clock]
  ping_gateways: false
  ping_targets: [core_switch=10.77.0.1]
";
/// A lag of seconds, for nobody has minutes here. Log files are as large as ever, so their loss would be far away if the
/// slow container did not write a lot at once.
const VALUES: &str = "log_lag_seconds: 15\nlog_loss_seconds: 1\n";
const SLOW: &str = "cluster: prod\ncollect: {rate_limit: 1 KiB/s}\n";

/// What the webhook must be told, and nothing else. What stands in [`INHIBITED`]
/// fires too, and is kept from it by what explains it.
const TOLD: [&str; 11] = [
    "applications: JVMFullGCFrequent n2",
    "default: KubeControllerManagerRestart n2",
    "logs: LogCollectionLagging n5",
    "logs: LogSinkRefusing n4",
    "network: CoreSwitchUnreachable n1",
    "network: NodeConntrackSaturated n3",
    "pager: ControlPlaneCrashLooping n2",
    "pager: CoreSwitchUnreachable n1",
    "pager: LogSinkRefusing n4",
    "pager: NodeConntrackSaturated n3",
    DEADMAN,
];
const INHIBITED: [&str; 3] = [
    "LogCollectionLagging n4",
    "NodeConntrackNearLimit n3",
    "NodeReadinessProbeFailed n1",
];
const DEADMAN: &str = "deadman: NodeAgentWatchdog";

/// What `nodetap why` must say: each cause with what it explains.
const CAUSES: [(&str, &[&str]); 6] = [
    (
        "ControlPlaneCrashLooping",
        &["KubeControllerManagerRestart"],
    ),
    ("CoreSwitchUnreachable", &["NodeReadinessProbeFailed"]),
    ("JVMFullGCFrequent", &[]),
    ("LogCollectionLagging", &[]),
    ("LogSinkRefusing", &["LogCollectionLagging"]),
    ("NodeConntrackSaturated", &["NodeConntrackNearLimit"]),
];

#[test]
fn every_fault_is_told_once_and_its_end_too() {
    let mut watch = Stopwatch::start("prometheus");
    let mut nodes = [Node::new(), Node::new(), Node::new()];
    let mut controller = nodes[1].pod(
        "kube-system",
        "kube-controller-manager-n2",
        "kube-controller-manager",
    );
    controller.say(BEGINNING);
    let mut application = nodes[1].pod("shop", "order-1", "app");
    application.say("started");
    let room = Room::with(&nodes.each_ref(), CONFIG);
    watch.did("made a switch and three nodes");
    // In namespaces of their own: Alertmanager puts what is of one into one message.
    let beside = |namespace: &str, pod: &str| {
        let mut node = Node::new();
        let mut writer = node.pod(namespace, pod, "app");
        writer.say("first");
        (node, writer)
    };
    let mut chain = Chain {
        nodes,
        application,
        shipping: beside("shop", "cart-1"),
        slow: beside("bank", "report-1"),
    };
    room.at_the_switch(|| chain.run(controller, &mut watch));
}

/// The first and the last line of kube-controller-manager's life.
const BEGINNING: &str =
    "I1121 12:06:20.110254       1 serving.go:386] Generated self-signed cert in-memory";
const END: &str = "E1121 12:06:59.713560       1 controllermanager.go:340] \"leaderelection lost\"";

/// Where everything goes wrong.
struct Chain {
    nodes: [Node; 3],
    /// A pod of the second node, in which a JVM collects.
    application: Writer,
    /// A node that ships to a cluster, the fourth, and a container on it.
    shipping: (Node, Writer),
    /// A node that may read a little at a time, the fifth, and a container on it.
    slow: (Node, Writer),
}

// === impl Chain ===

impl Chain {
    fn run(&mut self, mut controller: Writer, watch: &mut Stopwatch) {
        let mut cluster = Fake::start(Engine::Elasticsearch);
        let urls = cluster.access().urls.join(", ");
        let shipping = Nodetap::on(&self.shipping.0)
            .config(&format!(
                "cluster: prod\nelasticsearch: {{urls: [\"{urls}\"]}}\n"
            ))
            .collects();
        let slow = Nodetap::on(&self.slow.0).config(SLOW).collects();
        let (ships, lags) = (shipping.start(), slow.start());
        let scratch = tempfile::tempdir().expect("make a directory");
        let targets = targets(&[&ships, &lags]);
        let watchers = Watchers::start(scratch.path(), VALUES, &targets);
        watch.did("started Prometheus and Alertmanager");
        within(
            PATIENCE,
            "five quiet nodes, and a switch that answers",
            || {
                let seen = (
                    query("up == 1")?.len(),
                    query("readiness_check_ready == 1")?.len(),
                    firing()?,
                );
                if seen == (5, 3, quiet()) {
                    Ok(())
                } else {
                    Err(format!("{seen:?}"))
                }
            },
        );
        watch.did("saw that nothing is wrong");

        let crashes = AtomicBool::new(true);
        thread::scope(|scope| {
            scope.spawn(|| crash(&mut controller, &crashes));
            // However this ends, the controller's thread does too.
            let _stop = Stop(&crashes);
            self.bring_trouble(&mut cluster);
            watch.did("brought six faults");
            within(PATIENCE, "the webhook is told what is wrong", || {
                must_be(&told(), &watchers.told("firing"))
            });
            watch.did("the webhook was told");
            within(PATIENCE, "what is inhibited fires too", || {
                let firing = firing()?;
                match INHIBITED.iter().find(|alert| !firing.contains(**alert)) {
                    None => Ok(()),
                    Some(missing) => Err(format!("{missing} is not among {firing:?}")),
                }
            });
            self.causes_are_named();
            watch.did("nodetap why named the causes");
        });

        self.end_trouble(&mut cluster, &slow, &lags);
        let mut over = told();
        over.remove(DEADMAN);
        within(PATIENCE, "the webhook is told that it is over", || {
            must_be(&over, &watchers.told("resolved"))
        });
        within(PATIENCE, "nothing fires any more", || {
            must_be(&quiet(), &firing()?)
        });
        assert_eq!(watchers.told("firing"), told());
        watch.did("the webhook was told that it is over");
    }

    fn bring_trouble(&mut self, cluster: &mut Fake) {
        switch(1, true);
        let scripts = folder().join("prometheus");
        let scripts = scripts.display();
        let uid = self.application.uid();
        run_on(&self.nodes[1], &format!("{scripts}/jvm.sh {uid}"));
        let limit = fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_max");
        let limit: u64 = limit
            .expect("read the limit")
            .trim()
            .parse()
            .expect("a number");
        // From 95 of 100 on the kernel evicts what was never answered.
        let count = limit * 93 / 100;
        run_on(
            &self.nodes[2],
            &format!("python3 {scripts}/fill.py {count}"),
        );
        cluster.induce(&Fault::Killed);
        within(PATIENCE, "the cluster takes nothing", || {
            self.shipping.1.say("nobody takes this");
            some("nodetap_sink_breaker_open{node=\"n4\"} == 1")
        });
        // At once, and more than one look takes: the rest waits until the rate allows for it.
        self.slow.1.lines(6_000);
        within(PATIENCE, "the slow container is behind", || {
            some("log_read_lag_seconds{node=\"n5\"} > 3")
        });
    }

    /// The causes, what each explains, and the last words of the container that crashes.
    fn causes_are_named(&self) {
        let done = Command::new(program())
            .args(["why", "--json", "--alertmanager", ALERTMANAGER])
            .args(["--prometheus", PROMETHEUS, "--state"])
            .arg(self.nodes[1].state())
            .output()
            .expect("run nodetap why");
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        let errors = String::from_utf8_lossy(&done.stderr);
        let report: Value = serde_json::from_str(&text).expect(&errors);
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let name = |alert: &Value| {
            alert["alert"]["name"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        let found: BTreeMap<String, Vec<String>> = list(&report["causes"])
            .iter()
            .map(|cause| {
                (
                    name(cause),
                    list(&cause["explains"]).iter().map(name).collect(),
                )
            })
            .collect();
        let wanted = CAUSES.map(|(cause, explains)| {
            let explains = explains.iter().map(ToString::to_string).collect();
            (cause.to_owned(), explains)
        });
        assert_eq!(found, wanted.into(), "{text}");
        assert!(text.contains("leaderelection lost"), "{text}");
        let inhibited = text.matches("\"quiet\":\"inhibited\"").count();
        assert!(inhibited >= INHIBITED.len(), "{text}");
    }

    fn end_trouble(&mut self, cluster: &mut Fake, slow: &Nodetap, lags: &Running) {
        switch(1, false);
        run_on(&self.nodes[1], "pkill java");
        run_on(&self.nodes[2], "conntrack --flush");
        cluster.heal();
        // The file of the running process, read anew.
        drop(slow.clone().config("cluster: prod\n"));
        lags.reload();
    }
}

/// Keeps crashing until it is told to stop.
fn crash(controller: &mut Writer, crashes: &AtomicBool) {
    while crashes.load(Ordering::Acquire) {
        controller.say(END);
        controller.crash();
        controller.say(BEGINNING);
        let mut lived = Duration::ZERO;
        while lived < LIFE && crashes.load(Ordering::Acquire) {
            thread::sleep(LOOK);
            lived += LOOK;
        }
    }
}

/// Ends a thread when it is dropped.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Whether a query finds anything.
fn some(text: &str) -> Result<(), String> {
    match query(text)?.len() {
        0 => Err(format!("not {text}")),
        _ => Ok(()),
    }
}

fn told() -> BTreeSet<String> {
    TOLD.map(str::to_owned).into()
}

fn quiet() -> BTreeSet<String> {
    BTreeSet::from(["NodeAgentWatchdog".to_owned()])
}

/// What is missing and what is too much.
fn must_be(wanted: &BTreeSet<String>, found: &BTreeSet<String>) -> Result<(), String> {
    if wanted == found {
        return Ok(());
    }
    let missing: Vec<&String> = wanted.difference(found).collect();
    let surplus: Vec<&String> = found.difference(wanted).collect();
    Err(format!("missing {missing:#?}, too much {surplus:#?}"))
}

/// Three nodes behind the switch and two beside it, with the labels that rules count on.
fn targets(beside: &[&Running]) -> String {
    let behind = (1..=3).map(address);
    let beside = beside.iter().map(|running| running.address().to_owned());
    let mut yaml =
        String::from("  - job_name: nodetap\n    honor_labels: true\n    static_configs:\n");
    for (index, address) in behind.chain(beside).enumerate() {
        let node = index + 1;
        writeln!(
            yaml,
            "      - {{targets: ['{address}'], labels: {{cluster: prod, node: n{node}}}}}"
        )
        .expect("write to a text");
    }
    yaml
}
