//! What does one test of one field mean to the cluster?
//!
//! Names are compared without regard to the case of ASCII letters, which is all that the cluster can do; other letters
//! are looked at here. Fields within a JSON body and labels are keys of one field, which knows whole values and their
//! beginnings only, all of them as the texts they are written as.

use std::sync::Arc;

use record::{Document, File, FileKey, Level, Origin, OutputStream, Tags, Timestamp, file::Node};
use serde_json::{Value, json};
use store::{Comparison, Field, Predicate, Test, Value as Wanted};

use super::{Clause, HasValues};
use crate::backend::elasticsearch::words::{self, Piece};

/// What one test means.
#[derive(Debug)]
pub(super) enum Leaf {
    /// The same to the cluster.
    Exact(Clause),
    /// No more than that a document must be among these.
    Upper(Clause),
}

/// The bounds of what a `long` can hold, as numbers that a query is written in.
const LONG_MAX: f64 = 9_223_372_036_854_775_000.0;

/// Translates a predicate that has no parts.
pub(super) fn leaf(predicate: &Predicate, has_values: HasValues<'_>) -> Leaf {
    match predicate {
        // The cluster knows values by their whole paths, and nothing of the objects that they are in.
        Predicate::Field {
            field: Field::App(path),
            test: Test::Exists,
        } if !has_values(path) => Leaf::Upper(query(json!({ "exists": { "field": "app" } }))),
        Predicate::Text { needle } if words::has_word(needle) => Leaf::Exact(query(
            json!({ "match_phrase": { "message": { "query": needle } } }),
        )),
        Predicate::Text { needle } => message(&[Piece {
            text: needle,
            first: false,
            last: false,
        }]),
        Predicate::Regex { field, .. } => match closed(field, predicate) {
            Some(clause) => Leaf::Exact(clause),
            None => Leaf::Upper(has(field)),
        },
        Predicate::Field { field, test } => match closed(field, predicate) {
            Some(clause) => Leaf::Exact(clause),
            None => of_field(field, test),
        },
        // The others have parts.
        Predicate::All | Predicate::And(_) | Predicate::Or(_) | Predicate::Not(_) => {
            Leaf::Upper(Clause::All)
        }
    }
}

fn of_field(field: &Field, test: &Test) -> Leaf {
    match field {
        Field::Message => match test {
            Test::Exists => Leaf::Exact(Clause::All),
            Test::Equals(text) => message(&[Piece {
                text,
                first: true,
                last: true,
            }]),
            Test::Glob(pattern) => message(&words::pieces(pattern)),
            Test::Compare(..) => Leaf::Upper(Clause::All),
        },
        Field::Time | Field::Started => time(field, test),
        Field::RestartCount | Field::Offset | Field::Part => number(field, test),
        // An index of words can't tell whole texts, and few documents have one.
        Field::Error => match test {
            Test::Exists => Leaf::Exact(has(field)),
            Test::Equals(_) | Test::Glob(_) | Test::Compare(..) => Leaf::Upper(has(field)),
        },
        Field::Label(_) | Field::App(_) => keyed(field, test),
        _ => name(field, test),
    }
}

/// The names of a field in documents.
fn fields(field: &Field) -> Vec<String> {
    let names: &[&str] = match field {
        Field::Message => &["message"],
        Field::Level => &["log.level"],
        Field::Output => &["stream"],
        Field::Stream => &["log.stream"],
        Field::Namespace => &["kubernetes.namespace"],
        Field::PodName => &["kubernetes.pod.name"],
        Field::PodUid => &["kubernetes.pod.uid"],
        Field::ContainerName => &["kubernetes.container.name", "container.name"],
        Field::RestartCount => &["kubernetes.container.restart_count"],
        Field::NodeName => &["kubernetes.node.name"],
        Field::ContainerId => &["container.id"],
        Field::ContainerRuntime => &["container.runtime"],
        Field::Image => &["container.image.name"],
        Field::Host => &["host.name"],
        Field::Cluster => &["orchestrator.cluster.name"],
        Field::Path => &["log.file.path"],
        Field::Fingerprint => &["log.file.fingerprint"],
        Field::Started => &["log.file.started"],
        Field::Dataset => &["event.dataset"],
        Field::Offset => &["log.offset"],
        Field::Part => &["log.part"],
        Field::Time => &["@timestamp"],
        Field::Tags => &["tags"],
        Field::Error => &["error.message"],
        Field::Label(key) => return vec![format!("kubernetes.labels.{key}")],
        Field::App(path) => return vec![format!("app.{path}")],
    };
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// The documents that have a field.
fn has(field: &Field) -> Clause {
    match field {
        Field::Message | Field::Time | Field::Started | Field::Offset => Clause::All,
        // Every value begins with nothing; `exists` is not understood alike by both engines.
        Field::Label(_) | Field::App(_) => {
            any_of(field, |name| json!({ "prefix": { name: { "value": "" } } }))
        }
        _ => any_of(field, |name| json!({ "exists": { "field": name } })),
    }
}

fn any_of(field: &Field, make: impl Fn(String) -> Value) -> Clause {
    Clause::or(fields(field).into_iter().map(|name| query(make(name))))
}

fn query(query: Value) -> Clause {
    Clause::Query(query)
}

/// A message with these texts in it.
fn message(pieces: &[Piece<'_>]) -> Leaf {
    let conditions = words::conditions(pieces, "message");
    Leaf::Upper(Clause::and(conditions.into_iter().map(query)))
}

/// A field whose values are few and known: each is tried here.
fn closed(field: &Field, predicate: &Predicate) -> Option<Clause> {
    let mut document = blank();
    let mut passing = Vec::new();
    let mut values = 0;
    let mut take = |document: &Document, name: &'static str| {
        values += 1;
        if predicate.matches(&document.record()) {
            passing.push(name);
        }
    };
    match field {
        Field::Level => {
            for level in Level::ALL
                .into_iter()
                .filter(|level| *level != Level::Unknown)
            {
                document.level = level;
                take(&document, level.as_str());
            }
        }
        Field::Output => {
            for output in [OutputStream::Stdout, OutputStream::Stderr] {
                document.output = output;
                take(&document, output.as_str());
            }
        }
        Field::Tags => {
            for tag in (0..u8::BITS).map(|bit| Tags(1 << bit)) {
                document.tags = tag;
                if let Some(name) = tag.names().next() {
                    take(&document, name);
                }
            }
        }
        _ => return None,
    }
    Some(if passing.is_empty() {
        Clause::None
    } else if passing.len() == values {
        has(field)
    } else {
        any_of(field, |name| json!({ "terms": { name: &passing } }))
    })
}

fn blank() -> Document {
    Document {
        file: Arc::new(File {
            origin: Arc::new(Origin::default()),
            key: FileKey([0; 16]),
            fingerprint: String::new(),
            path: String::new(),
            started: 0,
            restart_count: None,
            node: Arc::new(Node::default()),
        }),
        time: Timestamp(0),
        output: OutputStream::None,
        level: Level::Unknown,
        message: String::new(),
        offset: 0,
        end: 0,
        end_started: 0,
        part: 0,
        tags: Tags::NONE,
        app: None,
        error: None,
    }
}

/// A name: one whole value without regard to case.
fn name(field: &Field, test: &Test) -> Leaf {
    match test {
        Test::Exists => Leaf::Exact(has(field)),
        // An empty name is not there.
        Test::Equals(text) if text.is_empty() => Leaf::Exact(Clause::None),
        Test::Equals(text) if text.is_ascii() => Leaf::Exact(any_of(
            field,
            |name| json!({ "term": { name: { "value": text, "case_insensitive": true } } }),
        )),
        Test::Glob(pattern) if pattern.is_ascii() => Leaf::Exact(like(field, pattern)),
        Test::Equals(text) => {
            // What is a wildcard in a pattern is text here; a wildcard in its place finds more.
            Leaf::Upper(like(field, &beyond_ascii_to_star(text)))
        }
        Test::Glob(pattern) => Leaf::Upper(like(field, &beyond_ascii_to_star(pattern))),
        Test::Compare(..) => Leaf::Upper(has(field)),
    }
}

fn like(field: &Field, pattern: &str) -> Clause {
    let pattern = pattern.replace('\\', "\\\\");
    any_of(
        field,
        |name| json!({ "wildcard": { name: { "value": pattern, "case_insensitive": true } } }),
    )
}

/// The same text with a star for each run of characters beyond ASCII: their case is not known to the cluster.
fn beyond_ascii_to_star(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_ascii() {
            out.push(char);
        } else if !out.ends_with('*') {
            out.push('*');
        }
    }
    out
}

/// A key's values, in a field that knows whole values and their beginnings.
fn keyed(field: &Field, test: &Test) -> Leaf {
    match test {
        Test::Exists => Leaf::Exact(has(field)),
        Test::Equals(text) if text.is_ascii() => Leaf::Exact(any_of(
            field,
            |name| json!({ "term": { name: { "value": text, "case_insensitive": true } } }),
        )),
        Test::Equals(_) | Test::Compare(..) => Leaf::Upper(has(field)),
        Test::Glob(pattern) => {
            let lead = pattern.split(['*', '?']).next().unwrap_or_default();
            if lead.is_empty() || !lead.is_ascii() {
                return Leaf::Upper(has(field));
            }
            Leaf::Upper(any_of(
                field,
                |name| json!({ "prefix": { name: { "value": lead, "case_insensitive": true } } }),
            ))
        }
    }
}

/// A whole number.
fn number(field: &Field, test: &Test) -> Leaf {
    match test {
        Test::Exists => Leaf::Exact(has(field)),
        Test::Equals(text) => Leaf::Exact(match text.parse::<i64>() {
            Ok(number) if number.to_string() == *text => any_of(
                field,
                |name| json!({ "term": { name: { "value": number } } }),
            ),
            // No number is written so.
            Ok(_) | Err(_) => Clause::None,
        }),
        Test::Glob(_) => Leaf::Upper(has(field)),
        Test::Compare(comparison, Wanted::Number(bound)) => {
            Leaf::Exact(in_order(field, *comparison, *bound))
        }
        // Values of different kinds are never in order.
        Test::Compare(..) => Leaf::Exact(Clause::None),
    }
}

fn in_order(field: &Field, comparison: Comparison, bound: f64) -> Clause {
    let upwards = matches!(comparison, Comparison::Greater | Comparison::GreaterOrEqual);
    if bound.is_nan() {
        return Clause::None;
    }
    if bound.abs() > LONG_MAX {
        // Every number is on the same side of it.
        return if upwards == (bound < 0.0) {
            any_of(field, |name| json!({ "exists": { "field": name } }))
        } else {
            Clause::None
        };
    }
    any_of(
        field,
        |name| json!({ "range": { name: { sign(comparison): bound } } }),
    )
}

fn sign(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Less => "lt",
        Comparison::LessOrEqual => "lte",
        Comparison::Greater => "gt",
        Comparison::GreaterOrEqual => "gte",
    }
}

/// A moment.
fn time(field: &Field, test: &Test) -> Leaf {
    match test {
        Test::Exists => Leaf::Exact(Clause::All),
        Test::Compare(comparison, Wanted::Time(bound)) => {
            Leaf::Exact(any_of_time(field, *comparison, *bound))
        }
        Test::Equals(text) => match Timestamp::parse_rfc3339(text.as_bytes()) {
            Some(time) if time.to_string() == *text => Leaf::Exact(Clause::and([
                any_of_time(field, Comparison::GreaterOrEqual, time),
                any_of_time(field, Comparison::LessOrEqual, time),
            ])),
            _ => Leaf::Exact(Clause::None),
        },
        Test::Glob(_) => Leaf::Upper(Clause::All),
        Test::Compare(..) => Leaf::Exact(Clause::None),
    }
}

fn any_of_time(field: &Field, comparison: Comparison, bound: Timestamp) -> Clause {
    Clause::or(
        fields(field)
            .iter()
            .map(|name| super::moment(name, comparison, bound)),
    )
}
