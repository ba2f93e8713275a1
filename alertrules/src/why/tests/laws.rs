//! What holds over any topology, any alerts and any samples.

use proptest::prelude::*;

use super::super::*;
use super::{class, edge, told, topology};
use crate::topology::{Class, Edge, Join};

/// Five classes, edges only from a lower to a higher one, few labels and values, so that much is connected by chance.
/// With `everywhere` each class and edge has these labels too.
fn any_topology(everywhere: &'static str) -> impl Strategy<Value = Topology> {
    let names = proptest::sample::subsequence(vec!["a", "b", "cluster"], 0..=2);
    let classes = proptest::collection::vec(names, 5);
    let on = || {
        let name = || proptest::sample::select(vec!["a", "b", "cluster"]);
        proptest::collection::vec((name(), name()), 0..3)
    };
    let via = proptest::collection::vec((proptest::sample::select(vec!["m", "n"]), on()), 0..3);
    let edges = proptest::collection::vec((0..5_usize, 0..5_usize, via, on()), 0..10);
    (classes, edges).prop_map(move |(classes, edges)| {
        let text = |on: Vec<(&str, &str)>| -> String {
            // Each name once on the side of the cause, as in a topology that makes sense.
            let on: BTreeMap<&str, &str> =
                on.into_iter().map(|(here, there)| (there, here)).collect();
            let joins = on
                .iter()
                .filter(|(there, here)| ![**there, **here].contains(&everywhere));
            let joins = joins.map(|(there, here)| format!("{here}={there}"));
            let joins: Vec<String> = joins.chain([everywhere.to_owned()]).collect();
            joins.join(" ")
        };
        let classes = classes.into_iter().enumerate().map(|(number, mut labels)| {
            labels.retain(|label| *label != everywhere);
            labels.push(everywhere);
            class(
                &format!("c{number}"),
                &format!("A{number} B{number}"),
                &labels.join(" "),
            )
        });
        let edges = edges.into_iter().filter(|edge| edge.0 < edge.1);
        let edges = edges.map(|(cause, effect, via, on)| {
            let via: Vec<(&str, String)> = via
                .into_iter()
                .map(|(metric, on)| (metric, text(on)))
                .collect();
            let via: Vec<(&str, &str)> = via
                .iter()
                .map(|(metric, on)| (*metric, on.as_str()))
                .collect();
            edge(&format!("c{cause}"), &format!("c{effect}"), &via, &text(on))
        });
        topology(&classes.collect::<Vec<_>>(), &edges.collect::<Vec<_>>())
    })
}

fn any_labels() -> impl Strategy<Value = Labels> {
    let name = proptest::sample::select(vec!["a", "b", "c", "cluster"]);
    let value = proptest::sample::select(vec!["", "1", "2"]);
    proptest::collection::btree_map(
        name.prop_map(str::to_owned),
        value.prop_map(str::to_owned),
        0..4,
    )
}

fn any_firing() -> impl Strategy<Value = Vec<Firing>> {
    let name = proptest::sample::select(vec![
        "A0", "B0", "A1", "A2", "B2", "A3", "A4", "B4", "Foreign",
    ]);
    let alert = (name, any_labels(), 0..3_u8).prop_map(|(name, labels, started)| Firing {
        name: name.to_owned(),
        labels,
        started_seconds: f64::from(started),
    });
    proptest::collection::vec(alert, 0..12)
}

fn any_facts() -> impl Strategy<Value = Vec<Facts>> {
    let samples = || proptest::collection::vec(any_labels(), 0..6);
    (samples(), samples()).prop_map(|(m, n)| {
        let facts = |metric: &str, samples| Facts {
            metric: metric.to_owned(),
            samples,
        };
        vec![facts("m", m), facts("n", n)]
    })
}

/// The samples as the walk understands them: those without a cluster are of the only one.
fn understood(facts: &[Facts], found: &Explanation) -> Vec<Facts> {
    let clusters = found.alerts.iter().map(|alert| &alert.labels[CLUSTER]);
    let clusters: BTreeSet<&String> = clusters.filter(|cluster| !cluster.is_empty()).collect();
    let mut facts = facts.to_vec();
    for sample in facts.iter_mut().flat_map(|facts| &mut facts.samples) {
        if let (1, Some(cluster)) = (clusters.len(), clusters.first())
            && sample.get(CLUSTER).is_none_or(String::is_empty)
        {
            sample.insert(CLUSTER.to_owned(), (*cluster).clone());
        }
    }
    facts
}

/// Whether a label of one is the same as a label of the other.
fn equal(on: &[Join], there: &Labels, here: &Labels) -> bool {
    let value = |labels: &Labels, name: &str| match labels.get(name) {
        Some(value) if !value.is_empty() => Some(value.clone()),
        _ => (name == CLUSTER).then(String::new),
    };
    on.iter().all(|join| {
        let there = value(there, &join.there);
        there.is_some() && there == value(here, &join.here)
    })
}

/// Whether both are about the same instance of a class.
fn same(class: &Class, one: &Labels, other: &Labels) -> bool {
    let join = |name: &String| Join {
        here: name.clone(),
        there: name.clone(),
    };
    let on: Vec<Join> = class.labels.iter().map(join).collect();
    equal(&on, one, other)
}

/// A step as each of the alerts about the same thing would make it.
fn same_thing(topology: &Topology, found: &Explanation, step: &Step) -> Vec<Step> {
    let class = topology.class(&step.class);
    let same = found.alerts.iter().filter(|alert| {
        class.is_some_and(|class| {
            let is_its = class.members.iter().any(|known| known.alert == alert.name);
            step.alert.is_some() && is_its && same(class, &alert.labels, &step.labels)
        })
    });
    let same = same.map(|alert| Step {
        labels: alert.labels.clone(),
        ..step.clone()
    });
    same.chain([step.clone()]).collect()
}

/// Whether one step may follow the other, told without the walk's code.
fn may_follow(topology: &Topology, facts: &[Facts], cause: &Step, effect: &Step) -> bool {
    if cause.class == effect.class {
        let class = topology.class(&cause.class);
        return class.is_some_and(|class| same(class, &cause.labels, &effect.labels));
    }
    let between = |edge: &&Edge| edge.cause == cause.class && edge.effect == effect.class;
    topology.edges().iter().filter(between).any(|edge| {
        let mut reached = vec![&cause.labels];
        for step in &edge.via {
            let samples = facts.iter().filter(|facts| facts.metric == step.metric);
            let samples = samples.flat_map(|facts| &facts.samples);
            let is_reached =
                |sample: &&Labels| reached.iter().any(|from| equal(&step.on, from, sample));
            reached = samples.filter(is_reached).collect();
        }
        reached
            .iter()
            .any(|from| equal(&edge.on, from, &effect.labels))
    })
}

proptest! {
    #[test]
    fn every_alert_is_a_cause_or_is_explained_by_exactly_one(
        topology in any_topology(""), firing in any_firing(), facts in any_facts(),
    ) {
        let found = explain(&topology, firing, &facts);
        let mut times = vec![0; found.alerts.len()];
        let causes: BTreeSet<usize> = found.causes.iter().map(|cause| cause.alert).collect();
        for cause in &found.causes {
            times[cause.alert] += 1;
            for explained in &cause.explains {
                times[explained.alert] += 1;
                prop_assert!(explained.also.iter().all(|also| causes.contains(also) && *also != cause.alert));
            }
        }
        prop_assert!(times.iter().all(|times| *times == 1), "{found:#?}");
    }

    #[test]
    fn every_step_of_a_path_is_connected_to_the_next(
        topology in any_topology(""), firing in any_firing(), facts in any_facts(),
    ) {
        let found = explain(&topology, firing, &facts);
        let facts = understood(&facts, &found);
        for cause in &found.causes {
            for explained in &cause.explains {
                prop_assert_eq!(explained.path.first().and_then(|step| step.alert), Some(cause.alert));
                prop_assert_eq!(explained.path.last().and_then(|step| step.alert), Some(explained.alert));
                for pair in explained.path.windows(2) {
                    // One alert about the thing may know labels of it that another one lacks.
                    let same = same_thing(&topology, &found, &pair[1]);
                    let follows = same.iter().any(|step| may_follow(&topology, &facts, &pair[0], step));
                    prop_assert!(follows, "{pair:#?}");
                }
            }
        }
    }

    #[test]
    fn no_two_causes_explain_each_other(
        topology in any_topology(""), firing in any_firing(), facts in any_facts(),
    ) {
        let found = explain(&topology, firing, &facts);
        let facts = understood(&facts, &found);
        for one in &found.causes {
            for other in &found.causes {
                let step = |cause: &Cause| {
                    let alert = &found.alerts[cause.alert];
                    let class = topology.class_of(&alert.name, |_| None);
                    Step {
                        class: class.map_or_else(String::new, |class| class.name.clone()),
                        labels: alert.labels.clone(),
                        alert: None,
                    }
                };
                prop_assert!(one == other || !may_follow(&topology, &facts, &step(one), &step(other)));
            }
        }
    }

    #[test]
    fn the_order_of_what_comes_in_does_not_matter(
        topology in any_topology(""), firing in any_firing(), facts in any_facts(), seed in any::<u64>(),
    ) {
        let mut shuffled = (firing.clone(), facts.clone());
        let mut state = seed;
        let mut turn = |length: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize % length.max(1)
        };
        for index in 0..shuffled.0.len() {
            let other = turn(firing.len());
            shuffled.0.swap(index, other);
        }
        let length = facts[0].samples.len();
        for index in 0..length {
            let other = turn(length);
            shuffled.1[0].samples.swap(index, other);
        }
        prop_assert_eq!(explain(&topology, firing, &facts), explain(&topology, shuffled.0, &shuffled.1));
    }

    #[test]
    fn two_clusters_are_judged_as_if_each_were_alone(
        topology in any_topology(CLUSTER), one in any_firing(), two in any_firing(), facts in any_facts(),
    ) {
        let within = |labels: &mut Labels, cluster: &str| drop(labels.insert(CLUSTER.to_owned(), cluster.to_owned()));
        let alerts = |mut alerts: Vec<Firing>, cluster: &str| {
            for alert in &mut alerts {
                within(&mut alert.labels, cluster);
            }
            alerts
        };
        let mut both_facts = facts.clone();
        for facts in &mut both_facts {
            let mut more = facts.samples.clone();
            for labels in &mut facts.samples {
                within(labels, "x");
            }
            for labels in &mut more {
                within(labels, "y");
            }
            facts.samples.extend(more);
        }
        let (one, two) = (alerts(one, "x"), alerts(two, "y"));
        let both: Vec<Firing> = one.iter().chain(&two).cloned().collect();
        let apart = [one, two].map(|alerts| explain(&topology, alerts, &both_facts));
        let together = told(&explain(&topology, both, &both_facts));
        let mut apart: Vec<String> = apart.iter().flat_map(told).collect();
        let mut together = together;
        apart.sort();
        together.sort();
        prop_assert_eq!(apart, together);
    }
}
