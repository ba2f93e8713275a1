//! Which alert is the cause of which? A walk over the topology, from each firing alert towards what it depends on.
//!
//! Two alerts are connected only if every edge between their classes holds: the labels that the edge names are equal, or
//! a sample of the family that the edge names has the labels of both. The walk passes through classes in which nothing
//! fires. What no other firing alert explains is a cause; every other alert is explained by exactly one cause.
//!
//! Pure: alerts and samples come in, causes go out, and the order in which they come in does not matter.

use std::collections::{BTreeMap, BTreeSet};

use crate::topology::Topology;

use self::joins::Joins;
use self::walk::Walk;

mod joins;
mod walk;

#[cfg(test)]
mod tests;

/// Labels of an alert or a sample. An empty value is the same as none, as it is in Prometheus.
pub type Labels = BTreeMap<String, String>;

/// More alerts than this are not judged: the gravest are.
pub const FIRING_MAX: usize = 5_000;

/// The label that says which cluster something belongs to; the only one that may be empty and still join.
pub(crate) const CLUSTER: &str = "cluster";

/// An alert that fires.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Firing {
    /// Its name.
    pub name: String,
    /// Its labels, the name not among them; in an [`Explanation`] with a `cluster`, which may be empty.
    pub labels: Labels,
    /// Since when, in seconds since the epoch.
    pub started_seconds: f64,
}

/// Samples of one family, which join what alerts' own labels can't.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// The family's name.
    pub metric: String,
    /// The labels of each sample.
    pub samples: Vec<Labels>,
}

/// What fires, and what caused what.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Explanation {
    /// The alerts, each once, in an order of their own.
    pub alerts: Vec<Firing>,
    /// The likely causes: the gravest first, then those that explain most.
    pub causes: Vec<Cause>,
    /// How many alerts were beyond [`FIRING_MAX`].
    pub left_out: usize,
}

/// An alert that no other one explains.
#[derive(Clone, Debug, PartialEq)]
pub struct Cause {
    /// Which one, as an index of [`Explanation::alerts`].
    pub alert: usize,
    /// What it explains, the nearest first.
    pub explains: Vec<Explained>,
}

/// An alert and how its cause leads to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// Which one.
    pub alert: usize,
    /// From the cause to it, both included.
    pub path: Vec<Step>,
    /// Further causes that would explain it too.
    pub also: Vec<usize>,
}

/// One place on the way from a cause to what it explains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The class; empty for an alert that the topology does not know.
    pub class: String,
    /// What is known of the instance: the alert's labels, or those that the joins gave.
    pub labels: Labels,
    /// The alert that fires there, if one does.
    pub alert: Option<usize>,
}

/// Says what caused what.
///
/// A sample or alert without `cluster` belongs to the only cluster there is, if there is only one: Prometheus adds its
/// external labels to what it sends to an Alertmanager, and not to what it answers.
pub fn explain(topology: &Topology, firing: Vec<Firing>, facts: &[Facts]) -> Explanation {
    let (mut alerts, left_out) = sorted(firing);
    let cluster = only_cluster(&alerts);
    for alert in &mut alerts {
        let cluster = || cluster.clone().unwrap_or_default();
        alert
            .labels
            .entry(CLUSTER.to_owned())
            .or_insert_with(cluster);
    }
    let joins = Joins::new(topology, facts, cluster.as_deref());
    let walk = Walk::new(topology, &joins, &alerts);
    let causes = causes(&alerts, &walk);
    Explanation {
        alerts,
        causes,
        left_out,
    }
}

/// Each alert once, by name and labels; of equal ones the one that started first.
fn sorted(mut firing: Vec<Firing>) -> (Vec<Firing>, usize) {
    for alert in &mut firing {
        alert.labels.retain(|_, value| !value.is_empty());
    }
    firing.sort_by(|a, b| {
        gravity(a)
            .cmp(&gravity(b))
            .then_with(|| a.name.cmp(&b.name))
            .then_with(|| a.labels.cmp(&b.labels))
            .then_with(|| a.started_seconds.total_cmp(&b.started_seconds))
    });
    firing.dedup_by(|later, first| later.name == first.name && later.labels == first.labels);
    let left_out = firing.len().saturating_sub(FIRING_MAX);
    firing.truncate(FIRING_MAX);
    (firing, left_out)
}

/// How grave an alert is: 0 is the gravest.
pub fn gravity(alert: &Firing) -> u8 {
    match alert.labels.get("severity").map(String::as_str) {
        Some("critical") => 0,
        Some("error" | "page") => 1,
        Some("warning") => 2,
        Some("info") => 4,
        Some(_) | None => 3,
    }
}

fn only_cluster(alerts: &[Firing]) -> Option<String> {
    let mut clusters = alerts.iter().filter_map(|alert| alert.labels.get(CLUSTER));
    let first = clusters.next()?;
    clusters.all(|other| other == first).then(|| first.clone())
}

/// What one alert comes from.
struct Origin {
    cause: usize,
    /// How many edges lead from the cause to the alert; alerts about the same thing are one place.
    depth: usize,
    /// From the cause to the alert, both included.
    path: Vec<Step>,
    /// Every cause that leads to it.
    all: BTreeSet<usize>,
}

fn causes(alerts: &[Firing], walk: &Walk<'_>) -> Vec<Cause> {
    let mut origins: BTreeMap<usize, Origin> = BTreeMap::new();
    // Upstream first: what explains an alert has its own origin by then.
    for &alert in walk.order() {
        let origin = origin(alerts, walk, &origins, alert);
        origins.insert(alert, origin);
    }
    let mut causes: BTreeMap<usize, Vec<Explained>> = BTreeMap::new();
    for (alert, origin) in origins {
        let explains = causes.entry(origin.cause).or_default();
        if alert != origin.cause {
            let also = origin.all.into_iter();
            explains.push(Explained {
                alert,
                path: origin.path,
                also: also.filter(|other| *other != origin.cause).collect(),
            });
        }
    }
    let mut causes: Vec<Cause> = causes
        .into_iter()
        .map(|(alert, mut explains)| {
            explains.sort_by_key(|explained| (explained.path.len(), explained.alert));
            Cause { alert, explains }
        })
        .collect();
    let grave = |cause: &Cause| {
        let explained = cause.explains.iter().map(|explained| explained.alert);
        let all = explained.chain([cause.alert]);
        all.map(|alert| gravity(&alerts[alert])).min()
    };
    causes.sort_by(|a, b| {
        grave(a)
            .cmp(&grave(b))
            .then_with(|| b.explains.len().cmp(&a.explains.len()))
            .then_with(|| a.alert.cmp(&b.alert))
    });
    causes
}

/// The deepest cause of an alert: the one with the longest way to it; of equal ones the gravest, then the one that began
/// first.
fn origin(
    alerts: &[Firing],
    walk: &Walk<'_>,
    origins: &BTreeMap<usize, Origin>,
    alert: usize,
) -> Origin {
    let here = Step {
        class: walk.class_name(alert).to_owned(),
        labels: alerts[alert].labels.clone(),
        alert: Some(alert),
    };
    let mut best = Origin {
        cause: alert,
        depth: 0,
        path: vec![here.clone()],
        all: BTreeSet::new(),
    };
    let mut all = BTreeSet::new();
    for (explainer, between) in walk.explainers(alert) {
        let Some(origin) = origins.get(&explainer) else {
            continue;
        };
        all.extend(&origin.all);
        let hop = usize::from(walk.class_name(explainer) != here.class);
        let depth = origin.depth + between.len() + hop;
        let length = origin.path.len() + between.len() + 1;
        let is_better = best.cause == alert || {
            let (new, old) = (&alerts[origin.cause], &alerts[best.cause]);
            depth
                .cmp(&best.depth)
                .then_with(|| gravity(old).cmp(&gravity(new)))
                .then_with(|| old.started_seconds.total_cmp(&new.started_seconds))
                .then_with(|| best.cause.cmp(&origin.cause))
                .then_with(|| best.path.len().cmp(&length))
                .is_gt()
        };
        if is_better {
            let mut path = origin.path.clone();
            path.extend(between);
            path.push(here.clone());
            best = Origin {
                cause: origin.cause,
                depth,
                path,
                all: BTreeSet::new(),
            };
        }
    }
    if all.is_empty() {
        all.insert(alert);
    }
    Origin { all, ..best }
}
