//! Searches give what a plain filter over a plain list gives, wherever the rows lie.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use record::{Document, File, Level, OutputStream, Tags, Timestamp};
use store::{Comparison, Field, Predicate, Reader, Scan, Test, Value};

use crate::lines::{DAY, append, expected, file, line, search, sort, text, writer};

fn field() -> impl Strategy<Value = Field> {
    prop_oneof![
        Just(Field::Message),
        Just(Field::Level),
        Just(Field::Output),
        Just(Field::Stream),
        Just(Field::Namespace),
        Just(Field::PodName),
        Just(Field::RestartCount),
        Just(Field::Offset),
        Just(Field::Part),
        Just(Field::Time),
        Just(Field::Started),
        Just(Field::Tags),
        Just(Field::Error),
        Just(Field::Image),
        Just(Field::Label("tier".into())),
        Just(Field::App("user.id".into())),
        Just(Field::App("n".into())),
    ]
}

fn test() -> impl Strategy<Value = Test> {
    let word = prop_oneof![
        Just("ERROR"),
        Just("shop"),
        Just("müller"),
        Just("stderr"),
        Just("web"),
        Just("gap"),
        Just("7"),
        Just("a b")
    ];
    let glob = prop_oneof![
        Just("*"),
        Just("order-?"),
        Just("*u*"),
        Just("s*r*"),
        Just("")
    ];
    let comparison = prop_oneof![
        Just(Comparison::Less),
        Just(Comparison::LessOrEqual),
        Just(Comparison::Greater),
        Just(Comparison::GreaterOrEqual)
    ];
    let value = prop_oneof![
        (0..120_i64).prop_map(|number| Value::Number(number as f64)),
        (0..50_i64).prop_map(|seconds| Value::Time(Timestamp(DAY + seconds * 1_000_000_000))),
        (0..7_usize).prop_map(|level| Value::Level(Level::ALL[level])),
        Just(Value::Text("m".into())),
    ];
    prop_oneof![
        word.prop_map(|word| Test::Equals(word.to_owned())),
        glob.prop_map(|glob| Test::Glob(glob.to_owned())),
        (comparison, value).prop_map(|(comparison, value)| Test::Compare(comparison, value)),
        Just(Test::Exists),
    ]
}

fn predicate() -> impl Strategy<Value = Predicate> {
    let leaf = prop_oneof![
        1 => Just(Predicate::All),
        4 => "[aAbBüÜ ]{0,3}".prop_map(|needle| Predicate::Text { needle }),
        1 => (field(), prop_oneof![Just("a.b"), Just("^s"), Just("[0-9]")])
            .prop_map(|(field, pattern)| Predicate::Regex { field, pattern: pattern.to_owned() }),
        6 => (field(), test()).prop_map(|(field, test)| Predicate::Field { field, test }),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Predicate::And),
            prop::collection::vec(inner.clone(), 0..3).prop_map(Predicate::Or),
            inner.prop_map(|part| Predicate::Not(Box::new(part))),
        ]
    })
}

/// Stream, life, time, level, message, tags, app.
type Row = (u32, i64, i64, usize, String, u8, Option<String>);

/// A row of the `stream`-th stream in its `life`-th file; offsets are given by the order.
fn row() -> impl Strategy<Value = Row> {
    (
        0..4_u32,
        0..3_i64,
        -3_000..60_i64,
        0..7_usize,
        "[aAbBüÜ ]{0,8}",
        0..64_u8,
        prop_oneof![
            4 => Just(None),
            1 => Just(Some("{\"user\":{\"id\":7},\"n\":[1.5,\"shop\"]}".to_owned()))
        ],
    )
}

/// Rows as documents, each stream's with growing offsets, files shared.
fn documents(rows: Vec<Row>) -> Vec<Document> {
    let mut files: BTreeMap<(u32, i64), (Arc<File>, u64)> = BTreeMap::new();
    rows.into_iter()
        .map(|(stream, life, time, level, message, tags, app)| {
            let entry = files.entry((stream, life));
            let (own, offset) = entry.or_insert_with(|| (file(stream, DAY + life), 0));
            let mut document = line(own, DAY + time * 1_000_000_000, *offset, &message);
            *offset = document.end;
            document.level = Level::ALL[level];
            document.output = OutputStream::ALL[level % 3];
            document.tags = Tags(if tags < 40 { 0 } else { tags });
            document.part = u32::from(tags % 5 == 0);
            document.error = (tags % 7 == 0).then(|| "a b".to_owned());
            document.end_started += i64::from(tags % 11 == 0);
            document.app = app;
            document
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn every_question_is_answered_as_by_a_plain_list(
        rows in prop::collection::vec(row(), 0..80),
        sealed in 0_usize..80,
        questions in prop::collection::vec(
            (predicate(), prop::option::of(-3_000..60_i64), prop::option::of(-10..60_i64), prop::option::of(0_usize..12)),
            1..6,
        ),
    ) {
        let documents = documents(rows);
        let dir = tempfile::tempdir().unwrap();
        let mut writer = writer(dir.path());
        let sealed = sealed.min(documents.len());
        for (index, part) in documents[..sealed].chunks(9).enumerate() {
            append(&mut writer, part);
            if index % 3 == 2 {
                writer.settle(Timestamp(DAY), true).unwrap();
            }
        }
        writer.settle(Timestamp(DAY), true).unwrap();
        for part in documents[sealed..].chunks(7) {
            append(&mut writer, part);
        }
        let reader = Reader::open(dir.path()).unwrap();
        for (predicate, from, until, limit) in questions {
            let time = |seconds: i64| Timestamp(DAY + seconds * 1_000_000_000);
            let scan = Scan { predicate, from: from.map(time), until: until.map(time), limit };
            let expect = expected(&documents, &scan);
            prop_assert_eq!(search(&reader, &scan), expect, "{:?}", scan);

            let whole = expected(&documents, &Scan { limit: None, ..scan.clone() });
            let mut counts: BTreeMap<Timestamp, [u64; 7]> = BTreeMap::new();
            for document in whole {
                let start = document.time.0.div_euclid(7_000_000_000) * 7_000_000_000;
                counts.entry(Timestamp(start)).or_default()[document.level as usize] += 1;
            }
            let histogram = reader.histogram(&scan, Duration::from_secs(7)).unwrap();
            prop_assert_eq!(histogram.buckets, counts);
        }
    }

    #[test]
    fn context_is_a_range_of_the_exact_order(
        rows in prop::collection::vec(row(), 1..80),
        sealed in 0_usize..80,
        at in 0_usize..80,
        count in 0_usize..9,
    ) {
        let documents = documents(rows);
        let dir = tempfile::tempdir().unwrap();
        let mut writer = writer(dir.path());
        let sealed = sealed.min(documents.len());
        for part in documents[..sealed].chunks(20) {
            append(&mut writer, part);
            writer.settle(Timestamp(DAY), true).unwrap();
        }
        append(&mut writer, &documents[sealed..]);
        let hit = &documents[at % documents.len()];
        let stream = &hit.file.origin.stream;
        let mut own: Vec<Document> =
            documents.iter().filter(|other| other.file.origin.stream == *stream).cloned().collect();
        own.sort_by_key(|document| (document.position(), document.part, document.end));
        let before: Vec<Document> =
            own.iter().filter(|other| other.position() < hit.position()).cloned().collect();
        let after: Vec<Document> =
            own.iter().filter(|other| other.position() > hit.position()).take(count).cloned().collect();
        let reader = Reader::open(dir.path()).unwrap();
        let expect = before[before.len().saturating_sub(count)..].to_vec();
        prop_assert_eq!(reader.before(stream, hit.position(), count).unwrap(), expect);
        prop_assert_eq!(reader.after(stream, hit.position(), count).unwrap(), after);
    }

    #[test]
    fn a_follower_sees_each_row_once_across_seals(
        rows in prop::collection::vec(row(), 0..80),
        steps in prop::collection::vec((1_usize..15, any::<bool>(), any::<bool>(), 0_usize..20), 1..12),
    ) {
        let documents = documents(rows);
        let dir = tempfile::tempdir().unwrap();
        let mut writer = writer(dir.path());
        let mut reader = Reader::open(dir.path()).unwrap();
        let mut cursor = reader.end();
        let mut seen = Vec::new();
        let mut rest = documents.as_slice();
        for (count, seal, look, breaks) in steps {
            let (now, later) = rest.split_at(count.min(rest.len()));
            rest = later;
            append(&mut writer, now);
            if seal {
                writer.settle(Timestamp(DAY), true).unwrap();
            }
            if look {
                let mut left = breaks;
                reader.follow(&mut cursor, &Scan::default(), &mut |document| {
                    seen.push(document);
                    if left == 0 { return ControlFlow::Break(()); }
                    left -= 1;
                    ControlFlow::Continue(())
                }).unwrap();
            }
        }
        append(&mut writer, rest);
        reader.follow(&mut cursor, &Scan::default(), &mut |document| {
            seen.push(document);
            ControlFlow::Continue(())
        }).unwrap();
        // Whoever falls far behind gets what was sealed meanwhile in the order of time.
        let mut documents = documents;
        sort(&mut seen);
        sort(&mut documents);
        prop_assert!(seen == documents, "{} seen of {}", seen.len(), documents.len());
    }
}

#[test]
fn a_follower_who_keeps_up_sees_the_order_of_appending() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path());
    let own = [file(0, DAY), file(1, DAY)];
    let documents: Vec<Document> = (0..60_u64)
        .map(|n| {
            line(
                &own[n as usize % 2],
                DAY - n as i64,
                n * 10,
                "backwards in time",
            )
        })
        .collect();
    let mut reader = Reader::open(dir.path()).unwrap();
    let mut cursor = reader.end();
    let mut seen = Vec::new();
    for (n, part) in documents.chunks(5).enumerate() {
        append(&mut writer, part);
        writer.settle(Timestamp(DAY), n % 2 == 0).unwrap();
        let mut each = |document| {
            seen.push(document);
            ControlFlow::Continue(())
        };
        reader
            .follow(&mut cursor, &Scan::default(), &mut each)
            .unwrap();
    }
    assert_eq!(seen, documents);
}

#[test]
fn a_search_is_of_letters_not_of_their_case() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path());
    let own = file(0, DAY);
    let documents = [
        line(&own, DAY, 0, "GRÖSSE überschritten"),
        line(&own, DAY + 1, 40, "größe"),
        line(&own, DAY + 2, 80, ""),
    ];
    append(&mut writer, &documents);
    let reader = Reader::open(dir.path()).unwrap();
    assert_eq!(search(&reader, &text("grösse ÜBER")), documents[..1]);
    assert_eq!(search(&reader, &text("GRÖß")), documents[1..2]);
    assert_eq!(search(&reader, &text("")), documents);
}

#[test]
fn an_expression_that_is_wrong_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let predicate = Predicate::Regex {
        field: Field::Message,
        pattern: "(".into(),
    };
    let scan = Scan {
        predicate,
        ..Scan::default()
    };
    let reader = Reader::open(dir.path()).unwrap();
    let error = reader
        .scan(&scan, &mut |_| ControlFlow::Continue(()))
        .unwrap_err();
    assert_eq!(error.to_string(), "compile expression (");
}

#[test]
fn a_scan_without_limit_is_cut_into_slices_and_stays_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path());
    let own = [file(0, DAY), file(1, DAY)];
    let mut documents: Vec<Document> = (0..250_000_u64)
        .map(|n| {
            line(
                &own[n as usize % 2],
                DAY + (n as i64 / 3) * 1000,
                n * 10,
                "x",
            )
        })
        .collect();
    for part in documents.chunks(40_000) {
        append(&mut writer, part);
        writer.settle(Timestamp(DAY), true).unwrap();
    }
    sort(&mut documents);
    let mut at = 0;
    let reader = Reader::open(dir.path()).unwrap();
    let stats = reader
        .scan(&Scan::default(), &mut |document| {
            assert_eq!(document, documents[at]);
            at += 1;
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(stats.rows_matched, 250_000);
}

#[test]
fn a_text_is_found_in_whatever_page_it_lies() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path());
    let own = [file(0, DAY), file(1, DAY), file(2, DAY)];
    let documents: Vec<Document> = (0..40_000_u64)
        .map(|n| {
            let rare = if n % 7001 == 5 { "Token=0042-77;" } else { "" };
            let message = format!(
                "{rare} GET /items/{n} took {} ms, padded to some length",
                n * 7 % 977
            );
            // Times that go back now and then, in each stream by itself.
            let time = DAY + (n as i64 - 40 * i64::from(n % 97 == 0)) * 1_000_000;
            line(&own[n as usize % 3], time, n * 90, &message)
        })
        .collect();
    append(&mut writer, &documents[..35_000]);
    writer.settle(Timestamp(DAY), true).unwrap();
    append(&mut writer, &documents[35_000..]);
    let reader = Reader::open(dir.path()).unwrap();
    for needle in [
        "token=0042-77;",
        "0042-7",
        "TOKEN",
        "items/12",
        "get",
        "nowhere",
        "ü",
    ] {
        for limit in [None, Some(3), Some(100)] {
            for from in [None, Some(Timestamp(DAY + 20_000 * 1_000_000))] {
                let until = from.map(|from| Timestamp(from.0 + 9_000 * 1_000_000));
                let scan = Scan {
                    limit,
                    from,
                    until,
                    ..text(needle)
                };
                let expect = expected(&documents, &scan);
                assert!(
                    search(&reader, &scan) == expect,
                    "{scan:?}: {} wanted",
                    expect.len()
                );
            }
        }
    }
}
