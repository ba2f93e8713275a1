//! The reading order against the rule it is made from, and the two-pass way against the merge.

use std::sync::Arc;

use proptest::prelude::*;
use record::{Document, File, FileKey, Level, Origin, OutputStream, Tags, Timestamp};

use super::late::Lateness;
use super::*;

fn line(stream: u8, started: i64, offset: u64, time: i64) -> Document {
    Document {
        file: Arc::new(File {
            origin: Arc::new(Origin {
                stream: format!("s{stream}"),
                ..Origin::default()
            }),
            key: FileKey([0; 16]),
            fingerprint: String::new(),
            path: String::new(),
            started,
            restart_count: None,
            node: Arc::default(),
        }),
        time: Timestamp(time),
        output: OutputStream::None,
        level: Level::Unknown,
        message: String::new(),
        offset,
        end: offset + 1,
        end_started: started,
        part: 0,
        tags: Tags::NONE,
        app: None,
        error: None,
    }
}

fn key(line: &Document) -> (String, i64, u64, i64) {
    (
        line.file.origin.stream.clone(),
        line.file.started,
        line.offset,
        line.time.0,
    )
}

/// Lines of a few streams with few times, so that ties and backward clocks are common.
fn lines() -> impl Strategy<Value = Vec<Document>> {
    prop::collection::btree_map((0..4_u8, 0..3_i64, 0..30_u64), 0..12_i64, 0..60).prop_map(
        |lines| {
            lines
                .into_iter()
                .map(|((stream, started, offset), time)| line(stream, started, offset, time))
                .collect()
        },
    )
}

/// The rule as it is said: of the streams' next lines always the earliest, then by the stream's name.
fn oracle(lines: &[Document]) -> Vec<Document> {
    let mut left = lines.to_vec();
    let mut out = Vec::new();
    while !left.is_empty() {
        let is_next = |line: &&Document| {
            !left.iter().any(|other| {
                other.file.origin.stream == line.file.origin.stream
                    && Place::of(other) < Place::of(line)
            })
        };
        let next = left
            .iter()
            .filter(is_next)
            .min_by_key(|line| (line.time, line.file.origin.stream.clone()))
            .unwrap()
            .clone();
        left.retain(|line| *line != next);
        out.push(next);
    }
    out
}

fn by_time(mut lines: Vec<Document>) -> Vec<Document> {
    lines.sort_by_key(|line| (line.time, line.file.origin.stream.clone(), Place::of(line)));
    lines
}

#[test]
fn a_clock_that_goes_back_does_not_turn_a_stream_around() {
    let before = line(0, 1, 0, 100);
    let after = line(0, 1, 10, 50);
    let other = line(1, 1, 0, 70);
    let found = merged(vec![after.clone(), other.clone(), before.clone()], |line| {
        line
    });
    assert_eq!(found, [other, before, after]);
}

#[test]
fn lines_of_one_moment_come_by_stream_and_then_by_place() {
    let expect = [
        line(0, 1, 0, 5),
        line(0, 1, 10, 5),
        line(0, 2, 0, 5),
        line(1, 0, 0, 5),
    ];
    let mut shuffled = expect.to_vec();
    shuffled.reverse();
    assert_eq!(merged(shuffled, |line| line), expect);
}

#[test]
fn nothing_waits_while_clocks_go_forward() {
    let mut lateness = Lateness::default();
    let lines: Vec<Document> = (0..50)
        .map(|at| line(at % 3, 1, u64::from(at), i64::from(at) / 4))
        .collect();
    let lines = by_time(lines);
    for line in &lines {
        lateness.note(&line.file.origin.stream, Place::of(line));
    }
    for line in lines {
        let mut due = Vec::new();
        lateness.release(Place::of(&line), line.clone(), &mut due);
        assert_eq!(due, [line]);
        assert_eq!(lateness.held_bytes(), 0);
    }
}

proptest! {
    #[test]
    fn the_merge_is_the_rule(lines in lines()) {
        let expect: Vec<_> = oracle(&lines).iter().map(key).collect();
        let found: Vec<_> = merged(lines, |line| line).iter().map(key).collect();
        prop_assert_eq!(found, expect);
    }

    #[test]
    fn two_passes_give_what_the_merge_gives(lines in lines()) {
        let sorted = by_time(lines.clone());
        let mut lateness = Lateness::default();
        for line in &sorted {
            lateness.note(&line.file.origin.stream, Place::of(line));
        }
        let mut due = Vec::new();
        for line in sorted {
            lateness.release(Place::of(&line), line, &mut due);
        }
        prop_assert_eq!(lateness.held_bytes(), 0);
        let expect: Vec<_> = merged(lines, |line| line).iter().map(key).collect();
        prop_assert_eq!(due.iter().map(key).collect::<Vec<_>>(), expect);
    }
}
