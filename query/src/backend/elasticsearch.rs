//! What does a cluster answer? Searches of Elasticsearch or OpenSearch in reading order, within bounded memory.
//!
//! The answers are those of the embedded store over the same lines; `docs/query.md` names the differences. Modules stand
//! in the order of the data: a predicate becomes a query ([`translate`], [`words`]), the query is asked ([`link`]) page
//! by page ([`pages`]), each hit is read back ([`document`]) and put in order ([`search`]); lines around a hit come from
//! [`neighbours`], counts from [`histogram`], and new lines from [`follow`].

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use elastic::Method;
use record::Timestamp;
use serde_json::{Value, json};
use store::Predicate;

use super::{Backend, BackendError, Bookmark, Each, Histogram, Summary};
use crate::Query;

mod link;

mod words;

mod translate;

mod document;

mod pages;

mod search;

mod neighbours;

mod histogram;

mod follow;

pub use follow::Followed;
pub use link::ElasticsearchError;

use link::{Body, Link};
use search::Search;
use translate::Plan;

/// How much of an answer is put in order in memory, in bytes. A larger one is read twice instead.
const BUFFER_BYTES_MAX: usize = 64 << 20;
/// How much may wait in the second reading for lines whose clock went back, in bytes. Then they are fetched.
const HELD_BYTES_MAX: usize = 128 << 20;

/// The indices that nodetap ships to, on one cluster.
#[derive(Debug)]
pub struct ElasticsearchBackend {
    link: Link,
    patterns: String,
    /// Paths of JSON bodies that are known to have values.
    valued: Mutex<HashSet<String>>,
    buffer_bytes_max: usize,
    held_bytes_max: usize,
}

// === impl ElasticsearchBackend ===

impl ElasticsearchBackend {
    /// Prepares to ask a cluster; nothing is sent yet. Searched are the daily indices whose names begin with `prefix` and
    /// nodetap's data streams.
    pub fn open(settings: &elastic::Settings, prefix: &str) -> Result<Self, BackendError> {
        Ok(Self {
            link: Link::new(settings)?,
            patterns: patterns(prefix),
            valued: Mutex::default(),
            buffer_bytes_max: BUFFER_BYTES_MAX,
            held_bytes_max: HELD_BYTES_MAX,
        })
    }

    /// As if memory were that small; for tests.
    #[cfg(test)]
    pub(crate) fn with_memory(mut self, buffer_bytes_max: usize, held_bytes_max: usize) -> Self {
        self.buffer_bytes_max = buffer_bytes_max;
        self.held_bytes_max = held_bytes_max;
        self
    }

    /// What a predicate means to this cluster.
    fn plan(
        &self,
        predicate: &Predicate,
        from: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> Result<Plan, BackendError> {
        let has_values = |path: &str| self.has_values(path);
        Ok(translate::plan(predicate, from, until, &has_values)?)
    }

    /// Whether any document has a value at a path of its JSON body. Where the cluster does not say, it has.
    fn has_values(&self, path: &str) -> bool {
        let known = || self.valued.lock().unwrap_or_else(PoisonError::into_inner);
        if known().contains(path) {
            return true;
        }
        let query = json!({ "prefix": { (format!("app.{path}")): { "value": "" } } });
        let body = json!({ "size": 0, "terminate_after": 1, "query": query });
        let request = format!("/{}/_search?ignore_unavailable=true", self.patterns);
        let answer = self.link.ask(Method::Post, &request, &Body::Json(body));
        let total = answer
            .ok()
            .and_then(|answer| serde_json::from_slice::<Value>(&answer).ok())
            .and_then(|answer| answer.pointer("/hits/total/value")?.as_u64());
        let has = total.is_none_or(|total| 0 < total);
        if has {
            known().insert(path.to_owned());
        }
        has
    }

    /// That there is nothing to search.
    fn no_index(&self) -> BackendError {
        ElasticsearchError::NoIndex {
            patterns: self.patterns.replace(',', " or "),
        }
        .into()
    }
}

impl Backend for ElasticsearchBackend {
    /// Nothing to do: each search sees what the cluster shows when it begins.
    fn refresh(&mut self) -> Result<(), BackendError> {
        Ok(())
    }

    fn search(&self, query: &Query, each: Each<'_>) -> Result<Summary, BackendError> {
        Search::begin(self, query)?.answer(each)
    }

    fn histogram(&self, query: &Query, bucket: Duration) -> Result<Histogram, BackendError> {
        histogram::histogram(self, query, bucket)
    }

    fn tail(&mut self, query: &Query, each: Each<'_>) -> Result<Bookmark, BackendError> {
        let followed = follow::tail(self, query, Instant::now(), each)?;
        Ok(Bookmark::Elasticsearch(Box::new(followed)))
    }

    fn follow(
        &mut self,
        query: &Query,
        bookmark: &mut Bookmark,
        each: Each<'_>,
    ) -> Result<Summary, BackendError> {
        let Bookmark::Elasticsearch(followed) = bookmark else {
            return Err(BackendError::Bookmark);
        };
        followed.follow(self, query, Instant::now(), each)
    }
}

/// What the names of the indices are matched by: a list, as the path of a request has it.
fn patterns(prefix: &str) -> String {
    let mut path = String::new();
    for byte in prefix.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
            path.push(char::from(byte));
        } else {
            // Writing to a String can't fail.
            write!(path, "%{byte:02X}").unwrap_or_default();
        }
    }
    format!("{path}-*,logs-nodetap.*-*")
}

#[cfg(test)]
mod tests;
