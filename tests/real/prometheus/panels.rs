//! Does every panel of every dashboard have data? Each of its queries, asked of a real Prometheus that scrapes running
//! nodetaps, what nodetap says of captured machines, and what foreign exporters say.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tests::cluster::{Cluster, Engine};
use tests::elasticsearch::Fake;
use tests::{Node, Nodetap};

use super::watchers::{Lone, faster_rules};
use crate::component::folder;
use crate::stopwatch::{Stopwatch, within};

/// Rates need a few samples, and a busy machine takes its time.
const PATIENCE: Duration = Duration::from_mins(2);

/// Where families stand with their values: what nodetap says of captured machines, and what others say.
const EXPOSED: [(&str, &str); 5] = [
    ("nodetap", "tests/fixtures/metrics.golden"),
    ("nodetap", "exporter/fixtures/ipvs/metrics.golden"),
    ("nodetap", "exporter/fixtures/hsperfdata/metrics.golden"),
    ("nodetap", "tests/real/prometheus/rest.prom"),
    ("kube-state-metrics", "tests/real/prometheus/foreign.prom"),
];
const CONFIG: &str = "\
cluster: main
redact: {patterns: [email]}
export: {ping_gateways: false, ping_targets: [core_switch=127.0.0.1]}
";

#[test]
fn every_query_of_every_panel_has_data() {
    let mut watch = Stopwatch::start("panels");
    let root = folder().join("../..");
    let mut node = Node::new();
    let mut ingress = node.pod("ingress-nginx", "ingress-nginx-controller-1", "controller");
    let mut application = node.pod("shop", "order-1", "app");
    let mut etcd = node.pod("kube-system", "etcd-n1", "etcd");
    ingress.say(ACCESS);
    let up = Nodetap::on(&node).config(CONFIG).start();
    let mut beside = Node::new();
    let mut shipped = beside.pod("shop", "cart-1", "app");
    let cluster = Fake::start(Engine::Elasticsearch);
    let urls = cluster.access().urls.join(", ");
    let ships = Nodetap::on(&beside)
        .config(&format!(
            "cluster: main\nelasticsearch: {{urls: [\"{urls}\"]}}\n"
        ))
        .collects()
        .start();
    let exposed = EXPOSED.map(|(job, path)| {
        let text = fs::read_to_string(root.join(path)).expect(path);
        (job, serve(text))
    });
    let live = [&up, &ships].map(|running| ("nodetap", running.address().to_owned()));
    let scratch = tempfile::tempdir().expect("make a directory");
    faster_rules(scratch.path());
    let jobs = exposed.into_iter().chain(live).enumerate();
    let jobs = jobs.map(|(number, (name, address))| {
        format!(
            "  - job_name: {name}-{number}\n    honor_labels: true\n    static_configs:\n\
             \x20     - {{targets: ['{address}'], labels: {{job: {name}, cluster: main, node: n{number}}}}}\n"
        )
    });
    let prometheus = Lone::start(scratch.path(), &jobs.collect::<String>());
    watch.did("started Prometheus and what it scrapes");
    let mut queries = BTreeSet::new();
    let dashboards = fs::read_dir(root.join("dashboards/grafana")).expect("list dashboards");
    for entry in dashboards.flatten() {
        let text = fs::read_to_string(entry.path()).expect("read a dashboard");
        let dashboard: Value = serde_json::from_str(&text).expect("a dashboard is JSON");
        let name = entry.file_name().to_string_lossy().into_owned();
        collect(&dashboard["panels"], &name, &mut queries);
    }
    assert!(queries.len() > 150, "{} queries", queries.len());
    let all = queries.len();
    within(PATIENCE, "every panel has data", || {
        // Rates want something that goes on.
        ingress.say(ACCESS);
        application.say("ERROR boom");
        etcd.say("{\"level\":\"error\",\"msg\":\"slow fdatasync\"}");
        shipped.say("taken");
        queries.retain(|(.., query)| {
            prometheus
                .query(query)
                .map_or(true, |found| found.is_empty())
        });
        if queries.is_empty() {
            return Ok(());
        }
        let lines: Vec<String> = queries
            .iter()
            .map(|(dashboard, panel, query)| format!("{dashboard}: {panel}: {query}"))
            .collect();
        Err(format!(
            "{} without data:\n{}",
            lines.len(),
            lines.join("\n")
        ))
    });
    watch.did(&format!("{all} queries have data"));
}

const ACCESS: &str = "192.0.2.7 - - [21/Nov/2026:20:00:00 +0000] \"GET /cart HTTP/1.1\" 502 157 \"-\" \"curl/8\" 81 0.012 \
                      [shop-web-80] [] 10.1.0.11:8080 157 0.011 502 abc";

/// The queries of panels, those within rows too: dashboard, panel, query.
fn collect(panels: &Value, dashboard: &str, queries: &mut BTreeSet<(String, String, String)>) {
    for panel in panels.as_array().into_iter().flatten() {
        collect(&panel["panels"], dashboard, queries);
        let title = panel["title"].as_str().unwrap_or_default();
        for target in panel["targets"].as_array().into_iter().flatten() {
            if let Some(query) = target["expr"].as_str() {
                queries.insert((dashboard.to_owned(), title.to_owned(), filled(query)));
            }
        }
    }
}

/// A query as Grafana sends it with everything chosen. A week is two seconds here.
fn filled(query: &str) -> String {
    let known = [
        ("__rate_interval", "5s"),
        ("__interval", "5s"),
        ("__range", "10s"),
    ];
    let mut text = query
        .replace("offset 1w", "offset 2s")
        .replace("offset 1d", "offset 2s");
    for (name, value) in known {
        text = text
            .replace(&format!("${{{name}}}"), value)
            .replace(&format!("${name}"), value);
    }
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let inner = after.strip_prefix('{');
        let name = inner.unwrap_or(after);
        let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
        let (_, behind) = name.split_at(end.unwrap_or(name.len()));
        rest = if inner.is_some() {
            behind.strip_prefix('}').unwrap_or(behind)
        } else {
            behind
        };
        out.push_str(".*");
    }
    out + rest
}

#[test]
fn variables_become_everything() {
    assert_eq!(
        filled("rate(a{cluster=~\"$cluster\", pod=~\"${pod:regex}\"}[$__rate_interval] offset 1w)"),
        "rate(a{cluster=~\".*\", pod=~\".*\"}[5s] offset 2s)"
    );
}

/// Serves one text for every request, for as long as the process runs; gives the address. `@scrapes@` in it is how often
/// it was asked for.
fn serve(text: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let address = listener.local_addr().expect("an address").to_string();
    thread::spawn(move || {
        for (scrapes, stream) in listener.incoming().map_while(Result::ok).enumerate() {
            // Who hangs up has no need of an answer.
            drop(answer(
                &stream,
                &text.replace("@scrapes@", &scrapes.to_string()),
            ));
        }
    });
    address
}

fn answer(mut stream: &TcpStream, text: &str) -> std::io::Result<()> {
    for line in BufReader::new(stream).lines() {
        if line?.is_empty() {
            break;
        }
    }
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    )
}
