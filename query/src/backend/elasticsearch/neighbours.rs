//! Which lines stand beside a line? Range reads on (log.stream, log.file.started, log.offset), never by time; those
//! around many hits are asked for in one request.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt::Write as _;

use bytes::Bytes;
use elastic::Method;
use record::{Document, Position};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ElasticsearchBackend;
use super::document::{self, Files};
use super::link::{self, Body, ElasticsearchError};
use super::pages::Found;
use crate::backend::BackendError;
use crate::backend::context::Neighbours;

/// How many lines are asked for ahead, around hits whose turn is near.
const AHEAD_LINES_MAX: usize = 2000;

/// Reads lines beside others.
#[derive(Debug)]
pub(super) struct Around<'a> {
    backend: &'a ElasticsearchBackend,
    files: RefCell<Files>,
    ahead: RefCell<HashMap<Place, Vec<Document>>>,
    /// How many lines were asked for ahead on each side.
    ahead_rows: Cell<usize>,
}

/// On which side of which line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Place {
    stream: String,
    position: Position,
    before: bool,
}

/// The answers to several searches at once.
#[derive(Debug, Deserialize)]
pub(super) struct Several<'a> {
    #[serde(borrow)]
    pub(super) responses: Vec<Found<'a>>,
}

// === impl Around ===

impl<'a> Around<'a> {
    pub(super) fn new(backend: &'a ElasticsearchBackend) -> Self {
        Self {
            backend,
            files: RefCell::default(),
            ahead: RefCell::default(),
            ahead_rows: Cell::default(),
        }
    }

    /// The lines on one side, in exact order.
    fn beside(&self, place: &Place, rows: usize) -> Result<Vec<Document>, BackendError> {
        if rows == 0 {
            return Ok(Vec::new());
        }
        if rows <= self.ahead_rows.get()
            && let Some(known) = self.ahead.borrow().get(place)
        {
            return Ok(nearest(known.clone(), rows, place.before));
        }
        let lines = self.ask(std::slice::from_ref(place), rows)?.pop();
        Ok(lines.unwrap_or_default())
    }

    /// Asks for the lines beside several places, at most so many at each.
    fn ask(&self, places: &[Place], rows: usize) -> Result<Vec<Vec<Document>>, BackendError> {
        // A data stream may have a line twice; twice as many rows hold as many lines.
        let size = rows.saturating_mul(2).min(10_000);
        let mut lines = String::new();
        for place in places {
            let search = place.search(size);
            // Writing to a String can't fail.
            writeln!(lines, "{{}}\n{search}").unwrap_or_default();
        }
        let path = format!(
            "/{}/_msearch?ignore_unavailable=true",
            self.backend.patterns
        );
        let body = Body::Lines(Bytes::from(lines));
        let answer = self.backend.link.ask(Method::Post, &path, &body)?;
        let several: Several<'_> = serde_json::from_slice(&answer)
            .map_err(|error| ElasticsearchError::malformed(&error))?;
        let mut all = Vec::with_capacity(places.len());
        for (found, place) in several.responses.iter().zip(places) {
            found.check()?;
            all.push(self.lines(found, place.before, rows));
        }
        Ok(all)
    }

    /// The nearest lines of an answer, each once, in exact order.
    fn lines(&self, found: &Found<'_>, before: bool, rows: usize) -> Vec<Document> {
        let mut files = self.files.borrow_mut();
        let mut lines: Vec<Document> = Vec::new();
        let mut last = String::new();
        for hit in &found.hits.hits {
            let row = hit.row();
            if lines.len() == rows {
                break;
            }
            if std::mem::replace(&mut last, row.id.to_owned()) != row.id {
                lines.push(document::document(row.source, row.key.time, &mut files));
            }
        }
        if before {
            lines.reverse();
        }
        lines
    }
}

impl Neighbours for Around<'_> {
    fn before(
        &self,
        stream: &str,
        position: Position,
        rows: usize,
    ) -> Result<Vec<Document>, BackendError> {
        self.beside(&Place::before(stream, position), rows)
    }

    fn after(
        &self,
        stream: &str,
        position: Position,
        rows: usize,
    ) -> Result<Vec<Document>, BackendError> {
        self.beside(&Place::after(stream, position), rows)
    }

    fn ahead(&self, lines: usize) -> usize {
        (AHEAD_LINES_MAX / (2 * lines + 1)).clamp(1, 100)
    }

    fn announce(&self, hits: &[(&str, Position)], lines: usize) -> Result<(), BackendError> {
        let places: Vec<Place> = hits
            .iter()
            .flat_map(|(stream, position)| {
                [
                    Place::before(stream, *position),
                    Place::after(stream, *position),
                ]
            })
            .collect();
        // One line more than is shown tells whether groups meet.
        let all = self.ask(&places, lines + 1)?;
        let mut ahead = self.ahead.borrow_mut();
        ahead.clear();
        self.ahead_rows.set(lines + 1);
        ahead.extend(places.into_iter().zip(all));
        Ok(())
    }
}

/// So many of the lines, those that are nearest.
fn nearest(mut lines: Vec<Document>, rows: usize, before: bool) -> Vec<Document> {
    if before {
        lines.split_off(lines.len().saturating_sub(rows))
    } else {
        lines.truncate(rows);
        lines
    }
}

// === impl Place ===

impl Place {
    fn before(stream: &str, position: Position) -> Self {
        Self {
            stream: stream.to_owned(),
            position,
            before: true,
        }
    }

    fn after(stream: &str, position: Position) -> Self {
        Self {
            before: false,
            ..Self::before(stream, position)
        }
    }

    /// The search for the nearest lines on this side.
    fn search(&self, size: usize) -> Value {
        let order = if self.before { "desc" } else { "asc" };
        json!({
            "size": size,
            "track_total_hits": false,
            "query": { "term": { "log.stream": { "value": self.stream } } },
            "sort": [
                { "log.file.started": {
                    "order": order, "unmapped_type": "date_nanos", "numeric_type": "date_nanos",
                } },
                { "log.offset": { "order": order, "unmapped_type": "long" } },
            ],
            "search_after": [self.position.started, self.position.offset],
        })
    }
}

// === impl Found ===

impl Found<'_> {
    /// Fails when this search of several did.
    pub(super) fn check(&self) -> Result<(), ElasticsearchError> {
        self.shards.note();
        let Some(error) = self.error else {
            return Ok(());
        };
        let error: Value = serde_json::from_str(error.get()).unwrap_or_default();
        let status = self.status.unwrap_or(500);
        Err(link::of_status(
            status,
            format!("HTTP {status}: {}", link::cause(&error)),
        ))
    }
}
