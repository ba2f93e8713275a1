//! Situations of a person on call.

use super::*;

mod laws;

fn labels(text: &str) -> Labels {
    let pairs = text.split_ascii_whitespace();
    let pairs = pairs.filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn firing(name: &str, text: &str) -> Firing {
    Firing {
        name: name.to_owned(),
        labels: labels(text),
        started_seconds: 1000.0,
    }
}

fn class(name: &str, alerts: &str, instance: &str) -> String {
    let list = |text: &str| text.split_ascii_whitespace().collect::<Vec<_>>().join(", ");
    let (alerts, instance) = (list(alerts), list(instance));
    format!("  {name}: {{about: it, labels: [{instance}], alerts: [{alerts}]}}\n")
}

/// `here=there`, or one name for both.
fn joins(text: &str) -> String {
    let join = |join: &str| match join.split_once('=') {
        Some((here, there)) => format!("{{{here}: {there}}}"),
        None => join.to_owned(),
    };
    let joins: Vec<String> = text.split_ascii_whitespace().map(join).collect();
    format!("[{}]", joins.join(", "))
}

fn edge(cause: &str, effect: &str, via: &[(&str, &str)], on: &str) -> String {
    let via = via
        .iter()
        .map(|(metric, on)| format!("{{{metric}: {}}}", joins(on)));
    let via: Vec<String> = via.collect();
    let (via, on) = (via.join(", "), joins(on));
    format!("  - {{cause: {cause}, effect: {effect}, via: [{via}], on: {on}}}\n")
}

fn topology(classes: &[String], edges: &[String]) -> Topology {
    let edges = if edges.is_empty() {
        "edges: []".to_owned()
    } else {
        format!("edges:\n{}", edges.concat())
    };
    Topology::parse(&format!("classes:\n{}{edges}\n", classes.concat())).unwrap()
}

/// Switch → node → virtual server (by the director that carries it), node → JVM (by its pod) → ingress (by its service).
fn network() -> Topology {
    let lvs = [("lvs_service_info", "cluster instance")];
    let pod = [("kube_pod_info", "cluster node=instance")];
    let endpoint = [
        ("kube_pod_info", "cluster namespace pod"),
        ("kube_endpoint_address", "cluster namespace ip=pod_ip"),
    ];
    topology(
        &[
            class("switch", "SwitchSilent SwitchLossy", "cluster target"),
            class("node", "NodeUnready", "cluster instance"),
            class("vip", "NoEndpoints TrafficDrop", "cluster linkaddr vport"),
            class("jvm", "FullGC HeapFull", "cluster namespace pod"),
            class("ingress", "Errors", "cluster namespace service ingress"),
        ],
        &[
            edge("switch", "node", &[], "cluster instance"),
            edge("node", "vip", &lvs, "cluster linkaddr vport"),
            edge("node", "jvm", &pod, "cluster namespace pod"),
            edge(
                "jvm",
                "ingress",
                &endpoint,
                "cluster namespace service=endpoint",
            ),
        ],
    )
}

fn facts() -> Vec<Facts> {
    let samples = |texts: &[&str]| texts.iter().map(|text| labels(text)).collect();
    vec![
        Facts {
            metric: "lvs_service_info".to_owned(),
            samples: samples(&[
                "instance=n1 linkaddr=10.0.0.1 vport=80",
                "instance=n2 linkaddr=10.0.0.2 vport=80",
            ]),
        },
        Facts {
            metric: "kube_pod_info".to_owned(),
            samples: samples(&[
                "node=n1 namespace=shop pod=order-1 pod_ip=10.1.0.1",
                "node=n2 namespace=bank pod=ledger-1 pod_ip=10.1.0.2",
            ]),
        },
        Facts {
            metric: "kube_endpoint_address".to_owned(),
            samples: samples(&[
                "namespace=shop endpoint=order ip=10.1.0.1",
                "namespace=bank endpoint=ledger ip=10.1.0.2",
            ]),
        },
    ]
}

/// One line for each cause: its name, and what it explains by which way.
fn told(explanation: &Explanation) -> Vec<String> {
    let name = |alert: usize| explanation.alerts[alert].name.clone();
    let step = |step: &Step| match step.alert {
        Some(alert) => name(alert),
        None => format!("({})", step.class),
    };
    let told = explanation.causes.iter().map(|cause| {
        let explains: Vec<String> = cause
            .explains
            .iter()
            .map(|explained| {
                let path: Vec<String> = explained.path.iter().map(step).collect();
                path.join(" > ")
            })
            .collect();
        format!("{}: {}", name(cause.alert), explains.join(", "))
    });
    told.collect()
}

fn check(alerts: Vec<Firing>, expect: &[&str]) {
    assert_eq!(told(&explain(&network(), alerts, &facts())), expect);
}

#[test]
fn a_silent_switch_explains_what_lies_behind_it_even_past_places_where_nothing_fires() {
    check(
        vec![
            firing("TrafficDrop", "linkaddr=10.0.0.1 vport=80 severity=warning"),
            firing("SwitchSilent", "target=sw instance=n1 severity=critical"),
            firing(
                "Errors",
                "namespace=shop service=order ingress=web severity=critical",
            ),
        ],
        &[
            "SwitchSilent: SwitchSilent > (node) > TrafficDrop, SwitchSilent > (node) > (jvm) > Errors",
        ],
    );
}

#[test]
fn two_unrelated_faults_are_two_causes() {
    check(
        vec![
            firing("Errors", "namespace=bank service=ledger ingress=web"),
            firing("FullGC", "namespace=bank pod=ledger-1"),
            firing("SwitchSilent", "target=sw instance=n1"),
            firing("NodeUnready", "instance=n1"),
        ],
        &[
            "FullGC: FullGC > Errors",
            "SwitchSilent: SwitchSilent > NodeUnready",
        ],
    );
}

#[test]
fn what_is_not_connected_explains_nothing() {
    // Another node, another namespace, another cluster, and a label that is missing.
    check(
        vec![
            firing("SwitchSilent", "target=sw instance=n3 cluster=a"),
            firing("NodeUnready", "instance=n1 cluster=a"),
            firing("NodeUnready", "instance=n3 cluster=b"),
            firing("Errors", "ingress=web cluster=a"),
        ],
        &[
            "Errors: ",
            "NodeUnready: ",
            "NodeUnready: ",
            "SwitchSilent: ",
        ],
    );
}

#[test]
fn alerts_about_the_same_thing_are_one_cause() {
    check(
        vec![
            firing("SwitchLossy", "target=sw instance=n1"),
            firing("SwitchSilent", "target=sw instance=n2"),
            firing("SwitchSilent", "target=sw instance=n1"),
            firing("NodeUnready", "instance=n1"),
            firing("NodeUnready", "instance=n2"),
            firing("SwitchSilent", "target=other instance=n3"),
        ],
        &[
            "SwitchSilent: SwitchSilent > NodeUnready, SwitchSilent > SwitchLossy, SwitchSilent > SwitchSilent, SwitchSilent > SwitchSilent > NodeUnready",
            "SwitchSilent: ",
        ],
    );
}

#[test]
fn of_two_causes_the_deeper_is_named_and_the_other_is_not_kept_quiet() {
    let mut alerts = vec![
        firing("Errors", "namespace=shop service=order ingress=web"),
        firing("FullGC", "namespace=shop pod=order-1"),
        firing("SwitchSilent", "target=sw instance=n1"),
    ];
    // Another pod of the same service, on another node.
    let mut facts = facts();
    facts[1]
        .samples
        .push(labels("node=n2 namespace=shop pod=order-2 pod_ip=10.1.0.3"));
    facts[2]
        .samples
        .push(labels("namespace=shop endpoint=order ip=10.1.0.3"));
    alerts[1]
        .labels
        .insert("pod".to_owned(), "order-2".to_owned());
    let found = explain(&network(), alerts, &facts);
    assert_eq!(
        told(&found),
        [
            "SwitchSilent: SwitchSilent > (node) > (jvm) > Errors",
            "FullGC: "
        ]
    );
    let also = &found.causes[0].explains[0].also;
    assert_eq!(also.len(), 1);
    assert_eq!(found.alerts[also[0]].name, "FullGC");
}

#[test]
fn the_grave_comes_first_and_each_alert_once() {
    let mut later = firing("FullGC", "namespace=a pod=x severity=warning empty=");
    later.started_seconds = 2000.0;
    let alerts = vec![
        later,
        firing("Foreign", "severity=info"),
        firing("FullGC", "namespace=a pod=x severity=warning"),
        firing("NodeUnready", "instance=n9 severity=critical"),
    ];
    let found = explain(&network(), alerts, &facts());
    assert_eq!(told(&found), ["NodeUnready: ", "FullGC: ", "Foreign: "]);
    assert!((found.alerts[1].started_seconds - 1000.0).abs() < 0.1);
}

#[test]
fn a_sample_without_a_cluster_belongs_to_the_only_one() {
    let alerts = |second: &str| {
        vec![
            firing("SwitchSilent", "target=sw instance=n1 cluster=prod"),
            firing("TrafficDrop", "linkaddr=10.0.0.1 vport=80 cluster=prod"),
            firing("NodeUnready", &format!("instance=n7 cluster={second}")),
        ]
    };
    let found = explain(&network(), alerts("prod"), &facts());
    assert_eq!(
        told(&found)[0],
        "SwitchSilent: SwitchSilent > (node) > TrafficDrop"
    );
    // With two clusters nobody knows whose it is.
    assert_eq!(
        explain(&network(), alerts("test"), &facts()).causes.len(),
        3
    );
}

#[test]
fn nothing_fires() {
    assert_eq!(
        explain(&network(), Vec::new(), &facts()),
        Explanation::default()
    );
}

#[test]
fn more_than_anyone_can_read_is_cut_by_gravity() {
    let one = |number: usize| firing("Foreign", &format!("number={number} severity=warning"));
    let mut alerts: Vec<Firing> = (0..FIRING_MAX).map(one).collect();
    alerts.push(firing("NodeUnready", "instance=n1 severity=critical"));
    let found = explain(&network(), alerts, &[]);
    assert_eq!((found.left_out, found.alerts.len()), (1, FIRING_MAX));
    assert_eq!(found.alerts[0].name, "NodeUnready");
}
