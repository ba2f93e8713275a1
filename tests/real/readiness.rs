//! Real gateways in network namespaces: slow, lossy, deaf in one direction, and gone, as a node and a pod see them.

use std::collections::BTreeMap;
use std::process::Command;

use crate::component::folder;
use crate::said::Said;
use crate::stopwatch::Stopwatch;

/// Situation, what `/ready` answers for the node, for the pod, and for the node that has a peer beside its switch.
const CODES: [(&str, &str, &str, &str); 7] = [
    ("well", "200", "200", "200"),
    ("lossy", "200", "200", "200"),
    ("oneway", "503", "503", "200"),
    ("back", "200", "200", "200"),
    ("policy", "200", "503", "200"),
    ("gone", "503", "503", "503"),
    ("end", "200", "404", "200"),
];

const SWITCH: &str =
    r#"ip="10.1.0.1",ip_version="4",method="icmp_raw",role="core_switch",target="switch""#;

#[test]
fn readiness_follows_the_way_to_the_switch() {
    let mut watch = Stopwatch::start("readiness");
    let situations = run();
    watch.did("lived through every situation");
    for (name, node, pod, guarded) in CODES {
        let said = &situations[name];
        let found = (
            said.facts("code"),
            said.facts("code/shop/web-1"),
            said.facts("guarded"),
        );
        assert_eq!(found, (vec![node], vec![pod], vec![guarded]), "{name}");
        assert_eq!(said.facts("code/shop/none"), ["404"], "{name}");
    }
    let loss = |name: &str| situations[name].sample(&format!("ping_loss_ratio{{{SWITCH}}}"));
    assert!(
        loss("well") < 0.01 && loss("lossy") > 0.1,
        "{}",
        loss("lossy")
    );
    let worst = situations["slow"].sample(&format!("ping_rtt_worst_seconds{{{SWITCH}}}"));
    assert!(worst >= 0.03, "{worst}");
    assert_eq!(
        situations["slow"].facts("code"),
        ["200"],
        "slow is not silent"
    );
    one_direction(&situations["oneway"], &situations["well"]);
    let pod = situations["policy"].sample("readiness_pod_ready{namespace=\"shop\",pod=\"web-1\"}");
    assert!(pod < 0.5, "the pod is cut off");
    assert!(!situations["end"].has("readiness_pod_ready{namespace=\"shop\",pod=\"web-1\"}"));
    let changed = |name: &str| situations[name].sample("readiness_transitions_total");
    let times = [
        changed("back") - changed("well"),
        changed("gone") - changed("back"),
    ];
    assert_eq!(
        times.map(|times| times.to_string()),
        ["2", "1"],
        "no flapping"
    );
    watch.did("compared");
}

/// The switch was asked and its answers were lost: the body says who is silent, and a peer guards who has one.
fn one_direction(oneway: &Said, well: &Said) {
    let says = |said: &Said, fact: &str, words: &str| {
        let lines = said.facts(fact);
        assert!(
            lines.iter().any(|line| line.contains(words)),
            "{words}: {lines:?}"
        );
    };
    let asked = oneway.facts("asked")[0].trim_start_matches("packets ");
    let asked: u64 = asked.parse().expect("a count");
    assert!(asked >= 5, "requests arrived: {asked}");
    says(oneway, "body", "core_switch switch (10.1.0.1) silent for");
    says(
        oneway,
        "body/shop/web-1",
        "core_switch switch (10.1.0.1) silent for",
    );
    says(
        oneway,
        "why",
        "guard: peers answer while every target is silent",
    );
    assert_eq!(oneway.facts("guard"), ["readiness_guard_active 1"]);
    assert_eq!(well.facts("guard"), ["readiness_guard_active 0"]);
    says(well, "body", "core_switch switch (10.1.0.1) answers");
}

fn run() -> BTreeMap<String, Said> {
    let mut script = Command::new("unshare");
    script
        .args([
            "--net",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "--",
        ])
        .arg(folder().join("readiness/room.sh"));
    Said::by(&mut script, &[])
}
