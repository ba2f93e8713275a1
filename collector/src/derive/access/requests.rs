//! How many requests did each backend get, how long did they take, how large were they?

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use record::Timestamp;

use super::backend::{self, Names};
use super::{Line, Method, Refusal};
use crate::derive::family::{Description, Family, Histogram, Kind, Samples, Value};

const BACKEND: &[&str] = &["ingress", "namespace", "service"];

/// What [`Requests::families`] gives, in this order.
pub const DESCRIPTIONS: [Description; 9] = [
    Description {
        name: "ingress_access_lines_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Lines of access logs that were looked at.",
    },
    Description {
        name: "ingress_access_parse_errors_total",
        kind: Kind::Counter,
        labels: &["reason"],
        help: "Lines of access logs that were not understood, by what is wrong with them.",
    },
    Description {
        name: "ingress_access_lag_seconds",
        kind: Kind::Gauge,
        labels: &[],
        help: "Time since the last line of an access log, by its own time.",
    },
    Description {
        name: "ingress_access_requests_total",
        kind: Kind::Counter,
        labels: &["code", "ingress", "method", "namespace", "service"],
        help: "Requests by backend, method (uncommon ones are other) and status.",
    },
    Description {
        name: "ingress_access_request_bytes_total",
        kind: Kind::Counter,
        labels: BACKEND,
        help: "Bytes of requests, headers included; formats that do not tell leave it at 0.",
    },
    Description {
        name: "ingress_access_response_bytes_total",
        kind: Kind::Counter,
        labels: BACKEND,
        help: "Bytes of answers, as the log has them: with or without headers.",
    },
    Description {
        name: "ingress_access_request_duration_seconds",
        kind: Kind::Histogram,
        labels: BACKEND,
        help: "Time from a request's first byte to the answer's last; formats that do not tell have no observation.",
    },
    Description {
        name: "ingress_access_upstream_response_duration_seconds",
        kind: Kind::Histogram,
        labels: BACKEND,
        help: "Time that the upstreams took for a request, summed over its attempts.",
    },
    Description {
        name: "ingress_access_upstream_attempts_total",
        kind: Kind::Counter,
        labels: &["code", "ingress", "namespace", "service"],
        help: "Attempts to reach an upstream by the status it answered.",
    },
];

/// The buckets of both histograms, as ingress-nginx' own metrics have them.
const BUCKETS_SECONDS: [f64; 11] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// How long a backend may be without a request before its series go: longer than any alert looks back.
const IDLE_MAX: Duration = Duration::from_hours(1);

/// The counts of one node.
#[derive(Debug)]
pub struct Requests {
    /// Backends as lines name them; several names can be one backend, as those of its ports.
    keys: HashMap<Box<[u8]>, usize>,
    by_names: HashMap<Names, usize>,
    backends: Vec<Counts>,
    bounds: Arc<[f64]>,
    /// How many keys and label sets there are.
    series: usize,
    series_max: usize,
    dropped: u64,
    lines: u64,
    refused: [u64; Refusal::ALL.len()],
    last: Option<Timestamp>,
    key: Vec<u8>,
}

#[derive(Debug)]
struct Counts {
    names: Names,
    /// Sorted.
    requests: Vec<((Method, u16), u64)>,
    /// Sorted.
    attempts: Vec<(u16, u64)>,
    request_bytes: u64,
    response_bytes: u64,
    request_seconds: Histogram,
    upstream_seconds: Histogram,
    /// Whether it had a request since the last sweep.
    touched: bool,
    idle_since: Duration,
}

// === impl Requests ===

impl Requests {
    /// Nothing counted; at most `series_max` label sets ever at once.
    pub fn new(series_max: usize) -> Self {
        Self {
            keys: HashMap::new(),
            by_names: HashMap::new(),
            backends: Vec::new(),
            bounds: Arc::from(BUCKETS_SECONDS),
            series: 0,
            series_max,
            dropped: 0,
            lines: 0,
            refused: [0; Refusal::ALL.len()],
            last: None,
            key: Vec::new(),
        }
    }

    /// Counts one line of an access log that a container in the namespace `own` wrote.
    pub fn count(&mut self, line: &[u8], own: &str, namespaces: &[String]) {
        self.lines += 1;
        match super::parse(line) {
            Ok(line) => self.count_request(&line, own, namespaces),
            Err(refusal) => {
                if let Some(count) = self.refused.get_mut(refusal as usize) {
                    *count += 1;
                }
            }
        }
    }

    fn count_request(&mut self, line: &Line<'_>, own: &str, namespaces: &[String]) {
        self.last = line.time.or(self.last);
        let place = self.place(line, own, namespaces);
        let Some(counts) = place.and_then(|place| self.backends.get_mut(place)) else {
            self.dropped += 1;
            return;
        };
        counts.add(line);
        let mut room = self.series_max.saturating_sub(self.series);
        let had = room;
        let request = (line.method, line.code);
        self.dropped += u64::from(!increase(&mut counts.requests, request, &mut room));
        for code in line.upstream_codes.iter() {
            self.dropped += u64::from(!increase(&mut counts.attempts, code, &mut room));
        }
        self.series += had - room;
    }

    /// Where a line's backend is counted; `None` when there is no room for it.
    fn place(&mut self, line: &Line<'_>, own: &str, namespaces: &[String]) -> Option<usize> {
        backend::key(&line.backend, own, &mut self.key);
        if let Some(place) = self.keys.get(&*self.key) {
            return Some(*place);
        }
        if self.series >= self.series_max {
            return None;
        }
        self.series += 1;
        let names = Names::of(&line.backend, own, namespaces);
        let place = *self.by_names.entry(names).or_insert_with_key(|names| {
            self.backends.push(Counts::new(names.clone(), &self.bounds));
            self.backends.len() - 1
        });
        self.keys.insert(self.key.as_slice().into(), place);
        Some(place)
    }

    /// Removes backends that had no request for long.
    pub fn sweep(&mut self, now: Duration) {
        for counts in &mut self.backends {
            if std::mem::take(&mut counts.touched) {
                counts.idle_since = now;
            }
        }
        let is_idle = |counts: &Counts| now.saturating_sub(counts.idle_since) >= IDLE_MAX;
        if !self.backends.iter().any(is_idle) {
            return;
        }
        let mut left = 0;
        let places: Vec<Option<usize>> = self
            .backends
            .iter()
            .map(|counts| {
                let place = (!is_idle(counts)).then_some(left);
                left += usize::from(place.is_some());
                place
            })
            .collect();
        self.backends.retain(|counts| !is_idle(counts));
        let moved = |place: &mut usize| match places.get(*place) {
            Some(Some(new)) => {
                *place = *new;
                true
            }
            _ => false,
        };
        self.keys.retain(|_, place| moved(place));
        self.by_names.retain(|_, place| moved(place));
        let own = self.backends.iter().map(Counts::series);
        self.series = self.keys.len() + own.sum::<usize>();
    }

    /// Changes how many label sets there may be; those that are there stay.
    pub fn limit(&mut self, series_max: usize) {
        self.series_max = series_max;
    }

    /// How often a line would have made a series beyond the limit.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// All families, in the order of [`DESCRIPTIONS`].
    pub fn families(&self, now: Timestamp) -> Vec<Family> {
        let mut backends: Vec<&Counts> = self.backends.iter().collect();
        backends.sort_unstable_by(|one, other| one.names.cmp(&other.names));
        let mut all = DESCRIPTIONS.map(Description::samples);
        let [
            lines,
            errors,
            lag,
            requests,
            request_bytes,
            response_bytes,
            duration,
            upstream,
            attempts,
        ] = &mut all;
        lines.number(&[], self.lines as f64);
        for (refusal, count) in Refusal::ALL.iter().zip(self.refused) {
            errors.number(&[&Arc::from(refusal.as_str())], count as f64);
        }
        if let Some(last) = self.last {
            let nanos = now.0.saturating_sub(last.0);
            lag.number(&[], (nanos as f64 / 1e9).max(0.0));
        }
        for counts in backends {
            let Names {
                namespace,
                ingress,
                service,
            } = &counts.names;
            let backend = [ingress, namespace, service];
            for ((method, code), count) in &counts.requests {
                let (code, method) = (text(*code), Arc::from(method.as_str()));
                let labels = [&code, ingress, &method, namespace, service];
                requests.number(&labels, *count as f64);
            }
            request_bytes.number(&backend, counts.request_bytes as f64);
            response_bytes.number(&backend, counts.response_bytes as f64);
            let seconds = |histogram: &Histogram| Value::Histogram(histogram.clone());
            duration.add(&backend, seconds(&counts.request_seconds));
            upstream.add(&backend, seconds(&counts.upstream_seconds));
            for (code, count) in &counts.attempts {
                let labels = [&text(*code), ingress, namespace, service];
                attempts.number(&labels, *count as f64);
            }
        }
        all.map(Samples::family).into()
    }
}

// === impl Counts ===

impl Counts {
    fn new(names: Names, bounds: &Arc<[f64]>) -> Self {
        Self {
            names,
            requests: Vec::new(),
            attempts: Vec::new(),
            request_bytes: 0,
            response_bytes: 0,
            request_seconds: Histogram::new(bounds),
            upstream_seconds: Histogram::new(bounds),
            touched: true,
            idle_since: Duration::ZERO,
        }
    }

    /// How many label sets it has of its own.
    fn series(&self) -> usize {
        self.requests.len() + self.attempts.len()
    }

    fn add(&mut self, line: &Line<'_>) {
        self.touched = true;
        let add = |sum: &mut u64, more: Option<u64>| *sum = sum.saturating_add(more.unwrap_or(0));
        add(&mut self.request_bytes, line.request_bytes);
        add(&mut self.response_bytes, line.response_bytes);
        let observe = |histogram: &mut Histogram, micros: Option<u64>| {
            if let Some(micros) = micros {
                histogram.observe(micros as f64 / 1e6);
            }
        };
        observe(&mut self.request_seconds, line.request_micros);
        observe(&mut self.upstream_seconds, line.upstream_micros);
    }
}

/// Counts one of a kind; `false` when it is the first of its kind and there is no room for it.
fn increase<K: Ord>(counts: &mut Vec<(K, u64)>, kind: K, room: &mut usize) -> bool {
    match counts.binary_search_by(|(known, _)| known.cmp(&kind)) {
        Ok(at) => {
            if let Some((_, count)) = counts.get_mut(at) {
                *count += 1;
            }
        }
        Err(_) if *room == 0 => return false,
        Err(at) => {
            counts.insert(at, (kind, 1));
            *room -= 1;
        }
    }
    true
}

/// The label value of a status.
fn text(code: u16) -> Arc<str> {
    Arc::from(format!("{code:03}"))
}
