//! What becomes of a document that the cluster can't parse? It goes again as plain text; if even that is refused, it is kept.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::shipper;
use crate::cluster::{Cluster, Copies, Stored, must_hold};
use crate::{Node, Nodetap, Writer};

/// The index of today, by the clock that the writers use.
fn today(writer: &mut Writer) -> String {
    let time = record::Timestamp(writer.time()).to_string();
    format!("nodetap-{}", time[..10].replace('-', "."))
}

/// A shipper that keeps JSON bodies as fields.
fn reading_json(node: &Node, cluster: &mut impl Cluster) -> Nodetap {
    cluster.clear();
    Nodetap::on(node).ships_to(&cluster.access(), &[], "collect:\n  app: true\n")
}

/// Makes an index that somebody else shaped.
fn shaped(cluster: &mut impl Cluster, index: &str, field: &str, kind: &str) {
    let body = json!({"mappings": {"properties": {field: {"type": kind}}}});
    let (status, answer) = cluster.ask("PUT", &format!("/{index}"), Some(&body));
    assert_eq!(status, 200, "{answer}");
}

/// JSON bodies don't fit the index: their lines are stored as plain text, with the reason.
pub fn poison_becomes_plain_text(cluster: &mut impl Cluster) {
    let node = &mut Node::new();
    let mut web = node.pod("shop", "web-1", "app").short();
    let tap = reading_json(node, cluster);
    let index = today(&mut web);
    shaped(cluster, &index, "app", "long");
    for number in 0..50 {
        web.say(&format!(r#"{{"msg":"order {number}"}}"#));
        web.lines(3);
    }
    let running = tap.start();
    super::ends_well(running, cluster, &[&web], Copies::One);
    let documents = cluster.documents();
    let json_lines = documents.iter().filter(|stored| {
        let message = stored.source["message"].as_str();
        message.is_some_and(|message| message.starts_with("{\"msg\""))
    });
    let mut count = 0;
    for stored in json_lines {
        count += 1;
        assert!(stored.source.get("app").is_none(), "{stored:?}");
        let reason = stored.source.pointer("/error/message");
        let reason = reason.and_then(Value::as_str).unwrap_or_default();
        assert!(reason.contains("app"), "no reason is said: {stored:?}");
    }
    assert_eq!(count, 50);
    assert_eq!(tap.dead_letters(), [] as [Value; 0]);
}

/// Nothing fits the index: every line is a dead letter, once, and counted.
pub fn what_never_fits_is_a_dead_letter(cluster: &mut impl Cluster) {
    let node = &mut Node::new();
    let mut web = node.pod("shop", "web-1", "app").short();
    let tap = shipper(node, cluster, &[]);
    let index = today(&mut web);
    shaped(cluster, &index, "message", "long");
    web.lines(120);
    let running = tap.start();
    let status = running.settle();
    status.must_have_lost_nothing();
    assert_eq!(status.sink.items("dead_lettered"), 120);
    assert!(
        status.total.dead_lettered > 0,
        "not in the ledger: {status:?}"
    );
    assert_eq!(status.total.acknowledged, 0);
    running.stop();
    assert_eq!(cluster.documents(), []);
    dead_letters_hold(&tap, &web);
    // What is dead is done: a restart sends nothing of it again.
    let running = tap.start();
    assert_eq!(running.settle().sink.items("dead_lettered"), 0);
    running.stop();
    dead_letters_hold(&tap, &web);
    must_hold(cluster, &[], Copies::One);
}

/// Each of the writer's lines is a dead letter with its document and a reason, once.
fn dead_letters_hold(tap: &Nodetap, writer: &Writer) {
    let mut left: HashMap<String, usize> = HashMap::new();
    for line in writer.truth().lines() {
        *left.entry(line.head.clone()).or_default() += 1;
    }
    for letter in tap.dead_letters() {
        let message = letter["document"]["message"].as_str().unwrap_or_default();
        let head = crate::truth::head(message);
        match left.get_mut(&head) {
            Some(count) if *count > 0 => *count -= 1,
            _ => panic!("a dead letter too many: {letter}"),
        }
        assert_eq!(letter["status"], 400, "{letter}");
        for field in ["time", "index", "id", "reason"] {
            let text = letter[field].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "no {field}: {letter}");
        }
    }
    let missing: Vec<_> = left.iter().filter(|(_, count)| **count > 0).collect();
    assert!(missing.is_empty(), "no dead letters of {missing:?}");
}

/// Lines that tenants write to break others' documents: none is lost, and none keeps another from being stored.
pub fn hostile_lines(cluster: &mut impl Cluster) {
    let node = &mut Node::new();
    let mut web = node.pod("shop", "web-1", "app").short();
    let long = "x".repeat(40_000);
    let deep = format!("{}1{}", "{\"a\":".repeat(30), "}".repeat(30));
    for text in [
        r#"{"a":1,"a":2}"#,
        r#"{"":1}"#,
        r#"{".":1,"a..b":{"":{}}}"#,
        "{\"a\\u0000b\":1}",
        r#"{"create":{"_index":"other","_id":"1"}}"#,
        r#"{"@timestamp":"never","message":{"a":1},"log":{"offset":"x"}}"#,
        &deep,
        &format!(r#"{{"long":"{long}"}}"#),
        &format!(r#"{{"{long}":1}}"#),
        "{\"app\":\u{fffd}}",
        "plain \u{1}\u{7f}\u{2028} text \\",
        r#"{"huge":123456789012345678901234567890,"small":1e-400,"not":-0}"#,
        r#"{"half":"\ud800"}"#,
    ] {
        web.say(text);
        web.lines(2);
    }
    let tap = reading_json(node, cluster);
    let running = tap.start();
    super::ends_well(running, cluster, &[&web], Copies::One);
    assert_eq!(tap.dead_letters(), [] as [Value; 0]);
    let with_fields = |stored: &&Stored| stored.source.get("app").is_some();
    let documents = cluster.documents();
    assert!(
        documents.iter().filter(with_fields).count() > 3,
        "JSON bodies are not kept as such"
    );
}
