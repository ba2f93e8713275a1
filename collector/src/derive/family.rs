//! What leaves as a metric? Families with their samples, ready for any exposition; nothing here knows a text format.

use std::borrow::Cow;
use std::sync::Arc;

/// Everything derived from lines at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Families in the order of their kinds: our own first, then those of rules in the order of the configuration.
    /// No name is there twice.
    pub families: Vec<Family>,
}

/// All samples of one name.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// The name, valid and none of another part of this program.
    pub name: Arc<str>,
    /// A sentence.
    pub help: Cow<'static, str>,
    /// What its values are.
    pub kind: Kind,
    /// No label set is there twice, and their order stays the same. Empty while nothing was seen that it counts.
    pub samples: Vec<Sample>,
}

/// What a family's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows while the process lives.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts of observations by size.
    Histogram,
}

/// One label set and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Names and values, sorted by name. Values are any UTF-8: whoever writes them must escape them.
    pub labels: Vec<(Arc<str>, Arc<str>)>,
    /// The value.
    pub value: Value,
}

/// A sample's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of a counter or gauge.
    Number(f64),
    /// Of a histogram.
    Histogram(Histogram),
}

/// Counts of observations by size.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// The upper bounds of the buckets, rising, without +Inf.
    pub bounds: Arc<[f64]>,
    /// How many observations are in each bucket, **not** cumulative; one more than there are bounds: the last is +Inf's.
    pub counts: Vec<u64>,
    /// The sum of all observations.
    pub sum: f64,
}

/// The constant part of one of our own families; docs/metrics.md is made from it.
#[derive(Clone, Copy, Debug)]
pub struct Description {
    /// Its name.
    pub name: &'static str,
    /// What its values are.
    pub kind: Kind,
    /// Its labels' names, sorted.
    pub labels: &'static [&'static str],
    /// A sentence.
    pub help: &'static str,
}

/// A family of ours while its samples are collected; label names are made once.
#[derive(Debug)]
pub(super) struct Samples {
    description: Description,
    names: Vec<Arc<str>>,
    gathered: Vec<Sample>,
}

// === impl Kind ===

impl Kind {
    /// `counter` and its like.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

// === impl Histogram ===

impl Histogram {
    /// One without observations.
    pub(super) fn new(bounds: &Arc<[f64]>) -> Self {
        Self {
            bounds: Arc::clone(bounds),
            counts: vec![0; bounds.len() + 1],
            sum: 0.0,
        }
    }

    /// Takes one observation.
    pub(super) fn observe(&mut self, value: f64) {
        // Buckets are few, and most observations are small.
        let bucket = self
            .bounds
            .iter()
            .position(|bound| value <= *bound)
            .unwrap_or(self.bounds.len());
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.sum += value;
    }

    /// How many observations there are.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

// === impl Description ===

impl Description {
    /// The family, without samples yet.
    pub(super) fn samples(self) -> Samples {
        Samples {
            names: self.labels.iter().map(|name| Arc::from(*name)).collect(),
            description: self,
            gathered: Vec::new(),
        }
    }
}

// === impl Samples ===

impl Samples {
    /// Adds a number; `values` stand in the order of the description's labels.
    pub(super) fn number(&mut self, values: &[&Arc<str>], value: f64) {
        self.add(values, Value::Number(value));
    }

    /// The same for any value.
    pub(super) fn add(&mut self, values: &[&Arc<str>], value: Value) {
        let values = values.iter().map(|value| Arc::clone(value));
        let labels = self.names.iter().cloned().zip(values).collect();
        self.gathered.push(Sample { labels, value });
    }

    /// The whole family, samples in the order in which they were added.
    pub(super) fn family(self) -> Family {
        Family {
            name: Arc::from(self.description.name),
            help: Cow::Borrowed(self.description.help),
            kind: self.description.kind,
            samples: self.gathered,
        }
    }
}
