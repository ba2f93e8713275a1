//! What is asked of the cluster, and that the bounds hold: whatever is wanted is found, and what is found is looked at.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use record::{Document, Level, OutputStream, Tags};

use super::*;
use crate::backend::elasticsearch::tests::engine::{self, Stored};
use crate::backend::elasticsearch::tests::wanted;
use crate::parse;

fn planned(text: &str) -> Plan {
    plan(&parse(text).unwrap(), None, None, &|path| path != "user").unwrap()
}

#[track_caller]
fn exact(text: &str, expect: &Value) {
    let plan = planned(text);
    assert_eq!(&plan.query, expect, "{text}");
    assert!(plan.check.is_none(), "{text}");
}

#[track_caller]
fn looked_at(text: &str, expect: &Value) {
    let plan = planned(text);
    assert_eq!(&plan.query, expect, "{text}");
    assert!(plan.check.is_some(), "{text}");
}

#[test]
fn what_the_cluster_can_say_it_is_asked() {
    exact("*", &json!({ "match_all": {} }));
    exact(
        "timeout",
        &json!({ "match_phrase": { "message": { "query": "timeout" } } }),
    );
    exact(
        "level:>=error",
        &json!({ "terms": { "log.level": ["error", "fatal"] } }),
    );
    exact("level:*", &json!({ "exists": { "field": "log.level" } }));
    exact(
        "tags:part* OR tags:/gap/",
        &json!({ "bool": { "should": [
        { "terms": { "tags": ["partial"] } }, { "terms": { "tags": ["gap"] } },
    ], "minimum_should_match": 1 } }),
    );
    exact(
        "ns:Shop",
        &json!({ "term": { "kubernetes.namespace": { "value": "Shop", "case_insensitive": true } } }),
    );
    exact(
        r"pod:a\\*",
        &json!({ "wildcard": { "kubernetes.pod.name": { "value": "a\\\\*", "case_insensitive": true } } }),
    );
    exact(
        "-offset:>=1.5",
        &json!({ "bool": { "must_not": [{ "range": { "log.offset": { "gte": 1.5 } } }] } }),
    );
    exact(
        "offset:<1e300",
        &json!({ "exists": { "field": "log.offset" } }),
    );
    exact("offset:>1e300", &json!({ "match_none": {} }));
    exact(
        "offset:9223372036854775808 OR part:2",
        &json!({ "term": { "log.part": { "value": 2 } } }),
    );
    exact(
        "app.user.id:*",
        &json!({ "prefix": { "app.user.id": { "value": "" } } }),
    );
    exact(
        "labels.app.kubernetes.io/name:web",
        &json!({ "term": {
        "kubernetes.labels.app.kubernetes.io/name": { "value": "web", "case_insensitive": true },
    } }),
    );
    exact("time:<1960-01-01", &json!({ "match_none": {} }));
    exact("time:>1960-01-01", &json!({ "match_all": {} }));
    exact(
        "time:<=2026-11-21T10:00:00.5Z",
        &json!({ "range": { "@timestamp": {
        "lte": "2026-11-21T10:00:00.500000000Z", "format": "strict_date_optional_time_nanos",
    } } }),
    );
}

#[test]
fn what_it_cannot_say_is_bounded_and_looked_at() {
    looked_at(
        "message:=ready",
        &json!({ "term": { "message": { "value": "ready" } } }),
    );
    looked_at("/time.*out/", &json!({ "match_all": {} }));
    looked_at("\"=>\"", &json!({ "match_all": {} }));
    looked_at(
        "app.ms:>5",
        &json!({ "prefix": { "app.ms": { "value": "" } } }),
    );
    looked_at("app.user:*", &json!({ "exists": { "field": "app" } }));
    looked_at(
        "pod:größe-?",
        &json!({ "wildcard": { "kubernetes.pod.name": { "value": "gr*e-?", "case_insensitive": true } } }),
    );
    // Beneath a NOT nothing may be left out that is not certain.
    looked_at(
        "timeout -message:=ready",
        &json!({ "match_phrase": { "message": { "query": "timeout" } } }),
    );
    let ready = json!({ "term": { "message": { "value": "ready" } } });
    let timeout = json!({ "match_phrase": { "message": { "query": "timeout" } } });
    let either = json!({ "bool": { "should": [timeout, ready], "minimum_should_match": 1 } });
    let named = json!({ "bool": { "filter": [timeout], "_name": "q0" } });
    looked_at(
        "timeout OR message:=ready",
        &json!({ "bool": { "filter": [either], "should": [named] } }),
    );
}

#[test]
fn an_expression_that_cannot_be_compiled_is_refused() {
    let broken = Predicate::Regex {
        field: store::Field::Message,
        pattern: "(".into(),
    };
    assert!(plan(&broken, None, None, &|_| true).is_err());
}

fn document() -> impl Strategy<Value = Document> {
    let word = prop_oneof![
        Just("timeout"),
        Just("timeouts"),
        Just("a.b"),
        Just("ready"),
        Just("Größe"),
        Just("=>"),
        Just("x_1"),
        Just("id:7"),
        Just("日本"),
        Just("it's"),
    ];
    let message = prop::collection::vec(word, 0..4).prop_map(|words| words.join(" "));
    let app = prop::option::of(prop_oneof![
        Just("{\"ms\":15,\"user\":{\"id\":\"U1\"}}"),
        Just("{\"ms\":\"fast\",\"tags\":[\"a\",\"b\"]}"),
        Just("{\"user.id\":\"u1\",\"ok\":true,\"none\":null}"),
    ]);
    (message, app, 0..7_usize, 0..3_usize, any::<[u8; 2]>()).prop_map(
        |(message, app, level, pod, bytes)| {
            let mut document = leaf_document(["order-1", "Order-2", "größe-3"][pod]);
            document.level = Level::ALL[level];
            document.output = OutputStream::ALL[usize::from(bytes[0] % 3)];
            document.tags = Tags(bytes[1] & 63);
            document.offset = u64::from(bytes[0]);
            document.part = u32::from(bytes[1] % 3);
            document.error = (bytes[0] > 200).then(|| "no end".to_owned());
            document.message = message;
            document.app = app.map(str::to_owned);
            document
        },
    )
}

fn leaf_document(pod: &str) -> Document {
    use record::{Container, File, FileKey, Origin, Pod, file::Node};
    Document {
        file: Arc::new(File {
            origin: Arc::new(Origin {
                stream: format!("{pod}/app"),
                pod: Some(Pod {
                    namespace: "shop".into(),
                    name: pod.into(),
                    uid: pod.into(),
                    labels: BTreeMap::from([
                        ("app".into(), "Web".into()),
                        ("empty".into(), String::new()),
                    ]),
                }),
                container: Some(Container {
                    name: "app".into(),
                    ..Container::default()
                }),
                ..Origin::default()
            }),
            key: FileKey([0; 16]),
            fingerprint: "ab".into(),
            path: "/var/log/a.log".into(),
            started: 1_795_255_200_000_000_000,
            restart_count: Some(3),
            node: Arc::new(Node {
                host: "h".into(),
                ..Node::default()
            }),
        }),
        time: Timestamp(1_795_255_209_000_000_000),
        output: OutputStream::None,
        level: Level::Unknown,
        message: String::new(),
        offset: 0,
        end: 1,
        end_started: 1_795_255_200_000_000_000,
        part: 0,
        tags: Tags::NONE,
        app: None,
        error: None,
    }
}

fn query() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "timeout",
        "\"a.b ready\"",
        "größe",
        "日本",
        "\"=>\"",
        "*time*",
        "ready*",
        "message:=timeout",
        "message:=\"\"",
        "/time.*y$/",
        "x?1",
        "it*s",
        "level:>=warn",
        "level:*",
        "level:/e/",
        "level:<debug",
        "stream:stderr",
        "tags:gap",
        "tags:*",
        "tags:p*",
        "pod:order-1",
        "pod:ORDER*",
        "pod:größe-3",
        "pod:gr*3",
        "pod:/^o/",
        "pod:>=p",
        "ns:nowhere",
        "container:app",
        "restart:3",
        "restart:[1 TO 3}",
        "offset:>100",
        "offset:1*",
        "part:*",
        "part:<2",
        "labels.app:web",
        "labels.app:w*",
        "labels.empty:*",
        "labels.empty:=\"\"",
        "labels.none:*",
        "app.ms:15",
        "app.ms:>10",
        "app.ms:<z",
        "app.user.id:u1",
        "app.user.id:u?",
        "app.tags:b",
        "app.user:*",
        "app.ok:true",
        "app.none:*",
        "error.message:*",
        "error.message:\"no end\"",
        "host:h",
        "cluster:*",
        "dataset:nodetap.container",
        "time:2026-11-21",
        "started:>2026-11-22",
        "started:/2026/",
        "path:*\\/a.log",
        "fingerprint:AB",
    ]);
    let leaf = leaf.prop_map(str::to_owned);
    leaf.prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|one| format!("NOT ({one})")),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("({one} AND {other})")),
            (inner.clone(), inner).prop_map(|(one, other)| format!("({one} OR {other})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_plan_means_what_its_predicate_means(text in query(), document in document()) {
        let predicate = parse(&text).unwrap();
        let plan = plan(&predicate, None, None, &|path| path != "user").unwrap();
        let mut source = Vec::new();
        document.write_json(&mut source);
        let stored = Stored {
            index: "nodetap-1".into(),
            id: "1".into(),
            sequence: 0,
            source: serde_json::from_slice(&source).unwrap(),
        };
        let mut matched = Vec::new();
        let found = engine::finds(&plan.query, &stored, &mut matched);
        let passed = found && plan.wants(&matched, &document.record());
        prop_assert_eq!(passed, wanted(&predicate, &document), "{}", plan.query);
    }
}
