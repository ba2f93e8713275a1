//! How soon is something found among millions of lines? The page cache is warm, the process is new each time.
//!
//! The times are those of `nodetap logs` as a person waits for it: start of the process, search, output.

use std::ops::ControlFlow;
use std::time::Instant;

use anyhow::{Context, ensure};
use record::{Document, Position};
use store::{Predicate, Reader, Scan};

use super::node::Node;
use super::stored::Stored;
use super::{Settings, median, millis};
use crate::report::{Outcome, Target};

/// The limit of "the latest".
const LATEST_LINES: usize = 100;
/// Lines before and after a hit.
const CONTEXT_LINES: usize = 10;

/// Measures how long it takes to find a word that occurs once.
pub(super) fn measure_needle(settings: &Settings) -> anyhow::Result<Outcome> {
    let stored = Stored::open(settings)?;
    let mut times = Vec::new();
    for (_, needle) in needles(settings) {
        let found = stored.node.search(&["-o", "raw", &quoted(&needle)])?;
        ensure!(
            found.lines() == 1,
            "{} lines have {needle}, not 1",
            found.lines()
        );
        times.push(millis(found.wall));
    }
    let mut inside = in_process_needles(&stored.node, settings)?;
    let mut outcome = Outcome::new("store-needle");
    outcome.measure(
        "a word that occurs once, found",
        median(&mut times),
        "ms",
        Target::AtMost(350.0),
    );
    outcome.measure(
        "the same without the process's start",
        median(&mut inside),
        "ms",
        Target::None,
    );
    outcome.fact("lines", settings.lines);
    outcome.fact("all_ms", times);
    Ok(outcome)
}

/// Measures the latest lines of a phrase that is in every third line.
pub(super) fn measure_latest(settings: &Settings) -> anyhow::Result<Outcome> {
    let stored = Stored::open(settings)?;
    let limit = LATEST_LINES.to_string();
    let mut times = Vec::new();
    for _ in 0..settings.repetitions {
        let found =
            stored
                .node
                .search(&["-o", "raw", "--limit", &limit, &quoted("order placed")])?;
        ensure!(
            found.lines() == LATEST_LINES,
            "{} lines, not {limit}",
            found.lines()
        );
        times.push(millis(found.wall));
    }
    let mut inside = Vec::new();
    for _ in 0..settings.repetitions {
        let scan = Scan {
            predicate: text("order placed"),
            limit: Some(LATEST_LINES),
            ..Scan::default()
        };
        let (documents, wall) = timed_scan(&stored.node, &scan)?;
        ensure!(
            documents.len() == LATEST_LINES,
            "{} lines, not {limit}",
            documents.len()
        );
        inside.push(wall);
    }
    let mut outcome = Outcome::new("store-latest");
    outcome.measure(
        "the latest 100 of a frequent phrase, found",
        median(&mut times),
        "ms",
        Target::AtMost(50.0),
    );
    outcome.measure(
        "the same without the process's start",
        median(&mut inside),
        "ms",
        Target::None,
    );
    outcome.fact("lines", settings.lines);
    outcome.fact("all_ms", times);
    Ok(outcome)
}

/// Measures the lines around a line whose position is known.
pub(super) fn measure_context(settings: &Settings) -> anyhow::Result<Outcome> {
    let stored = Stored::open(settings)?;
    let (mut inside, mut with, mut without) = (Vec::new(), Vec::new(), Vec::new());
    let lines = CONTEXT_LINES.to_string();
    for (sequence, needle) in needles(settings) {
        let scan = Scan {
            predicate: text(&needle),
            ..Scan::default()
        };
        let (hits, _) = timed_scan(&stored.node, &scan)?;
        let hit = hits
            .first()
            .with_context(|| format!("nothing has {needle}"))?;
        let position = Position {
            started: hit.file.started,
            offset: hit.offset,
        };
        let start = Instant::now();
        let reader = Reader::open(&stored.node.store())?;
        let stream = &hit.file.origin.stream;
        let before = reader.before(stream, position, CONTEXT_LINES)?;
        let after = reader.after(stream, position, CONTEXT_LINES)?;
        inside.push(millis(start.elapsed()));
        check_neighbours(&before, sequence - CONTEXT_LINES as u64)?;
        check_neighbours(&after, sequence + 1)?;
        let found = stored
            .node
            .search(&["-o", "raw", "-C", &lines, &quoted(&needle)])?;
        ensure!(
            found.lines() == 2 * CONTEXT_LINES + 1,
            "{} lines around",
            found.lines()
        );
        with.push(millis(found.wall));
        without.push(millis(
            stored.node.search(&["-o", "raw", &quoted(&needle)])?.wall,
        ));
    }
    let mut outcome = Outcome::new("store-context");
    outcome.measure(
        "20 lines around a known line",
        median(&mut inside),
        "ms",
        Target::AtMost(20.0),
    );
    // Within the spread of the searches themselves this says nothing, so nothing is promised of it.
    let added = median(&mut with) - median(&mut without);
    outcome.measure("what `-C 10` adds to a search", added, "ms", Target::None);
    outcome.fact("lines", settings.lines);
    outcome.fact("all_ms", inside);
    Ok(outcome)
}

/// Words that occur once, spread over the store.
fn needles(settings: &Settings) -> impl Iterator<Item = (u64, String)> {
    let parts = settings.repetitions as u64 * 2;
    (0..settings.repetitions as u64).map(move |part| Stored::needle(settings, 2 * part + 1, parts))
}

fn in_process_needles(node: &Node, settings: &Settings) -> anyhow::Result<Vec<f64>> {
    needles(settings)
        .map(|(_, needle)| {
            let scan = Scan {
                predicate: text(&needle),
                ..Scan::default()
            };
            let (documents, wall) = timed_scan(node, &scan)?;
            ensure!(
                documents.len() == 1,
                "{} lines have {needle}, not 1",
                documents.len()
            );
            Ok(wall)
        })
        .collect()
}

/// The documents of a scan, and the milliseconds that it took with a new reader.
fn timed_scan(node: &Node, scan: &Scan) -> anyhow::Result<(Vec<Document>, f64)> {
    let start = Instant::now();
    let reader = Reader::open(&node.store())?;
    let mut documents = Vec::new();
    reader.scan(scan, &mut |document| {
        documents.push(document);
        ControlFlow::Continue(())
    })?;
    Ok((documents, millis(start.elapsed())))
}

/// Whether these are the records from `first` on, which a container writes one after the other.
fn check_neighbours(documents: &[Document], first: u64) -> anyhow::Result<()> {
    ensure!(
        documents.len() == CONTEXT_LINES,
        "{} lines on one side",
        documents.len()
    );
    for (document, sequence) in documents.iter().zip(first..) {
        let mark = format!("@q={sequence:010},");
        ensure!(
            document.message.contains(&mark),
            "expected {mark} in its place"
        );
    }
    Ok(())
}

fn text(needle: &str) -> Predicate {
    Predicate::Text {
        needle: needle.to_owned(),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}
