//! Where do new lines arrive? The shards of the indices that are written to, and several searches of them at once.
//!
//! Each shard numbers its changes (`_seq_no`), whatever the times of the lines are.

use std::fmt::Write as _;

use bytes::Bytes;
use elastic::Method;
use serde_json::{Value, json};

use crate::backend::elasticsearch::ElasticsearchBackend;
use crate::backend::elasticsearch::link::{Body, ElasticsearchError};
use crate::backend::elasticsearch::neighbours::Several;
use crate::backend::elasticsearch::pages::Found;
use crate::backend::elasticsearch::translate::Plan;

/// How many searches one request has.
const SEARCHES_MAX: usize = 64;
/// How many daily indices are followed, the newest ones by their names.
const INDICES_MAX: usize = 400;
/// How many of a data stream's indices are followed: only the last one is written to, but it may just have become so.
const BACKING_MAX: usize = 2;

/// One shard of one index.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Shard {
    pub(super) index: String,
    /// Its number, where the index has several.
    pub(super) number: Option<u64>,
}

/// What is asked of a shard.
#[derive(Clone, Debug)]
pub(super) struct Asked<'a> {
    pub(super) shard: &'a Shard,
    pub(super) body: Value,
}

// === impl Shard ===

impl Shard {
    /// The line of a request that says where its next line goes.
    fn header(&self) -> Value {
        let mut header = json!({ "index": self.index, "ignore_unavailable": true });
        if let Some(number) = self.number {
            header["preference"] = json!(format!("_shards:{number}"));
        }
        header
    }
}

/// The search for hits by their numbers, in the order of these.
pub(super) fn search(plan: &Plan, numbers: &Value, size: usize, documents: bool) -> Value {
    json!({
        "size": size,
        "track_total_hits": false,
        "_source": documents,
        "seq_no_primary_term": true,
        "query": { "bool": { "filter": [{ "range": { "_seq_no": numbers } }], "must": [plan.query] } },
        "sort": [{ "_seq_no": "asc" }],
    })
}

/// The indices that new lines may go to.
pub(super) fn indices(backend: &ElasticsearchBackend) -> Result<Vec<String>, ElasticsearchError> {
    let path = format!("/_resolve/index/{}?expand_wildcards=all", backend.patterns);
    let answer = backend.link.ask(Method::Get, &path, &Body::Nothing)?;
    let answer: Value =
        serde_json::from_slice(&answer).map_err(|error| ElasticsearchError::malformed(&error))?;
    Ok(written_to(&answer))
}

fn written_to(answer: &Value) -> Vec<String> {
    let list = |name: &str| answer[name].as_array().map_or(&[][..], Vec::as_slice);
    let mut daily: Vec<&str> = list("indices")
        .iter()
        .filter(|index| index["data_stream"].is_null())
        .filter(|index| {
            let attributes = index["attributes"].as_array();
            attributes.is_some_and(|all| all.iter().any(|own| own == "open"))
        })
        .filter_map(|index| index["name"].as_str())
        .collect();
    daily.sort_unstable();
    let oldest = daily.len().saturating_sub(INDICES_MAX);
    let streams = list("data_streams").iter().flat_map(|stream| {
        let backing = stream["backing_indices"].as_array();
        let backing = backing.map_or(&[][..], Vec::as_slice);
        backing
            .iter()
            .rev()
            .take(BACKING_MAX)
            .filter_map(Value::as_str)
    });
    daily
        .iter()
        .skip(oldest)
        .copied()
        .chain(streams)
        .map(str::to_owned)
        .collect()
}

/// Asks several shards; `take` gets each answer with the number of its question.
pub(super) fn ask(
    backend: &ElasticsearchBackend,
    all: &[Asked<'_>],
    take: &mut dyn FnMut(usize, &Found<'_>) -> Result<(), ElasticsearchError>,
) -> Result<(), ElasticsearchError> {
    for (chunk, asked) in all.chunks(SEARCHES_MAX).enumerate() {
        let mut lines = String::new();
        for one in asked {
            // Writing to a String can't fail.
            writeln!(lines, "{}\n{}", one.shard.header(), one.body).unwrap_or_default();
        }
        let body = Body::Lines(Bytes::from(lines));
        let answer = backend.link.ask(Method::Post, "/_msearch", &body)?;
        let several: Several<'_> = serde_json::from_slice(&answer)
            .map_err(|error| ElasticsearchError::malformed(&error))?;
        for (at, found) in several.responses.iter().enumerate() {
            found.check()?;
            take(chunk * SEARCHES_MAX + at, found)?;
        }
    }
    Ok(())
}

/// The shards of indices, each with the number of its last change; -1 for one without any.
pub(super) fn heads(
    backend: &ElasticsearchBackend,
    indices: &[String],
) -> Result<Vec<(Shard, i64)>, ElasticsearchError> {
    let wholes: Vec<Shard> = indices
        .iter()
        .map(|index| Shard {
            index: index.clone(),
            number: None,
        })
        .collect();
    let mut found = Vec::new();
    let mut split = Vec::new();
    last_changes(backend, &wholes, &mut |shard, shards, last| {
        if shards <= 1 {
            found.push((shard.clone(), last));
        } else {
            split.extend((0..shards).map(|number| Shard {
                index: shard.index.clone(),
                number: Some(number),
            }));
        }
    })?;
    last_changes(backend, &split, &mut |shard, _, last| {
        found.push((shard.clone(), last));
    })?;
    Ok(found)
}

fn last_changes(
    backend: &ElasticsearchBackend,
    shards: &[Shard],
    take: &mut dyn FnMut(&Shard, u64, i64),
) -> Result<(), ElasticsearchError> {
    let body = json!({
        "size": 1,
        "track_total_hits": false,
        "_source": false,
        "seq_no_primary_term": true,
        "sort": [{ "_seq_no": "desc" }],
    });
    let all: Vec<Asked<'_>> = shards
        .iter()
        .map(|shard| Asked {
            shard,
            body: body.clone(),
        })
        .collect();
    ask(backend, &all, &mut |at, found| {
        if let Some(shard) = shards.get(at) {
            let last = found.hits.hits.first().and_then(|hit| hit.row().sequence);
            take(shard, found.shards.total, last.unwrap_or(-1));
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_daily_indices_and_the_last_of_each_data_stream_are_followed() {
        let answer = json!({
            "indices": [
                { "name": "nodetap-2026.11.21", "attributes": ["open"] },
                { "name": "nodetap-2026.11.20", "attributes": ["closed"] },
                { "name": ".ds-a-1", "attributes": ["open", "hidden"], "data_stream": "a" },
            ],
            "data_streams": [{ "name": "a", "backing_indices": [".ds-a-1", ".ds-a-2", ".ds-a-3"] }],
        });
        assert_eq!(
            written_to(&answer),
            ["nodetap-2026.11.21", ".ds-a-3", ".ds-a-2"]
        );
        assert!(written_to(&json!({ "indices": 7 })).is_empty());
    }
}
