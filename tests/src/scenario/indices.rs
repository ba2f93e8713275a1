//! Into which index does a line go? That of its own day, whenever it is sent, and however often.

use std::collections::BTreeMap;
use std::fs;

use serde_json::json;

use super::{ends_well, shipper};
use crate::cluster::{Cluster, Copies, must_hold};
use crate::line::{Framing, Output, frame};
use crate::{Node, Running, Writer, until};

/// 2026-11-20T23:59:59.5Z in nanoseconds.
const BEFORE_MIDNIGHT: i64 = 1_795_219_199_500_000_000;

/// Lines around a midnight, a tenth of a second apart.
fn lines_around_midnight(writer: &mut Writer) {
    for number in 0..10 {
        let text = format!("line {number}");
        let mut bytes = Vec::new();
        let time = BEFORE_MIDNIGHT + number * 100_000_000;
        frame(
            Framing::Cri,
            time,
            Output::Stdout,
            text.as_bytes(),
            true,
            &mut bytes,
        );
        writer.raw(&bytes, &[(&text, "stdout")]);
    }
}

/// How many documents each index has.
fn counts(cluster: &mut impl Cluster) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for stored in cluster.documents() {
        *counts.entry(stored.index).or_default() += 1;
    }
    counts
}

/// Lines of two days go to two indices, and those that were written at the same time all the same.
pub fn midnight(cluster: &mut impl Cluster) {
    let node = &mut Node::new();
    let mut web = node.pod("shop", "web-1", "app");
    lines_around_midnight(&mut web);
    let tap = shipper(node, cluster, &[]);
    tap.drain_all();
    let expect = [("nodetap-2026.11.20", 5), ("nodetap-2026.11.21", 5)];
    let expect: BTreeMap<String, usize> = expect.map(|(name, n)| (name.to_owned(), n)).into();
    assert_eq!(counts(cluster), expect);
    must_hold(cluster, &[&web], Copies::One);
}

/// Who has lost all positions reads everything again: each line meets its first copy.
pub fn positions_lost(cluster: &mut impl Cluster) {
    let node = &mut Node::new();
    let mut writers = vec![
        node.pod("shop", "web-1", "app"),
        node.pod("shop", "web-2", "app"),
        node.docker("old"),
    ];
    for writer in &mut writers {
        writer.lines(300);
    }
    lines_around_midnight(&mut writers[0]);
    let tap = shipper(node, cluster, &[]);
    tap.drain_all();
    let before = counts(cluster);
    fs::remove_dir_all(node.state()).expect("remove the state");
    fs::create_dir(node.state()).expect("make a state");
    for writer in &mut writers {
        writer.lines(20);
    }
    let running = tap.start();
    let known = running.settle().sink.items("known");
    assert_eq!(known, before.values().sum::<usize>() as u64);
    ends_well(
        running,
        cluster,
        &writers.iter().collect::<Vec<_>>(),
        Copies::One,
    );
}

/// Untimed text is named by a day and a key that are durable before it is sent: after a restart it meets its first copy.
pub fn untimed_text_across_a_restart(cluster: &mut impl Cluster) {
    let node = &mut Node::new();
    let mut pod = node.pod("shop", "web-1", "app");
    pod.say("the pod is there");
    let mut text = node.volume(pod.uid(), "logs", "app.log");
    text.lines(200);
    let tap = shipper(node, cluster, &[]);
    for _ in 0..4 {
        let running = tap.start();
        text.lines(50);
        some_is_received(&running);
        // Amid the lines that are acknowledged but not yet remembered as such.
        text.lines(50);
        running.kill();
    }
    let running = tap.start();
    ends_well(running, cluster, &[&pod, &text], Copies::One);
    let today = counts(cluster);
    assert!(today.len() <= 2, "one day's text is spread: {today:?}");
}

fn some_is_received(running: &Running) {
    until("something is received", || {
        let status = running.status();
        if status.sink.items("created") > 0 {
            Ok(())
        } else {
            Err(status.summary())
        }
    });
}

/// The cluster has the template of ours, and new indices have its types.
pub fn template_is_installed(cluster: &mut impl Cluster) {
    let node = &mut Node::new();
    let mut web = node.pod("shop", "web-1", "app");
    web.say(r#"{"level":"error","nested":{"a.b":[1,"x"]}}"#);
    web.lines(10);
    let tap = shipper(node, cluster, &[]);
    let running = tap.start();
    ends_well(running, cluster, &[&web], Copies::One);
    let (status, answer) = cluster.ask("GET", "/nodetap-*/_mapping", None);
    assert_eq!(status, 200);
    let flat = match cluster.engine() {
        crate::cluster::Engine::Elasticsearch => "flattened",
        crate::cluster::Engine::OpenSearch => "flat_object",
    };
    for (index, about) in answer.as_object().expect("indices") {
        let properties = &about["mappings"]["properties"];
        for (path, kind) in [
            ("/@timestamp", "date_nanos"),
            ("/app", flat),
            ("/log/properties/offset", "long"),
            ("/log/properties/stream", "keyword"),
        ] {
            let found = properties.pointer(path).map(|field| field["type"].clone());
            assert_eq!(found, Some(json!(kind)), "{path} of {index}");
        }
    }
}
