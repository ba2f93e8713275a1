//! How often, or how much, did a rule's pattern match? Each series belongs to the container that wrote the line.

use std::borrow::Cow;
use std::sync::Arc;

use regex::CaptureLocations;

use super::containers::Containers;
use super::family::{Family, Kind, Sample, Value};
use super::rule::{OWN_LABELS, Rule};
use super::table::Table;

/// The largest number that is taken; sums of larger ones would soon be infinite.
const VALUE_MAX: f64 = 1e18;

/// The longest label value, in bytes; what is longer is cut.
const LABEL_BYTES_MAX: usize = 128;

/// A rule at work.
#[derive(Debug)]
pub(super) struct Counting {
    pub(super) rule: Rule,
    series: Table<Series>,
    found: CaptureLocations,
    key: Vec<u8>,
    /// Matches that would have made a series beyond the limit.
    pub(super) dropped: u64,
    /// Matches whose number is none.
    pub(super) refused: u64,
}

/// Its labels are in the table's key, after the place of the container it belongs to.
#[derive(Debug)]
struct Series {
    place: usize,
    value: Value,
}

// === impl Counting ===

impl Counting {
    pub(super) fn new(rule: Rule) -> Self {
        Self {
            found: rule.pattern.capture_locations(),
            rule,
            series: Table::new(),
            key: Vec::new(),
            dropped: 0,
            refused: 0,
        }
    }

    /// Takes note of a container whose lines will be looked at: a counter without labels of its own begins at 0, so that
    /// the first match is an increase.
    pub(super) fn meet(&mut self, place: usize, series_max: usize) {
        if self.rule.labels.is_empty() {
            begin_key(&mut self.key, place);
            let may_grow = self.series.len() < series_max;
            let zero = || Series {
                place,
                value: self.rule.zero(),
            };
            if self.series.row(&self.key, may_grow, zero).is_none() {
                self.dropped += 1;
            }
        }
    }

    /// Looks at one line of a container.
    pub(super) fn count(&mut self, place: usize, message: &str, series_max: usize) {
        let rule = &self.rule;
        if rule
            .pattern
            .captures_read(&mut self.found, message)
            .is_none()
        {
            return;
        }
        let group = |at: usize| {
            let (from, to) = self.found.get(at)?;
            message.get(from..to)
        };
        let number = match rule.value {
            None => Some(1.0),
            Some(at) => group(at).and_then(|text| text.parse::<f64>().ok()),
        };
        let number = number.map(|number| number * rule.scale);
        let Some(number) = number.filter(|number| *number >= 0.0 && *number <= VALUE_MAX) else {
            self.refused += 1;
            return;
        };
        begin_key(&mut self.key, place);
        for (_, at) in &rule.labels {
            let text = group(*at).unwrap_or_default();
            let end = text.floor_char_boundary(LABEL_BYTES_MAX);
            self.key
                .extend_from_slice(text.get(..end).unwrap_or_default().as_bytes());
            // No UTF-8 text has this byte, so no two lists of values are alike.
            self.key.push(0xff);
        }
        let may_grow = self.series.len() < series_max;
        let zero = || Series {
            place,
            value: rule.zero(),
        };
        match self.series.row(&self.key, may_grow, zero) {
            None => self.dropped += 1,
            Some(Series { value, .. }) => match value {
                Value::Number(sum) => *sum += number,
                Value::Histogram(histogram) => histogram.observe(number),
            },
        }
    }

    /// Forgets the series of containers that are gone.
    pub(super) fn forget(&mut self, places: &[usize]) {
        self.series
            .retain(|_, series| !places.contains(&series.place));
    }

    /// The rule's family.
    pub(super) fn family(&self, containers: &Containers) -> Family {
        let own = OWN_LABELS.map(Arc::<str>::from);
        let mut samples = Vec::new();
        for (key, series) in self.series.iter() {
            let Some([namespace, pod, container]) = containers.names(series.place) else {
                continue;
            };
            let values = key.get(KEY_HEAD_BYTES..).unwrap_or_default();
            let values = values.split(|byte| *byte == 0xff);
            let mut labels: Vec<(Arc<str>, Arc<str>)> = own
                .iter()
                .cloned()
                .zip([container, namespace, pod].map(Arc::clone))
                .collect();
            for ((name, _), value) in self.rule.labels.iter().zip(values) {
                labels.push((Arc::clone(name), Arc::from(String::from_utf8_lossy(value))));
            }
            labels.sort();
            samples.push(Sample {
                labels,
                value: series.value.clone(),
            });
        }
        samples.sort_by(|one, other| one.labels.cmp(&other.labels));
        let raw = self.rule.raw();
        let help = raw.help.clone();
        Family {
            name: Arc::from(raw.name.as_str()),
            help: Cow::Owned(
                help.unwrap_or_else(|| "From lines, by a rule of the configuration.".into()),
            ),
            kind: if raw.histogram {
                Kind::Histogram
            } else {
                Kind::Counter
            },
            samples,
        }
    }
}

/// Length of a place in a key.
const KEY_HEAD_BYTES: usize = size_of::<usize>();

fn begin_key(key: &mut Vec<u8>, place: usize) {
    key.clear();
    key.extend_from_slice(&place.to_le_bytes());
}
