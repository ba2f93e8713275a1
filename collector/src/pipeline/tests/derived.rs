//! What is counted and hidden on a line's way through the loop.

use std::fs::OpenOptions;

use super::*;
use crate::derive::{RawRule, RawSettings, Value};
use crate::redact::RawPattern;

/// A world whose lines are looked at for addresses and for orders.
fn world() -> World {
    let mut world = World::new();
    let email = RawPattern {
        name: "email".into(),
        pattern: None,
    };
    world.redact = redact::Settings::new(&[email]).unwrap();
    let rule = RawRule {
        name: "orders_total".into(),
        pattern: "order by (?P<who>.*)".into(),
        pod: Some("order-*".into()),
        ..RawRule::default()
    };
    world.derive = derive::Settings::new(&RawSettings {
        rules: vec![rule],
        ..RawSettings::default()
    })
    .unwrap();
    world.kill();
    world.start();
    world
}

fn say(world: &mut World, text: &str) {
    world.time += 1_000;
    fs::create_dir_all(world.directory()).unwrap();
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(world.live())
        .unwrap();
    writeln!(file, "{} stdout F {text}", Timestamp(world.time)).unwrap();
}

/// The values of a family, with all label values of each.
fn values(world: &mut World, name: &str) -> Vec<(String, f64)> {
    let derived = world.engine.as_mut().unwrap().derived();
    let family = derived
        .families
        .into_iter()
        .find(|family| &*family.name == name)
        .unwrap();
    let value = |value: Value| match value {
        Value::Number(number) => number,
        Value::Histogram(histogram) => histogram.sum,
    };
    family
        .samples
        .into_iter()
        .map(|sample| {
            let labels: Vec<&str> = sample.labels.iter().map(|(_, text)| &**text).collect();
            (labels.join(" "), value(sample.value))
        })
        .collect()
}

fn lines(world: &mut World) -> f64 {
    let levels = values(world, "log_messages_total");
    levels.into_iter().map(|(_, count)| count).sum()
}

#[test]
fn a_secret_is_hidden_from_the_sink_and_from_labels() {
    let mut world = world();
    say(&mut world, "order by anna@b.io");
    say(&mut world, "order by nobody");
    let sent = world.drain();
    assert_eq!(sent, ["order by [redacted:email]", "order by nobody"]);
    let orders = values(&mut world, "orders_total");
    let expect = [
        ("app shop order-1 [redacted:email]", 1.0),
        ("app shop order-1 nobody", 1.0),
    ];
    assert_eq!(
        orders,
        expect.map(|(labels, count)| (labels.to_owned(), count))
    );
    assert_eq!(
        values(&mut world, "log_redactions_total"),
        [("email".to_owned(), 1.0)]
    );
}

#[test]
fn what_an_earlier_process_had_sent_is_not_counted_again() {
    let mut world = world();
    *world.holds.lock().unwrap() = true;
    world.write(10, false);
    world.pass(Duration::from_millis(500));
    world.pass(Duration::from_millis(500));
    world.write(7, false);
    world.pass(Duration::from_millis(500));
    // Killed before any receipt: the sink has half of it, and nobody was told.
    world.kill();
    let had = world.kept.0.lock().unwrap().len();
    assert!(had > 0 && had < 17, "{had}");
    assert_eq!(world.drain().len(), 17);
    let total = world.engine.as_mut().unwrap().status().total;
    assert_eq!(total.known_lines, had as u64);
    assert!((lines(&mut world) - (17 - had) as f64).abs() < f64::EPSILON);
}

#[test]
fn a_deleted_pods_series_stay_to_be_scraped_and_then_go() {
    let mut world = world();
    say(&mut world, "order by nobody");
    world.drain();
    world.delete_pod();
    world.drain();
    assert_eq!(values(&mut world, "orders_total").len(), 1);
    world.pass(derive::LINGER_DEFAULT);
    assert_eq!(values(&mut world, "orders_total"), []);
    assert_eq!(values(&mut world, "log_messages_total"), []);
}

#[test]
fn another_configuration_holds_for_the_next_line_and_counts_go_on() {
    let mut world = world();
    say(&mut world, "order by anna@b.io");
    world.drain();
    world.redact = redact::Settings::default();
    let config = world.config();
    world.engine.as_mut().unwrap().reconfigure(config);
    say(&mut world, "order by bob@b.io");
    assert_eq!(
        world.drain(),
        ["order by [redacted:email]", "order by bob@b.io"]
    );
    assert_eq!(values(&mut world, "orders_total").len(), 2);
    assert_eq!(
        values(&mut world, "log_redactions_total"),
        [("email".to_owned(), 1.0)]
    );
}
