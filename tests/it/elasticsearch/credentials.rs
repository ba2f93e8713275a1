//! Who are we to the cluster? Secrets change in their files while nodetap runs, and are never shown.

use std::fs;

use tests::cluster::{Cluster, Copies};
use tests::scenario::{ends_well, shipper, troubled};
use tests::{Node, Nodetap, Writer};

use super::fake;

const OLD: &str = "an-old-secret-4711";
const NEW: &str = "a-new-secret-0815";

/// The file's secret is wrong until somebody writes the right one; only then lines arrive.
fn renewed(
    fake: &mut tests::elasticsearch::Fake,
    tap: &Nodetap,
    secret: &str,
    writer: &mut Writer,
) {
    let path = tap.secret(secret);
    let right = fs::read_to_string(&path).unwrap();
    fs::write(&path, OLD).unwrap();
    writer.lines(50);
    let running = tap.start();
    let status = troubled(&running, "401");
    let shown = format!(
        "{status:?}{}{}",
        running.log(),
        running.get("/metrics").unwrap()
    );
    assert_eq!(fake.count(), 0);
    writer.lines(50);
    fs::write(&path, format!("{right}\n")).unwrap();
    ends_well(running, fake, &[writer], Copies::One);
    for word in [OLD, NEW] {
        assert!(
            !shown.contains(word) && !tap.log().contains(word),
            "a secret is shown"
        );
    }
}

#[test]
fn password_is_renewed_while_the_cluster_refuses() {
    let mut fake = fake();
    fake.require_basic("shipper", NEW);
    let node = &mut Node::new();
    let mut web = node.pod("shop", "web-1", "app");
    let tap = shipper(node, &mut fake, &[]);
    renewed(&mut fake, &tap, "password", &mut web);
}

#[test]
fn api_key_is_renewed_while_the_cluster_refuses() {
    let mut fake = fake();
    fake.require_api_key(NEW);
    let node = &mut Node::new();
    let mut web = node.pod("shop", "web-1", "app");
    let tap = shipper(node, &mut fake, &[]);
    renewed(&mut fake, &tap, "api_key", &mut web);
}

/// The secret is changed on the cluster amid the run: requests are refused until the file has the new one.
#[test]
fn password_is_changed_on_the_cluster_amid_the_run() {
    let mut fake = fake();
    fake.require_basic("shipper", OLD);
    let node = &mut Node::new();
    let mut web = node.pod("shop", "web-1", "app");
    let tap = shipper(node, &mut fake, &[]);
    web.lines(50);
    let running = tap.start();
    running.settle();
    fake.require_basic("shipper", NEW);
    web.lines(50);
    troubled(&running, "401");
    fs::write(tap.secret("password"), NEW).unwrap();
    ends_well(running, &mut fake, &[&web], Copies::One);
}

/// Who may write documents but no templates ships all the same; it is said.
#[test]
fn templates_may_not_be_written() {
    let mut fake = fake();
    fake.forbid_templates();
    let node = &mut Node::new();
    let mut web = node.pod("shop", "web-1", "app");
    let tap = Nodetap::on(node).ships_to(&fake.access(), &[], "");
    web.lines(50);
    let running = tap.start();
    ends_well(running, &mut fake, &[&web], Copies::One);
    assert!(
        tap.log().contains("template"),
        "nobody is told:\n{}",
        tap.log()
    );
}

/// A template that somebody else put there stays as it is.
#[test]
fn template_of_somebody_else_stays() {
    let mut fake = fake();
    let node = &mut Node::new();
    let mut web = node.pod("shop", "web-1", "app");
    let tap = shipper(node, &mut fake, &[]);
    let own = serde_json::json!({
        "index_patterns": ["nodetap-*"], "priority": 7,
        "template": {"mappings": {"properties": {"mine": {"type": "keyword"}}}},
    });
    fake.ask("PUT", "/_index_template/nodetap", Some(&own));
    web.lines(50);
    let running = tap.start();
    ends_well(running, &mut fake, &[&web], Copies::One);
    let (_, answer) = fake.ask("GET", "/_index_template/nodetap", None);
    assert_eq!(
        answer["index_templates"][0]["index_template"]["priority"],
        7
    );
}
