//! Is a topology read as it is meant, and refused where it can't be meant?

use super::*;

fn small(edges: &str) -> Result<Topology, Problems> {
    Topology::parse(&format!(
        "classes:\n  a: {{about: x, labels: [cluster], alerts: [One, 'Two{{of=\"a\"}}']}}\n  \
         b: {{about: x, labels: [cluster], alerts: ['Two{{of=\"b\"}}']}}\nedges:\n{edges}"
    ))
}

fn refused(edges: &str) -> String {
    small(edges).unwrap_err().to_string()
}

#[test]
fn the_built_in_topology_is_sound() {
    let topology = Topology::built_in().unwrap_or_else(|problems| panic!("{problems}"));
    assert!(topology.classes().len() > 20);
    for edge in topology.edges() {
        let class = topology.class(&edge.cause).unwrap();
        let first = edge.via.first().map_or(&edge.on, |step| &step.on);
        for join in first {
            assert!(
                class.labels.contains(&join.there),
                "{} → {}: `{}` names no {}",
                edge.cause,
                edge.effect,
                join.there,
                edge.cause
            );
        }
        let class = topology.class(&edge.effect).unwrap();
        for join in &edge.on {
            assert!(
                class.labels.contains(&join.here),
                "{} → {}: `{}` names no {}",
                edge.cause,
                edge.effect,
                join.here,
                edge.effect
            );
        }
    }
}

#[test]
fn a_label_decides_the_class_where_the_name_does_not() {
    let topology = small("  - {cause: a, effect: b, on: [cluster]}\n").unwrap();
    let class = |of: &'static str| {
        let class = topology.class_of("Two", |name| (name == "of").then_some(of));
        class.map(|class| class.name.clone())
    };
    assert_eq!(class("a").as_deref(), Some("a"));
    assert_eq!(class("b").as_deref(), Some("b"));
    assert_eq!(class("c"), None);
    let class = topology.class_of("One", |_| None).unwrap();
    assert_eq!(class.name, "a");
}

#[test]
fn labels_of_two_names_are_joined_step_by_step() {
    let topology =
        small("  - {cause: a, effect: b, via: [{kube_pod_info: [cluster]}], on: [cluster, {endpoint: pod_ip}]}\n")
            .unwrap();
    let edge = topology.causes_of("b").next().unwrap();
    assert_eq!(edge.via.len(), 1);
    assert_eq!(edge.on[1].here, "endpoint");
    assert_eq!(edge.on[1].there, "pod_ip");
    assert!(!edge.inhibits, "Alertmanager knows no series");
}

#[test]
fn what_can_not_be_meant_is_refused() {
    assert_eq!(
        refused(
            "  - {cause: a, effect: b, on: [cluster]}\n  - {cause: b, effect: a, on: [cluster]}\n"
        ),
        "class `a` explains itself: the edges have a circle"
    );
    assert_eq!(
        refused("  - {cause: a, effect: bb, on: [cluster]}\n"),
        "line 5: unknown class `bb`; known: a, b"
    );
    assert_eq!(
        refused("  - {cause: a, effect: b, in: [cluster]}\n"),
        "line 5: an edge needs `on`"
    );
    assert_eq!(
        refused("  - {cause: a, effect: b, on: [cluster], only: {x: '('}}\n")
            .lines()
            .next(),
        Some("line 5: regex parse error:")
    );
}
