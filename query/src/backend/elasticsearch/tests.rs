//! The answers over a cluster of one process against the same question asked of a plain list of documents.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use proptest::prelude::*;
use record::{
    Container, Document, File, FileKey, Level, Origin, OutputStream, Pod, Tags, Timestamp,
};
use store::Predicate;

use self::engine::Stored;
use self::server::Server;
use super::*;
use crate::backend::Item;
use crate::{order, parse};

pub(super) mod engine;

mod server;

/// Half an hour before a day ends, so that lines fall on two days.
const START: i64 = 1_795_303_800_000_000_000;
const SECOND: i64 = 1_000_000_000;

const MESSAGES: [&str; 8] = [
    "connection timeout after 30s",
    "Connection TIMEOUTS",
    "ready",
    "",
    "größe ok => 日本",
    "GET /api/v1/orders 502",
    "java.lang.NullPointerException: x_y",
    "{\"ms\":15}",
];

const QUERIES: [&str; 16] = [
    "*",
    "timeout",
    "NOT timeout",
    "\"30s\" OR level:>=error",
    "*timeout*",
    "message:=ready",
    "/conn.*(30|50)/",
    "\"=>\" OR 日本",
    "pod:order-1 OR container:SIDE",
    "ns:s* -pod:/2$/",
    "(timeout OR message:=ready) -app.ms:>10",
    "NOT (app.ms:15 OR *exception* OR timeout)",
    "tags:multiline OR stream:stderr",
    "offset:[20 TO 50} restart:0",
    "log.stream:uid-1/app time:>=2026-11-22",
    "app.ms:*",
];

fn file(stream: usize, started: i64) -> Arc<File> {
    let container = if stream == 3 { "side" } else { "app" };
    Arc::new(File {
        origin: Arc::new(Origin {
            stream: format!("uid-{stream}/{container}"),
            pod: Some(Pod {
                namespace: if stream == 0 { "lab" } else { "shop" }.into(),
                name: format!("order-{stream}"),
                uid: format!("uid-{stream}"),
                ..Pod::default()
            }),
            container: Some(Container {
                name: container.into(),
                ..Container::default()
            }),
            ..Origin::default()
        }),
        key: FileKey([0; 16]),
        fingerprint: started.to_string(),
        path: format!("/var/log/pods/{stream}/0.log"),
        started,
        restart_count: Some(0),
        node: Arc::default(),
    })
}

/// Lines of (stream, message, level, seconds after the line before): offsets go up in each stream, times as they do.
fn documents(seeds: &[(usize, usize, usize, i64)]) -> Vec<Document> {
    let mut offsets: BTreeMap<usize, u64> = BTreeMap::new();
    let mut time = START;
    let line = |(stream, message, level, step): &(usize, usize, usize, i64)| {
        time += step * SECOND;
        let offset = offsets.entry(*stream).or_default();
        *offset += 10;
        let message = MESSAGES[*message];
        Document {
            file: file(*stream, START + *stream as i64),
            time: Timestamp(time),
            output: OutputStream::ALL[level % 3],
            level: Level::ALL[*level],
            message: message.to_owned(),
            offset: *offset,
            end: *offset + 10,
            end_started: START,
            part: 0,
            tags: if level % 2 == 0 {
                Tags::MULTILINE
            } else {
                Tags::NONE
            },
            app: message.starts_with('{').then(|| message.to_owned()),
            error: None,
        }
    };
    seeds.iter().map(line).collect()
}

fn seeds(lines: usize) -> impl Strategy<Value = Vec<(usize, usize, usize, i64)>> {
    let step = prop_oneof![3 => Just(0), 6 => 0..120_i64, 1 => -900..0_i64];
    prop::collection::vec((0..4_usize, 0..MESSAGES.len(), 0..7_usize, step), 0..lines)
}

/// Numbers that look like chance, the same at each run.
fn many(lines: usize) -> Vec<Document> {
    let mut state = 7_u64;
    let mut next = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut seeds = Vec::new();
    for _ in 0..lines {
        let step = if next(20) == 0 {
            -(next(300) as i64)
        } else {
            next(8) as i64 / 4
        };
        seeds.push((next(4) as usize, next(8) as usize, next(7) as usize, step));
    }
    documents(&seeds)
}

fn stored(number: usize, document: &Document) -> Stored {
    let (year, month, day) = document.time.day();
    Stored {
        index: format!("nodetap-{year}.{month:02}.{day:02}"),
        id: format!("id-{number}"),
        sequence: 0,
        source: serde_json::from_str(&sent(document)).unwrap(),
    }
}

fn cluster(documents: &[Document]) -> (Server, ElasticsearchBackend) {
    let server = Server::start(Vec::new());
    server.change(|state| {
        for (number, document) in documents.iter().enumerate() {
            state.insert(stored(number, document));
        }
    });
    let backend = backend(&server);
    (server, backend)
}

fn backend(server: &Server) -> ElasticsearchBackend {
    let settings = elastic::Settings {
        gzip_level: 0,
        ..elastic::Settings::of(vec![server.url.clone()])
    };
    ElasticsearchBackend::open(&settings, "nodetap").unwrap()
}

fn sent(document: &Document) -> String {
    let mut out = Vec::new();
    document.write_json(&mut out);
    String::from_utf8(out).unwrap()
}

/// What a predicate means where words are found and not any part of the text.
pub(super) fn wanted(predicate: &Predicate, document: &Document) -> bool {
    match predicate {
        Predicate::And(parts) => parts.iter().all(|part| wanted(part, document)),
        Predicate::Or(parts) => parts.iter().any(|part| wanted(part, document)),
        Predicate::Not(part) => !wanted(part, document),
        Predicate::Text { needle } if words::has_word(needle) => {
            let needle = engine::words(needle);
            engine::words(&document.message)
                .windows(needle.len())
                .any(|own| own == needle)
        }
        other => other.matches(&document.record()),
    }
}

/// The hits that are wanted, in reading order, with whether there were more.
fn expected(documents: &[Document], query: &Query) -> (Vec<Document>, bool) {
    let predicate = query.wanted();
    let mut hits: Vec<Document> = documents
        .iter()
        .filter(|document| wanted(&predicate, document))
        .filter(|document| query.since.is_none_or(|since| since <= document.time))
        .filter(|document| query.until.is_none_or(|until| document.time < until))
        .cloned()
        .collect();
    hits.sort_by_key(|hit| {
        (
            hit.time,
            hit.file.origin.stream.clone(),
            order::Place::of(hit),
        )
    });
    let hits_max = query.hits_max().unwrap_or(usize::MAX);
    let limited = hits_max < hits.len();
    let hits = hits.split_off(hits.len().saturating_sub(hits_max));
    (order::merged(hits, |hit| hit), limited)
}

fn found(backend: &ElasticsearchBackend, query: &Query) -> (Vec<Item>, Summary) {
    let mut items = Vec::new();
    let summary = backend
        .search(query, &mut |item| {
            items.push(item);
            ControlFlow::Continue(())
        })
        .unwrap();
    (items, summary)
}

fn lines(items: &[Item]) -> Vec<String> {
    let line = |item: &Item| match item {
        Item::Hit(document) | Item::Context(document) => sent(document),
        Item::Break => "--".to_owned(),
    };
    items.iter().map(line).collect()
}

#[track_caller]
fn check(backend: &ElasticsearchBackend, documents: &[Document], query: &Query) {
    let (items, summary) = found(backend, query);
    let (expect, limited) = expected(documents, query);
    let expect: Vec<String> = expect.iter().map(sent).collect();
    let given = lines(&items);
    let first = given
        .iter()
        .zip(&expect)
        .position(|(one, other)| one != other);
    let first = first.map(|at| (at, given.get(at), expect.get(at)));
    assert_eq!((given.len(), first), (expect.len(), None), "{query:?}");
    assert_eq!(summary.hits, expect.len() as u64);
    assert_eq!(summary.limited, limited, "{query:?}");
}

fn asked(text: &str) -> Query {
    Query {
        predicate: parse(text).unwrap(),
        ..Query::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn an_answer_is_what_a_plain_list_gives(
        seeds in seeds(40),
        limit in prop::option::of(0..60_usize),
        since in prop::option::of(-100..2000_i64),
        small in any::<bool>(),
    ) {
        let documents = documents(&seeds);
        let (server, backend) = cluster(&documents);
        // An index that has nothing is an index.
        server.change(|state| state.indices.push("nodetap-none".into()));
        let backend = if small { backend.with_memory(3000, 1 << 20) } else { backend };
        for text in QUERIES {
            let query = Query { limit, since: since.map(|s| Timestamp(START + s * SECOND)), ..asked(text) };
            check(&backend, &documents, &query);
        }
    }

    #[test]
    fn context_is_read_by_position(seeds in seeds(40), lines_beside in 1..6_usize) {
        let documents = documents(&seeds);
        let (server, backend) = cluster(&documents);
        server.change(|state| state.indices.push("nodetap-none".into()));
        let query = Query { context: lines_beside, ..asked("ready") };
        let (items, _) = found(&backend, &query);
        let mut shown: BTreeSet<(String, u64)> = BTreeSet::new();
        for item in &items {
            if let Item::Hit(line) | Item::Context(line) = item {
                prop_assert!(shown.insert((line.file.origin.stream.clone(), line.offset)), "once");
                let hit = matches!(item, Item::Hit(_));
                prop_assert_eq!(hit, line.message == "ready");
            }
        }
        // A stream's lines stand 10 bytes apart.
        let near = |line: &Document| documents.iter().any(|hit| {
            hit.message == "ready"
                && hit.file.origin.stream == line.file.origin.stream
                && hit.offset.abs_diff(line.offset) <= 10 * lines_beside as u64
        });
        let expect: BTreeSet<(String, u64)> = documents
            .iter()
            .filter(|line| near(line))
            .map(|line| (line.file.origin.stream.clone(), line.offset))
            .collect();
        prop_assert_eq!(shown, expect);
    }
}

#[test]
fn pages_leave_nothing_out_between_them() {
    let documents = many(1500);
    let (server, backend) = cluster(&documents);
    for query in [
        Query::default(),
        Query {
            limit: Some(700),
            ..Query::default()
        },
        Query {
            limit: Some(1499),
            ..Query::default()
        },
        Query {
            limit: Some(1500),
            ..Query::default()
        },
        asked("message:=ready OR timeout"),
    ] {
        check(&backend, &documents, &query);
    }
    server.change(|state| {
        assert_eq!(state.points(), 0, "points in time are given back");
        state.open_search = true;
    });
    check(&backend, &documents, &Query::default());
    server.change(|state| assert_eq!(state.points(), 0));
}

#[test]
fn an_answer_beyond_memory_is_read_twice() {
    let documents = many(1500);
    let (_server, backend) = cluster(&documents);
    let backend = backend.with_memory(50_000, 4000);
    for limit in [None, Some(900), Some(2000)] {
        let (items, summary) = found(
            &backend,
            &Query {
                limit,
                ..Query::default()
            },
        );
        let query = Query {
            limit,
            ..Query::default()
        };
        let (expect, limited) = expected(&documents, &query);
        assert_eq!(
            (summary.hits, summary.limited),
            (expect.len() as u64, limited)
        );
        // So little may wait that streams may be out of order among each other, never in themselves.
        for stream in 0..4 {
            let name = |document: &Document| {
                document
                    .file
                    .origin
                    .stream
                    .starts_with(&format!("uid-{stream}/"))
            };
            let own = |all: &mut dyn Iterator<Item = &Document>| {
                all.filter(|document| name(document))
                    .map(sent)
                    .collect::<Vec<_>>()
            };
            let mut given = items.iter().filter_map(|item| match item {
                Item::Hit(document) => Some(document),
                Item::Context(_) | Item::Break => None,
            });
            assert_eq!(own(&mut given), own(&mut expect.iter()));
        }
    }
    let wide = Query {
        context: 1,
        ..Query::default()
    };
    let refused = backend.search(&wide, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(refused, Err(BackendError::Context { .. })));
}

#[test]
fn a_point_in_time_that_is_forgotten_is_done_without() {
    let documents = many(1200);
    let (server, backend) = cluster(&documents);
    server.change(|state| state.pages_max = Some(2));
    check(&backend, &documents, &Query::default());
}

#[test]
fn a_line_in_two_indices_is_one_line() {
    let documents = many(300);
    let (server, backend) = cluster(&documents);
    server.change(|state| {
        for (number, document) in documents.iter().enumerate().step_by(3) {
            let copy = Stored {
                index: "nodetap-again".into(),
                ..stored(number, document)
            };
            state.insert(copy);
        }
    });
    check(&backend, &documents, &Query::default());
    check(
        &backend,
        &documents,
        &Query {
            limit: Some(250),
            ..Query::default()
        },
    );
    let query = Query {
        context: 400,
        limit: Some(1),
        ..Query::default()
    };
    let (items, _) = found(&backend, &query);
    let mut shown = lines(&items);
    let count = shown.len();
    shown.sort();
    shown.dedup();
    assert_eq!(shown.len(), count, "each once");
}

#[test]
fn counts_are_the_same_by_whomever_they_are_made() {
    let documents = many(700);
    let (_server, backend) = cluster(&documents);
    for (text, milliseconds) in [
        ("*", 60_000),
        ("timeout", 1000),
        ("message:=ready", 60_000),
        ("NOT level:*", 7),
    ] {
        let query = asked(text);
        let bucket = Duration::from_millis(milliseconds);
        let mut expect: BTreeMap<Timestamp, [u64; 7]> = BTreeMap::new();
        for hit in expected(&documents, &query).0 {
            let nanos = bucket.as_nanos() as i64;
            let start = Timestamp(hit.time.0.div_euclid(nanos) * nanos);
            let level = Level::ALL.iter().position(|own| *own == hit.level).unwrap();
            expect.entry(start).or_default()[level] += 1;
        }
        assert_eq!(
            backend.histogram(&query, bucket).unwrap().buckets,
            expect,
            "{text}"
        );
    }
}

#[test]
fn refusals_say_what_to_do() {
    let (server, backend) = cluster(&many(3));
    let fails = |failures: Vec<(u16, Value)>| {
        server.change(|state| state.failures = failures);
        let query = Query {
            limit: Some(5),
            ..Query::default()
        };
        backend
            .search(&query, &mut |_| ControlFlow::Continue(()))
            .map_err(|error| error.to_string())
    };
    let denied = || json!({ "error": { "type": "security_exception", "reason": "no" } });
    let error = fails(vec![(401, denied()), (401, denied())]).unwrap_err();
    assert_eq!(
        error,
        "the cluster does not accept our credentials: HTTP 401: security_exception: no"
    );
    // Renewed credentials, and a cluster that was busy, are not worth an error.
    assert!(fails(vec![(401, denied())]).is_ok());
    assert!(fails(vec![(429, json!({})), (503, json!({}))]).is_ok());
    let error = fails(vec![(403, denied()), (403, denied())]).unwrap_err();
    assert!(error.starts_with("our user may not read here"), "{error}");
    let reason = json!({ "type": "x", "reason": "Fielddata is disabled on [log.stream]" });
    let shards = json!({ "error": { "type": "search", "reason": "all", "failed_shards": [{ "reason": reason }] } });
    let error = fails(vec![(400, shards)]).unwrap_err();
    assert!(
        error.starts_with("fields are not mapped as nodetap needs them"),
        "{error}"
    );
    let error = fails(vec![(200, json!({ "hits": 7 }))]).unwrap_err();
    assert!(
        error.starts_with("the cluster's answer can't be read"),
        "{error}"
    );
    server.change(|state| {
        state.documents.clear();
        state.indices.clear();
    });
    let error = fails(Vec::new()).unwrap_err();
    assert!(
        error.starts_with("no index nodetap-* or logs-nodetap.*-* there yet"),
        "{error}"
    );
}

#[test]
fn prefixes_are_taken_literally() {
    assert_eq!(patterns("nodetap"), "nodetap-*,logs-nodetap.*-*");
    assert_eq!(patterns("a/b?"), "a%2Fb%3F-*,logs-nodetap.*-*");
}

mod follow;
