//! What do metrics show beside the collector's own? Those made from lines and, with `up`, the node's plumbing.

use std::borrow::Cow;
use std::time::Duration;

use collector::derive;
use exporter::family::{Distribution, Families, Group, Kind, Value};
use exporter::labels::Labels;
use exporter::{Exporter, Selection, exposition, text};

/// Adds both to the collector's own exposition; a family that is in two of them is one.
pub(super) fn add(
    own: String,
    exporter: Option<&Exporter>,
    derived: Option<derive::Snapshot>,
    patience: Duration,
) -> String {
    let derived = derived.map_or_else(|| Families::new(0), families);
    let further = match exporter {
        Some(exporter) => {
            let mut scrape = exporter.scrape(&Selection::default(), patience);
            scrape.add(derived);
            scrape.into_families()
        }
        None => derived,
    };
    join(own, further)
}

fn join(own: String, further: Families) -> String {
    // A relayed agent tells of its process under the names that ours has.
    let is_own = |group: &Group| {
        let mut families = page::metrics::FAMILIES.iter();
        families.any(|family| family.name == group.name)
    };
    if !further.groups().any(is_own) {
        return append(own, &further, |_| true);
    }
    match exposition::parse(&own, &[], usize::MAX) {
        Ok(groups) => {
            let mut all = Families::new(usize::MAX);
            for group in groups {
                all.insert(group);
            }
            all.merge_settled(further);
            append(String::new(), &all, |_| true)
        }
        Err(error) => {
            tracing::error!(%error, "bug: our own metrics can't be read; others of their names are left out");
            append(own, &further, |group| !is_own(group))
        }
    }
}

fn append(mut out: String, families: &Families, is_wanted: impl Fn(&Group) -> bool) -> String {
    for group in families.groups().filter(|group| is_wanted(group)) {
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
        let text = add("own 1\n".to_owned(), None, Some(snapshot), Duration::ZERO);
        for expect in [
            "own 1\n",
            "# TYPE shop_wait_seconds histogram\n",
            "shop_wait_seconds_bucket{pod=\"a\\\"b\",le=\"0.1\"} 2\n",
            "shop_wait_seconds_bucket{pod=\"a\\\"b\",le=\"1.0\"} 2\n",
            "shop_wait_seconds_bucket{pod=\"a\\\"b\",le=\"+Inf\"} 3\n",
            "shop_wait_seconds_sum{pod=\"a\\\"b\"} 7.5\n",
            "shop_wait_seconds_count{pod=\"a\\\"b\"} 3\n",
        ] {
            assert!(text.contains(expect), "{expect}\n{text}");
        }
    }

    #[test]
    fn a_family_of_ours_that_an_agent_has_too_is_written_once() {
        let own = "# HELP nodetap_build_info Ours.\n# TYPE nodetap_build_info gauge\nnodetap_build_info 1\n\
                   # HELP process_open_fds Ours.\n# TYPE process_open_fds gauge\nprocess_open_fds 7\n";
        let theirs = "# TYPE process_open_fds gauge\nprocess_open_fds 22\n\
                      # TYPE nodetap_build_info counter\nnodetap_build_info 666\n";
        let labels = [("pod", "web"), ("source", "agent")];
        let mut further = Families::new(10);
        for group in exposition::parse(theirs, &labels, 10).unwrap() {
            further.insert(group);
        }
        assert_eq!(
            join(own.to_owned(), further),
            "# HELP nodetap_build_info Ours.\n# TYPE nodetap_build_info gauge\nnodetap_build_info 1\n\
             # HELP process_open_fds Ours.\n# TYPE process_open_fds gauge\nprocess_open_fds 7\n\
             process_open_fds{pod=\"web\",source=\"agent\"} 22\n"
        );
    }
}
