//! Which alerts need no message of their own? Alertmanager's `inhibit_rules`, made from the topology.
//!
//! A firing cause silences what it explains where labels alone say that both belong together. A graver alert is never
//! silenced by a lesser one. Within a class the critical alerts of an instance silence its others. An alert that is
//! silenced itself still silences others, so a chain of causes needs no rules beyond its edges.

use std::collections::BTreeSet;

use yaml::document::Node;

use crate::rules::RuleFile;
use crate::topology::{Class, Edge, Topology};

/// The only label that may be empty on both sides.
const CLUSTER: &str = "cluster";

/// How grave an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Grade {
    Info,
    Warning,
    Critical,
}

/// Alerts that one list of matchers can name.
struct Alerts {
    names: BTreeSet<String>,
    labels: Vec<(String, String)>,
}

/// One rule: who silences whom, and by which labels they belong together.
struct Silence<'a> {
    source: &'a Alerts,
    only: &'a [(String, String)],
    target: &'a Alerts,
    equal: &'a [String],
}

/// The list under `inhibit_rules`.
pub fn inhibit_rules(topology: &Topology, files: &[RuleFile]) -> Node {
    let mut out = Vec::new();
    for edge in topology.edges().iter().filter(|edge| edge.inhibits) {
        let (Some(cause), Some(effect)) =
            (topology.class(&edge.cause), topology.class(&edge.effect))
        else {
            continue;
        };
        of_edge(edge, cause, effect, files, &mut out);
    }
    for class in topology.classes() {
        let equal = &class.labels;
        for source in alerts(class, files, |grade| grade == Grade::Critical) {
            for target in alerts(class, files, |grade| grade < Grade::Critical) {
                // One label condition each, or none: alerts of two components are two things.
                if source.labels == target.labels
                    || source.labels.is_empty()
                    || target.labels.is_empty()
                {
                    out.push(rule(&Silence {
                        source: &source,
                        only: &[],
                        target: &target,
                        equal,
                    }));
                }
            }
        }
    }
    Node::list(out)
}

fn of_edge(edge: &Edge, cause: &Class, effect: &Class, files: &[RuleFile], out: &mut Vec<Node>) {
    // Joins of two names can't be said to Alertmanager.
    if edge.on.iter().any(|join| join.here != join.there) {
        return;
    }
    let equal: Vec<String> = edge.on.iter().map(|join| join.here.clone()).collect();
    let pattern = |(label, regex): &(String, regex::Regex)| (label.clone(), regex.to_string());
    let only: Vec<_> = edge.only.iter().map(pattern).collect();
    for grade in [Grade::Critical, Grade::Warning, Grade::Info] {
        for source in alerts(cause, files, |found| found == grade) {
            for target in alerts(effect, files, |found| found <= grade) {
                out.push(rule(&Silence {
                    source: &source,
                    only: &only,
                    target: &target,
                    equal: &equal,
                }));
            }
        }
    }
}

/// The alerts of a class that are rendered and grave enough, in groups that share their label conditions.
fn alerts(class: &Class, files: &[RuleFile], wanted: impl Fn(Grade) -> bool) -> Vec<Alerts> {
    let mut groups: Vec<Alerts> = Vec::new();
    for member in &class.members {
        let mut rendered = files.iter().flat_map(RuleFile::alerts);
        let Some(alert) = rendered.find(|alert| alert.name == member.alert) else {
            continue;
        };
        let grade = match alert.severity() {
            "critical" => Grade::Critical,
            "warning" => Grade::Warning,
            _ => Grade::Info,
        };
        if !wanted(grade) {
            continue;
        }
        let name = member.alert.clone();
        match groups
            .iter_mut()
            .find(|group| group.labels == member.labels)
        {
            Some(group) => {
                group.names.insert(name);
            }
            None => groups.push(Alerts {
                names: BTreeSet::from([name]),
                labels: member.labels.clone(),
            }),
        }
    }
    groups
}

fn rule(silence: &Silence<'_>) -> Node {
    let present: Vec<&String> = silence
        .equal
        .iter()
        .filter(|label| *label != CLUSTER)
        .collect();
    let matchers = |alerts: &Alerts, only: &[(String, String)]| {
        let names: Vec<&str> = alerts.names.iter().map(String::as_str).collect();
        let mut list = vec![match names.as_slice() {
            [name] => format!("alertname=\"{name}\""),
            _ => format!("alertname=~\"{}\"", names.join("|")),
        }];
        list.extend(
            alerts
                .labels
                .iter()
                .map(|(name, value)| format!("{name}=\"{value}\"")),
        );
        list.extend(
            only.iter()
                .map(|(name, regex)| format!("{name}=~\"{regex}\"")),
        );
        // Two alerts without the label are not equal in it.
        list.extend(present.iter().map(|label| format!("{label}!=\"\"")));
        Node::list(list.into_iter().map(Node::text).collect())
    };
    let mut members = vec![
        ("source_matchers", matchers(silence.source, silence.only)),
        ("target_matchers", matchers(silence.target, &[])),
    ];
    if !silence.equal.is_empty() {
        let equal = silence.equal.iter().map(Node::text).collect();
        members.push(("equal", Node::list(equal)));
    }
    Node::section(members)
}
