//! How does a sink do? What metrics, the page and `nodetap sources` show of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A sink at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SinkStatus {
    /// `store` or `elasticsearch`.
    pub name: String,
    /// What keeps it from taking more, for people.
    pub trouble: Option<String>,
    /// Answers by HTTP status; `error` where there was none.
    pub requests: BTreeMap<String, u64>,
    /// Items by what became of them: `created`, `known`, `retried`, `dead_lettered`. An item may be retried many times.
    pub items: BTreeMap<String, u64>,
    /// How long requests took.
    pub duration: Histogram,
    /// Whether sending pauses, for the whole cluster or for an index.
    pub breaker_open: bool,
    /// What waits and why, a sentence for each index.
    pub waiting: Vec<String>,
    /// Bytes handed over and not yet received.
    pub in_flight_bytes: u64,
}

/// How often which duration was seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Upper bounds in seconds, ascending.
    pub bounds: Vec<f64>,
    /// How many were at most their bound and above the one before; one more for those above all.
    pub counts: Vec<u64>,
    /// The sum of all, in seconds.
    pub sum_seconds: f64,
}

// === impl Histogram ===

impl Histogram {
    /// An empty one.
    pub fn new(bounds: &[f64]) -> Self {
        Self {
            bounds: bounds.to_vec(),
            counts: vec![0; bounds.len() + 1],
            sum_seconds: 0.0,
        }
    }

    /// Takes one in.
    pub fn observe(&mut self, seconds: f64) {
        let place = self.bounds.partition_point(|bound| *bound < seconds);
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
        }
        self.sum_seconds += seconds;
    }
}
