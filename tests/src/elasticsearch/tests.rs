//! Does the fake keep what it is given, and fail as told? Asked over the wire, as nodetap asks.

use std::io::{Read, Write};
use std::net::TcpStream;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::*;

/// One request on a connection of its own; the answer's status and body, or `None` when it did not come whole.
fn ask(fake: &Fake, head: &str, body: &[u8]) -> Option<(u16, Value)> {
    let address = fake.access().urls[0].replace("http://", "");
    let mut connection = TcpStream::connect(address).ok()?;
    let length = body.len();
    let head = format!("{head}\r\ncontent-length: {length}\r\n\r\n");
    connection.write_all(head.as_bytes()).ok()?;
    connection.write_all(body).ok()?;
    connection.shutdown(std::net::Shutdown::Write).ok()?;
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let length: usize = head
        .split("content-length: ")
        .nth(1)?
        .lines()
        .next()?
        .parse()
        .unwrap();
    let status = head.split(' ').nth(1)?.parse().unwrap();
    let json = serde_json::from_str(body).unwrap_or(Value::Null);
    (body.len() == length).then_some((status, json))
}

fn bulk(index: &str, documents: &[(&str, &str)]) -> Vec<u8> {
    let mut body = String::new();
    for (id, source) in documents {
        let action = json!({"create": {"_index": index, "_id": id}});
        body.extend([
            action.to_string(),
            "\n".into(),
            source.to_string(),
            "\n".into(),
        ]);
    }
    body.into_bytes()
}

const BULK: &str =
    "POST /_bulk?filter_path=errors,items.*.status,items.*.error.type HTTP/1.1\r\nhost: x";

fn send(fake: &Fake, index: &str, ids: &[&str]) -> Option<(u16, Value)> {
    let documents: Vec<_> = ids
        .iter()
        .map(|id| {
            (
                *id,
                "{\"@timestamp\":\"2026-11-21T00:00:00Z\",\"message\":\"x\"}",
            )
        })
        .collect();
    ask(fake, BULK, &bulk(index, &documents))
}

fn statuses(answer: Option<(u16, Value)>) -> Vec<u64> {
    let (status, body) = answer.unwrap();
    assert_eq!(status, 200, "{body}");
    let items = body["items"].as_array().unwrap().iter();
    items
        .map(|item| item["create"]["status"].as_u64().unwrap())
        .collect()
}

fn stream_template() -> Value {
    json!({"index_patterns": ["logs-*"], "data_stream": {}, "priority": 200})
}

#[test]
fn an_id_is_unique_in_an_index_and_its_first_document_stays() {
    let mut fake = Fake::start(Engine::Elasticsearch);
    let first = ask(&fake, BULK, &bulk("a", &[("1", "{\"n\":1}"), ("2", "{}")]));
    assert_eq!(statuses(first), [201, 201]);
    let second = ask(&fake, BULK, &bulk("a", &[("1", "{\"n\":2}"), ("3", "{}")]));
    assert_eq!(statuses(second), [409, 201]);
    let other = ask(&fake, BULK, &bulk("b", &[("1", "{}")]));
    assert_eq!(statuses(other), [201]);
    let documents = fake.documents();
    assert_eq!(documents.len(), 4);
    assert_eq!(documents[0].source, json!({"n": 1}));
    fake.must_have_understood_all();
}

#[test]
fn a_body_may_be_compressed() {
    let fake = Fake::start(Engine::OpenSearch);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&bulk("a", &[("1", "{}")])).unwrap();
    let head = format!("{BULK}\r\ncontent-encoding: gzip");
    let answer = ask(&fake, &head, &encoder.finish().unwrap());
    assert_eq!(statuses(answer), [201]);
}

#[test]
fn a_rollover_forgets_the_ids_of_a_data_stream() {
    let mut fake = Fake::start(Engine::Elasticsearch);
    let (status, _) = fake.ask("PUT", "/_index_template/logs", Some(&stream_template()));
    assert_eq!(status, 200);
    assert_eq!(statuses(send(&fake, "logs-a", &["1"])), [201]);
    assert_eq!(statuses(send(&fake, "logs-a", &["1"])), [409]);
    let (_, answer) = fake.ask("POST", "/logs-a/_rollover", None);
    assert_eq!(answer["new_index"], ".ds-logs-a-2026.01.01-000002");
    assert_eq!(statuses(send(&fake, "logs-a", &["1"])), [201]);
    assert_eq!(
        statuses(send(&fake, ".ds-logs-a-2026.01.01-000001", &["2"])),
        [400]
    );
    let without_time = ask(&fake, BULK, &bulk("logs-a", &[("3", "{}")]));
    assert_eq!(statuses(without_time), [400]);
    assert_eq!(fake.documents().len(), 2);
}

#[test]
fn a_search_finds_ids_that_were_there_at_the_last_refresh() {
    let mut fake = Fake::start(Engine::Elasticsearch);
    fake.ask("PUT", "/_index_template/logs", Some(&stream_template()));
    send(&fake, "logs-a", &["1", "2"]);
    let query =
        json!({"query": {"ids": {"values": ["1", "2", "4"]}}, "size": 100, "_source": false});
    let found = |fake: &mut Fake| {
        let (status, answer) = fake.ask("POST", "/logs-a/_search", Some(&query));
        assert_eq!(status, 200, "{answer}");
        let hits = answer["hits"]["hits"].as_array().unwrap().clone();
        let mut ids: Vec<_> = hits.iter().map(|hit| hit["_id"].clone()).collect();
        ids.sort_by_key(Value::to_string);
        ids
    };
    assert_eq!(found(&mut fake), [] as [&str; 0]);
    fake.ask("POST", "/logs-a/_refresh", None);
    assert_eq!(found(&mut fake), ["1", "2"]);
    fake.ask("POST", "/logs-a/_rollover", None);
    send(&fake, "logs-a", &["4"]);
    fake.ask("POST", "/logs-a/_refresh", None);
    assert_eq!(found(&mut fake), ["1", "2", "4"]);
}

#[test]
fn a_search_goes_on_after_its_last_hit() {
    let mut fake = Fake::start(Engine::Elasticsearch);
    let documents: Vec<(String, String)> = (0..7)
        .map(|n| {
            (
                n.to_string(),
                json!({"n": n, "even": n % 2 == 0}).to_string(),
            )
        })
        .collect();
    let documents: Vec<(&str, &str)> = documents
        .iter()
        .map(|(id, source)| (id.as_str(), source.as_str()))
        .collect();
    ask(&fake, BULK, &bulk("a", &documents));
    fake.ask("POST", "/a/_refresh", None);
    let mut query = json!({
        "query": {"bool": {"filter": [{"range": {"n": {"gte": 2}}}]}}, "sort": [{"n": "desc"}], "size": 2,
    });
    let mut seen = Vec::new();
    loop {
        let (_, answer) = fake.ask("POST", "/a/_search", Some(&query));
        let hits = answer["hits"]["hits"].as_array().unwrap().clone();
        let Some(last) = hits.last() else { break };
        query["search_after"] = last["sort"].clone();
        seen.extend(hits.iter().map(|hit| hit["_source"]["n"].as_u64().unwrap()));
    }
    assert_eq!(seen, [6, 5, 4, 3, 2]);
    let (status, answer) = fake.ask("POST", "/a/_search", Some(&json!({"size": 10_001})));
    assert_eq!(
        (status, &answer["error"]["type"]),
        (400, &json!("illegal_argument_exception"))
    );
}

#[test]
fn requests_go_wrong_in_the_order_of_the_script() {
    let mut fake = Fake::start(Engine::Elasticsearch);
    fake.script([
        Mishap::Refused {
            status: 429,
            retry_after: Some(2),
        },
        Mishap::CutBefore,
        Mishap::CutAfter,
        Mishap::CutWithin,
        Mishap::EmptyBody,
        Mishap::NoItems,
        Mishap::FewerItems,
        Mishap::HalfJson,
        Mishap::NotJson,
        Mishap::Drip,
    ]);
    let ids = ["1", "2", "3"];
    assert_eq!(send(&fake, "a", &ids).unwrap().0, 429);
    assert_eq!(send(&fake, "a", &ids), None);
    assert_eq!(fake.count(), 0);
    assert_eq!(send(&fake, "a", &ids), None);
    assert_eq!(fake.count(), 3);
    assert_eq!(send(&fake, "a", &ids), None);
    assert_eq!(send(&fake, "a", &ids), Some((200, Value::Null)));
    assert_eq!(statuses(send(&fake, "a", &ids)), [] as [u64; 0]);
    assert_eq!(statuses(send(&fake, "a", &ids)), [409, 409]);
    assert_eq!(send(&fake, "a", &ids), Some((200, Value::Null)));
    assert_eq!(send(&fake, "a", &ids), Some((200, Value::Null)));
    assert_eq!(statuses(send(&fake, "a", &ids)), [409; 3]);
    let journal = fake.journal();
    let answered: Vec<_> = journal.iter().map(|exchange| exchange.status).collect();
    assert_eq!(answered[..4], [Some(429), None, None, None]);
    assert_eq!(answered[4..], [Some(200); 6]);
    assert!(fake.documents().iter().all(|stored| stored.index == "a"));
}

#[test]
fn items_go_wrong_by_chance_and_by_their_flaws() {
    let fake = Fake::start(Engine::OpenSearch);
    fake.plan(
        Plan::seeded(3)
            .items(ItemMishap::Busy, 200)
            .items(ItemMishap::UnavailableThoughStored, 200)
            .flaws(Flaw::Poison, 100),
    );
    let ids: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let statuses = statuses(send(&fake, "a", &ids));
    let count = |wanted| statuses.iter().filter(|own| **own == wanted).count();
    assert!(count(400).abs_diff(100) < 40, "{}", count(400));
    assert!(count(429).abs_diff(180) < 60, "{}", count(429));
    assert!(count(503).abs_diff(180) < 60, "{}", count(503));
    assert_eq!(fake.count(), count(201) + count(503));
    let poison = ids.iter().find(|id| fake.flaw(id) == Flaw::Poison).unwrap();
    let plain = [(
        *poison,
        "{\"message\":\"x\",\"error\":{\"message\":\"why\"}}",
    )];
    let stored = std::iter::repeat_with(|| ask(&fake, BULK, &bulk("a", &plain)).unwrap().1)
        .take(50)
        .any(|answer| {
            let status = answer["items"][0]["create"]["status"].as_u64();
            matches!(status, Some(201 | 409))
        });
    assert!(stored, "plain text is taken");
}

#[test]
fn trouble_comes_and_goes() {
    let mut fake = Fake::start(Engine::Elasticsearch);
    send(&fake, "a", &["1"]);
    let index = || "a".to_owned();
    for (fault, expect) in [
        (Fault::Closed { index: index() }, "index_closed_exception"),
        (
            Fault::WriteBlocked { index: index() },
            "cluster_block_exception",
        ),
        (
            Fault::FloodStage { index: index() },
            "cluster_block_exception",
        ),
    ] {
        fake.induce(&fault);
        let (_, answer) = send(&fake, "a", &["1"]).unwrap();
        assert_eq!(answer["items"][0]["create"]["error"]["type"], expect);
        fake.heal();
    }
    fake.induce(&Fault::NoMoreShards);
    assert_eq!(statuses(send(&fake, "b", &["1"])), [400]);
    assert_eq!(statuses(send(&fake, "a", &["2"])), [201]);
    fake.heal();
    fake.induce(&Fault::Busy);
    assert_eq!(send(&fake, "a", &["3"]).unwrap().0, 429);
    fake.heal();
    fake.induce(&Fault::SmallBodies);
    let large = format!("{{\"message\":\"{}\"}}", "x".repeat(SMALL_BODY_BYTES));
    let answer = ask(&fake, BULK, &bulk("a", &[("4", &large)]));
    assert_eq!(answer, Some((413, Value::Null)));
    fake.heal();
    for fault in [Fault::Stopped, Fault::Killed] {
        fake.induce(&fault);
        assert_eq!(send(&fake, "a", &["5"]), None);
        fake.heal();
    }
    assert_eq!(statuses(send(&fake, "a", &["5"])), [201]);
    assert_eq!(fake.count(), 3);
}

#[test]
fn who_lacks_the_key_is_not_let_in() {
    let mut fake = Fake::start(Engine::Elasticsearch);
    fake.require_api_key("aWQ6a2V5");
    assert_eq!(send(&fake, "a", &["1"]).unwrap().0, 401);
    let head = format!("{BULK}\r\nauthorization: ApiKey aWQ6a2V5");
    let answer = ask(&fake, &head, &bulk("a", &[("1", "{}")]));
    assert_eq!(statuses(answer), [201]);
}

#[test]
fn a_template_comes_back_as_the_servers_write_it() {
    let mut fake = Fake::start(Engine::Elasticsearch);
    let template = json!({
        "index_patterns": ["nodetap-*"],
        "template": {
            "settings": {"number_of_shards": 1, "index.codec": "best_compression"},
            "mappings": {"properties": {"log": {"properties": {"offset": {"type": "long"}}}}},
        },
    });
    fake.ask("PUT", "/_index_template/nodetap", Some(&template));
    let (status, answer) = fake.ask("GET", "/_index_template/nodetap", None);
    assert_eq!(status, 200);
    assert_eq!(
        answer["index_templates"][0]["index_template"]["template"]["settings"],
        json!({"index": {"number_of_shards": "1", "codec": "best_compression"}})
    );
    let odd = ask(
        &fake,
        BULK,
        &bulk("nodetap-1", &[("1", "{\"log\":{\"offset\":\"x\"}}")]),
    );
    assert_eq!(statuses(odd), [400]);
    let foreign = json!({
        "index_patterns": ["x"],
        "template": {"mappings": {"properties": {"app": {"type": "flat_object"}}}},
    });
    let (status, _) = fake.ask("PUT", "/_index_template/x", Some(&foreign));
    assert_eq!(status, 400);
    assert_eq!(fake.ask("GET", "/_index_template/none", None).0, 404);
}
