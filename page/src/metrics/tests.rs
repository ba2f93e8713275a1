//! The exposition parses, whatever names tenants choose, and nothing is missing from the first scrape.

use std::collections::BTreeSet;

use collector::ship::{Histogram, SinkStatus};
use proptest::prelude::*;

use super::*;
use crate::snapshot::testing;

/// One sample: name, labels, value.
type Sample = (String, Vec<(String, String)>, f64);

/// Reads the text format by its grammar; panics where a scraper would refuse it.
fn parse(text: &str) -> Vec<Sample> {
    assert!(text.ends_with('\n'));
    text.split_terminator('\n')
        .filter(|line| !line.starts_with('#'))
        .map(sample)
        .collect()
}

fn sample(line: &str) -> Sample {
    let name_end = line.find(['{', ' ']).unwrap();
    let (name, mut rest) = line.split_at(name_end);
    let mut labels = Vec::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (label, after) = rest.split_once("=\"").unwrap();
            let (value, after) = quoted(after);
            labels.push((label.to_owned(), value));
            match after.split_at(1) {
                (",", more) => rest = more,
                ("}", more) => {
                    rest = more;
                    break;
                }
                other => panic!("{other:?} in {line}"),
            }
        }
    }
    (
        name.to_owned(),
        labels,
        rest.trim().replace("+Inf", "inf").parse().unwrap(),
    )
}

/// Reads an escaped label value up to its closing quote.
fn quoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return (value, &text[at + 1..]),
            '\\' => match chars.next().unwrap().1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    panic!("no closing quote in {text}");
}

fn rendered(names: &[(&str, &str, &str)]) -> String {
    render(&testing::snapshot(names), &Process::read()).unwrap()
}

#[test]
fn every_family_is_there_from_the_first_scrape() {
    let text = rendered(&[("shop", "order-1", "app")]);
    let names: BTreeSet<String> = parse(&text).into_iter().map(|(name, ..)| name).collect();
    // The store has no requests.
    let expect: BTreeSet<String> = FAMILIES
        .iter()
        .map(|family| family.name.to_owned())
        .filter(|name| !name.starts_with("nodetap_sink_request"))
        .collect();
    assert_eq!(names, expect);
    for reason in AbandonReason::ALL {
        assert!(
            text.contains(&format!(
                "log_lines_lost_total{{reason=\"{}\"}} 0\n",
                reason.as_str()
            )),
            "{text}"
        );
    }
    for state in [
        "seen",
        "read",
        "acknowledged",
        "filtered",
        "dead_lettered",
        "abandoned",
    ] {
        assert!(
            text.contains(&format!("log_bytes_total{{state=\"{state}\"}} ")),
            "{text}"
        );
    }
    assert!(text.contains("# TYPE log_bytes_total counter\n"), "{text}");
    assert!(
        text.contains(
            "log_time_to_loss_seconds{container=\"app\",namespace=\"shop\",pod=\"order-1\"} +Inf\n"
        ),
        "{text}"
    );
}

#[test]
fn a_cluster_is_shown_under_its_name() {
    let node = testing::snapshot(&[]);
    let shipping = testing::changed(&node, |status| {
        let mut duration = Histogram::new(&[0.1, 1.0]);
        duration.observe(0.05);
        duration.observe(3.0);
        status.sink = SinkStatus {
            name: "elasticsearch".to_owned(),
            requests: [("200".to_owned(), 7), ("error".to_owned(), 1)].into(),
            items: [("created".to_owned(), 90), ("known".to_owned(), 10)].into(),
            duration,
            breaker_open: true,
            ..SinkStatus::default()
        };
    });
    let text = render(&shipping, &Process::read()).unwrap();
    for expect in [
        "nodetap_sink_breaker_open{sink=\"elasticsearch\"} 1\n",
        "nodetap_sink_items_total{result=\"created\",sink=\"elasticsearch\"} 90\n",
        "nodetap_sink_requests_total{code=\"error\",sink=\"elasticsearch\"} 1\n",
        "# TYPE nodetap_sink_request_duration_seconds histogram\n",
        "nodetap_sink_request_duration_seconds_bucket{sink=\"elasticsearch\",le=\"0.1\"} 1\n",
        "nodetap_sink_request_duration_seconds_bucket{sink=\"elasticsearch\",le=\"1\"} 1\n",
        "nodetap_sink_request_duration_seconds_bucket{sink=\"elasticsearch\",le=\"+Inf\"} 2\n",
        "nodetap_sink_request_duration_seconds_count{sink=\"elasticsearch\"} 2\n",
        "nodetap_config_last_reload_successful 1\n",
    ] {
        assert!(text.contains(expect), "{expect}\n{text}");
    }
}

#[test]
fn a_wrong_configuration_shows() {
    let mut snapshot = testing::snapshot(&[]);
    snapshot.reload.trouble = Some("line 3: no".to_owned());
    let text = render(&snapshot, &Process::read()).unwrap();
    assert!(
        text.contains("nodetap_config_last_reload_successful 0\n"),
        "{text}"
    );
    assert!(
        text.contains("nodetap_config_last_reload_success_timestamp_seconds 1\n"),
        "{text}"
    );
}

#[test]
fn counters_end_in_total_and_help_is_a_sentence() {
    for family in FAMILIES {
        assert_eq!(
            family.kind == Kind::Counter,
            family.name.ends_with("_total"),
            "{}",
            family.name
        );
        assert!(family.help.ends_with('.'), "{}", family.help);
    }
}

#[test]
fn streams_with_the_same_labels_are_one_series() {
    let text = rendered(&[("a", "b", "c"), ("a", "b", "c")]);
    let lags: Vec<Sample> = parse(&text)
        .into_iter()
        .filter(|(name, ..)| name == "log_read_lag_bytes")
        .collect();
    assert_eq!(lags.len(), 1);
    assert!((lags[0].2 - 2.0 * testing::LAG_BYTES as f64).abs() < f64::EPSILON);
}

proptest! {
    #[test]
    fn any_name_comes_back_from_the_exposition(name in "[\\PC\n\"\\\\{},=]{0,40}") {
        let text = rendered(&[(&name, "pod", "container")]);
        let found = parse(&text).into_iter().find(|(family, ..)| family == "log_read_lag_bytes").unwrap();
        prop_assert!(found.1.contains(&("namespace".to_owned(), name)));
    }
}
