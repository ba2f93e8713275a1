//! Does the fake answer as the real one does? The same requests to both, and their answers side by side.

use collector::ship::elasticsearch::Layout;
use collector::ship::elasticsearch::template::{Engine as Kind, template};
use serde_json::{Value, json};
use tests::cluster::{Cluster, Engine, Fault};
use tests::elasticsearch::Fake;

use crate::curl::Curl;
use crate::server::Server;

/// What nodetap asks for.
const BULK: &str = "/_bulk?timeout=20s&filter_path=took,errors,items.*.status,items.*.error.type,items.*.error.reason,items.*.failure_store";
const DAY: &str = "nodetap-2026.01.01";
const NEXT_DAY: &str = "nodetap-2026.01.02";
const STREAM: &str = "logs-nodetap.container-shop";

/// What a cluster said to each request, one line each.
#[derive(Debug, Default, PartialEq, Eq)]
struct Dialogue(Vec<String>);

/// Fails with both answers where a fake of the same engine answers otherwise.
pub(crate) fn must_be_like(server: &mut Server) {
    let mut fake = Fake::start(server.engine());
    let real = interview(server).0;
    let faked = interview(&mut fake).0;
    let different: Vec<String> = real
        .iter()
        .zip(&faked)
        .filter(|(real, faked)| real != faked)
        .map(|(real, faked)| format!("real: {real}\nfake: {faked}"))
        .collect();
    assert_eq!(real.len(), faked.len(), "{real:#?}\n{faked:#?}");
    assert!(different.is_empty(), "{}", different.join("\n\n"));
    fake.must_have_understood_all();
}

fn interview(cluster: &mut impl Cluster) -> Dialogue {
    let mut said = Dialogue::default();
    templates(cluster, &mut said);
    documents(cluster, &mut said);
    indices(cluster, &mut said);
    data_streams(cluster, &mut said);
    said
}

fn templates(cluster: &mut impl Cluster, said: &mut Dialogue) {
    let (status, about) = cluster.ask("GET", "/", None);
    said.line("introduction", status, &about["version"]["distribution"]);
    let kind = match cluster.engine() {
        Engine::Elasticsearch => Kind::Elasticsearch,
        Engine::OpenSearch => Kind::OpenSearch,
    };
    let index = Layout::Index {
        prefix: "nodetap".to_owned(),
    };
    for layout in [index, Layout::DataStream] {
        let path = format!("/_index_template/{}", layout.template_name());
        let (status, _) = cluster.ask("GET", &path, None);
        said.line("a template that is not there", status, &Value::Null);
        let (status, answer) = cluster.ask("PUT", &path, Some(&template(&layout, kind)));
        said.line("a template", status, &answer);
        let (status, answer) = cluster.ask("GET", &path, None);
        let version = &answer["index_templates"][0]["index_template"]["version"];
        said.line("a template that is there", status, version);
    }
}

fn documents(cluster: &mut impl Cluster, said: &mut Dialogue) {
    let good = json!({"@timestamp": "2026-01-01T00:00:00.123456789Z", "message": "x", "log": {"offset": 3}, "app": {"a": {"b": "c"}}});
    let with = |field: &str, value: Value| {
        let mut document = good.clone();
        document[field] = value;
        document
    };
    said.bulk(
        cluster,
        "a document twice",
        &[(DAY, "a", &good), (DAY, "a", &good)],
    );
    said.bulk(
        cluster,
        "documents that do not fit",
        &[
            (DAY, "b", &with("log", json!({"offset": "abc"}))),
            (DAY, "c", &with("log", json!("text"))),
            (DAY, "d", &with("message", json!({"an": "object"}))),
            (DAY, "e", &with("app", json!("text"))),
            (DAY, "f", &with("@timestamp", json!("yesterday"))),
            (DAY, "g", &with("@timestamp", json!("1960-01-01T00:00:00Z"))),
            (DAY, "h", &good),
        ],
    );
    said.bulk(
        cluster,
        "flattened members of every kind",
        &[(
            DAY,
            "i",
            &with(
                "app",
                json!({"a": [1, {"b": 2}], "n": null, "t": true, "e": {}, "x.y": 1}),
            ),
        )],
    );
}

fn indices(cluster: &mut impl Cluster, said: &mut Dialogue) {
    let good = json!({"@timestamp": "2026-01-01T00:00:00Z", "message": "x"});
    let index = || DAY.to_owned();
    for (number, fault) in [
        Fault::Closed { index: index() },
        Fault::WriteBlocked { index: index() },
        Fault::FloodStage { index: index() },
    ]
    .iter()
    .enumerate()
    {
        cluster.induce(fault);
        let id = format!("troubled-{number}");
        said.bulk(
            cluster,
            &format!("{fault:?}"),
            &[(DAY, &id, &good), (NEXT_DAY, &id, &good)],
        );
        cluster.heal();
        said.bulk(cluster, "healed", &[(DAY, &id, &good)]);
    }
    cluster.induce(&Fault::NoMoreShards);
    said.bulk(
        cluster,
        "an index too many",
        &[("nodetap-2026.01.03", "a", &good), (DAY, "j", &good)],
    );
    cluster.heal();
    said.bulk(
        cluster,
        "an index name that can't be",
        &[("nodetap-UPPER", "a", &good), (DAY, "k", &good)],
    );
}

fn data_streams(cluster: &mut impl Cluster, said: &mut Dialogue) {
    let good = json!({"@timestamp": "2026-01-01T00:00:00Z", "message": "x"});
    let timeless = json!({"message": "x"});
    said.bulk(
        cluster,
        "a data stream",
        &[
            (STREAM, "a", &good),
            (STREAM, "a", &good),
            (STREAM, "b", &timeless),
            (STREAM, "c", &good),
        ],
    );
    let (status, answer) = cluster.ask("POST", &format!("/{STREAM}/_rollover"), None);
    said.line("a rollover", status, &answer["rolled_over"]);
    said.bulk(cluster, "again after a rollover", &[(STREAM, "a", &good)]);
    let (status, _) = cluster.ask("POST", &format!("/{STREAM}/_refresh"), None);
    said.line("a refresh", status, &Value::Null);
    let query =
        json!({"size": 10, "_source": false, "query": {"ids": {"values": ["a", "b", "c"]}}});
    let path = format!("/{STREAM}/_search?filter_path=_shards.failed,timed_out,hits.hits._id");
    let (status, mut answer) = cluster.ask("POST", &path, Some(&query));
    if let Some(hits) = answer["hits"]["hits"].as_array_mut() {
        hits.sort_by_key(Value::to_string);
    }
    said.line("which of these ids are there", status, &answer);
    let (status, answer) = cluster.ask("POST", "/logs-nodetap.host-none/_refresh", None);
    said.line(
        "a data stream that is not there",
        status,
        &answer["error"]["type"],
    );
}

/// A bulk request as nodetap sends it.
fn ask_lines(cluster: &mut impl Cluster, lines: &str) -> (u16, Value) {
    let curl = Curl {
        url: cluster.access().urls[0].clone(),
        ca_file: None,
        user: None,
    };
    let (status, text) = curl
        .send(
            "POST",
            BULK,
            Some(&format!("{lines}\n")),
            "application/x-ndjson",
        )
        .expect("a bulk request is answered");
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

// === impl Dialogue ===

impl Dialogue {
    fn line(&mut self, question: &str, status: u16, answer: &Value) {
        self.0.push(format!("{question}: HTTP {status} {answer}"));
    }

    /// Creates documents (index, id, source); notes what became of each.
    fn bulk(&mut self, cluster: &mut impl Cluster, what: &str, items: &[(&str, &str, &Value)]) {
        let mut lines = Vec::new();
        for (index, id, source) in items {
            lines.push(json!({"create": {"_index": index, "_id": id}}).to_string());
            lines.push(source.to_string());
        }
        let (status, answer) = ask_lines(cluster, &lines.join("\n"));
        let results = answer["items"].as_array().cloned().unwrap_or_default();
        let results: Vec<String> = results
            .iter()
            .map(|item| {
                format!(
                    "{} {}",
                    item["create"]["status"], item["create"]["error"]["type"]
                )
            })
            .collect();
        self.0.push(format!(
            "{what}: HTTP {status} errors {} {results:?}",
            answer["errors"]
        ));
    }
}
