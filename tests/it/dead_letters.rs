//! What a cluster refused for good is listed, and sent again once the reason is mended.

use serde_json::Value;
use tests::Node;
use tests::cluster::{Cluster, Engine};
use tests::elasticsearch::{Fake, Flaw, Plan};
use tests::scenario::shipper;

fn listed(tap: &tests::Nodetap) -> Vec<Value> {
    let output = tap.run("dead-letters", &["list", "--json"]);
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn refused_lines_are_listed_and_sent_again_once_they_fit() {
    let mut fake = Fake::start(Engine::Elasticsearch);
    let mut node = Node::new();
    let tap = shipper(&node, &mut fake, &[]);
    let mut web = node.pod("shop", "web-1", "app");
    let seed = node.random().number();
    fake.plan(Plan::seeded(seed).flaws(Flaw::Deadly, 500));
    web.lines(40);
    let running = tap.start();
    running.settle();
    let letters = listed(&tap);
    assert!(
        !letters.is_empty() && letters.len() < 40,
        "the plan had no effect"
    );
    assert_eq!(letters.len(), tap.dead_letters().len());
    let reason = letters[0]["reason"].as_str().unwrap();
    let shown = String::from_utf8(tap.run("dead-letters", &[]).stdout).unwrap();
    assert!(shown.contains(reason), "{shown}");

    let again = tap.run("dead-letters", &["replay"]);
    assert_eq!(again.status.code(), Some(1), "still refused: {again:?}");
    assert_eq!(
        listed(&tap).len(),
        letters.len(),
        "what is refused again stays"
    );

    fake.plan(Plan::seeded(seed));
    let again = tap.run("dead-letters", &["replay"]);
    let said = String::from_utf8_lossy(&again.stdout).into_owned();
    assert_eq!(again.status.code(), Some(0), "{again:?}");
    assert!(
        said.starts_with(&format!("{} created", letters.len())),
        "{said}"
    );
    assert!(listed(&tap).is_empty());
    assert_eq!(fake.documents().len(), 40);
    running.stop();
    fake.must_have_understood_all();
}

#[test]
fn what_can_not_be_sent_again_stays() {
    let mut fake = Fake::start(Engine::Elasticsearch);
    let mut node = Node::new();
    let tap = shipper(&node, &mut fake, &[]);
    let mut web = node.pod("shop", "web-1", "app");
    fake.plan(Plan::seeded(1).flaws(Flaw::Deadly, 1000));
    web.lines(10);
    let running = tap.start();
    running.settle();
    running.stop();
    assert_eq!(listed(&tap).len(), 10);
    drop(fake);
    let again = tap.run("dead-letters", &["replay"]);
    assert_eq!(again.status.code(), Some(1), "{again:?}");
    assert_eq!(listed(&tap).len(), 10);
}
