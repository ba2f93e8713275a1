//! How many lines are there per time and level? Counted by the cluster where it can answer exactly, else here.

use std::ops::ControlFlow;
use std::time::Duration;

use elastic::Method;
use record::{Level, Timestamp};
use serde_json::{Value, json};

use super::ElasticsearchBackend;
use super::link::{Body, ElasticsearchError};
use super::pages::Order;
use super::search::Search;
use crate::Query;
use crate::backend::{BackendError, Histogram};

/// How many counts one answer has at most.
const COUNTS_MAX: usize = 5000;
const NANOS_PER_MILLISECOND: i64 = 1_000_000;

/// Counts all hits per bucket of time and level.
///
/// In a data stream a line may be in two indices; both copies are counted.
pub(super) fn histogram(
    backend: &ElasticsearchBackend,
    query: &Query,
    bucket: Duration,
) -> Result<Histogram, BackendError> {
    let plan = backend.plan(&query.wanted(), query.since, query.until)?;
    let milliseconds = bucket.as_millis();
    // The cluster's buckets are whole milliseconds.
    let whole = milliseconds > 0 && bucket.subsec_nanos().is_multiple_of(1_000_000);
    if plan.check.is_some() || !whole {
        return counted_here(backend, query, bucket);
    }
    let path = format!("/{}/_search?ignore_unavailable=true", backend.patterns);
    let mut counts = Histogram::default();
    let mut after = Value::Null;
    loop {
        let body = Body::Json(request(&plan.query, milliseconds, &after));
        let answer = backend.link.ask(Method::Post, &path, &body)?;
        let answer: Value = serde_json::from_slice(&answer)
            .map_err(|error| ElasticsearchError::malformed(&error))?;
        if answer["_shards"]["total"].as_u64() == Some(0) {
            return Err(backend.no_index());
        }
        let counted = &answer["aggregations"]["counts"];
        for bucket in counted["buckets"].as_array().into_iter().flatten() {
            add(&mut counts, bucket);
        }
        after = counted["after_key"].clone();
        if after.is_null() {
            return Ok(counts);
        }
    }
}

/// The next counts, in the order of time.
fn request(query: &Value, milliseconds: u128, after: &Value) -> Value {
    let interval = format!("{milliseconds}ms");
    let mut counts = json!({ "composite": { "size": COUNTS_MAX, "sources": [
        { "time": { "date_histogram": { "field": "@timestamp", "fixed_interval": interval } } },
        { "level": { "terms": { "field": "log.level", "missing_bucket": true } } },
    ] } });
    if !after.is_null() {
        counts["composite"]["after"] = after.clone();
    }
    json!({ "size": 0, "track_total_hits": false, "query": query, "aggs": { "counts": counts } })
}

fn add(counts: &mut Histogram, bucket: &Value) {
    let time = bucket["key"]["time"].as_i64();
    let (Some(time), Some(count)) = (time, bucket["doc_count"].as_u64()) else {
        return;
    };
    let level = bucket["key"]["level"].as_str();
    let level = level
        .and_then(|name| Level::from_word(name.as_bytes()))
        .unwrap_or_default();
    let time = Timestamp(time.saturating_mul(NANOS_PER_MILLISECOND));
    put(counts, time, level, count);
}

fn put(counts: &mut Histogram, time: Timestamp, level: Level, count: u64) {
    let levels = counts.buckets.entry(time).or_default();
    let place = Level::ALL.iter().position(|own| *own == level).unwrap_or(0);
    if let Some(own) = levels.get_mut(place) {
        *own += count;
    }
}

/// Counts hits that must be looked at one by one.
fn counted_here(
    backend: &ElasticsearchBackend,
    query: &Query,
    bucket: Duration,
) -> Result<Histogram, BackendError> {
    let unlimited = Query {
        limit: None,
        tail: None,
        ..query.clone()
    };
    let nanos = i64::try_from(bucket.as_nanos()).unwrap_or(i64::MAX).max(1);
    let mut counts = Histogram::default();
    let search = Search::begin(backend, &unlimited)?;
    search.documents(Order::OldestFirst, None, None, &mut |_, document| {
        let start = document.time.0.div_euclid(nanos).saturating_mul(nanos);
        put(&mut counts, Timestamp(start), document.level, 1);
        ControlFlow::Continue(())
    })?;
    Ok(counts)
}
