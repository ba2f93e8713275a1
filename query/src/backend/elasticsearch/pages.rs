//! How is a long answer read? Page by page in the order of (time, stream, started, offset), each page after the last
//! row of the one before, so that memory is bounded by a page.
//!
//! A *point in time* keeps all pages of one answer to one state of the indices. Where there is none (a server without
//! it, or one that forgot ours while a reader paused) reading goes on without: each row's place in the order is its own.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;

use elastic::Method;
use record::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::link::{Body, ElasticsearchError, Link};

/// How long a point in time outlives the last page read from it.
const KEPT_ALIVE: &str = "5m";
/// The first page is small, since nobody knows yet how long the lines are.
const FIRST_ROWS: usize = 200;
/// The largest page, in rows. A request may have 10,000 (`index.max_result_window`).
const ROWS_MAX: usize = 2000;
/// Pages are sized to be about so large, in bytes, by the size of the rows before.
const PAGE_BYTES: usize = 4 << 20;
/// How many members of a sort key are ours; a point in time adds one of its own.
const SORTED_BY: usize = 4;

/// From which end of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    OldestFirst,
    NewestFirst,
}

/// Which rows of which indices are read.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    pub(super) link: &'a Link,
    /// What the names of the indices are matched by, as a path of the API has it.
    pub(super) patterns: &'a str,
    pub(super) query: &'a Value,
    pub(super) order: Order,
    /// Whether the documents are wanted, or only their places.
    pub(super) documents: bool,
    pub(super) snapshot: Option<&'a Snapshot<'a>>,
}

/// One row as the cluster gives it.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) index: &'a str,
    pub(super) id: &'a str,
    pub(super) key: Key,
    /// The `_source`, when it was wanted.
    pub(super) source: &'a str,
    /// The names of the queries that it matched.
    pub(super) matched: &'a [Cow<'a, str>],
    /// Its number among the changes of its shard, when that was wanted.
    pub(super) sequence: Option<i64>,
}

/// By what rows are sorted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Key {
    pub(super) time: Timestamp,
    pub(super) stream: String,
    /// `log.file.started` in nanoseconds.
    pub(super) started: i64,
    pub(super) offset: u64,
    /// As the cluster wrote it, to go on from there.
    after: Value,
}

/// What a reading came to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Read {
    /// Rows that were received.
    pub(super) rows: u64,
    /// How many shards were asked.
    pub(super) shards: u64,
    /// How many of them failed.
    pub(super) failed: u64,
}

/// One state of the indices, for as long as this lives.
#[derive(Debug)]
pub(super) struct Snapshot<'a> {
    link: &'a Link,
    id: RefCell<String>,
    kind: Kind,
    gone: Cell<bool>,
}

/// Whose API keeps the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Elasticsearch,
    OpenSearch,
}

/// The answer to a search, as far as it is read.
#[derive(Debug, Deserialize)]
pub(super) struct Found<'a> {
    #[serde(borrow, default)]
    pub(super) hits: Hits<'a>,
    #[serde(default, rename = "_shards")]
    pub(super) shards: Shards,
    #[serde(borrow, default)]
    pit_id: Option<Cow<'a, str>>,
    /// In the answers to several searches at once.
    #[serde(default)]
    pub(super) status: Option<u16>,
    #[serde(borrow, default)]
    pub(super) error: Option<&'a RawValue>,
}

/// The hits of a search.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Hits<'a> {
    #[serde(borrow, default)]
    pub(super) hits: Vec<Hit<'a>>,
}

/// One hit.
#[derive(Debug, Deserialize)]
pub(super) struct Hit<'a> {
    #[serde(borrow, rename = "_index")]
    index: Cow<'a, str>,
    #[serde(borrow, rename = "_id")]
    id: Cow<'a, str>,
    #[serde(default)]
    sort: Vec<Value>,
    #[serde(borrow, default, rename = "_source")]
    source: Option<&'a RawValue>,
    #[serde(borrow, default)]
    matched_queries: Vec<Cow<'a, str>>,
    #[serde(default, rename = "_seq_no")]
    sequence: Option<i64>,
}

/// How many shards answered.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Shards {
    #[serde(default)]
    pub(super) total: u64,
    #[serde(default)]
    pub(super) failed: u64,
    #[serde(default)]
    failures: Vec<Value>,
}

// === impl Reading ===

impl Reading<'_> {
    /// Gives the rows after a place in the order, until there are no more or `each` breaks.
    pub(super) fn rows(
        &self,
        after: Option<&Key>,
        rows_max: Option<usize>,
        each: &mut dyn FnMut(&Row<'_>) -> ControlFlow<()>,
    ) -> Result<Read, ElasticsearchError> {
        let mut read = Read::default();
        let mut after = after.cloned();
        let mut size = FIRST_ROWS.min(rows_max.unwrap_or(usize::MAX)).max(1);
        loop {
            let answer = self.page(after.as_ref(), size)?;
            let found: Found<'_> = serde_json::from_slice(&answer)
                .map_err(|error| ElasticsearchError::malformed(&error))?;
            if read.failed == 0 {
                found.shards.note();
            }
            if let (Some(snapshot), Some(id)) = (self.snapshot, &found.pit_id) {
                id.as_ref().clone_into(&mut snapshot.id.borrow_mut());
            }
            read.shards = read.shards.max(found.shards.total);
            read.failed = read.failed.max(found.shards.failed);
            let received = found.hits.hits.len();
            let last = found.hits.hits.last().map(Hit::key);
            for hit in &found.hits.hits {
                read.rows += 1;
                if each(&hit.row()).is_break() {
                    return Ok(read);
                }
            }
            let Some(last) = last.filter(|last| received >= size && !last.after.is_null()) else {
                return Ok(read);
            };
            after = Some(last);
            let row_bytes = (answer.len() / received.max(1)).max(1);
            size = (PAGE_BYTES / row_bytes).min(ROWS_MAX).min(size * 4).max(1);
        }
    }

    fn page(&self, after: Option<&Key>, size: usize) -> Result<bytes::Bytes, ElasticsearchError> {
        let mut body = json!({
            "size": size,
            "query": self.query,
            "sort": sort(self.order),
            "track_total_hits": false,
            "_source": self.documents,
            "seq_no_primary_term": true,
        });
        if let Some(key) = after {
            body["search_after"] = key.after.clone();
        }
        if let Some(snapshot) = self.snapshot.filter(|snapshot| !snapshot.gone.get()) {
            let id = snapshot.id.borrow().clone();
            body["pit"] = json!({ "id": id, "keep_alive": KEPT_ALIVE });
            match self
                .link
                .ask(Method::Post, "/_search", &Body::Json(body.clone()))
            {
                Err(error) if error.is_expired() => {
                    tracing::warn!(
                        "the cluster has dropped our point in time; reading goes on without"
                    );
                    snapshot.gone.set(true);
                }
                answered => return answered,
            }
            if let Some(body) = body.as_object_mut() {
                body.remove("pit");
            }
        }
        if let Some(after) = body.get_mut("search_after").and_then(Value::as_array_mut) {
            after.truncate(SORTED_BY);
        }
        let path = format!("/{}/_search?ignore_unavailable=true", self.patterns);
        self.link.ask(Method::Post, &path, &Body::Json(body))
    }
}

/// The order in which lines are read, or its reverse. An index that lacks a field has nothing to say against it.
pub(super) fn sort(order: Order) -> Value {
    let (order, missing) = match order {
        Order::OldestFirst => ("asc", "_first"),
        Order::NewestFirst => ("desc", "_last"),
    };
    let by = |field: &str, kind: &str| json!({ field: { "order": order, "missing": missing, "unmapped_type": kind } });
    let by_time = |field: &str| {
        json!({ field: {
            "order": order, "missing": missing, "unmapped_type": "date_nanos", "numeric_type": "date_nanos",
        } })
    };
    json!([
        by_time("@timestamp"),
        by("log.stream", "keyword"),
        by_time("log.file.started"),
        by("log.offset", "long"),
    ])
}

// === impl Hit ===

impl Hit<'_> {
    pub(super) fn row(&self) -> Row<'_> {
        Row {
            index: &self.index,
            id: &self.id,
            key: self.key(),
            source: self.source.map_or("null", RawValue::get),
            matched: &self.matched_queries,
            sequence: self.sequence,
        }
    }

    fn key(&self) -> Key {
        let number = |at: usize| self.sort.get(at).and_then(Value::as_i64).unwrap_or(0);
        let stream = self.sort.get(1).and_then(Value::as_str);
        Key {
            time: Timestamp(number(0)),
            stream: stream.unwrap_or_default().to_owned(),
            started: number(2),
            offset: u64::try_from(number(3)).unwrap_or(0),
            after: if self.sort.is_empty() {
                Value::Null
            } else {
                Value::Array(self.sort.clone())
            },
        }
    }
}

// === impl Shards ===

impl Shards {
    /// Says in the log why shards failed: the answer itself only lacks their rows.
    pub(super) fn note(&self) {
        if let Some(failure) = self.failures.first().filter(|_| self.failed > 0) {
            let reason = super::link::cause(&failure["reason"]);
            tracing::warn!(
                failed = self.failed,
                reason,
                "parts of the indices did not answer"
            );
        }
    }
}

// === impl Snapshot ===

impl<'a> Snapshot<'a> {
    /// Keeps the indices as they are now; `None` where the server can't.
    pub(super) fn take(link: &'a Link, patterns: &str) -> Option<Self> {
        let ways = [
            (Kind::Elasticsearch, format!("/{patterns}/_pit"), "id"),
            (
                Kind::OpenSearch,
                format!("/{patterns}/_search/point_in_time"),
                "pit_id",
            ),
        ];
        for (kind, path, name) in ways {
            let path = format!("{path}?keep_alive={KEPT_ALIVE}&ignore_unavailable=true");
            let id = link
                .ask(Method::Post, &path, &Body::Nothing)
                .ok()
                .and_then(|answer| serde_json::from_slice::<Value>(&answer).ok())
                .and_then(|answer| answer.get(name)?.as_str().map(str::to_owned));
            if let Some(id) = id {
                return Some(Self {
                    link,
                    id: RefCell::new(id),
                    kind,
                    gone: Cell::new(false),
                });
            }
        }
        tracing::debug!("the cluster keeps no point in time; reading goes on without");
        None
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        if self.gone.get() {
            return;
        }
        let id = self.id.take();
        let (path, body) = match self.kind {
            Kind::Elasticsearch => ("/_pit", json!({ "id": id })),
            Kind::OpenSearch => ("/_search/point_in_time", json!({ "pit_id": [id] })),
        };
        // It ends by itself after a while.
        if let Err(error) = self.link.ask(Method::Delete, path, &Body::Json(body)) {
            tracing::debug!(%error, "cannot give a point in time back");
        }
    }
}
