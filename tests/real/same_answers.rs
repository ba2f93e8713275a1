//! Does a real server give the same answers as the embedded store? The same files to both, the same questions to both.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tests::cluster::Cluster;
use tests::line::Output;
use tests::{Node, Nodetap, answers};

use crate::server::Server;

/// Questions that both answer with the same documents in the same order.
const SAME: &[&[&str]] = &[
    &[],
    &["--limit", "50"],
    &["--tail", "10"],
    &["seq"],
    &["order"],
    &["ORDER"],
    &["bestellung"],
    &["\"order 17\""],
    &["order AND NOT paid"],
    &["order -paid"],
    &["(paid OR refused) order"],
    &["/seq=[0-9]+5 /"],
    &["message:=\"the only line of its kind\""],
    &["level:>=warn"],
    &["--level", "error"],
    &["level:error OR level:warn"],
    &["NOT level:*"],
    &["-n", "kube-system"],
    &["-n", "shop", "-c", "c*"],
    &["-p", "web-*"],
    &["pod:/^web-[0-9]$/"],
    &["ns:(shop OR lab)"],
    &["stream:stderr"],
    &["tags:partial"],
    &["runtime:docker"],
    &["image:*"],
    &["restart:>0"],
    &["path:*crash*"],
    &["offset:[0 TO 1000}"],
    &["time:>=2026-11-21T12:00:00Z"],
    &[
        "--since",
        "2026-11-21T12:02:00Z",
        "--until",
        "2026-11-21T12:05:00Z",
    ],
    &["app.user.id:7"],
    &["app.user.id:[2 TO 5}"],
    &["NOT app.user.id:*"],
    &["app.user:*"],
    &["app.msg:slow*"],
    &["größe"],
    &["app.tags:blue"],
    &["-C", "2", "--limit", "5", "order 17"],
    &["-C", "3", "level:error"],
];

/// Questions about parts of words, which a server that knows words only answers with fewer documents.
const FEWER: &[&[&str]] = &[&["rder"], &["error"]];

/// Asks the store and the server the same; fails with all questions that were answered differently.
pub(crate) fn must_be_given_by(server: &mut Server) {
    let node = &mut Node::new();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/node/.");
    let done = Command::new("cp")
        .arg("-a")
        .arg(fixtures)
        .arg(node.root())
        .status();
    assert!(
        done.is_ok_and(|status| status.success()),
        "copy the fixtures"
    );
    write_more(node);
    let config = "host: host-of-test\nnode: node-of-test\ncollect:\n  app: true\n";
    let store = Nodetap::at(&node.root(), &home(node, "store")).config(config);
    let cluster =
        Nodetap::at(&node.root(), &home(node, "cluster")).ships_to(&server.access(), &[], config);
    store.drain_all();
    cluster.drain_all();
    server.must("POST", "/nodetap-*/_refresh", None);
    let mut differences = Vec::new();
    for question in SAME {
        let (kept, shipped) = (answers(&store, question), answers(&cluster, question));
        if kept != shipped {
            differences.push(difference(question, &kept, &shipped));
        }
    }
    for question in FEWER {
        let (kept, shipped) = (answers(&store, question), answers(&cluster, question));
        if shipped.len() >= kept.len() || shipped.iter().any(|line| !kept.contains(line)) {
            differences.push(difference(question, &kept, &shipped));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

fn home(node: &Node, name: &str) -> std::path::PathBuf {
    let home = node.scratch(name);
    std::fs::create_dir(&home).expect("make a home");
    home
}

/// What no captured file has: JSON bodies, levels, other alphabets, two containers at the same moments.
fn write_more(node: &mut Node) {
    let mut web = node.pod("shop", "web-7", "app").short();
    let mut api = node.pod("lab", "web-8", "app").short();
    for number in 0..40 {
        web.say(&format!("order {number} paid"));
        api.line(Output::Stderr, &format!("ERROR order {number} refused"));
        web.say(&format!(
            r#"{{"level":"warn","msg":"slow order","user":{{"id":{}}},"tags":["blue","green"]}}"#,
            number % 10
        ));
    }
    web.say("the only line of its kind");
    web.say("Größe der Bestellung: 5 Äpfel");
    api.say("BESTELLUNG storniert");
}

/// The documents of an answer, in their order, without what is another each time untimed text is read.
fn answers(tap: &Nodetap, question: &[&str]) -> Vec<String> {
    let plain = |mut document: Value| {
        let path = document["log"]["file"]["path"].as_str().unwrap_or_default();
        if path.contains("/volumes/") {
            document["@timestamp"] = Value::Null;
            document["log"]["file"]["started"] = Value::Null;
            document["log"]["file"]["fingerprint"] = Value::Null;
        }
        document.to_string()
    };
    tap.json(question).into_iter().map(plain).collect()
}

fn difference(question: &[&str], kept: &[String], shipped: &[String]) -> String {
    let first = kept
        .iter()
        .zip(shipped)
        .position(|(kept, shipped)| kept != shipped)
        .unwrap_or(kept.len().min(shipped.len()));
    let shown = |answers: &[String]| {
        let document = answers.get(first).map_or("nothing", String::as_str);
        document.chars().take(1500).collect::<String>()
    };
    format!(
        "{question:?}: {} in the store, {} in the cluster; number {first} is\n  {}\n  {}",
        kept.len(),
        shipped.len(),
        shown(kept),
        shown(shipped)
    )
}

/// Asks both the questions of every kind, and follows the server while lines come.
pub(crate) fn must_be_given_to_every_question(server: &mut Server) {
    let node = &mut Node::new();
    let mut writers = answers::write(node);
    let config = "host: h1\nnode: n1\ncluster: lab\ncollect:\n  app: true\n";
    let store = Nodetap::at(&node.root(), &home(node, "store")).config(config);
    let cluster =
        Nodetap::at(&node.root(), &home(node, "cluster")).ships_to(&server.access(), &[], config);
    store.drain_all();
    cluster.drain_all();
    server.must("POST", "/nodetap-*/_refresh", None);
    answers::must_agree(&store, &cluster);
    answers::must_follow(&cluster, &mut writers[0]);
}
