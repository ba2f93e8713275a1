//! What does the program say about itself? `/metrics` and the status of its streams.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Parsed samples of `/metrics`.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    samples: Vec<(String, f64)>,
}

/// The status document, as far as tests read it.
#[derive(Clone, Debug, Deserialize)]
pub struct Status {
    /// Every stream.
    pub streams: Vec<Stream>,
    /// All counters summed.
    pub total: Ledger,
    /// Read and not yet received.
    pub in_flight_bytes: u64,
    /// On disk and not yet read.
    pub unread_bytes: u64,
    /// Must be 0.
    pub imbalance_bytes: i64,
    /// By reason.
    pub abandoned_bytes: BTreeMap<String, u64>,
    /// By reason.
    pub gaps: BTreeMap<String, u64>,
    /// Deleted and held.
    pub held_deleted_bytes: u64,
    /// What keeps the store from taking more.
    pub sink_trouble: Option<String>,
    /// How the sink does.
    #[serde(default)]
    pub sink: Sink,
    /// What keeps positions from being durable.
    pub checkpoint_trouble: Option<String>,
    /// Whether all that is there is received.
    pub drained: bool,
}

/// How the sink does, as far as tests read it.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Sink {
    /// Answers by HTTP status.
    pub requests: BTreeMap<String, u64>,
    /// Items by what became of them.
    pub items: BTreeMap<String, u64>,
    /// Whether sending pauses.
    pub breaker_open: bool,
    /// What waits and why.
    pub waiting: Vec<String>,
}

/// One stream's status.
#[derive(Clone, Debug, Deserialize)]
pub struct Stream {
    /// Whose log it is.
    pub origin: Origin,
    /// Its files.
    pub files: Vec<File>,
    /// Its counters.
    pub ledger: Ledger,
    /// Written and not yet received.
    pub lag_bytes: u64,
    /// Whether the rate limit holds it back now.
    pub limited: bool,
    /// Whether all of it is received.
    pub drained: bool,
}

/// Whose log a stream is.
#[derive(Clone, Debug, Deserialize)]
pub struct Origin {
    /// `log.stream`
    pub stream: String,
}

/// One file of a stream.
#[derive(Clone, Debug, Deserialize)]
pub struct File {
    /// Where it is.
    pub path: String,
    /// How far it is read.
    pub read: u64,
    /// How far it is received.
    pub acknowledged: u64,
    /// Why it can't be read.
    pub trouble: Option<String>,
}

/// Bytes since the process began.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Ledger {
    /// Known to have been written.
    pub seen: u64,
    /// Read and parsed.
    pub read: u64,
    /// In the store.
    pub acknowledged: u64,
    /// Passed over on purpose.
    pub filtered: u64,
    /// Refused by the sink for good, and kept aside.
    pub dead_lettered: u64,
    /// Given up.
    pub abandoned: u64,
    /// Records handed over.
    pub lines: u64,
    /// Records that were there already.
    pub known_lines: u64,
}

// === impl Metrics ===

impl Metrics {
    /// Parses the Prometheus text format, as far as it is ours.
    pub fn parse(text: &str) -> Self {
        let samples = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.rsplit_once(' '))
            .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
            .collect();
        Self { samples }
    }

    /// The sum of all samples of a name whose labels contain each of `labels` (as `reason="deleted"`).
    pub fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        self.matching(name, labels).map(|(_, value)| value).sum()
    }

    /// Whether there is such a sample.
    pub fn has(&self, name: &str, labels: &[&str]) -> bool {
        self.matching(name, labels).next().is_some()
    }

    fn matching(&self, name: &str, labels: &[&str]) -> impl Iterator<Item = &(String, f64)> {
        self.samples.iter().filter(move |(sample, _)| {
            sample.strip_prefix(name).is_some_and(|rest| {
                (rest.is_empty() || rest.starts_with('{'))
                    && labels.iter().all(|label| rest.contains(label))
            })
        })
    }
}

// === impl Sink ===

impl Sink {
    /// How many items became so: `created`, `known`, `retried`, `dead_lettered`.
    pub fn items(&self, result: &str) -> u64 {
        self.items.get(result).copied().unwrap_or(0)
    }
}

// === impl Status ===

impl Status {
    /// The stream of a writer.
    pub fn stream(&self, stream: &str) -> Option<&Stream> {
        self.streams.iter().find(|own| own.origin.stream == stream)
    }

    /// Insists that every byte is accounted for.
    pub fn must_balance(&self) {
        assert_eq!(
            self.imbalance_bytes, 0,
            "the ledger does not balance: {self:#?}"
        );
        for stream in &self.streams {
            let ledger = &stream.ledger;
            assert!(
                ledger.acknowledged + ledger.filtered + ledger.dead_lettered + ledger.abandoned
                    <= ledger.seen,
                "more was received than seen: {stream:#?}"
            );
        }
    }

    /// Insists that nothing was given up.
    pub fn must_have_lost_nothing(&self) {
        self.must_balance();
        assert_eq!(
            self.total.abandoned, 0,
            "something was given up: {:?}",
            self.abandoned_bytes
        );
    }

    /// A few facts for a report.
    pub fn summary(&self) -> String {
        let lagging: Vec<_> = self
            .streams
            .iter()
            .filter(|stream| !stream.drained)
            .take(3)
            .map(|stream| (&stream.origin.stream, stream.lag_bytes, &stream.files))
            .collect();
        format!(
            "in flight {}, unread {}, imbalance {}, sink {:?}, checkpoint {:?}, not drained: {lagging:?}",
            self.in_flight_bytes,
            self.unread_bytes,
            self.imbalance_bytes,
            self.sink_trouble,
            self.checkpoint_trouble
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_summed_over_the_labels_that_are_not_asked_for() {
        let metrics = Metrics::parse(
            "# HELP a_total x\na_total{reason=\"b\",pod=\"1\"} 2\na_total{reason=\"c\"} 3\na_total_more 9\n",
        );
        assert!((metrics.sum("a_total", &[]) - 5.0).abs() < f64::EPSILON);
        assert!((metrics.sum("a_total", &["reason=\"b\""]) - 2.0).abs() < f64::EPSILON);
        assert!(!metrics.has("a_total", &["reason=\"d\""]));
    }
}
