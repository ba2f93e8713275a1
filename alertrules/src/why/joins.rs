//! Which instances belong together? The labels that an edge compares, and the samples between its two sides.

use std::collections::HashMap;

use super::{CLUSTER, Facts, Labels};
use crate::topology::{Edge, Join, Topology};

/// What is known of an instance of a class: labels by name. `cluster` may be known to be empty.
pub(super) type Known = Labels;

/// For each edge, what lies beyond it.
#[derive(Debug)]
pub(super) struct Joins {
    /// By the edge's place in the topology, the families that it goes through, the effect's side first.
    through: Vec<Vec<Table>>,
}

/// The samples of a family by the labels that lead to them from the effect's side, reduced to those that lead on.
type Table = HashMap<Vec<String>, Vec<Vec<String>>>;

// === impl Joins ===

impl Joins {
    /// Makes the samples ready. Those without a cluster belong to `cluster`.
    pub(super) fn new(topology: &Topology, facts: &[Facts], cluster: Option<&str>) -> Self {
        let tables = |edge: &Edge| -> Vec<Table> {
            let mut from = &edge.on;
            let through = edge.via.iter().rev().map(|step| {
                let samples = facts
                    .iter()
                    .filter(|facts| facts.metric == step.metric)
                    .flat_map(|facts| &facts.samples);
                let table = table(samples, from, &step.on, cluster);
                from = &step.on;
                table
            });
            through.collect()
        };
        Self {
            through: topology.edges().iter().map(tables).collect(),
        }
    }

    /// What is known of the causes of an effect by one edge; nothing where a label is missing.
    pub(super) fn causes(&self, index: usize, edge: &Edge, effect: &Known) -> Vec<Known> {
        let mut joins = &edge.on;
        let Some(key) = values(joins, |join| effect.get(&join.here)) else {
            return Vec::new();
        };
        let mut keys = vec![key];
        let tables = self.through.get(index).into_iter().flatten();
        for (step, table) in edge.via.iter().rev().zip(tables) {
            let rows = keys.iter().filter_map(|key| table.get(key)).flatten();
            keys = rows.cloned().collect();
            keys.sort_unstable();
            keys.dedup();
            joins = &step.on;
        }
        let named = |key: Vec<String>| -> Option<Known> {
            let names = joins.iter().map(|join| join.there.clone());
            let known: Known = names.zip(key).collect();
            let may_be_empty = |name: &str| name == CLUSTER;
            let holds = |(name, value): (&String, &String)| !value.is_empty() || may_be_empty(name);
            known.iter().all(holds).then_some(known)
        };
        keys.into_iter().filter_map(named).collect()
    }
}

/// What an alert shows of itself to an edge that asks for these labels of a cause; `None` if it lacks one.
pub(super) fn shown(edge: &Edge, alert: &Known) -> Option<Known> {
    let joins = edge.via.first().map_or(&edge.on, |step| &step.on);
    let values = values(joins, |join| alert.get(&join.there))?;
    let names = joins.iter().map(|join| join.there.clone());
    Some(names.zip(values).collect())
}

fn values<'a>(
    joins: &'a [Join],
    value: impl Fn(&'a Join) -> Option<&'a String>,
) -> Option<Vec<String>> {
    joins.iter().map(|join| value(join).cloned()).collect()
}

fn table<'a>(
    samples: impl Iterator<Item = &'a Labels>,
    from: &[Join],
    on: &[Join],
    cluster: Option<&str>,
) -> Table {
    let mut table = Table::new();
    for sample in samples {
        let value = |name: &str| -> Option<String> {
            let value = sample.get(name).filter(|value| !value.is_empty());
            match value {
                None if name == CLUSTER => Some(cluster.unwrap_or_default().to_owned()),
                value => value.cloned(),
            }
        };
        let key: Option<Vec<String>> = from.iter().map(|join| value(&join.there)).collect();
        let row: Option<Vec<String>> = on.iter().map(|join| value(&join.here)).collect();
        if let (Some(key), Some(row)) = (key, row) {
            table.entry(key).or_default().push(row);
        }
    }
    table
}
