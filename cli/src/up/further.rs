//! What do metrics show beside the collector's own? Those made from lines and, with `up`, the node's plumbing.

use std::borrow::Cow;
use std::time::Duration;

use collector::derive;
use exporter::family::{Distribution, Families, Group, Kind, Value};
use exporter::labels::Labels;
use exporter::{Exporter, Selection, text};

/// The exposition of both; a family that is in both is one.
pub(super) fn text(
    exporter: Option<&Exporter>,
    derived: Option<derive::Snapshot>,
    patience: Duration,
) -> String {
    let derived = derived.map_or_else(|| Families::new(0), families);
    if let Some(exporter) = exporter {
        let mut scrape = exporter.scrape(&Selection::default(), patience);
        scrape.add(derived);
        return scrape.text();
    }
    let mut out = String::new();
    for group in derived.groups() {
        text::write(group, &mut out);
    }
    out
}

fn families(snapshot: derive::Snapshot) -> Families {
    let mut families = Families::new(usize::MAX);
    for family in snapshot.families {
        if family.samples.is_empty() {
            continue;
        }
        families.insert(Group {
            name: Cow::Owned(family.name.to_string()),
            kind: match family.kind {
                derive::Kind::Counter => Kind::Counter,
                derive::Kind::Gauge => Kind::Gauge,
                derive::Kind::Histogram => Kind::Histogram,
            },
            help: family.help,
            series: family.samples.into_iter().map(series).collect(),
        });
    }
    families
}

fn series(sample: derive::Sample) -> (Labels, Value) {
    let pairs: Vec<(&str, &str)> = sample
        .labels
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    let value = match sample.value {
        derive::Value::Number(number) => Value::Number(number),
        derive::Value::Histogram(histogram) => {
            Value::Distribution(Box::new(cumulative(&histogram)))
        }
    };
    (Labels::of(&pairs), value)
}

fn cumulative(histogram: &derive::Histogram) -> Distribution {
    let mut below = 0;
    let buckets = histogram.bounds.iter().zip(&histogram.counts);
    let buckets = buckets.map(|(bound, count)| {
        below += count;
        (*bound, below)
    });
    Distribution {
        buckets: buckets.collect(),
        sum: histogram.sum,
        count: histogram.count(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_rule_s_histogram_is_written_cumulative() {
        let histogram = derive::Histogram {
            bounds: Arc::from([0.1, 1.0]),
            counts: vec![2, 0, 1],
            sum: 7.5,
        };
        let sample = derive::Sample {
            labels: vec![(Arc::from("pod"), Arc::from("a\"b"))],
            value: derive::Value::Histogram(histogram),
        };
        let family = derive::Family {
            name: Arc::from("shop_wait_seconds"),
            help: Cow::Borrowed("Waits."),
            kind: derive::Kind::Histogram,
            samples: vec![sample],
        };
        let snapshot = derive::Snapshot {
            families: vec![family],
        };
        let text = text(None, Some(snapshot), Duration::ZERO);
        for expect in [
            "# TYPE shop_wait_seconds histogram\n",
            "shop_wait_seconds_bucket{pod=\"a\\\"b\",le=\"0.1\"} 2\n",
            "shop_wait_seconds_bucket{pod=\"a\\\"b\",le=\"1.0\"} 2\n",
            "shop_wait_seconds_bucket{pod=\"a\\\"b\",le=\"+Inf\"} 3\n",
            "shop_wait_seconds_sum{pod=\"a\\\"b\"} 7.5\n",
            "shop_wait_seconds_count{pod=\"a\\\"b\"} 3\n",
        ] {
            assert!(text.contains(expect), "{expect}\n{text}");
        }
        assert_eq!(super::text(None, None, Duration::ZERO), "");
    }
}
