//! Documents that come back as they went out, and sources of others that do no harm.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const NO_TIME: Timestamp = Timestamp(0);

/// A document with every field that there is.
fn full() -> Document {
    Document {
        file: Arc::new(File {
            origin: Arc::new(Origin {
                stream: "uid-1/app".into(),
                pod: Some(Pod {
                    namespace: "shop".into(),
                    name: "order-1".into(),
                    uid: "uid-1".into(),
                    labels: BTreeMap::from([("app.kubernetes.io/name".into(), "web".into())]),
                }),
                container: Some(Container {
                    name: "app".into(),
                    id: "c0ffee".into(),
                    runtime: "containerd".into(),
                    image: "registry:5000/app:1".into(),
                    labels: BTreeMap::new(),
                }),
                kind: Kind::Container,
            }),
            key: FileKey([0; 16]),
            fingerprint: "00ff".into(),
            path: "/var/log/pods/shop_order-1_uid-1/app/0.log".into(),
            started: 1_795_255_200_000_000_001,
            restart_count: Some(3),
            node: Arc::new(Node {
                host: "h1".into(),
                name: "n1".into(),
                cluster: "lab".into(),
            }),
        }),
        time: Timestamp(1_795_255_209_123_456_789),
        output: OutputStream::Stderr,
        level: Level::Warn,
        message: "a \"quoted\" \\ line\n\twith Größe".into(),
        offset: 42,
        end: 0,
        end_started: 0,
        part: 2,
        tags: Tags::PARTIAL.with(Tags::MULTILINE),
        app: Some("{\"n\":1.50, \"deep\":{\"a.b\":[1,null]}}".into()),
        error: Some("no \"end\"".into()),
    }
}

fn sent(document: &Document) -> String {
    let mut out = Vec::new();
    document.write_json(&mut out);
    String::from_utf8(out).unwrap()
}

fn back(source: &str) -> Document {
    document(source, NO_TIME, &mut Files::default())
}

#[test]
fn every_field_comes_back_as_it_was_written() {
    let document = full();
    assert_eq!(sent(&back(&sent(&document))), sent(&document));
}

#[test]
fn what_a_document_does_not_have_does_not_appear() {
    let mut document = full();
    let bare = |change: &dyn Fn(&mut Origin)| {
        let mut origin = (*document.file.origin).clone();
        change(&mut origin);
        let file = File {
            origin: Arc::new(origin),
            restart_count: None,
            node: Arc::new(Node::default()),
            ..(*document.file).clone()
        };
        let bare = Document {
            file: Arc::new(file),
            output: OutputStream::None,
            level: Level::Unknown,
            part: 0,
            tags: Tags::NONE,
            app: None,
            error: None,
            ..document.clone()
        };
        assert_eq!(sent(&back(&sent(&bare))), sent(&bare));
        back(&sent(&bare))
    };
    // A pod's container of which only the directory is known, a Docker container, a volume's file, a host's log.
    bare(&|origin| {
        let container = origin.container.as_mut().unwrap();
        (container.id, container.runtime, container.image) = Default::default();
    });
    bare(&|origin| origin.pod = None);
    let volume = bare(&|origin| {
        origin.container = None;
        origin.kind = Kind::Volume;
    });
    assert_eq!(volume.file.origin.kind, Kind::Volume);
    let host = bare(&|origin| {
        (origin.pod, origin.container, origin.kind) = (None, None, Kind::Host);
    });
    assert_eq!(host.file.origin.kind, Kind::Host);
    document.tags = Tags::GAP;
    document.message = "412 bytes of this log are missing here: deleted".into();
    let gap = back(&sent(&document));
    assert_eq!((gap.offset, gap.end), (42, 454));
    assert_eq!(gap.end_started, gap.file.started);
}

#[test]
fn lines_of_one_file_share_their_constant_part() {
    let mut files = Files::default();
    let one = document(&sent(&full()), NO_TIME, &mut files);
    let next = Document {
        offset: 99,
        message: "another".into(),
        ..full()
    };
    let next = document(&sent(&next), NO_TIME, &mut files);
    assert!(Arc::ptr_eq(&one.file, &next.file));
    for number in 0..=FILES_MAX {
        let source = json!({ "log": { "stream": number.to_string() } }).to_string();
        document(&source, NO_TIME, &mut files);
    }
    assert!(files.known.len() <= FILES_MAX);
}

#[test]
fn what_others_wrote_counts_as_far_as_it_is_of_the_right_type() {
    let time = Timestamp(7);
    let odd = json!({
        "@timestamp": 12, "message": { "a": 1 }, "stream": "stdin", "tags": "gap", "app": "text",
        "log": { "offset": -1, "level": "WARNING", "part": 1e3, "stream": null, "file": [] },
        "kubernetes": { "pod": "name", "labels": 3 }, "container": "x", "host": { "name": 4 }, "error": [],
    });
    let found = document(&odd.to_string(), time, &mut Files::default());
    assert_eq!((found.time, found.offset, found.part), (time, 0, 0));
    assert_eq!((found.level, found.tags), (Level::Warn, Tags::GAP));
    assert_eq!(found.message, "{\"a\":1}");
    assert_eq!((found.app, found.error), (None, None));
    assert_eq!(found.file.origin.pod, None);
    for source in [
        "null",
        "[]",
        "\"x\"",
        "",
        "{\"log\":7}",
        "{\"log\":{}, \"log\":{}}",
    ] {
        assert_eq!(
            document(source, time, &mut Files::default()).time,
            time,
            "{source}"
        );
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        "2026-11-21T1[0-9]:00:00(\\.[0-9]{1,12})?Z".prop_map(Value::from),
        Just(Value::from("99999999999999999999 bytes of this")),
    ];
    let name = prop_oneof![
        Just("@timestamp"),
        Just("message"),
        Just("stream"),
        Just("tags"),
        Just("log"),
        Just("kubernetes"),
        Just("container"),
        Just("host"),
        Just("event"),
        Just("app"),
        Just("error"),
        Just("offset"),
        Just("file"),
        Just("started"),
        Just("pod"),
        Just("name"),
        Just("labels"),
        Just("part"),
        Just("level"),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name.clone().prop_map(str::to_owned), inner), 0..6).prop_map(
                |members| members
                    .into_iter()
                    .collect::<serde_json::Map<_, _>>()
                    .into()
            ),
        ]
    })
}

proptest! {
    #[test]
    fn no_source_does_harm(source in json_value()) {
        let found = back(&source.to_string());
        // What was made of it can be shown, and is JSON.
        let json: Result<Value, _> = serde_json::from_str(&sent(&found));
        prop_assert!(json.is_ok());
    }

    #[test]
    fn no_bytes_do_harm(source in "[\\PC\"\\\\{}:,]{0,60}") {
        back(&source);
    }

    #[test]
    fn any_text_comes_back(message in any::<String>(), offset in 0..i64::MAX as u64, time in 0..i64::MAX) {
        let document = Document { message, offset, time: Timestamp(time), ..full() };
        prop_assert_eq!(sent(&back(&sent(&document))), sent(&document));
    }
}
