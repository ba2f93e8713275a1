//! What may have caused this alert? Every firing alert that a way through the topology leads to.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::joins::{self, Joins, Known};
use super::{Firing, Step};
use crate::topology::{Edge, Member, Topology};

/// So many places are looked at for one alert; a join that fans out beyond it is not followed further.
const PLACES_MAX: usize = 20_000;

/// The firing alerts, ready to be walked.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    topology: &'a Topology,
    joins: &'a Joins,
    alerts: &'a [Firing],
    /// The class of each alert, as its place in the topology.
    class: Vec<Option<usize>>,
    /// The edges that lead from a class to what it depends on, by class.
    upstream: HashMap<usize, Vec<usize>>,
    /// For each edge the class of its cause.
    causes: Vec<usize>,
    /// For each edge the alerts of its cause's class by what the edge knows of it.
    firing: Vec<HashMap<Known, Vec<usize>>>,
    /// For each alert the first of those about the same thing.
    head: Vec<usize>,
    /// All about the same thing, by the first.
    members: HashMap<usize, Vec<usize>>,
    /// Upstream first.
    order: Vec<usize>,
}

/// A place on the way: what is known there, and where it was come from.
struct Place {
    class: usize,
    known: Known,
    from: Option<usize>,
}

// === impl Walk ===

impl<'a> Walk<'a> {
    /// Sorts the alerts into the topology.
    pub(super) fn new(topology: &'a Topology, joins: &'a Joins, alerts: &'a [Firing]) -> Self {
        let ranks: Vec<Option<(usize, usize)>> =
            alerts.iter().map(|alert| rank(topology, alert)).collect();
        let class: Vec<Option<usize>> = ranks
            .iter()
            .map(|rank| rank.map(|(class, _)| class))
            .collect();
        let ends = ends(topology);
        let depths = depths(topology.classes().len(), &ends);
        let mut order: Vec<usize> = (0..alerts.len()).collect();
        // Within a class the gravest stands for the thing; of equal ones the list's order says what is deeper.
        order.sort_by_key(|&alert| {
            let (class, rank) = ranks[alert].unzip();
            let gravity = super::gravity(&alerts[alert]);
            (
                class.map(|class| depths[class]),
                class,
                gravity,
                rank,
                alert,
            )
        });
        let mut upstream: HashMap<usize, Vec<usize>> = HashMap::new();
        for (index, end) in ends.iter().enumerate() {
            upstream.entry(end.effect).or_default().push(index);
        }
        let mut head: Vec<usize> = (0..alerts.len()).collect();
        let mut members: HashMap<usize, Vec<usize>> = HashMap::new();
        let mut things: HashMap<(usize, Vec<String>), usize> = HashMap::new();
        for &alert in &order {
            if let Some(thing) =
                class[alert].and_then(|class| thing(topology, class, &alerts[alert]))
            {
                head[alert] = *things.entry(thing).or_insert(alert);
            }
            members.entry(head[alert]).or_default().push(alert);
        }
        let firing = topology
            .edges()
            .iter()
            .zip(&ends)
            .map(|(edge, end)| {
                let of_cause = order.iter().copied();
                let of_cause = of_cause.filter(|alert| class[*alert] == Some(end.cause));
                firing(edge, alerts, of_cause)
            })
            .collect();
        Self {
            topology,
            joins,
            alerts,
            causes: ends.iter().map(|end| end.cause).collect(),
            class,
            upstream,
            firing,
            head,
            members,
            order,
        }
    }

    /// The alerts, each after all that may explain it.
    pub(super) fn order(&self) -> &[usize] {
        &self.order
    }

    /// The name of an alert's class; empty if the topology does not know it.
    pub(super) fn class_name(&self, alert: usize) -> &'a str {
        self.class[alert].map_or("", |class| self.name(class))
    }

    fn name(&self, class: usize) -> &'a str {
        let class = self.topology.classes().get(class);
        class.map_or("", |class| &class.name)
    }

    /// The alerts that may have caused this one, each with the silent places between them, the cause's side first.
    pub(super) fn explainers(&self, alert: usize) -> BTreeMap<usize, Vec<Step>> {
        let head = self.head[alert];
        if head != alert {
            // What the thing depends on is asked once, for the first of its alerts.
            return BTreeMap::from([(head, Vec::new())]);
        }
        let mut explainers = BTreeMap::new();
        let Some(class) = self.class[alert] else {
            return explainers;
        };
        let mut seen: HashSet<(usize, Known)> = HashSet::new();
        // Each alert about the thing knows its own labels of it.
        let known = |member: &usize| self.alerts[*member].labels.clone();
        let mut places: Vec<Place> = self.members[&head]
            .iter()
            .map(|member| Place {
                class,
                known: known(member),
                from: None,
            })
            .collect();
        let mut here = 0;
        while here < places.len() {
            let edges = self.upstream.get(&places[here].class);
            for &index in edges.into_iter().flatten() {
                let edge = &self.topology.edges()[index];
                for known in self.joins.causes(index, edge, &places[here].known) {
                    for &cause in self.firing[index].get(&known).into_iter().flatten() {
                        explainers
                            .entry(cause)
                            .or_insert_with(|| self.between(&places, here));
                    }
                    let class = self.causes[index];
                    let is_new = may_be(edge, &known) && seen.insert((class, known.clone()));
                    if is_new && places.len() < PLACES_MAX {
                        places.push(Place {
                            class,
                            known,
                            from: Some(here),
                        });
                    }
                }
            }
            here += 1;
        }
        explainers
    }

    /// The steps from a place down to the alert, the alert's own not among them.
    fn between(&self, places: &[Place], from: usize) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut place = &places[from];
        while let Some(next) = place.from {
            steps.push(Step {
                class: self.name(place.class).to_owned(),
                labels: place.known.clone(),
                alert: None,
            });
            place = &places[next];
        }
        steps
    }
}

/// The class of an alert, and its place in the class's list.
fn rank(topology: &Topology, alert: &Firing) -> Option<(usize, usize)> {
    let is_it = |known: &Member| {
        let has = |(name, value): &(String, String)| alert.labels.get(name) == Some(value);
        known.alert == alert.name && known.labels.iter().all(has)
    };
    let mut classes = topology.classes().iter().enumerate();
    classes.find_map(|(class, known)| Some((class, known.members.iter().position(is_it)?)))
}

/// What an alert is about, by the labels that name an instance of its class.
fn thing(topology: &Topology, class: usize, alert: &Firing) -> Option<(usize, Vec<String>)> {
    let names = topology.classes()[class].labels.iter();
    let values: Option<Vec<String>> = names.map(|name| alert.labels.get(name).cloned()).collect();
    Some((class, values?))
}

/// The alerts of an edge's cause, by the labels that the edge gives of it.
fn firing(
    edge: &Edge,
    alerts: &[Firing],
    of_cause: impl Iterator<Item = usize>,
) -> HashMap<Known, Vec<usize>> {
    let mut firing: HashMap<Known, Vec<usize>> = HashMap::new();
    for alert in of_cause {
        let labels = &alerts[alert].labels;
        if may_be(edge, labels)
            && let Some(known) = joins::shown(edge, labels)
        {
            firing.entry(known).or_default().push(alert);
        }
    }
    firing
}

/// Whether an edge may begin at an instance of which this is known.
fn may_be(edge: &Edge, cause: &Known) -> bool {
    edge.only
        .iter()
        .all(|(name, pattern)| cause.get(name).is_some_and(|value| pattern.is_match(value)))
}

/// Where an edge begins and ends, as places of classes in the topology.
struct Ends {
    cause: usize,
    effect: usize,
}

fn ends(topology: &Topology) -> Vec<Ends> {
    let place = |name: &str| {
        let classes = &mut topology.classes().iter();
        // A topology that was read names no class that it lacks; one beyond all has no alerts.
        let place = classes.position(|class| class.name == name);
        place.unwrap_or(topology.classes().len())
    };
    let ends = topology.edges().iter().map(|edge| Ends {
        cause: place(&edge.cause),
        effect: place(&edge.effect),
    });
    ends.collect()
}

/// How many edges lead to each class at most.
fn depths(classes: usize, ends: &[Ends]) -> Vec<usize> {
    let mut depths = vec![0; classes + 1];
    // A topology has no circle, so after as many rounds as there are classes nothing changes.
    for _ in 0..classes {
        for end in ends {
            depths[end.effect] = depths[end.effect].max(depths[end.cause] + 1);
        }
    }
    depths
}
