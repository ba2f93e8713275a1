//! Context against the plain rule: a line is shown when a hit of its stream is at most so many lines away.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use record::{File, FileKey, Level, Origin, OutputStream, Tags, Timestamp};

use super::*;

/// Streams of lines in exact order, in memory.
struct Lines(Vec<Vec<Document>>);

impl Lines {
    fn stream(&self, name: &str) -> &[Document] {
        self.0
            .iter()
            .find(|lines| {
                lines
                    .first()
                    .is_some_and(|line| line.file.origin.stream == name)
            })
            .unwrap()
    }
}

impl Neighbours for Lines {
    fn before(
        &self,
        stream: &str,
        position: Position,
        rows: usize,
    ) -> Result<Vec<Document>, BackendError> {
        let before: Vec<_> = self
            .stream(stream)
            .iter()
            .filter(|line| line.position() < position)
            .cloned()
            .collect();
        Ok(before[before.len().saturating_sub(rows)..].to_vec())
    }

    fn after(
        &self,
        stream: &str,
        position: Position,
        rows: usize,
    ) -> Result<Vec<Document>, BackendError> {
        Ok(self
            .stream(stream)
            .iter()
            .filter(|line| position < line.position())
            .take(rows)
            .cloned()
            .collect())
    }
}

/// Streams with these many lines, over files of seven lines; clocks that sometimes go back.
fn lines(lengths: &[usize]) -> Lines {
    let stream = |(number, length): (usize, &usize)| {
        let origin = Arc::new(Origin {
            stream: format!("s{number}"),
            ..Origin::default()
        });
        let line = |at: usize| Document {
            file: Arc::new(File {
                origin: Arc::clone(&origin),
                key: FileKey([0; 16]),
                fingerprint: String::new(),
                path: String::new(),
                started: at as i64 / 7,
                restart_count: None,
                node: Arc::default(),
            }),
            time: Timestamp((at as i64 * 7 + number as i64) % 50),
            output: OutputStream::None,
            level: Level::Unknown,
            message: at.to_string(),
            offset: (at % 7) as u64 * 10,
            end: 0,
            end_started: 0,
            part: 0,
            tags: Tags::NONE,
            app: None,
            error: None,
        };
        (0..*length).map(line).collect()
    };
    Lines(lengths.iter().enumerate().map(stream).collect())
}

fn found(lines: &Lines, hits: &BTreeSet<(usize, usize)>, around: usize) -> Vec<Item> {
    let hits = hits
        .iter()
        .map(|(stream, at)| lines.0[*stream][*at].clone())
        .collect();
    let mut items = Vec::new();
    let flow = groups(hits, around, lines, &mut |item| {
        items.push(item);
        ControlFlow::Continue(())
    });
    assert!(flow.unwrap().is_continue());
    items
}

/// `-3 :4 -5 | :0`, for short examples.
fn drawn(items: &[Item]) -> String {
    let drawn: Vec<String> = items
        .iter()
        .map(|item| match item {
            Item::Hit(line) => format!(":{}", line.message),
            Item::Context(line) => format!("-{}", line.message),
            Item::Break => "|".to_owned(),
        })
        .collect();
    drawn.join(" ")
}

#[test]
fn groups_that_meet_or_touch_are_one() {
    let lines = lines(&[30]);
    let check = |hits: &[usize], around, expect: &str| {
        let hits = hits.iter().map(|at| (0, *at)).collect();
        assert_eq!(drawn(&found(&lines, &hits, around)), expect);
    };
    check(&[10], 2, "-8 -9 :10 -11 -12");
    check(&[10, 11], 1, "-9 :10 :11 -12");
    check(&[10, 12], 2, "-8 -9 :10 -11 :12 -13 -14");
    check(&[10, 14], 2, "-8 -9 :10 -11 -12 -13 :14 -15 -16");
    check(&[10, 15], 2, "-8 -9 :10 -11 -12 -13 -14 :15 -16 -17");
    check(&[10, 16], 2, "-8 -9 :10 -11 -12 | -14 -15 :16 -17 -18");
    check(&[0, 29], 1, ":0 -1 | -28 :29");
    check(&[], 3, "");
}

proptest! {
    #[test]
    fn every_line_near_a_hit_is_given_once_and_in_order(
        lengths in prop::collection::vec(1..60_usize, 1..4),
        picks in prop::collection::vec((0..4_usize, 0..60_usize), 0..12),
        around in 1..6_usize,
    ) {
        let hits: BTreeSet<(usize, usize)> = picks
            .into_iter()
            .map(|(stream, at)| (stream % lengths.len(), at))
            .map(|(stream, at)| (stream, at % lengths[stream]))
            .collect();
        let lines = lines(&lengths);
        let items = found(&lines, &hits, around);
        for (number, length) in lengths.iter().enumerate() {
            let mut last_in_group: Option<usize> = None;
            let mut given = Vec::new();
            for item in &items {
                let (line, hit) = match item {
                    Item::Hit(line) => (line, true),
                    Item::Context(line) => (line, false),
                    Item::Break => {
                        last_in_group = None;
                        continue;
                    }
                };
                // A group is of one stream and has no holes.
                if line.file.origin.stream != format!("s{number}") {
                    prop_assert!(last_in_group.is_none());
                    continue;
                }
                let at: usize = line.message.parse().unwrap();
                prop_assert!(last_in_group.is_none_or(|last| last + 1 == at));
                last_in_group = Some(at);
                given.push((at, hit));
            }
            let expect: Vec<(usize, bool)> = (0..*length)
                .filter(|at| {
                    hits.iter().any(|(stream, hit)| *stream == number && hit.abs_diff(*at) <= around)
                })
                .map(|at| (at, hits.contains(&(number, at))))
                .collect();
            prop_assert_eq!(given, expect);
        }
        // Two groups of one stream never touch.
        let breaks = items.iter().filter(|item| **item == Item::Break).count();
        let groups: usize = (0..lengths.len()).map(|number| {
            let own: Vec<usize> = hits.iter().filter(|(stream, _)| *stream == number).map(|(_, at)| *at).collect();
            usize::from(!own.is_empty()) + own.windows(2).filter(|pair| 2 * around + 1 < pair[1] - pair[0]).count()
        }).sum();
        prop_assert_eq!(breaks, groups.saturating_sub(1));
    }
}
