//! A cluster of one process that keeps documents, shows those that were refreshed, and forgets points in time when told.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

use super::engine::{self, Stored};

/// The cluster, as its tests hold it.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) state: Arc<Mutex<State>>,
    pub(super) url: String,
}

/// What it keeps.
#[derive(Debug, Default)]
pub(super) struct State {
    /// In the order of their numbers.
    pub(super) documents: Vec<Stored>,
    /// Those are not visible yet.
    pub(super) hidden: Vec<String>,
    pub(super) indices: Vec<String>,
    pub(super) open_search: bool,
    /// Points in time are forgotten after so many pages.
    pub(super) pages_max: Option<usize>,
    /// Answers to give instead, oldest first.
    pub(super) failures: Vec<(u16, Value)>,
    pub(super) searches: usize,
    points: HashMap<String, (usize, Vec<Stored>)>,
}

// === impl Server ===

impl Server {
    pub(super) fn start(documents: Vec<Stored>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut indices: Vec<String> = documents.iter().map(|own| own.index.clone()).collect();
        indices.sort();
        indices.dedup();
        let state = Arc::new(Mutex::new(State {
            documents,
            indices,
            ..State::default()
        }));
        let own = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&own);
                thread::spawn(move || serve(stream, &state));
            }
        });
        Self { state, url }
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }
}

/// Answers the requests of one connection.
fn serve(mut stream: TcpStream, state: &Mutex<State>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first).ok()? == 0 {
            return None;
        }
        let mut length = 0;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            let header = header.trim().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let mut words = first.split(' ');
        let (method, path) = (words.next()?, words.next()?);
        let path = path.split('?').next()?;
        let (status, answer) = state.lock().unwrap().answer(method, path, &body);
        let answer = answer.to_string();
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            answer.len()
        );
        stream.write_all(head.as_bytes()).ok()?;
        stream.write_all(answer.as_bytes()).ok()?;
    }
}

// === impl State ===

impl State {
    pub(super) fn insert(&mut self, mut document: Stored) {
        document.sequence = self
            .documents
            .iter()
            .filter(|own| own.index == document.index)
            .count() as i64;
        if !self.indices.contains(&document.index) {
            self.indices.push(document.index.clone());
        }
        self.documents.push(document);
    }

    fn answer(&mut self, method: &str, path: &str, body: &[u8]) -> (u16, Value) {
        if !self.failures.is_empty() {
            return self.failures.remove(0);
        }
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let json = || serde_json::from_slice::<Value>(body).unwrap_or_default();
        match (method, parts.as_slice()) {
            ("POST", [patterns, "_search"]) => self.search(Some(patterns), &json()),
            ("POST", ["_search"]) => self.search(None, &json()),
            ("POST", [patterns, "_pit"]) if !self.open_search => {
                (200, json!({ "id": self.point(patterns) }))
            }
            ("POST", [patterns, "_search", "point_in_time"]) if self.open_search => {
                (200, json!({ "pit_id": self.point(patterns) }))
            }
            ("DELETE", ["_pit"]) => {
                let gone = json()["id"].as_str().and_then(|id| self.points.remove(id));
                (if gone.is_some() { 200 } else { 404 }, json!({}))
            }
            ("DELETE", ["_search", "point_in_time"]) => {
                let gone = json()["pit_id"][0]
                    .as_str()
                    .and_then(|id| self.points.remove(id));
                (if gone.is_some() { 200 } else { 404 }, json!({}))
            }
            ("POST", [patterns, "_msearch"]) => (200, self.searches(Some(patterns), body)),
            ("POST", ["_msearch"]) => (200, self.searches(None, body)),
            ("GET", ["_resolve", "index", _]) => {
                let open = |name| json!({ "name": name, "attributes": ["open"] });
                let all: Vec<Value> = self.indices.iter().map(open).collect();
                (200, json!({ "indices": all, "data_streams": [] }))
            }
            _ => (400, json!({ "error": "no handler found" })),
        }
    }

    /// Points in time that were not given back.
    pub(super) fn points(&self) -> usize {
        self.points.len()
    }

    fn point(&mut self, patterns: &str) -> String {
        let id = format!("point-{}", self.points.len());
        let now = self.visible(patterns);
        self.points.insert(id.clone(), (0, now));
        id
    }

    fn visible(&self, patterns: &str) -> Vec<Stored> {
        let named = |index: &str| {
            patterns
                .split(',')
                .any(|pattern| store::text::glob_matches(pattern, index))
        };
        let all = self.documents.iter();
        all.filter(|own| named(&own.index) && !self.hidden.contains(&own.id))
            .cloned()
            .collect()
    }

    fn searches(&mut self, patterns: Option<&str>, body: &[u8]) -> Value {
        let lines: Vec<Value> = body
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect();
        let answers: Vec<Value> = lines
            .chunks(2)
            .map(|pair| {
                let index = patterns.or(pair[0]["index"].as_str()).unwrap().to_owned();
                self.search(Some(&index), &pair[1]).1
            })
            .collect();
        json!({ "responses": answers })
    }

    fn search(&mut self, patterns: Option<&str>, body: &Value) -> (u16, Value) {
        self.searches += 1;
        let mut all = if let Some(patterns) = patterns {
            self.visible(patterns)
        } else {
            let id = body["pit"]["id"].as_str().unwrap();
            let pages_max = self.pages_max.unwrap_or(usize::MAX);
            let point = self.points.get_mut(id);
            let Some((pages, all)) = point.filter(|(pages, _)| *pages < pages_max) else {
                let gone = json!({ "type": "search_context_missing_exception" });
                return (404, json!({ "error": gone, "status": 404 }));
            };
            *pages += 1;
            all.clone()
        };
        let shards = self.indices.len();
        if let Some(sources) = body.pointer("/aggs/counts/composite/sources") {
            return (200, counts(&all, body, sources));
        }
        if body["size"] == 0 {
            let found = all
                .iter()
                .any(|own| engine::finds(&body["query"], own, &mut Vec::new()));
            return (
                200,
                json!({ "hits": { "total": { "value": u64::from(found) } } }),
            );
        }
        let sort = body["sort"].as_array().unwrap();
        let key = |own: &Stored| -> Vec<Value> {
            sort.iter()
                .map(|by| sorted_by(own, by.as_object().unwrap().keys().next().unwrap()))
                .collect()
        };
        let compare = |one: &[Value], other: &[Value]| {
            let each = one.iter().zip(other).zip(sort);
            each.map(|((one, other), by)| {
                let by = by.as_object().unwrap().values().next().unwrap();
                let order = engine::compare(one, other);
                let descending = by["order"] == "desc" || *by == "desc";
                if descending { order.reverse() } else { order }
            })
            .find(|order| order.is_ne())
            .unwrap_or(std::cmp::Ordering::Equal)
        };
        let everything = json!({ "match_all": {} });
        let query = if body["query"].is_null() {
            &everything
        } else {
            &body["query"]
        };
        all.retain(|own| engine::finds(query, own, &mut Vec::new()));
        all.sort_by(|one, other| compare(&key(one), &key(other)));
        if let Some(after) = body["search_after"].as_array() {
            all.retain(|own| compare(&key(own), after).is_gt());
        }
        all.truncate(body["size"].as_u64().unwrap() as usize);
        let hit = |own: &Stored| {
            let mut named = Vec::new();
            engine::finds(query, own, &mut named);
            let mut hit = json!({
                "_index": own.index, "_id": own.id, "_seq_no": own.sequence, "sort": key(own),
            });
            if body["_source"] != false {
                hit["_source"] = own.source.clone();
            }
            if !named.is_empty() {
                hit["matched_queries"] = json!(named);
            }
            hit
        };
        let hits: Vec<Value> = all.iter().map(hit).collect();
        let shards = patterns
            .filter(|name| !name.contains('*'))
            .map_or(shards, |_| 1);
        (
            200,
            json!({ "_shards": { "total": shards, "failed": 0 }, "hits": { "hits": hits } }),
        )
    }
}

/// The value a document is sorted by, as the cluster shows it.
fn sorted_by(document: &Stored, field: &str) -> Value {
    let value = engine::values(document, field)
        .into_iter()
        .next()
        .unwrap_or_default();
    let time = value
        .as_str()
        .and_then(|text| record::Timestamp::parse_rfc3339(text.as_bytes()));
    time.map_or(value, |time| Value::from(time.0))
}

/// Counts per bucket of time and level, in pages of the size that is asked for.
fn counts(all: &[Stored], body: &Value, sources: &Value) -> Value {
    let interval = sources[0]["time"]["date_histogram"]["fixed_interval"]
        .as_str()
        .unwrap();
    let interval: i64 = interval.trim_end_matches("ms").parse().unwrap();
    let mut buckets: BTreeMap<(i64, Option<String>), u64> = BTreeMap::new();
    for own in all
        .iter()
        .filter(|own| engine::finds(&body["query"], own, &mut Vec::new()))
    {
        let time = sorted_by(own, "@timestamp").as_i64().unwrap() / 1_000_000;
        let level = own.source["log"]["level"].as_str().map(str::to_owned);
        *buckets
            .entry((time / interval * interval, level))
            .or_default() += 1;
    }
    let composite = &body["aggs"]["counts"]["composite"];
    let after = (
        composite["after"]["time"].as_i64(),
        composite["after"]["level"].as_str().map(str::to_owned),
    );
    let page: Vec<_> = buckets
        .into_iter()
        .filter(|((time, level), _)| after.0.is_none_or(|own| (own, &after.1) < (*time, level)))
        .take(composite["size"].as_u64().unwrap() as usize)
        .collect();
    let last = page
        .last()
        .map(|((time, level), _)| json!({ "time": time, "level": level }));
    let buckets: Vec<Value> = page
        .iter()
        .map(|((time, level), count)| json!({ "key": { "time": time, "level": level }, "doc_count": count }))
        .collect();
    let mut counted = json!({ "buckets": buckets });
    if let Some(last) = last {
        counted["after_key"] = last;
    }
    json!({ "_shards": { "total": 1, "failed": 0 }, "aggregations": { "counts": counted } })
}
