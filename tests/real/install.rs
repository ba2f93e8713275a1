//! Does `nodetap install elasticsearch` put the collector's template on a real server, and do the saved searches of
//! `dashboards/kibana` find their lines there?
//!
//! Neither server has lifecycle management: its modules are in no public registry. What is sent for it is held by
//! `cli/tests/install.rs`.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};
use tests::cluster::{Cluster, Copies, Engine, must_hold};
use tests::{Node, Nodetap, Writer};

use crate::component::folder;
use crate::server::{Doors, Server, take};

/// The least rights are those of anybody: doors are open.
fn nodetap(node: &Node, server: &Server) -> Nodetap {
    Nodetap::on(node).ships_to(&server.access(), &[], "collect:\n  app: true\n")
}

fn said(nodetap: &Nodetap, arguments: &[&str]) -> String {
    let arguments = [&["elasticsearch"], arguments].concat();
    let done = nodetap.run("install", &arguments);
    let text = String::from_utf8_lossy(&[&done.stdout[..], &done.stderr].concat()).into_owned();
    assert!(done.status.success(), "{arguments:?}: {text}");
    text
}

fn installed_once(engine: Engine) {
    let server: &mut Server = &mut take(engine, Doors::Open);
    server.clear();
    let node = Node::new();
    let nodetap = nodetap(&node, server);
    let (status, _) = server.ask("DELETE", "/_index_template/nodetap", None);
    assert!(matches!(status, 200 | 404), "{status}");

    let would = said(&nodetap, &["--dry-run"]);
    assert!(
        would.contains("create     index template nodetap (nodetap-*)"),
        "{would}"
    );
    assert!(
        would.contains(
            "kept       lifecycle policy nodetap: this server has no lifecycle management"
        ),
        "{would}"
    );
    assert_eq!(
        server.ask("GET", "/_index_template/nodetap", None).0,
        404,
        "a dry run wrote"
    );
    let did = said(&nodetap, &[]);
    assert!(
        did.ends_with("1 created, 0 updated, 1 unchanged\n"),
        "{did}"
    );
    let again = said(&nodetap, &[]);
    assert!(
        again.contains("unchanged  index template nodetap"),
        "{again}"
    );

    let template = server.must("GET", "/_index_template/nodetap", None);
    let mut template = template["index_templates"][0]["index_template"].clone();
    template["template"]["settings"]["index"]["refresh_interval"] = json!("9s");
    server.must("PUT", "/_index_template/nodetap", Some(&template));
    let changed = said(&nodetap, &["--dry-run"]);
    assert!(
        changed.contains("update     index template nodetap"),
        "{changed}"
    );
    assert!(changed.contains("refresh_interval"), "{changed}");
    said(&nodetap, &[]);
    assert!(said(&nodetap, &[]).contains("unchanged  index template nodetap"));

    let refused = nodetap.run("install", &["elasticsearch", "--delete-after", "7"]);
    assert_eq!(
        refused.status.code(),
        Some(1),
        "a lifecycle that can't be had was promised"
    );
}

#[test]
fn a_template_is_installed_once_on_elasticsearch() {
    installed_once(Engine::Elasticsearch);
}

#[test]
fn a_template_is_installed_once_on_opensearch() {
    installed_once(Engine::OpenSearch);
}

const RESTARTS: &str = "nodetap-control-plane-restarts";
const ERRORS: &str = "nodetap-fatal-and-error";
const INGRESS: &str = "nodetap-ingress-5xx";
const CHECKS: &str = "nodetap-keepalived-checks";
const CONNTRACK: &str = "nodetap-conntrack-full";
const FELIX: &str = "nodetap-felix-errors";

/// A line, and the searches that are for it.
type Said = (&'static str, &'static [&'static str]);

/// Namespace, pod and container, and what they say: lines that a search is for, beside lines that it is not for.
const LINES: [(&str, &str, &str, &[Said]); 8] = [
    (
        "kube-system",
        "kube-controller-manager-n1",
        "kube-controller-manager",
        &[
            (
                "I1121 12:08:22.939803       1 controllermanager.go:191] \"Starting\" version=\"v1.34.4\"",
                &[RESTARTS],
            ),
            (
                "I1121 12:08:23.000001       1 shared_informer.go:349] \"Waiting for caches to sync\"",
                &[],
            ),
            (
                "E1121 12:08:24.000001       1 controller.go:97] \"Unable to sync\" err=\"timeout\"",
                &[ERRORS],
            ),
            (
                "I1121 12:09:59.713446       1 leaderelection.go:297] failed to renew lease kube-system/kube-controller-manager: context deadline exceeded",
                &[RESTARTS],
            ),
            (
                "F1121 12:10:00.714518       1 controllermanager.go:319] leaderelection lost",
                &[RESTARTS, ERRORS],
            ),
        ],
    ),
    (
        "kube-system",
        "kube-apiserver-n1",
        "kube-apiserver",
        &[
            (
                "I1121 12:07:42.648183       1 server.go:150] Version: v1.34.4",
                &[RESTARTS],
            ),
            (
                "I1121 12:07:43.000001       1 controller.go:81] Starting OpenAPI controller",
                &[],
            ),
        ],
    ),
    (
        "kube-system",
        "kube-scheduler-n1",
        "kube-scheduler",
        &[
            (
                "I1121 12:02:29.071247       1 server.go:175] \"Starting Kubernetes Scheduler\" version=\"v1.34.4\"",
                &[RESTARTS],
            ),
            (
                "E1121 12:06:59.714518       1 server.go:319] \"Leaderelection lost\"",
                &[RESTARTS, ERRORS],
            ),
        ],
    ),
    (
        "kube-system",
        "etcd-n1",
        "etcd",
        &[
            (
                "{\"level\":\"info\",\"ts\":\"2026-11-21T12:02:25.775Z\",\"caller\":\"embed/etcd.go:305\",\"msg\":\"starting an etcd server\",\"etcd-version\":\"3.4.23\"}",
                &[RESTARTS],
            ),
            (
                "{\"level\":\"warn\",\"ts\":\"2026-11-21T12:02:25.894Z\",\"caller\":\"auth/store.go:1380\",\"msg\":\"simple token is not cryptographically signed\"}",
                &[],
            ),
        ],
    ),
    (
        "ingress-nginx",
        "ingress-nginx-controller-1",
        "controller",
        &[
            (
                "10.0.0.9 - - [21/Nov/2026:12:00:00 +0000] \"GET /cart HTTP/1.1\" 502 150 \"-\" \"curl/8\" 80 0.004 [shop-web-80] [] 10.0.0.1:8080 0 0.004 502 abc",
                &[INGRESS],
            ),
            (
                "10.0.0.9 - - [21/Nov/2026:12:00:01 +0000] \"GET /cart HTTP/2.0\" 503 150 \"-\" \"curl/8\" 80 0.004 [shop-web-80] [] - - - - abd",
                &[INGRESS],
            ),
            (
                "10.0.0.9 - - [21/Nov/2026:12:00:02 +0000] \"GET /503 HTTP/1.1\" 200 502 \"-\" \"curl/8\" 504 0.004 [shop-web-80] [] 10.0.0.1:8080 502 0.004 200 abe",
                &[],
            ),
            (
                "{\"status\": 504, \"request\": \"GET / HTTP/1.1\"}",
                &[INGRESS],
            ),
            ("{\"status\": 200, \"request\": \"GET / HTTP/1.1\"}", &[]),
        ],
    ),
    (
        "lvs",
        "director-1",
        "keepalived",
        &[
            (
                "Sat Nov 21 12:00:00 2026: Misc check to [10.0.0.1] for [/etc/keepalived/check.sh 10.0.0.1] failed (exited with status 1).",
                &[CHECKS],
            ),
            (
                "Nov 21 12:00:00 n1 Keepalived_healthcheckers[812]: Removing service [10.0.0.1]:tcp:80 from VS [192.0.2.80]:tcp:80",
                &[CHECKS],
            ),
            (
                "Nov 21 12:00:01 n1 Keepalived_vrrp[813]: (VI_1) Entering MASTER STATE",
                &[CHECKS],
            ),
            (
                "Nov 21 12:00:02 n1 sshd[1]: Accepted publickey for root",
                &[],
            ),
        ],
    ),
    (
        "lvs",
        "kernel-1",
        "dmesg",
        &[
            (
                "[  812.1] nf_conntrack: nf_conntrack: table full, dropping packet",
                &[CONNTRACK],
            ),
            (
                "[  812.2] nf_conntrack: default automatic helper assignment has been turned off",
                &[],
            ),
            ("the table is full, said the waiter", &[]),
        ],
    ),
    (
        "kube-system",
        "calico-node-1",
        "calico-node",
        &[
            (
                "2026-11-21 12:00:00.000 [ERROR][61] felix/int_dataplane.go 1: Failed to program level=error",
                &[FELIX, ERRORS],
            ),
            (
                "2026-11-21 12:00:01.000 [INFO][61] felix/summary.go 100: Summarising",
                &[],
            ),
        ],
    ),
];

fn write_lines(node: &mut Node) -> (Vec<Writer>, BTreeMap<&'static str, Vec<&'static str>>) {
    let mut writers = Vec::new();
    let mut wanted: BTreeMap<&'static str, Vec<&'static str>> = BTreeMap::new();
    for (namespace, pod, container, lines) in LINES {
        let mut writer = node.pod(namespace, pod, container).short();
        for (line, searches) in lines {
            writer.say(line);
            for search in *searches {
                wanted.entry(search).or_default().push(line);
            }
        }
        writers.push(writer);
    }
    (writers, wanted)
}

fn searches_find_their_lines(engine: Engine) {
    let server: &mut Server = &mut take(engine, Doors::Open);
    server.clear();
    let mut node = Node::new();
    let (writers, wanted) = write_lines(&mut node);
    let nodetap = nodetap(&node, server);
    let running = nodetap.start();
    running.settle().must_have_lost_nothing();
    running.stop();
    must_hold(server, &writers.iter().collect::<Vec<_>>(), Copies::One);

    let objects =
        fs::read_to_string(folder().join("../../dashboards/kibana/nodetap.ndjson")).expect("text");
    let mut searches = 0;
    for line in objects.lines() {
        let object: Value = serde_json::from_str(line).expect("JSON");
        if object["type"] != "search" {
            continue;
        }
        let id = object["id"].as_str().expect("an id");
        let source = object["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"]
            .as_str()
            .expect("a source");
        let source: Value = serde_json::from_str(source).expect("JSON");
        // As Kibana asks for a query in Lucene's language.
        let query = json!({ "size": 100, "_source": ["message"], "query": { "query_string": {
            "query": source["query"]["query"], "analyze_wildcard": true, "time_zone": "UTC" } } });
        let found = server.must("POST", "/nodetap-*/_search", Some(&query));
        let mut found: Vec<&str> = found["hits"]["hits"]
            .as_array()
            .expect("hits")
            .iter()
            .map(|hit| hit["_source"]["message"].as_str().expect("a message"))
            .collect();
        found.sort_unstable();
        let mut expected = wanted.get(id).cloned().unwrap_or_default();
        expected.sort_unstable();
        assert_eq!(found, expected, "{id}");
        assert!(!expected.is_empty(), "{id} is not tried");
        searches += 1;
    }
    assert_eq!(searches, wanted.len());
}

#[test]
fn saved_searches_find_their_lines_in_elasticsearch() {
    searches_find_their_lines(Engine::Elasticsearch);
}

#[test]
fn saved_searches_find_their_lines_in_opensearch() {
    searches_find_their_lines(Engine::OpenSearch);
}
