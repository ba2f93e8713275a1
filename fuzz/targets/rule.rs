//! A rule and lines of any content: the first line is the pattern. It is refused, or no line breaks it or its limit.
#![no_main]

use std::collections::BTreeSet;

use collector::derive::{Derive, RawRule, RawSettings, Settings, Value};
use libfuzzer_sys::fuzz_target;
use record::{Entry, Level, Origin, OutputStream, Tags, Timestamp};

const SERIES_MAX: usize = 4;

fuzz_target!(|text: &str| {
    let Some((pattern, messages)) = text.split_once('\n') else { return };
    let histogram = pattern.starts_with("(?P<value>");
    let rule = RawRule {
        name: if histogram { "seen_seconds" } else { "seen_total" }.to_owned(),
        namespace: Some("*".to_owned()),
        pattern: pattern.to_owned(),
        histogram,
        ..RawRule::default()
    };
    let raw = RawSettings { rules: vec![rule], series_max: Some(SERIES_MAX), ..RawSettings::default() };
    let settings = match Settings::new(&raw) {
        Ok(settings) => settings,
        Err(problems) => {
            assert!(problems.iter().all(|problem| !problem.to_string().is_empty()));
            return;
        }
    };
    let mut derive = Derive::new(settings);
    let tap = derive.enter(&Origin::default());
    for message in messages.split('\n') {
        derive.count(&tap, &entry(message));
    }
    for family in derive.snapshot(Timestamp(0), &[]).families {
        let labels: BTreeSet<_> = family.samples.iter().map(|sample| &sample.labels).collect();
        assert_eq!(labels.len(), family.samples.len(), "twice: {family:?}");
        if family.name.starts_with("seen") {
            assert!(family.samples.len() <= SERIES_MAX);
        }
        for sample in &family.samples {
            assert!(sample.labels.is_sorted(), "{sample:?}");
            match &sample.value {
                Value::Number(value) => assert!(*value >= 0.0, "{sample:?}"),
                Value::Histogram(histogram) => assert_eq!(histogram.counts.len(), histogram.bounds.len() + 1),
            }
        }
    }
});

fn entry(message: &str) -> Entry<'_> {
    Entry {
        time: Timestamp(1),
        output: OutputStream::Stdout,
        level: Level::Info,
        message,
        offset: 0,
        end: 1,
        end_started: 0,
        part: 0,
        tags: Tags::NONE,
        app: None,
        error: None,
    }
}
