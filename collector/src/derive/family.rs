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
    /// Sorted by labels; no label set is there twice. Empty while nothing was seen that it counts.
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
    /// The family with these samples.
    pub(crate) fn family(&self, mut samples: Vec<Sample>) -> Family {
        samples.sort_by(|one, other| one.labels.cmp(&other.labels));
        Family {
            name: Arc::from(self.name),
            help: Cow::Borrowed(self.help),
            kind: self.kind,
            samples,
        }
    }

    /// A sample of a counter or gauge; `values` stand in the order of `labels`.
    pub(crate) fn sample(&self, values: &[&Arc<str>], value: f64) -> Sample {
        self.labelled(values, Value::Number(value))
    }

    pub(crate) fn labelled(&self, values: &[&Arc<str>], value: Value) -> Sample {
        let names = self.labels.iter().map(|name| Arc::from(*name));
        let values = values.iter().map(|value| Arc::clone(value));
        Sample {
            labels: names.zip(values).collect(),
            value,
        }
    }
}
